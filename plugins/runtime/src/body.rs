//! The body of a request, made of a call's input: what goes into it can't end what it stands in. Pure.

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hasher},
};

use airlock_sdk::{Failure, invalid_input};
use serde_json::Value as Json;

use crate::{
    bindings::airlock::capability::plan::{Body, Escape, FormPart, JsonNode, NamedValue, TextBody, TextPart, Value},
    encode,
    request::{Input, input_name, parse, resolve},
};

/// A body with its type.
#[derive(Debug, PartialEq)]
pub struct Contents {
    /// The media type, unless a header says another.
    pub media_type: String,
    /// What ends a part of a multipart body, where it is one.
    pub boundary: Option<String>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Makes the body; `None` where nothing is to be sent.
///
/// # Errors
/// `invalid-input` for a value that can't stand in its place.
pub fn render(plan: &Body, input: &Input<'_>) -> Result<Option<Contents>, Failure> {
    Ok(match plan {
        Body::Empty => None,
        Body::Json(value) => resolve(value, input).map(|it| json(it.into_owned())),
        Body::JsonMembers(members) => json_members(members, input).map(json),
        Body::JsonTree(nodes) => json_node(nodes, 0, input).map(|it| json(it.into_owned())),
        Body::Text(text) => render_text(text, input)?,
        Body::Form(fields) => form(fields, input)?,
        Body::Multipart(parts) => Some(multipart(parts, input)?),
        // It isn't made of the input: `request` puts it in.
        Body::Streamed => None,
    })
}

fn json(text: String) -> Contents {
    Contents { media_type: "application/json".to_owned(), boundary: None, bytes: text.into_bytes() }
}

fn json_members(members: &[NamedValue], input: &Input<'_>) -> Option<String> {
    let members = members.iter().filter_map(|it| Some(member(&it.name, &resolve(&it.value, input)?)));
    let members: Vec<String> = members.collect();
    (!members.is_empty()).then(|| object(&members))
}

/// A node as JSON; `None` for a value that is absent. The compiler has put the parts of a node behind it, so this ends.
fn json_node<'a>(nodes: &'a [JsonNode], index: u32, input: &Input<'a>) -> Option<Cow<'a, str>> {
    match nodes.get(index as usize)? {
        JsonNode::Value(Value::Constant(json)) => Some(Cow::Borrowed(json)),
        JsonNode::Value(value) => resolve(value, input),
        JsonNode::Object(members) => {
            let members = members.iter().filter_map(|it| Some(member(&it.name, &json_node(nodes, it.node, input)?)));
            Some(object(&members.collect::<Vec<_>>()).into())
        }
        JsonNode::Array(items) => {
            let items = items.iter().filter_map(|node| json_node(nodes, *node, input));
            Some(format!("[{}]", items.collect::<Vec<_>>().join(",")).into())
        }
    }
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", Json::from(name))
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

fn render_text(text: &TextBody, input: &Input<'_>) -> Result<Option<Contents>, Failure> {
    let mut written = String::new();
    for part in &text.parts {
        match part {
            TextPart::Text(text) => written.push_str(text),
            TextPart::Hole(hole) => match resolve(&hole.value, input) {
                Some(value) => written.push_str(&escaped(&parse(&value)?, hole.escape, input_name(&hole.value))?),
                None => return Ok(None),
            },
        }
    }
    let media_type = text.media_type.clone();
    Ok(Some(Contents { media_type, boundary: None, bytes: written.into_bytes() }))
}

fn escaped(value: &Json, how: Escape, name: &str) -> Result<String, Failure> {
    let text = encode::text(value);
    Ok(match how {
        Escape::None => text,
        Escape::Xml => {
            xml(&text).ok_or_else(|| invalid_input(name, "goes into XML, which can't hold this character"))?
        }
        Escape::Form => form_text(&text),
        Escape::SparqlString => sparql(&text),
        Escape::SparqlIri => encode::percent_iri(&text),
        Escape::SparqlTerm if value.is_number() || value.is_boolean() => text,
        Escape::SparqlTerm => format!("\"{}\"", sparql(&text)),
    })
}

/// Text as it stands between tags or in quotes. `None` for what XML 1.0 has no way to write.
fn xml(text: &str) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&apos;"),
            // As they are they would become spaces in an attribute, and line breaks of another kind elsewhere.
            '\t' | '\n' | '\r' => written.push_str(&format!("&#{};", u32::from(c))),
            c if c.is_control() && c < '\u{80}' || matches!(c, '\u{fffe}' | '\u{ffff}') => return None,
            c => written.push(c),
        }
    }
    Some(written)
}

/// Text inside the quotes of a string, of whichever kind they are.
fn sparql(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '"' | '\'' => written.extend(['\\', c]),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c => written.push(c),
        }
    }
    written
}

