//! Flows: starts each step as soon as those before it are done, and makes the result.
//!
//! Which step comes after which is the compiler's work. A step that fails ends the flow; what is under way then is dropped.

use std::collections::BTreeMap;

use airlock_sdk::{
    Failure, Reply, RequestFailure, UpstreamError,
    http::{self, Pending, Response},
    internal,
};
use serde_json::{Map, Value as Json};

use crate::{
    bindings::airlock::capability::plan::{self, Ask, Keep, Lookup, RawFormat, Step, Task, Value},
    encode, format,
    input::Input,
    path::Paths,
    request,
    shape::Shape,
};

/// Requests at the same time. The host lets 16 answers of one call be open at once, and one that waits for its turn while its body
/// is written would wait for ever.
const MAX_SIDE_BY_SIDE: usize = 8;

/// A flow that is ready to be carried out.
#[derive(Debug)]
pub struct Flow {
    steps: Vec<Step>,
    /// The shapes of what steps keep, each at the place of its step.
    kept: Vec<Option<Shape>>,
    outcome: Outcome,
    paths: Paths,
}

#[derive(Debug)]
enum Outcome {
    /// The answer that a step keeps.
    Answer,
    Made {
        source: Option<usize>,
        shapes: Vec<Shape>,
    },
}

impl Flow {
    /// Prepares what the plan says.
    ///
    /// # Errors
    /// As [`Shape::compile`].
    pub fn compile(plan: plan::Flow) -> Result<Self, String> {
        let outcome = match plan.outcome {
            plan::Outcome::Answer(_) => Outcome::Answer,
            plan::Outcome::Made(made) => Outcome::Made {
                source: made.source.map(|step| step as usize),
                shapes: made.shapes.iter().map(|nodes| Shape::compile(nodes)).collect::<Result<_, _>>()?,
            },
        };
        let kept = plan.steps.iter().map(|step| match &step.task {
            Task::Ask(Ask { keep: Keep::Value(it), .. }) => Shape::compile(&it.shape).map(Some),
            Task::Ask(_) | Task::Find(_) => Ok(None),
        });
        let kept = kept.collect::<Result<_, String>>()?;
        let result = match &outcome {
            Outcome::Answer => [].iter(),
            Outcome::Made { shapes, .. } => shapes.iter(),
        };
        let paths = Paths::of(&plan.steps, result.flat_map(Shape::values))?;
        Ok(Self { steps: plan.steps, kept, outcome, paths })
    }

    /// Carries it out.
    ///
    /// # Errors
    /// The failure of the first step that fails, with its name.
    pub fn carry_out(&self, input: Input<'_>) -> Result<Reply, Failure> {
        let mut run = Run::of(self, input);
        while run.goes_on()? {}
        run.outcome()
    }
}

/// A flow that is being carried out.
struct Run<'f> {
    flow: &'f Flow,
    input: Input<'f>,
    progress: Vec<Progress>,
    under_way: Vec<(usize, Pending)>,
    /// The answer that the flow results in, unread.
    answer: Option<Response>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Waiting,
    UnderWay,
    Done,
}

impl<'f> Run<'f> {
    fn of(flow: &'f Flow, input: Input<'f>) -> Self {
        let input = input.in_flow(flow.steps.iter().map(|step| step.name.as_str()), &flow.paths);
        let progress = vec![Progress::Waiting; flow.steps.len()];
        Self { flow, input, progress, under_way: Vec::new(), answer: None }
    }

    /// Starts what can be started, or else waits for one answer. False when nothing is left to do.
    fn goes_on(&mut self) -> Result<bool, Failure> {
        if self.under_way.len() < MAX_SIDE_BY_SIDE
            && let Some(next) = self.next()
        {
            self.start(next)?;
            return Ok(true);
        }
        if self.under_way.is_empty() {
            return Ok(false);
        }
        let place = http::first(self.under_way.iter().map(|(_, pending)| pending));
        let (step, pending) = self.under_way.remove(place);
        self.finish(step, pending)?;
        Ok(true)
    }

    fn next(&self) -> Option<usize> {
        next(&self.flow.steps, &self.progress)
    }

    fn start(&mut self, index: usize) -> Result<(), Failure> {
        let step = &self.flow.steps[index];
        match &step.task {
            Task::Find(lookup) => {
                let found = find(lookup, &self.input).map_err(|it| in_step(step, it))?;
                self.input.keep(index, found);
                self.progress[index] = Progress::Done;
            }
            Task::Ask(ask) => {
                let request = request::build(&ask.request, &self.input).map_err(|it| in_step(step, it))?;
                let pending = request.start().map_err(|it| in_step(step, it))?;
                self.under_way.push((index, pending));
                self.progress[index] = Progress::UnderWay;
            }
        }
        Ok(())
    }

