//! What became of the files of a plugin folder.

use std::{collections::BTreeSet, path::PathBuf};

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
    pub(super) generation: u64,
    /// The folders of the files that it imports from.
    pub(super) imports: BTreeSet<PathBuf>,
}

/// The state of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// This version serves calls.
    Loaded,
    /// Documents import from it; it is no plugin itself.
    Shared,
    /// This version can't be loaded, and none is running.
    Failed(String),
    /// This version can't be loaded; the one before it goes on serving.
    Outdated(String),
}

impl FileStatus {
    /// Some version of the file serves calls.
    pub(super) fn is_serving(&self) -> bool {
        matches!(self.state, FileState::Loaded | FileState::Outdated(_))
    }
}
