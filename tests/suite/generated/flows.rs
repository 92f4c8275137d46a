//! Flows that are made up, in an aggregate or where they are exposed: what each step asks, what it may wait for, whose failure is told, and what comes of
//! it all.

mod model;

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop_oneof},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use self::model::Led;
use super::{
    document::Offer,
    json_path::{Path, Step},
    lab::{Lab, Made, Offered, Told, count, same, seeds, try_all},
    parameters::{encode, text},
};

const DOCUMENTS: u64 = 3;
const INPUTS: usize = 15;

const NAMES: [&str; 5] = ["get-one", "b2", "third_3", "look", "five"];
/// The parameters in the query of each call.
const QUERY: [&str; 2] = ["q", "r"];

/// What a parameter, a lookup or a member of the result is given.
#[derive(Clone, Debug)]
enum Given {
    Constant(Value),
    /// An input, in braces or with the namespace before it.
    Input(&'static str, bool),
    /// A part of what a step has led to, in braces or as a path.
    Result {
        step: usize,
        path: Path,
        in_braces: bool,
    },
    Text {
        before: &'static str,
        step: usize,
        path: Path,
    },
}

#[derive(Clone, Debug)]
enum Task {
    /// A call with a value in its path, if it has one, and some in its query.
    Call {
        method: &'static str,
        id: Option<Given>,
        query: Vec<Given>,
    },
    Lookup {
        index: usize,
        wanted: Given,
        fields: Vec<&'static str>,
    },
}

/// A flow.
#[derive(Clone, Debug)]
pub struct Flow {
    steps: Vec<Task>,
    mappings: Vec<(&'static str, Given)>,
    /// Whether it stands in an aggregate.
    is_shared: bool,
    /// Whether the tool that refers to it says what its inputs are.
    is_bound: bool,
}

#[derive(Clone, Debug)]
enum Reply {
    Good(Value),
    Error(u16),
}

/// A call: the input, and what the upstream answers to each step.
#[derive(Clone, Debug)]
struct Call {
    input: Map<String, Value>,
    replies: Vec<Reply>,
}

/// Some flows.
pub fn flows() -> impl Strategy<Value = Vec<Flow>> {
    vec(flow(), 6..9)
}

fn flow() -> impl Strategy<Value = Flow> {
    let steps = (1..=NAMES.len()).prop_flat_map(|count| (0..count).map(task).collect::<Vec<_>>());
    (steps, any::<bool>(), any::<bool>()).prop_flat_map(|(mut steps, is_shared, is_bound)| {
        keep_lookups_right(&mut steps);
        let targets = subsequence(&["one", "two.x", "two.y", "three"][..], 0..=4);
        let values = vec(mapped(steps.len()), 4);
        (Just(steps), targets, values).prop_map(move |(steps, targets, values)| Flow {
            steps,
            mappings: targets.into_iter().zip(values).collect(),
            is_shared,
            is_bound,
        })
    })
}

/// What is searched is an answer.
fn keep_lookups_right(steps: &mut [Task]) {
    let calls: Vec<bool> = steps.iter().map(|it| matches!(it, Task::Call { .. })).collect();
    for task in steps {
        if let Task::Lookup { index, .. } = task {
            *index = (0..=*index).rev().find(|it| calls[*it]).expect("the first is a call");
        }
    }
}

fn task(at: usize) -> BoxedStrategy<Task> {
    let method = prop_oneof![5 => Just("GET"), 1 => select(vec!["PUT", "DELETE"])];
    let id = match at {
        0 => Just(None).boxed(),
        at => option::weighted(0.3, scalar_result(at)).boxed(),
    };
    let query = vec(given(at), 1..=QUERY.len());
    let call = (method, id, query).prop_map(|(method, id, query)| Task::Call { method, id, query }).boxed();
    if at == 0 {
        return call;
    }
    let fields = subsequence(&["name", "n", "none"][..], 1..=3);
    let wanted = prop_oneof![1 => given(at), 3 => ids(at)];
    let lookup =
        (0..at, wanted, fields).prop_map(|(index, wanted, fields)| Task::Lookup { index, wanted, fields }).boxed();
    prop_oneof![3 => call, 1 => lookup].boxed()
}

/// Something of the steps before this one, or nothing of them.
fn given(before: usize) -> BoxedStrategy<Given> {
    let constant = select(vec![json!(7), json!("x y"), json!(true)]).prop_map(Given::Constant);
    let input = (select(vec!["a", "n"]), any::<bool>()).prop_map(|(name, in_braces)| Given::Input(name, in_braces));
    match before {
        0 => prop_oneof![1 => constant, 2 => input].boxed(),
        before => prop_oneof![1 => constant, 1 => input, 4 => result(before)].boxed(),
    }
}

/// The same, or all that a step has led to.
fn mapped(count: usize) -> BoxedStrategy<Given> {
    let whole = (0..count).prop_map(|step| Given::Result { step, path: Path::of(Vec::new()), in_braces: false });
    prop_oneof![6 => given(count), 1 => whole].boxed()
}

fn result(before: usize) -> BoxedStrategy<Given> {
    let first = vec![Step::Name("list"), Step::Index(0)];
    let paths = vec![
        vec![Step::Name("id")],
        vec![Step::Name("name")],
        vec![Step::Name("list")],
        first,
        vec![Step::Name("list"), Step::Each],
        vec![Step::Each, Step::Name("name")],
        vec![Step::Index(-1), Step::Name("id")],
    ];
    // In an object the members may come in any order, and every one would be taken for an item.
    let path = select(paths).prop_map(Path::of);
    (0..before, path, select(vec!["", "x-"]), any::<bool>(), 0..3u8)
        .prop_map(|(step, path, before, in_braces, which)| match which {
            0 if !before.is_empty() => Given::Text { before, step, path },
            _ => Given::Result { step, path, in_braces },
        })
        .boxed()
}

fn scalar_result(before: usize) -> BoxedStrategy<Given> {
    let path = select(vec![vec![Step::Name("id")], vec![Step::Name("name")]]).prop_map(Path::of);
    (0..before, path).prop_map(|(step, path)| Given::Result { step, path, in_braces: true }).boxed()
}

fn ids(before: usize) -> BoxedStrategy<Given> {
    let path = select(vec![vec![Step::Name("id")], vec![Step::Name("list")]]).prop_map(Path::of);
    (0..before, path, any::<bool>()).prop_map(|(step, path, in_braces)| Given::Result { step, path, in_braces }).boxed()
}

/// The name of the step at this place.
fn step_name(at: usize) -> &'static str {
    NAMES[at]
}

/// The upstream's address of a flow, below its base.
fn place(number: u64, at: usize) -> String {
    format!("/flows/{number}/{at}")
}

impl Given {
    /// As the document writes it where inputs have this prefix.
    fn written(&self, prefix: &str) -> Value {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Input(name, true) => json!(format!("{{{{{name}}}}}")),
            Self::Input(name, false) => json!(format!("{prefix}.{name}")),
            Self::Result { step, path, in_braces: true } => json!(format!("{{{{{}}}}}", path.text(step_name(*step)))),
            Self::Result { step, path, in_braces: false } => {
                json!(path.text(&format!("$.{}", step_name(*step))))
            }
            Self::Text { before, step, path } => json!(format!("{before}{{{{{}}}}}", path.text(step_name(*step)))),
        }
    }
}

