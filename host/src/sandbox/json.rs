//! JSON texts of guests, read into no more memory than the guest was granted.

use serde::de::Error as _;
use serde_json::{Error, Value};

/// What one value costs the host in memory: the entry of an object, with its key, its hash and its place in the index. In a text it
/// may be two bytes (`0,`), so 16 MB of text could become a gigabyte.
const PER_VALUE: usize = 128;

/// The memory that is left for values.
pub(super) struct Room(usize);

impl Room {
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Reads a text, if there is room for what it becomes. How deep it may be nested is the library's limit, 128.
    pub(super) fn read(&mut self, json: &str) -> Result<Value, Error> {
        let needed = json.len().saturating_add(most_values(json).saturating_mul(PER_VALUE));
        match self.0.checked_sub(needed) {
            Some(left) => self.0 = left,
            None => {
                return Err(Error::custom(format!(
                    "it has too many values for {} bytes of memory, what is left",
                    self.0
                )));
            }
        }
        serde_json::from_str(json)
    }
}

/// No fewer than there are in a valid text: one, one more at each comma, and one more in each array and object.
fn most_values(json: &str) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (json, most) in [
            ("7", 1),
            (r#"["a,[{", "\\", "\"", {"b,": [1, 2, 3]}]"#, 9),
            ("[[],[],[]]", 7),
            (r#"{"a": {}, "b": {}}"#, 5),
        ] {
            assert_eq!(most_values(json), most, "{json}");
        }
    }

    #[test]
    fn what_has_no_room_is_not_read() {
        let mut room = Room::of(PER_VALUE * 4);
        assert_eq!(room.read("[1]").unwrap(), serde_json::json!([1]));
        assert!(room.read("[1,2]").unwrap_err().to_string().contains("too many values"));
        assert!(Room::of(64 << 20).read(&format!("[{}0]", "0,".repeat(1 << 20))).is_err());
        let deep = "[".repeat(100_000);
        assert!(Room::of(64 << 20).read(&deep).unwrap_err().to_string().contains("recursion limit"));
    }
}
