//! What the values of a plan are made of: the input of a call, and in a flow what its steps have led to. Pure.

use std::{borrow::Cow, collections::BTreeMap};

use airlock_sdk::{Failure, internal};
use serde_json::{Value as Json, value::RawValue};

use crate::bindings::airlock::capability::plan::StepPart;
#[cfg(feature = "results")]
use crate::path::Paths;

/// What the values of a plan are made of.
#[derive(Debug, Default)]
pub struct Input<'a> {
    /// The members of the call's input as JSON texts: what goes into a body goes there as it came, digit for digit.
    members: BTreeMap<String, &'a RawValue>,
    /// The names of a flow's steps, with the result of each that is done.
    steps: Vec<(&'a str, Option<Json>)>,
    /// The flow's; outside of one there are no parts to be found.
    #[cfg(feature = "results")]
    paths: Option<&'a Paths>,
}

impl<'a> Input<'a> {
    /// The input of a call.
    ///
    /// # Errors
    /// It isn't an object, which the host doesn't let happen.
    pub fn parse(json: &'a str) -> Result<Self, Failure> {
        Ok(Self { members: serde_json::from_str(json).map_err(internal)?, ..Self::default() })
    }

    /// The same in a flow of these steps, none of which is done, and with these paths into their results.
    #[cfg(feature = "results")]
    #[must_use]
    pub fn in_flow(self, names: impl IntoIterator<Item = &'a str>, paths: &'a Paths) -> Self {
        Self { steps: names.into_iter().map(|name| (name, None)).collect(), paths: Some(paths), ..self }
    }

    /// A member as a JSON text; `None` if it is absent or null.
    pub fn given(&self, name: &str) -> Option<&'a str> {
        let json = self.members.get(name)?.get();
        (json != "null").then_some(json)
    }

    /// Keeps what a step has led to.
    pub fn keep(&mut self, step: usize, result: Json) {
        self.steps[step].1 = Some(result);
    }

    /// What a step has led to.
    pub fn result(&self, step: usize) -> Option<&Json> {
        self.steps.get(step)?.1.as_ref()
    }

    /// A part of what a step has led to; `None` if there is no such part, or it is null.
    #[cfg(feature = "results")]
    pub fn led_to(&self, part: &StepPart) -> Option<Cow<'_, Json>> {
        let found = self.paths?.find(part, self.result(part.step as usize)?)?;
        (!found.is_null()).then_some(found)
    }

    /// Without flows there are no steps.
    #[cfg(not(feature = "results"))]
    pub fn led_to(&self, _: &StepPart) -> Option<Cow<'_, Json>> {
        None
    }

    /// The name of the step.
    pub fn name_of(&self, part: &StepPart) -> &str {
        self.steps.get(part.step as usize).map_or("", |(name, _)| name)
    }
}
