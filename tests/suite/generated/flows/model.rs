//! What a flow leads to, told from the rules: a step waits for what it refers to; one that may change something waits for all before it, and those
//! after it wait for it; one that fails ends the flow. What of the rest was asked by then, is anybody's guess.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Flow, Given, Reply, Task, step_name};
use crate::generated::parameters::{encode, text};

/// What a flow leads to.
#[derive(Debug)]
pub struct Led {
    /// The result, or which steps can be the first to fail.
    pub result: Result<Value, Vec<usize>>,
    /// The requests of the steps that may be asked: the step, and its request.
    pub requests: Vec<(usize, String)>,
    /// The steps that each one waits for.
    pub waits: Vec<BTreeSet<usize>>,
}

impl Given {
    /// The step that it refers to.
    fn step(&self) -> Option<usize> {
        match self {
            Self::Constant(_) | Self::Input(..) => None,
            Self::Result { step, .. } | Self::Text { step, .. } => Some(*step),
        }
    }

    /// The value; `None` if there is none.
    fn value(&self, results: &[Option<Value>], input: &Map<String, Value>) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Input(name, _) => input.get(*name).cloned(),
            Self::Result { step, path, .. } => {
                let found = path.find(results[*step].as_ref()?);
                match path.is_single() {
                    true => found.first().map(|it| (*it).clone()).filter(|it| !it.is_null()),
                    false => Some(found.into_iter().cloned().collect()),
                }
            }
            Self::Text { before, step, path } => {
                let inside = Self::Result { step: *step, path: path.clone(), in_braces: true };
                Some(Value::from(format!("{before}{}", text(&inside.value(results, input)?))))
            }
        }
    }
}

impl Flow {
    fn waits(&self) -> Vec<BTreeSet<usize>> {
        let mut waits: Vec<BTreeSet<usize>> = Vec::new();
        let mut last_change = None;
        for (at, task) in self.steps.iter().enumerate() {
            let mut needs: BTreeSet<usize> = match task {
                Task::Call { id, query, .. } => id.iter().chain(query).filter_map(Given::step).collect(),
                Task::Lookup { index, wanted, .. } => wanted.step().into_iter().chain([*index]).collect(),
            };
            needs.extend(last_change);
            if matches!(task, Task::Call { method, .. } if *method != "GET") {
                needs.extend(0..at);
                last_change = Some(at);
            }
            // Whoever waits for one waits for all that it waits for.
            let further: Vec<usize> = needs.iter().flat_map(|it| waits[*it].clone()).collect();
            needs.extend(further);
            waits.push(needs);
        }
        waits
    }

    /// What an input leads to, if the steps are answered like this.
    pub(super) fn leads_to(&self, base: &str, input: &Map<String, Value>, replies: &[Reply]) -> Led {
        let waits = self.waits();
        let (mut results, mut failed, mut requests) = (Vec::<Option<Value>>::new(), Vec::new(), Vec::new());
        for (at, task) in self.steps.iter().enumerate() {
            results.push(None);
            if waits[at].iter().any(|it| results[*it].is_none()) {
                continue;
            }
            let done = match task {
                Task::Lookup { index, wanted, fields } => {
                    let wanted = wanted.value(&results, input).unwrap_or_default();
                    look_up(results[*index].as_ref().expect("it is done"), &wanted, fields)
                }
                Task::Call { method, id, query } => {
                    let id = match id {
                        None => Some(String::new()),
                        Some(id) => id.value(&results, input).and_then(|it| segment(&it)),
                    };
                    id.and_then(|id| {
                        let values = query.iter().zip(super::QUERY);
                        let pairs: Vec<String> =
                            values.flat_map(|(given, name)| pairs(name, given.value(&results, input))).collect();
                        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
                        requests.push((at, format!("{method} {base}/{at}{id}{query}")));
                        match &replies[at] {
                            Reply::Good(value) => Some(value.clone()),
                            Reply::Error(_) => None,
                        }
                    })
                }
            };
            if done.is_none() {
                failed.push(at);
            }
            results[at] = done;
        }
        let result = if failed.is_empty() { Ok(self.result(&results, input)) } else { Err(failed) };
        Led { result, requests, waits }
    }

    fn result(&self, results: &[Option<Value>], input: &Map<String, Value>) -> Value {
        if self.mappings.is_empty() {
            let last = self.steps.iter().rposition(|it| matches!(it, Task::Call { .. })).expect("a call");
            return results[last].clone().expect("it is done");
        }
        let mut made = Value::Object(Map::new());
        for (target, given) in &self.mappings {
            let value = given.value(results, input).unwrap_or_default();
            let place = target.split('.').fold(&mut made, |made, name| &mut made[name]);
            *place = value;
        }
        made
    }
}

/// A value as a segment of a path. What is empty is none.
fn segment(value: &Value) -> Option<String> {
    let text = text(value);
    (!matches!(text.as_str(), "" | "." | "..")).then(|| format!("/{}", encode(&text)))
}

fn pairs(name: &str, value: Option<Value>) -> Vec<String> {
    let values = match value {
        Some(Value::Array(items)) => items,
        other => other.into_iter().collect(),
    };
    // What is null isn't sent.
    let values = values.iter().filter(|it| !it.is_null());
    values.map(|value| format!("{name}={}", encode(&text(value)))).collect()
}

/// The first entry that has the wanted value, as text; of a list of wanted ones, all that are found. `None` where there is nothing to search.
fn look_up(index: &Value, wanted: &Value, fields: &[&str]) -> Option<Value> {
    let one = [index.clone()];
    let entries: &[Value] = match index {
        Value::Array(entries) => entries,
        Value::Object(_) => &one,
        _ => return None,
    };
    let find = |wanted: &Value| {
        let entry = entries.iter().find(|it| it.get("id").is_some_and(|id| text(id) == text(wanted)))?;
        let field = |name: &&str| ((*name).to_owned(), entry.get(*name).cloned().unwrap_or_default());
        Some(Value::Object(fields.iter().map(field).collect()))
    };
    Some(match wanted {
        Value::Null => Value::Null,
        Value::Array(all) => all.iter().filter_map(find).collect(),
        one => find(one).unwrap_or_default(),
    })
}

impl Led {
    /// Whether these requests, in their order, are what the flow makes.
    pub fn check(&self, seen: &[String]) -> Result<(), String> {
        let told = |what: &str| Err(format!("{what}\n   seen: {seen:?}\nallowed: {:?}", self.requests));
        let mut asked = Vec::new();
        for line in seen {
            match self.requests.iter().find(|(_, request)| request == line) {
                Some((step, _)) if !asked.contains(step) => asked.push(*step),
                Some(_) => return told("asked twice"),
                None => return told("not a request of the flow"),
            }
            let step = asked[asked.len() - 1];
            let sends = |it: &&usize| self.requests.iter().any(|(step, _)| step == *it);
            if let Some(early) = self.waits[step].iter().filter(sends).find(|it| !asked.contains(it)) {
                return told(&format!("`{}` was asked before `{}`", step_name(step), step_name(*early)));
            }
        }
        if self.result.is_ok() && asked.len() != self.requests.len() {
            return told("not all were asked");
        }
        Ok(())
    }
}
