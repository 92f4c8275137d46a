//! XML: an element with attributes or children is an object of them, by local names; one with neither is its text. The root's name is
//! dropped, what stands several times is an array, and text beside attributes or children is the member with the empty name.
//!
//! No DTD is read: of entities only those of XML itself are known, so none can grow.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value as Json};

/// The deepest nesting. As deep as JSON may be: what is made of it is walked recursively.
const MAX_DEPTH: usize = 120;

/// An element that isn't closed yet.
struct Element {
    name: String,
    members: Map<String, Json>,
    text: String,
}

/// Reads the root element.
///
/// # Errors
/// The text isn't well-formed, or too deep.
pub fn read(text: &str) -> Result<Json, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        let closed = match event {
            Event::Start(start) => {
                if open.len() == MAX_DEPTH {
                    return Err(format!("more than {MAX_DEPTH} elements are open at once"));
                }
                if root.is_some() {
                    return Err("it has two roots".to_owned());
                }
                open.push(element(&start)?);
                None
            }
            Event::Empty(start) => Some(element(&start)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                append(&mut open, &text.xml10_content())?;
                None
            }
            Event::CData(text) => {
                append(&mut open, &text.xml10_content())?;
                None
            }
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let character = reference.resolve_char_ref().map_err(|e| e.to_string())?;
                match (character, resolve_predefined_entity(&name)) {
                    (Some(character), _) => append(&mut open, character.encode_utf8(&mut [0; 4]))?,
                    (None, Some(text)) => append(&mut open, text)?,
                    (None, None) => return Err(format!("unknown entity: {name}")),
                }
                None
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
        };
        if let Some(element) = closed {
            let (name, value) = (element.name.clone(), element.into_json());
            match open.last_mut() {
                Some(parent) => add(&mut parent.members, name, value),
                None if root.is_some() => return Err("it has two roots".to_owned()),
                None => root = Some(value),
            }
        }
    }
    match (root, open.pop()) {
        (_, Some(element)) => Err(format!("<{}> is not closed", element.name)),
        (None, None) => Err("it has no element".to_owned()),
        (Some(root), None) => Ok(root),
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        // Names of namespaces say how to read names, not data.
        if attribute.key.as_namespace_binding().is_none() {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?;
            add(&mut members, attribute.key.local_name().as_ref().to_owned(), Json::from(value.into_owned()));
        }
    }
    Ok(Element { name: start.local_name().as_ref().to_owned(), members, text: String::new() })
}

fn append(open: &mut [Element], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("it has text outside of its root".to_owned()),
    }
    Ok(())
}

fn add(members: &mut Map<String, Json>, name: String, value: Json) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        Some(Json::Array(items)) => items.push(value),
        Some(one) => *one = Json::Array(vec![one.take(), value]),
    }
}

impl Element {
    fn into_json(mut self) -> Json {
        if self.members.is_empty() {
            return self.text.into();
        }
        let text = self.text.trim();
        if !text.is_empty() {
            self.members.insert(String::new(), text.into());
        }
        Json::Object(self.members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_objects_or_text() {
        for (text, expected) in [
            ("<a/>", json!("")),
            ("<?xml version='1.0'?><!-- c --><a> x &amp; &#228;<![CDATA[<y>]]> </a>", json!(" x & ä<y> ")),
            ("<r><a>1</a><b/></r>", json!({"a": "1", "b": ""})),
            ("<r><a>1</a><b>2</b><a>3</a><a/></r>", json!({"a": ["1", "3", ""], "b": "2"})),
            ("<r id='7' n='&lt;'>\n <a/>\n</r>", json!({"id": "7", "n": "<", "a": ""})),
            ("<r id='7'> text </r>", json!({"id": "7", "": "text"})),
            ("<n:r xmlns:n='urn:x' xmlns='urn:y' n:k='v'><n:a>1</n:a></n:r>", json!({"k": "v", "a": "1"})),
            ("<r><a><b>1</b></a><a><b>2</b></a></r>", json!({"a": [{"b": "1"}, {"b": "2"}]})),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        let bomb = "<!DOCTYPE a [<!ENTITY x 'xxxx'><!ENTITY y '&x;&x;'>]><a>&y;</a>";
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b></b>",
            "<a/><b/>",
            "<a k=1/>",
            "<a k='1' k='2'/>",
            "<a>&x;</a>",
            &deep,
            bomb,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
