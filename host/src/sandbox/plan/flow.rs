//! The flows of a plan.

use super::{request, shape, shaped, value, wit_plan};
use crate::document::plan;

pub(super) fn flow(it: &plan::Flow) -> wit_plan::Flow {
    wit_plan::Flow { steps: it.steps.iter().map(step).collect(), outcome: outcome(&it.outcome) }
}

pub(super) fn part(it: &plan::Part) -> wit_plan::StepPart {
    wit_plan::StepPart { step: number(it.step), path: it.path.clone(), leads_to: extent(&it.path) }
}

/// What a JSONPath leads to.
pub(super) fn extent(path: &str) -> wit_plan::Extent {
    match plan::is_singular(path) {
        true => wit_plan::Extent::One,
        false => wit_plan::Extent::Several,
    }
}

fn step(it: &plan::Step) -> wit_plan::Step {
    wit_plan::Step {
        name: it.name.clone(),
        after: it.after.iter().map(|step| number(*step)).collect(),
        task: match &it.task {
            plan::Task::Ask(it, keep) => {
                let keep = match keep {
                    plan::Keep::Nothing => wit_plan::Keep::Nothing,
                    plan::Keep::Answer => wit_plan::Keep::Answer,
                    plan::Keep::Value(format, made) => wit_plan::Keep::Value(shaped(format, made)),
                };
                wit_plan::Task::Ask(wit_plan::Ask { request: request(it), keep })
            }
            plan::Task::Find(it) => wit_plan::Task::Find(wit_plan::Lookup {
                index: part(&it.index),
                key: it.key.clone(),
                wanted: value(&it.wanted),
                fields: it.fields.clone(),
            }),
        },
    }
}

fn outcome(it: &plan::Outcome) -> wit_plan::Outcome {
    match it {
        plan::Outcome::Answer(step) => wit_plan::Outcome::Answer(number(*step)),
        plan::Outcome::Made { source, shapes } => wit_plan::Outcome::Made(wit_plan::Made {
            source: source.map(number),
            shapes: shapes.iter().map(shape).collect(),
        }),
    }
}

/// The compiler allows far fewer steps.
fn number(step: usize) -> u32 {
    u32::try_from(step).expect("a flow has no more steps than fit")
}
