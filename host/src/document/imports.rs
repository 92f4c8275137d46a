//! Imports: entries of a document's parts that stand for an entry of another file. Each is replaced by what it stands for, so that
//! readers know nothing of other files.
//!
//! Reads no file: it says which ones a document wants, and takes their texts. What is imported isn't followed further, so no file
//! can lead to another one, nor back.

use std::collections::HashMap;

use super::diagnostic::Code;
use super::fields::{Fields, wrong_type};
use super::files::Files;
use super::read::read_version;
use super::report::{Report, Reported};
use super::shape::{self, PARTS};
use super::tree::{self, Entry, Kind, MAX_NODES, MAX_TEXT_BYTES, Node, Placed, Size};

/// The most files that one document imports from. Real ones share two or three.
pub const MAX_FILES: usize = 32;

/// The most bytes of a path: a quarter of what Linux opens, and each of them is compared with the others.
const MAX_PATH: usize = 1024;
/// The most names in it: each folder on the way is watched. Real ones have one or two.
const MAX_SEGMENTS: usize = 16;

/// What a file of parts has besides them.
const BESIDE_PARTS: [&str; 3] = ["naftiko", "ikanos", "info"];

const EXPECTED_PATH: &str = "a path like `./shared/users.yaml`, in the document's folder or below it";

/// The files that a document imports from, each once. What can't be a path is left out: [`resolve`] reports it.
pub fn wanted(root: &Node) -> Vec<String> {
    let mut paths = Vec::new();
    for (part, item) in items(root) {
        if paths.len() == MAX_FILES {
            break;
        }
        let path = is_import(part, item).then(|| location(item)?.as_str()).flatten();
        if let Some(Ok(path)) = path.map(of_parts)
            && !paths.contains(&path)
        {
            paths.push(path);
        }
    }
    paths
}

/// Whether a document has nothing but parts for others. Any other key may be meant as `capability`.
pub fn is_shared(root: &Node) -> bool {
    let Kind::Mapping(entries) = &root.kind else { return false };
    let is_part = |entry: &Entry| PARTS.contains(&entry.key.as_str());
    entries.iter().all(|entry| is_part(entry) || BESIDE_PARTS.contains(&entry.key.as_str()))
        && PARTS.iter().any(|part| root.get(part).is_some())
}

/// Whether an item of a part stands for one of another file. Binds have a location of their own, which isn't a document.
pub fn is_import(part: &str, item: &Node) -> bool {
    item.get("import").is_some() || item.get("from").is_some() || (part == "consumes" && item.get("location").is_some())
}

/// Replaces each import by what it stands for. One that can't be followed is reported and stays.
pub fn resolve(root: &mut Node, files: &Files, report: &Report) {
    let mut library =
        Library { files, report, trees: HashMap::new(), read: Size::default(), imported: Size::default() };
    resolve_parts(root, &mut library);
    let Kind::Mapping(entries) = &mut root.kind else { return };
    for capability in entries.iter_mut().filter(|entry| entry.key == "capability") {
        resolve_parts(&mut capability.value, &mut library);
    }
}

fn resolve_parts(node: &mut Node, library: &mut Library) {
    let Kind::Mapping(entries) = &mut node.kind else { return };
    for entry in entries {
        let Some(part) = PARTS.into_iter().find(|part| *part == entry.key) else { continue };
        let Kind::List(items) = &mut entry.value.kind else { continue };
        for item in items.iter_mut().filter(|item| is_import(part, item)) {
            if let Some(imported) = library.import(part, item) {
                *item = imported;
            }
        }
    }
}

/// All items of all parts, with the part's key.
fn items(root: &Node) -> impl Iterator<Item = (&'static str, &Node)> {
    let owners = [Some(root), root.get("capability")].into_iter().flatten();
    let parts = owners.flat_map(|owner| PARTS.into_iter().filter_map(|part| Some((part, owner.get(part)?))));
    parts.flat_map(|(part, list)| {
        let items: &[Node] = match &list.kind {
            Kind::List(items) => items,
            _ => &[],
        };
        items.iter().map(move |item| (part, item))
    })
}

fn location(item: &Node) -> Option<&Node> {
    item.get("from").or_else(|| item.get("location"))
}

/// The files that are imported from, read once each.
struct Library<'a> {
    files: &'a Files,
    report: &'a Report,
    trees: HashMap<String, Option<Node>>,
    /// How much is in the files: each of them may repeat its text by aliases.
    read: Size,
    /// How much was imported so far: one entry can be imported again and again.
    imported: Size,
}

