//! The REST routes of all plugins in one table.
//!
//! It finds the operation and the path's values; it doesn't read queries or bodies.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use matchit::Router;

use super::{Collision, OperationRef};
use crate::{
    component::Plugin,
    contract::{Extent, variable},
};

/// The table. Paths are matched as they came, still percent-encoded, so that an encoded slash stays a part of its segment.
#[derive(Debug, Default)]
pub(super) struct Routes {
    segments: Router<Methods>,
    /// Those that match whatever remains, by what is before that, which ends with a slash.
    rests: BTreeMap<String, Methods>,
}

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
        let (mut table, mut rests) = (BTreeMap::new(), BTreeMap::new());
        let (newcomers, holders): (Vec<_>, Vec<_>) = plugins.iter().partition(|plugin| plugin.name() == newcomer);
        for operation in holders.into_iter().chain(newcomers).flat_map(OperationRef::all) {
            insert(&mut table, &mut rests, operation)?;
        }
        let mut segments = Router::new();
        for (path, methods) in table {
            segments
                .insert(path, methods)
                .expect("paths were checked when the plugin was loaded, and equal ones are merged");
        }
        Ok(Self { segments, rests })
    }

    /// Finds the operation for a method and a path, among those that are seen. A route that says more about the path comes first,
    /// also where it isn't seen: then there is nothing at this path, as if no route said less about it. Else a caller from whom an
    /// operation is hidden could have the same done by what hands on whole paths.
    pub(super) fn find<'a>(
        &'a self,
        method: &str,
        path: &'a str,
        is_seen: impl Fn(&OperationRef) -> bool,
    ) -> Routed<'a> {
        let (mut others, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        // Whoever takes a path that is handed on may read it like this.
        if let Cow::Owned(plain) = plain(path)
            && let Some(meant) = self.at(&plain).find_map(|(methods, _)| methods.get(method))
            && !is_seen(&meant.operation)
        {
            return Routed::NotFound;
        }
        for (methods, values) in self.at(path) {
            if let Some(target) = methods.get(method).filter(|target| is_seen(&target.operation)) {
                let variables = target.variables.iter().map(String::as_str).zip(values).collect();
                return Routed::Found(RouteMatch { operation: &target.operation, variables });
            }
            for (method, target) in methods {
                match is_seen(&target.operation) {
                    true if hidden.contains(method.as_str()) => continue,
                    true => others.insert(method.as_str()),
                    false => hidden.insert(method.as_str()),
                };
            }
            if hidden.contains(method) {
                break;
            }
        }
        if others.is_empty() { Routed::NotFound } else { Routed::OtherMethods(others.into_iter().collect()) }
    }

    /// All that a path can mean, with the values of its variables: the one that is matched to the end, then the longer ones first.
    fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a Methods, Vec<&'a str>)> {
        let whole = self.segments.at(path).ok();
        let whole = whole.map(|at| (at.value, at.params.iter().map(|(_, value)| value).collect()));
        let slashes = path.rmatch_indices('/').map(|(at, _)| path.split_at(at + 1));
        let rests = slashes.filter(|(_, rest)| !rest.is_empty());
        whole.into_iter().chain(rests.filter_map(|(before, rest)| Some((self.rests.get(before)?, vec![rest]))))
    }
}

/// A path as a server may read it: what needn't be encoded decoded, without empty segments.
fn plain(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("//") && !path.ends_with('/') {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    Cow::Owned(segments.fold(String::new(), |plain, segment| plain + "/" + &decode_unreserved(segment)))
}

/// Decodes the characters that mean the same in either form (RFC 3986, section 2.3).
fn decode_unreserved(segment: &str) -> String {
    let mut parts = segment.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |decoded, part| {
        let code = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        match code.filter(|char| char.is_ascii_alphanumeric() || "-._~".contains(*char)) {
            Some(char) => format!("{decoded}{char}{}", &part[2..]),
            None => format!("{decoded}%{part}"),
        }
    })
}

fn insert(
    table: &mut BTreeMap<String, Methods>,
    rests: &mut BTreeMap<String, Methods>,
    operation: OperationRef,
) -> Result<(), Collision> {
    let Some(route) = operation.operation().route.clone() else {
        return Ok(());
    };
    let (methods, variables) = match rest(&route.path) {
        Some((before, name)) => (rests.entry(before.to_owned()).or_default(), vec![name.to_owned()]),
        None => {
            let (pattern, variables) = anonymous(&route.path);
            (table.entry(pattern).or_default(), variables)
        }
    };
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
            Some((name, _)) => {
                variables.push(name.to_owned());
                format!("{{v{}}}", variables.len())
            }
            None => segment.to_owned(),
        })
        .collect();
    (segments.join("/"), variables)
}

/// What is before a variable that stands for all that remains, and its name.
fn rest(path: &str) -> Option<(&str, &str)> {
    let (before, last) = path.split_at(path.rfind('/')? + 1);
    match variable(last)? {
        (name, Extent::Rest) => Some((before, name)),
        (_, Extent::Segment) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_told_from_a_segment() {
        for (path, expected) in [
            ("/files/{*path}", Some(("/files/", "path"))),
            ("/{*path}", Some(("/", "path"))),
            ("/files/{path}", None),
            ("/files", None),
        ] {
            assert_eq!(rest(path), expected, "{path}");
        }
    }

    #[test]
    fn paths_are_read_as_servers_may_read_them() {
        for (path, expected) in [
            ("/v1/users", "/v1/users"),
            ("//v1/%75sers/", "/v1/users"),
            ("/v1/a%2fb%2Fc%", "/v1/a%2fb%2Fc%"),
            ("/v1/%zz%7e%é", "/v1/%zz~%é"),
            ("/", ""),
        ] {
            assert_eq!(plain(path), expected);
        }
    }

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
