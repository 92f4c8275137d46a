//! What is at the locations of a document: files that it serves as they are, each or in folders.
//!
//! The same holds as for files that it imports from: only what is in the document's folder or below it, wherever links lead.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::files::{Opened, inside, open};
use crate::document::{LOCATED_NAME, Located, MAX_LOCATED_BYTES, MAX_LOCATED_FILES, is_file_name};

/// How many folders there may be inside each other. Skills have two or three.
const MAX_DEPTH: usize = 8;

/// What may still be read.
struct Left {
    files: usize,
    bytes: u64,
    /// What may not, wherever links lead.
    secrets: Vec<PathBuf>,
}

/// Reads what is at these locations.
pub(super) fn read(
    folder: &Path,
    locations: &[String],
    secrets: &[PathBuf],
) -> BTreeMap<String, Result<Located, String>> {
    // One that isn't there yet is read by nobody.
    let secrets = secrets.iter().filter_map(|file| file.canonicalize().ok()).collect();
    let mut left = Left { files: MAX_LOCATED_FILES, bytes: MAX_LOCATED_BYTES as u64, secrets };
    let read = |location: &String| (location.clone(), read_one(folder, location, &mut left).map_err(|e| e.to_string()));
    locations.iter().map(read).collect()
}

fn read_one(folder: &Path, location: &str, left: &mut Left) -> io::Result<Located> {
    if !folder.join(location).metadata()?.is_dir() {
        return read_file(folder, location, left).map(Located::File);
    }
    let mut files = BTreeMap::new();
    let mut found = Vec::new();
    list(folder, location, MAX_DEPTH, &mut found)?;
    found.sort();
    for path in found {
        let data = read_file(folder, &path, left).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
        files.insert(path[location.len() + 1..].to_owned(), data);
    }
    match files.is_empty() {
        true => Err(io::Error::other("there is no file in it")),
        false => Ok(Located::Folder(files)),
    }
}

/// The paths of the files in a folder and below it. A link to a file is followed like any; one to a folder could lead round in circles.
fn list(folder: &Path, below: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    for entry in entries(folder, below)? {
        let (name, is_folder) = entry?;
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{below}/{name}");
        let refused = |why: &str| Err(io::Error::other(format!("{path}: {why}")));
        match is_folder {
            _ if !is_file_name(&name) => return refused(&format!("expected a name of {LOCATED_NAME}")),
            _ if found.len() == MAX_LOCATED_FILES => return refused(&too_many()),
            false => found.push(path),
            true if depth == 0 => {
                return refused(&format!("there are more than {MAX_DEPTH} folders inside each other"));
            }
            true => list(folder, &path, depth - 1, found)?,
        }
    }
    Ok(())
}

/// The names in a folder that is in the document's, and which of them are folders.
fn entries(folder: &Path, below: &str) -> io::Result<impl Iterator<Item = io::Result<(String, bool)>>> {
    let (at, _) = inside(folder, below)?;
    Ok(fs::read_dir(at)?.map(|entry| {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| io::Error::other("a name in it is not UTF-8"))?;
        Ok((name, entry.file_type()?.is_dir()))
    }))
}

/// Only regular files, and no more of one than is left.
fn read_file(folder: &Path, path: &str, left: &mut Left) -> io::Result<Bytes> {
    let Opened { file, at, below } = open(folder, path)?;
    if left.secrets.contains(&at) {
        return Err(io::Error::other("a secret of a grant is kept in it"));
    }
    if below.components().any(|name| name.as_os_str().as_encoded_bytes().starts_with(b".")) {
        return Err(io::Error::other("it leads to something that is hidden"));
    }
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    left.files = left.files.checked_sub(1).ok_or_else(|| io::Error::other(too_many()))?;
    let mut data = Vec::new();
    file.take(left.bytes + 1).read_to_end(&mut data)?;
    match left.bytes.checked_sub(data.len() as u64) {
        Some(bytes) => left.bytes = bytes,
        None => {
            let problem =
                format!("all files of the document's locations together have more than {MAX_LOCATED_BYTES} bytes");
            return Err(io::Error::other(problem));
        }
    }
    Ok(data.into())
}

