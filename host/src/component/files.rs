//! The other files that a document imports from: where they are, and their texts.
//!
//! Only what is in the document's folder or below it: a document is written by strangers, and what is imported may be shown in messages.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::document::{self, Files};

/// The most bytes of all files that one document imports from: as much as the document itself may have.
const MAX_BYTES: u64 = document::MAX_SOURCE_BYTES as u64;

/// The files that one document imports from.
pub struct Imported {
    folder: PathBuf,
    paths: Vec<String>,
}

impl Imported {
    /// What the document in a file wants; nothing is read yet.
    pub fn of(file: &Path, text: &str) -> Self {
        let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned(), paths: document::wanted(text) }
    }

    /// Reads them.
    pub fn read(&self) -> Files {
        let mut left = MAX_BYTES;
        let read = |path: &String| {
            let text = read(&self.folder, path, left);
            left -= text.as_ref().map_or(0, |text| text.len() as u64);
            (path.clone(), text.map_err(|e| e.to_string()))
        };
        self.paths.iter().map(read).collect()
    }

    /// The folders in which a change can concern them, the document's own left out.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let above = |path: &String| {
            let folders: Vec<_> = Path::new(path).ancestors().skip(1).map(Path::to_owned).collect();
            folders.into_iter().filter(|folder| *folder != Path::new(""))
        };
        self.paths.iter().flat_map(above).map(|folder| self.folder.join(folder)).collect()
    }
}

/// Where links lead counts, not where they are. Only regular files: a pipe would be waited for.
fn read(folder: &Path, path: &str, left: u64) -> io::Result<String> {
    let file = folder.join(path).canonicalize()?;
    if !file.starts_with(folder.canonicalize()?) {
        return Err(io::Error::other("it is outside of the document's folder"));
    }
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    File::open(file)?.take(left + 1).read_to_string(&mut text)?;
    match text.len() as u64 > left {
        true => Err(io::Error::other(format!("all such files together have more than {MAX_BYTES} bytes"))),
        false => Ok(text),
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

        let import = |path: &str| format!("- {{from: {path}, import: x}}\n");
        let paths = [
            "a.yaml",
            "below/b.yaml",
            "inside.yaml",
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
        let files = imported.read();
        for (path, expected) in [
            ("a.yaml", Ok("a")),
            ("below/b.yaml", Ok("b")),
            ("inside.yaml", Ok("b")),
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
        assert_eq!(imported.folders().into_iter().collect::<Vec<_>>(), [folder.join("below"), folder.join("up")]);
    }
}
