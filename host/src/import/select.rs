//! Which operations of a description are meant.

use std::collections::HashSet;

use serde_json::Value;

use super::{ImportError, Options, names, notes::Notes, place::Place, source::Source};

/// The most operations of one document: each is an item of the list of tools, and a list may have that many.
pub const MAX_OPERATIONS: usize = 2_000;
/// How many names are told where none of them is meant.
const TOLD: usize = 20;

/// The methods that a route can have.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The methods that only a description can have: the host answers to the first two itself, and the last are never sent.
const OTHER_METHODS: [&str; 4] = ["head", "options", "trace", "query"];

/// An operation of a description.
#[derive(Debug)]
pub struct Chosen<'a> {
    /// Its path.
    pub path: &'a str,
    /// The HTTP method in capitals.
    pub method: String,
    /// What all operations of the path have in common.
    pub item: &'a Value,
    /// The operation itself.
    pub operation: &'a Value,
    /// Where the item stands.
    pub item_place: String,
}

impl Chosen<'_> {
    /// Where it stands.
    pub fn place(&self) -> String {
        format!("{}.{}", self.item_place, self.method.to_ascii_lowercase())
    }

    /// What the description calls it.
    pub fn id(&self) -> Option<&str> {
        self.operation.get("operationId").and_then(Value::as_str)
    }

    fn tags(&self) -> impl Iterator<Item = &str> {
        self.operation.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    fn is_called(&self, wanted: &str) -> bool {
        self.id().is_some_and(|id| id == wanted || names::kebab(id).is_some_and(|name| name == wanted))
    }
}

/// Finds the operations that the options want, in the order of the description.
///
/// # Errors
/// An option wants what isn't there, or nothing is left, or too much.
pub fn choose<'a>(source: &'a Source, options: &Options, notes: &mut Notes) -> Result<Vec<Chosen<'a>>, ImportError> {
    let all = all(source, notes);
    check(
        &options.tags,
        "tag",
        &all,
        |it, tag| it.tags().any(|own| own == tag),
        |it| it.tags().map(str::to_owned).collect(),
    )?;
    check(&options.paths, "path", &all, |it, glob| matches(glob, it.path), |it| vec![it.path.to_owned()])?;
    check(
        &options.operations,
        "operation",
        &all,
        |it, id| it.is_called(id),
        |it| it.id().map(str::to_owned).into_iter().collect(),
    )?;
    let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|it| is(it));
    let chosen: Vec<Chosen<'a>> = all
        .into_iter()
        .filter(|it| any(&options.tags, &|tag| it.tags().any(|own| own == tag)))
        .filter(|it| any(&options.paths, &|glob| matches(glob, it.path)))
        .filter(|it| any(&options.operations, &|id| it.is_called(id)))
        .collect();
    match chosen.len() {
        0 => Err(ImportError::Nothing(
            "the description has none that --tag, --path and --operation all allow".to_owned(),
        )),
        1..=MAX_OPERATIONS => Ok(chosen),
        many => Err(ImportError::TooMuch(format!("{many} operations; expected at most {MAX_OPERATIONS}"))),
    }
}

/// An option that wants what isn't there is a mistake in writing.
fn check(
    wanted: &[String],
    what: &str,
    all: &[Chosen<'_>],
    is: impl Fn(&Chosen<'_>, &str) -> bool,
    names: impl Fn(&Chosen<'_>) -> Vec<String>,
) -> Result<(), ImportError> {
    for value in wanted {
        if all.iter().any(|it| is(it, value)) {
            continue;
        }
        let mut seen = HashSet::new();
        let mut there: Vec<String> = all.iter().flat_map(&names).filter(|name| seen.insert(name.clone())).collect();
        let more = there.len().saturating_sub(TOLD);
        there.truncate(TOLD);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(ImportError::Nothing(format!("no {what} {value}; there are: {}{more}", there.join(", "))));
    }
    Ok(())
}

fn all<'a>(source: &'a Source, notes: &mut Notes) -> Vec<Chosen<'a>> {
    let mut all = Vec::new();
    let paths = Place::whole("paths");
    for (path, item) in source.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let place = paths.key(path);
        if path.starts_with("x-") {
            notes.left_out(path, &place);
            continue;
        }
        let (item, place) = match source.refs().follow(item, place.clone()) {
            Ok(found) => found,
            Err(reason) => {
                notes.say(&place, format!("left out: {reason}"));
                continue;
            }
        };
        all.extend(operations(path, item, &place, notes));
    }
    all
}

fn operations<'a>(path: &'a str, item: &'a Value, place: &Place<'_>, notes: &mut Notes) -> Vec<Chosen<'a>> {
    let mut found = Vec::new();
    for (key, operation) in item.as_object().into_iter().flatten() {
        let here = place.key(key);
        match key.as_str() {
            method if METHODS.contains(&method) && operation.is_object() => found.push(Chosen {
                path,
                method: method.to_ascii_uppercase(),
                item,
                operation,
                item_place: place.to_string(),
            }),
            method if METHODS.contains(&method) => notes.say(&here, "left out: it isn't a mapping"),
            method if OTHER_METHODS.contains(&method) => {
                notes.say(
                    &here,
                    format!("left out: no operation of a capability can be {}", method.to_ascii_uppercase()),
                );
            }
            "parameters" | "servers" | "summary" | "description" | "$ref" => {}
            other => notes.left_out(other, &here),
        }
    }
    found
}

/// Whether a path is one of a pattern: `*` stands for anything without a slash, `**` for anything.
fn matches(glob: &str, path: &str) -> bool {
    let Some((before, after)) = glob.split_once('*') else {
        return glob == path;
    };
    let Some(rest) = path.strip_prefix(before) else {
        return false;
    };
    let (after, crosses) = match after.strip_prefix('*') {
        Some(after) => (after, true),
        None => (after, false),
    };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    let mut ends = ends.take_while(|end| crosses || !rest[..*end].contains('/'));
    ends.any(|end| matches(after, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_paths() {
        for (glob, path, expected) in [
            ("/users", "/users", true),
            ("/users", "/users/{id}", false),
            ("/users/*", "/users/{id}", true),
            ("/users/*", "/users/{id}/groups", false),
            ("/users/**", "/users/{id}/groups", true),
            ("/users**", "/users", true),
            ("*/groups", "/users/groups", false),
            ("**/groups", "/users/groups", true),
            ("/*/groups", "/users/groups", true),
            ("**", "/", true),
            ("", "/", false),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
    }
}
