//! The plugin folder: what is in it is what is loaded, soon after each change, without a restart.
//!
//! A file that can't be loaded changes nothing but its status: the version that is running goes on. Half-written files, editors'
//! ways of saving and removals that are the first half of a replacement are waited out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::mpsc, time::Instant};

use super::{Catalog, Collision};
use crate::{
    component::{LoadError, Loader, Source},
    grant::Grant,
    metrics::Metrics,
};

/// How long the folder must be quiet before it is read: an editor's save is several events within a few milliseconds.
const QUIET: Duration = Duration::from_millis(50);

/// How long a change is put off at most while events go on coming, e.g. from a build that writes many files.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a file must be gone, or empty, until that counts: replacing a file can take an editor two steps.
const GRACE: Duration = Duration::from_millis(300);

/// A folder that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("plugin folder {}: {reason}; create it, or name another with plugins.dir in airlock.toml or --plugins", path.display())]
pub struct FolderError {
    path: PathBuf,
    reason: String,
}

/// What became of one file, for `/plugins`.
#[derive(Clone, Debug)]
pub struct FileStatus {
    /// The file's name.
    pub file: String,
    /// Its state.
    pub state: FileState,
    /// A hash of the contents that the state is about, to tell versions apart.
    pub version: String,
    /// The catalog's generation when the state was found: a refusal may end when others change.
    generation: u64,
}

/// The state of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// This version serves calls.
    Loaded,
    /// This version can't be loaded, and none is running.
    Failed(String),
    /// This version can't be loaded; the one before it goes on serving.
    Outdated(String),
}

/// The plugin folder and what is known of its files.
pub struct Folder {
    path: PathBuf,
    grants: BTreeMap<String, Grant>,
    loader: Loader,
    catalog: Arc<Catalog>,
    metrics: Arc<Metrics>,
    /// By file name. Locked for as long as a status takes to copy, never across a load.
    files: Mutex<BTreeMap<String, FileStatus>>,
}

/// What one look at the folder has found.
struct Listing {
    /// The plugin files with the hash of their contents, by name.
    files: BTreeMap<String, (u64, Vec<u8>)>,
}

impl Folder {
    /// The folder at `path`; nothing is read yet.
    pub fn new(
        path: PathBuf,
        grants: BTreeMap<String, Grant>,
        loader: Loader,
        catalog: Arc<Catalog>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { path, grants, loader, catalog, metrics, files: Mutex::default() }
    }

    /// The state of every plugin file, by name.
    pub fn status(&self) -> Vec<FileStatus> {
        let files = self.files.lock().expect("no panic while held");
        files.values().cloned().collect()
    }

    /// Loads what is there, then follows every change until the future is dropped.
    ///
    /// # Errors
    /// The folder can't be read or watched at the start.
    pub async fn open(self: Arc<Self>) -> Result<impl Future<Output = ()> + use<>, FolderError> {
        // Watched before it is read: what changes in between is seen twice, not missed.
        let (events, changed) = mpsc::channel(1);
        let watcher = self.watch(events)?;
        let listing = self.list().map_err(|e| self.unusable(&e))?;
        self.apply(listing, &BTreeSet::new()).await;
        Ok(self.follow(watcher, changed))
    }

