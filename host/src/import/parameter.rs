//! Parameters in path, query, headers and cookies: where each stands, how it is written, what it may hold.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{
    fit::Wanted,
    names::{self, Taken},
    notes::Notes,
    place::Place,
    schema::Direction,
    select::Chosen,
    source::{Source, Version},
};
use crate::document::may_send_header;

/// The most values of one parameter's `examples`.
const MAX_EXAMPLES: usize = 5;

/// A part of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// A variable of the path.
    Path,
    /// A key of the query.
    Query,
    /// A header field.
    Header,
    /// A cookie.
    Cookie,
    /// The body.
    Body,
    /// A field of the form that is the body.
    Field,
}

/// A parameter of a consumed operation.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name on the wire, or in the path.
    pub name: String,
    /// What agents call it.
    pub input: String,
    /// Where it stands.
    pub location: Location,
    /// Whether a call needs it.
    pub required: bool,
    /// How a list or an object is written, if not as a query does it by default.
    pub style: Option<Style>,
    /// What is said beside its schema: description, examples, that it is deprecated.
    pub keywords: Map<String, Value>,
    /// What it may hold.
    pub schema: Wanted,
}

/// How a list or an object is written in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Style {
    /// One key, the items between commas.
    Form,
    /// As OpenAPI calls it.
    Named(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Body | Self::Field => "body",
        })
    }
}

/// All parameters of an operation, its own before those of its path that it doesn't replace, each with its place.
pub fn all<'a>(source: &'a Source, chosen: &Chosen<'a>, notes: &mut Notes) -> Vec<(&'a Value, String)> {
    let mut found: Vec<(&Value, String)> = Vec::new();
    let lists = [(chosen.operation, chosen.place()), (chosen.item, chosen.item_place.clone())];
    for (owner, place) in lists {
        let mut level = Vec::new();
        let place = Place::whole(format!("{place}.parameters"));
        for (index, written) in owner.get("parameters").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let here = place.index(index);
            match source.refs().follow(written, here.clone()) {
                Ok((parameter, _)) if found.iter().any(|(known, _)| is_same(known, parameter)) => {}
                Ok((parameter, _)) => level.push((parameter, here.to_string())),
                Err(reason) => notes.say(&here, format!("left out: {reason}")),
            }
        }
        found.extend(level);
    }
    found
}

fn is_same(one: &Value, other: &Value) -> bool {
    one.get("name") == other.get("name") && one.get("in") == other.get("in")
}

/// Reads the parameters of an operation whose path has these variables; those of the path come first.
///
/// # Errors
/// Why the operation can't be called: it needs one that can't be given.
pub fn read_all(
    source: &Source,
    chosen: &Chosen<'_>,
    variables: &[String],
    notes: &mut Notes,
) -> Result<Vec<Parameter>, String> {
    let mut read: Vec<Parameter> = Vec::new();
    for (written, place) in all(source, chosen, notes) {
        let kind = written.get("in").and_then(Value::as_str).unwrap_or_default();
        if source.version == Version::Swagger2 && matches!(kind, "body" | "formData") {
            continue;
        }
        let name = written.get("name").and_then(Value::as_str).unwrap_or_default();
        let place = Place::whole(place);
        match read_one(source, written, name, kind, variables, &place, notes) {
            Ok(parameter) => read.push(parameter),
            Err(reason) if is_needed(written, kind, name, variables) => {
                return Err(format!("it needs the parameter {name:?}, and {reason}"));
            }
            Err(reason) => notes.say(&place, format!("left out: {reason}")),
        }
    }
    for variable in variables {
        if read.iter().any(|known| is_variable(known, variable)) {
            continue;
        }
        notes.say(&chosen.place(), format!("no parameter declares the path's variable {variable}: taken as text"));
        read.push(undeclared(variable, chosen));
    }
    read.sort_by_key(|it| it.location != Location::Path);
    without_doubles(read, chosen, notes)
}

/// Whether nothing can be called without it: it is required, or in the path.
fn is_needed(written: &Value, kind: &str, name: &str, variables: &[String]) -> bool {
    match kind {
        "path" => variables.iter().any(|it| it == name),
        _ => written.get("required") == Some(&Value::Bool(true)),
    }
}

