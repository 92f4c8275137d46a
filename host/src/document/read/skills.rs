//! Exposes of type `skill`: descriptions of what agents can do with the other exposes, as the Agent Skills format has them, with their files.
//!
//! Nothing of a skill is carried out: each answer is known when the document is compiled, and becomes an operation that always gives it.
//! The paths begin with the expose's namespace, as if it were another server: two documents with skills don't want the same paths.

mod siblings;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::DeflateEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use serde_json::{Map, Value as Json, json};

pub use siblings::Siblings;

use super::argument::Scope;
use super::note;
use super::resources::of_constant;
use crate::contract::{Contents, Resource};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::files::Located;
use crate::document::located::{Given, media_type};
use crate::document::model::{Exposure, RestRoute, Surface};
use crate::document::report::Report;
use crate::document::tree::{Kind, Node, Place, Placed};
use crate::document::uri::PathTemplate;

/// The file that every skill has.
const MAIN: &str = "SKILL.md";

/// What Agent Skills allow for a name.
const MAX_NAME: usize = 64;
/// What Agent Skills allow for the text of each key, in characters.
const TEXTS: [(&str, usize); 4] =
    [("license", 1024), ("compatibility", 500), ("allowed-tools", 1024), ("argument-hint", 1024)];
/// What Agent Skills allow for a description, in characters.
const MAX_DESCRIPTION: usize = 1024;
/// Keys that are true or false.
const FLAGS: [&str; 2] = ["user-invocable", "disable-model-invocation"];

/// What is known around skills.
pub struct Around<'a> {
    /// The files that were given.
    pub given: &'a Given<'a>,
    /// The other exposes.
    pub siblings: &'a Siblings<'a>,
}

/// A skill, as it is served.
struct Skill {
    at: Place,
    name: String,
    description: String,
    /// The keys of its front matter, in the format's order.
    told: Map<String, Json>,
    tools: Vec<Json>,
    files: BTreeMap<String, Bytes>,
}

/// Reads all skills of an expose.
pub fn read_all(
    nodes: &[Node],
    namespace: &Placed<String>,
    scope: &Scope,
    around: &Around,
    report: &Report,
) -> Vec<Exposure> {
    let skills: Vec<Skill> = nodes.iter().filter_map(|node| read(node, around, report)).collect();
    let mut names = HashMap::new();
    for skill in &skills {
        let what = format!("skill `{}`", skill.name);
        note(&mut names, skill.name.clone(), &skill.at, Code::DuplicateName, &what, report);
    }
    let served = Served { base: format!("/{}/skills", namespace.value), at: &namespace.at, scope };
    let catalogue = served.json("", "The skills, with their tools.", &catalogue(&skills));
    let each = skills.iter().flat_map(|skill| served.skill(skill));
    std::iter::once(catalogue).chain(each).flatten().collect()
}

fn read(node: &Node, around: &Around, report: &Report) -> Option<Skill> {
    let mut fields = Fields::of(node, "a skill", report)?;
    let name = fields.required_text("name", "the skill's name").and_then(|name| check_name(&name, report));
    let description = fields.required_text("description", "what the skill is for and when to use it");
    let description = description.and_then(|text| check_length("description", text, MAX_DESCRIPTION, report));
    let mut told = Map::new();
    for (key, most) in TEXTS {
        if let Some(text) = fields.text(key).and_then(|text| check_length(key, text, most, report)) {
            told.insert(key.to_owned(), text.into());
        }
    }
    for key in FLAGS {
        told.extend(fields.boolean(key).map(|flag| (key.to_owned(), flag.into())));
    }
    told.extend(
        fields.node("metadata").and_then(|node| read_metadata(node, report)).map(|it| ("metadata".to_owned(), it)),
    );
    let location = fields.text("location");
    let files = location.as_ref().map(|location| read_files(location, around.given, report));
    let tools = read_tools(fields.list("tools"), files.as_ref(), around, report);
    fields.ignore(&["tags", "display", "label", "title"]);
    fields.finish();
    let (Placed { at, value: name }, description) = (name?, description?);
    let mut skill = Skill { at, name, description, told, tools, files: files.unwrap_or_default() };
    if location.is_none() {
        skill.files.insert(MAIN.to_owned(), skill.front_matter().into());
    }
    Some(skill)
}

fn check_name(name: &Placed<&str>, report: &Report) -> Option<Placed<String>> {
    let is_right = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    if (1..=MAX_NAME).contains(&name.value.len()) && name.value.bytes().all(is_right) {
        return Some(Placed { at: name.at.clone(), value: name.value.to_owned() });
    }
    report
        .error(Code::InvalidName, &name.at, format!("name of a skill can't be used: {:?}", name.value))
        .expected(format!("1 to {MAX_NAME} letters, digits and dashes"));
    None
}

