//! The plugin folder: what is in it is what is loaded, soon after each change, without a restart.
//!
//! A file that can't be loaded changes nothing but its status: the version that is running goes on. Half-written files, editors'
//! ways of saving and removals that are the first half of a replacement are waited out. A file that is written with pauses longer
//! than that is loaded as it stands: where copying is slow, write beside and rename.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
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

/// The plugin files that one look at the folder has found, by name. One that is there and can't be read is no file that is gone.
type Listing = BTreeMap<String, io::Result<Vec<u8>>>;

/// A plugin file's size. A component of a large runtime, such as Python's, is 40 MB.
const MAX_FILE: u64 = 128 << 20;

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
        self.files().values().cloned().collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, FileStatus>> {
        self.files.lock().expect("no panic while held")
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
            settle(&mut changed).await;
            self.look().await;
        }
        drop(watcher);
    }

    /// Reads the folder until nothing in it looks like half of a change. Each file in doubt is waited for once.
    async fn look(&self) {
        let mut waited_for = BTreeSet::new();
        loop {
            let listing = match self.list() {
                Ok(listing) => listing,
                Err(e) => return tracing::error!("{}", self.unusable(&e)),
            };
            let doubtful: BTreeSet<String> = self.doubtful(&listing).difference(&waited_for).cloned().collect();
            self.apply(listing, &doubtful).await;
            if doubtful.is_empty() {
                return;
            }
            tokio::time::sleep(GRACE).await;
            waited_for = doubtful;
        }
    }

    /// Files that are gone or empty: the first half of a replacement, perhaps.
    fn doubtful(&self, listing: &Listing) -> BTreeSet<String> {
        let is_empty = |contents: &io::Result<Vec<u8>>| matches!(contents, Ok(bytes) if bytes.is_empty());
        let empty = listing.iter().filter(|(_, contents)| is_empty(contents)).map(|(name, _)| name.clone());
        self.removed(listing).into_iter().chain(empty).collect()
    }

    fn list(&self) -> io::Result<Listing> {
        let mut files = Listing::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !is_plugin_file(name) {
                continue;
            }
            match read(&path) {
                // Gone since the folder was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                contents => {
                    files.insert(name.to_owned(), contents);
                }
            }
        }
        Ok(files)
    }

    /// Makes the catalog agree with the folder, but for the files in doubt. A change may end the reason why another file was
    /// refused: as long as something changes, all are looked at again.
    async fn apply(&self, listing: Listing, doubtful: &BTreeSet<String>) {
        let removed: Vec<String> = self.removed(&listing).into_iter().filter(|name| !doubtful.contains(name)).collect();
        for _ in 0..=listing.len() {
            let before = self.catalog.snapshot().generation();
            self.load_news(&listing, doubtful).await;
            for name in &removed {
                self.unload(name);
            }
            if self.catalog.snapshot().generation() == before {
                break;
            }
        }
        self.metrics.plugins(self.catalog.snapshot().plugins().len());
    }

    async fn load_news(&self, listing: &Listing, doubtful: &BTreeSet<String>) {
        for (name, contents) in listing {
            let version = version(contents);
            if !doubtful.contains(name) && self.is_news(name, &version) {
                self.load(name, version, contents, listing).await;
            }
        }
    }

    fn removed(&self, listing: &Listing) -> Vec<String> {
        self.files().keys().filter(|name| !listing.contains_key(*name)).cloned().collect()
    }

    /// A version that isn't running: new, changed, or refused before for a reason that may be gone, such as a collision.
    fn is_news(&self, name: &str, version: &str) -> bool {
        let generation = self.catalog.snapshot().generation();
        self.files().get(name).is_none_or(|it| {
            let is_refused = it.state != FileState::Loaded && it.generation != generation;
            it.version != version || is_refused
        })
    }

    /// Forgets a file. Its plugin goes too, unless another file has taken it over.
    fn unload(&self, file: &str) {
        let forgotten = self.files().remove(file);
        let (Some(plugin), true) = (plugin_name(file), forgotten.is_some_and(|it| it.is_serving())) else {
            return;
        };
        let is_taken_over = self.files().values().any(|it| it.is_serving() && plugin_name(&it.file) == Some(plugin));
        if !is_taken_over {
            self.catalog.remove(plugin);
            tracing::info!(plugin, "plugin removed");
        }
    }

    async fn load(&self, file: &str, version: String, contents: &io::Result<Vec<u8>>, listing: &Listing) {
        let state = match self.replace(file, contents, listing).await {
            Ok(plugin) => {
                tracing::info!(plugin, version, "plugin loaded");
                FileState::Loaded
            }
            Err(e) => {
                self.metrics.load_failed(file);
                let was_serving = self.files().get(file).is_some_and(FileStatus::is_serving);
                if was_serving {
                    tracing::error!(file, version, "plugin not loaded, the version before it goes on: {e}");
                    FileState::Outdated(e.to_string())
                } else {
                    tracing::error!(file, version, "plugin not loaded: {e}");
                    FileState::Failed(e.to_string())
                }
            }
        };
        let generation = self.catalog.snapshot().generation();
        self.files().insert(file.to_owned(), FileStatus { file: file.to_owned(), state, version, generation });
    }

    async fn replace(
        &self,
        file: &str,
        contents: &io::Result<Vec<u8>>,
        listing: &Listing,
    ) -> Result<String, ReplaceError> {
        let name = plugin_name(file).ok_or(ReplaceError::Name)?;
        if let Some(other) = self.twin(file, name, listing) {
            return Err(ReplaceError::Twin(other));
        }
        let contents = contents.as_ref().map_err(|e| ReplaceError::Read(e.to_string()))?;
        let source = Source::from_contents(Path::new(file), contents.clone())?;
        let loader = self.loader.clone();
        let (name, grant) = (name.to_owned(), self.grants.get(name).cloned());
        // Compiling computes for a second: on a thread of its own, so that calls don't wait for it.
        let runtime = tokio::runtime::Handle::current();
        let loading = tokio::task::spawn_blocking(move || runtime.block_on(loader.load(&name, source, grant.as_ref())));
        let plugin = loading.await.map_err(|panic| ReplaceError::Fault(panic.to_string()))??;
        let name = plugin.name().to_owned();
        self.catalog.put(plugin)?;
        Ok(name)
    }

    /// Another file in the folder that serves the same plugin name, such as `x.wasm` beside `x.yaml`.
    fn twin(&self, file: &str, name: &str, listing: &Listing) -> Option<String> {
        let files = self.files();
        let mut others = files.values().filter(|it| it.file != file && it.is_serving());
        let twin = others.find(|it| plugin_name(&it.file) == Some(name) && listing.contains_key(&it.file))?;
        Some(twin.file.clone())
    }
}

