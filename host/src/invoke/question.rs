//! What a person is asked before a call is carried out: which operation of which plugin, with which arguments.
//!
//! Only the names are the host's own. The arguments are an agent's and the texts a plugin author's, either may be made to deceive: each
//! is a line of its own, of bounded length, without characters that can't be seen.

use serde_json::{Value, json};

use crate::contract::{Operation, Question, QuestionRequest};

/// The key of the question. A plugin's question can have the same: it is asked at another time.
pub(super) const KEY: &str = "airlock.confirm";

/// The member of the form that has to be true.
pub(super) const MEMBER: &str = "confirm";

/// How many values of the arguments are shown. 40: more than a person reads.
const MAX_VALUES: usize = 40;

/// How many more are named. 60: with those that are shown a hundred, of which no request of the known providers has a third; how many
/// there are is said before the first.
const MAX_NAMED: usize = 60;

/// How many characters of a text are shown. 300: an identifier, an address or a sentence is there whole. Each value is cut by itself:
/// a long one takes no other's place.
const MAX_TEXT: usize = 300;

/// How many characters of a value's name. 100: a name of names, five deep.
const MAX_NAME: usize = 100;

/// The question.
pub(super) fn of(plugin: &str, operation: &Operation, input: &Value) -> Question {
    let message = message(plugin, operation, input);
    let title = format!("Carry out {}", operation.name);
    let schema = json!({
        "type": "object", "properties": {MEMBER: {"type": "boolean", "title": title}}, "required": [MEMBER],
    });
    Question { key: KEY.to_owned(), request: QuestionRequest::Elicitation { message, schema } }
}

fn message(plugin: &str, operation: &Operation, input: &Value) -> String {
    let mut lines =
        vec![format!("Carry out {} of plugin {plugin}? Without your agreement nothing is done.", operation.name)];
    lines.extend(operation.title.as_ref().map(|it| format!("Its author calls it: {}", shown(it, MAX_TEXT))));
    lines.push(format!("Its author says of it: {}", shown(&operation.description, MAX_TEXT)));
    let mut values = Values::default();
    values.collect(String::new(), input, &operation.input_schema);
    lines.push(match values.all {
        0 => "It has no arguments.".to_owned(),
        1..=MAX_VALUES => "Arguments:".to_owned(),
        all => format!("Arguments, {all} values, of which {MAX_VALUES} are shown and the next {MAX_NAMED} named:"),
    });
    lines.extend(values.first.iter().enumerate().map(|(at, (name, value))| match at < MAX_VALUES {
        true => format!("- {}: {}", shown(name, MAX_NAME), shown(&value.to_string(), MAX_TEXT)),
        false => format!("- {}: [not shown]", shown(name, MAX_NAME)),
    }));
    lines.join("\n")
}

/// The values of an input that aren't made of others, by their names.
#[derive(Default)]
struct Values<'a> {
    first: Vec<(String, &'a Value)>,
    all: usize,
}

impl<'a> Values<'a> {
    /// Adds those of a value. What the operation declares comes before what an agent has added: nothing is moved out of sight by that.
    fn collect(&mut self, name: String, value: &'a Value, schema: &Value) {
        let known = schema.get("properties").and_then(Value::as_object);
        match value {
            Value::Object(members) if !members.is_empty() => {
                let declared = known.into_iter().flatten();
                let declared = declared.filter_map(|(key, schema)| Some((key, members.get(key)?, schema)));
                let added = members.iter().filter(|(key, _)| known.is_none_or(|it| !it.contains_key(*key)));
                let added = added.map(|(key, value)| (key, value, &Value::Null));
                for (key, value, schema) in declared.chain(added) {
                    self.collect(member(&name, key), value, schema);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                for (at, value) in items.iter().enumerate() {
                    self.collect(format!("{name}[{at}]"), value, schema);
                }
            }
            // The arguments are an object: an empty one is none.
            _ if name.is_empty() => {}
            _ => self.add(name, value),
        }
    }

    fn add(&mut self, name: String, value: &'a Value) {
        self.all += 1;
        if self.all <= MAX_VALUES + MAX_NAMED {
            self.first.push((name, value));
        }
    }
}

/// `body.email`, but `body["e.mail"]`: no name looks like another one's.
fn member(name: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|it| it.is_alphanumeric() || "_-$".contains(it));
    match (is_plain, name.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{name}.{key}"),
        (false, _) => format!("{name}[{}]", json!(key)),
    }
}

/// A text as it can be shown: on one line, every character visible, its end cut off if it is long.
fn shown(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}… [{most} of {} characters]", visible(&text[..end]), text.chars().count()),
        None => visible(text),
    }
}

/// Control characters, marks that change the direction of writing and characters without a width become escapes such as `\u{202e}`.
fn visible(text: &str) -> String {
    // The standard library knows what is printable. It escapes quotes and backslashes, too, which are.
    const PRINTABLE: [char; 3] = ['"', '\'', '\\'];
    let mut visible = String::with_capacity(text.len());
    for piece in text.split_inclusive(|it| PRINTABLE.contains(&it) || is_blank(it)) {
        match piece.char_indices().next_back() {
            Some((at, last)) if PRINTABLE.contains(&last) => {
                visible.extend(piece[..at].escape_debug());
                visible.push(last);
            }
            Some((at, last)) if is_blank(last) => {
                visible.extend(piece[..at].escape_debug());
                visible.extend(last.escape_unicode());
            }
            _ => visible.extend(piece.escape_debug()),
        }
    }
    visible
}

