//! The upstream request of one call, whose parameters are fed.

use super::super::body;
use super::super::model::{Consumed, Consumes};
use super::super::plan::{Body, NamedValue, PathPart, QueryParameter, Request, Value};
use super::super::template::Piece;
use super::super::uri::PathTemplate;
use super::Feed;
use crate::contract::{Location, UPSTREAM_HEADER};

/// Makes it. `None` if a part of the path gets nothing, which has been reported.
pub fn make(consumes: &Consumes, consumed: &Consumed, path: &PathTemplate, feeds: &[Feed]) -> Option<Request> {
    let base = consumes.base.as_ref()?;
    // In the order of the consumed operation, so that a REST operation and a tool which mean the same are the same.
    let at = |location: Location| {
        let parameters = consumed.parameters.iter().filter(move |parameter| parameter.location == Some(location));
        parameters.filter_map(|parameter| feeds.iter().find(|feed| feed.parameter.name.value == parameter.name.value))
    };
    let query = at(Location::Query).map(|feed| QueryParameter {
        name: feed.parameter.name.value.clone(),
        value: feed.value.clone(),
        style: feed.parameter.style,
    });
    // What the host adds then is the operation's, see `assemble`.
    let upstream = consumes
        .upstream_of(consumed)
        .map(|name| NamedValue { name: UPSTREAM_HEADER.to_owned(), value: Value::Constant(name.into()) });
    let members: Vec<NamedValue> = at(Location::BodyMember).map(named).collect();
    let body = match (&consumed.body, at(Location::Body).next()) {
        (Some(template), _) => body::fill(template, feeds),
        (None, Some(feed)) => Body::Json(feed.value.clone()),
        (None, None) if members.is_empty() => Body::Empty,
        (None, None) => Body::JsonMembers(members),
    };
    Some(Request {
        method: consumed.method.clone(),
        scheme: base.scheme.clone(),
        authority: base.authority.clone(),
        path: make_path(&base.prefix, &path.pieces, feeds)?,
        query: query.collect(),
        headers: at(Location::Header).map(named).chain(upstream).collect(),
        cookies: at(Location::Cookie).map(named).collect(),
        body,
    })
}

fn named(feed: &Feed) -> NamedValue {
    NamedValue { name: feed.parameter.name.value.clone(), value: feed.value.clone() }
}

/// `None` if a variable gets nothing, which `check_required` has reported.
fn make_path(prefix: &str, pieces: &[Piece], feeds: &[Feed]) -> Option<Vec<PathPart>> {
    let mut parts = Vec::new();
    let mut text = prefix.to_owned();
    for piece in pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::Variable(name) => {
                let feed = feeds.iter().find(|feed| feed.parameter.name.value == *name)?;
                if !text.is_empty() {
                    parts.push(PathPart::Literal(std::mem::take(&mut text)));
                }
                parts.push(PathPart::Value(feed.value.clone()));
            }
        }
    }
    if !text.is_empty() {
        parts.push(PathPart::Literal(text));
    }
    Some(parts)
}
