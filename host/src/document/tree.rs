//! YAML text -> a tree in which each key and value knows its place.
//!
//! Nothing here knows capability documents. Limits hold while the text is read, before anything is built from it.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{DuplicateKeyPolicy, Location, MessageFormatter, Spanned};

use super::diagnostic::Code;
use super::report::Report;

/// The largest source. The largest real document has 42 kB; 4 MiB leaves room for one with thousands of operations and is
/// still read in a fraction of a second.
pub const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;
/// The deepest nesting. The format itself needs 10 levels, which leaves 11 objects inside each other to a JSON Schema. An
/// unoptimised build takes 42 kB of stack for each level, and a thread has 2 MiB.
pub const MAX_DEPTH: usize = 32;
/// The most mappings, lists and scalars, those that aliases repeat included. A document of 4 MiB has about 300 000 if
/// it consists of nothing but short items; real ones have 30 per kilobyte.
pub const MAX_NODES: usize = 250_000;
/// The most items of one list and keys of one mapping; some of them are compared with each other.
pub const MAX_ITEMS: usize = 2_000;
/// The most bytes of text, that which aliases repeat included: twice the source, so only repetition can exceed it.
pub const MAX_TEXT_BYTES: usize = 2 * MAX_SOURCE_BYTES;
/// The most aliases. They spare a person some typing; a thousand is no longer typed by a person.
pub const MAX_ALIASES: usize = 1_000;

/// The most characters of one key that are shown in a path.
const MAX_SEGMENT: usize = 128;

/// A value at its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins; the anchored value for what came from an alias.
    pub at: Place,
    /// The value.
    pub kind: Kind,
}

/// A YAML 1.2 value of the core schema.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Null, or nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer or a finite float.
    Number(Number),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping with text keys, each of them once.
    Mapping(Vec<Entry>),
}

/// How much trees hold.
#[derive(Debug, Default)]
pub struct Size {
    /// Values.
    pub nodes: usize,
    /// Bytes of texts and keys.
    pub text: usize,
}

/// A key of a mapping, and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub key_at: Place,
    /// The value.
    pub value: Node,
}

/// A place in the source and in the tree.
#[derive(Clone, Debug)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters.
    pub length: usize,
    /// The way from the root.
    pub path: Path,
}

/// Something at its place.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// Where it is.
    pub at: Place,
    /// What it is.
    pub value: T,
}

/// The way from the root to a node. Linked, because one long key may have many children.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// `None` for the document itself.
    file: Option<Rc<str>>,
    last: Option<Rc<Step>>,
}

#[derive(Debug)]
struct Step {
    parent: Path,
    segment: Segment,
}

#[derive(Debug)]
enum Segment {
    Key(String),
    Index(usize),
}

/// Reads one document, and reports everything that is wrong with it as YAML. `None` if there is nothing to go on with.
pub fn parse(source: &str, report: &Report) -> Option<Node> {
    parse_at(source, Path::default(), report)
}

/// The same for a file that is named in each place.
pub fn parse_file(file: &str, source: &str, report: &Report) -> Option<Node> {
    parse_at(source, Path { file: Some(file.into()), last: None }, report)
}

