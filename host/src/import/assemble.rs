//! Operations -> the text of a capability document: the API as it is described, and all of it exposed, over REST and as tools.
//!
//! Inputs have the names of the parameters, so that `with` is written only where an agent couldn't be given such a name.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    ImportError, Options, flatten,
    names::{self, Taken},
    notes::Notes,
    operation::{Api, Operation},
    schema::tidy,
    security::Credentials,
    source::Source,
    yaml,
};

/// The largest document, as the compiler has it.
const MAX_DOCUMENT: usize = crate::document::MAX_SOURCE_BYTES;

/// Writes the document.
///
/// # Errors
/// It would be larger than a document may be.
pub fn document(
    source: &Source,
    namespace: &str,
    apis: &[Api],
    credentials: &[Credentials],
    options: &Options,
    notes: &mut Notes,
) -> Result<String, ImportError> {
    let apis: Vec<(&Api, &Credentials)> =
        apis.iter().zip(credentials).filter(|(api, _)| !api.operations.is_empty()).collect();
    let title = Some(source.title()).filter(|it| !it.is_empty()).unwrap_or(namespace);
    let told = source.get("info").and_then(|info| info.get("description").or_else(|| info.get("summary")));
    let told = told.and_then(Value::as_str).map(tidy).filter(|it| !it.is_empty());
    let mut document = json!({
        "naftiko": "1.0.0-alpha2",
        "info": {"label": tidy(title), "description": told.unwrap_or_else(|| tidy(title))},
    });
    let mut secrets = Map::new();
    for name in apis.iter().flat_map(|(_, credentials)| &credentials.secrets) {
        secrets.insert(name.clone(), name.as_str().into());
    }
    if !secrets.is_empty() {
        document["binds"] = json!([{"namespace": "env", "keys": secrets}]);
    }
    let consumes: Vec<Value> = apis.iter().map(|(api, credentials)| consumes(api, credentials, notes)).collect();
    let operations = || apis.iter().flat_map(|(api, _)| api.operations.iter().map(|it| (*api, it)));
    document["capability"] = json!({
        "consumes": consumes,
        "exposes": [rest(namespace, operations()), mcp(namespace, operations())],
    });
    let text = format!("{}{}", comment(source, options), yaml::write(&document));
    match text.len() {
        0..=MAX_DOCUMENT => Ok(text),
        many => Err(ImportError::TooMuch(format!("{many} bytes; expected at most {MAX_DOCUMENT}"))),
    }
}

fn comment(source: &Source, options: &Options) -> String {
    let version = source.get("info").and_then(|info| info.get("version")).and_then(Value::as_str).unwrap_or_default();
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(200).collect::<String>();
    let about = format!("{} {}", source.title(), version);
    format!(
        "# Imported from {} ({}: {}) by `airlock import openapi`.\n\
         # `capability.consumes` is the API as it is described, `capability.exposes` what a host offers of it. Change it as you like.\n",
        plain(&options.origin),
        source.version.name(),
        plain(about.trim())
    )
}

fn consumes(api: &Api, credentials: &Credentials, notes: &mut Notes) -> Value {
    let mut written = json!({"type": "http", "namespace": api.namespace, "baseUri": api.base});
    if let Some(authentication) = &credentials.authentication {
        written["authentication"] = authentication.clone();
    }
    if !credentials.parameters.is_empty() {
        written["inputParameters"] = credentials.parameters.clone().into();
    }
    let mut names = Taken::default();
    let mut resources: Vec<(String, Vec<Value>)> = Vec::new();
    for operation in &api.operations {
        let operation_text = consumed(operation, notes);
        match resources.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, operations)) => operations.push(operation_text),
            None => resources.push((operation.path.clone(), vec![operation_text])),
        }
    }
    let resources = resources.into_iter().map(
        |(path, operations)| json!({"name": names.take(&resource_name(&path)), "path": path, "operations": operations}),
    );
    written["resources"] = resources.collect();
    written
}

fn resource_name(path: &str) -> String {
    names::kebab(path).unwrap_or_else(|| "root".to_owned())
}

fn consumed(operation: &Operation, notes: &mut Notes) -> Value {
    let mut written = json!({"name": operation.name, "method": operation.method});
    if let Some(title) = &operation.title {
        written["label"] = title.as_str().into();
    }
    let parameters = operation.parameters.iter().map(|it| flatten::parameter(it, &operation.place, notes));
    let parameters: Vec<Value> = parameters.collect();
    if !parameters.is_empty() {
        written["inputParameters"] = parameters.into();
    }
    if let Some(form) = &operation.form {
        written["body"] = form.written(&operation.parameters);
    }
    if let Some(output) = &operation.output {
        written["outputSchema"] = Value::Object(output.rendered.clone());
    }
    written
}

