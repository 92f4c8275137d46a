//! YAML text -> a tree in which each value knows its place in the text, beginning and end: what the tree of `tree` needn't know.
//!
//! Only for text that has been read as a document: its limits hold already.

use std::ops::Range;

use granit_parser::{Event, Parser, Span, StructureStyle};

/// A value at its place.
#[derive(Debug)]
pub struct Mark {
    /// The bytes; of a block collection only where it begins.
    pub bytes: Range<usize>,
    /// The line, from 0.
    pub line: usize,
    /// The column in characters, from 0.
    pub column: usize,
    /// Whether it can be changed without changing something elsewhere.
    pub is_shared: bool,
    /// The value.
    pub kind: Kind,
}

/// A kind of value.
#[derive(Debug)]
pub enum Kind {
    /// A scalar, or an alias for whatever is elsewhere.
    Scalar(String),
    /// A sequence.
    List(StructureStyle, Vec<Mark>),
    /// A mapping.
    Mapping(StructureStyle, Vec<(Mark, Mark)>),
}

/// Reads the one document of a text.
pub fn read(text: &str) -> Option<Mark> {
    let mut events = Parser::new_from_str(text).filter_map(Result::ok);
    let first = events.find(|(event, _)| begins_value(event))?;
    value(first, &mut events)
}

fn begins_value(event: &Event) -> bool {
    matches!(event, Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..))
}

fn value<'t>((event, span): (Event<'t>, Span), events: &mut impl Iterator<Item = (Event<'t>, Span)>) -> Option<Mark> {
    let mut bytes = span.byte_range()?;
    let (is_shared, kind) = match event {
        Event::Alias(_) => (true, Kind::Scalar(String::new())),
        Event::Scalar(text, _, anchor, tag) => (anchor > 0 || tag.is_some(), Kind::Scalar(text.into_owned())),
        Event::SequenceStart(style, anchor, tag) => {
            let (items, end) = children(events)?;
            bytes.end = if style == StructureStyle::Flow { end.byte_range()?.end } else { bytes.end };
            (anchor > 0 || tag.is_some(), Kind::List(style, items))
        }
        Event::MappingStart(style, anchor, tag) => {
            let (children, end) = children(events)?;
            bytes.end = if style == StructureStyle::Flow { end.byte_range()?.end } else { bytes.end };
            let mut entries = Vec::new();
            let mut children = children.into_iter();
            while let (Some(key), Some(value)) = (children.next(), children.next()) {
                entries.push((key, value));
            }
            (anchor > 0 || tag.is_some(), Kind::Mapping(style, entries))
        }
        _ => return None,
    };
    Some(Mark { bytes, line: span.start.line() - 1, column: span.start.col(), is_shared, kind })
}

fn children<'t>(events: &mut impl Iterator<Item = (Event<'t>, Span)>) -> Option<(Vec<Mark>, Span)> {
    let mut children = Vec::new();
    loop {
        let (event, span) = events.next()?;
        match event {
            Event::SequenceEnd | Event::MappingEnd => return Some((children, span)),
            event if begins_value(&event) => children.push(value((event, span), events)?),
            _ => {}
        }
    }
}

impl Mark {
    /// The text of a scalar.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> &[Mark] {
        match &self.kind {
            Kind::List(_, items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping.
    pub fn entries(&self) -> &[(Mark, Mark)] {
        match &self.kind {
            Kind::Mapping(_, entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&(Mark, Mark)> {
        self.entries().iter().find(|(its, _)| its.as_str() == Some(key))
    }
}