fn parse_at(source: &str, root: Path, report: &Report) -> Option<Node> {
    if source.len() > MAX_SOURCE_BYTES {
        report
            .error(Code::Limit, &Place::start(root), format!("document is too large: {} bytes", source.len()))
            .expected(format!("at most {MAX_SOURCE_BYTES} bytes"))
            .hint("split the document: one capability per file");
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<RawKind>>(source, options()) {
        Ok(raw) => Some(place(raw, root, report)),
        Err(error) => {
            report_yaml_error(&error, root, report);
            None
        }
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_TEXT_BYTES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        // Duplicates are reported here, all of them, with both lines.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // The core schema of YAML 1.2: `yes` and `1_000` are text.
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        // JSON has no infinity.
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}

fn report_yaml_error(error: &serde_saphyr::Error, root: Path, report: &Report) {
    let at = match error.location() {
        Some(location) => Place::new(location, root),
        None => Place::start(root),
    };
    let text = serde_saphyr::DefaultMessageFormatter.format_message(error);
    if is_limit(error) {
        report
            .error(Code::Limit, &at, format!("document exceeds a limit: {text}"))
            .expected(format!(
                "at most {MAX_NODES} values, {MAX_DEPTH} levels, {MAX_ALIASES} aliases, {MAX_TEXT_BYTES} bytes of text"
            ))
            .hint("write out or remove what aliases repeat, or split the document");
    } else {
        report.error(Code::Syntax, &at, format!("not a YAML document: {text}"));
    }
}

fn is_limit(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::Error;
    match error.without_snippet() {
        Error::AliasError { error, .. } => is_limit(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

/// What the parser gives, before each node is told its path.
enum RawKind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<RawKind>>),
    Mapping(Vec<(Spanned<String>, Spanned<RawKind>)>),
}

impl<'de> Deserialize<'de> for RawKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawKind, E> {
        Ok(RawKind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawKind, E> {
        Ok(RawKind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawKind, E> {
        Ok(RawKind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawKind, E> {
        Ok(RawKind::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<RawKind, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number is not finite"))?;
        Ok(RawKind::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<RawKind, E> {
        Ok(RawKind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<RawKind, E> {
        Ok(RawKind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawKind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RawKind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawKind, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(RawKind::Mapping(mapping))
    }
}

fn place(mut raw: Spanned<RawKind>, path: Path, report: &Report) -> Node {
    let at = Place::new(raw.defined, path.clone());
    limit_items(&mut raw.value, &at, report);
    let kind = match raw.value {
        RawKind::Null => Kind::Null,
        RawKind::Bool(value) => Kind::Bool(value),
        RawKind::Number(value) => Kind::Number(value),
        RawKind::Text(value) => Kind::Text(value),
        RawKind::List(items) => Kind::List(place_items(items, &path, report)),
        RawKind::Mapping(entries) => Kind::Mapping(place_entries(entries, &path, report)),
    };
    Node { at, kind }
}

/// Cuts off what is too much, so that reading can go on.
fn limit_items(raw: &mut RawKind, at: &Place, report: &Report) {
    let count = match raw {
        RawKind::List(items) => cut(items),
        RawKind::Mapping(entries) => cut(entries),
        _ => return,
    };
    if count > MAX_ITEMS {
        report
            .error(Code::Limit, at, format!("too many items in one list or mapping: {count}"))
            .expected(format!("at most {MAX_ITEMS}"))
            .hint("split the document: one capability per file");
    }
}

fn cut<T>(items: &mut Vec<T>) -> usize {
    let count = items.len();
    items.truncate(MAX_ITEMS);
    count
}

fn place_items(items: Vec<Spanned<RawKind>>, path: &Path, report: &Report) -> Vec<Node> {
    let items = items.into_iter().enumerate();
    items.map(|(index, item)| place(item, path.then(Segment::Index(index)), report)).collect()
}

/// Keeps the first of the entries with the same key, and reports the others.
fn place_entries(entries: Vec<(Spanned<String>, Spanned<RawKind>)>, path: &Path, report: &Report) -> Vec<Entry> {
    let mut first: HashMap<String, Place> = HashMap::new();
    let mut placed = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let path = path.then(Segment::Key(key.value.clone()));
        let entry =
            Entry { key_at: Place::new(key.defined, path.clone()), value: place(value, path, report), key: key.value };
        match first.get(&entry.key) {
            Some(earlier) => {
                let what = format!("key `{}`", entry.key);
                report.duplicate(Code::DuplicateKey, &entry.key_at, &what, earlier);
            }
            None => {
                first.insert(entry.key.clone(), entry.key_at.clone());
                placed.push(entry);
            }
        }
    }
    placed
}

impl Node {
    /// What kind of value it is, for messages. Never the value: it may be a secret.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// Adds itself, and all that is in it.
    pub fn measure(&self, size: &mut Size) {
        size.nodes += 1;
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.measure(size)),
            Kind::Mapping(entries) => {
                size.text += entries.iter().map(|entry| entry.key.len()).sum::<usize>();
                entries.iter().for_each(|entry| entry.value.measure(size));
            }
            Kind::Text(text) => size.text += text.len(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
        }
    }

    /// The value of a key, if this is a mapping that has it. A key without a value counts as absent.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Kind::Mapping(entries) = &self.kind else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        (!matches!(entry.value.kind, Kind::Null)).then_some(&entry.value)
    }

    /// The items of the list under a key; none where there is no list.
    pub fn items(&self, key: &str) -> &[Self] {
        match self.get(key).map(|list| &list.kind) {
            Some(Kind::List(items)) => items,
            _ => &[],
        }
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(value) => Json::Number(value.clone()),
            Kind::Text(value) => Json::String(value.clone()),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Mapping(entries) => {
                let members = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Json::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

impl Size {
    /// Whether it is more than one document may have.
    pub fn is_too_much(&self) -> bool {
        self.nodes > MAX_NODES || self.text > MAX_TEXT_BYTES
    }
}

impl Place {
    /// The beginning of a document.
    fn start(root: Path) -> Self {
        Self { line: 1, column: 1, length: 0, path: root }
    }

    fn new(location: Location, path: Path) -> Self {
        Self {
            line: (location.line() as usize).max(1),
            column: (location.column() as usize).max(1),
            length: location.span().len() as usize,
            path,
        }
    }
}

impl Path {
    /// The file, if it isn't the document itself.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    fn then(&self, segment: Segment) -> Self {
        Self { file: self.file.clone(), last: Some(Rc::new(Step { parent: self.clone(), segment })) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.last else { return Ok(()) };
        step.parent.fmt(f)?;
        match &step.segment {
            Segment::Index(index) => write!(f, "[{index}]"),
            Segment::Key(key) if step.parent.last.is_none() => write!(f, "{key:.MAX_SEGMENT$}"),
            Segment::Key(key) => write!(f, ".{key:.MAX_SEGMENT$}"),
        }
    }
}
