//! The REST routes of all plugins in one table.
//!
//! It finds the operation and the path's values; it doesn't read queries or bodies.

use std::{collections::BTreeMap, sync::Arc};

use matchit::Router;

use super::{Collision, OperationRef};
use crate::component::Plugin;

/// The table. Paths are matched as they came, still percent-encoded, so that an encoded slash stays a part of its segment.
#[derive(Debug, Default)]
pub(super) struct Routes(Router<Methods>);

/// What the table says about a request.
#[derive(Debug)]
pub enum Routed<'a> {
    /// An operation serves it.
    Found(RouteMatch<'a>),
    /// The path is served, by other methods: these, sorted.
    OtherMethods(Vec<&'a str>),
    /// Nothing serves the path.
    NotFound,
}

/// The operation that serves a request.
#[derive(Debug)]
pub struct RouteMatch<'a> {
    /// The operation.
    pub operation: &'a OperationRef,
    /// The path's variables by name, still percent-encoded.
    pub variables: Vec<(&'a str, &'a str)>,
}

type Methods = BTreeMap<String, Target>;

#[derive(Debug)]
struct Target {
    operation: OperationRef,
    variables: Vec<String>,
}

impl Routes {
    /// Makes the table. `newcomer` names the plugin to refuse when two want the same route.
    pub(super) fn build(plugins: &[Arc<Plugin>], newcomer: &str) -> Result<Self, Collision> {
        let mut table: BTreeMap<String, Methods> = BTreeMap::new();
        let (newcomers, holders): (Vec<_>, Vec<_>) = plugins.iter().partition(|plugin| plugin.name() == newcomer);
        for operation in holders.into_iter().chain(newcomers).flat_map(OperationRef::all) {
            insert(&mut table, operation)?;
        }
        let mut router = Router::new();
        for (path, methods) in table {
            router
                .insert(path, methods)
                .expect("paths were checked when the plugin was loaded, and equal ones are merged");
        }
        Ok(Self(router))
    }

    /// Finds the operation for a method and a path, among those that are seen.
    pub(super) fn find<'a>(
        &'a self,
        method: &str,
        path: &'a str,
        is_seen: impl Fn(&OperationRef) -> bool,
    ) -> Routed<'a> {
        let Ok(at) = self.0.at(path) else {
            return Routed::NotFound;
        };
        let Some(target) = at.value.get(method).filter(|target| is_seen(&target.operation)) else {
            let others = at.value.iter().filter(|(_, target)| is_seen(&target.operation));
            let methods: Vec<&str> = others.map(|(method, _)| method.as_str()).collect();
            return if methods.is_empty() { Routed::NotFound } else { Routed::OtherMethods(methods) };
        };
        let values = at.params.iter().map(|(_, value)| value);
        Routed::Found(RouteMatch {
            operation: &target.operation,
            variables: target.variables.iter().map(String::as_str).zip(values).collect(),
        })
    }
}

fn insert(table: &mut BTreeMap<String, Methods>, operation: OperationRef) -> Result<(), Collision> {
    let Some(route) = operation.operation().route.clone() else {
        return Ok(());
    };
    let (pattern, variables) = anonymous(&route.path);
    let methods = table.entry(pattern).or_default();
    if let Some(holder) = methods.get(&route.method) {
        let route = format!("{} {}", route.method, route.path);
        return Err(Collision { route, holder: holder.operation.clone(), newcomer: operation });
    }
    methods.insert(route.method, Target { operation, variables });
    Ok(())
}

/// `/v1/users/{id}` as a pattern whose variables are numbered, and their names: plugins may name the same variable differently.
fn anonymous(path: &str) -> (String, Vec<String>) {
    let mut variables = Vec::new();
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| match variable(segment) {
            Some(name) => {
                variables.push(name.to_owned());
                format!("{{v{}}}", variables.len())
            }
            None => segment.to_owned(),
        })
        .collect();
    (segments.join("/"), variables)
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_numbered_and_their_names_kept() {
        for (path, pattern, names) in [
            ("/v1/users", "/v1/users", vec![]),
            ("/v1/{org}/users/{user-id}", "/v1/{v1}/users/{v2}", vec!["org", "user-id"]),
            ("/", "/", vec![]),
        ] {
            assert_eq!(anonymous(path), (pattern.to_owned(), names.into_iter().map(str::to_owned).collect()));
        }
    }
}
