//! `pagination` of consumed operations and `paginate` of what calls them: lists that come in pages.
//!
//! An extension of the format. Which parameters it fills is checked here; whether a call asks for pages of what has none, in `link`.

use std::ops::RangeInclusive;

use serde_json::{Value as Json, json};

use super::shape::read_path as read_origin;
use crate::contract::Location;
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::model::{Paginate, Pagination, Parameter, RawAnswer};
use crate::document::names::is_header_name;
use crate::document::plan::{Beyond, Bound, Counted, CountedBy, NextToken, Origin, PageOrder};
use crate::document::report::Report;
use crate::document::tree::{Entry, Kind, Placed};

const ORDERS: [&str; 4] = ["token", "page", "offset", "link"];

/// The most items of one result. Each is a value in the sandbox's memory, of which a grant gives 64 MiB; whoever needs more of a list
/// asks for it in parts.
const MAX_ITEMS: u64 = 100_000;

/// What is known of the operation whose pages they are.
pub struct Around<'a> {
    /// Its method, if that can be read.
    pub method: Option<&'a str>,
    /// Its parameters, also those that it shares with others.
    pub parameters: &'a [Parameter],
    /// What its answer is.
    pub answer: &'a RawAnswer,
}

/// Reads how pages follow each other.
pub fn read(entry: &Entry, around: &Around, report: &Report) -> Placed<Option<Pagination>> {
    Placed { at: entry.key_at.clone(), value: read_pagination(entry, around, report) }
}

/// `None` after an error.
fn read_pagination(entry: &Entry, around: &Around, report: &Report) -> Option<Pagination> {
    let mut fields = Fields::of(&entry.value, "how pages follow each other", report)?;
    let expected = format!("one of: {}", ORDERS.join(", "));
    let Some(kind) = fields.required_text("type", &expected) else {
        fields.ignore(&["items", "parameter", "next", "nextHeader", "start", "size", "sizeParameter", "total"]);
        return None;
    };
    let is_list = check_operation(entry, around, report);
    let items = read_path(&mut fields, "items", report);
    let read = match kind.value {
        "token" => read_token(&mut fields, around, report),
        "page" => read_counted(&mut fields, CountedBy::Pages, around, report),
        "offset" => read_counted(&mut fields, CountedBy::Items, around, report),
        "link" => read_path(&mut fields, "next", report).map(|next| (PageOrder::Link(next), Vec::new())),
        other => {
            fields.ignore(&["items", "parameter", "next", "nextHeader", "start", "size", "sizeParameter", "total"]);
            report
                .error(Code::InvalidValue, &kind.at, format!("unknown order of pages: {other}"))
                .expected(expected)
                .did_you_mean(other, ORDERS);
            None
        }
    };
    fields.finish();
    let (order, filled) = read?;
    is_list?;
    Some(Pagination { items: items?.unwrap_or_else(|| "$".to_owned()), order, filled })
}

/// Only what is read can be read page by page, and only what changes nothing can be asked for again and again.
fn check_operation(entry: &Entry, around: &Around, report: &Report) -> Option<()> {
    let refused = |what: String, expected: &str| {
        report.error(Code::Pagination, &entry.key_at, what).expected(expected);
        None
    };
    match (around.method, around.answer) {
        (Some(method), _) if method != "GET" => {
            refused(format!("pages of a request that may change something: {method}"), "an operation with method GET")
        }
        (_, RawAnswer::Bytes(_)) => {
            refused("bytes have no items".to_owned(), "an operation whose `outputRawFormat` can be read")
        }
        _ => Some(()),
    }
}

type Order = (PageOrder, Vec<(String, Json)>);

fn read_token(fields: &mut Fields, around: &Around, report: &Report) -> Option<Order> {
    let parameter = read_parameter(fields, "parameter", around, report);
    let header = fields.text("nextHeader");
    let next = match (fields.entry("next"), header) {
        (Some(_), None) => read_path(fields, "next", report)?.map(NextToken::Path),
        (None, Some(header)) if is_header_name(header.value) => {
            Some(NextToken::Header(header.value.to_ascii_lowercase()))
        }
        (None, Some(header)) => {
            report
                .error(Code::InvalidHeader, &header.at, format!("not the name of a header: {:?}", header.value))
                .expected("a name, e.g. `X-Next-Token`");
            None
        }
        (Some(next), Some(_)) => {
            report
                .error(Code::Pagination, &next.key_at, "`next` beside `nextHeader`")
                .expected("one of them: the token is in the answer or in a header field");
            None
        }
        (None, None) => {
            fields
                .missing("next")
                .expected("a JSONPath to the token for the next page, e.g. `$.nextToken`; or `nextHeader`, a header field with it");
            None
        }
    };
    let parameter = parameter??;
    Some((PageOrder::Token(parameter.clone(), next?), vec![(parameter, Json::Null)]))
}

