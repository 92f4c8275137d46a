//! A call's input and the plan's request make an HTTP request. Pure but for the type it returns.

use std::borrow::Cow;

use airlock_sdk::{Failure, http, internal, invalid_input};
use serde_json::Value as Json;

#[cfg(feature = "results")]
use crate::bindings::airlock::capability::plan::Body;
use crate::{
    bindings::airlock::capability::plan::{NamedValue, PathPart, QueryStyle, Request, StepPart, TemplatePart, Value},
    body, encode,
};

pub use crate::input::Input;

/// Makes the request.
///
/// # Errors
/// `invalid-input` for a path value that is absent, empty or would climb, and for text that no header field can carry.
pub fn build(plan: &Request, input: &Input<'_>) -> Result<http::Request, Failure> {
    let mut request = http::Request::new(plan.method.as_str(), url(plan, input)?);
    let mut said = None;
    for header in &plan.headers {
        if let Some(value) = resolve(&header.value, input) {
            let text = header_text(&header.name, &parse(&value)?);
            let text = text.map_err(|it| blame(it, &header.value, input))?;
            match header.name.eq_ignore_ascii_case("content-type") {
                true => said = Some(text),
                false => request = request.header(header.name.as_str(), text),
            }
        }
    }
    if let Some(cookies) = cookies(&plan.cookies, input)? {
        request = request.header("cookie", cookies);
    }
    #[cfg(feature = "results")]
    if let Body::Streamed = plan.body
        && let Some(incoming) = airlock_sdk::body::take()
    {
        let media_type = said.or_else(|| incoming.media_type.clone());
        let request = media_type.into_iter().fold(request, |request, it| request.header("content-type", it));
        return Ok(request.streamed(incoming));
    }
    Ok(match (body::render(&plan.body, input)?, said) {
        (Some(contents), said) => request.body(&content_type(said.as_deref(), &contents), contents.bytes),
        (None, Some(said)) => request.header("content-type", said),
        (None, None) => request,
    })
}

/// The address that it goes to.
///
/// # Errors
/// As [`build`], of path values.
pub fn url(plan: &Request, input: &Input<'_>) -> Result<String, Failure> {
    let mut url = format!("{}://{}", plan.scheme, plan.authority);
    for part in &plan.path {
        match part {
            PathPart::Literal(text) => url.push_str(text),
            PathPart::Value(value) => {
                url.push_str(&path_segment(value, input).map_err(|it| blame(it, value, input))?);
            }
            PathPart::Rest(name) => {
                let value =
                    input.given(name).ok_or_else(|| invalid_input(name, "is part of the path and must be given"))?;
                url.push_str(encode::rest_of_path(name, &encode::text(&parse(value)?))?.as_str());
            }
        }
    }
    let mut query = String::new();
    for parameter in &plan.query {
        if let Some(value) = resolve(&parameter.value, input) {
            let value = parse(&value)?;
            match parameter.style {
                QueryStyle::Verbatim => {
                    let others = plan.query.iter().filter(|it| it.style != QueryStyle::Verbatim);
                    let mut others: Vec<String> = others.map(|it| it.name.clone()).collect();
                    // An object goes out as its members.
                    for it in plan.query.iter().filter(|it| it.style == QueryStyle::FormExploded) {
                        if let Value::Constant(json) = &it.value
                            && let Json::Object(members) = parse(json)?
                        {
                            others.extend(members.into_iter().map(|(key, _)| key));
                        }
                    }
                    encode::append_verbatim(&mut query, &encode::text(&value), &others);
                }
                style => encode::append_query(&mut query, &parameter.name, &value, style),
            }
        }
    }
    url.push_str(&query);
    Ok(url)
}

fn path_segment(value: &Value, input: &Input<'_>) -> Result<String, Failure> {
    let name = input_name(value);
    let value = resolve(value, input).ok_or_else(|| invalid_input(name, "is part of the path and must be given"))?;
    encode::path_segment(name, &parse(&value)?)
}

/// What a step has led to is no fault of the caller's.
fn blame(failure: Failure, value: &Value, input: &Input<'_>) -> Failure {
    match (failure, step_part(value)) {
        (Failure::InvalidInput(error), Some(part)) => {
            let what = format!("{} in the result of step `{}`", part.path, input.name_of(part));
            Failure::Unavailable(format!("{what} {}", error.message))
        }
        (failure, _) => failure,
    }
}

fn step_part(value: &Value) -> Option<&StepPart> {
    match value {
        Value::Step(part) => Some(part),
        Value::Template(parts) => parts.iter().find_map(|part| match part {
            TemplatePart::Step(part) => Some(part),
            TemplatePart::Text(_) | TemplatePart::Input(_) => None,
        }),
        Value::Input(_) | Value::Constant(_) => None,
    }
}

fn cookies(plan: &[NamedValue], input: &Input<'_>) -> Result<Option<String>, Failure> {
    let mut pairs = Vec::new();
    for cookie in plan {
        if let Some(value) = resolve(&cookie.value, input) {
            let value = encode::percent(&encode::text(&parse(&value)?));
            pairs.push(format!("{}={value}", cookie.name));
        }
    }
    Ok((!pairs.is_empty()).then(|| pairs.join("; ")))
}

