//! The MCP tools of all plugins, under the names that clients see.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::OperationRef;
use crate::{component::Plugin, contract::is_reserved_tool};

/// Which tools a client sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of all plugins: `/mcp`.
    All,
    /// Those of one plugin: `/mcp/<plugin>`.
    Plugin(String),
}

/// An operation as a tool.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The name within the scope: plain, or `<plugin>.<tool>` where the plain name could mean another.
    pub name: String,
    /// The operation.
    pub operation: OperationRef,
}

/// The tools by scope.
#[derive(Debug, Default)]
pub(super) struct Tools(HashMap<Scope, List>);

#[derive(Debug, Default)]
struct List {
    tools: Vec<Tool>,
    by_name: HashMap<String, usize>,
}

impl Tools {
    /// A plain name is one that no other plugin uses, that isn't the host's own, and that isn't the qualified name of any tool: a call
    /// for the one would reach the other. Plugins' names hold no dots, so that no two qualified names are the same.
    ///
    /// Among a plugin's own tools all names are plain, unless one of them is the host's.
    pub(super) fn build(plugins: &[Arc<Plugin>]) -> Self {
        let mut users: HashMap<&str, usize> = HashMap::new();
        let mut qualified: HashSet<String> = HashSet::new();
        for (operation, tool) in plugins.iter().flat_map(tools) {
            *users.entry(tool).or_default() += 1;
            qualified.insert(qualify(&operation, tool));
        }
        let mut scopes: HashMap<Scope, List> = HashMap::from([(Scope::All, List::default())]);
        for plugin in plugins {
            let is_plain = |tool: &str| !is_reserved_tool(tool) && !qualified.contains(tool);
            let name = |operation: &OperationRef, tool: &str, is_plain: bool| match is_plain {
                true => tool.to_owned(),
                false => qualify(operation, tool),
            };
            let own = scopes.entry(Scope::Plugin(plugin.name().to_owned())).or_default();
            let has_reserved = tools(plugin).any(|(_, tool)| is_reserved_tool(tool));
            for (operation, tool) in tools(plugin) {
                own.push(name(&operation, tool, !has_reserved || is_plain(tool)), operation);
            }
            let all = scopes.entry(Scope::All).or_default();
            for (operation, tool) in tools(plugin) {
                all.push(name(&operation, tool, users[tool] == 1 && is_plain(tool)), operation);
            }
        }
        Self(scopes)
    }

    pub(super) fn list(&self, scope: &Scope) -> &[Tool] {
        self.0.get(scope).map_or(&[], |list| &list.tools)
    }

    pub(super) fn find(&self, scope: &Scope, name: &str) -> Option<&Tool> {
        let list = self.0.get(scope)?;
        Some(&list.tools[*list.by_name.get(name)?])
    }
}

impl List {
    fn push(&mut self, name: String, operation: OperationRef) {
        self.by_name.insert(name.clone(), self.tools.len());
        self.tools.push(Tool { name, operation });
    }
}

fn qualify(operation: &OperationRef, tool: &str) -> String {
    format!("{}.{tool}", operation.plugin().name())
}

fn tools(plugin: &Arc<Plugin>) -> impl Iterator<Item = (OperationRef, &str)> {
    OperationRef::all(plugin)
        .zip(&plugin.description().operations)
        .filter_map(|(operation, described)| Some((operation, described.tool.as_deref()?)))
}
