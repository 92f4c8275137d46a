//! Is it a component of our contract, and does its description keep the contract's rules? Pure.
//!
//! It doesn't run anything, and it doesn't look at grants.

use std::collections::{BTreeMap, HashSet};

use wit_component::DecodedWasm;
use wit_parser::{IndexMap, WorldItem, WorldKey};

use crate::contract::{
    Description, Extent, Location, MAX_NAME, NAME_RULE, Operation, Route, Upstream, is_name, is_reserved, variable,
};

/// What a plugin must export.
const PROVIDER: &str = "airlock:capability/provider@0.1.0";

/// What the host offers, by package and interface; any 0.2 version, as WASI's are compatible with each other.
const OFFERED: [(&str, &[&str]); 6] = [
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["types", "preopens"]),
    ("wasi:http", &["types", "outgoing-handler"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
];

/// The methods that a route can have: those that HTTP defines for a resource's own operations.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// How many operations one plugin may offer. The largest APIs have a few thousand; more is a mistake of a generator.
const MAX_OPERATIONS: usize = 10_000;

/// How a component or its description breaks the contract, for the author of the plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractFault {
    /// The bytes are something else.
    #[error("not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// A component of another world.
    #[error("a component of another world: it does not export {PROVIDER}; it exports: {}", list(.0))]
    OtherWorld(Vec<String>),
    /// It needs what no host offers.
    #[error(
        "it imports what no host offers: {}; a capability gets wasi:http/outgoing-handler and what its language's standard \
         library needs to start, see wit/README.md", list(.0)
    )]
    Imports(Vec<String>),
    /// The description breaks a rule.
    #[error("{place}: {problem}")]
    Description {
        /// Where, e.g. `operation getuser`.
        place: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

/// What a component imports and exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The names of the imports.
    pub imports: Vec<String>,
    /// The names of the exports.
    pub exports: Vec<String>,
}

/// Reads what a component imports and exports, and checks both against the contract.
///
/// # Errors
/// It isn't a component, doesn't export the provider, or imports what isn't offered.
pub fn inspect(wasm: &[u8]) -> Result<World, ContractFault> {
    let world = decode(wasm)?;
    if !world.exports.iter().any(|export| export == PROVIDER) {
        return Err(ContractFault::OtherWorld(world.exports));
    }
    let unknown: Vec<String> = world.imports.iter().filter(|it| !is_offered(it)).cloned().collect();
    if !unknown.is_empty() {
        return Err(ContractFault::Imports(unknown));
    }
    Ok(world)
}

type WorldItems = IndexMap<WorldKey, WorldItem>;

fn decode(wasm: &[u8]) -> Result<World, ContractFault> {
    /// A core module begins like this, a component with another layer in the last two bytes.
    const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if wasm.starts_with(CORE_MODULE) {
        return Err(ContractFault::NotAComponent(
            "it is a core module; build for wasm32-wasip2, or wrap it with `wasm-tools component new`".to_owned(),
        ));
    }
    let not_a_component = |e: String| ContractFault::NotAComponent(e);
    match wit_component::decode(wasm).map_err(|e| not_a_component(format!("{e:#}")))? {
        DecodedWasm::WitPackage(..) => Err(not_a_component("it is a WIT package".to_owned())),
        DecodedWasm::Component(resolve, world) => {
            let world = &resolve.worlds[world];
            // A type that the world uses isn't something that it gets from or gives to anyone.
            let names = |items: &WorldItems| {
                let items = items.iter().filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
                items.map(|(key, _)| resolve.name_world_key(key)).collect()
            };
            Ok(World { imports: names(&world.imports), exports: names(&world.exports) })
        }
    }
}

/// `wasi:http/types@0.2.12` and the like.
fn is_offered(import: &str) -> bool {
    let Some((package, rest)) = import.split_once('/') else {
        return false;
    };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    if package == "airlock:capability" {
        return matches!(interface, "types" | "plan" | "fetch" | "events" | "dialogue" | "body");
    }
    version.starts_with("0.2.")
        && OFFERED.iter().any(|(offered, interfaces)| *offered == package && interfaces.contains(&interface))
}

/// Checks a description against the rules of `wit/types.wit` that a type can't express.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(it: &Description) -> Result<(), ContractFault> {
    if it.operations.len() > MAX_OPERATIONS {
        return Err(fault(
            "description",
            format!("at most {MAX_OPERATIONS} operations are allowed: {}", it.operations.len()),
        ));
    }
    unique("operation", it.operations.iter().map(|op| op.name.as_str()))?;
    unique("tool", it.operations.iter().filter_map(|op| op.tool.as_deref()))?;
    it.operations.iter().try_for_each(check_operation)?;
    check_routes(&it.operations)?;
    it.upstreams.iter().try_for_each(check_upstream)
}

fn check_operation(it: &Operation) -> Result<(), ContractFault> {
    let place = format!("operation {}", it.name);
    check_name(&place, &it.name)?;
    if let Some(tool) = &it.tool {
        check_name(&place, tool)?;
    }
    if it.input_schema.get("type").and_then(|t| t.as_str()) != Some("object") {
        return Err(fault(&place, "its input schema must have \"type\": \"object\""));
    }
    match &it.route {
        Some(route) => check_route(&place, it, route),
        None => Ok(()),
    }
}

