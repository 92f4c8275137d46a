//! Compiled code on disk, so that a host which starts again needn't compile again.
//!
//! What is in the folder runs as it is: whoever can write there is the host. So the folder must be this user's alone, and each entry has
//! the hash of its code in front, by which one that was torn isn't mistaken for code. An entry that can't be used is no error: what is
//! looked for is compiled anew, and takes its place.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};
use rustix::fs::OFlags;
use tempfile::NamedTempFile;

/// The most that is kept, in bytes; what was used longest ago goes first, when a host starts. 1 GiB: a provider is about a megabyte, and documents have
/// nothing but their runtimes here.
const MAX_KEPT: u64 = 1 << 30;

/// Nobody else may read or write. Who reads learns nothing but what the plugins do, who writes is the host.
const MINE_ALONE: u32 = 0o700;

/// What nobody but the owner may do with an entry: it may have been put there while the folder was open to others.
const WRITE_BY_OTHERS: u32 = 0o022;

/// What an entry that isn't whole yet is called; one that is older than a day was left behind when a host stopped meanwhile.
const UNFINISHED: &str = ".tmp";
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What an entry's name ends with: other files in the folder aren't touched.
const SUFFIX: &str = ".code";

/// A folder with compiled code.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// What the code depends on besides the component: this release, and how its engine compiles.
    compiler: String,
}

/// A folder that compiled code can't be kept in.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It can't be made or looked at.
    #[error("the folder for compiled code can't be used: {}: {reason}; name another with plugins.cache in airlock.toml, or none", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: io::Error,
    },
    /// Others could put code there that this host would run.
    #[error(
        "others can get at the folder for compiled code, and what is in it is run: {}: empty it and `chmod 700` it, as the user that runs \
         airlock, or name another with plugins.cache in airlock.toml",
        folder.display()
    )]
    Shared {
        /// The folder.
        folder: PathBuf,
    },
}

impl Cache {
    /// Opens the folder, which is made where there is none, and lets go of what is too much. `compiler` tells apart what doesn't
    /// understand each other's code.
    ///
    /// # Errors
    /// See [`CacheError`].
    pub fn open(folder: &Path, compiler: &str) -> Result<Self, CacheError> {
        let unusable = |reason| CacheError::Unusable { folder: folder.to_owned(), reason };
        fs::DirBuilder::new().recursive(true).mode(MINE_ALONE).create(folder).map_err(unusable)?;
        // The folder itself, whatever leads there: links could be changed later.
        let folder = folder.canonicalize().map_err(unusable)?;
        let seen = folder.metadata().map_err(unusable)?;
        if !is_mine(&seen) || seen.mode() & 0o777 & !MINE_ALONE != 0 {
            return Err(CacheError::Shared { folder });
        }
        let cache = Self { folder, compiler: compiler.to_owned() };
        cache.prune(MAX_KEPT).map_err(unusable)?;
        Ok(cache)
    }

    /// The code of a component, if it is there, whole, and this user's.
    pub(super) fn find(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        // What is opened is looked at, not what has the name: nothing can come between. A link is none of ours, and a pipe would be
        // waited for.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut file =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(self.path(wasm)).ok()?;
        let seen = file.metadata().ok()?;
        if !seen.is_file() || !is_mine(&seen) || seen.mode() & WRITE_BY_OTHERS != 0 {
            return None;
        }
        let mut entry = Vec::new();
        file.read_to_end(&mut entry).ok()?;
        let (hash, code) = entry.split_at_checked(SHA256_OUTPUT_LEN)?;
        if digest(&SHA256, code).as_ref() != hash {
            return None;
        }
        // How long ago it was used; only the order in which entries go depends on it.
        file.set_modified(SystemTime::now()).ok();
        entry.drain(..SHA256_OUTPUT_LEN);
        Some(entry)
    }

    /// Keeps the code of a component: whole, or not at all.
    pub(super) fn keep(&self, wasm: &[u8], code: &[u8]) -> io::Result<()> {
        let mut file = NamedTempFile::with_prefix_in(UNFINISHED, &self.folder)?;
        file.write_all(digest(&SHA256, code).as_ref())?;
        file.write_all(code)?;
        file.persist(self.path(wasm)).map_err(|e| e.error)?;
        Ok(())
    }

    fn path(&self, wasm: &[u8]) -> PathBuf {
        let mut hash = Context::new(&SHA256);
        // The length of the one part tells where the other begins.
        hash.update(&(self.compiler.len() as u64).to_le_bytes());
        hash.update(self.compiler.as_bytes());
        hash.update(wasm);
        let name: String = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name + SUFFIX)
    }

    /// Removes what was abandoned, and what was used longest ago, until the rest is no more than `most` bytes. What can't be looked at
    /// or removed stays: another host may be doing the same.
    fn prune(&self, most: u64) -> io::Result<()> {
        let abandoned = SystemTime::now() - ABANDONED;
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let Ok(seen) = entry.metadata() else { continue };
            let Ok(used) = seen.modified() else { continue };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(UNFINISHED) && used < abandoned && seen.is_file() && is_mine(&seen) {
                fs::remove_file(entry.path()).ok();
            } else if name.ends_with(SUFFIX) {
                entries.push((used, seen.len(), entry.path()));
            }
        }
        entries.sort_by(|one, other| other.cmp(one));
        let mut kept = 0;
        for (_, size, path) in entries {
            kept += size;
            if kept > most {
                fs::remove_file(path).ok();
            }
        }
        Ok(())
    }
}