/// What is printable for the standard library and yet leaves no mark: what Unicode calls ignorable by default, and a Braille pattern
/// without dots.
fn is_blank(it: char) -> bool {
    matches!(it, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn operation(title: Option<&str>, description: &str) -> Operation {
        let (title, description) = (title.map(str::to_owned), description.to_owned());
        Operation { title, description, ..Operation::named("deleteuser") }
    }

    #[test]
    fn a_person_reads_what_will_happen() {
        let input = json!({"org": "Größe \"XL\"", "id": 7, "body": {"force": true, "tags": ["a"]}});
        assert_eq!(
            message("users", &operation(Some("Delete a user"), "Deletes for good."), &input),
            "Carry out deleteuser of plugin users? Without your agreement nothing is done.\n\
             Its author calls it: Delete a user\n\
             Its author says of it: Deletes for good.\n\
             Arguments:\n\
             - org: \"Größe \\\"XL\\\"\"\n\
             - id: 7\n\
             - body.force: true\n\
             - body.tags[0]: \"a\""
        );
        assert_eq!(
            message("users", &operation(None, "Deletes all."), &json!({})),
            "Carry out deleteuser of plugin users? Without your agreement nothing is done.\n\
             Its author says of it: Deletes all.\n\
             It has no arguments."
        );
    }

    #[test]
    fn nothing_invisible_is_shown_and_no_line_is_forged() {
        for (text, expected) in [
            ("plain, \"quoted\" \\ 'text' für 日本 हिन्दी", "plain, \"quoted\" \\ 'text' für 日本 हिन्दी"),
            ("a\nArguments:\n- id: 1", "a\\nArguments:\\n- id: 1"),
            ("a\r\t\0\u{1b}[2J", "a\\r\\t\\0\\u{1b}[2J"),
            ("\u{202e}resu\u{202c}", "\\u{202e}resu\\u{202c}"),
            ("a\u{200b}b\u{feff}\u{ad}", "a\\u{200b}b\\u{feff}\\u{ad}"),
            ("\u{e0041}\u{2028}\u{85}\u{9b}", "\\u{e0041}\\u{2028}\\u{85}\\u{9b}"),
            ("\"\"\u{7}\"", "\"\"\\u{7}\""),
            ("a\u{fe0f}b\u{e0101}\u{3164}\u{2800}", "a\\u{fe0f}b\\u{e0101}\\u{3164}\\u{2800}"),
        ] {
            assert_eq!(shown(text, MAX_TEXT), expected);
        }
        let hidden = json!({"a\nb": "c\nd", "e": {"f\u{202e}": "\n", "g.h": 1}, "e.g": [], "": {}});
        let message = message("users", &operation(Some("x\ny"), "z\nArguments:\n- id: 1"), &hidden);
        let (_, arguments) = message.split_once("\nArguments:\n").expect("arguments");
        let expected = [
            "- [\"a\\nb\"]: \"c\\nd\"",
            "- e[\"f\\u{202e}\"]: \"\\n\"",
            "- e[\"g.h\"]: 1",
            "- [\"e.g\"]: []",
            "- [\"\"]: {}",
        ];
        assert_eq!(arguments.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let long = "é".repeat(1000);
        let cut = format!("{}… [300 of 1000 characters]", "é".repeat(300));
        assert_eq!(shown(&long, MAX_TEXT), cut);
        assert_eq!(shown(&long[..600], MAX_TEXT), &long[..600]);
        let many: Map<String, Value> = (0..150).map(|n| (format!("a{n}"), json!(long))).collect();
        let message = message("users", &operation(Some(&long), &long), &Value::Object(many));
        assert!(
            message.contains("\nArguments, 150 values, of which 40 are shown and the next 60 named:\n- a0: "),
            "{message}"
        );
        assert!(message.ends_with("\n- a99: [not shown]"), "{message}");
        assert_eq!(message.matches(&cut).count(), 2);
        assert_eq!(message.matches("… [300 of 1002 characters]").count(), MAX_VALUES);
        assert_eq!(message.matches("[not shown]").count(), MAX_NAMED);
    }

    #[test]
    fn what_an_agent_adds_moves_nothing_out_of_sight() {
        let mut operation = operation(None, "Deletes.");
        let body = json!({"properties": {"admin": {}, "tags": {"items": {"properties": {"b": {}}}}}});
        operation.input_schema = json!({"properties": {"id": {}, "body": body}});
        let filler: Map<String, Value> = (0..200).map(|n| (format!("a{n}"), json!(n))).collect();
        let mut body = filler.clone();
        body.insert("tags".to_owned(), json!([{"a": 1, "b": 2}]));
        body.insert("admin".to_owned(), json!(true));
        let mut input = filler;
        input.insert("body".to_owned(), Value::Object(body));
        input.insert("id".to_owned(), json!(7));
        let message = message("users", &operation, &Value::Object(input));
        let (_, arguments) = message.split_once(" named:\n").expect("arguments");
        let first: Vec<&str> = arguments.lines().take(5).collect();
        assert_eq!(
            first,
            ["- id: 7", "- body.admin: true", "- body.tags[0].b: 2", "- body.tags[0].a: 1", "- body.a0: 0"]
        );
    }
}
