//! The set of loaded plugins, as an immutable snapshot that is swapped whole.
//!
//! A reader takes the current [`Snapshot`] and keeps it for its request: no lock on the call path, and no request sees half of a
//! change. Loading plugins is `folder`'s job; running them is `invoke`'s.

mod doubt;
mod folder;
mod places;
mod routes;
mod status;
mod tools;
mod views;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::watch;

pub use self::{
    folder::{Folder, FolderError},
    places::Places,
    routes::{RouteMatch, Routed},
    status::{FileState, FileStatus},
    tools::{Scope, Tool},
    views::Views,
};
use crate::{
    callers::{Identity, Reach},
    component::Plugin,
    contract::{Offers, Operation},
    failure::Failure,
};
use routes::Routes;
use tools::Tools;

/// The current snapshot, and word of its changes.
#[derive(Debug)]
pub struct Catalog {
    current: ArcSwap<Snapshot>,
    changes: watch::Sender<u64>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self { current: ArcSwap::from_pointee(Snapshot::default()), changes: watch::Sender::new(0) }
    }
}

impl Catalog {
    /// The snapshot of now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Tells the generation of each new snapshot; the first value is that of now.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Adds the plugin, or replaces the one of its name.
    ///
    /// # Errors
    /// [`Collision`] when another plugin has one of its routes; then nothing changes.
    pub fn put(&self, plugin: Plugin) -> Result<(), Collision> {
        self.publish(self.snapshot().with(Arc::new(plugin))?);
        Ok(())
    }

    /// Removes the plugin of this name, if there is one.
    pub fn remove(&self, name: &str) {
        let snapshot = self.snapshot();
        if snapshot.plugin(name).is_some() {
            self.publish(snapshot.without(name));
        }
    }

    /// There is one writer, the folder's task: reading and publishing needs no lock.
    fn publish(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        self.current.store(Arc::new(snapshot));
        self.changes.send_replace(generation);
    }
}

/// All plugins of one moment, with the tables made from them.
#[derive(Debug, Default)]
pub struct Snapshot {
    generation: u64,
    /// Ordered by name: the order of every listing.
    plugins: Vec<Arc<Plugin>>,
    routes: Routes,
    tools: Tools,
}

impl Snapshot {
    /// Counts the changes since the start.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The plugins, ordered by name.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// The plugin of this name.
    pub fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        let at = self.plugins.binary_search_by(|plugin| plugin.name().cmp(name)).ok()?;
        Some(&self.plugins[at])
    }

    /// The operation of this plugin and name.
    pub fn operation(&self, plugin: &str, operation: &str) -> Option<OperationRef> {
        OperationRef::all(self.plugin(plugin)?).find(|it| it.operation().name == operation)
    }

    /// Finds the operation that serves a REST request of a caller. What is hidden from the caller isn't found.
    pub fn route<'a>(&'a self, method: &str, path: &'a str, identity: &Identity) -> Routed<'a> {
        self.routes.find(method, path, |operation| identity.reaches(operation) > Reach::Hidden)
    }

    /// The tools of a scope that a caller may call, in the order of every listing.
    pub fn tools(&self, scope: &Scope, identity: &Identity) -> Vec<&Tool> {
        let tools = self.tools.list(scope).iter();
        tools.filter(|tool| identity.reaches(&tool.operation) == Reach::Callable).collect()
    }

    /// The tool of this name. What is hidden from the caller isn't found.
    pub fn tool(&self, scope: &Scope, name: &str, identity: &Identity) -> Option<&Tool> {
        self.tools.find(scope, name).filter(|tool| identity.reaches(&tool.operation) > Reach::Hidden)
    }

    /// The plugins of which a caller may call or read something.
    pub fn plugins_for(&self, identity: &Identity) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter().filter(|plugin| is_for(plugin, identity))
    }

    /// The plugin of this name, if a caller may call or read something of it.
    pub fn plugin_for(&self, name: &str, identity: &Identity) -> Option<&Arc<Plugin>> {
        self.plugin(name).filter(|plugin| is_for(plugin, identity))
    }

    fn with(&self, plugin: Arc<Plugin>) -> Result<Self, Collision> {
        let mut plugins = self.others(plugin.name());
        let at = plugins.partition_point(|other| other.name() < plugin.name());
        plugins.insert(at, plugin.clone());
        Ok(Self {
            generation: self.generation + 1,
            routes: Routes::build(&plugins, plugin.name())?,
            tools: Tools::build(&plugins),
            plugins,
        })
    }

    fn without(&self, name: &str) -> Self {
        let plugins = self.others(name);
        Self {
            generation: self.generation + 1,
            routes: Routes::build(&plugins, name).expect("a subset of routes that don't collide doesn't collide"),
            tools: Tools::build(&plugins),
            plugins,
        }
    }

    fn others(&self, name: &str) -> Vec<Arc<Plugin>> {
        let others = self.plugins.iter().filter(|other| other.name() != name);
        others.cloned().collect()
    }
}

/// One operation of one loaded plugin.
#[derive(Clone)]
pub struct OperationRef {
    plugin: Arc<Plugin>,
    index: usize,
}

/// Whether a caller may call or read something of a plugin.
fn is_for(plugin: &Plugin, identity: &Identity) -> bool {
    let mut operations = plugin.description().operations.iter();
    operations.any(|it| identity.reach(plugin.name(), it) == Reach::Callable)
        || (plugin.offers() != Offers::default() && identity.reads(plugin))
}

impl OperationRef {
    /// All operations of a plugin, in their order.
    pub fn all(plugin: &Arc<Plugin>) -> impl Iterator<Item = Self> {
        (0..plugin.description().operations.len()).map(|index| Self { plugin: plugin.clone(), index })
    }

    /// The plugin.
    pub fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }

    /// What the plugin says about the operation.
    pub fn operation(&self) -> &Operation {
        &self.plugin.description().operations[self.index]
    }

    /// Whether the grant wants somebody to agree to each call.
    pub fn needs_agreement(&self) -> bool {
        self.plugin.confirms(self.operation())
    }

    /// Checks an input against the operation's schema.
    ///
    /// # Errors
    /// [`Failure::InvalidInput`] with everything that is wrong.
    pub fn validate(&self, input: &Value) -> Result<(), Failure> {
        self.plugin.validate(self.index, input)
    }

    /// True when a result is as the operation promises, or it promises nothing.
    pub fn conforms(&self, result: &Value) -> bool {
        self.plugin.conforms(self.index, result)
    }
}

impl fmt::Debug for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plugin.name(), self.operation().name)
    }
}

/// Two plugins want the same route. The one that came later is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "{route} is served by plugin {} already (operation {}), so {} (operation {}) is refused: change the path in one of the two, \
     or remove one of them",
    holder.plugin().name(), holder.operation().name, newcomer.plugin().name(), newcomer.operation().name
)]
pub struct Collision {
    /// Method and path as the newcomer writes them.
    pub route: String,
    /// The operation that has the route.
    pub holder: OperationRef,
    /// The operation that is refused.
    pub newcomer: OperationRef,
}
