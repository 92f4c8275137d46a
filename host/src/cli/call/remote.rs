//! `airlock call --url`: an operation of a host that is running, over REST. The host's own OpenAPI document says how it is asked.
//!
//! No redirect is followed and no proxy used: the key goes to the host that is named, and in the clear to this machine alone.

use std::{collections::BTreeMap, net::IpAddr};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use percent_encoding::utf8_percent_encode;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::{answer, answer::Rendering, arguments};
use crate::{
    cli::{Call, CliError},
    config,
    egress::{self, NOT_UNRESERVED},
    grant::Secret,
};

/// The largest OpenAPI document that is read. 64 MB: a host with ten thousand operations has less.
const MAX_OPENAPI: usize = 64 << 20;

pub(super) async fn call(url: &str, args: &Call, rendering: Rendering) -> Result<(), CliError> {
    let host = Running::at(url, args)?;
    let openapi = host.openapi().await?;
    let operation = Operation::find(&openapi, &args.operation)?;
    let input = arguments::read(&operation.properties(), args)?;
    let request = operation.request(&input)?;
    let answer = host.send(request).await?;
    match answer::response_status(answer, rendering).await? {
        status if status >= 400 => Err(CliError::Answered(status)),
        _ => Ok(()),
    }
}

/// A host that is running.
struct Running {
    /// Without a final slash.
    base: String,
    key: Option<Secret>,
}

/// A request to it, without what every request has.
struct Asked {
    method: Method,
    /// Path and query.
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Vec<u8>>,
}

