//! The URI of a resource: its variables are all that reading it gives.

use super::super::diagnostic::Code;
use super::super::names::{Match, find_match};
use super::super::report::Report;
use super::super::tree::Placed;
use super::Input;
use crate::contract::{Piece, UriTemplate};

/// Names each variable as the input that it gives. `None` after an error.
pub fn name_variables(uri: &Placed<UriTemplate>, inputs: &[Input], report: &Report) -> Option<UriTemplate> {
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let mut named = uri.value.clone();
    let mut is_right = true;
    let mut given: Vec<String> = Vec::new();
    for piece in &mut named.0 {
        let Piece::Variable(variable) = piece else { continue };
        let problem = match find_match(variable, names.iter().copied()) {
            Match::One(name) if given.iter().any(|it| it == name) => {
                format!("two variables of the URI mean one input: {name}")
            }
            Match::One(name) => {
                given.push(name.to_owned());
                *variable = name.to_owned();
                continue;
            }
            Match::Several(_) => format!("variable of the URI could be several inputs: {variable}"),
            Match::None => format!("variable of the URI is used by nothing: {variable}"),
        };
        is_right = false;
        report
            .error(Code::ResourceUri, &uri.at, problem)
            .expected(match names.is_empty() {
                true => "no variables: what is read takes no input".to_owned(),
                false => format!("one of: {}", names.join(", ")),
            })
            .hint(format!("add `{variable}: mcp.{variable}` under `with`, or take it out of the URI"))
            .did_you_mean(variable, names.iter().copied());
    }
    if !is_right {
        return None;
    }
    for input in inputs.iter().filter(|input| input.required && !given.contains(&input.name)) {
        is_right = false;
        report
            .error(
                Code::ResourceUri,
                &uri.at,
                format!("reading needs an input that the URI doesn't give: {}", input.name),
            )
            .expected(format!("a variable `{{{}}}` in {}", input.name, uri.value.to_text()))
            .hint("give it a variable, or say what it always is under `with`");
    }
    is_right.then_some(named)
}
