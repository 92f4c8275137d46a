//! An older document in the newest shape of the format: sections keyed by name, today's names of keys, today's version.
//!
//! It changes the text where the shape wants it, so comments, quotes, line breaks and the order of everything stay. A list that
//! can't be keyed stays a list, which later releases of Airlock read as well. Whatever becomes of the text, it means the same: that
//! is checked.

mod edits;
mod marks;
mod renamed;

use std::collections::{HashMap, HashSet};

use edits::Edits;
use granit_parser::StructureStyle;
use marks::{Kind, Mark};

use renamed::renamed;

use super::imports::is_shared;
use super::names::free_name;
use super::report::Report;
use super::shape::{PARTS, SECTIONS};
use super::tree::{Node, Path, Place};
use super::{Code, Diagnostic, Files, Mode, compile_with, parse};

/// The version of what is written.
const NEWEST: &str = "1.0.0-beta5";

/// A migrated document.
#[derive(Debug)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// What stayed in the older shape, and why, with the line in the original.
    pub kept: Vec<(usize, String)>,
}

/// What becomes of items that can't just be keyed by their name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Items without a name get the one by which they go in the plan anyway; what has an anchor changes, and its aliases with it.
    Bold,
    /// Their lists stay as they are.
    Careful,
}

/// Migrates a document. The error holds what is wrong with it; it is empty if no way was found that keeps what the document means.
pub fn migrate(source: &str, files: &Files) -> Result<Migrated, Vec<Diagnostic>> {
    let report = Report::default();
    refuse_returns(source, &report);
    let root = parse(source, &report);
    if report.has_errors() {
        return Err(report.into_diagnostics());
    }
    match root {
        Some(root) if is_shared(&root) => migrate_shared(source, root),
        _ => migrate_capability(source, files),
    }
}

fn migrate_capability(source: &str, files: &Files) -> Result<Migrated, Vec<Diagnostic>> {
    let meant = compile_with(source, files, Mode::Tolerant)?;
    let same = |migrated: &Migrated| {
        let compiled = compile_with(&migrated.text, files, Mode::Tolerant);
        compiled.is_ok_and(|compiled| meant.plan == compiled.plan && meant.origins == compiled.origins)
    };
    let ways = [Way::Bold, Way::Careful].into_iter();
    let mut found = ways.filter_map(|way| rewrite(source, way)).filter(same);
    found.next().ok_or_else(Vec::new)
}

/// What others import keeps all its names: they refer to them.
fn migrate_shared(source: &str, root: Node) -> Result<Migrated, Vec<Diagnostic>> {
    let meant = renamed(root);
    let same = |migrated: &Migrated| {
        let report = Report::default();
        let root = parse(&migrated.text, &report).filter(|_| !report.has_errors());
        root.is_some_and(|root| renamed(root) == meant)
    };
    rewrite(source, Way::Careful).filter(same).ok_or_else(Vec::new)
}

/// YAML ends lines at carriage returns too, and lines are counted here by their line feeds.
fn refuse_returns(source: &str, report: &Report) {
    let mut returns = source.match_indices('\r').map(|(at, _)| at);
    let Some(at) = returns.find(|at| !source[at + 1..].starts_with('\n')) else { return };
    let column = source[..at].chars().rev().take_while(|c| *c != '\n').count() + 1;
    let at = Place { line: source[..at].matches('\n').count() + 1, column, length: 1, path: Path::default() };
    report
        .error(Code::InvalidValue, &at, "document can't be migrated: a carriage return without a line feed")
        .expected("lines that end with a line feed")
        .hint("save it with the line ends of today, and migrate it then");
}

/// What is made of the one answer of a call has no name, and a lookup names members of what it finds.
fn is_shape(has: impl Fn(&str) -> bool) -> bool {
    ["call", "ref", "index"].into_iter().any(has)
}

