//! A query as pairs of names and values, in the order in which they came.
//!
//! Values stay encoded: an array is split at its literal commas first, and those can't be told from encoded ones afterwards.

use std::borrow::Cow;

use crate::percent::{self, Malformed};

/// A query, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// Decoded names, with their values as they came.
    pub(super) pairs: Vec<(Cow<'a, str>, &'a str)>,
    /// The names that can't be decoded, as they came.
    pub(super) malformed: Vec<(&'a str, Malformed)>,
}

impl<'a> Query<'a> {
    /// Reads `a=1&b=2`. `a` alone is `a=`.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match percent::decode_query(name) {
                Ok(name) => query.pairs.push((name, value)),
                Err(malformed) => query.malformed.push((name, malformed)),
            }
        }
        query
    }

    /// The values of a name, still encoded; none if it is absent.
    pub(super) fn values(&self, name: &str) -> Vec<&'a str> {
        let of_name = self.pairs.iter().filter(|(known, _)| known == name);
        of_name.map(|(_, value)| *value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_values_are_not() {
        for (text, pairs) in [
            ("", vec![]),
            ("&&", vec![]),
            ("a=1&b=2&a=3", vec![("a", "1"), ("b", "2"), ("a", "3")]),
            ("a", vec![("a", "")]),
            ("a=b=c", vec![("a", "b=c")]),
            ("filter%5Bx%5D=%2C", vec![("filter[x]", "%2C")]),
            ("a%26b=1+2", vec![("a&b", "1+2")]),
            ("=x", vec![("", "x")]),
        ] {
            let query = Query::parse(text);
            let found: Vec<_> = query.pairs.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
            assert_eq!(found, pairs, "{text}");
            assert_eq!(query.malformed, vec![]);
        }
        assert_eq!(Query::parse("a=1&b=2&a=3").values("a"), ["1", "3"]);
        assert_eq!(Query::parse("%zz=1&a=2").malformed, [("%zz", Malformed::Escape)]);
    }
}
