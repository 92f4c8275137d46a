//! Answers in the raw formats: the text that an upstream sends, and the JSON that it stands for.

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop_oneof},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use super::json_path::MEMBERS;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Json,
    Text,
    Table(&'static str, char),
    Xml,
    Yaml,
}

pub fn format() -> impl Strategy<Value = Format> {
    let table = |name, separator| Just(Format::Table(name, separator));
    prop_oneof![
        8 => Just(Format::Json),
        1 => Just(Format::Text),
        1 => table("csv", ','),
        1 => table("tsv", '\t'),
        1 => table("psv", '|'),
        2 => Just(Format::Xml),
        1 => Just(Format::Yaml),
    ]
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Table(name, _) => name,
            Self::Xml => "xml",
            Self::Yaml => "yaml",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain",
            Self::Table(..) => "text/csv",
            Self::Xml => "application/xml",
            Self::Yaml => "application/yaml",
        }
    }

    /// Texts, with what each stands for.
    pub fn answers(self) -> BoxedStrategy<(String, Value)> {
        match self {
            Self::Json => object()
                .prop_flat_map(|value| {
                    let written = [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")];
                    (select(written.to_vec()), Just(value))
                })
                .boxed(),
            Self::Text => select(&CELLS[..]).prop_map(|text| (text.to_owned(), json!(text))).boxed(),
            Self::Table(_, separator) => table(separator),
            Self::Xml => element(2).prop_map(|root| (root.text(), root.value())).boxed(),
            Self::Yaml => object().prop_map(|value| (yaml(&value, 0), value)).boxed(),
        }
    }
}

/// Texts in which a format could go wrong.
const CELLS: [&str; 10] =
    ["a", "7", "true", "x, y", "\"q\"", "line\nbreak", "ä|b", "tab\tx", "<b>&amp;</b>", "- a: [1"];

/// An object with some of the usual members. Items of the list are never null: what is made of nothing isn't said anywhere.
pub fn object() -> BoxedStrategy<Value> {
    let number = || {
        select(vec![json!(7), json!(12), json!(-3), json!(0.5), json!(12.5), json!("8"), json!(" 1.50 "), json!("0x1")])
    };
    let scalar = || {
        let others = vec![json!(true), json!("True"), json!("no"), json!(""), json!("äöü\"\\"), json!("{}: #")];
        prop_oneof![number(), select(others)]
    };
    let members = |of: Vec<(&'static str, BoxedStrategy<Value>)>| {
        let each = of.into_iter().map(|(name, value)| {
            option::weighted(0.75, value).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        });
        each.collect::<Vec<_>>().prop_map(|members| members.into_iter().flatten().collect::<Map<_, _>>())
    };
    let small = || {
        let of = ["id", "n", "name"].map(|name| (name, scalar().boxed()));
        members(of.to_vec()).prop_map(Value::Object)
    };
    let list = vec(prop_oneof![2 => small().boxed(), 1 => scalar().boxed()], 0..4).prop_map(Value::Array);
    let of = MEMBERS.map(|name| match name {
        "n" => (name, number().boxed()),
        "l" => (name, prop_oneof![4 => list.clone(), 1 => scalar()].boxed()),
        "o" => (name, prop_oneof![4 => small(), 1 => Just(Value::Null)].boxed()),
        name => (name, prop_oneof![6 => scalar().boxed(), 1 => Just(Value::Null).boxed()].boxed()),
    });
    members(of.to_vec()).prop_map(Value::Object).boxed()
}

