//! The other files that a document names: where they are, and what is in those that it imports from or serves.
//!
//! Only what is in the document's folder or below it: a document is written by strangers, and what is imported may be shown in messages.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{self, Path, PathBuf},
};

use rustix::fs::OFlags;

use super::located;
use crate::{
    contract::{Origin, Origins},
    document::{self, Files},
};

/// The most bytes of all files that one document imports from: as much as the document itself may have.
const MAX_BYTES: u64 = document::MAX_SOURCE_BYTES as u64;

/// The files that one document imports from or serves.
pub struct Imported {
    folder: PathBuf,
    paths: Vec<String>,
    located: Vec<String>,
}

impl Imported {
    /// What the document in a file wants; nothing is read yet.
    pub fn of(file: &Path, text: &str) -> Self {
        let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let document::Wanted { imported, located } = document::wanted(text);
        Self { folder: folder.to_owned(), paths: imported, located }
    }

    /// What a file wants: a component nothing, nor what isn't text.
    pub fn of_file(file: &Path, contents: &[u8]) -> Self {
        let is_document = file.extension().is_some_and(|ending| ending != "wasm");
        let text = std::str::from_utf8(contents).ok().filter(|_| is_document);
        Self::of(file, text.unwrap_or_default())
    }

    /// Reads them. Of what the document would have served, files with secrets are none, wherever links lead: `secrets` names them.
    pub fn read(&self, secrets: &[PathBuf]) -> Files {
        let mut left = MAX_BYTES;
        let read = |path: &String| {
            let text = read(&self.folder, path, left);
            left -= text.as_ref().map_or(0, |text| text.len() as u64);
            (path.clone(), text.map_err(|e| e.to_string()))
        };
        Files {
            imported: self.paths.iter().map(read).collect(),
            located: located::read(&self.folder, &self.located, secrets),
        }
    }

    /// The folders in which a change can concern them, the document's own left out: those on the way, and the one to which a link
    /// leads.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let paths = || self.paths.iter().chain(&self.located);
        let above = paths().flat_map(|path| Path::new(path).ancestors().skip(1));
        let above = above.filter(|folder| *folder != Path::new("")).map(|folder| self.folder.join(folder));
        let behind = paths().filter_map(|path| {
            let folder = self.folder.canonicalize().ok()?;
            let behind = self.folder.join(path).canonicalize().ok()?.parent()?.to_owned();
            (behind.starts_with(&folder) && behind != folder).then_some(behind)
        });
        above.chain(behind).chain(located::folders(&self.folder, &self.located)).collect()
    }
}

/// A document's paths begin at its folder, those of `airlock.toml` at another one: whole paths mean the same in both.
pub fn beside(document: &Path, origins: &Origins) -> Origins {
    let folder = path::absolute(document).ok().and_then(|path| Some(path.parent()?.to_owned())).unwrap_or_default();
    let whole = |origin: &Origin| match origin {
        Origin::File { path, key } => {
            let path: PathBuf = folder.join(path).components().collect();
            Origin::File { path: path.display().to_string(), key: key.clone() }
        }
        other => other.clone(),
    };
    origins.iter().map(|(name, origin)| (name.clone(), whole(origin))).collect()
}

/// Only regular files, and no more of one than is left.
fn read(folder: &Path, path: &str, left: u64) -> io::Result<String> {
    let Opened { file, .. } = open(folder, path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    file.take(left + 1).read_to_string(&mut text)?;
    match text.len() as u64 > left {
        true => Err(io::Error::other(format!("all such files together have more than {MAX_BYTES} bytes"))),
        false => Ok(text),
    }
}

/// Opens a file in the folder or below it. Where links lead counts, not where they are; and that is looked at again once the file is
/// open, as a link could be another one by then.
pub(super) fn open(folder: &Path, path: &str) -> io::Result<Opened> {
    // A pipe would be waited for; and the last step is no link any more.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(inside(folder, path)?.0)?;
    let (at, below) = inside(folder, path)?;
    let (opened, named) = (file.metadata()?, at.metadata()?);
    match (opened.dev(), opened.ino()) == (named.dev(), named.ino()) {
        true => Ok(Opened { file, at, below }),
        false => Err(io::Error::other("it was replaced while it was read")),
    }
}

/// A file in a folder, and where it really is.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) at: PathBuf,
    /// From the folder.
    pub(super) below: PathBuf,
}

/// Where a path leads, and that from the folder, in which it has to be.
pub(super) fn inside(folder: &Path, path: &str) -> io::Result<(PathBuf, PathBuf)> {
    let at = folder.join(path).canonicalize()?;
    match at.strip_prefix(folder.canonicalize()?).map(Path::to_owned) {
        Ok(below) => Ok((at, below)),
        Err(_) => Err(io::Error::other("it is outside of the document's folder")),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn what_is_in_the_folder_is_read_and_nothing_else() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("folder");
        fs::create_dir_all(folder.join("below")).unwrap();
        fs::write(outside.path().join("secret.yaml"), "outside").unwrap();
        fs::write(folder.join("a.yaml"), "a").unwrap();
        fs::write(folder.join("below/b.yaml"), "b").unwrap();
        fs::write(folder.join("binary.yaml"), [0xff, 0xfe]).unwrap();
        fs::write(folder.join("large.yaml"), "x".repeat(MAX_BYTES as usize)).unwrap();
        symlink("below/b.yaml", folder.join("inside.yaml")).unwrap();
        symlink("../secret.yaml", folder.join("link.yaml")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        fs::create_dir(folder.join("folder.yaml")).unwrap();
        fs::create_dir(folder.join("behind")).unwrap();
        fs::write(folder.join("behind/c.yaml"), "c").unwrap();
        symlink(folder.join("behind/c.yaml"), folder.join("absolute.yaml")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe.yaml"), rustix::fs::Mode::RWXU).unwrap();

        let import = |path: &str| format!("- {{from: {path}, import: x}}\n");
        let paths = [
            "a.yaml",
            "below/b.yaml",
            "inside.yaml",
            "absolute.yaml",
            "pipe.yaml",
            "link.yaml",
            "up/secret.yaml",
            "folder.yaml",
            "binary.yaml",
            "none.yaml",
            "large.yaml",
            "../secret.yaml",
        ];
        let text = format!("ikanos: 1.0.0-beta5\nconsumes:\n{}", paths.map(import).concat());
        let imported = Imported::of(&folder.join("document.yaml"), &text);
        let files = imported.read(&[]).imported;
        for (path, expected) in [
            ("a.yaml", Ok("a")),
            ("below/b.yaml", Ok("b")),
            ("inside.yaml", Ok("b")),
            ("absolute.yaml", Ok("c")),
            ("pipe.yaml", Err("not a regular file")),
            ("link.yaml", Err("outside of the document's folder")),
            ("up/secret.yaml", Err("outside of the document's folder")),
            ("folder.yaml", Err("not a regular file")),
            ("binary.yaml", Err("UTF-8")),
            ("none.yaml", Err("No such file")),
            ("large.yaml", Err("all such files together have more than")),
        ] {
            match (&files[path], expected) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{path}"),
                (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{path}: {reason}"),
                (other, _) => panic!("{path}: {other:?}"),
            }
        }
        assert_eq!(files.len(), paths.len() - 1);
        // Where links lead is watched too, but nothing outside.
        let folders: Vec<_> = imported.folders().into_iter().collect();
        assert_eq!(folders, ["behind", "below", "up"].map(|name| folder.join(name)));
    }
}
