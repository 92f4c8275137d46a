//! JSON -> YAML that people can read: blocks, short leaves on one line, long texts folded. What is read back is the same value.
//!
//! The YAML crate of the workspace can write too, but nothing that lets the length of a value decide how it is written.

use serde_json::{Map, Value};

/// The longest line, where there is a way to break it.
const WIDTH: usize = 120;
/// The narrowest text, however deep it stands.
const MIN_TEXT: usize = 40;

/// Writes a mapping as a document.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => mapping(&mut out, members, 0),
        other => {
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
    out
}

/// Writes each entry on lines of its own. The first line of what is written is where the caller stands.
fn mapping(out: &mut String, members: &Map<String, Value>, indent: usize) {
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str(&scalar(key));
        out.push(':');
        entry(out, value, indent, indent + 2 + key.len());
    }
}

fn list(out: &mut String, items: &[Value], indent: usize) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Object(members) if !fits(item, indent + 2) => mapping(out, members, indent + 2),
            Value::Array(items) if !fits(item, indent + 2) => list(out, items, indent + 2),
            Value::String(text) => text_or_block(out, text, indent + 2, indent + 2),
            other => {
                out.push_str(&flow(other));
                out.push('\n');
            }
        }
    }
}

/// Writes the value after a key and its colon.
fn entry(out: &mut String, value: &Value, indent: usize, column: usize) {
    match value {
        Value::Object(members) if !fits(value, column) => {
            out.push('\n');
            pad(out, indent + 2);
            mapping(out, members, indent + 2);
        }
        // As deep as the key: a dash is indentation enough.
        Value::Array(items) if !fits(value, column) => {
            out.push('\n');
            pad(out, indent);
            list(out, items, indent);
        }
        Value::String(text) => {
            out.push(' ');
            text_or_block(out, text, indent + 2, column);
        }
        other => {
            out.push(' ');
            out.push_str(&flow(other));
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Whether a mapping or list is written on one line: it is empty, or short and without another one in it.
fn fits(value: &Value, column: usize) -> bool {
    let is_leaf = |it: &Value| match it {
        Value::Object(_) | Value::Array(_) => false,
        Value::String(text) => !text.contains('\n'),
        _ => true,
    };
    let (is_empty, leaves) = match value {
        Value::Object(members) => (members.is_empty(), members.values().all(is_leaf) && is_schema(members)),
        Value::Array(items) => (items.is_empty(), items.iter().all(is_leaf)),
        _ => return true,
    };
    is_empty || (leaves && column + flow(value).chars().count() <= WIDTH)
}

/// Parts of schemas are written on one line, the format's own elements aren't.
fn is_schema(members: &Map<String, Value>) -> bool {
    let own = ["name", "namespace", "method", "label", "token", "username", "placement"];
    !members.keys().any(|key| own.contains(&key.as_str()))
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text after a key: as it is, in quotes, or in a block of its own.
fn text_or_block(out: &mut String, text: &str, indent: usize, column: usize) {
    let is_long = column + text.chars().count() > WIDTH;
    if text.contains('\n') && is_block(text) {
        literal(out, text, indent);
    } else if is_long && !text.contains('\n') && is_block(text) && is_foldable(text) {
        folded(out, text, indent);
    } else {
        out.push_str(&scalar(text));
        out.push('\n');
    }
}

/// Whether a block gives back the text: only printable characters, and nothing at its beginning or end that a block changes.
fn is_block(text: &str) -> bool {
    let is_printable = |c: char| c == '\n' || (!c.is_control() && !is_special(c));
    let first = text.chars().next();
    first.is_some_and(|c| !c.is_whitespace())
        && !text.ends_with(char::is_whitespace)
        && text.chars().all(is_printable)
        && text.split('\n').all(|line| !line.ends_with(' '))
}

/// Characters that YAML doesn't print, or breaks lines at.
fn is_special(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn is_foldable(text: &str) -> bool {
    !text.contains("  ") && !text.contains('\t')
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push_str("|-\n");
    for line in text.split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn folded(out: &mut String, text: &str, indent: usize) {
    out.push_str(">-\n");
    let width = WIDTH.saturating_sub(indent).max(MIN_TEXT);
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            pad(out, indent);
            out.push_str(&line);
            out.push('\n');
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    pad(out, indent);
    out.push_str(&line);
    out.push('\n');
}

/// A text on one line, fit for a list or mapping on one line too.
fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    if text.chars().all(|c| !c.is_control() && !is_special(c)) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || is_special(c) => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a text needs no quotes anywhere: a letter or a slash first, no indicator inside, and no word that means something else.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 14] =
        ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity", "undefined", "none"];
    let first = text.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '/' || c == '$')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !text.contains(|c: char| {
            c.is_control() || is_special(c) || ",[]{}\"\\".contains(c) || (c.is_whitespace() && c != ' ')
        })
        && !WORDS.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn short_leaves_stand_on_one_line_and_long_texts_in_blocks() {
        let long = "many words ".repeat(20);
        let value = json!({
            "naftiko": "1.0.0-alpha2",
            "schema": {"type": "object", "properties": {"id": {"type": "string", "description": "It's: one."}}},
            "list": [{"name": "a", "enum": ["x", 1, null, "true", ""]}, {}, []],
            "paths": ["/users/{id}", "*", "a, b"],
            "long": long.trim(),
            "lines": "one\n\ntwo",
        });
        let expected = "\
naftiko: '1.0.0-alpha2'
schema:
  type: object
  properties:
    id: { type: string, description: 'It''s: one.' }
list:
- name: a
  enum: [x, 1, null, 'true', '']
- {}
- []
paths: ['/users/{id}', '*', 'a, b']
long: >-
  many words many words many words many words many words many words many words many words many words many words many
  words many words many words many words many words many words many words many words many words many words
lines: |-
  one

  two
";
        assert_eq!(write(&value), expected);
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z: #'\"\\-]{0,12}",
            ".{0,20}",
            "[ \n\ta-z]{0,30}",
            "([a-z]{1,9} ){0,40}[a-z]",
            proptest::sample::select(vec![
                "~",
                "1e3",
                "0x10",
                "-",
                "---",
                "2001-01-01",
                "null",
                ".5",
                "<<",
                "=",
                "!t",
                "&a",
                "%",
                "@x",
                "`"
            ])
            .prop_map(str::to_owned),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(|it: f64| json!(it)),
            any_text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec((any_text(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(members in proptest::collection::vec((any_text(), any_value()), 1..5)) {
            let value = Value::Object(members.into_iter().collect());
            let text = write(&value);
            let read: Value = serde_saphyr::from_str_with_options(&text, serde_saphyr::options! { strict_booleans: true, underscored_numbers_as_strings: true, with_snippet: false })
                .map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(read, value, "{}", text);
        }
    }
}
