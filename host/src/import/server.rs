//! Where an operation's API is: its servers with their variables filled in, or Swagger's host and base path.

use serde_json::Value;

use super::{
    Options,
    notes::Notes,
    select::Chosen,
    source::{Source, Version},
};
use crate::document::BaseUri;

/// The address before the path of an operation.
///
/// # Errors
/// Why it can't be used.
pub fn base(source: &Source, chosen: &Chosen<'_>, options: &Options, notes: &mut Notes) -> Result<String, String> {
    let written = match &options.server {
        Some(given) => given.clone(),
        None if source.version == Version::Swagger2 => of_swagger(source, chosen, options, notes)?,
        None => of_servers(source, chosen, notes),
    };
    let address = match (written.contains("://"), &options.address) {
        (true, _) => written,
        (false, Some(from)) => from.join(&written).map_err(|e| format!("{written}: {e}"))?.to_string(),
        (false, None) => return Err(format!("{written:?} is relative to wherever the description is served")),
    };
    let address = address.trim_end_matches('/');
    match BaseUri::parse(address) {
        Ok(base) => Ok(base.to_url()),
        Err(reason) => Err(format!("{address}: {reason}")),
    }
}

/// The first server of the operation, else of its path, else of the description.
fn of_servers(source: &Source, chosen: &Chosen<'_>, notes: &mut Notes) -> String {
    let lists = [
        (chosen.operation.get("servers"), format!("{}.servers", chosen.place())),
        (chosen.item.get("servers"), format!("{}.servers", chosen.item_place)),
        (source.get("servers"), "servers".to_owned()),
    ];
    let mut found = lists.iter().filter_map(|(list, place)| Some((list.as_ref()?.as_array()?, place)));
    let Some((servers, place)) = found.find(|(servers, _)| !servers.is_empty()) else {
        return "/".to_owned();
    };
    if servers.len() > 1 {
        notes.say(place, "the first is taken; another one can be given with --server");
    }
    let url = servers[0].get("url").and_then(Value::as_str).unwrap_or("/");
    fill(url, &servers[0]["variables"])
}

/// The variables of a server with their defaults; one without stays and can't be used.
fn fill(url: &str, variables: &Value) -> String {
    let mut filled = url.to_owned();
    for (name, variable) in variables.as_object().into_iter().flatten() {
        let text = match variable.get("default") {
            Some(Value::String(text)) => text.clone(),
            Some(other @ (Value::Number(_) | Value::Bool(_))) => other.to_string(),
            _ => continue,
        };
        filled = filled.replace(&format!("{{{name}}}"), &text);
    }
    filled
}

fn of_swagger(source: &Source, chosen: &Chosen<'_>, options: &Options, notes: &mut Notes) -> Result<String, String> {
    let own = chosen.operation.get("schemes").and_then(Value::as_array);
    let schemes = own.or_else(|| source.get("schemes").and_then(Value::as_array));
    let offered: Vec<&str> = schemes.into_iter().flatten().filter_map(Value::as_str).collect();
    let from = options.address.as_ref();
    let scheme = match offered.as_slice() {
        [] => from.map_or("https", |it| it.scheme()),
        all if all.contains(&"https") => "https",
        all if all.contains(&"http") => "http",
        all => return Err(format!("its schemes are {}", all.join(", "))),
    };
    let base_path = source.get("basePath").and_then(Value::as_str).unwrap_or("/");
    let Some(host) = source.get("host").and_then(Value::as_str) else {
        return Ok(base_path.to_owned());
    };
    if schemes.is_none() && from.is_none() {
        notes.say(&"schemes", "there are none: taken as https");
    }
    Ok(format!("{scheme}://{host}/{}", base_path.trim_start_matches('/')))
}
