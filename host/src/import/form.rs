//! Request bodies that are forms: each field becomes an input, and the document's `body` says how they are sent.
//!
//! A file is sent as what an agent can give, which is text.

use serde_json::{Map, Value, json};

use super::{
    fit::Wanted,
    names,
    notes::Notes,
    parameter::{Location, Parameter, Shape, keywords_beside, shape},
    place::Place,
    schema::Direction,
    source::Source,
};

/// How deep the schemas lie in each other of which a form is put together. Real ones have one or two levels.
const MAX_DEPTH: usize = 8;

/// The most fields of one form. Real ones have some dozens; each is an input that an agent reads.
const MAX_FIELDS: usize = 300;

/// A form.
#[derive(Clone, Debug)]
pub struct Form {
    /// How it is written.
    pub kind: Kind,
    /// Its fields, in the order of their parameters.
    pub fields: Vec<Field>,
}

/// How a form is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `multipart/form-data`.
    Multipart,
}

/// A field of a form.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: String,
    /// The media type of a part, where one is stated.
    content_type: Option<String>,
    /// Whether it is a file.
    is_file: bool,
}

impl Kind {
    /// The kind that a media type is.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Some(Self::UrlEncoded),
            "multipart/form-data" => Some(Self::Multipart),
            _ => None,
        }
    }
}

impl Form {
    /// The `body` of the consumed operation with these parameters.
    pub fn written(&self, parameters: &[Parameter]) -> Value {
        let inputs =
            parameters.iter().filter(|it| it.location == Location::Field).map(|it| format!("{{{{{}}}}}", it.name));
        let fields = self.fields.iter().zip(inputs);
        match self.kind {
            Kind::UrlEncoded => {
                let data: Map<String, Value> =
                    fields.map(|(field, input)| (field.name.clone(), input.into())).collect();
                json!({"type": "formUrlEncoded", "data": data})
            }
            Kind::Multipart => {
                let data: Vec<Value> = fields.map(|(field, input)| field.part(input)).collect();
                json!({"type": "multipartForm", "data": data})
            }
        }
    }
}

impl Field {
    fn part(&self, input: String) -> Value {
        let mut part = json!({"name": self.name, "value": input});
        if self.is_file {
            // Servers tell files from other fields by this.
            part["filename"] = self.name.as_str().into();
        }
        if let Some(content_type) = &self.content_type {
            part["contentType"] = content_type.as_str().into();
        }
        part
    }
}

/// A field as the description has it.
pub struct Described<'a> {
    /// Its name on the wire.
    pub name: &'a str,
    /// Whether the form can't do without it.
    pub required: bool,
    /// What it may hold.
    pub schema: Value,
    /// Where that stands.
    pub place: Place<'a>,
    /// What stands beside its schema.
    pub keywords: Map<String, Value>,
    /// What `encoding` says about it.
    pub encoding: Option<&'a Value>,
}

/// Makes inputs of a form's fields.
///
/// # Errors
/// Why the operation can't be called: it needs a field that can't be sent.
pub fn make(
    source: &Source,
    kind: Kind,
    described: Vec<Described<'_>>,
    notes: &mut Notes,
) -> Result<(Form, Vec<Parameter>), String> {
    let mut form = Form { kind, fields: Vec::new() };
    let mut parameters = Vec::new();
    for field in described {
        if parameters.len() == MAX_FIELDS {
            return Err(format!("its form has more than {MAX_FIELDS} fields"));
        }
        match read_field(source, kind, &field, notes) {
            Ok(read) => {
                form.fields.push(read);
                parameters.push(parameter(field));
            }
            Err(reason) if field.required => {
                return Err(format!("it needs the form's field {:?}, and {reason}", field.name));
            }
            Err(reason) => notes.say(&field.place, format!("left out: {reason}")),
        }
    }
    match parameters.is_empty() {
        true => Err("it needs a form, of which no field is known".to_owned()),
        false => Ok((form, parameters)),
    }
}

fn parameter(field: Described<'_>) -> Parameter {
    // A dot would stand between a namespace of secrets and a key.
    let name = names::input(&field.name.replace('.', "_"));
    let mut schema = field.schema;
    if schema.get("type").is_some_and(|kind| kind == "file") {
        schema["type"] = "string".into();
    }
    Parameter {
        input: name.clone(),
        name,
        location: Location::Field,
        required: field.required,
        style: None,
        keywords: field.keywords,
        schema: Wanted::new(schema, field.place.to_string(), Direction::Request),
    }
}

