//! Components that no compiler would write: each keeps itself out, with a reason for its author, and no other plugin.

use std::fmt::Write;

use crate::harness::{Crafted, Setup, component, fixture};

/// A `describe` that does this and then fails with the text `given up`.
fn doing(fields: &str, body: &str) -> Vec<u8> {
    component(
        "",
        &format!(
            r#"(memory 64)
            {fields}
            (data (i32.const 256) "\01\00\00\00\05\00\00\00\00\02\00\00\08\00\00\00")
            (data (i32.const 512) "given up")
            (func $describe (result i32) {body} (i32.const 256))"#
        ),
    )
}

/// The file isn't loaded, `/plugins` says why, and the plugin beside it serves.
async fn check_refused(wasm: &[u8], said: &[&str]) {
    let host = Setup::hostile("http://127.0.0.1:9", "no-secret-of-this-test", "")
        .file("crafted.wasm", wasm)
        .config("[grants.crafted]\n")
        .start()
        .await;
    let status = host.file("crafted.wasm").await.expect("a file");
    assert_eq!(status.state, "failed");
    for said in said {
        assert!(status.error.contains(said), "{said} in {status:?}");
    }
    assert_eq!(host.serving().await, ["hostile"]);
    assert_eq!(host.get("/hostile/count").await.ok(), serde_json::json!(1));
    assert_eq!(host.mcp().call("count", serde_json::json!({})).await.text, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_grows_no_further_than_its_limit() {
    // Traps when it gets more than the limit, else gives up.
    let body = "(loop $more
        (if (i32.gt_u (table.size $t) (i32.const 20000)) (then unreachable))
        (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))";
    check_refused(&doing("(table $t 1 funcref)", body), &["doesn't describe itself", "given up"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_memories_and_modules_are_counted() {
    let tables: String = (0..9).map(|_| "(table 1 funcref)").collect();
    check_refused(&doing(&tables, ""), &["can't be compiled", "tables"]).await;
    check_refused(&doing("(table 20001 funcref)", ""), &["can't be compiled", "table"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_is_too_large_from_the_start_is_refused() {
    let wasm = component("", "(memory 2000) (func $describe (result i32) unreachable)");
    check_refused(&wasm, &["doesn't describe itself", "more than 67108864 bytes of memory"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_loops_when_it_starts_or_after_it_has_answered_is_stopped() {
    // By the limit of its own time; on a busy machine by that of the call.
    let endless = "(func $endless (loop $again (br $again)))";
    let start = doing(&format!("{endless} (start $endless)"), "");
    check_refused(&start, &["doesn't describe itself", "was stopped"]).await;
    let after = r#"(func (export "cabi_post_airlock:capability/provider@0.1.0#describe") (param i32) (loop $again (br $again)))"#;
    check_refused(&doing(after, ""), &["doesn't describe itself", "was stopped"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_points_at_the_same_text_again_and_again_is_not_copied() {
    // One upstream with a list of 100 000 methods, each the same megabyte.
    let fill = "(local $i i32)
        (loop $more
            (i32.store offset=1048576 (local.get $i) (i32.const 2097152))
            (i32.store offset=1048580 (local.get $i) (i32.const 1048576))
            (local.set $i (i32.add (local.get $i) (i32.const 8)))
            (br_if $more (i32.lt_u (local.get $i) (i32.const 800000))))
        (i32.store (i32.const 256) (i32.const 0))
        (i64.store (i32.const 260) (i64.const 0))
        (i64.store (i32.const 268) (i64.const 0))
        (i64.store (i32.const 276) (i64.const 0))
        (i32.store (i32.const 284) (i32.const 1024))
        (i32.store (i32.const 288) (i32.const 1))
        (i32.store (i32.const 1032) (i32.const 1048576))
        (i32.store (i32.const 1036) (i32.const 100000))";
    check_refused(&doing("", fill), &["doesn't describe itself", "more than 33554432 bytes at once"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_host_offers_cannot_be_imported() {
    let sockets = component(
        "import wasi:sockets/instance-network@0.2.12;",
        r#"(import "wasi:sockets/instance-network@0.2.12" "instance-network" (func (result i32)))
        (memory 1) (func $describe (result i32) unreachable)"#,
    );
    check_refused(&sockets, &["imports what no host offers", "wasi:sockets/instance-network"]).await;
    check_refused(fixture::UNKNOWN_IMPORT, &["imports what no host offers", "acme:db/query"]).await;
}

/// `a0` is a text, each further one is the one before, twice.
fn ladder() -> String {
    let mut definitions = r#""a0": {"type": "string"}"#.to_owned();
    for rung in 1..=60 {
        let below = format!("{{\"$ref\": \"#/$defs/a{}\"}}", rung - 1);
        write!(definitions, ", \"a{rung}\": {{\"allOf\": [{below}, {below}]}}").expect("a string takes any text");
    }
    let top = r##"{"type": "object", "properties": {"x": {"$ref": "#/$defs/a14"}}"##;
    format!("{top}, \"$defs\": {{{definitions}}}}}")
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_that_would_keep_the_host_busy_are_refused() {
    let property = |schema: &str| format!(r#"{{"type": "object", "properties": {{"x": {schema}}}}}"#);
    let deep = format!("{}true{}", r#"{"items": "#.repeat(100), "}".repeat(100));
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!(r#"{{"type": "object", "enum": [{}0]}}"#, "0,".repeat(1 << 20));
    for (schema, said) in [
        (ladder(), "more than 20000 subschemas"),
        (property(&deep), "more than 32 deep"),
        (property(r#"{"pattern": "^(?=a)(a+)+$"}"#), "not a JSON Schema that can be used"),
        (property(r#"{"$ref": "https://example.com/x"}"#), "a reference must be"),
        (nested, "not a JSON text"),
        (many, "too many values"),
    ] {
        check_refused(&Crafted::new(&[("op", &schema)]).component(), &["op", said]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_is_too_large_is_refused() {
    let name = "n".repeat(10_000);
    check_refused(&Crafted::new(&[(&name, r#"{"type": "object"}"#)]).component(), &["1 to 128 of A-Z"]).await;
    let crowd = vec![("op", "true"); 100_000];
    check_refused(&Crafted::new(&crowd).component(), &["at most 10000 operations"]).await;
}
