//! `Link` header fields (RFC 8288), and addresses in which nothing but the query is new. Pure.
//!
//! Where a request goes is never an upstream's to say: of an address that it gives, the query alone is taken.

use percent_encoding::percent_decode_str;

use crate::encode;

/// The longest address in a message: enough to see where it leads.
const MAX_SHOWN: usize = 200;

/// The target of the first link whose relation is `next`.
pub fn next(fields: &[String]) -> Option<String> {
    fields.iter().find_map(|field| next_in(field))
}

fn next_in(field: &str) -> Option<String> {
    let mut rest = field;
    loop {
        let (target, after) = rest.trim_start_matches([' ', '\t', ',']).strip_prefix('<')?.split_once('>')?;
        let (is_next, after) = read_parameters(after);
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = after;
    }
}

/// Whether the parameters of a link say that it leads from this answer to the next, and what stands behind them.
fn read_parameters(text: &str) -> (bool, &str) {
    let mut rest = text.trim_start();
    let mut relation = None;
    let mut is_of_this = true;
    while let Some(parameter) = rest.strip_prefix(';') {
        let parameter = parameter.trim_start();
        let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
        let (name, after) = parameter.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => read_value(value.trim_start()),
            None => (String::new(), after),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            // Of several the first counts.
            "rel" if relation.is_none() => relation = Some(value),
            // It is about something else.
            "anchor" => is_of_this = false,
            _ => {}
        }
        rest = after.trim_start();
    }
    let is_next = |relation: String| relation.split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case("next"));
    (is_of_this && relation.is_some_and(is_next), rest)
}

/// A token, or a text in quotes; and what stands behind it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The query of an address that is `current` but for its query.
///
/// # Errors
/// It leads somewhere else; the text names where.
pub fn query(target: &str, current: &str) -> Result<String, String> {
    let target = target.split('#').next().unwrap_or_default();
    let (address, query) = target.split_once('?').unwrap_or((target, ""));
    let (current, _) = current.split_once('?').unwrap_or((current, ""));
    if !is_same(address, current) {
        let shown: String = target.chars().take(MAX_SHOWN).collect();
        return Err(format!("the upstream's next page is elsewhere than at {current}: {shown}"));
    }
    Ok(encode::percent_iri(query))
}

/// Whether an address, which may be relative to the other one, is the same.
fn is_same(address: &str, current: &str) -> bool {
    let Some(own) = split(current) else { return false };
    let (folder, _) = own.path.rsplit_once('/').unwrap_or_default();
    let relative = |path: &str| decoded(path) == decoded(own.path);
    match split(address) {
        // What only the operator knows has another name here.
        Some(it) if own.authority.ends_with(".invalid") => relative(it.path),
        Some(it) => it.scheme == own.scheme && it.authority == own.authority && relative(it.path),
        None if address.starts_with("//") => is_same(&format!("{}:{address}", own.scheme), current),
        None if address.is_empty() => true,
        None if address.starts_with('/') => relative(address),
        None => relative(&format!("{folder}/{address}")),
    }
}

struct Address<'a> {
    scheme: String,
    /// In small letters, without the port that the scheme has anyway.
    authority: String,
    path: &'a str,
}

fn split(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return Some(Address { scheme, authority: rest.to_owned(), path: "" }),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let authority = authority.strip_suffix(port).unwrap_or(&authority).to_owned();
    Some(Address { scheme, authority, path: if path.is_empty() { "/" } else { path } })
}

/// Servers don't all escape the same. What is compared like this is the request's own path anyway.
fn decoded(path: &str) -> Vec<u8> {
    percent_decode_str(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found() {
        for (fields, expected) in [
            (&[r#"<https://a/x?p=2>; rel="next""#][..], Some("https://a/x?p=2")),
            (&[r#"<?p=0>; rel="prev", <?p=2>; rel="next", <?p=9>; rel="last""#], Some("?p=2")),
            (&["<?p=2>;rel=next"], Some("?p=2")),
            (&["<?p=2> ; title=\"a, \\\"b\\\"; rel=prev\" ; REL=\"last Next\""], Some("?p=2")),
            (&[r#"<?p=9>; rel="last""#, r#"<?p=2>; rel="next""#], Some("?p=2")),
            (&["<?a=1,2;3>; rel=\"next\""], Some("?a=1,2;3")),
            (&[r#"<?p=2>; rel="prev"; rel="next""#], None),
            (&[r##"<?p=2>; rel="next"; anchor="#other""##], None),
            (&["<?p=2>"], None),
            (&["<?p=2>; rel=\"nextpage\""], None),
            (&["nonsense, <?p=2>; rel=next"], None),
            (&["<?p=2; rel=next"], None),
            (&["<?p=2>; rel=\"next"], Some("?p=2")),
            (&["", "<>; rel=next"], Some("")),
            (&[], None),
        ] {
            let fields: Vec<String> = fields.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(next(&fields).as_deref(), expected, "{fields:?}");
        }
    }

    #[test]
    fn of_an_address_the_query_alone_is_new() {
        const CURRENT: &str = "https://api.test/v1/users/a%2Fb?x=1";
        for (target, expected) in [
            ("https://api.test/v1/users/a%2Fb?p=2", "p=2"),
            ("HTTPS://API.test:443/v1/users/a%2fb?p=2#top", "p=2"),
            ("//api.test/v1/users/a%2Fb?p=2", "p=2"),
            ("/v1/users/a%2Fb?p[n]=2&q=%C3%A4", "p[n]=2&q=%C3%A4"),
            ("a%2Fb?p=2", "p=2"),
            ("?p=ä \"", "p=%C3%A4%20%22"),
            ("?u=https://evil.test/?a", "u=https://evil.test/?a"),
            ("/v1/users/a%2Fb", ""),
        ] {
            assert_eq!(query(target, CURRENT).as_deref(), Ok(expected), "{target}");
        }
        for target in [
            "https://evil.test/v1/users/a%2Fb?p=2",
            "https://api.test.evil.test/v1/users/a%2Fb?p=2",
            "https://api.test@evil.test/v1/users/a%2Fb?p=2",
            "https://user@api.test/v1/users/a%2Fb?p=2",
            "https://api.test:8443/v1/users/a%2Fb?p=2",
            "http://api.test/v1/users/a%2Fb?p=2",
            "//evil.test/v1/users/a%2Fb?p=2",
            "https://api.test/v1/secrets?p=2",
            "/v1/users/a%2Fb/../../secrets?p=2",
            "/v2/users/a%2Fb?p=2",
            "../users/a%2Fb?p=2",
            "file:///v1/users/a%2Fb",
            "javascript:alert(1)",
        ] {
            let refused = query(target, CURRENT).unwrap_err();
            let shown = target.split('#').next().unwrap();
            assert!(
                refused.ends_with(&format!("elsewhere than at https://api.test/v1/users/a%2Fb: {shown}")),
                "{refused}"
            );
        }
    }
}
