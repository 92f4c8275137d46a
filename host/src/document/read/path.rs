//! The path of a resource, and the parameters that fill the variables of a consumed one.

use crate::contract::Location;
use crate::document::diagnostic::Code;
use crate::document::fields::Fields;
use crate::document::model::Parameter;
use crate::document::names::{Match, find_match};
use crate::document::plan::QueryStyle;
use crate::document::report::Report;
use crate::document::template::Piece;
use crate::document::tree::{Place, Placed};
use crate::document::uri::PathTemplate;

/// Reads the path of a resource.
pub fn read(fields: &mut Fields, report: &Report) -> Option<Placed<PathTemplate>> {
    let path = fields.required_text("path", "a path that begins with a slash, e.g. `/users/{id}`")?;
    match PathTemplate::parse(path.value) {
        Ok(value) => Some(Placed { at: path.at, value }),
        Err(reason) => {
            report
                .error(Code::InvalidPath, &path.at, format!("path can't be used, {reason}: {}", path.value))
                .expected("a path that begins with a slash, its variables in braces, e.g. `/users/{id}`");
            None
        }
    }
}

/// Names the variables of the path as the parameters that fill them. One that nothing declares becomes a required string.
pub fn name_variables(
    path: &Placed<PathTemplate>,
    parameters: &mut Vec<Parameter>,
    report: &Report,
) -> Option<PathTemplate> {
    let mut named = path.value.clone();
    let mut taken: Vec<(String, String)> = Vec::new();
    for piece in &mut named.pieces {
        let Piece::Variable(variable) = piece else {
            continue;
        };
        let parameter = find_parameter(variable, &path.at, parameters, report)?;
        if let Some((other, _)) = taken.iter().find(|(other, name)| *name == parameter && other != variable) {
            report
                .error(
                    Code::PathVariable,
                    &path.at,
                    format!("two path variables mean one parameter: {other}, {variable}"),
                )
                .hint("declare a parameter for each, named exactly as in the path");
            return None;
        }
        taken.push((std::mem::replace(variable, parameter.clone()), parameter));
    }
    let in_path = parameters.iter().filter(|parameter| parameter.location == Some(Location::Path));
    let stray: Vec<&Parameter> =
        in_path.filter(|parameter| taken.iter().all(|(_, name)| *name != parameter.name.value)).collect();
    for Placed { at, value: name } in stray.iter().map(|parameter| &parameter.name) {
        report
            .error(Code::PathVariable, at, format!("parameter isn't in the path: {name}"))
            .expected(format!("a variable `{{{name}}}` in {}", path.value.to_text()))
            .did_you_mean(name, path.value.variables());
    }
    stray.is_empty().then_some(named)
}

/// The name of the parameter that a path variable means; adds it if there is none.
fn find_parameter(variable: &str, at: &Place, parameters: &mut Vec<Parameter>, report: &Report) -> Option<String> {
    let in_path = parameters.iter().filter(|parameter| parameter.location == Some(Location::Path));
    let names: Vec<&str> = in_path.map(|parameter| parameter.name.value.as_str()).collect();
    match find_match(variable, names.iter().copied()) {
        Match::One(name) => Some(name.to_owned()),
        Match::Several(names) => {
            report
                .error(Code::PathVariable, at, format!("path variable could be several parameters: {variable}"))
                .expected(format!("exactly one of: {}", names.join(", ")))
                .hint("name one of them exactly as in the path");
            None
        }
        Match::None => {
            if let Some(other) = parameters.iter().find(|parameter| parameter.name.value == variable) {
                let what = format!("parameter `{variable}`");
                report.duplicate(Code::DuplicateName, &other.name.at, &what, at);
                return None;
            }
            report
                .lint(Code::UndeclaredVariable, at, format!("path variable is declared by no parameter: {variable}"))
                .hint(format!(
                    "add `{variable}` with `in: path` under `inputParameters`, with a type and a description"
                ));
            parameters.push(undeclared(variable, at));
            Some(variable.to_owned())
        }
    }
}

fn undeclared(variable: &str, at: &Place) -> Parameter {
    Parameter {
        name: Placed { at: at.clone(), value: variable.to_owned() },
        location: Some(Location::Path),
        schema: serde_json::Map::from_iter([("type".to_owned(), "string".into())]),
        required: Some(true),
        style: QueryStyle::FormExploded,
        constant: None,
    }
}
