//! The request body: JSON, as one input that is the whole of it, the same over REST as in the API's own reference; or a form.
//!
//! The members of JSON aren't made inputs of their own: they could be called as another parameter is, a schema may allow members that it
//! doesn't name, and what holds for several of them together would be lost.

use serde_json::{Map, Value};

use super::{
    fit::Wanted,
    form::{self, Form, Kind},
    notes::Notes,
    parameter::{Location, Parameter, keywords_beside, schema_of},
    place::Place,
    response::is_json,
    schema::Direction,
    select::Chosen,
    source::{Source, Version},
};

/// What an operation takes in its body.
#[derive(Debug, Default)]
pub struct Body {
    /// The inputs.
    pub parameters: Vec<Parameter>,
    /// How they are sent, if not as JSON.
    pub form: Option<Form>,
}

impl From<Parameter> for Body {
    fn from(json: Parameter) -> Self {
        Self { parameters: vec![json], form: None }
    }
}

impl From<(Form, Vec<Parameter>)> for Body {
    fn from((form, parameters): (Form, Vec<Parameter>)) -> Self {
        Self { parameters, form: Some(form) }
    }
}

/// Reads the body of an operation.
///
/// # Errors
/// Why the operation can't be called: it needs a body that can't be sent.
pub fn read(source: &Source, chosen: &Chosen<'_>, notes: &mut Notes) -> Result<Body, String> {
    match source.version {
        Version::Swagger2 => read_swagger(source, chosen, notes),
        Version::OpenApi30 | Version::OpenApi31 => read_request_body(source, chosen, notes),
    }
}

fn read_request_body(source: &Source, chosen: &Chosen<'_>, notes: &mut Notes) -> Result<Body, String> {
    let Some(body) = chosen.operation.get("requestBody") else {
        return Ok(Body::default());
    };
    let place = Place::whole(format!("{}.requestBody", chosen.place()));
    let (body, place) = source.refs().follow(body, place).map_err(|reason| format!("its body: {reason}"))?;
    let is_required = body.get("required") == Some(&Value::Bool(true));
    let here = place.key("content");
    let kinds = body.get("content").and_then(Value::as_object);
    let kinds: Vec<(&String, &Value)> = kinds.into_iter().flatten().collect();
    let Some((kind, media)) = kinds.iter().find(|(kind, _)| is_json(kind)) else {
        if let Some((name, kind, media)) = kinds.iter().find_map(|(name, media)| Some((name, Kind::of(name)?, media))) {
            for (other, _) in kinds.iter().filter(|(other, _)| other != name) {
                notes.left_out(&format!("a body of type {other}, beside the one that is a form"), &here);
            }
            let fields = form::described(source, media, &here.key(name), is_required, notes);
            return form_or_none(
                fields.and_then(|fields| form::make(source, kind, fields, notes)),
                is_required,
                &here,
                notes,
            );
        }
        let names: Vec<&str> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
        return unsendable(is_required, &names.join(", "), &here, notes);
    };
    for (other, _) in kinds.iter().filter(|(other, _)| other != kind) {
        notes.left_out(&format!("a body of type {other}, beside the one that is JSON"), &here);
    }
    if !matches!(kind.as_str(), "application/json" | "*/*" | "application/*") {
        notes.say(&here.key(kind), "sent as application/json");
    }
    let at = here.key(kind);
    let schema = media.get("schema").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let mut keywords = keywords_beside(media);
    if let Some(text) = body.get("description").and_then(Value::as_str) {
        keywords.insert("description".to_owned(), text.into());
    }
    Ok(whole(is_required, keywords, Wanted::new(schema, at.key("schema").to_string(), Direction::Request)).into())
}

fn read_swagger(source: &Source, chosen: &Chosen<'_>, notes: &mut Notes) -> Result<Body, String> {
    let kinds = chosen.operation.get("consumes").or_else(|| source.get("consumes")).and_then(Value::as_array);
    let kinds: Vec<&str> = kinds.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut body = Body::default();
    let mut fields = Vec::new();
    for (parameter, place) in super::parameter::all(source, chosen, notes) {
        let place = Place::whole(place);
        let is_required = parameter.get("required") == Some(&Value::Bool(true));
        match parameter.get("in").and_then(Value::as_str) {
            Some("formData") => {
                let schema = schema_of(source, parameter, &place, notes).schema;
                fields.push(form::of_swagger(parameter, schema, place));
            }
            Some("body") => {
                if !kinds.is_empty() && !kinds.iter().any(|it| is_json(it)) {
                    return unsendable(is_required, &kinds.join(", "), &place, notes);
                }
                let schema = parameter.get("schema").cloned().unwrap_or_else(|| Value::Object(Map::new()));
                let wanted = Wanted::new(schema, place.key("schema").to_string(), Direction::Request);
                body = whole(is_required, keywords_beside(parameter), wanted).into();
            }
            _ => {}
        }
    }
    if fields.is_empty() {
        return Ok(body);
    }
    // A form with a file is of the other kind, whatever it is said to be.
    let has_file = fields.iter().any(|it| it.schema.get("type").is_some_and(|kind| kind == "file"));
    let stated = kinds.iter().find_map(|kind| Kind::of(kind));
    let kind = if has_file { Kind::Multipart } else { stated.unwrap_or(Kind::UrlEncoded) };
    Ok(form::make(source, kind, fields, notes)?.into())
}

/// A form that can't be sent is left out where it needn't be sent.
fn form_or_none(
    form: Result<(Form, Vec<Parameter>), String>,
    is_required: bool,
    place: &Place<'_>,
    notes: &mut Notes,
) -> Result<Body, String> {
    match form {
        Ok(form) => Ok(form.into()),
        Err(reason) if is_required => Err(reason),
        Err(reason) => {
            notes.say(place, format!("body left out: {reason}"));
            Ok(Body::default())
        }
    }
}

fn whole(required: bool, keywords: Map<String, Value>, schema: Wanted) -> Parameter {
    let name = "body".to_owned();
    Parameter { input: name.clone(), name, location: Location::Body, required, style: None, keywords, schema }
}

fn unsendable(is_required: bool, kind: &str, place: &Place<'_>, notes: &mut Notes) -> Result<Body, String> {
    match is_required {
        true => Err(format!("it needs a body that is neither JSON nor a form: {kind}")),
        false => {
            notes.say(place, format!("body left out: it is neither JSON nor a form: {kind}"));
            Ok(Body::default())
        }
    }
}
