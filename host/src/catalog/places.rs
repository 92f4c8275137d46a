//! Where plugin files are: in folders, and wherever one is named by itself.
//!
//! It lists, reads and watches; what becomes of a file is `folder`'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::FolderError;

/// The plugin files that one look has found. One that is there and can't be read is no file that is gone.
pub(super) type Listing = BTreeMap<PathBuf, io::Result<Vec<u8>>>;

/// A plugin file's size. A component of a large runtime, such as Python's, is 40 MB.
const MAX_FILE: u64 = 128 << 20;

/// Folders and single files.
pub struct Places(Vec<Place>);

enum Place {
    Folder(PathBuf),
    File(PathBuf),
}

impl Places {
    /// One folder.
    pub fn folder(path: PathBuf) -> Self {
        Self(vec![Place::Folder(path)])
    }

    /// What is at these paths: folders, and what is none.
    pub fn at(paths: Vec<PathBuf>) -> Self {
        let place = |path: PathBuf| if path.is_dir() { Place::Folder(path) } else { Place::File(path) };
        Self(paths.into_iter().map(place).collect())
    }

    /// Announces changes from now on. Of a file, its folder is watched: most editors replace the file.
    ///
    /// # Errors
    /// A folder can't be watched.
    pub(super) fn watch(&self, events: mpsc::Sender<()>) -> Result<Watch, FolderError> {
        let on_event = move |event: notify::Result<notify::Event>| {
            let reading = event.is_ok_and(|event| event.kind.is_access());
            if !reading {
                // Full means that a change is announced already.
                let _ = events.try_send(());
            }
        };
        let folders: BTreeSet<&Path> = self.0.iter().map(Place::folder).collect();
        let first = folders.first().copied().unwrap_or(Path::new("."));
        let mut watcher = notify::recommended_watcher(on_event).map_err(|e| FolderError::new(first, &e))?;
        for folder in &folders {
            watcher.watch(folder, RecursiveMode::NonRecursive).map_err(|e| FolderError::new(folder, &e))?;
        }
        let places = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        Ok(Watch { watcher, places, added: BTreeSet::new() })
    }

    /// Reads all plugin files.
    ///
    /// # Errors
    /// A folder can't be read.
    pub(super) fn list(&self) -> Result<Listing, FolderError> {
        let mut files = Listing::new();
        for place in &self.0 {
            for path in place.files().map_err(|e| FolderError::new(place.folder(), &e))? {
                match read(&path) {
                    // Gone since the folder was listed, or a single file that is gone.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    contents => {
                        files.insert(path, contents);
                    }
                }
            }
        }
        Ok(files)
    }
}

/// Announces changes for as long as it lives.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    /// Watched for good, whoever imports from there as well.
    places: BTreeSet<PathBuf>,
    added: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches these folders as well, and no others besides the places themselves. True if one of them is new; one that isn't there
    /// is told by its parent when it comes.
    pub(super) fn add(&mut self, folders: BTreeSet<PathBuf>) -> bool {
        // One folder by two paths is watched once, and would be let go of with either.
        let folders: BTreeSet<PathBuf> = folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let folders: BTreeSet<PathBuf> = folders.difference(&self.places).cloned().collect();
        for gone in self.added.difference(&folders) {
            // It may not exist any more, and then nothing is announced of it anyway.
            let _ = self.watcher.unwatch(gone);
        }
        self.added.retain(|folder| folders.contains(folder));
        let mut has_new = false;
        for folder in folders {
            // Again for one that is watched: it may have been replaced.
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => has_new |= self.added.insert(folder),
                Err(e) => {
                    if !is_gone(&e) {
                        tracing::warn!("changes aren't seen of files in {}: {e}", folder.display());
                    }
                    self.added.remove(&folder);
                }
            }
        }
        has_new
    }
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(e) => e.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

impl Place {
    fn folder(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::File(path) => match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            },
        }
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let folder = match self {
            Self::File(path) => return Ok(vec![path.clone()]),
            Self::Folder(path) => path,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.file_name().and_then(|name| name.to_str()).is_some_and(is_plugin_file) {
                files.push(path);
            }
        }
        Ok(files)
    }
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

/// A file that is meant as a plugin. Editors' hidden and backup files aren't.
fn is_plugin_file(file: &str) -> bool {
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("yaml" | "yml" | "json" | "wasm")) && !file.starts_with(['.', '#'])
}

/// The plugin that a file holds: its stem. `None` for a stem that is no name; a dot would make `<plugin>.<tool>` ambiguous.
pub(super) fn plugin_name(file: &str) -> Option<&str> {
    let (stem, _) = file.rsplit_once('.').filter(|_| is_plugin_file(file))?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    stem.chars().all(is_name).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn a_place_stays_watched_when_nothing_is_imported_from_it_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("plugins/shared")).unwrap();
        std::os::unix::fs::symlink("plugins", path("link")).unwrap();
        let (events, mut changed) = mpsc::channel(1);
        let mut watch = Places::folder(path("plugins")).watch(events).unwrap();
        // The place itself, by other paths, and one more.
        let imports = ["link", "plugins/shared/..", "plugins/shared"].map(path);
        assert!(watch.add(BTreeSet::from(imports)));
        assert_eq!(watch.added.len(), 1);
        assert!(!watch.add(BTreeSet::from([path("gone")])));
        fs::write(path("plugins/new.yaml"), "").unwrap();
        changed.recv().await.unwrap();
    }

    #[test]
    fn single_files_and_those_of_folders_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("plugins")).unwrap();
        for file in ["one.yaml", "other.yaml", "plugins/two.wasm", "plugins/notes.txt"] {
            fs::write(path(file), file).unwrap();
        }
        let places = Places::at(vec![path("one.yaml"), path("plugins")]);
        let listed: Vec<PathBuf> = places.list().unwrap().into_keys().collect();
        assert_eq!(listed, [path("one.yaml"), path("plugins/two.wasm")]);
        fs::remove_file(path("one.yaml")).unwrap();
        assert_eq!(places.list().unwrap().len(), 1, "a file that is gone is none");
        assert!(Places::folder(path("none")).list().is_err(), "a folder that is gone is a fault");
    }
}
