//! The ways in which a server may write a secret back: as it is, percent-encoded, escaped in JSON, in base64.
//!
//! It doesn't list what no server does by accident: a secret reversed, hashed, encrypted, sent piece by piece.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::credentials::NOT_UNRESERVED;
use crate::grant::Secret;

/// What `encodeURIComponent` encodes.
const COMPONENT: &AsciiSet = &NOT_UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// What an HTML form encodes; it turns a space into `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b' ');

/// All spellings of a secret, each once. Upper and lower case aren't told apart by who looks for them: `%2f` is `%2F`.
pub(super) fn of(secret: &Secret) -> Vec<Zeroizing<String>> {
    let value = secret.expose();
    let percent = |set| utf8_percent_encode(value, set).to_string();
    let json = json(value);
    let all = [
        value.to_owned(),
        percent(NOT_UNRESERVED),
        percent(COMPONENT),
        form_encoded(value).to_string(),
        json.replace('/', "\\/"),
        json_in_ascii(&json),
        json,
    ];
    let mut spellings: Vec<Zeroizing<String>> = Vec::new();
    for spelling in all.into_iter().chain(base64(value.as_bytes())).map(Zeroizing::new) {
        if !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    }
    spellings
}

/// A value as it stands in an HTML form.
pub(super) fn form_encoded(value: &str) -> Zeroizing<String> {
    let encoded = Zeroizing::new(utf8_percent_encode(value, FORM).to_string());
    Zeroizing::new(encoded.replace(' ', "+"))
}

/// The inside of a JSON string.
fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same as servers write it that keep to ASCII.
fn json_in_ascii(json: &str) -> String {
    let mut ascii = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("writing to a string never fails");
            }
        }
    }
    ascii
}

/// Base64 writes three bytes as four characters, so a secret inside a longer text (`user:secret`) looks different for each
/// offset modulo three. Of each, the characters that depend on the secret alone, in both alphabets.
fn base64(value: &[u8]) -> impl Iterator<Item = String> {
    [0_usize, 1, 2].into_iter().flat_map(move |offset| {
        let mut bytes = Zeroizing::new(vec![0; offset]);
        bytes.extend_from_slice(value);
        let first = (offset * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        [general_purpose::STANDARD_NO_PAD, general_purpose::URL_SAFE_NO_PAD].map(|alphabet| {
            let encoded = Zeroizing::new(alphabet.encode(&*bytes));
            encoded[first..end].to_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings() {
        for (secret, expected) in [
            ("abcdefgh", vec!["abcdefgh", "YWJjZGVmZ2", "FiY2RlZmdo", "hYmNkZWZna"]),
            (
                "a/b\"c é~*",
                vec![
                    "a%2Fb%22c%20%C3%A9~%2A",
                    "a%2Fb%22c%20%C3%A9~*",
                    "a%2Fb%22c+%C3%A9%7E*",
                    "a\\/b\\\"c é~*",
                    "a/b\\\"c \\u00e9~*",
                ],
            ),
            ("😀😀😀😀", vec!["\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00"]),
            (">>>>????", vec!["Pj4+Pj8/Pz", "Pj4-Pj8_Pz"]),
        ] {
            let spellings = of(&Secret::new(secret.to_owned()));
            for expected in expected {
                assert!(
                    spellings.iter().any(|spelling| **spelling == expected),
                    "{secret}: {expected} not in {spellings:?}"
                );
            }
        }
    }

    #[test]
    fn base64_of_a_text_with_the_secret_in_it_has_one_of_the_spellings() {
        let secret = "s3cr3t/v?lue>";
        let spellings = of(&Secret::new(secret.to_owned()));
        for before in ["", "u", "us", "user:", "some user:"] {
            for after in ["", "x", "xy", "xyz"] {
                for alphabet in [general_purpose::STANDARD, general_purpose::URL_SAFE] {
                    let encoded = alphabet.encode(format!("{before}{secret}{after}"));
                    assert!(spellings.iter().any(|spelling| encoded.contains(spelling.as_str())), "{before} {after}");
                }
            }
        }
    }
}