fn check_length(key: &str, text: Placed<&str>, most: usize, report: &Report) -> Option<String> {
    let length = text.value.chars().count();
    if length > most {
        report
            .error(Code::InvalidValue, &text.at, format!("text is too long for a skill's {key}: {length} characters"))
            .expected(format!("at most {most} characters, as Agent Skills allow"));
        return None;
    }
    Some(text.value.to_owned())
}

fn read_metadata(node: &Node, report: &Report) -> Option<Json> {
    let Kind::Mapping(entries) = &node.kind else {
        wrong_type(node, "a mapping of texts", report);
        return None;
    };
    for entry in entries.iter().filter(|entry| !matches!(entry.value.kind, Kind::Text(_))) {
        wrong_type(&entry.value, "text", report).hint("put it in quotes");
    }
    Some(node.to_json())
}

fn read_files(location: &Placed<&str>, given: &Given, report: &Report) -> BTreeMap<String, Bytes> {
    let reason = match given.open(location, report) {
        Some(Located::Folder(files)) if files.contains_key(MAIN) => return files.clone(),
        Some(Located::Folder(_)) => format!("there is no {MAIN}"),
        Some(Located::File(_)) => "it is a file".to_owned(),
        None => return BTreeMap::new(),
    };
    report
        .error(Code::Location, &location.at, format!("skill can't be made of it, {reason}: {}", location.value))
        .expected(format!("a folder with a file {MAIN}"));
    BTreeMap::new()
}

fn read_tools(nodes: &[Node], files: Option<&BTreeMap<String, Bytes>>, around: &Around, report: &Report) -> Vec<Json> {
    let mut names = HashMap::new();
    let mut read = |node: &Node| {
        let mut fields = Fields::of(node, "a tool of a skill", report)?;
        let name = fields.required_text("name", "the tool's name").and_then(|name| super::check_name(name, report));
        let description = fields.required_text("description", "what the tool does");
        let is = read_source(&mut fields, files, around, report);
        fields.finish();
        let (Placed { at, value: name }, description, is) = (name?, description?, is?);
        note(&mut names, name.clone(), &at, Code::DuplicateName, &format!("tool `{name}`"), report);
        let mut tool =
            Map::from_iter([("name".to_owned(), name.into()), ("description".to_owned(), description.value.into())]);
        tool.extend(is);
        Some(Json::Object(tool))
    };
    nodes.iter().filter_map(&mut read).collect()
}

/// What a tool is: one of another expose, or an instruction in a file.
fn read_source(
    fields: &mut Fields,
    files: Option<&BTreeMap<String, Bytes>>,
    around: &Around,
    report: &Report,
) -> Option<Map<String, Json>> {
    let (from, instruction) = (fields.entry("from"), fields.text("instruction"));
    match (from, instruction) {
        (Some(from), Some(instruction)) => {
            report
                .error(Code::InvalidValue, &instruction.at, "`instruction` beside `from`")
                .expected("one of them")
                .hint(format!("the other is in line {}", from.key_at.line));
            None
        }
        (Some(from), None) => around.siblings.read(&from.value, report).map(|invoked| {
            Map::from_iter([("type".to_owned(), "derived".into()), ("invocationRef".to_owned(), invoked)])
        }),
        (None, Some(instruction)) => check_instruction(&instruction, files, report).then(|| {
            Map::from_iter([
                ("type".to_owned(), "instruction".into()),
                ("instruction".to_owned(), instruction.value.into()),
            ])
        }),
        (None, None) => {
            fields.missing("from").expected("`from` with `sourceNamespace` and `action`, or `instruction` with a file");
            None
        }
    }
}

fn check_instruction(name: &Placed<&str>, files: Option<&BTreeMap<String, Bytes>>, report: &Report) -> bool {
    let Some(files) = files else {
        report
            .error(
                Code::Location,
                &name.at,
                format!("instruction has no file, the skill has no location: {}", name.value),
            )
            .hint("add `location: file:///./…` to the skill, the folder of its files");
        return false;
    };
    // Of a location that can't be served it is said there.
    if files.is_empty() || files.contains_key(name.value) {
        return true;
    }
    let known: Vec<&str> = files.keys().map(String::as_str).collect();
    report
        .error(Code::UnknownReference, &name.at, format!("the skill's location has no such file: {}", name.value))
        .expected(format!("one of: {}", known.join(", ")))
        .did_you_mean(name.value, known.iter().copied());
    false
}

/// How the skills of an expose are served.
struct Served<'a> {
    /// Where over REST.
    base: String,
    at: &'a Place,
    scope: &'a Scope<'a>,
}