impl Running {
    fn at(url: &str, args: &Call) -> Result<Self, CliError> {
        let wrong = |why: &str| CliError::Usage(format!("--url {url}: {why}; expected such as http://127.0.0.1:8080"));
        let parsed = Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
        let is_plain = matches!(parsed.scheme(), "http" | "https") && parsed.username().is_empty();
        if !is_plain || parsed.password().is_some() || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("not the address of a host"));
        }
        let key = config::caller_key(args.key_file.as_deref()).map_err(|e| CliError::Usage(format!("the key: {e}")))?;
        if key.is_some() && parsed.scheme() == "http" && !is_this_machine(&parsed) {
            return Err(CliError::Usage(format!("--url {url}: the key isn't sent in the clear; expected https")));
        }
        Ok(Self { base: parsed.as_str().trim_end_matches('/').to_owned(), key })
    }

    async fn openapi(&self) -> Result<Value, CliError> {
        let target = "/openapi.json".to_owned();
        let answer = self.send(Asked { method: Method::GET, target, headers: Vec::new(), body: None }).await?;
        if answer.status() != StatusCode::OK {
            let status = answer.status().as_u16();
            answer::response_status(answer, Rendering::Text).await?;
            return Err(CliError::Answered(status));
        }
        let body = Limited::new(answer.into_body(), MAX_OPENAPI).collect().await;
        let body = body.map_err(|e| unreachable(&self.base, e.as_ref()))?.to_bytes();
        serde_json::from_slice(&body)
            .map_err(|e| CliError::Remote(format!("{}/openapi.json: not JSON: {e}; is it Airlock's REST?", self.base)))
    }

    async fn send(
        &self,
        asked: Asked,
    ) -> Result<Response<impl Body<Data = Bytes, Error = CliError> + Unpin>, CliError> {
        let tls = HttpsConnectorBuilder::new().with_tls_config(egress::plain_tls()).https_or_http().enable_http1();
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(tls.build());
        let mut request = Request::builder().method(asked.method).uri(format!("{}{}", self.base, asked.target));
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        if let Some(key) = &self.key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))
                .map_err(|_| CliError::Usage("the key: not a key: it can't be in a header".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if asked.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(asked.body.unwrap_or_default().into());
        let request = request.map_err(|e| CliError::Usage(format!("the request can't be made: {e}")))?;
        let base = self.base.clone();
        let answer = client.request(request).await.map_err(|e| unreachable(&base, &e))?;
        Ok(answer.map(|body| body.map_err(move |e| unreachable(&base, &e))))
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

fn unreachable(base: &str, error: &dyn std::error::Error) -> CliError {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    CliError::Remote(format!("{base}: {causes}"))
}

/// An operation as the OpenAPI document has it.
struct Operation<'a> {
    openapi: &'a Value,
    method: Method,
    path: &'a str,
    parameters: Vec<&'a Value>,
    /// The schema of its body.
    body: Option<&'a Value>,
}

impl<'a> Operation<'a> {
    fn find(openapi: &'a Value, wanted: &str) -> Result<Self, CliError> {
        let named = named(openapi);
        let short = |name: &str| name.split_once('.').is_some_and(|(_, operation)| operation == wanted);
        let found: Vec<_> = match named.get_key_value(wanted) {
            Some(exact) => vec![exact],
            None => named.iter().filter(|(name, _)| short(name)).collect(),
        };
        let names = |of: &mut dyn Iterator<Item = &&str>| of.copied().collect::<Vec<_>>().join(", ");
        match found.as_slice() {
            [(_, (path, method, operation))] => Self::of(openapi, path, method, operation),
            [] => {
                let all = names(&mut named.keys());
                Err(CliError::Usage(format!("no such operation over REST: {wanted}; there are: {all}")))
            }
            several => {
                let several = names(&mut several.iter().map(|(name, _)| *name));
                Err(CliError::Usage(format!("several plugins have such an operation: {wanted}; say which: {several}")))
            }
        }
    }

    fn of(openapi: &'a Value, path: &'a str, method: &str, operation: &'a Value) -> Result<Self, CliError> {
        let method = Method::from_bytes(method.to_uppercase().as_bytes())
            .map_err(|_| CliError::Remote(format!("openapi.json has an operation without a method: {path}")))?;
        let parameters = operation["parameters"].as_array().into_iter().flatten().collect();
        let body = operation["requestBody"]["content"]["application/json"].get("schema");
        let body = body.map(|schema| resolved(openapi, schema));
        Ok(Self { openapi, method, path, parameters, body })
    }

    /// The schemas of everything that it can be given, by name.
    fn properties(&self) -> Value {
        let mut properties = Map::new();
        if let Some(body) = self.body {
            // Given whole under any name that isn't one of its members.
            properties.insert("body".to_owned(), body.clone());
            properties.extend(
                self.members()
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.clone(), resolved(self.openapi, schema).clone())),
            );
        }
        for parameter in &self.parameters {
            let schema = parameter.get("schema").unwrap_or(&parameter["content"]["application/json"]["schema"]);
            properties.insert(name_of(parameter).to_owned(), resolved(self.openapi, schema).clone());
        }
        properties.into()
    }

    fn members(&self) -> Option<&'a Map<String, Value>> {
        self.body?["properties"].as_object()
    }

    fn request(&self, input: &Value) -> Result<Asked, CliError> {
        let mut rest = input.as_object().cloned().unwrap_or_default();
        let (mut path, mut query, mut cookies, mut headers) =
            (self.path.to_owned(), Vec::new(), Vec::new(), Vec::new());
        for parameter in &self.parameters {
            let name = name_of(parameter);
            let Some(value) = take(&mut rest, parameter).filter(|value| !value.is_null()) else {
                continue;
            };
            let text = || encoded(&joined(&value));
            match parameter["in"].as_str() {
                Some("path") => path = path.replace(&format!("{{{name}}}"), &text()),
                Some("query") => {
                    query.extend(each(&value).map(|it| format!("{}={}", encoded(name), encoded(&plain(it)))))
                }
                Some("cookie") => cookies.push(format!("{name}={}", text())),
                _ => headers.push(field(name, &joined(&value))?),
            }
        }
        if let Some(start) = path.find('{') {
            return Err(CliError::Usage(format!("an input is missing: {}", &path[start..])));
        }
        if !cookies.is_empty() {
            headers.push(field("cookie", &cookies.join("; "))?);
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let body = self.body_of(rest)?;
        Ok(Asked { method: self.method.clone(), target: path + &query, headers, body })
    }

    /// What is left after the parameters: the body whole, or its members.
    fn body_of(&self, rest: Map<String, Value>) -> Result<Option<Vec<u8>>, CliError> {
        let is_member = |name: &String| self.members().is_some_and(|members| members.contains_key(name));
        let whole = rest.len() == 1 && !rest.keys().all(is_member);
        match (self.body, rest) {
            (_, rest) if rest.is_empty() => Ok(None),
            (None, rest) => {
                let names: Vec<&str> = rest.keys().map(String::as_str).collect();
                Err(CliError::Usage(format!("no such input: {}", names.join(", "))))
            }
            (Some(_), rest) if whole => Ok(rest.values().next().map(|value| value.to_string().into_bytes())),
            (Some(_), rest) => Ok(Some(Value::Object(rest).to_string().into_bytes())),
        }
    }
}