impl FileStatus {
    /// Some version of the file serves calls.
    fn is_serving(&self) -> bool {
        !matches!(self.state, FileState::Failed(_))
    }
}

#[derive(Debug, thiserror::Error)]
enum ReplaceError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Collision(#[from] Collision),
    #[error("can't be read: {0}")]
    Read(String),
    #[error("not a plugin's name: expected letters, digits, - and _ before the ending; rename the file")]
    Name,
    #[error("{0} has the same plugin name: remove or rename one of the two files")]
    Twin(String),
    #[error("loading it failed by a fault of airlock, nothing else is touched: {0}")]
    Fault(String),
}

/// Only regular files: a pipe would be waited for.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    match about.len() {
        _ if !about.is_file() => Err(io::Error::other("it is not a regular file")),
        size if size > MAX_FILE => Err(io::Error::other(format!("it is larger than {MAX_FILE} bytes"))),
        _ => fs::read(path),
    }
}

fn version(contents: &io::Result<Vec<u8>>) -> String {
    match contents {
        Ok(bytes) => format!("{:016x}", hash(bytes)),
        Err(e) => format!("unreadable: {}", e.kind()),
    }
}

/// Waits until nothing has been announced for [`QUIET`], or [`PATIENCE`] has run out.
async fn settle(changed: &mut mpsc::Receiver<()>) {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        match tokio::time::timeout(QUIET, changed.recv()).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// A file that is meant as a plugin. Editors' hidden and backup files aren't.
fn is_plugin_file(file: &str) -> bool {
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("yaml" | "yml" | "json" | "wasm")) && !file.starts_with(['.', '#'])
}

/// The plugin that a file holds: its stem. `None` for a stem that is no name; a dot would make `<plugin>.<tool>` ambiguous.
fn plugin_name(file: &str) -> Option<&str> {
    let (stem, _) = file.rsplit_once('.').filter(|_| is_plugin_file(file))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    stem.chars().all(is_name).then_some(stem)
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
            ("a.b.wasm", None),
            ("A_b-2.wasm", Some("A_b-2")),
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
            ("a/b.yaml", None),
            (".yaml", None),
        ] {
            assert_eq!(plugin_name(file), expected, "{file}");
        }
    }
}