/// The type that is sent with a body: what a header says, else the body's own. Of a form in parts a header can't know the boundary.
fn content_type(said: Option<&str>, contents: &body::Contents) -> String {
    match (said, &contents.boundary) {
        (None, None) => contents.media_type.clone(),
        (Some(said), None) => said.to_owned(),
        (said, Some(boundary)) => {
            let said =
                said.and_then(|it| it.split(';').next()).map(str::trim).filter(|it| it.starts_with("multipart/"));
            format!("{}; boundary={boundary}", said.unwrap_or(&contents.media_type))
        }
    }
}

/// The value as a JSON text, or `None` where nothing is to be sent: an absent input or null.
pub fn resolve<'a>(value: &'a Value, input: &Input<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::Input(name) => input.given(name).map(Cow::Borrowed),
        Value::Constant(json) => (json != "null").then_some(Cow::Borrowed(json)),
        Value::Template(parts) => template(parts, input).map(|text| Json::from(text).to_string().into()),
        Value::Step(part) => input.led_to(part).map(|value| value.to_string().into()),
    }
}

fn template(parts: &[TemplatePart], input: &Input<'_>) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            TemplatePart::Text(literal) => text.push_str(literal),
            TemplatePart::Input(name) => {
                let value = parse(input.given(name)?).ok()?;
                text.push_str(&encode::text(&value));
            }
            TemplatePart::Step(part) => text.push_str(&encode::text(input.led_to(part)?.as_ref())),
        }
    }
    Some(text)
}

/// The inputs are parts of a JSON text that was parsed, and the compiler wrote the constants: this doesn't fail.
pub(crate) fn parse(json: &str) -> Result<Json, Failure> {
    serde_json::from_str(json).map_err(internal)
}

/// The input that a caller should change when the value is at fault.
pub(crate) fn input_name(value: &Value) -> &str {
    let named = match value {
        Value::Input(name) => Some(name),
        Value::Template(parts) => parts.iter().find_map(|part| match part {
            TemplatePart::Input(name) => Some(name),
            TemplatePart::Text(_) | TemplatePart::Step(_) => None,
        }),
        Value::Constant(_) | Value::Step(_) => None,
    };
    named.map_or("path", String::as_str)
}

/// An array is a comma list in a header (OpenAPI's `simple` style).
fn header_text(name: &str, value: &Json) -> Result<String, Failure> {
    let text = match value {
        Json::Array(items) => items.iter().map(encode::text).collect::<Vec<_>>().join(","),
        other => encode::text(other),
    };
    if text.chars().all(|c| !c.is_control() || c == '\t') {
        return Ok(text);
    }
    Err(invalid_input(name, "goes into a header field and must not hold control characters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(json: &str) -> Input<'_> {
        Input::parse(json).unwrap()
    }

    fn named(name: &str, value: Value) -> NamedValue {
        NamedValue { name: name.to_owned(), value }
    }

    #[test]
    fn absent_and_null_are_not_sent_and_empty_is() {
        let value = Value::Input("a".to_owned());
        for (given, expected) in
            [("{}", None), (r#"{"a": null}"#, None), (r#"{"a": ""}"#, Some("\"\"")), (r#"{"a": 0}"#, Some("0"))]
        {
            assert_eq!(resolve(&value, &input(given)).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_template_with_an_absent_input_is_absent() {
        let value = Value::Template(vec![TemplatePart::Text("id:".to_owned()), TemplatePart::Input("id".to_owned())]);
        let given = input(r#"{"id": 7}"#);
        assert_eq!(resolve(&value, &given).as_deref(), Some("\"id:7\""));
        assert_eq!(resolve(&value, &input("{}")), None);
    }

    #[test]
    fn a_header_says_the_type_of_a_body_but_not_its_boundary() {
        let contents = |boundary: Option<&str>| body::Contents {
            media_type: if boundary.is_some() { "multipart/form-data" } else { "application/json" }.to_owned(),
            boundary: boundary.map(str::to_owned),
            bytes: Vec::new(),
        };
        for (said, boundary, expected) in [
            (None, None, "application/json"),
            (Some("application/vnd.x+json"), None, "application/vnd.x+json"),
            (None, Some("b"), "multipart/form-data; boundary=b"),
            (Some("multipart/mixed; boundary=evil"), Some("b"), "multipart/mixed; boundary=b"),
            (Some("text/plain"), Some("b"), "multipart/form-data; boundary=b"),
        ] {
            assert_eq!(content_type(said, &contents(boundary)), expected, "{said:?}");
        }
    }

    #[test]
    fn a_header_value_cannot_end_its_line() {
        assert_eq!(header_text("x", &json!(["a", 1])).unwrap(), "a,1");
        for bad in ["a\r\nx: y", "a\nb", "\u{0}"] {
            assert!(header_text("x", &json!(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn cookies_are_encoded_and_joined() {
        let given = input(r#"{"a": "1; b=2", "b": true}"#);
        let plan = [
            named("a", Value::Input("a".to_owned())),
            named("none", Value::Input("none".to_owned())),
            named("b", Value::Input("b".to_owned())),
        ];
        let got = cookies(&plan, &given).unwrap().unwrap();
        assert_eq!(got, "a=1%3B%20b%3D2; b=true");
    }
}
