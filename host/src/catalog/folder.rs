//! The plugin folder: what is in it is what is loaded, soon after each change, without a restart. Files that are named one by one are
//! followed in the same way.
//!
//! A file that can't be loaded changes nothing but its status: the version that is running goes on. Half-written files, editors'
//! ways of saving and removals that are the first half of a replacement are waited out. A file that is written with pauses longer
//! than that is loaded as it stands: where copying is slow, write beside and rename.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::FuturesOrdered};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Catalog, Collision,
    doubt::is_half,
    places::{Listing, Places, Watch, plugin_name},
    status::{FileState, FileStatus},
};
use crate::{
    component::{Imported, LoadError, Loader, Plugin, Source},
    contract::Audience,
    document::Files,
    grant::Grant,
    metrics::Metrics,
};

/// How long the folder must be quiet before it is read: an editor's save is several events within a few milliseconds.
const QUIET: Duration = Duration::from_millis(50);

/// How long a change is put off at most while events go on coming, e.g. from a build that writes many files.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a file must be gone, or look like half of a change, until that counts: replacing a file can take an editor two steps.
const GRACE: Duration = Duration::from_millis(300);

/// A folder that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("plugin folder {}: {reason}; create it, or name another with plugins.dir in airlock.toml or --plugins", path.display())]
pub struct FolderError {
    path: PathBuf,
    reason: String,
}

impl FolderError {
    pub(super) fn new(path: &Path, reason: &impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// A version of a file that isn't known yet.
struct News<'a> {
    path: &'a Path,
    version: String,
    /// The folders of the files that it imports from or serves.
    imports: BTreeSet<PathBuf>,
}

/// What has come of a file: its plugin; `None` for one that is none, but for documents to import from.
type Compiled = Result<Option<Plugin>, ReplaceError>;

/// The plugin folder and what is known of its files.
pub struct Folder {
    places: Places,
    grants: BTreeMap<String, Grant>,
    /// The files that secrets of all grants are kept in: no document may have them served.
    secrets: Vec<PathBuf>,
    loader: Loader,
    catalog: Arc<Catalog>,
    metrics: Arc<Metrics>,
    /// Whom the host can tell its callers to be.
    callers: Audience,
    /// How many plugins are compiled at the same time: one for each processor, as compiling is all that they do meanwhile.
    compilers: usize,
    /// Locked for as long as a status takes to copy, never across a load.
    files: Mutex<BTreeMap<PathBuf, FileStatus>>,
}

impl Folder {
    /// The plugin files of these places; nothing is read yet.
    pub fn new(
        places: Places,
        grants: BTreeMap<String, Grant>,
        loader: Loader,
        catalog: Arc<Catalog>,
        metrics: Arc<Metrics>,
        callers: Audience,
    ) -> Self {
        let compilers = thread::available_parallelism().map_or(1, NonZero::get);
        let secrets = grants.values().flat_map(Grant::secret_files).map(Path::to_owned).collect();
        Self { places, grants, secrets, loader, catalog, metrics, callers, compilers, files: Mutex::default() }
    }

