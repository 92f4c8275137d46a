//! Reads one mapping key by key: each key that is asked for is a key that the format knows, each other one is reported.

use super::diagnostic::Code;
use super::report::{Report, Reported};
use super::tree::{Entry, Kind, Node, Place, Placed};

/// A mapping that is being read.
pub struct Fields<'a> {
    report: &'a Report,
    at: &'a Place,
    entries: &'a [Entry],
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins to read a mapping; `what` names it in the message if it isn't one.
    pub fn of(node: &'a Node, what: &str, report: &'a Report) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            wrong_type(node, &format!("a mapping: {what}"), report);
            return None;
        };
        Some(Self { report, at: &node.at, entries, asked: Vec::new() })
    }

    /// Where the mapping begins.
    pub fn at(&self) -> &'a Place {
        self.at
    }

    /// The entry of a key; a key without a value counts as absent.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.written(key).filter(|entry| !matches!(entry.value.kind, Kind::Null))
    }

    /// The entry of a key, also without a value: for what mustn't be left open by mistake.
    pub fn written(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text of a key.
    pub fn text(&mut self, key: &'static str) -> Option<Placed<&'a str>> {
        text_of(self.node(key)?, self.report)
    }

    /// The text of a key that must be there.
    pub fn required_text(&mut self, key: &'static str, expected: &str) -> Option<Placed<&'a str>> {
        match self.node(key) {
            Some(node) => text_of(node, self.report),
            None => {
                self.missing(key).expected(expected);
                None
            }
        }
    }

    /// The text of the first of the keys, which all mean the same, that is there.
    pub fn text_of_any(&mut self, keys: &[&'static str]) -> Option<String> {
        let found: Vec<_> = keys.iter().filter_map(|key| self.text(key)).collect();
        found.first().map(|text| text.value.to_owned())
    }

    /// The boolean of a key.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                wrong_type(node, "true or false", self.report);
                None
            }
        }
    }

    /// The items of a key; none if it is absent. Sections that are keyed by name are lists by now, see `shape`.
    pub fn list(&mut self, key: &'static str) -> &'a [Node] {
        let Some(entry) = self.entry(key) else {
            return &[];
        };
        match &entry.value.kind {
            Kind::List(items) => items,
            _ => {
                wrong_type(&entry.value, "a list", self.report);
                &[]
            }
        }
    }

    /// The items of a key that must be there and must have at least one.
    pub fn required_list(&mut self, key: &'static str) -> &'a [Node] {
        match self.node(key).map(|node| &node.kind) {
            None => {
                self.missing(key).expected("a list with at least one item");
            }
            Some(Kind::List(items)) if items.is_empty() => {
                let at = self.node(key).map_or(self.at, |node| &node.at);
                self.report
                    .error(Code::InvalidValue, at, format!("list is empty: {key}"))
                    .expected("a list with at least one item");
            }
            Some(_) => {}
        }
        self.list(key)
    }

    /// Accepts keys that mean nothing here.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Refuses keys of the format that aren't carried out yet. True if there was one.
    pub fn refuse(&mut self, keys: &[&'static str]) -> bool {
        let mut refused = false;
        for key in keys {
            if let Some(entry) = self.entry(key) {
                self.report.not_supported(&entry.key_at, key);
                refused = true;
            }
        }
        refused
    }

    /// Reports that a key must be there.
    pub fn missing(&self, key: &str) -> Reported<'a> {
        self.report
            .error(Code::MissingKey, self.at, format!("key is missing: {key}"))
            .hint(format!("add `{key}: …` here"))
    }

    /// Reports every key that wasn't asked for.
    pub fn finish(self) {
        for entry in self.entries {
            if !self.asked.contains(&entry.key.as_str()) {
                self.report
                    .warning(Code::UnknownKey, &entry.key_at, format!("unknown key: {}", entry.key))
                    .expected(format!("one of: {}", self.asked.join(", ")))
                    .hint("remove it; it has no effect")
                    .did_you_mean(&entry.key, self.asked.iter().copied());
            }
        }
    }
}

/// The text of a node.
pub fn text_of<'a>(node: &'a Node, report: &Report) -> Option<Placed<&'a str>> {
    match &node.kind {
        Kind::Text(text) => Some(Placed { at: node.at.clone(), value: text }),
        Kind::Number(_) | Kind::Bool(_) => {
            wrong_type(node, "text", report).hint("put it in quotes");
            None
        }
        _ => {
            wrong_type(node, "text", report);
            None
        }
    }
}

/// Reports a value of the wrong type.
pub fn wrong_type<'r>(node: &Node, expected: &str, report: &'r Report) -> Reported<'r> {
    report.error(Code::WrongType, &node.at, format!("wrong type of value: {}", node.describe())).expected(expected)
}