impl Library<'_> {
    fn import(&mut self, part: &str, item: &Node) -> Option<Node> {
        let mut fields = Fields::of(item, "an import", self.report)?;
        let name = fields.required_text("import", "the namespace of an entry of the other file");
        let [from, location] = ["from", "location"].map(|key| fields.text(key));
        let alias = fields.text("as");
        fields.ignore(&["description"]);
        if from.is_none() && location.is_none() {
            fields.missing("from").expected(EXPECTED_PATH);
        }
        fields.finish();
        let (from, name) = (from.or(location)?, name?);
        let path = self.open(&from)?;
        let found = find(self.trees.get(&path)?.as_ref()?, part, &path, &name, self.report)?;
        // Before anything of it is copied; nor is it measured again what would be too much anyway.
        if !self.imported.is_too_much() {
            found.measure(&mut self.imported);
        }
        if self.imported.is_too_much() {
            report_too_much("too much is imported", &name, self.report)
                .hint("import each entry once, and split the document");
            return None;
        }
        let mut imported = found.clone();
        // What is exposed is never referred to by its namespace, but by its inputs with it.
        if let Some(alias) = alias.filter(|_| part != "exposes") {
            rename(&mut imported, &alias);
        }
        Some(imported)
    }

    /// Reads the file, if it isn't yet, and gives the path by which it is known.
    fn open(&mut self, from: &Placed<&str>) -> Option<String> {
        let path = of_parts(from.value).map_err(|reason| {
            let message = format!("file can't be imported from, {reason}: {}", from.value);
            self.report.error(Code::Import, &from.at, message).expected(EXPECTED_PATH);
        });
        let path = path.ok()?;
        if !self.trees.contains_key(&path) {
            if self.trees.len() == MAX_FILES {
                self.report
                    .error(Code::Limit, &from.at, "document imports from too many files")
                    .expected(format!("at most {MAX_FILES}"));
                return None;
            }
            let tree = self.read(&path, from);
            self.trees.insert(path.clone(), tree);
        }
        Some(path)
    }

    fn read(&mut self, path: &str, from: &Placed<&str>) -> Option<Node> {
        let text = match self.files.imported.get(path) {
            Some(Ok(text)) => text,
            other => {
                let reason = match other {
                    Some(Err(reason)) => reason,
                    _ => "nothing but the document was given",
                };
                self.report
                    .error(Code::Import, &from.at, format!("file can't be imported from, {reason}: {}", from.value))
                    .expected(EXPECTED_PATH);
                return None;
            }
        };
        let mut root = self.parse(path, text, from)?;
        shape::unify(&mut root, self.report);
        read_version(&mut Fields::of(&root, "a file with parts of a document", self.report)?, self.report);
        Some(root)
    }

    fn parse(&mut self, path: &str, text: &str, from: &Placed<&str>) -> Option<Node> {
        if !self.read.is_too_much() {
            // What isn't meant for documents may hold secrets: nothing that is in it is told.
            let told = Report::default();
            let root = tree::parse_file(path, text, &told);
            if root.as_ref().is_some_and(|root| !["naftiko", "ikanos"].iter().any(|key| root.get(key).is_some())) {
                self.report
                    .error(Code::Import, &from.at, format!("file is no file of parts of a document: {}", from.value))
                    .expected("a mapping that begins with the version of the format, e.g. `ikanos: 1.0.0-beta5`");
                return None;
            }
            self.report.take_over(told);
            let root = root?;
            root.measure(&mut self.read);
            if !self.read.is_too_much() {
                return Some(root);
            }
        }
        report_too_much("too much is in the files that are imported from", from, self.report)
            .hint("write out or remove what aliases repeat, and split the document");
        None
    }
}

/// The entry of a part that has this name.
fn find<'r>(root: &'r Node, part: &str, path: &str, name: &Placed<&str>, report: &Report) -> Option<&'r Node> {
    let entries = || items(root).filter(|(its, _)| *its == part).map(|(_, item)| item);
    let mut found = entries().filter(|entry| !is_import(part, entry) && called(entry, "namespace") == Some(name.value));
    match (found.next(), found.next()) {
        (Some(entry), None) => Some(entry),
        (Some(one), Some(other)) => {
            let what = format!("namespace `{}`", name.value);
            report.duplicate(Code::DuplicateName, &other.at, &what, &one.at);
            None
        }
        (None, _) if entries().any(|entry| is_import(part, entry) && is_called(entry, name.value)) => {
            report
                .error(Code::Import, &name.at, format!("{path} imports this itself: {}", name.value))
                .expected("an entry that stands in the file")
                .hint("import it from where it stands");
            None
        }
        (None, _) => {
            let own = entries().filter(|entry| !is_import(part, entry));
            let names: Vec<&str> = own.filter_map(|entry| called(entry, "namespace")).collect();
            report
                .error(Code::UnknownReference, &name.at, format!("{path} has no such {part}: {}", name.value))
                .expected(match names.is_empty() {
                    true => format!("the namespace of an item of `{part}` in {path}, which has none"),
                    false => format!("one of: {}", names.join(", ")),
                })
                .did_you_mean(name.value, names);
            None
        }
    }
}

fn report_too_much<'r>(what: &str, at: &Placed<&str>, report: &'r Report) -> Reported<'r> {
    report
        .error(Code::Limit, &at.at, what)
        .expected(format!("at most {MAX_NODES} values, {MAX_TEXT_BYTES} bytes of text"))
}