    fn watch(&self, events: mpsc::Sender<()>) -> Result<RecommendedWatcher, FolderError> {
        let on_event = move |event: notify::Result<notify::Event>| {
            let reading = event.is_ok_and(|event| event.kind.is_access());
            if !reading {
                // Full means that a change is announced already.
                let _ = events.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(|e| self.unusable(&e))?;
        watcher.watch(&self.path, RecursiveMode::NonRecursive).map_err(|e| self.unusable(&e))?;
        Ok(watcher)
    }

    fn unusable(&self, reason: &impl ToString) -> FolderError {
        FolderError { path: self.path.clone(), reason: reason.to_string() }
    }

    async fn follow(self: Arc<Self>, watcher: RecommendedWatcher, mut changed: mpsc::Receiver<()>) {
        while changed.recv().await.is_some() {
            settle(&mut changed, QUIET).await;
            self.look().await;
        }
        drop(watcher);
    }

    /// Reads the folder until nothing in it looks like half of a change.
    async fn look(&self) {
        let mut waited = false;
        loop {
            let listing = match self.list() {
                Ok(listing) => listing,
                Err(e) => return tracing::error!("{}", self.unusable(&e)),
            };
            let doubtful = self.doubtful(&listing);
            let settled = waited || doubtful.is_empty();
            self.apply(listing, if waited { const { &BTreeSet::new() } } else { &doubtful }).await;
            if settled {
                return;
            }
            tokio::time::sleep(GRACE).await;
            waited = true;
        }
    }

    /// Files that are gone or empty: the first half of a replacement, perhaps.
    fn doubtful(&self, listing: &Listing) -> BTreeSet<String> {
        let files = self.files.lock().expect("no panic while held");
        let gone = files.keys().filter(|name| !listing.files.contains_key(*name));
        let empty = listing.files.iter().filter(|(_, (_, contents))| contents.is_empty());
        gone.chain(empty.map(|(name, _)| name)).cloned().collect()
    }

    fn list(&self) -> io::Result<Listing> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if plugin_name(name).is_none() {
                continue;
            }
            match fs::read(&path) {
                Ok(contents) => {
                    files.insert(name.to_owned(), (hash(&contents), contents));
                }
                // Gone since the folder was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    tracing::warn!(file = name, "plugin file can't be read: {e}");
                }
            }
        }
        Ok(Listing { files })
    }

    /// Makes the catalog agree with the folder, but for the files in doubt.
    async fn apply(&self, listing: Listing, doubtful: &BTreeSet<String>) {
        for name in self.removed(&listing) {
            if !doubtful.contains(&name) {
                self.unload(&name);
            }
        }
        for (name, (hash, contents)) in listing.files {
            let version = format!("{hash:016x}");
            if !doubtful.contains(&name) && self.is_news(&name, &version) {
                self.load(&name, version, contents).await;
            }
        }
        self.metrics.plugins(self.catalog.snapshot().plugins().len());
    }

    fn removed(&self, listing: &Listing) -> Vec<String> {
        let files = self.files.lock().expect("no panic while held");
        let gone = files.keys().filter(|name| !listing.files.contains_key(*name));
        gone.cloned().collect()
    }

    /// A version that isn't running: new, changed, or refused before for a reason that may be gone, such as a collision.
    fn is_news(&self, name: &str, version: &str) -> bool {
        let generation = self.catalog.snapshot().generation();
        let files = self.files.lock().expect("no panic while held");
        files.get(name).is_none_or(|it| {
            let is_refused = it.state != FileState::Loaded && it.generation != generation;
            it.version != version || is_refused
        })
    }

    fn unload(&self, file: &str) {
        let status = self.files.lock().expect("no panic while held").remove(file);
        let was_serving = status.is_some_and(|it| !matches!(it.state, FileState::Failed(_)));
        if let Some(plugin) = plugin_name(file).filter(|_| was_serving) {
            self.catalog.remove(plugin);
            tracing::info!(plugin, "plugin removed");
        }
    }

    async fn load(&self, file: &str, version: String, contents: Vec<u8>) {
        let state = match self.replace(file, contents).await {
            Ok(plugin) => {
                tracing::info!(plugin, version, "plugin loaded");
                FileState::Loaded
            }
            Err(e) => {
                self.metrics.load_failed(file);
                if self.is_serving(file) {
                    tracing::error!(file, version, "plugin not loaded, the version before it goes on: {e}");
                    FileState::Outdated(e.to_string())
                } else {
                    tracing::error!(file, version, "plugin not loaded: {e}");
                    FileState::Failed(e.to_string())
                }
            }
        };
        let status =
            FileStatus { file: file.to_owned(), state, version, generation: self.catalog.snapshot().generation() };
        self.files.lock().expect("no panic while held").insert(file.to_owned(), status);
    }

    fn is_serving(&self, file: &str) -> bool {
        let files = self.files.lock().expect("no panic while held");
        files.get(file).is_some_and(|it| !matches!(it.state, FileState::Failed(_)))
    }

    async fn replace(&self, file: &str, contents: Vec<u8>) -> Result<String, ReplaceError> {
        let name = plugin_name(file).ok_or(LoadError::FileName)?;
        if let Some(other) = self.twin(file, name) {
            return Err(ReplaceError::Twin(other));
        }
        let source = Source::from_contents(Path::new(file), contents)?;
        let loader = self.loader.clone();
        let (name, grant) = (name.to_owned(), self.grants.get(name).cloned());
        // Compiling computes for a second: on a thread of its own, so that calls don't wait for it.
        let runtime = tokio::runtime::Handle::current();
        let plugin = tokio::task::spawn_blocking(move || runtime.block_on(loader.load(&name, source, grant.as_ref())))
            .await
            .expect("loading doesn't panic")?;
        let name = plugin.name().to_owned();
        self.catalog.put(plugin)?;
        Ok(name)
    }

    /// Another loaded file of the same plugin name, such as `x.wasm` beside `x.yaml`.
    fn twin(&self, file: &str, name: &str) -> Option<String> {
        let files = self.files.lock().expect("no panic while held");
        let mut others = files.values().filter(|it| it.file != file && !matches!(it.state, FileState::Failed(_)));
        others.find(|it| plugin_name(&it.file) == Some(name)).map(|it| it.file.clone())
    }
}

#[derive(Debug, thiserror::Error)]
enum ReplaceError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Collision(#[from] Collision),
    #[error("{0} has the same plugin name: remove or rename one of the two files")]
    Twin(String),
}

/// Waits until nothing has been announced for `quiet`, or [`PATIENCE`] has run out.
async fn settle(changed: &mut mpsc::Receiver<()>, quiet: Duration) {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        match tokio::time::timeout(quiet, changed.recv()).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// The plugin that a file holds: its stem. `None` for what is no plugin file; editors' hidden and backup files aren't.
fn plugin_name(file: &str) -> Option<&str> {
    let (stem, ending) = file.rsplit_once('.')?;
    let is_plugin = matches!(ending, "yaml" | "yml" | "json" | "wasm");
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_hidden = stem.starts_with(['.', '#']) || stem.is_empty();
    (is_plugin && !is_hidden && stem.chars().all(is_name)).then_some(stem)
}

/// Tells versions of a file apart; nothing relies on its strength.
fn hash(contents: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(contents);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::plugin_name;

    #[test]
    fn plugin_files_are_told_from_editors_leavings() {
        for (file, expected) in [
            ("m3ter-orgusers.yaml", Some("m3ter-orgusers")),
            ("a.b.wasm", Some("a.b")),
            ("x.yml", Some("x")),
            ("x.json", Some("x")),
            (".x.yaml.swp", None),
            (".x.yaml", None),
            ("#x.yaml", None),
            ("x.yaml~", None),
            ("x.yaml.tmp", None),
            ("4913", None),
            ("README.md", None),
            ("a b.yaml", None),
            (".yaml", None),
        ] {
            assert_eq!(plugin_name(file), expected, "{file}");
        }
    }
}