/// All operations, by their names.
fn named(openapi: &Value) -> BTreeMap<&str, (&str, &str, &Value)> {
    let paths = openapi["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.filter_map(move |(method, operation)| {
            Some((operation["operationId"].as_str()?, (path.as_str(), method.as_str(), operation)))
        })
    });
    operations.collect()
}

/// The value of a parameter. A variable of the path may be written a little differently from the input that it is.
fn take(input: &mut Map<String, Value>, parameter: &Value) -> Option<Value> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let name = name_of(parameter);
    let near = || input.keys().find(|key| parameter["in"] == "path" && plain(key) == plain(name)).cloned();
    let key = if input.contains_key(name) { name.to_owned() } else { near()? };
    input.remove(&key)
}

fn name_of(parameter: &Value) -> &str {
    parameter["name"].as_str().unwrap_or_default()
}

/// A schema, or what it refers to. References of references are followed as far as real documents have them.
fn resolved<'a>(openapi: &'a Value, schema: &'a Value) -> &'a Value {
    let next = |schema: &&'a Value| openapi.pointer(schema["$ref"].as_str()?.strip_prefix('#')?);
    std::iter::successors(Some(schema), next).take(8).last().unwrap_or(schema)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NOT_UNRESERVED).to_string()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        other => std::slice::from_ref(other).iter(),
    }
}

fn joined(value: &Value) -> String {
    each(value).map(plain).collect::<Vec<_>>().join(",")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), CliError> {
    let named = HeaderName::try_from(name).ok().zip(HeaderValue::from_str(value).ok());
    named.ok_or_else(|| CliError::Usage(format!("{name}: the value can't be in a header")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn openapi() -> Value {
        let parameter =
            |name: &str, place: &str, kind: &str| json!({"name": name, "in": place, "schema": {"type": kind}});
        json!({
            "paths": {
                "/v1/{id}": {"put": {
                    "operationId": "things.put",
                    "parameters": [
                        parameter("id", "path", "string"),
                        parameter("tags", "query", "array"),
                        parameter("X-Trace", "header", "string"),
                        parameter("lang", "cookie", "string"),
                    ],
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/b"}}}},
                }},
                "/v2": {"get": {"operationId": "things.list"}},
                "/v3": {"get": {"operationId": "others.list"}},
            },
            "components": {"schemas": {"b": {"type": "object", "properties": {"n": {"type": "integer"}}}}},
        })
    }

    #[test]
    fn a_request_is_made_as_the_document_says() {
        let openapi = openapi();
        let put = Operation::find(&openapi, "put").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(put.properties()["n"], json!({"type": "integer"}));
        let input = json!({"id": "a/b", "tags": ["x", "y z"], "X-Trace": "t", "lang": "de", "n": 1});
        let asked = put.request(&input).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("PUT", "/v1/a%2Fb?tags=x&tags=y%20z"));
        let headers: Vec<_> =
            asked.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(headers, ["x-trace: t", "cookie: lang=de"]);
        assert_eq!(asked.body.as_deref(), Some(&b"{\"n\":1}"[..]));
        let whole = put.request(&json!({"I_d": "1", "body": {"n": 2}})).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(whole.body.as_deref(), Some(&b"{\"n\":2}"[..]));
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        let openapi = openapi();
        let told = |wanted: &str, input: Value| {
            let asked = Operation::find(&openapi, wanted).and_then(|operation| operation.request(&input));
            asked.map(|_| ()).unwrap_err().to_string()
        };
        assert!(told("list", json!({})).contains("say which: others.list, things.list"));
        assert!(told("nothing", json!({})).contains("there are: others.list, things.list, things.put"));
        assert!(told("things.list", json!({"x": 1})).contains("no such input: x"));
        assert!(told("put", json!({})).contains("an input is missing: {id}"));
    }
}
