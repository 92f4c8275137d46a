//! Messages on standard input: one a line, read within the limits of bytes and values that bodies have over HTTP.
//!
//! What a message means is rmcp's and `server`'s. rmcp would drop lines that are too long, and what is no JSON, without a word: whoever
//! waits for an answer would wait on.

use std::{io, mem};

use rmcp::model::{ClientJsonRpcMessage, ErrorData, JsonRpcError, RequestId};
use serde::{Deserialize, de::IgnoredAny};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::message::{MAX_ID, MAX_REQUEST, id_of};
use crate::json::{self, Room};

/// What a line is: a message, or what it is answered by because it is none.
pub(super) type Line = Result<ClientJsonRpcMessage, Box<JsonRpcError>>;

/// The next line; `None` when there are no more.
///
/// # Errors
/// The input fails.
pub(super) async fn next(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Line>> {
    loop {
        let mut line = Vec::new();
        // With its end.
        let longest = MAX_REQUEST + 1;
        if input.take(longest as u64).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        if line.len() == longest && !line.ends_with(b"\n") {
            return Ok(Some(Err(skip(input, line).await?)));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(understand(&line)));
        }
    }
}

fn understand(line: &[u8]) -> Line {
    let id = id_of(line).map_err(|e| {
        let error = ErrorData::parse_error(format!("the line is not JSON: {e}"), None);
        Box::new(JsonRpcError::new(None, error))
    })?;
    if Room::of(json::MAX_MESSAGE).take(line).is_err() {
        let memory = json::MAX_MESSAGE;
        let text = format!("the message has more JSON values than {memory} bytes of memory hold: send fewer at once");
        return Err(refusal(id, text));
    }
    serde_json::from_slice(line).map_err(|_| {
        let text = "expected one JSON-RPC 2.0 message, an object; batches aren't served";
        refusal(id, text.to_owned())
    })
}

/// Reads on to the end of a line that is too long, and keeps nothing of it but its id.
async fn skip(input: &mut (impl AsyncBufRead + Unpin), begun: Vec<u8>) -> io::Result<Box<JsonRpcError>> {
    let mut skimmed = Skimmed::default();
    skimmed.over(&begun);
    drop(begun);
    loop {
        let more = input.fill_buf().await?;
        let end = more.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(more.len(), |end| end + 1);
        skimmed.over(&more[..taken]);
        input.consume(taken);
        if end.is_some() || taken == 0 {
            let text = format!("the message has more than {MAX_REQUEST} bytes, the limit");
            return Ok(refusal(skimmed.id(), text));
        }
    }
}

fn refusal(id: Option<RequestId>, text: String) -> Box<JsonRpcError> {
    Box::new(JsonRpcError::new(id, ErrorData::invalid_request(text, None)))
}

/// The longest member of a message that is looked at while it is skimmed: an id of the longest that is echoed, with its name, its
/// quotes, and some spaces.
const MAX_MEMBER: usize = MAX_ID + 32;

/// A message that goes by, of which only the id is wanted.
#[derive(Default)]
struct Skimmed {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The beginning of the message's member that goes by.
    member: Vec<u8>,
    id: Option<RequestId>,
    is_request: bool,
}

/// What of a member is of interest.
#[derive(Deserialize)]
struct Member {
    id: Option<RequestId>,
    method: Option<IgnoredAny>,
}

impl Skimmed {
    fn over(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let ends_member = self.depth == 1 && !self.in_string && matches!(byte, b',' | b'}');
            if ends_member {
                self.end_member();
            } else if self.depth > 0 && self.member.len() < MAX_MEMBER {
                self.member.push(byte);
            }
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// What was cut off isn't JSON.
    fn end_member(&mut self) {
        let member = mem::take(&mut self.member);
        if let Ok(member) = serde_json::from_slice::<Member>(&[b"{", member.as_slice(), b"}"].concat()) {
            self.id = self.id.take().or(member.id);
            self.is_request |= member.method.is_some();
        }
    }

    /// Its id, if it is a request: an answer to a question of ours has one of ours.
    fn id(self) -> Option<RequestId> {
        self.id.filter(|_| self.is_request)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::BufReader;

    use super::*;

    /// What every line is: its method, or the error that answers it.
    async fn read(text: &str) -> Vec<Value> {
        let mut input = BufReader::with_capacity(1 << 10, text.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = next(&mut input).await.unwrap() {
            lines.push(match line {
                Ok(message) => serde_json::to_value(message).unwrap()["method"].take(),
                Err(error) => {
                    let mut error = serde_json::to_value(error).unwrap();
                    json!([error["id"].take(), error["error"]["code"].take()])
                }
            });
        }
        lines
    }

    #[tokio::test]
    async fn every_line_is_a_message_or_is_answered() {
        let many = format!(r#"{{"id":1,"method":"tools/call","params":[{}0]}}"#, "0,".repeat(300_000));
        for (text, expected) in [
            ("", json!([])),
            ("\n \r\n", json!([])),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, json!(["ping"])),
            (
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n",
                json!(["ping", "notifications/initialized"]),
            ),
            ("{broken\n", json!([[null, -32700]])),
            ("\u{1F}\n", json!([[null, -32700]])),
            (r#"{"id":7,"method":5}"#, json!([[7, -32600]])),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, json!([[null, -32600]])),
            (&many, json!([[1, -32600]])),
        ] {
            assert_eq!(json!(read(text).await), expected, "{text:.100}");
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_answered_by_its_id_and_the_next_line_is_read() {
        let long = "x".repeat(MAX_REQUEST);
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for (line, id) in [
            (format!(r#"{{"jsonrpc":"2.0","id":7,"method":"a","params":{{"id":1,"b":"{long}"}}}}"#), json!(7)),
            (
                format!(r#"{{"method":"a","params":["\",\"id\":1,{long}",{{"id":2}}],"jsonrpc":"2.0","id":"x,}}"}}"#),
                json!("x,}"),
            ),
            (format!(r#"{{"result":{{"b":"{long}"}},"id":7}}"#), Value::Null),
            (format!(r#"{{"id":"{long}","method":"a"}}"#), Value::Null),
            (format!(r#"{{"id":{{"id":5}},"method":"{long}"}}"#), Value::Null),
            (long.clone() + " ", Value::Null),
        ] {
            let answers = read(&format!("{line}\n{ping}\n")).await;
            assert_eq!(answers, [json!([id, -32600]), json!("ping")], "{line:.60}");
            assert_eq!(read(&line).await, [json!([id, -32600])], "without an end, {line:.60}");
        }
    }

    #[tokio::test]
    async fn the_longest_line_is_read() {
        let message = |filling: usize| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "m".repeat(filling));
        let longest = message(MAX_REQUEST - message(0).len());
        assert_eq!(longest.len(), MAX_REQUEST);
        assert!(read(&(longest + "\n")).await[0].is_string());
    }
}