fn check_name(place: &str, name: &str) -> Result<(), ContractFault> {
    if is_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(MAX_NAME).collect();
    Err(fault(place, format!("a name must be {NAME_RULE}: {shown:?}")))
}

fn check_route(place: &str, operation: &Operation, route: &Route) -> Result<(), ContractFault> {
    if !METHODS.contains(&route.method.as_str()) {
        return Err(fault(place, format!("a route's method must be one of {}: {}", METHODS.join(", "), route.method)));
    }
    let variables = variables(place, &route.path)?;
    if is_reserved(&route.path) {
        return Err(fault(place, format!("the path is one of the host's own, choose another: {}", route.path)));
    }
    unique(&format!("{place}, path variable"), variables.iter().copied())?;
    let filled: HashSet<&str> = route
        .parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Path)
        .map(|parameter| parameter.name.as_str())
        .collect();
    if let Some(unused) = variables.iter().find(|variable| !filled.contains(**variable)) {
        return Err(fault(place, format!("path variable fills no input: {unused}")));
    }
    let properties = operation.input_schema.get("properties");
    for parameter in &route.parameters {
        if parameter.location == Location::Path && !variables.contains(&parameter.name.as_str()) {
            return Err(fault(place, format!("the path has no such variable: {}", parameter.name)));
        }
        if parameter.location == Location::RawBody {
            check_raw_body(place, operation, route)?;
            continue;
        }
        if parameter.location == Location::RawQuery && route.has(Location::Query) {
            return Err(fault(place, "a query is raw or fills inputs, not both"));
        }
        if properties.and_then(|all| all.get(&parameter.input)).is_none() {
            return Err(fault(place, format!("the input schema has no such property: {}", parameter.input)));
        }
    }
    Ok(())
}

/// Bytes of any type are nothing that a tool could be given, nor JSON at the same time.
fn check_raw_body(place: &str, operation: &Operation, route: &Route) -> Result<(), ContractFault> {
    if operation.tool.is_some() {
        return Err(fault(place, "what takes a raw body can't be a tool"));
    }
    if route.has(Location::Body) || route.has(Location::BodyMember) {
        return Err(fault(place, "a body is raw or fills inputs, not both"));
    }
    Ok(())
}

fn variables<'a>(place: &str, path: &'a str) -> Result<Vec<&'a str>, ContractFault> {
    let wrong = |why: &str| fault(place, format!("{why}: {path}"));
    let Some(rest) = path.strip_prefix('/') else {
        return Err(wrong("a route's path must begin with a slash"));
    };
    let mut variables = Vec::new();
    let mut ended = false;
    for segment in rest.split('/') {
        if ended {
            return Err(wrong("a variable for all that remains must be the last segment"));
        }
        match variable(segment) {
            Some((name, extent)) if !name.is_empty() && !name.contains(['{', '}', '*']) => {
                ended = extent == Extent::Rest;
                variables.push(name);
            }
            None if !segment.contains(['{', '}', '?', '#']) && segment.is_ascii() => {}
            _ => return Err(wrong("a segment must be a variable, {name}, or plain text")),
        }
    }
    if ended && variables.len() > 1 {
        return Err(wrong("a variable for all that remains must be the only one"));
    }
    Ok(variables)
}

fn check_routes(operations: &[Operation]) -> Result<(), ContractFault> {
    let mut served: BTreeMap<(&str, String), &str> = BTreeMap::new();
    for operation in operations {
        let Some(route) = &operation.route else {
            continue;
        };
        let shape = route
            .path
            .split('/')
            .map(|segment| match variable(segment) {
                Some((_, Extent::Segment)) => "{}",
                Some((_, Extent::Rest)) => "{*}",
                None => segment,
            })
            .collect::<Vec<_>>()
            .join("/");
        if let Some(other) = served.insert((&route.method, shape), &operation.name) {
            return Err(fault(
                &format!("operation {}", operation.name),
                format!("{} {} is the route of operation {other} already", route.method, route.path),
            ));
        }
    }
    Ok(())
}

fn check_upstream(it: &Upstream) -> Result<(), ContractFault> {
    match crate::grant::Pattern::parse(&it.base_url) {
        Ok(_) => Ok(()),
        Err(e) => Err(fault(&format!("upstream {}", it.base_url), e.to_string())),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), ContractFault> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(fault(&format!("{what} {name}"), "the name is used twice"));
        }
    }
    Ok(())
}