fn form(fields: &[NamedValue], input: &Input<'_>) -> Result<Option<Contents>, Failure> {
    let mut pairs = Vec::new();
    for field in fields {
        let Some(value) = resolve(&field.value, input) else { continue };
        let value = parse(&value)?;
        let items = match &value {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items.iter().filter(|item| !item.is_null()) {
            pairs.push(format!("{}={}", form_text(&field.name), form_text(&encode::text(item))));
        }
    }
    let media_type = "application/x-www-form-urlencoded".to_owned();
    Ok((!pairs.is_empty()).then(|| Contents { media_type, boundary: None, bytes: pairs.join("&").into_bytes() }))
}

fn form_text(text: &str) -> String {
    encode::percent(text).replace("%20", "+")
}

fn multipart(parts: &[FormPart], input: &Input<'_>) -> Result<Contents, Failure> {
    let mut written = Vec::new();
    for part in parts {
        if let Some(value) = resolve(&part.value, input) {
            written.push((part_head(part, input)?, encode::text(&parse(&value)?)));
        }
    }
    let boundary = boundary(&written);
    let mut bytes = Vec::new();
    for (head, value) in written {
        bytes.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Contents { media_type: "multipart/form-data".to_owned(), boundary: Some(boundary), bytes })
}

/// The header of a part. In its quotes a name can't end (WHATWG HTML, multipart form data).
fn part_head(part: &FormPart, input: &Input<'_>) -> Result<String, Failure> {
    let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut head = format!("content-disposition: form-data; name=\"{}\"", quoted(&part.name));
    if let Some(filename) = line(part.filename.as_ref(), input)? {
        head.push_str(&format!("; filename=\"{}\"", quoted(&filename)));
    }
    head.push_str("\r\n");
    if let Some(content_type) = line(part.content_type.as_ref(), input)? {
        head.push_str(&format!("content-type: {content_type}\r\n"));
    }
    Ok(head)
}

/// A value that becomes a part of a header: one line.
fn line(value: Option<&Value>, input: &Input<'_>) -> Result<Option<String>, Failure> {
    let Some((value, json)) = value.and_then(|value| Some((value, resolve(value, input)?))) else {
        return Ok(None);
    };
    let text = encode::text(&parse(&json)?);
    match text.contains(|c: char| c.is_control()) {
        true => Err(invalid_input(input_name(value), "goes into a header and must not hold control characters")),
        false => Ok(Some(text)),
    }
}

/// A boundary that stands in no part. It depends on all of them, so that none can be written to hold the next one that is tried.
fn boundary(parts: &[(String, String)]) -> String {
    let mut hasher = DefaultHasher::new();
    for (head, value) in parts {
        hasher.write(head.as_bytes());
        hasher.write(value.as_bytes());
    }
    let mut number = hasher.finish();
    loop {
        let boundary = format!("airlock-{number:016x}");
        if !parts.iter().any(|(head, value)| head.contains(&boundary) || value.contains(&boundary)) {
            return boundary;
        }
        number = number.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::airlock::capability::plan::{Hole, JsonMember, TemplatePart};

    fn input(json: &str) -> Input<'_> {
        Input::parse(json).unwrap()
    }

    fn value(name: &str) -> Value {
        Value::Input(name.to_owned())
    }

    fn constant(json: &str) -> Value {
        Value::Constant(json.to_owned())
    }

    fn named(name: &str, value: Value) -> NamedValue {
        NamedValue { name: name.to_owned(), value }
    }

    fn text(plan: &Body, given: &str) -> Option<String> {
        render(plan, &input(given)).unwrap().map(|it| String::from_utf8(it.bytes).unwrap())
    }

    #[test]
    fn a_body_is_one_value_or_an_object_of_its_members() {
        let given = r#"{"body": {"z": 1.00, "a": 12345678901234567890123}, "s": "\"q\"", "gone": null}"#;
        let members =
            Body::JsonMembers(vec![named("S", value("s")), named("gone", value("gone")), named("c", constant("1"))]);
        for (plan, expected) in [
            (Body::Empty, None),
            (Body::Json(value("body")), Some(r#"{"z": 1.00, "a": 12345678901234567890123}"#)),
            (Body::Json(value("none")), None),
            (members, Some(r#"{"S":"\"q\"","c":1}"#)),
        ] {
            assert_eq!(text(&plan, given).as_deref(), expected);
        }
    }

    #[test]
    fn values_keep_their_types_in_a_tree_and_absent_ones_are_left_out() {
        let hello = Value::Template(vec![TemplatePart::Text("hello ".to_owned()), TemplatePart::Input("a".to_owned())]);
        let plan = Body::JsonTree(vec![
            JsonNode::Object(
                [("v", 1), ("t", 2), ("list", 3), ("null", 5)]
                    .map(|(name, node)| JsonMember { name: name.to_owned(), node })
                    .to_vec(),
            ),
            JsonNode::Value(value("a")),
            JsonNode::Value(hello),
            JsonNode::Array(vec![4, 6]),
            JsonNode::Value(value("b")),
            JsonNode::Value(constant("null")),
            JsonNode::Value(constant("{\"x\":1}")),
        ]);
        for (given, expected) in [
            (
                r#"{"a": "q\"}, \"x\": 1", "b": 1.50}"#,
                r#"{"v":"q\"}, \"x\": 1","t":"hello q\"}, \"x\": 1","list":[1.50,{"x":1}],"null":null}"#,
            ),
            (r#"{"a": {"k": [1]}}"#, r#"{"v":{"k": [1]},"t":"hello {\"k\":[1]}","list":[{"x":1}],"null":null}"#),
            ("{}", r#"{"list":[{"x":1}],"null":null}"#),
        ] {
            assert_eq!(text(&plan, given).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn a_value_cannot_end_what_it_stands_in() {
        let hostile = r#"{"v": "</a>&\"'\n\\ ;b=1"}"#;
        for (escape, expected) in [
            (Escape::None, "</a>&\"'\n\\ ;b=1"),
            (Escape::Xml, "&lt;/a&gt;&amp;&quot;&apos;&#10;\\ ;b=1"),
            (Escape::Form, "%3C%2Fa%3E%26%22%27%0A%5C+%3Bb%3D1"),
            (Escape::SparqlString, "</a>&\\\"\\'\\n\\\\ ;b=1"),
            (Escape::SparqlIri, "%3C/a%3E&%22'%0A%5C%20;b=1"),
            (Escape::SparqlTerm, "\"</a>&\\\"\\'\\n\\\\ ;b=1\""),
        ] {
            let hole = TextPart::Hole(Hole { value: value("v"), escape });
            let parts = vec![TextPart::Text("[".to_owned()), hole, TextPart::Text("]".to_owned())];
            let plan = Body::Text(TextBody { media_type: "text/plain".to_owned(), parts });
            assert_eq!(text(&plan, hostile), Some(format!("[{expected}]")), "{escape:?}");
            assert_eq!(text(&plan, "{}"), None);
        }
        assert_eq!(escaped(&Json::from(7), Escape::SparqlTerm, "v").unwrap(), "7");
        assert!(escaped(&Json::from("\u{1}"), Escape::Xml, "v").is_err());
    }

    #[test]
    fn forms_are_encoded() {
        let plan = Body::Form(vec![
            named("a b", value("a")),
            named("list", value("list")),
            named("gone", value("gone")),
            named("n", constant("1")),
        ]);
        for (given, expected) in [
            (r#"{"a": "x&y=z", "list": [1, null, "ü"]}"#, Some("a+b=x%26y%3Dz&list=1&list=%C3%BC&n=1")),
            ("{}", Some("n=1")),
        ] {
            assert_eq!(text(&plan, given).as_deref(), expected);
        }
        assert_eq!(text(&Body::Form(vec![named("a", value("a"))]), "{}"), None);
    }

    #[test]
    fn parts_of_a_form_cannot_begin_another_part_or_header() {
        let part = |name: &str, of: &str, filename: Option<Value>, content_type: Option<Value>| FormPart {
            name: name.to_owned(),
            value: value(of),
            filename,
            content_type,
        };
        let plan = Body::Multipart(vec![
            part("a\"\r\nx: y", "a", None, None),
            part("file", "b", Some(value("name")), Some(constant("\"text/csv\""))),
            part("gone", "gone", Some(constant("\"x\"")), None),
        ]);
        let given = r#"{"a": "1\r\n--airlock-0", "b": "x,y", "name": "q\".csv"}"#;
        let contents = render(&plan, &input(given)).unwrap().unwrap();
        let boundary = contents.boundary.unwrap();
        let expected = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"a%22%0D%0Ax: y\"\r\n\r\n1\r\n--airlock-0\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"q%22.csv\"\r\n\
             content-type: text/csv\r\n\r\nx,y\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8(contents.bytes).unwrap(), expected);
        for bad in [r#"{"a": 1, "b": "x", "name": "a\r\nx: y"}"#, r#"{"b": "x", "name": "\u0000"}"#] {
            assert!(render(&plan, &input(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_boundary_stands_in_no_part() {
        let plain = boundary(&[(String::new(), "a".to_owned())]);
        assert_eq!(plain, boundary(&[(String::new(), "a".to_owned())]), "the same input gives the same bytes");
        assert_ne!(plain, boundary(&[(String::new(), "b".to_owned())]));
        let head = (plain.clone(), "a".to_owned());
        assert!(!head.0.contains(&boundary(std::slice::from_ref(&head))));
    }
}