    /// The state of every plugin file, by path.
    pub fn status(&self) -> Vec<FileStatus> {
        self.files().values().cloned().collect()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, FileStatus>> {
        self.files.lock().expect("no panic while held")
    }

    /// Loads what is there, then follows every change until the future is dropped.
    ///
    /// # Errors
    /// The folder can't be read or watched at the start.
    pub async fn open(self: Arc<Self>) -> Result<impl Future<Output = ()> + use<>, FolderError> {
        // Watched before it is read: what changes in between is seen twice, not missed.
        let (events, changed) = mpsc::channel(1);
        let mut watch = self.places.watch(events)?;
        let listing = self.places.list()?;
        // At the start nothing is in doubt: whoever goes on writing is seen by the watch, or by the look when its folder is watched.
        let all = listing.keys().cloned().collect();
        self.apply(&listing, &all).await;
        self.watch_imports(&mut watch).await;
        Ok(self.follow(watch, changed))
    }

    async fn follow(self: Arc<Self>, mut watch: Watch, mut changed: mpsc::Receiver<()>) {
        while changed.recv().await.is_some() {
            settle(&mut changed).await;
            self.look().await;
            self.watch_imports(&mut watch).await;
        }
    }

    /// Files that are imported may be in folders of their own. What changed before a folder was watched is looked for.
    async fn watch_imports(&self, watch: &mut Watch) {
        let folders = || self.files().values().flat_map(|it| it.imports.clone()).collect();
        while watch.add(folders()) {
            self.look().await;
        }
    }

    /// Reads the folder until nothing in it looks like half of a change. Each file in doubt is waited for once.
    async fn look(&self) {
        let mut waited_for = BTreeSet::new();
        loop {
            let listing = match self.places.list() {
                Ok(listing) => listing,
                Err(unusable) => return tracing::error!("{unusable}"),
            };
            let doubtful = self.apply(&listing, &waited_for).await;
            if doubtful.is_empty() {
                return;
            }
            tokio::time::sleep(GRACE).await;
            waited_for = doubtful;
        }
    }

    /// Makes the catalog agree with the folder, but for the files in doubt, which it gives: gone, or half of a change perhaps, and
    /// not waited for yet. A change may end the reason why another file was refused: as long as something changes, all are looked at
    /// again.
    async fn apply(&self, listing: &Listing, waited_for: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let (removed, mut doubtful): (BTreeSet<_>, BTreeSet<_>) =
            self.removed(listing).into_iter().partition(|path| waited_for.contains(path));
        for _ in 0..=listing.len() {
            let before = self.catalog.snapshot().generation();
            self.load_news(listing, waited_for, &mut doubtful).await;
            for path in &removed {
                self.unload(path);
            }
            if self.catalog.snapshot().generation() == before {
                break;
            }
        }
        self.metrics.plugins(self.catalog.snapshot().plugins().len());
        doubtful
    }

    /// Compiles side by side; what comes of it goes into the catalog in the order of the folder, so that it doesn't depend on who was faster.
    /// New versions that may be half of a change, and weren't waited for, are noted as doubtful instead.
    async fn load_news(&self, listing: &Listing, waited_for: &BTreeSet<PathBuf>, doubtful: &mut BTreeSet<PathBuf>) {
        let mut candidates = listing.iter();
        let mut compiling = FuturesOrdered::new();
        loop {
            while compiling.len() < self.compilers
                && let Some((path, contents)) = candidates.next()
            {
                let imported = Imported::of_file(path, contents.as_ref().map_or(&[], Vec::as_slice));
                let files = imported.read(&self.secrets);
                let version = version(contents, &files);
                let known = self.files().get(path).cloned();
                let is_new = known.as_ref().is_none_or(|it| it.version != version);
                if is_new && !waited_for.contains(path) && is_half(known.as_ref(), contents, &files) {
                    doubtful.insert(path.clone());
                } else if is_new || known.is_some_and(|it| self.may_be_taken_now(&it)) {
                    let news = News { path, version, imports: imported.folders() };
                    compiling.push_back(self.compile(path, contents, files).map(|compiled| (news, compiled)));
                }
            }
            let Some((news, compiled)) = compiling.next().await else { break };
            self.load(news, compiled, listing);
        }
    }

    fn removed(&self, listing: &Listing) -> Vec<PathBuf> {
        self.files().keys().filter(|path| !listing.contains_key(*path)).cloned().collect()
    }

    /// Refused before for a reason that may be gone, such as a collision.
    fn may_be_taken_now(&self, known: &FileStatus) -> bool {
        matches!(known.state, FileState::Failed(_) | FileState::Outdated(_))
            && known.generation != self.catalog.snapshot().generation()
    }

    /// Forgets a file. Its plugin goes too, unless another file has taken it over.
    fn unload(&self, path: &Path) {
        let Some(forgotten) = self.files().remove(path) else { return };
        let Some(plugin) = plugin_name(&forgotten.file).filter(|_| forgotten.is_serving()) else { return };
        let is_taken_over = self.files().values().any(|it| it.is_serving() && plugin_name(&it.file) == Some(plugin));
        if !is_taken_over {
            self.catalog.remove(plugin);
            tracing::info!(plugin, "plugin removed");
        }
    }

    /// Puts a file's plugin into the catalog, and notes what has become of the file.
    fn load(&self, News { path, version, imports }: News<'_>, compiled: Compiled, listing: &Listing) {
        let file = file_name(path);
        let state = match self.put(path, compiled, listing) {
            Ok(Some(plugin)) => {
                tracing::info!(plugin, version, "plugin loaded");
                self.warn_of_unserved(&plugin);
                FileState::Loaded
            }
            Ok(None) => {
                tracing::info!(file, version, "no plugin: documents import from it");
                self.unload(path);
                FileState::Shared
            }
            Err(e) => {
                self.metrics.load_failed(&file);
                let was_serving = self.files().get(path).is_some_and(FileStatus::is_serving);
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
        let status = FileStatus { file, state, version, generation, imports };
        self.files().insert(path.to_owned(), status);
    }

    /// Operations for known callers, in a host that knows none, are there for nobody: that has to be told to somebody.
    fn warn_of_unserved(&self, plugin: &str) {
        let snapshot = self.catalog.snapshot();
        let operations = snapshot.plugin(plugin).into_iter().flat_map(|it| &it.description().operations);
        let unserved = operations.filter(|it| it.audience > self.callers).count();
        if unserved > 0 {
            tracing::warn!(
                plugin,
                "{unserved} of its operations are for known callers, and this host knows none, so they aren't served: add callers to \
                 airlock.toml; `airlock key new NAME` prints the lines"
            );
        }
    }

    /// Makes the file's plugin.
    async fn compile(&self, path: &Path, contents: &io::Result<Vec<u8>>, files: Files) -> Compiled {
        let contents = contents.as_ref().map_err(|e| ReplaceError::Read(e.to_string()))?;
        let source = Source::from_contents(path, contents.clone(), files)?;
        if matches!(source, Source::Shared(_)) {
            return Ok(None);
        }
        let file = file_name(path);
        let name = plugin_name(&file).ok_or(ReplaceError::Name)?;
        let loader = self.loader.clone();
        let (name, grant) = (name.to_owned(), self.grants.get(name).cloned());
        // Compiling computes for a second: on a thread of its own, so that calls don't wait for it.
        let runtime = tokio::runtime::Handle::current();
        let loading = tokio::task::spawn_blocking(move || runtime.block_on(loader.load(&name, source, grant.as_ref())));
        Ok(Some(loading.await.map_err(|panic| ReplaceError::Fault(panic.to_string()))??))
    }

    /// Gives the name of the plugin that is in the catalog now. That another file has it counts before what is wrong with this one.
    fn put(&self, path: &Path, compiled: Compiled, listing: &Listing) -> Result<Option<String>, ReplaceError> {
        let Some(compiled) = compiled.transpose() else { return Ok(None) };
        let file = file_name(path);
        let name = plugin_name(&file).ok_or(ReplaceError::Name)?;
        if let Some(other) = self.twin(path, name, listing) {
            return Err(ReplaceError::Twin(other));
        }
        self.catalog.put(compiled?)?;
        Ok(Some(name.to_owned()))
    }

    /// Another file that serves the same plugin name, such as `x.wasm` beside `x.yaml`.
    fn twin(&self, path: &Path, name: &str, listing: &Listing) -> Option<PathBuf> {
        let files = self.files();
        let mut others = files.iter().filter(|(other, it)| *other != path && it.is_serving());
        let twin = others.find(|(other, it)| plugin_name(&it.file) == Some(name) && listing.contains_key(*other))?;
        Some(twin.0.clone())
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
    #[error(
        "not a plugin's name: expected letters, digits, - and _ before .yaml, .yml, .json or .wasm; rename the file"
    )]
    Name,
    #[error("{} has the same plugin name: remove or rename one of the two files", .0.display())]
    Twin(PathBuf),
    #[error("loading it failed by a fault of airlock, nothing else is touched: {0}")]
    Fault(String),
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A document is another one when a file is that it imports from.
fn version(contents: &io::Result<Vec<u8>>, files: &Files) -> String {
    match contents {
        Ok(bytes) => format!("{:016x}", hash(bytes, files)),
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

/// Tells versions of a file apart; nothing relies on its strength.
fn hash(contents: &[u8], files: &Files) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(contents);
    files.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{grant::Pattern, sandbox::Sandbox};

    const DOCUMENT: &str = r#"ikanos: 1.0.0-beta5
info: { display: Notes, description: Serves a note. }
capability:
  consumes:
    - namespace: api
      type: http
      baseUri: http://upstream.test
      resources: { user: { path: /user, operations: { getuser: { method: GET } } } }
  exposes:
    - type: mcp
      namespace: notes
      tools: { getuser: { description: Gives a user., call: api.getuser } }
      resources: { note: { display: A note, uri: "docs://note", description: A note., location: file:///./note.md } }
"#;

    /// The plugins of a folder, each with a grant.
    fn folder(at: &Path) -> (Folder, Arc<Catalog>) {
        let loader = Loader::new(Arc::new(Sandbox::new().unwrap()));
        let (catalog, metrics) = (Arc::new(Catalog::default()), Arc::new(Metrics::default()));
        let grant = Grant { hosts: vec![Pattern::parse("http://upstream.test").unwrap()], ..Grant::default() };
        let grants = ["notes", "broken"].map(|name| (name.to_owned(), grant.clone())).into();
        let places = Places::folder(at.to_owned());
        (Folder::new(places, grants, loader, catalog.clone(), metrics, Audience::Anyone), catalog)
    }

    #[tokio::test]
    async fn what_is_in_doubt_is_waited_for_once() {
        let at = tempfile::tempdir().unwrap();
        let (document, note) = (at.path().join("notes.yaml"), at.path().join("note.md"));
        fs::write(&document, DOCUMENT).unwrap();
        fs::write(&note, "first").unwrap();
        let (folder, catalog) = folder(at.path());
        let apply = async |waited_for: &[&PathBuf]| {
            let waited_for = waited_for.iter().map(|path| (*path).clone()).collect();
            let doubtful = folder.apply(&folder.places.list().unwrap(), &waited_for).await;
            (doubtful, catalog.snapshot().generation())
        };
        let alone = BTreeSet::from([document.clone()]);

        let (doubtful, first) = apply(&[]).await;
        assert!(doubtful.is_empty() && first > 0, "{doubtful:?} {:?}", folder.status());
        // Saved in two steps: the document is in doubt, and what served goes on, until there is the rest.
        fs::write(&note, "").unwrap();
        assert_eq!(apply(&[]).await, (alone.clone(), first));
        fs::write(&note, "second").unwrap();
        let (doubtful, second) = apply(&[&document]).await;
        assert!(doubtful.is_empty() && second > first, "{doubtful:?} {second}");
        // Emptied for good: it counts once it was waited for, and isn't in doubt any more.
        fs::write(&note, "").unwrap();
        assert_eq!(apply(&[]).await, (alone.clone(), second));
        let (doubtful, third) = apply(&[&document]).await;
        assert!(doubtful.is_empty() && third > second, "{doubtful:?} {third}");
        assert_eq!(apply(&[]).await, (BTreeSet::new(), third));
        // The same of one that is gone.
        fs::remove_file(&document).unwrap();
        assert_eq!(apply(&[]).await, (alone, third));
        let (doubtful, fourth) = apply(&[&document]).await;
        assert!(doubtful.is_empty() && fourth > third, "{doubtful:?} {fourth}");
        assert!(folder.status().is_empty());
    }

    #[tokio::test]
    async fn what_was_refused_is_tried_again_after_each_change_and_not_waited_for() {
        let at = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(at.path().join(name), text).unwrap();
        write("note.md", "first");
        write("notes.yaml", DOCUMENT);
        write("broken.yaml", &DOCUMENT.replace("note.md", "gone.md"));
        let (folder, catalog) = folder(at.path());
        let apply = async |waited_for| folder.apply(&folder.places.list().unwrap(), waited_for).await;
        let tried_at = || folder.status().into_iter().find(|it| it.file == "broken.yaml").unwrap().generation;
        let all = folder.places.list().unwrap().into_keys().collect();
        apply(&all).await;
        let first = tried_at();
        write("note.md", "second");
        assert_eq!(apply(&BTreeSet::new()).await, BTreeSet::new());
        assert!(first < tried_at() && tried_at() == catalog.snapshot().generation());
    }
}