    fn finish(&mut self, index: usize, pending: Pending) -> Result<(), Failure> {
        let step = &self.flow.steps[index];
        let Task::Ask(Ask { keep, .. }) = &step.task else {
            return Err(internal("a step that sends nothing has an answer"));
        };
        let number = pending.number();
        let in_request = |failure| in_request(purpose(step), number, failure);
        let response = pending.wait().and_then(Response::success).map_err(in_request)?;
        // A redirect that wasn't followed is nothing done.
        if !matches!(keep, Keep::Answer) && response.status() >= 300 {
            let what = format!("the upstream answered with status {}", response.status());
            return Err(in_step(step, Failure::Unavailable(what)));
        }
        match keep {
            Keep::Nothing => {}
            Keep::Answer => self.answer = Some(response),
            Keep::Value(it) => {
                let mut value = read(&it.format, response).map_err(in_request)?;
                if let Some(shape) = &self.flow.kept[index] {
                    value = serde_json::from_str(&shape.apply(&value, &self.input)).map_err(internal)?;
                }
                self.input.keep(index, value);
            }
        }
        self.progress[index] = Progress::Done;
        Ok(())
    }

    fn outcome(self) -> Result<Reply, Failure> {
        let Outcome::Made { source, shapes } = &self.flow.outcome else {
            return self.answer.map(Response::hand_on).ok_or_else(|| internal("the step that answers has no answer"));
        };
        let nothing = || Json::Object(Map::new());
        let mut made =
            source.map_or_else(nothing, |step| self.input.result(step).cloned().unwrap_or_default()).to_string();
        for shape in shapes {
            made = shape.apply(&serde_json::from_str(&made).map_err(internal)?, &self.input);
        }
        Ok(Reply::Structured(made))
    }
}

/// The first step in the order of the document that waits for nothing.
fn next(steps: &[Step], progress: &[Progress]) -> Option<usize> {
    let is_done = |step: &u32| progress.get(*step as usize) == Some(&Progress::Done);
    let can_start = |index: &usize| progress[*index] == Progress::Waiting && steps[*index].after.iter().all(is_done);
    (0..steps.len()).find(can_start)
}

/// The JSON value of an answer, or what it becomes; an empty one, such as a 204, is null.
fn read(format: &RawFormat, response: Response) -> Result<Json, Failure> {
    let bytes = response.bytes()?;
    if bytes.is_empty() {
        return Ok(Json::Null);
    }
    format::read(format, bytes).map_err(|what| Failure::Unavailable(format!("the upstream's answer is {what}")))
}

/// Names the step that a failure belongs to.
fn in_step(step: &Step, failure: Failure) -> Failure {
    match failure {
        Failure::Unavailable(reason) => Failure::Unavailable(format!("{}: {reason}", purpose(step))),
        other => other,
    }
}

/// Names what a request was for that a failure belongs to.
pub(crate) fn in_request(purpose: String, number: u32, failure: Failure) -> Failure {
    match failure {
        Failure::Upstream(UpstreamError { status, message }) => {
            Failure::Upstream(UpstreamError { status, message: format!("{purpose}: {message}") })
        }
        Failure::Unavailable(reason) | Failure::TimedOut(reason) | Failure::Denied(reason) => {
            Failure::RequestFailed(RequestFailure { number, purpose, reason })
        }
        other => other,
    }
}

fn purpose(step: &Step) -> String {
    format!("step `{}`", step.name)
}

/// Searches a list: each value that is wanted leads to the first entry that has it.
fn find(lookup: &Lookup, input: &Input<'_>) -> Result<Json, Failure> {
    let index = input.led_to(&lookup.index);
    let entries = match index.as_deref() {
        Some(Json::Array(entries)) => entries.as_slice(),
        Some(entry @ Json::Object(_)) => std::slice::from_ref(entry),
        _ => {
            let what = format!("{} in the result of step `{}`", lookup.index.path, input.name_of(&lookup.index));
            return Err(Failure::Unavailable(format!("{what} is no list that could be searched")));
        }
    };
    let mut by_key = BTreeMap::new();
    for entry in entries {
        if let Some(key) = entry.get(&lookup.key) {
            by_key.entry(encode::text(key)).or_insert(entry);
        }
    }
    let found = |wanted: &Json| {
        let entry = by_key.get(&encode::text(wanted))?;
        let fields = lookup.fields.iter().map(|field| (field.clone(), entry.get(field).cloned().unwrap_or_default()));
        Some(Json::Object(fields.collect()))
    };
    Ok(match value(&lookup.wanted, input)? {
        Json::Null => Json::Null,
        Json::Array(all) => all.iter().filter_map(found).collect(),
        one => found(&one).unwrap_or_default(),
    })
}