/// Whether an import gives this name to what it imports, or has it beside that.
fn is_called(import: &Node, name: &str) -> bool {
    ["as", "import", "namespace"].iter().any(|key| called(import, key) == Some(name))
}

fn called<'e>(entry: &'e Node, key: &str) -> Option<&'e str> {
    entry.get(key)?.as_str()
}

/// Gives an imported entry another namespace. Its own stays behind that, for what refers to its inputs by it, see [`own_name`].
fn rename(imported: &mut Node, alias: &Placed<&str>) {
    let Kind::Mapping(entries) = &mut imported.kind else { return };
    let value = Node { at: alias.at.clone(), kind: Kind::Text(alias.value.to_owned()) };
    entries.insert(0, Entry { key: "namespace".to_owned(), key_at: alias.at.clone(), value });
}

/// The namespace that an imported entry has in its own file, if it was given another one. In no text can a key stand twice.
pub fn own_name(imported: &Node) -> Option<&str> {
    let Kind::Mapping(entries) = &imported.kind else { return None };
    entries.iter().filter(|entry| entry.key == "namespace").nth(1)?.value.as_str()
}

/// The path of a file of parts, or why it can't be one.
fn of_parts(text: &str) -> Result<String, &'static str> {
    let path = relative(text)?;
    let has_ending = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
    has_ending.then_some(path).ok_or("its name doesn't end in .yaml, .yml or .json")
}

/// A path in the document's folder or below it, without detours; or why it can't be one.
pub fn relative(text: &str) -> Result<String, &'static str> {
    if text.len() > MAX_PATH {
        return Err("its path has more than 1024 bytes");
    }
    // A URI always has three slashes in front of its path, also if that is relative.
    let path = match text.strip_prefix("file://") {
        Some(path) => path.strip_prefix('/').filter(|path| path.starts_with('.')).unwrap_or(path),
        None if text.contains("://") => return Err("only files can be"),
        None => text,
    };
    if path.starts_with('/') {
        return Err("its path is absolute");
    }
    if path.contains(|c: char| c == '\\' || c.is_control()) {
        return Err("its path has a character that doesn't belong there");
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or("it is outside of the document's folder")?;
            }
            _ if segments.len() == MAX_SEGMENTS => return Err("its path has more than 16 names"),
            name => segments.push(name),
        }
    }
    Ok(segments.join("/"))
}

/// Reads a file of parts for other documents: each part has to be a list of mappings. Their inside is read where they are imported.
pub fn check_shared(root: &Node, report: &Report) {
    let Some(mut fields) = Fields::of(root, "a file with parts of a document", report) else { return };
    read_version(&mut fields, report);
    fields.ignore(&["info"]);
    let lists = PARTS.map(|part| (part, fields.list(part)));
    for (part, item) in lists.iter().flat_map(|(part, items)| items.iter().map(move |item| (part, item))) {
        match (item.get("namespace"), &item.kind) {
            _ if is_import(part, item) => {
                report
                    .error(Code::Import, &item.at, "a file that is imported from can't import")
                    .expected("an entry that stands in the file")
                    .hint("import it where it is needed, from where it stands");
            }
            (None, Kind::Mapping(_)) => {
                report
                    .error(Code::MissingKey, &item.at, "key is missing: namespace")
                    .hint("add `namespace: …` here; others import it by that name");
            }
            (_, Kind::Mapping(_)) => {}
            _ => drop(wrong_type(item, "a mapping with a `namespace`", report)),
        }
    }
    report
        .error(Code::SharedFile, &root.at, "file has no capability: it is for other documents to import from")
        .hint("name it under `from` of an import; to make it a plugin, add `capability` with `consumes` and `exposes`");
}

impl Node {
    fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_folder() {
        for (text, expected) in [
            ("./shared/a.yaml", Ok("shared/a.yaml")),
            ("a.yml", Ok("a.yml")),
            ("shared/../a.json", Ok("a.json")),
            ("file://./a.yaml", Ok("a.yaml")),
            ("file:///./shared//a.yaml", Ok("shared/a.yaml")),
            ("..yaml/a.yaml", Ok("..yaml/a.yaml")),
        ] {
            assert_eq!(of_parts(text), expected.map(str::to_owned), "{text}");
        }
        for text in [
            "../a.yaml",
            "./shared/../../a.yaml",
            "/etc/a.yaml",
            "file:///etc/a.yaml",
            "file:///../a.yaml",
            "https://example.com/a.yaml",
            "a\\..\\b.yaml",
            "a.toml",
            "",
            "shared/",
        ] {
            assert!(of_parts(text).is_err(), "{text}");
        }
        // Neither the longest nor the deepest is too much yet.
        for (folder, most) in [("a", MAX_SEGMENTS - 1), ("longer/..", 101)] {
            let path = |folders: usize| format!("{}{:x<6}.yaml", format!("{folder}/").repeat(folders), "x");
            assert!(of_parts(&path(most)).is_ok(), "{folder}");
            assert!(of_parts(&path(most + 1)).is_err(), "{folder}");
        }
    }
}