fn read_counted(fields: &mut Fields, by: CountedBy, around: &Around, report: &Report) -> Option<Order> {
    let parameter = read_parameter(fields, "parameter", around, report);
    let start = read_number(fields, "start", 0..=u64::from(u32::MAX), report);
    let size = read_number(fields, "size", 1..=MAX_ITEMS, report);
    let size_parameter = match fields.entry("sizeParameter") {
        Some(_) => read_parameter(fields, "sizeParameter", around, report),
        None => Some(None),
    };
    let total = read_path(fields, "total", report);
    let (parameter, start, size, size_parameter) = (parameter??, start?, size?, size_parameter?);
    let start = start.unwrap_or(match by {
        CountedBy::Pages => 1,
        CountedBy::Items => 0,
    });
    let mut filled = vec![(parameter.clone(), json!(start))];
    match (size_parameter, size) {
        (Some(name), Some(_)) if name == parameter => {
            report
                .error(Code::Pagination, fields.at(), format!("`parameter` and `sizeParameter` are the same: {name}"))
                .expected("two parameters: one counts, the other says how much is wanted");
            return None;
        }
        (Some(name), Some(size)) => filled.push((name, json!(size))),
        (Some(_), None) => {
            fields.missing("size").expected("how many items a page has: `sizeParameter` is given this");
            return None;
        }
        (None, _) => {}
    }
    let size = size.and_then(|size| u32::try_from(size).ok());
    Some((PageOrder::Counted(Counted { parameter, start, by, size, total: total? }), filled))
}

/// Reads the name of a parameter that is filled. `None` after an error.
fn read_parameter(fields: &mut Fields, key: &'static str, around: &Around, report: &Report) -> Option<Option<String>> {
    let name = fields.required_text(key, "the name of a parameter of this operation")?;
    let in_query = around.parameters.iter().filter(|it| it.location == Some(Location::Query));
    match in_query.clone().find(|it| it.name.value == name.value) {
        Some(parameter) => {
            report.uses(&parameter.name.at);
            Some(Some(name.value.to_owned()))
        }
        None => {
            let names: Vec<&str> = in_query.map(|it| it.name.value.as_str()).collect();
            let expected = match names.as_slice() {
                [] => "a parameter with `in: query`, of which this operation has none".to_owned(),
                names => format!("a parameter with `in: query`: {}", names.join(", ")),
            };
            report
                .error(Code::Pagination, &name.at, format!("no parameter that could lead to a page: {}", name.value))
                .expected(expected)
                .hint(format!("declare it under `inputParameters`: {{name: {}, in: query}}", name.value))
                .did_you_mean(name.value, names);
            None
        }
    }
}

/// Reads a JSONPath. The outer `None` is an error.
fn read_path(fields: &mut Fields, key: &'static str, report: &Report) -> Option<Option<String>> {
    if fields.entry(key).is_none() {
        return Some(None);
    }
    match read_origin(&fields.text(key)?, report)? {
        Origin::Path(path) => Some(Some(path)),
        Origin::Whole | Origin::Value(_) => Some(Some("$".to_owned())),
    }
}

/// Reads a whole number. The outer `None` is an error.
fn read_number(
    fields: &mut Fields,
    key: &'static str,
    range: RangeInclusive<u64>,
    report: &Report,
) -> Option<Option<u64>> {
    let Some(node) = fields.node(key) else { return Some(None) };
    let number = match &node.kind {
        Kind::Number(number) => number.as_u64().filter(|number| range.contains(number)),
        _ => None,
    };
    if number.is_none() {
        wrong_type(node, &format!("a whole number from {} to {}", range.start(), range.end()), report);
    }
    number.map(Some)
}

/// Reads that all pages are asked for. The outer `None` is an error.
pub fn read_paginate(fields: &mut Fields, report: &Report) -> Option<Option<Paginate>> {
    let Some(entry) = fields.written("paginate") else { return Some(None) };
    let mut own = Fields::of(&entry.value, "how much of the list is asked for, e.g. `maxItems: 500`", report)?;
    if own.entry("maxItems").is_none() {
        own.missing("maxItems").expected("the most items of the result: how many a caller can make use of");
    }
    let most = read_number(&mut own, "maxItems", 1..=MAX_ITEMS, report);
    let beyond = match own.text("beyond") {
        None => Some(Beyond::Fail),
        Some(beyond) => read_beyond(&beyond, report),
    };
    own.finish();
    let most = u32::try_from(most??).ok()?;
    Some(Some(Paginate(Placed { at: entry.key_at.clone(), value: Bound { most, beyond: beyond? } })))
}

fn read_beyond(text: &Placed<&str>, report: &Report) -> Option<Beyond> {
    match text.value {
        "fail" => Some(Beyond::Fail),
        "cut" => Some(Beyond::Cut),
        other => {
            report
                .error(Code::InvalidValue, &text.at, format!("unknown end of a list: {other}"))
                .expected("fail, so that nobody takes a part for the whole; or cut")
                .did_you_mean(other, ["fail", "cut"]);
            None
        }
    }
}
