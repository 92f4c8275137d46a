//! Which tools are listed: all of them, or, where they are too many for a client, those that are pinned and two of the host's own by
//! which the others are found and called.
//!
//! What isn't listed can be called all the same, by whoever may. Finding is `search`'s, calling `tools`'.

use std::{collections::BTreeSet, sync::Arc};

use rmcp::model::{JsonObject, ToolAnnotations};
use serde_json::{Value, json};

use super::{Era, search, tool};
use crate::{
    callers::Identity,
    catalog::{Scope, Snapshot, Tool},
    contract::{CALL_TOOL, SEARCH_TOOLS},
};

/// How many tools are listed if nothing else is configured. 40: the fewest that a widespread client takes (Cursor sends its model the
/// first 40, those of all servers together; others refuse more than 128). Each is a kilobyte of every conversation.
const MOST: usize = 40;

/// What is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// How many tools are listed at most.
    pub most: usize,
    /// The tools that are always listed: names as they are listed, or `<plugin>.<tool>`.
    pub pinned: Vec<String>,
}

impl Default for Listing {
    fn default() -> Self {
        Self { most: MOST, pinned: Vec::new() }
    }
}

/// A tool in a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listed<'a> {
    /// A plugin's.
    Plugins(&'a Tool),
    /// The host's own.
    Own(Own),
}

/// A tool of the host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// Finds tools.
    Search,
    /// Calls one.
    Call,
}

impl Listing {
    /// How many tools of the host's own are listed with the pinned ones.
    pub const OWN: usize = 2;

    /// Whether these are too many to be listed.
    pub(super) fn is_exceeded_by(&self, tools: &[&Tool]) -> bool {
        tools.len() > self.most
    }

    /// What a caller is listed who may call these.
    pub(super) fn of<'a>(&self, tools: &[&'a Tool]) -> Vec<Listed<'a>> {
        let plugins = tools.iter().copied();
        match self.is_exceeded_by(tools) {
            false => plugins.map(Listed::Plugins).collect(),
            true => {
                let own = [Own::Search, Own::Call].map(Listed::Own);
                own.into_iter().chain(plugins.filter(|tool| self.pins(tool)).map(Listed::Plugins)).collect()
            }
        }
    }

    fn pins(&self, tool: &Tool) -> bool {
        self.pinned.iter().any(|name| is_named(tool, name))
    }

    /// Warns of each name that pins nothing at `/mcp`, once for as long as that is so. It is no error: plugins come and go.
    pub(super) fn warn(&self, snapshot: &Snapshot, warned: &mut BTreeSet<String>) {
        let tools = snapshot.tools(&Scope::All, &Identity::operator());
        let missing = self.pinned.iter().filter(|name| !tools.iter().any(|tool| is_named(tool, name)));
        let missing: BTreeSet<String> = missing.cloned().collect();
        for name in missing.difference(warned) {
            let unknown = tool::unknown(name, tools.iter().map(|tool| tool.name.as_str()), tool::LIST);
            tracing::warn!("mcp.pinned: {unknown}");
        }
        *warned = missing;
    }
}

/// Whether a tool has this name, as it is listed or with its plugin's.
fn is_named(tool: &Tool, name: &str) -> bool {
    let operation = &tool.operation;
    tool.name == name
        || name.split_once('.').is_some_and(|(plugin, plain)| {
            operation.plugin().name() == plugin && operation.operation().tool.as_deref() == Some(plain)
        })
}

impl Listed<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Plugins(tool) => &tool.name,
            Self::Own(own) => own.name(),
        }
    }

    pub(super) fn render(&self, era: Era) -> rmcp::model::Tool {
        match self {
            Self::Plugins(tool) => tool::render(&tool.name, tool.operation.operation(), era),
            Self::Own(own) => own.render(),
        }
    }
}

impl Own {
    /// The tool of this name. No plugin's has it.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Search, Self::Call].into_iter().find(|it| it.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Search => SEARCH_TOOLS,
            Self::Call => CALL_TOOL,
        }
    }

    fn render(self) -> rmcp::model::Tool {
        let (title, description, input) = match self {
            Self::Search => (
                "Search tools",
                "Finds tools by words of what is to be read or done. Gives the best matches, each with its name, what it does and the \
                 arguments it takes; they are called by call_tool. Not every tool is listed: search before concluding that there is none.",
                search::input_schema(),
            ),
            Self::Call => (
                "Call a tool",
                "Calls a tool by its name, mostly one that search_tools has found, and gives that tool's result. What it does is what \
                 that tool does.",
                call_schema(),
            ),
        };
        // A call may be a call of anything.
        let finds = self == Self::Search;
        let annotations =
            ToolAnnotations::from_raw(Some(title.to_owned()), Some(finds), Some(!finds), Some(finds), Some(!finds));
        let mut tool = rmcp::model::Tool::new(self.name(), description, object(input)).with_annotations(annotations);
        tool.title = Some(title.to_owned());
        tool.output_schema = finds.then(|| object(search::output_schema()));
        tool
    }
}

fn call_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The tool's name, as search_tools gives it."},
            "arguments": {"type": "object", "description": "The tool's arguments, as its inputSchema says.", "default": {}},
        },
        "required": ["name"],
        "additionalProperties": false,
    })
}

fn object(schema: Value) -> Arc<JsonObject> {
    match schema {
        Value::Object(schema) => Arc::new(schema),
        _ => Arc::default(),
    }
}