fn value(plan: &Value, input: &Input<'_>) -> Result<Json, Failure> {
    match request::resolve(plan, input) {
        Some(json) => serde_json::from_str(&json).map_err(internal),
        None => Ok(Json::Null),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bindings::airlock::capability::plan::{Extent, StepPart};

    fn part(step: u32, path: &str) -> StepPart {
        StepPart { step, path: path.to_owned(), leads_to: Extent::One }
    }

    fn paths(lookup: &Lookup) -> Paths {
        let step = Step { name: String::new(), after: Vec::new(), task: Task::Find(lookup.clone()) };
        Paths::of(&[step], []).unwrap()
    }

    fn done<'p>(results: &[Json], paths: &'p Paths) -> Input<'p> {
        let mut input = Input::parse(r#"{"id": 7, "gone": null}"#).unwrap().in_flow(["a", "b", "c"], paths);
        results.iter().enumerate().for_each(|(step, result)| input.keep(step, result.clone()));
        input
    }

    #[test]
    fn a_step_starts_when_those_before_it_are_done() {
        use Progress::{Done, UnderWay, Waiting};
        let step = |after: &[u32]| Step {
            name: String::new(),
            after: after.to_vec(),
            task: Task::Find(Lookup {
                index: part(0, "$"),
                key: String::new(),
                wanted: Value::Step(part(0, "$")),
                fields: Vec::new(),
            }),
        };
        let steps = [step(&[2]), step(&[]), step(&[]), step(&[0, 1])];
        for (progress, expected) in [
            ([Waiting, Waiting, Waiting, Waiting], Some(1)),
            ([Waiting, UnderWay, Waiting, Waiting], Some(2)),
            ([Waiting, UnderWay, UnderWay, Waiting], None),
            ([Waiting, UnderWay, Done, Waiting], Some(0)),
            ([Done, UnderWay, Done, Waiting], None),
            ([Done, Done, Done, Waiting], Some(3)),
            ([Done, Done, Done, Done], None),
        ] {
            assert_eq!(next(&steps, &progress), expected);
        }
    }

    #[test]
    fn a_lookup_finds_the_first_entry_for_each_value() {
        let crew = json!([
            {"id": 1, "name": "Ada", "role": "captain", "x": 0},
            {"id": "2", "name": "Bo"},
            {"id": 1, "name": "Cy"},
            "no object",
        ]);
        let ada = json!({"name": "Ada", "role": "captain"});
        let bo = json!({"name": "Bo", "role": null});
        for (index, wanted, expected) in [
            (&crew, json!(1), ada.clone()),
            (&crew, json!("1"), ada.clone()),
            (&crew, json!(2), bo.clone()),
            (&crew, json!(9), json!(null)),
            (&crew, json!(null), json!(null)),
            (&crew, json!([2, 9, 1]), json!([bo, ada])),
            (&crew, json!([]), json!([])),
            (&json!({"id": 5, "name": "Di"}), json!(5), json!({"name": "Di", "role": null})),
        ] {
            let lookup = Lookup {
                index: part(0, "$"),
                key: "id".to_owned(),
                wanted: Value::Step(part(1, "$.wanted")),
                fields: vec!["name".to_owned(), "role".to_owned()],
            };
            let paths = paths(&lookup);
            let input = done(&[index.clone(), json!({"wanted": wanted})], &paths);
            assert_eq!(find(&lookup, &input).unwrap(), expected, "{wanted}");
        }
    }

    #[test]
    fn a_path_leads_to_a_value_or_to_the_list_of_them() {
        let crew = json!({"a..b": 1, "x": [{"y": 2}, {"y": 3}], "*": null});
        let several = |path: &str| StepPart { leads_to: Extent::Several, ..part(0, path) };
        for (part, expected) in [
            (part(0, "$"), Some(crew.clone())),
            (part(0, "$['a..b']"), Some(json!(1))),
            (part(0, "$.x[1].y"), Some(json!(3))),
            (part(0, "$['*']"), None),
            (part(0, "$.none"), None),
            (several("$.x[*].y"), Some(json!([2, 3]))),
            (several("$..none"), Some(json!([]))),
        ] {
            let paths = Paths::of(&[], [&Value::Step(part.clone())]).unwrap();
            let input = done(std::slice::from_ref(&crew), &paths);
            assert_eq!(input.led_to(&part).map(std::borrow::Cow::into_owned), expected, "{}", part.path);
        }
        assert!(Paths::of(&[], [&Value::Step(part(0, "no path"))]).is_err());
    }

    #[test]
    fn what_is_no_list_cannot_be_searched() {
        let lookup = Lookup {
            index: part(0, "$.items"),
            key: "id".to_owned(),
            wanted: Value::Input("id".to_owned()),
            fields: Vec::new(),
        };
        let paths = paths(&lookup);
        for result in [json!({"items": 7}), json!({}), json!(null)] {
            let Err(Failure::Unavailable(reason)) = find(&lookup, &done(&[result], &paths)) else {
                panic!("searched");
            };
            assert_eq!(reason, "$.items in the result of step `a` is no list that could be searched");
        }
    }
}