impl Offered for Flow {
    fn offer(&self, number: u64, at: usize) -> Offer {
        let name = |step: usize| format!("f{at}-{step}");
        let consumed = self.steps.iter().enumerate().filter_map(|(step, task)| {
            let Task::Call { method, id, query } = task else { return None };
            let mut parameters: Vec<Value> =
                QUERY.iter().take(query.len()).map(|name| json!({"name": name, "in": "query"})).collect();
            let mut path = format!("{}/{step}", place(number, at));
            if id.is_some() {
                parameters.push(json!({"name": "id", "in": "path"}));
                path.push_str("/{id}");
            }
            let operation = json!({"name": name(step), "method": method, "inputParameters": parameters});
            Some(json!({"name": name(step), "path": path, "operations": [operation]}))
        });
        let steps = |prefix: &str| {
            let step = |(step, task): (usize, &Task)| match task {
                Task::Call { id, query, .. } => {
                    let query = QUERY.iter().zip(query).map(|(name, given)| (*name, given));
                    let with = query.chain(id.iter().map(|given| ("id", given)));
                    let with = with.map(|(name, given)| (name.to_owned(), given.written(prefix)));
                    let with = Value::Object(with.collect());
                    json!({"name": step_name(step), "type": "call", "call": format!("api.{}", name(step)), "with": with})
                }
                Task::Lookup { index, wanted, fields } => json!({
                    "name": step_name(step), "type": "lookup", "index": step_name(*index), "match": "id",
                    "lookupValue": wanted.written(prefix), "outputParameters": fields,
                }),
            };
            self.steps.iter().enumerate().map(step).collect::<Value>()
        };
        let inputs = |place: Option<&str>| {
            let input = |(name, kind): (&str, &str)| {
                let mut input = json!({"name": name, "type": kind, "description": "Something.", "required": false});
                if let Some(place) = place {
                    input["in"] = json!(place);
                }
                input
            };
            [("a", "string"), ("n", "integer")].into_iter().map(input).collect::<Value>()
        };
        let flow = |prefix: &str, place: Option<&str>, name: String| {
            let mut flow = json!({
                "name": name, "description": "Does several things.", "inputParameters": inputs(place), "steps": steps(prefix),
            });
            if !self.mappings.is_empty() {
                let mapping =
                    |(target, given): &(&str, Given)| json!({"targetName": target, "value": given.written(prefix)});
                flow["mappings"] = self.mappings.iter().map(mapping).collect();
            }
            flow
        };
        let reference = |name: String| json!({"name": name, "ref": format!("shared.f{at}")});
        let (mut rest, mut tool) = match self.is_shared {
            true => (reference(format!("op{at}")), reference(format!("tool-{at}"))),
            false => (flow("rest", Some("query"), format!("op{at}")), flow("tools", None, format!("tool-{at}"))),
        };
        rest["method"] = json!("GET");
        if self.is_shared && self.is_bound {
            tool["with"] = json!({"a": "tools.other"});
        }
        Offer {
            consumed: consumed.collect(),
            rest: json!({"name": format!("r{at}"), "path": format!("/g{number}/{at}"), "operations": [rest]}),
            tool,
            function: self.is_shared.then(|| flow("shared", None, format!("f{at}"))),
        }
    }
}

