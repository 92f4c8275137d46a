//! A schema of a description -> a JSON Schema (2020-12) that stands for itself: references written out, as deep as there is room.
//!
//! Doesn't know what the schema is for, except whether it is sent or received.

use std::{cell::RefCell, collections::HashMap};

use jsonschema::PatternOptions;
use serde_json::{Map, Value, json};

use super::{notes::Notes, place::Place, refs::Refs, source::Version};

mod all_of;
mod keywords;
mod older;
mod reference;

pub use self::keywords::tidy;
use self::{
    keywords::{KEYWORDS, Kind},
    older::modernise,
};

/// How many subschemas lie in each other. Eight objects in each other are more than anybody fills in, and a document has room for no
/// more than eleven.
const MAX_LEVELS: usize = 8;
/// The deepest nesting of mappings and lists in a schema. A document may have 32 levels, of which the format itself takes ten.
pub const MAX_DEPTH: usize = 18;
/// How many references and `allOf` may lie in each other. They add no level to what is written.
const MAX_NESTING: usize = 64;
/// What an example or default may take, as JSON: it is read by people and agents, and each listing repeats it.
const MAX_EXAMPLE: usize = 400;
/// A compiled regular expression. 64 kB, a quarter of what the host takes for one.
const MAX_PATTERN: usize = 64 << 10;
/// What a keyword costs beside its text: its indentation and its name, in bytes.
const KEYWORD_COST: usize = 24;

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What is sent: what only the API may set isn't in it.
    Request,
    /// What comes back: what is only sent isn't in it.
    Response,
}

/// Writes schemas out.
#[derive(Debug)]
pub struct Renderer<'a> {
    refs: Refs<'a>,
    version: Version,
    /// Whether each pattern that was met can be used.
    patterns: RefCell<HashMap<String, bool>>,
}

/// A schema that was written out, and what it takes of a document, about, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The schema: a mapping.
    pub schema: Map<String, Value>,
    /// Its cost.
    pub cost: usize,
}

/// It would cost more than it may.
#[derive(Debug)]
struct TooLarge;

impl<'a> Renderer<'a> {
    /// Writes out schemas of a description.
    pub fn new(refs: Refs<'a>, version: Version) -> Self {
        Self { refs, version, patterns: RefCell::default() }
    }

    /// Writes a schema out as deep as it costs no more than `room`.
    pub fn render(
        &self,
        schema: &Value,
        place: &Place<'_>,
        direction: Direction,
        room: usize,
        notes: &mut Notes,
    ) -> Rendered {
        let mut best = None;
        for levels in 0..=MAX_LEVELS {
            let mut walk = Walk::new(self, direction, room);
            match walk.schema(schema, place, levels) {
                Ok(value) if depth(&value) <= MAX_DEPTH => {
                    let is_whole = !walk.cut;
                    best = Some((levels, value, walk));
                    if is_whole {
                        break;
                    }
                }
                // Deeper would be larger still.
                Ok(_) | Err(TooLarge) => break,
            }
        }
        let Some((levels, value, walk)) = best else {
            notes.say(place, "schema is too large: taken as anything");
            return Rendered { schema: Map::new(), cost: 0 };
        };
        notes.append(walk.notes);
        if walk.cut {
            notes.say(place, format!("schema is large: what lies more than {levels} levels deep is a free value"));
        }
        let schema = match value {
            Value::Object(schema) => schema,
            // Nothing conforms to `false`, and nothing could be sent or received.
            _ => Map::new(),
        };
        Rendered { schema, cost: room - walk.left }
    }

    fn is_pattern(&self, text: &str) -> bool {
        let check = || {
            let options = PatternOptions::regex().size_limit(MAX_PATTERN);
            jsonschema::options().with_pattern_options(options).build(&json!({"pattern": text})).is_ok()
        };
        *self.patterns.borrow_mut().entry(text.to_owned()).or_insert_with(check)
    }
}

/// One attempt.
struct Walk<'w, 'a> {
    renderer: &'w Renderer<'a>,
    direction: Direction,
    left: usize,
    nesting: usize,
    /// The references on the way to where it is.
    stack: Vec<String>,
    /// Members that the other direction alone has, of the object that is being read.
    dropped: Vec<String>,
    cut: bool,
    notes: Notes,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(renderer: &'w Renderer<'a>, direction: Direction, room: usize) -> Self {
        Self {
            renderer,
            direction,
            left: room,
            nesting: 0,
            stack: Vec::new(),
            dropped: Vec::new(),
            cut: false,
            notes: Notes::default(),
        }
    }

    fn spend(&mut self, cost: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(cost).ok_or(TooLarge)?;
        Ok(())
    }

    fn is_old(&self) -> bool {
        self.renderer.version != Version::OpenApi31
    }

    fn schema(&mut self, schema: &Value, place: &Place<'_>, levels: usize) -> Result<Value, TooLarge> {
        self.spend(KEYWORD_COST)?;
        if self.nesting == MAX_NESTING {
            return Err(TooLarge);
        }
        self.nesting += 1;
        let rendered = match schema {
            Value::Bool(any) => (*any).into(),
            Value::Object(keywords) => match keywords.get("$ref").and_then(Value::as_str) {
                Some(reference) => self.reference(reference, keywords, place, levels)?,
                None => self.keywords(keywords, place, levels)?.into(),
            },
            _ => {
                self.notes.say(place, "schema isn't a mapping: taken as anything");
                json!({})
            }
        };
        self.nesting -= 1;
        Ok(rendered)
    }

