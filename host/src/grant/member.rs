//! One member of a file that holds several secrets: a flat JSON or YAML mapping.
//!
//! Only picks; `source` reads the file.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::Secret;

/// The member of this key. The reason why there is none holds nothing of the file: any part of it may be a secret.
pub fn find(text: &str, key: &str) -> Result<Secret, String> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let members: HashMap<String, Member> = serde_saphyr::from_str_with_options(text, options)
        .map_err(|_| "it is not a JSON or YAML mapping of names to values".to_owned())?;
    match members.get(key) {
        None => Err(format!("it has no member {key}")),
        Some(Member::Other) => Err(format!("its member {key} is not text; put it in quotes")),
        Some(Member::Text(value)) => match value.trim() {
            "" => Err(format!("its member {key} is empty")),
            value => Ok(Secret::new(value.to_owned())),
        },
    }
}

enum Member {
    Text(Zeroizing<String>),
    /// A number has lost its leading zeros by now, and a list was never a secret.
    Other,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, value: &str) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(value)))
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Member, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Member, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_json_and_yaml() {
        let yaml = "# secrets\nA: hunter2\nB: ' padded '\nPIN: 0123\nEMPTY: ''\nNONE:\nLIST: [x]\nMAP: {x: y}\n";
        let json = r#"{"A": "hunter2", "B": " padded ", "PIN": 123, "EMPTY": "", "NONE": null, "LIST": ["x"], "MAP": {"x": "y"}}"#;
        for text in [yaml, json] {
            assert_eq!(find(text, "A").unwrap().expose(), "hunter2");
            assert_eq!(find(text, "B").unwrap().expose(), "padded");
            for (key, reason) in [
                ("PIN", "its member PIN is not text; put it in quotes"),
                ("EMPTY", "its member EMPTY is empty"),
                ("NONE", "its member NONE is not text; put it in quotes"),
                ("LIST", "its member LIST is not text; put it in quotes"),
                ("MAP", "its member MAP is not text; put it in quotes"),
                ("C", "it has no member C"),
            ] {
                assert_eq!(find(text, key).unwrap_err(), reason);
            }
        }
        for text in ["hunter2", "[hunter2]", "A: [hunter2", "A: hunter2\nA: other"] {
            assert_eq!(find(text, "A").unwrap_err(), "it is not a JSON or YAML mapping of names to values", "{text}");
        }
    }
}