fn too_many() -> String {
    format!("there are more than {MAX_LOCATED_FILES} files at the document's locations")
}

/// The folders in which a change can concern them, those on the way left out.
pub(super) fn folders(folder: &Path, locations: &[String]) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for location in locations {
        add(folder, location, MAX_DEPTH, &mut folders);
    }
    folders
}

fn add(folder: &Path, below: &str, depth: usize, folders: &mut Vec<PathBuf>) {
    if folders.len() == MAX_LOCATED_FILES {
        return;
    }
    // Of a folder that isn't there the one above tells when it comes.
    let Ok(entries) = entries(folder, below) else { return };
    folders.push(folder.join(below));
    let below_it = entries
        .filter_map(Result::ok)
        .filter(|(name, is_folder)| *is_folder && is_file_name(name) && !name.starts_with('.'));
    for (name, _) in below_it.take(MAX_LOCATED_FILES).filter(|_| depth > 0) {
        add(folder, &format!("{below}/{name}"), depth - 1, folders);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_in_the_folder_is_served_and_nothing_else() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("folder");
        for below in ["skill/scripts", "secret", "strange", "empty", "out", "linked"] {
            fs::create_dir_all(folder.join(below)).unwrap();
        }
        fs::write(outside.path().join("secret.txt"), "outside").unwrap();
        fs::write(folder.join("skill/SKILL.md"), "main").unwrap();
        fs::write(folder.join("skill/.env"), "hidden").unwrap();
        fs::write(folder.join("skill/scripts/a.py"), [0xff]).unwrap();
        fs::write(folder.join("strange/a b.md"), "x").unwrap();
        fs::write(folder.join("large"), vec![b'x'; MAX_LOCATED_BYTES]).unwrap();
        symlink("../../secret.txt", folder.join("out/leak.txt")).unwrap();
        symlink("../skill/SKILL.md", folder.join("linked/SKILL.md")).unwrap();
        symlink("..", folder.join("linked/up")).unwrap();
        symlink("skill/.env", folder.join("shown.txt")).unwrap();
        fs::write(folder.join("note.txt"), "a secret").unwrap();
        symlink("note.txt", folder.join("noted.txt")).unwrap();
        symlink("../..", folder.join("up")).unwrap();

        let names = [
            "skill",
            "skill/SKILL.md",
            "linked/SKILL.md",
            "strange",
            "empty",
            "out",
            "linked",
            "up",
            "none",
            "large",
            "shown.txt",
            "note.txt",
            "noted.txt",
        ];
        let locations = names.map(str::to_owned);
        let read = read(&folder, &locations, &[folder.join("note.txt")]);
        let skill = BTreeMap::from([
            ("SKILL.md".to_owned(), Bytes::from_static(b"main")),
            ("scripts/a.py".to_owned(), Bytes::from_static(&[0xff])),
        ]);
        assert_eq!(read["skill"], Ok(Located::Folder(skill)));
        assert_eq!(read["skill/SKILL.md"], Ok(Located::File(Bytes::from_static(b"main"))));
        assert_eq!(read["linked/SKILL.md"], Ok(Located::File(Bytes::from_static(b"main"))));
        for (location, expected) in [
            ("strange", "strange/a b.md: expected a name of"),
            ("empty", "no file"),
            ("out", "out/leak.txt: it is outside"),
            ("linked", "linked/up: it is not a regular file"),
            ("up", "outside of the document's folder"),
            ("none", "No such file"),
            ("shown.txt", "it leads to something that is hidden"),
            ("note.txt", "a secret of a grant is kept in it"),
            ("noted.txt", "a secret of a grant is kept in it"),
            ("large", "all files of the document's locations together"),
        ] {
            let reason = read[location].as_ref().expect_err(location);
            assert!(reason.contains(expected), "{location}: {reason}");
        }
        let watched = folders(&folder, &locations[..1]);
        assert_eq!(watched, ["skill", "skill/scripts"].map(|below| folder.join(below)));
    }
}