fn is_mine(seen: &Metadata) -> bool {
    seen.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{File, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
        time::Duration,
    };

    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn what_is_kept_is_found_for_the_same_component_and_compiler() {
        let folder = folder();
        let cache = Cache::open(&folder.path().join("new/cache"), "1").unwrap();
        assert_eq!(cache.find(b"wasm"), None);
        cache.keep(b"wasm", b"code").unwrap();
        assert_eq!(cache.find(b"wasm").as_deref(), Some(&b"code"[..]));
        assert_eq!(cache.find(b"wasm2"), None);
        let other = Cache::open(&folder.path().join("new/cache"), "2").unwrap();
        assert_eq!(other.find(b"wasm"), None);
        // Neither is mistaken for the other where their parts run together.
        let [one, two] =
            ["1w", "1"].map(|compiler| Cache { folder: cache.folder.clone(), compiler: compiler.to_owned() });
        assert_ne!(one.path(b"asm"), two.path(b"wasm"));
    }

    #[test]
    fn a_torn_or_altered_entry_is_none() {
        let folder = folder();
        let cache = Cache::open(&folder.path().join("cache"), "1").unwrap();
        let whole = [digest(&SHA256, b"code").as_ref(), b"code"].concat();
        for entry in [&[][..], &whole[..10], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            fs::write(cache.path(b"wasm"), entry).unwrap();
            assert_eq!(cache.find(b"wasm"), None, "{entry:?}");
        }
        cache.keep(b"wasm", b"code").unwrap();
        assert!(cache.find(b"wasm").is_some());
    }

    #[test]
    fn an_entry_that_others_may_have_put_there_is_none() {
        let folder = folder();
        let cache = Cache::open(&folder.path().join("cache"), "1").unwrap();
        cache.keep(b"wasm", b"code").unwrap();
        let path = cache.path(b"wasm");
        for (mode, is_found) in [(0o620, false), (0o602, false), (0o666, false), (0o644, true)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(cache.find(b"wasm").is_some(), is_found, "{mode:o}");
        }
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert_eq!(cache.find(b"wasm"), None);
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(cache.find(b"wasm"), None);
        // It is compiled anew, and takes its place.
        cache.keep(b"wasm", b"code").unwrap();
        assert!(cache.find(b"wasm").is_some());
    }

    #[test]
    fn what_was_left_behind_goes_and_what_cannot_go_is_no_error() {
        let folder = folder();
        let cache = Cache::open(&folder.path().join("cache"), "1").unwrap();
        let path = |name: &str| cache.folder.join(name);
        let now = SystemTime::now();
        for (name, age) in [(".tmpOld", ABANDONED + Duration::from_secs(60)), (".tmpNew", Duration::ZERO)] {
            File::create(path(name)).unwrap().set_modified(now - age).unwrap();
        }
        // No file can be removed like this.
        fs::create_dir(path("folder.code")).unwrap();
        cache.keep(b"wasm", b"code").unwrap();
        cache.prune(0).unwrap();
        assert_eq!([".tmpOld", ".tmpNew", "folder.code"].map(|name| path(name).exists()), [false, true, true]);
        assert_eq!(cache.find(b"wasm"), None);
    }

    #[test]
    fn a_folder_that_others_get_at_is_refused() {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        for mode in [0o701, 0o710, 0o722, 0o777] {
            fs::create_dir(at("shared")).unwrap();
            fs::set_permissions(at("shared"), Permissions::from_mode(mode)).unwrap();
            symlink(at("shared"), at("link")).unwrap();
            for name in ["shared", "link"] {
                assert!(matches!(Cache::open(&at(name), "1"), Err(CacheError::Shared { .. })), "{mode:o} {name}");
            }
            fs::remove_dir(at("shared")).unwrap();
            fs::remove_file(at("link")).unwrap();
        }
        fs::write(at("file"), "").unwrap();
        assert!(matches!(Cache::open(&at("file"), "1"), Err(CacheError::Unusable { .. })));
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let folder = folder();
        let cache = Cache::open(&folder.path().join("cache"), "1").unwrap();
        let size = SHA256_OUTPUT_LEN as u64 + 4;
        let now = SystemTime::now();
        for (name, age) in [("old", 300), ("older", 400), ("new", 100)] {
            cache.keep(name.as_bytes(), b"code").unwrap();
            let file = File::open(cache.path(name.as_bytes())).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        fs::write(cache.folder.join("notes.txt"), "not ours").unwrap();
        let there = || ["old", "older", "new"].map(|name| cache.path(name.as_bytes()).exists());
        cache.prune(3 * size).unwrap();
        assert_eq!(there(), [true, true, true]);
        // What is used now is new again.
        cache.find(b"older").unwrap();
        cache.prune(2 * size).unwrap();
        assert_eq!(there(), [false, true, true]);
        cache.prune(0).unwrap();
        assert_eq!(there(), [false, false, false]);
        assert!(cache.folder.join("notes.txt").exists());
    }
}
