//! Documents that nobody has written, called with input that nobody would send: whatever can be called makes the request that the rules of the
//! format say, and whatever the rules refuse reaches no upstream.
//!
//! What is made up depends on a seed, which a failure tells: see `lab`. Each topic has its own model, written from the rules of the format and not
//! from the product, or one mistake would be made twice and never be found.

mod bodies;
mod document;
mod flows;
mod formats;
mod json_path;
mod lab;
mod parameters;
mod requests;
mod results;
mod sent;

use airlock::document::{Files, Mode, compile, compile_with};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use self::{
    lab::{Lab, Made, Offered, count, make, same, seeds, try_all},
    requests::{Operation, Request},
};
use crate::harness::{Seen, Upstream};

/// Documents, and inputs for each of their operations at each door. Each document is compiled, which takes the better part of the time.
const DOCUMENTS: u64 = 3;
const INPUTS: usize = 25;
/// Documents with something that is wrong, or is at least other than it was, that are tried in a host.
const ALTERED: u64 = 8;
/// The same where nothing is called, which takes no time.
const READ: u64 = 60;

fn requests(upstream: &Upstream) -> Vec<Request> {
    upstream.requests().iter().map(|seen: &Seen| Request::of(seen)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_refused_or_becomes_the_request_that_the_rules_say() {
    let documents: Vec<_> = seeds(DOCUMENTS).map(|seed| Made::of(seed, &requests::operations())).collect();
    let lab = Lab::of(&documents).await;
    let test = async |at, operation: &Operation, input: &Map<String, Value>| call(&lab, at, operation, input).await;
    let (sent, refused) = count(&try_all(documents, INPUTS, Operation::inputs, test).await);
    // Neither kind is an accident.
    assert!(refused > 100 && sent > 100, "{refused} refused, {sent} sent");
}

/// Calls an operation over both doors. True if the rules let the input through.
async fn call(lab: &Lab, at: (u64, usize), it: &Operation, input: &Map<String, Value>) -> Result<bool, String> {
    let (seed, operation) = at;
    lab.upstream.requests();
    let result = lab.call(seed, &format!("tool-{operation}"), &Value::Object(input.clone())).await;
    let seen = requests(&lab.upstream);
    let Some(expected) = it.expected(operation, input) else {
        same("requests of what must be refused", &seen, &Vec::new())?;
        return if result.is_error { Ok(false) } else { Err(format!("not refused: {result:?}")) };
    };
    same(&format!("over MCP, {result:?}"), &(result.is_error, seen), &(false, vec![expected.clone()]))?;

    // A query has no way to say that a list is empty.
    if input.values().any(|value| value.as_array().is_some_and(Vec::is_empty)) {
        return Ok(true);
    }
    let (path, headers, body) = it.over_rest(at, input);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = lab.host.rest().raw(it.method, &path, &headers, body).await;
    let seen = requests(&lab.upstream);
    same(&format!("over REST, {path} {headers:?} {answer:?}"), &(answer.status, seen), &(200, vec![expected]))?;
    Ok(true)
}

/// A small document of one topic or another, and what decides on all that is done to it.
fn any_document(seed: u64) -> (TestRunner, Value) {
    fn small<O: Offered>(mut made: Made<O>) -> (TestRunner, Value) {
        made.operations.truncate(4);
        let document = made.document();
        (made.runner, document)
    }
    match seed % 4 {
        0 => small(Made::of(seed, &requests::operations())),
        1 => small(Made::of(seed, &bodies::operations())),
        2 => small(Made::of(seed, &results::operations())),
        _ => small(Made::of(seed, &flows::flows())),
    }
}

#[test]
fn lists_maps_and_imports_mean_the_same() {
    for seed in seeds(READ) {
        let (_, document) = any_document(seed);
        let text = document.to_string();
        let plan = |source: &str, files: &Files| {
            let compiled = compile_with(source, files, Mode::Strict);
            compiled.unwrap_or_else(|e| panic!("AIRLOCK_SEED={seed} {e:#?}\n{source}")).plan
        };
        let lists = plan(&text, &Files::new());
        let keyed = plan(&document::keyed(&document).to_string(), &Files::new());
        let (importing, parts) = document::imported(&document, "parts.yaml");
        let files = Files::from([("parts.yaml".to_owned(), Ok(parts.to_string()))]);
        let imported = plan(&importing.to_string(), &files);
        assert_eq!(keyed, lists, "AIRLOCK_SEED={seed} keyed\n{text}");
        assert_eq!(imported, lists, "AIRLOCK_SEED={seed} imported\n{text}");
    }
}

#[test]
fn an_altered_document_is_told_all_its_faults_with_their_places() {
    let (mut right, mut wrong) = (0, 0);
    for seed in seeds(3 * READ) {
        let (mut runner, mut document) = any_document(seed);
        for _ in 0..make(&mut runner, &(1..4)) {
            alter(&mut document, &mut runner);
        }
        let text = document.to_string();
        match compile(&text, Mode::Tolerant) {
            Ok(_) => right += 1,
            Err(told) => {
                wrong += 1;
                // All of it is in one line.
                let is_inside = |column: usize| (1..=text.chars().count() + 1).contains(&column);
                let is_placed = !told.is_empty() && told.iter().all(|it| it.line == 1 && is_inside(it.column));
                assert!(is_placed, "AIRLOCK_SEED={seed} {told:#?}\n{text}");
            }
        }
    }
    assert!(right > 20 && wrong > 20, "{right} without an error, {wrong} with");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_document_is_refused_or_each_of_its_tools_can_be_called() {
    let mut documents = Vec::new();
    for seed in seeds(ALTERED * 4) {
        let (mut runner, mut document) = any_document(seed);
        alter(&mut document, &mut runner);
        // What is refused is told above, in no time.
        if documents.len() < ALTERED as usize && compile(&document.to_string(), Mode::Tolerant).is_ok() {
            documents.push((seed, vec![(format!("{}.yaml", lab::plugin(seed)), document.to_string())]));
        }
    }
    let lab = Lab::with(&documents).await;
    let (mut loaded, mut called) = (0, 0);
    for (seed, files) in &documents {
        let status = lab.host.file(&files[0].0).await.expect("a file");
        if status.state != "loaded" {
            // A schema, or a grant, says the rest.
            assert_ne!(status.error, "", "AIRLOCK_SEED={seed} {status:?}\n{files:?}");
            continue;
        }
        loaded += 1;
        let mcp = lab.host.mcp_at(&format!("/mcp/{}", lab::plugin(*seed)));
        for tool in mcp.tools().await {
            let name = tool["name"].as_str().expect("a name");
            let result = mcp.call(name, requests::input_for(&tool["inputSchema"])).await;
            // The upstream may answer what a result can't be made of. Whatever else goes wrong is the document's, and should have been told.
            let is_asked = !lab.upstream.requests().is_empty();
            let is_ours = result.text.contains("the operator finds the reason in the log");
            assert!((!result.is_error || is_asked) && !is_ours, "AIRLOCK_SEED={seed} {tool:#}\n{result:?}\n{files:?}");
            called += 1;
        }
    }
    assert!(loaded > 3 && called > 10, "{loaded} loaded, {called} calls");
}

/// Takes away, renames or replaces one thing, wherever it stands.
fn alter(document: &mut Value, runner: &mut TestRunner) {
    let mut places = Vec::new();
    collect(document, String::new(), &mut places);
    let place = &places[make(runner, &(0..places.len()))];
    let (parent, key) = place.rsplit_once('/').expect("places begin with a slash");
    let unescaped = key.replace("~1", "/").replace("~0", "~");
    let what = make(runner, &(0..4));
    match document.pointer_mut(parent).expect("the place of a place") {
        Value::Object(members) => {
            let value = members.shift_remove(&unescaped).expect("a member");
            match what {
                0 => {}
                1 => drop(members.insert(format!("{unescaped}x"), value)),
                2 => drop(members.insert(unescaped, json!("other"))),
                _ => drop(members.insert(unescaped, json!(["one"]))),
            }
        }
        Value::Array(items) => {
            let index: usize = key.parse().expect("an index");
            match what {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items[index] = json!("other"),
                _ => items.clear(),
            }
        }
        other => panic!("not a place: {other}"),
    }
}

/// The JSON pointers of all that is in a value.
fn collect(value: &Value, at: String, places: &mut Vec<String>) {
    let mut note = |key: String, value: &Value| {
        let place = format!("{at}/{key}");
        places.push(place.clone());
        collect(value, place, places);
    };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| note(key.replace('~', "~0").replace('/', "~1"), value));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| note(index.to_string(), value)),
        _ => {}
    }
}