fn fault(place: &str, problem: impl Into<String>) -> ContractFault {
    ContractFault::Description { place: place.to_owned(), problem: problem.into() }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Audience, Effects, Parameter};
    use serde_json::json;

    fn operation(name: &str, method: &str, path: &str) -> Operation {
        let variables = path
            .split('/')
            .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| name.trim_start_matches('*'));
        let parameters: Vec<Parameter> = variables
            .map(|name| Parameter { input: "id".to_owned(), location: Location::Path, name: name.to_owned() })
            .collect();
        Operation {
            name: name.to_owned(),
            title: None,
            description: String::new(),
            input_schema: json!({"type": "object", "properties": {"id": {"type": "string"}}}),
            output_schema: None,
            effects: Effects { read_only: true, destructive: false, idempotent: true, open_world: true },
            audience: Audience::Anyone,
            route: Some(Route { method: method.to_owned(), path: path.to_owned(), parameters }),
            tool: Some(name.to_owned()),
        }
    }

    fn description(operations: Vec<Operation>) -> Description {
        Description { title: String::new(), summary: String::new(), operations, upstreams: vec![] }
    }

    #[test]
    fn good_descriptions_pass() {
        let good = vec![
            operation("list", "GET", "/v1/users"),
            operation("get", "GET", "/v1/users/{id}"),
            operation("delete", "DELETE", "/v1/users/{id}"),
            operation("me", "GET", "/v1/users/me"),
            operation("docs", "GET", "/docs-of-mine"),
            operation("rest", "GET", "/v1/users/{*id}"),
        ];
        assert_eq!(check(&description(good)), Ok(()));
    }

    #[test]
    fn each_broken_rule_is_named() {
        let mut other_schema = operation("a", "GET", "/a");
        other_schema.input_schema = json!({"type": "string"});
        let mut raw_tool = operation("a", "PUT", "/a");
        let raw = Parameter { input: String::new(), location: Location::RawBody, name: String::new() };
        raw_tool.route.as_mut().unwrap().parameters.push(raw);
        let mut raw_query = operation("a", "GET", "/{id}");
        for location in [Location::Query, Location::RawQuery] {
            let parameter = Parameter { input: "id".to_owned(), location, name: "q".to_owned() };
            raw_query.route.as_mut().unwrap().parameters.push(parameter);
        }
        let mut unfilled = operation("a", "GET", "/{id}");
        unfilled.route.as_mut().unwrap().parameters.clear();
        let mut unknown_input = operation("a", "GET", "/{id}");
        unknown_input.route.as_mut().unwrap().parameters[0].input = "other".to_owned();
        for (operations, expected) in [
            (vec![operation("a", "GET", "/a"), operation("a", "GET", "/b")], "operation a: the name is used twice"),
            (
                vec![operation("a", "GET", "/{x}"), operation("b", "GET", "/{y}")],
                "operation b: GET /{y} is the route of operation a already",
            ),
            (
                vec![operation("a b", "GET", "/a")],
                "operation a b: a name must be 1 to 128 of A-Z a-z 0-9 _ . -: \"a b\"",
            ),
            (
                vec![operation("a", "TRACE", "/a")],
                "operation a: a route's method must be one of GET, POST, PUT, PATCH, DELETE: TRACE",
            ),
            (
                vec![operation("a", "GET", "/openapi/{id}")],
                "operation a: the path is one of the host's own, choose another: /openapi/{id}",
            ),
            (
                vec![operation("a", "GET", "/x/{*id}/y")],
                "operation a: a variable for all that remains must be the last segment: /x/{*id}/y",
            ),
            (
                vec![operation("a", "GET", "/{x}/{*id}")],
                "operation a: a variable for all that remains must be the only one: /{x}/{*id}",
            ),
            (vec![raw_query], "operation a: a query is raw or fills inputs, not both"),
            (vec![raw_tool], "operation a: what takes a raw body can't be a tool"),
            (vec![operation("a", "GET", "a")], "operation a: a route's path must begin with a slash: a"),
            (
                vec![operation("a", "GET", "/x{id}")],
                "operation a: a segment must be a variable, {name}, or plain text: /x{id}",
            ),
            (vec![other_schema], "operation a: its input schema must have \"type\": \"object\""),
            (vec![unfilled], "operation a: path variable fills no input: id"),
            (vec![unknown_input], "operation a: the input schema has no such property: other"),
        ] {
            let fault = check(&description(operations)).unwrap_err();
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[test]
    fn only_what_the_host_offers_can_be_imported() {
        for (import, offered) in [
            ("wasi:http/outgoing-handler@0.2.12", true),
            ("wasi:http/types@0.2.0", true),
            ("wasi:io/streams@0.2.6", true),
            ("wasi:http/incoming-handler@0.2.12", false),
            ("wasi:sockets/tcp@0.2.12", false),
            ("wasi:http/types@0.3.0", false),
            ("wasi:keyvalue/store@0.2.0-draft", false),
            ("airlock:capability/types@0.1.0", true),
            ("run", false),
        ] {
            assert_eq!(is_offered(import), offered, "{import}");
        }
    }

    #[test]
    fn what_is_no_component_is_refused() {
        for (bytes, expected) in [
            (&b""[..], "not a WebAssembly component"),
            (b"\0asm\x01\0\0\0", "it is a core module"),
            (b"hello, world", "not a WebAssembly component"),
            (b"\0asm\x0d\0\x01\0", "a component of another world"),
        ] {
            let fault = inspect(bytes).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
        }
    }
}