    fn keywords(
        &mut self,
        keywords: &Map<String, Value>,
        place: &Place<'_>,
        levels: usize,
    ) -> Result<Map<String, Value>, TooLarge> {
        let is_nested = |(keyword, _): (&String, &Value)| Kind::of(keyword).is_some_and(Kind::is_nested);
        if levels == 0 && keywords.iter().any(is_nested) {
            self.cut = true;
            return self.free(keywords);
        }
        let mut out = Map::new();
        for (keyword, kind) in KEYWORDS {
            // What isn't so needn't be said. A bound that is a flag belongs to the one beside it, see `modernise`.
            let is_told = |it: &&Value| match kind {
                Kind::Flag => **it != false,
                Kind::Bound => !(self.is_old() && it.is_boolean()),
                _ => true,
            };
            if let Some(value) = keywords.get(keyword).filter(is_told) {
                self.keyword(keyword, kind, value, &place.key(keyword), levels, &mut out)?;
            }
        }
        for keyword in keywords.keys().filter(|it| Kind::of(it).is_none()) {
            let vendor = keyword.starts_with("x-") && keyword != "x-nullable";
            if vendor || !keywords::SILENT.contains(&keyword.as_str()) {
                self.notes.left_out(keyword, place);
            }
        }
        if self.is_old() {
            modernise(keywords, &mut out);
        }
        self.without_dropped(&mut out);
        Ok(out)
    }

    fn keyword(
        &mut self,
        keyword: &str,
        kind: Kind,
        value: &Value,
        place: &Place<'_>,
        levels: usize,
        out: &mut Map<String, Value>,
    ) -> Result<(), TooLarge> {
        let rendered = match kind {
            Kind::Plain(_) | Kind::Flag | Kind::Bound => match kind.read(value) {
                Some(value) => value,
                None => {
                    self.notes.say(place, "left out: it has no usable value");
                    return Ok(());
                }
            },
            Kind::Pattern => match value.as_str().filter(|it| self.renderer.is_pattern(it)) {
                Some(pattern) => pattern.into(),
                None => {
                    self.notes.say(place, "left out: not a regular expression that is matched in linear time");
                    return Ok(());
                }
            },
            Kind::Example => {
                let list = if keyword == "example" { json!([value]) } else { value.clone() };
                let items: Vec<Value> =
                    list.as_array().into_iter().flatten().filter(|it| is_small(it)).cloned().collect();
                if items.is_empty() {
                    self.notes.left_out("an example that is large", place);
                    return Ok(());
                }
                self.spend(items.iter().map(|it| it.to_string().len()).sum::<usize>() + KEYWORD_COST)?;
                out.entry("examples").or_insert(items.into());
                return Ok(());
            }
            Kind::Value => {
                if !is_small(value) {
                    self.notes.left_out("a default or constant that is large", place);
                    return Ok(());
                }
                value.clone()
            }
            Kind::Schema => self.nested(value, place, levels)?,
            Kind::Schemas => {
                let mut all = Vec::new();
                for (index, schema) in value.as_array().into_iter().flatten().enumerate() {
                    all.push(self.nested(schema, &place.index(index), levels)?);
                }
                if all.is_empty() {
                    self.notes.say(place, "left out: it is no list of schemas");
                    return Ok(());
                }
                all.into()
            }
            Kind::AllOf => {
                let mut parts = Vec::new();
                for (index, schema) in value.as_array().into_iter().flatten().enumerate() {
                    parts.push(self.schema(schema, &place.index(index), levels)?);
                }
                all_of::merge(out, parts);
                return Ok(());
            }
            Kind::Members => self.members(keyword, value, place, levels)?,
        };
        if !kind.is_nested() {
            self.spend(KEYWORD_COST + rendered.to_string().len())?;
        }
        out.insert(keyword.to_owned(), rendered);
        Ok(())
    }

    /// A subschema is about another value: what the other direction alone has is counted anew.
    fn nested(&mut self, schema: &Value, place: &Place<'_>, levels: usize) -> Result<Value, TooLarge> {
        let outer = std::mem::take(&mut self.dropped);
        let rendered = self.schema(schema, place, levels.saturating_sub(1));
        self.dropped = outer;
        rendered
    }

    fn members(&mut self, keyword: &str, value: &Value, place: &Place<'_>, levels: usize) -> Result<Value, TooLarge> {
        let mut members = Map::new();
        for (name, schema) in value.as_object().into_iter().flatten() {
            let place = place.key(name);
            if keyword == "properties" && self.is_of_other_direction(schema) {
                self.dropped.push(name.clone());
                continue;
            }
            if keyword == "patternProperties" && !self.renderer.is_pattern(name) {
                self.notes.say(&place, "left out: not a regular expression that is matched in linear time");
                continue;
            }
            self.spend(name.len())?;
            let schema = self.nested(schema, &place, levels)?;
            members.insert(name.clone(), schema);
        }
        Ok(members.into())
    }

    fn is_of_other_direction(&self, schema: &Value) -> bool {
        let keyword = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let says = |schema: &Value| schema.get(keyword) == Some(&Value::Bool(true));
        let follow = || self.renderer.refs.follow(schema, Place::whole(""));
        says(schema) || follow().is_ok_and(|(target, _)| says(target))
    }

    /// What isn't there can't be required.
    fn without_dropped(&self, schema: &mut Map<String, Value>) {
        if self.dropped.is_empty() {
            return;
        }
        if let Some(Value::Array(names)) = schema.get_mut("required") {
            names.retain(|name| !self.dropped.iter().any(|dropped| name == dropped));
            if names.is_empty() {
                schema.remove("required");
            }
        }
        for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(part) = part {
                self.without_dropped(part);
            }
        }
    }
}

/// Whether an example is small enough to be repeated wherever the schema is.
pub fn is_small(value: &Value) -> bool {
    value.to_string().len() <= MAX_EXAMPLE && depth(value) <= 2
}

/// How many mappings and lists lie in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
