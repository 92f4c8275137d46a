//! Documents that nobody has written, called with input that nobody would send: whatever can be called makes the request that the rules of the
//! format say, and whatever the rules refuse reaches no upstream.
//!
//! The same documents and inputs each time, so that what fails fails again.

mod model;

use http::StatusCode;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};

use self::model::{Operation, Request};
use crate::harness::{Seen, Setup, TestHost, Upstream, json_answer};

/// Documents, and inputs for each of their operations at each door. Each document is compiled, which takes the better part of the time.
const DOCUMENTS: usize = 8;
const INPUTS: usize = 25;
/// Documents with something that is wrong, or is at least other than it was.
const ALTERED: usize = 16;

fn runner(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Default::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn make<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("nothing is filtered out").current()
}

fn grant(name: &str, upstream: &Upstream) -> String {
    let to = upstream.url();
    format!("[grants.{name}]\nhosts = [\"http://upstream.test\"]\nupstreams.\"http://upstream.test\" = \"{to}\"\n")
}

async fn upstream() -> Upstream {
    Upstream::answering(|_| json_answer(StatusCode::OK, &json!({"id": "any"}))).await
}

fn requests(upstream: &Upstream) -> Vec<Request> {
    upstream.requests().iter().map(|seen: &Seen| Request::of(seen)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_input_is_refused_or_becomes_the_request_that_the_rules_say() {
    let upstream = upstream().await;
    let mut runner = runner(1);
    let mut setup = Setup::default();
    let mut documents = Vec::new();
    for number in 0..DOCUMENTS {
        let operations = make(&mut runner, &model::operations());
        let name = format!("generated-{number}");
        let document = model::document(number, &operations).to_string();
        setup = setup.file(&format!("{name}.yaml"), &document).config(&grant(&name, &upstream));
        documents.push((name, document, operations));
    }
    let host = setup.start().await;
    let (mut refused, mut sent) = (0, 0);
    for (number, (name, document, operations)) in documents.iter().enumerate() {
        let status = host.file(&format!("{name}.yaml")).await.expect("a file");
        assert_eq!(status.state, "loaded", "{status:?}\n{document}");
        for (at, operation) in operations.iter().enumerate() {
            for _ in 0..INPUTS {
                let input = make(&mut runner, &operation.inputs());
                match call(&host, &upstream, (number, at), operation, &input).await {
                    true => sent += 1,
                    false => refused += 1,
                }
            }
        }
    }
    // Neither kind is an accident.
    assert!(refused > 100 && sent > 100, "{refused} refused, {sent} sent");
}

/// Calls an operation over both doors. True if the rules let the input through.
async fn call(
    host: &TestHost,
    upstream: &Upstream,
    at: (usize, usize),
    it: &Operation,
    input: &Map<String, Value>,
) -> bool {
    let (number, operation) = at;
    let mcp = host.mcp_at(&format!("/mcp/generated-{number}"));
    let result = mcp.call(&format!("tool-{operation}"), Value::Object(input.clone())).await;
    let seen = requests(upstream);
    let Some(expected) = it.expected(operation, input) else {
        assert!(result.is_error && seen.is_empty(), "{it:?}\n{input:?}\nseen {seen:?}\n{result:?}");
        return false;
    };
    assert!(
        !result.is_error && seen == [expected.clone()],
        "{it:?}\n{input:?}\nseen {seen:?}\nwanted {expected:?}\n{result:?}"
    );

    // A query has no way to say that a list is empty.
    if input.values().any(|value| value.as_array().is_some_and(Vec::is_empty)) {
        return true;
    }
    let (path, headers, body) = it.over_rest(at, input);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = host.rest().raw(it.method, &path, &headers, body).await;
    let seen = requests(upstream);
    assert!(
        answer.status == 200 && seen == [expected.clone()],
        "{it:?}\n{path} {headers:?}\nseen {seen:?}\nwanted {expected:?}\n{answer:?}"
    );
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_document_is_refused_with_its_faults_or_each_of_its_tools_can_be_called() {
    let upstream = upstream().await;
    let mut runner = runner(2);
    let mut setup = Setup::default();
    for number in 0..ALTERED {
        let operations = make(&mut runner, &model::operations());
        let mut document = model::document(number, &operations);
        alter(&mut document, &mut runner);
        let name = format!("altered-{number}");
        setup = setup.file(&format!("{name}.yaml"), document.to_string()).config(&grant(&name, &upstream));
    }
    let host = setup.start().await;
    let (mut loaded, mut failed) = (0, 0);
    for number in 0..ALTERED {
        let status = host.file(&format!("altered-{number}.yaml")).await.expect("a file");
        if status.state != "loaded" {
            // The place of each fault, in the one line of the document.
            assert!(status.error.contains("in the document: 1:"), "{}", status.error);
            failed += 1;
            continue;
        }
        loaded += 1;
        let mcp = host.mcp_at(&format!("/mcp/altered-{number}"));
        for tool in mcp.tools().await {
            let result = mcp.call(tool["name"].as_str().expect("a name"), model::input_for(&tool["inputSchema"])).await;
            assert!(!result.is_error && upstream.requests().len() == 1, "{tool:#}\n{result:?}");
        }
    }
    assert!(loaded > 2 && failed > 2, "{loaded} loaded, {failed} refused");
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
