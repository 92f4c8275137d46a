//! Percent-decoding that refuses what it can't decode, where others pass it on as it is.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Why a text can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// `%` without two hexadecimal digits.
    #[error(
        "is not percent-encoded properly: a % must be followed by two hexadecimal digits, and written as %25 itself"
    )]
    Escape,
    /// The bytes behind the escapes.
    #[error("is not UTF-8 once it is percent-decoded")]
    NotUtf8,
}

/// Decodes a path segment.
pub(crate) fn decode(text: &str) -> Result<Cow<'_, str>, Malformed> {
    let is_escape = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(Malformed::Escape);
    }
    percent_decode_str(text).decode_utf8().map_err(|_| Malformed::NotUtf8)
}

/// Decodes a name or a value of a query: besides, `+` is a space, as browsers and most clients write it. A plus is `%2B`.
pub(crate) fn decode_query(text: &str) -> Result<Cow<'_, str>, Malformed> {
    if !text.contains('+') {
        return decode(text);
    }
    let spaced = text.replace('+', " ");
    decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_segment() {
        for (text, expected) in [
            ("", Ok("")),
            ("plain", Ok("plain")),
            ("a%2Fb%20c", Ok("a/b c")),
            ("a+b", Ok("a+b")),
            ("%C3%A4%e2%82%ac", Ok("ä€")),
            ("%2525", Ok("%25")),
            ("%", Err(Malformed::Escape)),
            ("%4", Err(Malformed::Escape)),
            ("%zz", Err(Malformed::Escape)),
            ("%%41", Err(Malformed::Escape)),
            ("%ä1", Err(Malformed::Escape)),
            ("%ff", Err(Malformed::NotUtf8)),
            ("%C0%AF", Err(Malformed::NotUtf8)),
        ] {
            assert_eq!(decode(text).as_deref().map_err(|e| *e), expected, "{text}");
        }
    }

    #[test]
    fn in_a_query_a_plus_is_a_space() {
        for (text, expected) in [("a+b%2Bc", "a b+c"), ("a%20b", "a b"), ("%2B", "+")] {
            assert_eq!(decode_query(text).as_deref(), Ok(expected));
        }
    }
}
