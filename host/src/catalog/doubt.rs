//! Files that are saved in several steps: what is found in between isn't what is meant.

use std::io;

use super::status::FileStatus;
use crate::document::{self, Files};

/// Whether a file, or one that it names, may be half of what is to become of it. A document that serves has a capability: without
/// one it would stop.
pub(super) fn is_half(status: Option<&FileStatus>, contents: &io::Result<Vec<u8>>, files: &Files) -> bool {
    let Ok(bytes) = contents else { return false };
    let is_shared = || std::str::from_utf8(bytes).is_ok_and(document::is_shared);
    bytes.is_empty() || files.have_gaps() || (status.is_some_and(FileStatus::is_serving) && is_shared())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bytes::Bytes;

    use super::*;
    use crate::{catalog::status::FileState, document::Located};

    #[test]
    fn a_file_that_serves_and_seems_to_be_of_parts_is_in_doubt() {
        let status = |state| FileStatus {
            file: "x.yaml".to_owned(),
            state,
            version: String::new(),
            generation: 0,
            imports: BTreeSet::new(),
        };
        let [serving, outdated, shared] =
            [FileState::Loaded, FileState::Outdated(String::new()), FileState::Shared].map(status);
        let parts = "naftiko: 1.0.0-alpha2\nbinds: [{namespace: env, keys: {K: K}}]\n";
        let whole = format!("{parts}capability: {{}}\n");
        for (status, contents, expected) in [
            (Some(&serving), parts, true),
            (Some(&outdated), parts, true),
            (Some(&shared), parts, false),
            (None, parts, false),
            (Some(&serving), whole.as_str(), false),
            (None, "", true),
        ] {
            let state = status.map(|it| &it.state);
            assert_eq!(is_half(status, &Ok(contents.into()), &Files::new()), expected, "{state:?} {contents}");
        }
        assert!(!is_half(Some(&serving), &Err(io::Error::other("unreadable")), &Files::new()));
    }

    #[test]
    fn a_document_is_in_doubt_when_a_file_that_it_names_is_empty_or_gone() {
        let imported = |text: Result<&str, &str>| {
            let text = text.map(str::to_owned).map_err(str::to_owned);
            Files::from([("a.yaml".to_owned(), Ok("a".to_owned())), ("b.yaml".to_owned(), text)])
        };
        let located = |located| Files { located: BTreeMap::from([("b".to_owned(), located)]), ..imported(Ok("b")) };
        let file = |data: &'static str| Ok(Located::File(Bytes::from_static(data.as_bytes())));
        let folder = |data: &'static str| {
            let files =
                [("x", "x"), ("y", data)].map(|(name, data)| (name.to_owned(), Bytes::from_static(data.as_bytes())));
            Ok(Located::Folder(files.into()))
        };
        for (files, expected) in [
            (imported(Ok("b")), false),
            (imported(Ok("")), true),
            (imported(Err("gone")), true),
            (located(file("b")), false),
            (located(file("")), true),
            (located(folder("y")), false),
            (located(folder("")), true),
            (located(Err("gone".to_owned())), true),
        ] {
            assert_eq!(is_half(None, &Ok(b"capability: {}".to_vec()), &files), expected, "{files:?}");
        }
    }
}