fn is_variable(parameter: &Parameter, variable: &str) -> bool {
    parameter.location == Location::Path && parameter.name == variable
}

fn undeclared(variable: &str, chosen: &Chosen<'_>) -> Parameter {
    Parameter {
        name: variable.to_owned(),
        input: variable.to_owned(),
        location: Location::Path,
        required: true,
        style: None,
        keywords: Map::new(),
        schema: Wanted::new(json!({"type": "string"}), chosen.place(), Direction::Request),
    }
}

fn read_one(
    source: &Source,
    written: &Value,
    name: &str,
    kind: &str,
    variables: &[String],
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Parameter, String> {
    let location = match kind {
        "path" => Location::Path,
        "query" => Location::Query,
        "header" => Location::Header,
        "cookie" => Location::Cookie,
        "" => return Err("it doesn't say where it stands".to_owned()),
        other => return Err(format!("nothing stands in: {other}")),
    };
    check_name(name, location, variables)?;
    let schema = schema_of(source, written, place, notes);
    let style = style(source, written, location, &schema.schema)?;
    if written.get("allowReserved") == Some(&Value::Bool(true)) {
        notes.say(place, "reserved characters in its value are encoded all the same");
    }
    Ok(Parameter {
        name: name.to_owned(),
        input: name.to_owned(),
        location,
        required: location == Location::Path || written.get("required") == Some(&Value::Bool(true)),
        style,
        keywords: keywords_beside(written),
        schema,
    })
}

fn check_name(name: &str, location: Location, variables: &[String]) -> Result<(), String> {
    if name.is_empty() || name.contains(|c: char| c.is_control()) {
        return Err("it has no usable name".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    match location {
        Location::Path if !variables.iter().any(|it| it == name) => Err("the path has no such variable".to_owned()),
        Location::Header if matches!(lower.as_str(), "accept" | "content-type" | "authorization" | "cookie") => {
            Err("OpenAPI has another place for what this header says".to_owned())
        }
        Location::Header | Location::Cookie if !may_send_header(name) => {
            Err("a plugin can't send a field of this name".to_owned())
        }
        _ => Ok(()),
    }
}

/// What stands beside a schema and is about the same value.
pub fn keywords_beside(written: &Value) -> Map<String, Value> {
    let mut keywords = Map::new();
    if let Some(text) = written.get("description").and_then(Value::as_str) {
        keywords.insert("description".to_owned(), text.into());
    }
    if written.get("deprecated") == Some(&Value::Bool(true)) {
        keywords.insert("deprecated".to_owned(), true.into());
    }
    let one = written.get("example").cloned();
    let several = written.get("examples").and_then(Value::as_object);
    let several = several.into_iter().flatten().filter_map(|(_, it)| it.get("value").cloned());
    let examples: Vec<Value> = one.into_iter().chain(several).take(MAX_EXAMPLES).collect();
    if !examples.is_empty() {
        keywords.insert("examples".to_owned(), examples.into());
    }
    keywords
}

/// The schema of a parameter: its own, that of its content, or in Swagger the keywords beside its name.
pub fn schema_of(source: &Source, written: &Value, place: &Place<'_>, notes: &mut Notes) -> Wanted {
    let of = |schema: Value, at: String| Wanted::new(schema, at, Direction::Request);
    if source.version == Version::Swagger2 {
        const BESIDE: [&str; 8] =
            ["name", "in", "required", "description", "collectionFormat", "allowEmptyValue", "example", "examples"];
        let mut schema = written.clone();
        if let Value::Object(keywords) = &mut schema {
            keywords.retain(|keyword, _| !BESIDE.contains(&keyword.as_str()) && !keyword.starts_with("x-"));
            if let Some(Value::Object(items)) = keywords.get_mut("items") {
                items.shift_remove("collectionFormat");
            }
        }
        return of(schema, place.to_string());
    }
    if let Some(content) = written.get("content").and_then(Value::as_object) {
        let kind = content.keys().next().map_or("", String::as_str);
        notes.say(&place.key("content"), format!("taken as text, which has to be {kind}"));
        return of(json!({"type": "string"}), place.to_string());
    }
    of(written.get("schema").cloned().unwrap_or_else(|| json!({})), place.key("schema").to_string())
}

/// Whether a value is one, many, or named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    Scalar,
    /// Many.
    List,
    /// Named ones.
    Object,
}

/// What a schema is of.
pub fn shape(source: &Source, schema: &Value) -> Shape {
    let Ok((schema, _)) = source.refs().follow(schema, Place::whole("")) else {
        return Shape::Scalar;
    };
    let is = |kind: &str| match schema.get("type") {
        Some(Value::String(own)) => own == kind,
        Some(Value::Array(all)) => all.iter().any(|own| own == kind),
        _ => false,
    };
    if is("array") || (schema.get("type").is_none() && schema.get("items").is_some()) {
        Shape::List
    } else if is("object") || (schema.get("type").is_none() && schema.get("properties").is_some()) {
        Shape::Object
    } else {
        Shape::Scalar
    }
}

/// How a list or an object is written.
fn style(source: &Source, written: &Value, location: Location, schema: &Value) -> Result<Option<Style>, String> {
    let shape = shape(source, schema);
    let (style, explode) = match source.version {
        Version::Swagger2 => collection_format(written, shape)?,
        _ => (written.get("style").and_then(Value::as_str), written.get("explode").and_then(Value::as_bool)),
    };
    let default = if matches!(location, Location::Query | Location::Cookie) { "form" } else { "simple" };
    let style = style.unwrap_or(default);
    match (location, style, shape) {
        (Location::Query, "form", Shape::Scalar) => Ok(None),
        (Location::Query, "form", _) => Ok((explode == Some(false)).then_some(Style::Form)),
        (Location::Query, "spaceDelimited" | "pipeDelimited", _) if explode == Some(true) => Ok(None),
        (Location::Query, "spaceDelimited" | "pipeDelimited" | "deepObject", _) => {
            Ok(Some(Style::Named(style.to_owned())))
        }
        (_, _, Shape::Object) => Err(format!("an object can't be written in a {location}")),
        (Location::Cookie, "form", Shape::List) if explode != Some(false) => {
            Err("a list can't be written as several cookies".to_owned())
        }
        (_, style, _) if style == default => Ok(None),
        (_, style, _) => Err(format!("nothing in a {location} is written in the style {style}")),
    }
}

/// Swagger's name for a style.
fn collection_format(written: &Value, shape: Shape) -> Result<(Option<&'static str>, Option<bool>), String> {
    if shape != Shape::List {
        return Ok((None, None));
    }
    match written.get("collectionFormat").and_then(Value::as_str) {
        None | Some("csv") => Ok((None, Some(false))),
        Some("multi") => Ok((None, Some(true))),
        Some("ssv") => Ok((Some("spaceDelimited"), Some(false))),
        Some("pipes") => Ok((Some("pipeDelimited"), Some(false))),
        Some(other) => Err(format!("a list can't be written in the format {other}")),
    }
}

/// A document has one parameter of a name. Those of the path come first.
fn without_doubles(read: Vec<Parameter>, chosen: &Chosen<'_>, notes: &mut Notes) -> Result<Vec<Parameter>, String> {
    let mut kept: Vec<Parameter> = Vec::new();
    for parameter in read {
        match kept.iter().find(|known| known.name == parameter.name) {
            None => kept.push(parameter),
            Some(known) => {
                let (name, location) = (&parameter.name, parameter.location);
                let reason = format!("a parameter in: {} has the name {name:?} too", known.location);
                if parameter.required {
                    return Err(format!("it needs {name:?} in: {location}, and {reason}"));
                }
                notes.say(&chosen.place(), format!("parameter {name:?} in: {location} is left out: {reason}"));
            }
        }
    }
    Ok(kept)
}

/// Names what agents have to give, each once.
pub fn name_inputs(parameters: &mut [Parameter]) {
    let mut taken = Taken::default();
    for parameter in parameters.iter_mut() {
        parameter.input = taken.take(&names::input(&parameter.name));
    }
    // What the body is called stands nowhere on the wire, and what a field is called there is said by the form.
    for parameter in parameters.iter_mut().filter(|it| matches!(it.location, Location::Body | Location::Field)) {
        parameter.name.clone_from(&parameter.input);
    }
}