impl Flow {
    fn calls(&self) -> impl Strategy<Value = Call> + use<> {
        let good = prop_oneof![3 => object(), 2 => vec(object(), 0..4).prop_map(Value::Array), 1 => Just(json!(7))];
        let error = select(vec![404, 409, 422]).prop_map(Reply::Error);
        let replies = vec(prop_oneof![14 => good.prop_map(Reply::Good), 1 => error], self.steps.len());
        let a = option::weighted(0.8, select(vec!["x", "", "ä&=b"]));
        let n = option::weighted(0.8, 0..5i64);
        (a, n, replies).prop_map(|(a, n, replies)| {
            let a = a.map(|a| ("a".to_owned(), json!(a)));
            let n = n.map(|n| ("n".to_owned(), json!(n)));
            Call { input: a.into_iter().chain(n).collect(), replies }
        })
    }
}

/// What steps are about.
fn object() -> BoxedStrategy<Value> {
    let id = select(vec![json!(0), json!(1), json!(2), json!("2"), Value::Null]);
    let name = select(vec![json!("Ada"), json!("a/b ü"), json!(".."), Value::Null]);
    let list = vec(0..4i64, 0..4).prop_map(Value::from);
    let of = [("id", id.boxed()), ("name", name.boxed()), ("list", list.boxed()), ("n", Just(json!(0.5)).boxed())];
    let members = of.map(|(name, value)| {
        option::weighted(0.85, value).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    });
    members.to_vec().prop_map(|members| Value::Object(members.into_iter().flatten().collect())).boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_asks_what_it_may_in_an_order_that_it_may_and_comes_to_its_result() {
    let documents: Vec<_> = seeds(DOCUMENTS).map(|seed| Made::of(seed, &flows())).collect();
    let lab = Lab::of(&documents).await;
    let test = async |at, flow: &Flow, it: &Call| call(&lab, at, flow, it).await;
    let (done, failed) = count(&try_all(documents, INPUTS, Flow::calls, test).await);
    assert!(done > 100 && failed > 50, "{done} done, {failed} failed");
}

/// Calls a flow over both doors. True if it comes to its end.
async fn call(lab: &Lab, at: (u64, usize), it: &Flow, call: &Call) -> Result<bool, String> {
    let (seed, operation) = at;
    lab.upstream.requests();
    for (step, reply) in call.replies.iter().enumerate() {
        let told = match reply {
            Reply::Good(value) => Told::json(200, value),
            Reply::Error(status) => Told::json(*status, &json!({"id": "error"})),
        };
        lab.tell(&format!("{}/{step}", place(seed, operation)), told);
    }
    let base = format!("/base{}", place(seed, operation));
    let seen =
        || -> Vec<String> { lab.upstream.requests().iter().map(|it| format!("{} {}", it.method, it.target)).collect() };

    let led = it.leads_to(&base, &call.input, &call.replies);
    let pairs: Vec<String> =
        call.input.iter().map(|(name, value)| format!("{name}={}", encode(&text(value)))).collect();
    let rest = lab.host.get(&format!("/g{seed}/{operation}?{}", pairs.join("&"))).await;
    led.check(&seen()).map_err(|it| format!("over REST, {it}\n{rest:?}"))?;
    let told = rest.json();
    let failed = (rest.status >= 400).then(|| told["detail"].as_str().unwrap_or_default().to_owned());
    compare(&led, failed, &told, &format!("over REST, {rest:?}"))?;
    if let (Some(Reply::Error(status)), Err(steps)) = (first_error(call, &led), &led.result)
        && steps.len() == 1
    {
        rest.problem(*status, "upstream-error");
    }

    let (input, led) = match it.is_shared && it.is_bound {
        true => {
            let a: Map<String, Value> =
                call.input.iter().filter(|it| it.0 == "a").map(|it| (it.0.clone(), it.1.clone())).collect();
            let led = it.leads_to(&base, &a, &call.replies);
            (a.into_iter().map(|(_, value)| ("other".to_owned(), value)).collect(), led)
        }
        false => (call.input.clone(), led),
    };
    let mcp = lab.call(seed, &format!("tool-{operation}"), &Value::Object(input)).await;
    led.check(&seen()).map_err(|it| format!("over MCP, {it}\n{mcp:?}"))?;
    let failed = mcp.is_error.then(|| mcp.text.clone());
    let told = if mcp.is_error { Value::Null } else { serde_json::from_str(&mcp.text).map_err(|e| e.to_string())? };
    compare(&led, failed, &told, &format!("over MCP, {mcp:?}"))?;
    Ok(led.result.is_ok())
}

/// The reply to the step that fails, if it is one that has been asked.
fn first_error<'c>(call: &'c Call, led: &Led) -> Option<&'c Reply> {
    let step = *led.result.as_ref().err()?.first()?;
    led.requests.iter().any(|(asked, _)| *asked == step).then(|| &call.replies[step])
}

/// Compares the result, or the name of the step that is told to have failed.
fn compare(led: &Led, failed: Option<String>, told: &Value, what: &str) -> Result<(), String> {
    match (&led.result, failed) {
        (Ok(expected), None) => same(what, told, expected),
        (Err(steps), Some(text)) => {
            let is_named = |step: &usize| text.contains(&format!("step `{}`", step_name(*step)));
            if steps.iter().any(is_named) { Ok(()) } else { Err(format!("{what}\nno name of one of {steps:?}")) }
        }
        (expected, failed) => Err(format!("{what}\n  seen: {failed:?}\nwanted: {expected:?}")),
    }
}
