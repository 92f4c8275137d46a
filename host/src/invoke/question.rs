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

/// How many arguments are shown. 20: more than a person reads; how many are left out is said.
const MAX_ARGUMENTS: usize = 20;

/// How many characters of a text are shown. 300: an identifier, an address or a sentence is there whole, and twenty of them still
/// fit a window.
const MAX_TEXT: usize = 300;

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
    lines.extend(operation.title.as_ref().map(|it| format!("Its author calls it: {}", shown(it))));
    lines.push(format!("Its author says of it: {}", shown(&operation.description)));
    let arguments = input.as_object();
    match arguments.filter(|it| !it.is_empty()) {
        Some(_) => lines.push("Arguments:".to_owned()),
        None => lines.push("It has no arguments.".to_owned()),
    }
    let arguments = arguments.into_iter().flatten();
    lines.extend(arguments.clone().take(MAX_ARGUMENTS).map(argument));
    match arguments.skip(MAX_ARGUMENTS).count() {
        0 => {}
        more => lines.push(format!("- [{more} more arguments are not shown]")),
    }
    lines.join("\n")
}

fn argument((name, value): (&String, &Value)) -> String {
    format!("- {}: {}", shown(name), shown(&value.to_string()))
}

/// A text as it can be shown: on one line, every character visible, its end cut off if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}… [{} of {} characters]", visible(&text[..end]), MAX_TEXT, text.chars().count()),
        None => visible(text),
    }
}

/// Control characters, marks that change the direction of writing and characters without a width become escapes such as `\u{202e}`.
fn visible(text: &str) -> String {
    // The standard library knows what is printable. It escapes quotes and backslashes, too, which are.
    const PRINTABLE: [char; 3] = ['"', '\'', '\\'];
    let mut visible = String::with_capacity(text.len());
    for piece in text.split_inclusive(PRINTABLE) {
        let plain = piece.trim_end_matches(PRINTABLE);
        visible.extend(plain.escape_debug());
        visible.push_str(&piece[plain.len()..]);
    }
    visible
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::contract::Effects;

    fn operation(title: Option<&str>, description: &str) -> Operation {
        Operation {
            name: "deleteuser".to_owned(),
            title: title.map(str::to_owned),
            description: description.to_owned(),
            input_schema: json!({"type": "object"}),
            output_schema: None,
            effects: Effects { read_only: false, destructive: true, idempotent: true, open_world: true },
            route: None,
            tool: None,
        }
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
             - body: {\"force\":true,\"tags\":[\"a\"]}"
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
        ] {
            assert_eq!(shown(text), expected);
        }
        let hidden = json!({"a\nb": "c\nd", "e": {"f\u{202e}": "\n"}});
        let message = message("users", &operation(Some("x\ny"), "z\nArguments:\n- id: 1"), &hidden);
        assert_eq!(message.lines().count(), 6, "{message}");
        assert!(message.ends_with("- a\\nb: \"c\\nd\"\n- e: {\"f\\u{202e}\":\"\\n\"}"), "{message}");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let long = "é".repeat(1000);
        let cut = format!("{}… [300 of 1000 characters]", "é".repeat(300));
        assert_eq!(shown(&long), cut);
        assert_eq!(shown(&long[..600]), &long[..600]);
        let many: Map<String, Value> = (0..25).map(|n| (format!("a{n}"), json!(long))).collect();
        let message = message("users", &operation(Some(&long), &long), &Value::Object(many));
        assert!(message.ends_with("\n- [5 more arguments are not shown]"), "{message}");
        assert_eq!(message.matches(&cut).count(), 2);
        assert_eq!(message.matches("… [300 of 1002 characters]").count(), MAX_ARGUMENTS);
        assert!(message.chars().count() < 22 * 400, "{}", message.len());
    }
}