fn rewrite(source: &str, way: Way) -> Option<Migrated> {
    let root = marks::read(source)?;
    let anchors = root.all().into_iter().filter(|mark| mark.anchor > 0).map(|mark| (mark.anchor, mark)).collect();
    let mut migration =
        Migration { edits: Edits::of(source), lines: source.split('\n').collect(), kept: Vec::new(), way, anchors };
    migration.root(&root);
    Some(Migrated { text: migration.edits.apply(), kept: migration.kept })
}

struct Migration<'t> {
    edits: Edits<'t>,
    lines: Vec<&'t str>,
    kept: Vec<(usize, String)>,
    way: Way,
    /// What aliases stand for.
    anchors: HashMap<usize, &'t Mark>,
}

/// A section of named items, and the lines that it may move.
struct Section<'m> {
    key: &'m Mark,
    list: &'m Mark,
    end: usize,
}

impl Migration<'_> {
    fn root(&mut self, root: &Mark) {
        self.version(root);
        if let Some((_, info)) = root.entry("info") {
            let old = if info.entry("label").is_some() { "label" } else { "title" };
            self.rename(info, old, "display");
        }
        let end = self.lines.len();
        self.parts(root, end);
        for (value, end) in
            values(root, end).filter(|(key, ..)| *key == "capability").map(|(_, _, value, end)| (value, end))
        {
            self.parts(value, end);
        }
    }

    fn version(&mut self, root: &Mark) {
        let entry = root.entry("naftiko").or_else(|| root.entry("ikanos"));
        let Some((key, version)) = entry else { return };
        self.edits.replace(key.bytes.clone(), quoted_as(&self.edits.text()[key.bytes.clone()], "ikanos"));
        self.edits.replace(version.bytes.clone(), quoted_as(&self.edits.text()[version.bytes.clone()], NEWEST));
    }

    /// The lists of parts stay lists, whatever is in them; what is keyed may have lists in it.
    fn parts(&mut self, owner: &Mark, end: usize) {
        for (key, _, list, end) in values(owner, end).filter(|(key, ..)| PARTS.contains(key)) {
            let items = list.items();
            let line_after = |index: usize| items.get(index + 1).map_or(end, |next| self.line(next));
            let listed = items.iter().enumerate().map(|(index, item)| (item, line_after(index)));
            let keyed = values(list, end).map(|(_, _, item, end)| (item, end));
            for (item, end) in listed.chain(keyed).collect::<Vec<_>>() {
                if key == "consumes" && item.entry("import").is_some() {
                    self.rename(item, "location", "from");
                }
                self.sections(item, end);
            }
        }
    }

    fn sections(&mut self, owner: &Mark, end: usize) {
        self.rename(owner, "label", "display");
        self.rename(owner, "functions", "flows");
        for (name, key, value, end) in values(owner, end) {
            if name == "mappings" {
                value.items().iter().for_each(|mapping| self.rename(mapping, "targetName", "target"));
            }
            let is_shape = name == "outputParameters" && is_shape(|key| owner.entry(key).is_some());
            if !SECTIONS.contains(&name) || is_shape {
                continue;
            }
            match &value.kind {
                Kind::List(style, items) if value.anchor == 0 || self.way == Way::Bold => {
                    self.section(*style, items, name, &Section { key, list: value, end });
                }
                Kind::List(..) => self.keep(value, format!("{name} has aliases")),
                Kind::Mapping(..) => values(value, end).for_each(|(_, _, item, end)| self.sections(item, end)),
                // It becomes what its anchor's list becomes.
                Kind::Alias(_) | Kind::Scalar(_) => {}
            }
        }
    }

    fn section(&mut self, style: StructureStyle, items: &[Mark], name: &str, section: &Section) {
        for (index, item) in items.iter().enumerate() {
            let end = items.get(index + 1).map_or(section.end, |next| self.line(next));
            self.sections(item, end);
        }
        match self.names(items, name, style) {
            Err(reason) => self.keep(section.list, reason),
            Ok(names) if style == StructureStyle::Flow => self.key_flow(section.list, items, &names),
            Ok(names) => self.key_block(section, items, &names),
        }
    }

    /// The name of each item as it is to be written, or why the list has to stay.
    fn names(&self, items: &[Mark], section: &str, style: StructureStyle) -> Result<Vec<String>, String> {
        let mut taken = HashSet::new();
        let mut names = Vec::new();
        for item in items {
            let (is_alias, meant) = match &item.kind {
                Kind::Mapping(..) => (false, Some(item)),
                Kind::Alias(anchor) => (true, self.anchors.get(anchor).copied()),
                Kind::List(..) | Kind::Scalar(_) => (false, None),
            };
            let Some(meant) = meant else {
                return Err(format!("an item of {section} is no mapping"));
            };
            if (is_alias || item.anchor > 0) && self.way == Way::Careful {
                return Err(format!("an item of {section} is an alias or has some"));
            }
            if style == StructureStyle::Block && self.dash(item).is_none() {
                return Err(format!("an item of {section} begins below its dash"));
            }
            let item = meant;
            let is_resource = section == "resources" && item.entry("uri").is_none();
            let own = item.entry("name").filter(|(_, name)| name.anchor == 0).and_then(|(_, name)| {
                let written = &self.edits.text()[name.bytes.clone()];
                let is_line = !written.contains('\n') && !written.is_empty();
                Some((name.as_str()?.to_owned(), written.trim().to_owned())).filter(|_| is_line)
            });
            // The name of a REST resource means nothing: another one does as well.
            let own = own.filter(|(name, _)| !is_resource || !taken.contains(name));
            let (name, written) = match own.or_else(|| self.made(item, section, &taken)) {
                Some(named) => named,
                None => return Err(format!("an item of {section} has no name")),
            };
            if !taken.insert(name.clone()) {
                return Err(format!("two items of {section} have one name: {name}"));
            }
            names.push(written);
        }
        Ok(names)
    }

    /// A name for an item that has none: of a resource after its path, of an operation after what it calls.
    fn made(&self, item: &Mark, section: &str, taken: &HashSet<String>) -> Option<(String, String)> {
        if self.way == Way::Careful || (section != "resources" && item.entry("name").is_some()) {
            return None;
        }
        let basis = match section {
            "resources" => slug(item.entry("path")?.1.as_str()?),
            "operations" => {
                item.entry("call").or_else(|| item.entry("ref"))?.1.as_str()?.rsplit('.').next()?.to_owned()
            }
            _ => return None,
        };
        let name = free_name(&basis, |name| taken.contains(name));
        let is_json = self.edits.text().trim_start().starts_with('{');
        let written = if is_json { format!("\"{name}\"") } else { name.clone() };
        Some((name, written))
    }

    /// `[{name: a, …}, …]` -> `{a: {…}, …}`
    fn key_flow(&mut self, list: &Mark, items: &[Mark], names: &[String]) {
        self.edits.replace(list.bytes.start..list.bytes.start + 1, "{");
        self.edits.replace(list.bytes.end - 1..list.bytes.end, "}");
        for (item, name) in items.iter().zip(names) {
            let start = self.start(item);
            self.edits.replace(start..start, format!("{name}: "));
            self.remove_name(item);
        }
    }

    /// `- name: a` and what is below -> `a:` and what is below. A list may stand as far to the left as its key, a mapping may not.
    fn key_block(&mut self, section: &Section, items: &[Mark], names: &[String]) {
        let Some(first) = items.first() else { return };
        let Some(dash) = self.dash(first) else { return };
        if self.column(dash) <= section.key.column {
            let start = self.line(first);
            self.edits.indent(start..self.last_line(start, section.end, section.key.column));
        }
        for (item, name) in items.iter().zip(names) {
            let Some(dash) = self.dash(item) else { continue };
            let is_block = matches!(item.kind, Kind::Mapping(StructureStyle::Block, _));
            match item.entries().first() {
                Some((key, value)) if is_block && item.anchor == 0 && key.as_str() == Some("name") => {
                    self.edits.replace(dash..value.bytes.end, format!("{name}:"));
                    continue;
                }
                _ if is_block && item.anchor == 0 => {
                    let margin = " ".repeat(item.column);
                    self.edits.replace(dash..item.bytes.start, format!("{name}:\n{margin}"));
                }
                _ => {
                    let start = dash + 1 + self.edits.text()[dash + 1..].find(|c| c != ' ').unwrap_or_default();
                    self.edits.replace(dash..start, format!("{name}: "));
                }
            }
            self.remove_name(item);
        }
    }

    fn remove_name(&mut self, item: &Mark) {
        let Kind::Mapping(style, entries) = &item.kind else { return };
        let Some(index) = entries.iter().position(|(key, _)| key.as_str() == Some("name")) else { return };
        let (key, value) = &entries[index];
        let bytes = match (style, entries.get(index + 1), index) {
            (StructureStyle::Flow, Some((next, _)), _) => key.bytes.start..next.bytes.start,
            (StructureStyle::Flow, None, 1..) => entries[index - 1].1.bytes.end..value.bytes.end,
            _ => key.bytes.start..value.bytes.end,
        };
        match style {
            StructureStyle::Flow => self.edits.replace(bytes, ""),
            StructureStyle::Block => self.edits.remove(bytes),
        }
    }

    /// Gives a key its new name, unless that is taken.
    fn rename(&mut self, owner: &Mark, old: &str, new: &str) {
        if let Some((key, _)) = owner.entry(old).filter(|_| owner.entry(new).is_none()) {
            self.edits.replace(key.bytes.clone(), quoted_as(&self.edits.text()[key.bytes.clone()], new));
        }
    }

    fn keep(&mut self, list: &Mark, reason: String) {
        self.kept.push((list.line + 1, reason));
    }

    /// Where an item begins, its anchor included.
    fn start(&self, item: &Mark) -> usize {
        let before = &self.edits.text()[..item.bytes.start];
        let anchor = before.rfind('&').filter(|_| item.anchor > 0);
        anchor.unwrap_or(item.bytes.start)
    }

    /// The line of an item, its anchor included.
    fn line(&self, item: &Mark) -> usize {
        let anchor = &self.edits.text()[self.start(item)..item.bytes.start];
        item.line - anchor.matches('\n').count()
    }

    /// Where the dash of an item is, if the item or its anchor begins beside it.
    fn dash(&self, item: &Mark) -> Option<usize> {
        let before = self.edits.text()[..self.start(item)].trim_end_matches(' ');
        before.ends_with('-').then(|| before.len() - 1)
    }

    /// How many characters are before it in its line.
    fn column(&self, at: usize) -> usize {
        let before = &self.edits.text()[..at];
        before.rsplit('\n').next().unwrap_or_default().chars().count()
    }

    /// The line after the last one that belongs to a block: comments and empty lines in front of what comes next belong there.
    fn last_line(&self, start: usize, end: usize, column: usize) -> usize {
        let is_next = |line: &str| {
            let rest = line.trim_start();
            rest.is_empty() || (rest.starts_with('#') && line.len() - rest.len() <= column)
        };
        (start..end).rev().find(|line| !is_next(self.lines[*line])).map_or(end, |last| last + 1)
    }
}

/// The entries of a mapping: key, its mark, the value, and the line at which the next one begins.
fn values(owner: &Mark, end: usize) -> impl Iterator<Item = (&str, &Mark, &Mark, usize)> {
    let entries = owner.entries();
    entries.iter().enumerate().filter_map(move |(index, (key, value))| {
        let end = entries.get(index + 1).map_or(end, |(next, _)| next.line);
        Some((key.as_str()?, key, value, end))
    })
}

/// A word in the quotes of another one.
fn quoted_as(written: &str, word: &str) -> String {
    match written.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{word}{quote}"),
        _ => word.to_owned(),
    }
}

/// The words of a path.
fn slug(path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    match words.collect::<Vec<_>>().join("-") {
        words if words.is_empty() => "root".to_owned(),
        words => words,
    }
}