fn read_field(source: &Source, kind: Kind, field: &Described<'_>, notes: &mut Notes) -> Result<Field, String> {
    if field.name.is_empty() || field.name.contains(|c: char| c.is_control()) || field.name.contains("{{") {
        return Err("it has no usable name".to_owned());
    }
    let stated = |key: &str| field.encoding.and_then(|encoding| encoding.get(key));
    let shape = shape(source, &field.schema);
    let style = stated("style").and_then(Value::as_str).unwrap_or("form");
    match kind {
        Kind::UrlEncoded if shape == Shape::Object => {
            return Err("an object can't be written in a field of a form".to_owned());
        }
        Kind::UrlEncoded if style != "form" || (shape == Shape::List && stated("explode") == Some(&false.into())) => {
            return Err(format!("no field of a form is written in the style {style} without explode"));
        }
        Kind::Multipart if shape == Shape::List => return Err("a list can't be written as several parts".to_owned()),
        Kind::UrlEncoded | Kind::Multipart => {}
    }
    let is_file = is_file(source, &field.schema);
    if is_file {
        notes.say(&field.place, "a file: what is given for it is sent as text");
    }
    let plain = |text: &&str| !text.contains(|c: char| c == ',' || c == '*' || c.is_control());
    let content_type = stated("contentType").and_then(Value::as_str).filter(plain).map(str::to_owned);
    let content_type = content_type.or_else(|| match (shape, is_file) {
        (Shape::Object, _) => Some("application/json".to_owned()),
        (_, true) => Some("application/octet-stream".to_owned()),
        _ => None,
    });
    Ok(Field { name: field.name.to_owned(), content_type, is_file })
}

/// `type: string, format: binary`; in Swagger `type: file`; in OpenAPI 3.1 whatever has a media type of its own.
fn is_file(source: &Source, schema: &Value) -> bool {
    let Ok((schema, _)) = source.refs().follow(schema, Place::whole("")) else {
        return false;
    };
    let is = |key: &str, value: &str| schema.get(key).is_some_and(|it| it == value);
    is("format", "binary") || is("type", "file") || schema.get("contentMediaType").is_some()
}

/// The fields of a form whose schema is this, those of all that it is put together of.
pub fn described<'a>(
    source: &'a Source,
    media: &'a Value,
    place: &Place<'_>,
    is_required: bool,
    notes: &mut Notes,
) -> Result<Vec<Described<'a>>, String> {
    let mut fields = Vec::new();
    let mut required = Vec::new();
    if let Some(schema) = media.get("schema") {
        collect(source, schema, Place::whole(place.key("schema").to_string()), 0, &mut fields, &mut required, notes)?;
    }
    let encoding = media.get("encoding");
    for field in &mut fields {
        field.required = is_required && required.contains(&field.name);
        field.encoding = encoding.and_then(|encoding| encoding.get(field.name));
    }
    Ok(fields)
}

fn collect<'a>(
    source: &'a Source,
    schema: &'a Value,
    place: Place<'static>,
    depth: usize,
    fields: &mut Vec<Described<'a>>,
    required: &mut Vec<&'a str>,
    notes: &mut Notes,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err("its form is put together of too many schemas".to_owned());
    }
    let (schema, place) = source.refs().follow(schema, place).map_err(|reason| format!("its form: {reason}"))?;
    let here = place.key("properties");
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let is_known = fields.iter().any(|known: &Described| known.name == name);
        if is_known || property.get("readOnly") == Some(&Value::Bool(true)) {
            continue;
        }
        fields.push(Described {
            name,
            required: false,
            schema: property.clone(),
            place: Place::whole(here.key(name).to_string()),
            keywords: Map::new(),
            encoding: None,
        });
    }
    required.extend(schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str));
    for (index, part) in schema.get("allOf").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = Place::whole(place.key("allOf").index(index).to_string());
        collect(source, part, at, depth + 1, fields, required, notes)?;
    }
    for keyword in ["oneOf", "anyOf", "additionalProperties", "patternProperties"] {
        if schema.get(keyword).is_some_and(|it| *it != Value::Bool(false)) {
            notes.left_out(&format!("{keyword} of a form"), &place);
        }
    }
    Ok(())
}

/// A field of a form in Swagger, where it is a parameter.
pub fn of_swagger<'a>(parameter: &'a Value, schema: Value, place: Place<'a>) -> Described<'a> {
    Described {
        name: parameter.get("name").and_then(Value::as_str).unwrap_or_default(),
        required: parameter.get("required") == Some(&Value::Bool(true)),
        schema,
        place,
        keywords: keywords_beside(parameter),
        encoding: None,
    }
}
