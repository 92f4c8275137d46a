//! Which names are allowed, and which names mean the same.

use crate::contract::MAX_NAME;

/// Whether a text can be the name of a header field (a token of RFC 9110).
pub fn is_header_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A free name: the wanted one, which `is_name` allows, or that with a number.
pub fn free_name(wanted: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| {
        let suffix = format!("-{number}");
        let room = MAX_NAME - suffix.len();
        format!("{}{suffix}", &wanted[..wanted.len().min(room)])
    });
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(|name| !is_taken(name))
        .expect("there are more numbers than names")
}

/// Which of the names a path variable means.
#[derive(Debug, PartialEq, Eq)]
pub enum Match<'a> {
    /// This one.
    One(&'a str),
    /// None.
    None,
    /// It could be each of these.
    Several(Vec<&'a str>),
}

/// Finds what a path variable means: exactly, else ignoring case, else also ignoring `-` and `_`.
pub fn find_match<'a>(variable: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Match<'a> {
    let forms: [fn(&str) -> String; 3] = [str::to_owned, str::to_lowercase, loose];
    for form in forms {
        let wanted = form(variable);
        let mut found: Vec<_> = names.clone().into_iter().filter(|name| form(name) == wanted).collect();
        match found.len() {
            0 => {}
            1 => return Match::One(found.remove(0)),
            _ => return Match::Several(found),
        }
    }
    Match::None
}

fn loose(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_variables_match_from_strict_to_loose() {
        for (variable, names, expected) in [
            ("id", vec!["ID", "id"], Match::One("id")),
            ("orgid", vec!["orgId", "org_id"], Match::One("orgId")),
            ("connection-id", vec!["connection_id"], Match::One("connection_id")),
            ("connectionid", vec!["connection-Id"], Match::One("connection-Id")),
            ("orgid", vec!["orgId", "orgID"], Match::Several(vec!["orgId", "orgID"])),
            ("a-b", vec!["a_b", "ab"], Match::Several(vec!["a_b", "ab"])),
            ("x", vec!["y"], Match::None),
        ] {
            assert_eq!(find_match(variable, names.iter().copied()), expected, "{variable} {names:?}");
        }
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        assert_eq!(free_name("a", |_| false), "a");
        assert_eq!(free_name("a", |name| ["a", "a-2"].contains(&name)), "a-3");
        assert_eq!(free_name(&"x".repeat(128), |name| !name.contains('-')).len(), 128);
    }
}
