//! What is given to a document besides its text: files of its folder, read by whoever may.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The files that a document imports from or serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Files {
    /// The texts of those that it imports from, by the path that `wanted` gives; or why one can't be read.
    pub imported: BTreeMap<String, Result<String, String>>,
    /// What is at its locations, by the path that `located` gives; or why that can't be served.
    pub located: BTreeMap<String, Result<Located, String>>,
}

/// What is at a location.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Located {
    /// A file.
    File(Bytes),
    /// A folder: its files, by their paths in it.
    Folder(BTreeMap<String, Bytes>),
}

impl Files {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The text of a file that is imported from.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.imported.get(path)?.as_deref().ok()
    }

    /// Whether one of them is empty or can't be had. What is gone from a folder isn't missed.
    pub fn have_gaps(&self) -> bool {
        let is_gap = |text: &Result<String, String>| text.as_ref().map_or(true, String::is_empty);
        self.imported.values().any(is_gap)
            || self.located.values().any(|located| located.as_ref().map_or(true, Located::has_gaps))
    }
}

impl Located {
    /// How many files there are.
    pub fn count(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Folder(files) => files.len(),
        }
    }

    /// How many bytes they have.
    pub fn size(&self) -> usize {
        match self {
            Self::File(data) => data.len(),
            Self::Folder(files) => files.values().map(Bytes::len).sum(),
        }
    }

    fn has_gaps(&self) -> bool {
        match self {
            Self::File(data) => data.is_empty(),
            Self::Folder(files) => files.values().any(Bytes::is_empty),
        }
    }
}

impl<const N: usize> From<[(String, Result<String, String>); N]> for Files {
    fn from(imported: [(String, Result<String, String>); N]) -> Self {
        Self { imported: imported.into(), located: BTreeMap::new() }
    }
}