impl Served<'_> {
    fn skill(&self, skill: &Skill) -> Vec<Option<Exposure>> {
        let Skill { name, files, .. } = skill;
        let mut served = vec![
            self.json(&format!("/{name}"), &skill.description, &skill.detail()),
            self.json(&format!("/{name}/contents"), &format!("The files of the skill {name}."), &skill.contents()),
            self.route(
                &format!("/{name}/download"),
                &format!("The files of the skill {name}, in one archive."),
                Resource {
                    uri: format!("skill://{name}.zip"),
                    media_type: Some("application/zip".to_owned()),
                    contents: Contents::Binary(pack(files)),
                },
            ),
        ];
        for (path, data) in files {
            let resource = Resource {
                uri: format!("skill://{name}/{path}"),
                media_type: Some(media_type(path).to_owned()),
                contents: Contents::of_bytes(data.clone()),
            };
            let (called, description) = match path.as_str() {
                MAIN => (name.clone(), skill.description.clone()),
                path => (format!("{name}/{path}"), format!("A file of the skill {name}.")),
            };
            served.push(self.route(&format!("/{name}/contents/{path}"), &description, resource.clone()));
            let called = Placed { at: skill.at.clone(), value: called };
            let read = of_constant(called, resource, self.scope);
            served.push(Some(Exposure { description: Some(description), ..read }));
        }
        served
    }

    fn json(&self, below: &str, description: &str, value: &Json) -> Option<Exposure> {
        let resource = Resource {
            uri: format!("skill:/{}{below}", self.base),
            media_type: Some("application/json".to_owned()),
            contents: Contents::Text(value.to_string()),
        };
        self.route(below, description, resource)
    }

    /// An operation that always gives this. Names and paths were looked at: the path can be one.
    fn route(&self, below: &str, description: &str, resource: Resource) -> Option<Exposure> {
        let placed = |value: String| Placed { at: self.at.clone(), value };
        let path = PathTemplate::parse(&format!("{}{below}", self.base)).ok()?;
        let path = Placed { at: self.at.clone(), value: path };
        let served = of_constant(placed(String::new()), resource, self.scope);
        Some(Exposure {
            surface: Surface::Rest(Some(RestRoute { method: placed("GET".to_owned()), path })),
            name: None,
            description: Some(description.to_owned()),
            ..served
        })
    }
}

impl Skill {
    fn detail(&self) -> Json {
        let mut detail = self.named();
        detail.extend(self.told.clone());
        detail.insert("tools".to_owned(), self.tools.clone().into());
        Json::Object(detail)
    }

    fn named(&self) -> Map<String, Json> {
        Map::from_iter([
            ("name".to_owned(), self.name.as_str().into()),
            ("description".to_owned(), self.description.as_str().into()),
        ])
    }

    fn contents(&self) -> Json {
        let file =
            |(path, data): (&String, &Bytes)| json!({"path": path, "size": data.len(), "type": media_type(path)});
        json!({"name": self.name, "files": self.files.iter().map(file).collect::<Vec<_>>()})
    }

    /// The main file of a skill without any: its front matter, each value as JSON, which YAML reads too.
    fn front_matter(&self) -> String {
        let entries = self.named().into_iter().chain(self.told.clone());
        let lines: String = entries.map(|(key, value)| format!("{key}: {value}\n")).collect();
        format!("---\n{lines}---\n")
    }
}

fn catalogue(skills: &[Skill]) -> Json {
    let entries = skills.iter().map(|skill| {
        let mut entry = skill.named();
        entry.extend(skill.told.get("license").map(|license| ("license".to_owned(), license.clone())));
        let tools: Vec<Json> = skill.tools.iter().map(|tool| tool["name"].clone()).collect();
        entry.insert("tools".to_owned(), tools.into());
        Json::Object(entry)
    });
    let entries: Vec<Json> = entries.collect();
    json!({"count": entries.len(), "skills": entries})
}

/// An archive of the files: the same for the same files, whenever it is made.
fn pack(files: &BTreeMap<String, Bytes>) -> Bytes {
    write_archive(files).expect("an archive of a few megabytes in memory can be written").into()
}

fn write_archive(files: &BTreeMap<String, Bytes>) -> Result<Vec<u8>, rawzip::Error> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (path, data) in files {
        let (mut entry, settings) = archive.new_file(path).compression_method(CompressionMethod::DEFLATE).start()?;
        let mut writer = settings.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        writer.write_all(data)?;
        let (encoder, checked) = writer.finish()?;
        encoder.finish()?;
        entry.finish(checked)?;
    }
    archive.finish()
}
