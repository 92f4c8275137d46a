//! `outputSchema` and `outputParameters`: what a result looks like, and what of an answer it is made of.

use serde_json::Value as Json;

use super::argument::Scope;
use super::shape::{self, Source};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::model::Outputs;
use crate::document::plan::Shape;
use crate::document::report::Report;
use crate::document::tree::{Kind, Place, Placed};

/// Reads `outputSchema`: as a mapping it is a JSON Schema of the result; as text it belongs to a format that isn't JSON.
pub fn read_schema(fields: &mut Fields, report: &Report) -> Option<Json> {
    let node = fields.node("outputSchema")?;
    match &node.kind {
        Kind::Mapping(_) => Some(node.to_json()),
        Kind::Text(_) => {
            report
                .warning(Code::InvalidValue, &node.at, "outputSchema as text has no effect on JSON")
                .expected("a JSON Schema as a mapping")
                .hint("remove it, or write the schema itself");
            None
        }
        _ => {
            wrong_type(node, "a JSON Schema as a mapping", report);
            None
        }
    }
}

/// Reads `outputSchema` beside a format in which text selects a part; a mapping is a JSON Schema there too.
pub fn read_selector<'a>(fields: &mut Fields<'a>, report: &Report) -> (Option<Placed<&'a str>>, Option<Json>) {
    match fields.node("outputSchema").map(|node| (node, &node.kind)) {
        Some((node, Kind::Text(selector))) => (Some(Placed { at: node.at.clone(), value: selector.as_str() }), None),
        _ => (None, read_schema(fields, report)),
    }
}

/// Reads the `outputParameters` of something that has an answer. `None` if the answer is the result, as it comes.
///
/// One parameter is the result, whatever its name. Several with names are the members of an object; several without are alternatives,
/// of which the first that isn't null is the result.
pub fn read_parameters(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Outputs> {
    let at = fields.entry("outputParameters")?.key_at.clone();
    let source = Source::answer(scope);
    let mut read = shape::read_all(fields.list("outputParameters"), &source, report);
    let made = match read.iter().filter(|output| output.name.is_some()).count() {
        _ if read.is_empty() => return None,
        _ if read.len() == 1 => read.remove(0).made,
        0 => shape::alternatives(read),
        named if named == read.len() => shape::members(read),
        _ => return report_mixed(&at, report),
    };
    (made.shape != Shape::WHOLE).then(|| source.outputs(made))
}

/// Reads the `outputParameters` of a consumed operation: what the later steps of a flow see of its answer. `None` if they see all
/// of it. A result that is made of one answer alone is made of the answer, not of these.
pub fn read_seen(fields: &mut Fields, report: &Report) -> Option<Shape> {
    let mut read = shape::read_all(fields.list("outputParameters"), &Source::answer_of_step(), report);
    let shape = match read.len() {
        0 => return None,
        1 if read[0].name.is_none() => read.remove(0).made.shape,
        _ => shape::members(read).shape,
    };
    (shape != Shape::WHOLE).then_some(shape)
}

/// Reads the `outputParameters` of a mock: the members of its result, made of the inputs. One without a name is the whole result.
pub fn read_mock(fields: &mut Fields, scope: &Scope, report: &Report) -> Option<Outputs> {
    let at = fields.entry("outputParameters")?.key_at.clone();
    let source = Source::inputs(scope);
    let mut read = shape::read_all(fields.list("outputParameters"), &source, report);
    let made = match read.iter().filter(|output| output.name.is_none()).count() {
        1 if read.len() == 1 => read.remove(0).made,
        0 => shape::members(read),
        _ => return report_mixed(&at, report),
    };
    Some(source.outputs(made))
}

fn report_mixed(at: &Place, report: &Report) -> Option<Outputs> {
    report
        .error(Code::InvalidValue, at, "output parameters can't be told apart: some of them have no name")
        .expected("a `name` for each of them, or one alone")
        .hint("name each one as the member of the result that it becomes");
    None
}
