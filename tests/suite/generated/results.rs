//! Results that are made up: what `outputParameters` make of generated answers, in every raw format, and of the inputs alone.
//!
//! Where a value comes from is a JSONPath, a constant or a text; scalars are coerced; what is missing or doesn't fit is null.

mod output;

use proptest::{
    collection::vec,
    option,
    prelude::{Just, any, prop_oneof},
    sample::{select, subsequence},
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Value, json};

use self::output::{Out, constant, members_of, of_all, of_answer, of_inputs, out, scalar, top};
use super::{
    document::Offer,
    formats::{Format, format},
    lab::{Lab, Made, Offered, Told, count, same, seeds, try_all},
    parameters::encode,
};

const DOCUMENTS: u64 = 3;
const INPUTS: usize = 15;

#[derive(Clone, Debug)]
enum Outputs {
    /// The upstream's answer, byte for byte.
    Identity(&'static str),
    One(Option<&'static str>, Out),
    /// The members of an object.
    Several(Vec<(&'static str, Out)>),
    /// Of which the first that isn't null counts.
    Alternatives(Vec<Out>),
    /// Of nothing but the inputs.
    Mock(Vec<(&'static str, Out)>),
}

/// An operation with a result.
#[derive(Clone, Debug)]
pub struct Operation {
    format: Format,
    outputs: Outputs,
}

/// A call: the input, and what the upstream answers.
#[derive(Clone, Debug)]
struct Call {
    who: Option<String>,
    answer: Answer,
}

#[derive(Clone, Debug)]
enum Answer {
    /// The text, and what it stands for.
    Good(String, Value),
    /// An error, as JSON or as text.
    Error(u16, bool),
    Empty,
    /// What isn't what it should be.
    Garbage,
}

/// Some operations.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(), 10..14)
}

fn operation() -> impl Strategy<Value = Operation> {
    let named = |outs: BoxedStrategy<Out>, least| {
        let names = subsequence(&["id", "name", "x-y", "on"][..], least..=4);
        (names, vec(outs, 4)).prop_map(|(names, outs)| names.into_iter().zip(outs).collect::<Vec<_>>())
    };
    let mocked = prop_oneof![3 => scalar(of_inputs()), 1 => constant()];
    let outputs = prop_oneof![
        1 => select(vec!["$", "$."]).prop_map(Outputs::Identity),
        4 => (option::of(Just("result")), top()).prop_map(|(name, out)| Outputs::One(name, out)),
        3 => named(out(2), 2).prop_map(Outputs::Several),
        1 => vec(scalar(of_answer()), 2..4).prop_map(Outputs::Alternatives),
        2 => named(mocked.boxed(), 1).prop_map(Outputs::Mock),
    ];
    (format(), outputs).prop_map(|(format, outputs)| match (format, outputs) {
        (Format::Json, outputs) | (_, outputs @ Outputs::Mock(_)) => Operation { format: Format::Json, outputs },
        (format, _) => Operation { format, outputs: Outputs::One(None, of_all(format)) },
    })
}

impl Outputs {
    fn written(&self) -> Value {
        let named = |name: &str, out: &Out| {
            let mut written = out.written();
            written["name"] = json!(name);
            written
        };
        match self {
            Self::Identity(root) => json!([{"type": "object", "mapping": root}]),
            Self::One(None, out) => json!([out.written()]),
            Self::One(Some(name), out) => json!([named(name, out)]),
            Self::Several(outs) | Self::Mock(outs) => outs.iter().map(|(name, out)| named(name, out)).collect(),
            Self::Alternatives(outs) => outs.iter().map(Out::written).collect(),
        }
    }

    /// The result of an answer.
    fn made(&self, answer: &Value, who: Option<&str>) -> Value {
        match self {
            Self::Identity(_) => answer.clone(),
            Self::One(_, out) => out.made(answer, None, who),
            Self::Several(outs) | Self::Mock(outs) => members_of(outs, answer, who),
            Self::Alternatives(outs) => {
                let mut made = outs.iter().map(|out| out.made(answer, None, who));
                made.find(|it| !it.is_null()).unwrap_or_default()
            }
        }
    }
}

impl Offered for Operation {
    fn offer(&self, number: u64, at: usize) -> Offer {
        let exposed = |name: String, who: Value| {
            let mut exposed = json!({
                "name": name, "description": "Gets something.", "inputParameters": [who],
                "outputParameters": self.outputs.written(),
            });
            if !matches!(self.outputs, Outputs::Mock(_)) {
                exposed["call"] = json!(format!("api.op{at}"));
            }
            exposed
        };
        let who = json!({"name": "who", "type": "string", "description": "Somebody.", "required": false});
        let mut in_query = who.clone();
        in_query["in"] = json!("query");
        let mut rest = exposed(format!("op{at}"), in_query);
        rest["method"] = json!("GET");
        // A mock calls nothing, whatever is there.
        let consumed = json!({"name": format!("op{at}"), "method": "GET", "outputRawFormat": self.format.name()});
        Offer {
            consumed: vec![json!({"name": format!("r{at}"), "path": path_of(number, at), "operations": [consumed]})],
            rest: json!({"name": format!("r{at}"), "path": format!("/g{number}/{at}"), "operations": [rest]}),
            tool: exposed(format!("tool-{at}"), who),
            function: None,
        }
    }
}

impl Operation {
    fn calls(&self) -> BoxedStrategy<Call> {
        let good = self.format.answers().prop_map(|(text, value)| Answer::Good(text, value));
        let error = (select(vec![404, 409, 422]), any::<bool>()).prop_map(|(status, json)| Answer::Error(status, json));
        // Any text is text, and what is handed on isn't read.
        let reads = self.format != Format::Text && !matches!(self.outputs, Outputs::Identity(_));
        let garbage = if reads { Answer::Garbage } else { Answer::Empty };
        let answer = prop_oneof![17 => good, 1 => error, 1 => Just(Answer::Empty), 1 => Just(garbage)];
        let who = option::of(select(vec!["Ada", "7", "\"ü\" {{who}}"]).prop_map(str::to_owned));
        (who, answer).prop_map(|(who, answer)| Call { who, answer }).boxed()
    }
}

/// Where the upstream has what an operation gets.
fn path_of(number: u64, at: usize) -> String {
    format!("/results/{number}/{at}")
}

impl Answer {
    fn told(&self, format: Format) -> Told {
        let told = |status, media_type, body: &str| Told { status, media_type, body: body.to_owned() };
        match self {
            Self::Good(text, _) => told(200, format.media_type(), text),
            Self::Error(status, true) => Told::json(*status, &json!({"id": "error"})),
            Self::Error(status, false) => told(*status, "text/plain", "sorry"),
            Self::Empty => told(204, format.media_type(), ""),
            Self::Garbage => match format {
                // A line with more cells than there are names.
                Format::Table(..) => told(200, format.media_type(), "a\n1,2\t3|4"),
                _ => told(200, format.media_type(), "<a: [\n"),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_becomes_the_result_that_the_document_describes() {
    let documents: Vec<_> = seeds(DOCUMENTS).map(|seed| Made::of(seed, &operations())).collect();
    let lab = Lab::of(&documents).await;
    let test = async |at, operation: &Operation, it: &Call| call(&lab, at, operation, it).await;
    let made = try_all(documents, INPUTS, Operation::calls, test).await;
    let (nulls, others) = count(&made.iter().map(|it| it.to_string().contains("null")).collect::<Vec<_>>());
    assert!(nulls > 100 && others > 100, "{nulls} lack something, {others} don't");
}

/// Calls an operation over both doors. Gives the result.
async fn call(lab: &Lab, at: (u64, usize), it: &Operation, call: &Call) -> Result<Value, String> {
    let (seed, operation) = at;
    lab.tell(&path_of(seed, operation), call.answer.told(it.format));
    let who = call.who.as_deref();
    let query = who.map_or_else(String::new, |who| format!("?who={}", encode(who)));
    let rest = lab.host.get(&format!("/g{seed}/{operation}{query}")).await;
    let input = who.map_or_else(|| json!({}), |who| json!({"who": who}));
    let mcp = lab.call(seed, &format!("tool-{operation}"), &input).await;
    let asked = lab.upstream.requests().len();
    let of_status = |status: u16, is_error: bool| {
        same(&format!("{rest:?} {mcp:?}"), &(rest.status, mcp.is_error, asked), &(status, is_error, 2))
    };
    let expected = match (&it.outputs, &call.answer) {
        (Outputs::Mock(_), _) => {
            same("requests", &asked, &0)?;
            it.outputs.made(&Value::Null, who)
        }
        (outputs, Answer::Good(_, answer)) => {
            of_status(200, false)?;
            outputs.made(answer, who)
        }
        (_, Answer::Empty) => {
            of_status(204, false)?;
            same("a body", &rest.text(), &"")?;
            return Ok(Value::Null);
        }
        (_, Answer::Garbage) => {
            of_status(502, true)?;
            rest.problem(502, "upstream-unavailable");
            return Ok(Value::Null);
        }
        (_, Answer::Error(status, is_json)) => {
            of_status(*status, true)?;
            same("the status in the text", &mcp.text.contains(&status.to_string()), &true)?;
            match is_json {
                true => same("the upstream's error", &rest.json(), &json!({"id": "error"}))?,
                false => drop(rest.problem(*status, "upstream-error")),
            }
            return Ok(Value::Null);
        }
    };
    same(&format!("over REST, {rest:?}"), &(rest.status, rest.json()), &(200, expected.clone()))?;
    if let (Outputs::Identity(_), Answer::Good(text, _)) = (&it.outputs, &call.answer) {
        same("byte for byte", &rest.text(), &text.as_str())?;
    }
    let text: Value = serde_json::from_str(&mcp.text).map_err(|e| format!("{e}: {mcp:?}"))?;
    same(&format!("over MCP, {mcp:?}"), &text, &expected)?;
    same("structured content", &mcp.structured, &Some(expected.clone()))?;
    Ok(expected)
}
