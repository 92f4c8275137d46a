//! How much of a runtime a plan needs: what isn't needed isn't compiled, nor held in memory for each plugin.

use super::{Action, Answer, Body, Keep, Plan, RawFormat, Step, Task};

/// What a runtime must be able to do for a plan: each of them can do what those before it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// To make requests that are whole, and hand answers on.
    Requests,
    /// To read answers and make results of them, and to send bodies as they come.
    Results,
    /// To read the formats that few documents need.
    Formats,
}

impl Plan {
    /// What it needs: the most that one of its operations does.
    pub fn needs(&self) -> Needs {
        self.actions.iter().map(Action::needs).max().unwrap_or(Needs::Requests)
    }
}

impl Action {
    fn needs(&self) -> Needs {
        match self {
            Self::Call(call) => match (&call.answer, &call.request.body) {
                (Answer::HandedOn, Body::Streamed) | (Answer::Binary(_), _) => Needs::Results,
                (Answer::HandedOn, _) => Needs::Requests,
                (Answer::Shaped(format, _), _) => format.needs(),
            },
            Self::Constant(_) => Needs::Requests,
            Self::Made(_) => Needs::Results,
            Self::Pages(pages) => pages.format.needs(),
            Self::Flow(flow) => flow.steps.iter().map(Step::needs).max().unwrap_or(Needs::Results),
        }
    }
}

impl Step {
    fn needs(&self) -> Needs {
        match &self.task {
            Task::Ask(_, Keep::Value(format, _)) => format.needs(),
            Task::Ask(..) | Task::Find(_) => Needs::Results,
        }
    }
}

impl RawFormat {
    fn needs(&self) -> Needs {
        match self {
            Self::Json | Self::Xml | Self::Delimited(_) | Self::Text => Needs::Results,
            Self::Yaml | Self::Html(_) | Self::Markdown(_) => Needs::Formats,
        }
    }
}