/// RFC 4180, with whichever separator. A line may end early.
fn table(separator: char) -> BoxedStrategy<(String, Value)> {
    let names = subsequence(&["id", "name", "x y", "ä"][..], 2..=4);
    let rows = vec((vec(select(&CELLS[..]), 4), 1..5usize, any::<bool>()), 0..4);
    let ending = select(vec!["\n", "\r\n"]);
    (names, rows, ending, any::<bool>())
        .prop_map(move |(names, rows, ending, ends)| {
            let quote = |cell: &str, always| match always || cell.contains(['"', '\n', separator]) {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell.to_owned(),
            };
            let line = |cells: &[&str], always| {
                let cells: Vec<String> = cells.iter().map(|cell| quote(cell, always)).collect();
                cells.join(&separator.to_string())
            };
            let rows = rows.into_iter().map(|(mut cells, length, always)| {
                cells.truncate(length.min(names.len()));
                (cells, always)
            });
            let rows: Vec<_> = rows.collect();
            let lines = rows.iter().map(|(cells, always)| line(cells, *always));
            let lines: Vec<String> = std::iter::once(line(&names, false)).chain(lines).collect();
            let object = |cells: &Vec<&str>| {
                let members = names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), json!(cell)));
                Value::Object(members.collect())
            };
            let text = lines.join(ending) + if ends { ending } else { "" };
            (text, rows.iter().map(|(cells, _)| object(cells)).collect())
        })
        .boxed()
}

#[derive(Clone, Debug)]
struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, &'static str)>,
    text: &'static str,
    children: Vec<Element>,
}

fn element(depth: u32) -> BoxedStrategy<Element> {
    let name = select(vec!["a", "b", "c-d"]);
    let attributes = (subsequence(&["k", "v"][..], 0..=2), vec(select(&CELLS[..]), 2));
    let attributes = attributes.prop_map(|(names, values)| names.into_iter().zip(values).collect());
    let children = match depth {
        0 => Just(Vec::new()).boxed(),
        depth => vec(element(depth - 1), 0..4).boxed(),
    };
    (name, attributes, select(&CELLS[..]), children)
        .prop_map(|(name, attributes, text, children)| {
            // An element has text or children here.
            let text = if children.is_empty() { text } else { "" };
            Element { name, attributes, text, children }
        })
        .boxed()
}

impl Element {
    fn text(&self) -> String {
        let escaped = |text: &str| {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            text.replace('\n', "&#10;").replace('\t', "&#x9;")
        };
        let attributes = self.attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escaped(value)));
        let name = self.name;
        let inside = match self.children.as_slice() {
            [] if self.text.contains('<') => format!("<![CDATA[{}]]>", self.text),
            [] => escaped(self.text),
            children => children.iter().map(|child| format!("\n  {}<!-- next -->", child.text())).collect(),
        };
        format!("<{name}{}>{inside}</{name}>", attributes.collect::<String>())
    }

    /// The name is dropped, what stands several times is a list, everything is text.
    fn value(&self) -> Value {
        if self.attributes.is_empty() && self.children.is_empty() {
            return json!(self.text);
        }
        let mut members: Vec<(&str, Vec<Value>)> = Vec::new();
        let attributes = self.attributes.iter().map(|(name, value)| (*name, json!(value)));
        let text = (!self.text.is_empty()).then(|| ("", json!(self.text)));
        let children = self.children.iter().map(|child| (child.name, child.value()));
        for (name, value) in attributes.chain(children).chain(text) {
            match members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => members.push((name, vec![value])),
            }
        }
        let members = members.into_iter().map(|(name, mut values)| {
            let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
            (name.to_owned(), value)
        });
        Value::Object(members.collect())
    }
}

/// Block style; texts as JSON writes them, which YAML takes.
fn yaml(value: &Value, indent: usize) -> String {
    let inner = |value: &Value| match value {
        Value::Array(items) if items.is_empty() => " []\n".to_owned(),
        Value::Object(members) if members.is_empty() => " {}\n".to_owned(),
        Value::Array(_) | Value::Object(_) => format!("\n{}", yaml(value, indent + 2)),
        scalar => format!(" {scalar}\n"),
    };
    let spaces = " ".repeat(indent);
    match value {
        Value::Array(items) => items.iter().map(|item| format!("{spaces}-{}", inner(item))).collect(),
        Value::Object(members) if members.is_empty() => "{}\n".to_owned(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| format!("{spaces}{}:{}", json!(name), inner(value))).collect()
        }
        scalar => format!("{scalar}\n"),
    }
}
