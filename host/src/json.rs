//! JSON texts of strangers, read into no more memory than they may have.
//!
//! A guest's may have what the guest was granted; a caller's, and an upstream's for a caller, what is said here.

use serde::de::Error as _;
use serde_json::{Error, Value};

/// What one message of a caller, or of an upstream for a caller, may become. 32 MiB: half of what a guest is granted by default, and
/// it is held before the call has a place. For 4 MiB, the longest request, that is a value every 18 bytes; those of real requests
/// have more, as each member has a name.
pub(crate) const MAX_MESSAGE: usize = 32 << 20;

/// What one value costs the host in memory: the entry of an object, with its key, its hash and its place in the index. In a text it
/// may be two bytes (`0,`), so 16 MB of text could become a gigabyte.
const PER_VALUE: usize = 128;

/// The memory that is left for values.
pub(crate) struct Room(usize);

/// There is no room for what a text becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has too many values for {left} bytes of memory, what is left")]
pub(crate) struct Surfeit {
    left: usize,
}

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Reads a text, if there is room for what it becomes. How deep it may be nested is the library's limit, 128.
    pub(crate) fn read(&mut self, json: impl AsRef<[u8]>) -> Result<Value, Error> {
        self.take(json.as_ref()).map_err(Error::custom)?;
        serde_json::from_slice(json.as_ref())
    }

    /// Takes the room for what a text becomes, for someone else to read it.
    pub(crate) fn take(&mut self, json: &[u8]) -> Result<(), Surfeit> {
        let needed = json.len().saturating_add(most_values(json).saturating_mul(PER_VALUE));
        self.0 = self.0.checked_sub(needed).ok_or(Surfeit { left: self.0 })?;
        Ok(())
    }
}

/// No fewer than there are in a valid text: one, one more at each comma, and one more in each array and object.
fn most_values(json: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for &byte in json {
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
            assert_eq!(most_values(json.as_bytes()), most, "{json}");
        }
    }

    #[test]
    fn what_has_no_room_is_not_read() {
        let mut room = Room::of(PER_VALUE * 4);
        assert_eq!(room.read("[1]").unwrap(), serde_json::json!([1]));
        assert!(room.read("[1,2]").unwrap_err().to_string().contains("too many values"));
        assert_eq!(room.take(b"[1,2]"), Err(Surfeit { left: PER_VALUE * 2 - 3 }));
        assert!(Room::of(MAX_MESSAGE).take("0,".repeat(1 << 18).as_bytes()).is_err());
        assert!(Room::of(MAX_MESSAGE).take(&vec![b' '; 4 << 20]).is_ok());
        assert!(Room::of(64 << 20).read(format!("[{}0]", "0,".repeat(1 << 20))).is_err());
        let deep = "[".repeat(100_000);
        assert!(Room::of(64 << 20).read(&deep).unwrap_err().to_string().contains("recursion limit"));
    }
}