fn rest<'a>(namespace: &str, operations: impl Iterator<Item = (&'a Api, &'a Operation)>) -> Value {
    let mut routes = HashSet::new();
    let mut names = Taken::default();
    let mut resources: Vec<(String, Vec<Value>)> = Vec::new();
    for (api, operation) in operations {
        let mut path = exposed_path(namespace, &operation.path);
        // Two paths that differ in what isn't kept of them, or the same one of two APIs.
        if !routes.insert((operation.method.clone(), shape(&path))) {
            path = format!("{path}/{}", operation.name);
            routes.insert((operation.method.clone(), shape(&path)));
        }
        let mut written = json!({"method": operation.method, "name": operation.name, "call": call(api, operation)});
        if let Some(with) = with("rest", operation) {
            written["with"] = with;
        }
        match resources.iter_mut().find(|(known, _)| *known == path) {
            Some((_, operations)) => operations.push(written),
            None => resources.push((path, vec![written])),
        }
    }
    let resources = resources.into_iter().map(
        |(path, operations)| json!({"path": path, "name": names.take(&resource_name(&path)), "operations": operations}),
    );
    let resources: Vec<Value> = resources.collect();
    json!({"type": "rest", "namespace": format!("{namespace}-rest"), "port": 8080, "resources": resources})
}

fn mcp<'a>(namespace: &str, operations: impl Iterator<Item = (&'a Api, &'a Operation)>) -> Value {
    let tools = operations.map(|(api, operation)| {
        let mut written = json!({
            "name": operation.name, "description": operation.description, "call": call(api, operation),
        });
        if let Some(with) = with("tools", operation) {
            written["with"] = with;
        }
        written
    });
    let tools: Vec<Value> = tools.collect();
    json!({"type": "mcp", "namespace": format!("{namespace}-mcp"), "port": 9090, "transport": "http", "tools": tools})
}

fn call(api: &Api, operation: &Operation) -> String {
    format!("{}.{}", api.namespace, operation.name)
}

/// What feeds each parameter, where an input can't be called as its parameter is.
fn with(door: &str, operation: &Operation) -> Option<Value> {
    let differs = operation.parameters.iter().any(|it| it.input != it.name);
    let fed = operation.parameters.iter().map(|it| (it.name.clone(), format!("{door}.{}", it.input).into()));
    differs.then(|| Value::Object(fed.collect()))
}

/// The path below the namespace, so that no other document has it, each variable once and a whole segment.
fn exposed_path(namespace: &str, path: &str) -> String {
    let mut exposed = format!("/{namespace}");
    let mut known: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|it| !it.is_empty()) {
        let mut rest = segment;
        while !rest.is_empty() {
            let (part, after) = match (rest.starts_with('{'), rest.find(['{', '}'])) {
                (true, _) => rest.split_at(rest.find('}').map_or(rest.len(), |at| at + 1)),
                (false, Some(at)) => rest.split_at(at.max(1)),
                (false, None) => (rest, ""),
            };
            // Only beside a variable is punctuation no more than that.
            let part = if part.len() == segment.len() {
                part
            } else {
                part.trim_matches(|c: char| ".:;,-_~@=()'".contains(c))
            };
            if part.starts_with('{') && known.contains(&part) {
                rest = after;
                continue;
            }
            if part.starts_with('{') {
                known.push(part);
            }
            if !part.is_empty() {
                exposed.push('/');
                exposed.push_str(part);
            }
            rest = after;
        }
    }
    exposed
}

fn shape(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').map(|it| if it.starts_with('{') { "{}" } else { it }).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposed_paths_have_whole_segments() {
        for (path, expected) in [
            ("/users/{id}", "/ns/users/{id}"),
            ("/", "/ns"),
            ("/users/", "/ns/users"),
            ("/files/{name}.json", "/ns/files/{name}/json"),
            ("/{a}-{b}/x", "/ns/{a}/{b}/x"),
            ("/v1/{name}:cancel", "/ns/v1/{name}/cancel"),
            ("/a/{id}/b/{id}", "/ns/a/{id}/b"),
            ("/.well-known/x", "/ns/.well-known/x"),
        ] {
            assert_eq!(exposed_path("ns", path), expected, "{path}");
        }
    }
}
