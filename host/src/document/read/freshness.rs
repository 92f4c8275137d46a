//! `ttlMs` and `cacheScope` of an MCP expose: how long clients may keep what they were listed and have read.

use crate::contract::{Audience, Freshness};
use crate::document::diagnostic::Code;
use crate::document::fields::{Fields, wrong_type};
use crate::document::report::Report;
use crate::document::tree::Kind;

/// The longest time. A day: whoever keeps a list for longer doesn't learn of a plugin that was replaced, and no list is so expensive.
const MAX_TTL_MS: u64 = 24 * 60 * 60 * 1000;

/// Reads both. `audience` is whose the expose is: what is for known callers isn't kept for others.
pub fn read(fields: &mut Fields, audience: Audience, report: &Report) -> Freshness {
    Freshness { ttl_ms: read_ttl(fields, report).unwrap_or(0), public: read_scope(fields, audience, report) }
}

fn read_ttl(fields: &mut Fields, report: &Report) -> Option<u64> {
    let node = fields.node("ttlMs")?;
    let expected = format!("a whole number of milliseconds, 0 to {MAX_TTL_MS}");
    let Kind::Number(number) = &node.kind else {
        wrong_type(node, &expected, report);
        return None;
    };
    let ttl = number.as_u64().filter(|ttl| *ttl <= MAX_TTL_MS);
    if ttl.is_none() {
        report.error(Code::InvalidValue, &node.at, format!("time can't be used: {number}")).expected(expected);
    }
    ttl
}

fn read_scope(fields: &mut Fields, audience: Audience, report: &Report) -> bool {
    let Some(scope) = fields.text("cacheScope") else { return false };
    match scope.value {
        "private" => false,
        "public" if audience == Audience::Known => {
            report
                .error(Code::InvalidValue, &scope.at, "`cacheScope: public` beside `authentication`")
                .expected("private")
                .hint("what is for known callers isn't kept where others may find it");
            false
        }
        "public" => true,
        other => {
            report
                .error(Code::InvalidValue, &scope.at, format!("unknown scope: {other}"))
                .expected("public or private")
                .did_you_mean(other, ["public", "private"]);
            false
        }
    }
}
