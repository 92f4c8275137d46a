//! A call that asks for all pages of a list: which parameters that fills, and what the result is like.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::{Fed, Feed, answer};
use crate::document::diagnostic::Code;
use crate::document::model::{self, Consumed, Paginate, Pagination, RawAnswer, With};
use crate::document::plan::{Pages, Shape, Value};
use crate::document::report::Report;

/// Where references of a schema can lead that are kept with a part of it.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// Fills the parameters that lead from page to page, which no caller gives then. `None` after an error.
pub fn fill<'a>(
    feeds: Vec<Feed<'a>>,
    call: &model::Call,
    consumed: &'a Consumed,
    report: &Report,
) -> Option<Vec<Feed<'a>>> {
    let Some(Paginate(asked)) = &call.paginate else { return Some(feeds) };
    let Some(said) = &consumed.pagination else {
        let name = &consumed.name.value;
        report
            .error(Code::NoPages, &asked.at, format!("{name} doesn't say how its pages follow each other"))
            .expected("`pagination` where the operation is consumed")
            .hint("add there, e.g. `pagination: {type: page, parameter: page, items: $.data}`");
        return None;
    };
    report.uses(&said.at);
    let pagination = said.value.as_ref()?;
    let is_filled = |feed: &&Feed| pagination.filled.iter().any(|(name, _)| *name == feed.parameter.name.value);
    if let (With::Arguments(_), Some(feed)) = (&call.with, feeds.iter().find(is_filled)) {
        let name = &feed.parameter.name.value;
        report
            .error(Code::FilledParameter, &feed.at, format!("parameter is given by `paginate`: {name}"))
            .expected("parameters that don't say which page it is")
            .hint("remove it here; without `paginate`, callers can ask for single pages");
        return None;
    }
    let mut feeds: Vec<Feed<'a>> = feeds.into_iter().filter(|feed| !is_filled(&feed)).collect();
    for (name, value) in &pagination.filled {
        let parameter = Cow::Borrowed(consumed.parameter(name)?);
        feeds.push(Feed { parameter, value: Value::Constant(value.clone()), at: asked.at.clone() });
    }
    Some(feeds)
}

/// The plan of a call that asks for all pages. `None` after an error.
pub fn make(fed: &Fed, asked: &Paginate, shape: Option<Shape>) -> Option<Pages> {
    let consumed = fed.called.consumed;
    let Pagination { items, order, .. } = consumed.pagination.as_ref()?.value.as_ref()?;
    let RawAnswer::Data(format) = &consumed.answer else { return None };
    Some(Pages {
        request: fed.request()?,
        format: format.clone(),
        items: items.clone(),
        order: order.clone(),
        bound: asked.0.value,
        shape: answer::shape_for(format, shape),
    })
}

/// The schema of the list of all items, by that of a page.
pub fn schema(consumed: &Consumed, asked: &Paginate) -> Json {
    let mut schema = json!({"type": "array", "maxItems": asked.0.value.most});
    let pagination = consumed.pagination.as_ref().and_then(|said| said.value.as_ref());
    let page = consumed.output_schema.as_ref().zip(pagination);
    let items = page.and_then(|(page, pagination)| Some((page, items_of(page, &pagination.items)?)));
    if let Some((page, items)) = items {
        schema["items"] = items.clone();
        for key in DEFINITIONS {
            if let Some(definitions) = page.get(key) {
                schema[key] = definitions.clone();
            }
        }
    }
    schema
}

/// The schema of an item, if a path of names leads to the list, and it refers to nothing that would be left behind.
fn items_of<'s>(page: &'s Json, path: &str) -> Option<&'s Json> {
    let names = path.strip_prefix('$')?.split('.').skip(1);
    let list = names.into_iter().try_fold(page, |schema, name| schema.get("properties")?.get(name))?;
    let items = list.get("items").filter(|_| !path.contains('['))?;
    is_whole(items).then_some(items)
}

fn is_whole(schema: &Json) -> bool {
    match schema {
        Json::Array(parts) => parts.iter().all(is_whole),
        Json::Object(parts) => parts.iter().all(|(key, part)| match part {
            Json::String(place) if key == "$ref" => {
                DEFINITIONS.iter().any(|definitions| place.starts_with(&format!("#/{definitions}/")))
            }
            part => is_whole(part),
        }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_an_item_is_found_in_that_of_a_page() {
        let item = json!({"type": "object"});
        let list = json!({"type": "array", "items": item});
        let page = json!({"properties": {"data": list, "in": {"properties": {"users": list}}}});
        let outside = json!({"items": {"properties": {"a": {"$ref": "#/properties/x"}}}});
        let inside = json!({"items": {"$ref": "#/$defs/user"}});
        for (page, path, expected) in [
            (&page, "$.data", Some(&item)),
            (&page, "$.in.users", Some(&item)),
            (&list, "$", Some(&item)),
            (&page, "$.none", None),
            (&page, "$.data[*]", None),
            (&page, "$", None),
            (&outside, "$", None),
            (&inside, "$", Some(&inside["items"])),
        ] {
            assert_eq!(items_of(page, path), expected, "{path}");
        }
    }
}
