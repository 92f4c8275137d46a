//! An exposure, with what it leaves to the flow of an aggregate that it refers to.

use serde_json::Value as Json;

use crate::document::diagnostic::Code;
use crate::document::model::{Action, Document, Exposure, Outputs, Parameter, Reference, SharedFlow, With};
use crate::document::report::Report;

/// What a document says about one exposure, wherever it says it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What it says itself.
    pub exposure: &'a Exposure,
    /// The flow that it refers to, with the reference.
    pub shared: Option<(&'a Reference, &'a SharedFlow)>,
    /// What it does.
    pub action: &'a Action,
}

impl<'a> Subject<'a> {
    /// Follows the reference to a flow, if there is one. `None` after an error.
    pub fn of(exposure: &'a Exposure, document: &'a Document, report: &Report) -> Option<Self> {
        let Action::Reference(reference) = &exposure.action else {
            return Some(Self { exposure, shared: None, action: &exposure.action });
        };
        let found = document.flows.iter().find(|flow| flow.name.value == reference.flow.value);
        if found.is_none() {
            let known = document.flows.iter().map(|flow| flow.name.value.as_str());
            let name = &reference.flow.value;
            report
                .error(
                    Code::UnknownReference,
                    &reference.flow.at,
                    format!("no flow of an aggregate has this name: {name}"),
                )
                .expected("<namespace of an aggregate>.<flow>")
                .did_you_mean(name, known);
        }
        let flow = found?;
        Some(Self { exposure, shared: Some((reference, flow)), action: flow.action.as_ref()? })
    }

    /// The declared inputs; `None` = derived. What feeds the flow's inputs itself has others.
    pub fn inputs(&self) -> Option<&'a [Parameter]> {
        let shared = match self.shared {
            Some((Reference { with: With::SameNames, .. }, flow)) => flow.inputs.as_deref(),
            _ => None,
        };
        self.exposure.inputs.as_deref().or(shared)
    }

    /// A display name.
    pub fn title(&self) -> Option<&'a String> {
        self.exposure.title.as_ref().or_else(|| self.shared?.1.title.as_ref())
    }

    /// What it does.
    pub fn description(&self) -> Option<&'a String> {
        self.exposure.description.as_ref().or_else(|| self.shared?.1.description.as_ref())
    }

    /// What the result is made of; `None` = it is the answer.
    pub fn outputs(&self) -> Option<&'a Outputs> {
        self.exposure.outputs.as_ref().or_else(|| self.shared?.1.outputs.as_ref())
    }

    /// The schema of its result.
    pub fn output_schema(&self) -> Option<&'a Json> {
        // The flow's is of what the flow makes, not of what is made of that here.
        let shared = self.shared.filter(|_| self.exposure.outputs.is_none());
        self.exposure.output_schema.as_ref().or_else(|| shared?.1.output_schema.as_ref())
    }
}
