//! What a caller's request depends on (RFC 9110, section 13): handed on to the upstream, which knows the state that it is about.
//!
//! Nothing is evaluated here but for what the host answers itself. The entity tags are the upstream's: a caller has them from an
//! answer that was handed on.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// The fields that make a request conditional. `If-Range` isn't one of them: `Range` isn't handed on either.
const FIELDS: [HeaderName; 4] =
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];

/// The conditions of one call; mostly none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(HeaderMap);

impl Conditions {
    /// Those of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let named = headers.iter().filter(|(name, _)| FIELDS.contains(name));
        Self(named.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// Those without which something must not be changed. To ignore one is to lose somebody's update, or to write over what was to
    /// be made anew (`If-None-Match: *`).
    pub fn guards(&self, method: &Method) -> impl Iterator<Item = &HeaderName> {
        let changes = !method.is_safe();
        self.0.keys().filter(move |name| {
            [header::IF_MATCH, header::IF_UNMODIFIED_SINCE].contains(name)
                || (changes && *name == header::IF_NONE_MATCH)
        })
    }

    /// Puts them into a request, but for those that it has itself.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        let others: Vec<_> = self.0.iter().filter(|(name, _)| !headers.contains_key(*name)).collect();
        for (name, value) in others {
            headers.append(name, value.clone());
        }
    }

    /// Whether the caller has the version of this strong tag already: an answer needs no body then.
    pub fn know(&self, etag: &HeaderValue) -> bool {
        let listed = self.0.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = listed.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn conditions_are_taken_and_nothing_else() {
        let all = [
            ("if-match", "\"1\""),
            ("if-none-match", "\"2\""),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        let mut others = vec![("if-range", "\"1\""), ("range", "bytes=0-1"), ("authorization", "Bearer x")];
        others.extend(all);
        let mut sent = HeaderMap::new();
        Conditions::of(&map(&others)).add_to(&mut sent);
        assert_eq!(sent, map(&all));
    }

    #[test]
    fn a_guest_that_has_a_condition_of_its_own_keeps_it() {
        let own = map(&[("if-none-match", "\"own\"")]);
        let mut sent = own.clone();
        Conditions::of(&map(&[("if-match", "\"1\"")])).add_to(&mut sent);
        assert_eq!(sent, map(&[("if-none-match", "\"own\""), ("if-match", "\"1\"")]));
        Conditions::of(&map(&[("if-none-match", "\"1\"")])).add_to(&mut sent);
        assert_eq!(sent.get_all("if-none-match").iter().collect::<Vec<_>>(), ["\"own\""]);
    }

    #[test]
    fn which_conditions_guard_a_change() {
        for (field, method, guards) in [
            ("if-match", Method::PUT, true),
            ("if-match", Method::GET, true),
            ("if-unmodified-since", Method::DELETE, true),
            ("if-none-match", Method::PUT, true),
            ("if-none-match", Method::GET, false),
            ("if-modified-since", Method::PUT, false),
        ] {
            assert_eq!(Conditions::of(&map(&[(field, "x")])).guards(&method).count() == 1, guards, "{method} {field}");
        }
        assert_eq!(Conditions::default().guards(&Method::PUT).count(), 0);
    }

    #[test]
    fn a_version_is_known_by_its_tag() {
        let etag = HeaderValue::from_static("\"a\"");
        for (listed, known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(listed));
            assert_eq!(Conditions::of(&headers).know(&etag), known, "{listed}");
        }
        assert!(!Conditions::default().know(&etag));
    }
}
