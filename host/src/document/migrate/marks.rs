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
    /// The anchor on it; 0 for none.
    pub anchor: usize,
    /// The value.
    pub kind: Kind,
}

/// A kind of value.
#[derive(Debug)]
pub enum Kind {
    /// A scalar.
    Scalar(String),
    /// An alias for what has this anchor.
    Alias(usize),
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
    let (anchor, kind) = match event {
        Event::Alias(anchor) => (0, Kind::Alias(anchor)),
        Event::Scalar(text, _, anchor, _) => (anchor, Kind::Scalar(text.into_owned())),
        Event::SequenceStart(style, anchor, _) => {
            let (items, end) = children(events)?;
            bytes.end = if style == StructureStyle::Flow { end.byte_range()?.end } else { bytes.end };
            (anchor, Kind::List(style, items))
        }
        Event::MappingStart(style, anchor, _) => {
            let (children, end) = children(events)?;
            bytes.end = if style == StructureStyle::Flow { end.byte_range()?.end } else { bytes.end };
            let mut entries = Vec::new();
            let mut children = children.into_iter();
            while let (Some(key), Some(value)) = (children.next(), children.next()) {
                entries.push((key, value));
            }
            (anchor, Kind::Mapping(style, entries))
        }
        _ => return None,
    };
    Some(Mark { bytes, line: span.start.line() - 1, column: span.start.col(), anchor, kind })
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

    /// Everything in it, itself first.
    pub fn all(&self) -> Vec<&Mark> {
        let inside: Vec<&Mark> = match &self.kind {
            Kind::List(_, items) => items.iter().collect(),
            Kind::Mapping(_, entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Kind::Scalar(_) | Kind::Alias(_) => Vec::new(),
        };
        std::iter::once(self).chain(inside.into_iter().flat_map(Mark::all)).collect()
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&(Mark, Mark)> {
        self.entries().iter().find(|(its, _)| its.as_str() == Some(key))
    }
}
