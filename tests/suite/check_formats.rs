//! `airlock check` for programs, `airlock explain`, and what a reader that has enough does to a command.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::{
    cli::{Said, Shell},
    harness::{fixture, within_patience},
    hot_load::document,
};

/// A folder with a document that is right, one with a warning, one with an error, and a component that is none of ours.
fn shell() -> Shell {
    let good = document("http://upstream.test", "1");
    Shell::new()
        .file("good.yaml", &good)
        .file("warned.yaml", good.replace("    description: An API.", "    descripton: An API."))
        .file("broken, 100%.yaml", good.replace("call: api.getthing", "call: api.nothing"))
        .file("other-world.wasm", fixture::OTHER_WORLD)
        .file("hostile.wasm", fixture::HOSTILE)
}

const ALL: [&str; 5] = ["good.yaml", "warned.yaml", "broken, 100%.yaml", "other-world.wasm", "hostile.wasm"];

async fn check(format: &str, more: &[&str]) -> Said {
    let arguments = [&["check", "--format", format], more, &ALL].concat();
    shell().run(&arguments).await
}

fn parsed(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out))
}

#[tokio::test]
async fn findings_as_json_are_one_object_for_all_files() {
    let said = check("json", &[]).await;
    said.check(1, &[], &["2 of 5 files can't be used"]);
    let report = parsed(&said);
    let files = report["files"].as_array().expect("files");
    let usable: Vec<&Value> = files.iter().map(|file| &file["usable"]).collect();
    assert_eq!(usable, [true, true, false, false, true]);
    let codes: Vec<Vec<&Value>> = files
        .iter()
        .map(|file| file["diagnostics"].as_array().unwrap().iter().map(|it| &it["code"]).collect())
        .collect();
    assert_eq!(json!(codes), json!([[], ["AL004"], ["AL023", "AL023"], ["AL000"], []]));
    assert_eq!((&report["version"], &report["errors"], &report["warnings"]), (&json!(1), &json!(3), &json!(1)));
    let warned = &files[1]["diagnostics"][0];
    assert_eq!((&warned["line"], &warned["column"], &warned["endColumn"]), (&json!(9), &json!(5), &json!(15)));
    assert_eq!(
        files[0]["operations"][0],
        json!({"name": "getthing", "method": "GET", "path": "/v1/thing", "tool": "thing"})
    );
    assert!(files[4]["grant"].as_str().unwrap().starts_with("[grants.hostile]"), "{}", files[4]["grant"]);
    let strict = parsed(&check("json", &["--strict"]).await);
    assert_eq!((&strict["errors"], &strict["files"][1]["usable"]), (&json!(4), &json!(false)));
}

#[tokio::test]
async fn findings_as_sarif_have_rules_with_help_and_spans() {
    let said = check("sarif", &[]).await;
    said.check(1, &[], &[]);
    let report = parsed(&said);
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    let results = run["results"].as_array().expect("results");
    let shown: Vec<Value> = results
        .iter()
        .map(|it| {
            let place = &it["locations"][0]["physicalLocation"];
            json!([it["ruleId"], it["level"], place["artifactLocation"]["uri"], place["region"]["startLine"]])
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["AL004", "warning", "warned.yaml", 9],
            ["AL023", "error", "broken%2C%20100%25.yaml", 31],
            ["AL023", "error", "broken%2C%20100%25.yaml", 42],
            ["AL000", "error", "other-world.wasm", null],
        ])
    );
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["id"] == "AL000" || rule["help"]["text"].is_string(), "{rule}");
    }
}

#[tokio::test]
async fn findings_as_workflow_commands_are_escaped() {
    let said = check("github", &[]).await;
    said.check(1, &[], &[]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", said.out);
    let start = "::warning file=warned.yaml,line=9,col=5,endColumn=14,title=AL004::unknown key: descripton%0A";
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    let start = "::error file=broken%2C 100%25.yaml,line=31,col=15,endColumn=25,title=AL023::";
    assert!(lines[1].starts_with(start), "{}", lines[1]);
    assert!(lines[3].starts_with("::error file=other-world.wasm,title=AL000::"), "{}", lines[3]);
}

#[tokio::test]
async fn colours_are_for_terminals_or_whoever_asks() {
    let shell = shell();
    let plain = shell.run(&["check", "warned.yaml"]).await;
    assert!(!plain.err.contains('\u{1b}') && !plain.out.contains('\u{1b}'));
    let coloured = shell.run(&["check", "--color", "always", "warned.yaml"]).await;
    coloured.check(0, &["\u{1b}[32mok\u{1b}[0m"], &["\u{1b}[33mwarning[AL004]\u{1b}[0m"]);
}

#[tokio::test]
async fn codes_are_explained() {
    let shell = Shell::new();
    let list = shell.run(&["explain"]).await;
    list.check(0, &["AL001  the text is not YAML", "AL042  "], &[]);
    for code in list.out.lines().filter_map(|line| line.split_whitespace().next()) {
        let page = shell.run(&["explain", code]).await;
        page.check(0, &[code, "A document that has it", "What is said about it", "How to mend it"], &[]);
    }
    shell.run(&["explain", "al004"]).await.check(0, &["did you mean `label`?"], &[]);
    shell.run(&["explain", "AL777"]).await.check(2, &[], &["no such code: AL777"]);
}

#[tokio::test]
async fn a_reader_that_has_enough_stops_no_command() {
    let shell = shell();
    for (arguments, code) in [
        (&["explain"][..], 0),
        (&["completions", "bash"], 0),
        (&["schema"], 0),
        (&["key", "new", "ci"], 0),
        (&["check", "--format", "json", "broken, 100%.yaml"], 1),
        (&["check", "good.yaml"], 0),
        (&["inspect", "good.yaml", "--json"], 0),
        (&["export", "openapi", "good.yaml"], 0),
        (&["migrate", "good.yaml"], 0),
    ] {
        let mut child =
            shell.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("airlock runs");
        // Closed before anything is written.
        drop(child.stdout.take());
        let said = within_patience("its end", child.wait_with_output()).await.expect("it ends");
        let err = String::from_utf8_lossy(&said.stderr);
        assert_eq!(said.status.code(), Some(code), "{arguments:?}: {err}");
        assert!(!err.contains("panicked") && !err.contains("Broken pipe"), "{arguments:?}: {err}");
    }
}
