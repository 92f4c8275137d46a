//! The present value of one stored secret, and the one before it: an upstream may still repeat that.
//!
//! It looks at its file when it is told to; how often, and whether a new value can be used, is decided in `vault`.

use std::{mem, time::SystemTime};

use crate::grant::{MissingSecret, Secret, Stamp, Stored};

pub(super) struct Slot {
    source: Stored,
    stamp: Stamp,
    /// The file was changed so shortly before it was read that its stamp can't be relied on yet.
    is_fresh: bool,
    /// Something has been said about the present state of the file.
    is_told: bool,
    value: Result<Secret, MissingSecret>,
    previous: Option<Secret>,
}

impl Slot {
    pub(super) fn new(source: Stored) -> Self {
        // Before it is read: a change in between is seen the next time.
        let stamp = source.stamp();
        let is_fresh = stamp.is_fresh(SystemTime::now());
        let value = source.read();
        Self { source, stamp, is_fresh, is_told: false, value, previous: None }
    }

    /// Whether the value can change at all.
    pub(super) fn can_change(&self) -> bool {
        matches!(self.source, Stored::File(_) | Stored::Member { .. })
    }

    pub(super) fn value(&self) -> &Result<Secret, MissingSecret> {
        &self.value
    }

    /// The present value and the one before it.
    pub(super) fn values(&self) -> impl Iterator<Item = &Secret> {
        self.value.as_ref().ok().into_iter().chain(&self.previous)
    }

    /// Reads the file again where it has changed, and gives what is new.
    pub(super) fn look(&mut self) -> Option<Result<Secret, MissingSecret>> {
        let stamp = self.source.stamp();
        let has_changed = stamp != self.stamp;
        if !has_changed && !self.is_fresh {
            return None;
        }
        self.stamp = stamp;
        self.is_fresh = stamp.is_fresh(SystemTime::now());
        self.is_told &= !has_changed;
        let read = self.source.read();
        let is_same = match (&read, &self.value) {
            (Ok(read), Ok(value)) => read.expose() == value.expose(),
            (Err(_), Err(_)) => true,
            _ => false,
        };
        (!is_same).then_some(read)
    }

    /// Puts a new value in place of the present one. What is given back undoes that.
    pub(super) fn replace(&mut self, secret: Secret) -> Replaced {
        let value = mem::replace(&mut self.value, Ok(secret));
        let previous = mem::replace(&mut self.previous, value.as_ref().ok().cloned());
        Replaced { value, previous }
    }

    pub(super) fn undo(&mut self, replaced: Replaced) {
        self.value = replaced.value;
        self.previous = replaced.previous;
    }

    /// True once for each state of the file.
    pub(super) fn is_worth_telling(&mut self) -> bool {
        !mem::replace(&mut self.is_told, true)
    }
}

/// What a slot held before.
pub(super) struct Replaced {
    value: Result<Secret, MissingSecret>,
    previous: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_and_what_becomes_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let write = |text: &str| fs::write(&path, text).unwrap();
        let exposed = |slot: &Slot| slot.values().map(|it| it.expose().to_owned()).collect::<Vec<_>>();
        write("one\n");
        let mut slot = Slot::new(Stored::File(path.clone()));
        assert!(slot.can_change());
        assert_eq!(exposed(&slot), ["one"]);
        assert!(slot.look().is_none());

        // As long as before, in the same moment.
        write("two\n");
        let new = slot.look().unwrap().unwrap();
        let replaced = slot.replace(new.clone());
        assert_eq!(exposed(&slot), ["two", "one"]);
        slot.undo(replaced);
        assert_eq!(exposed(&slot), ["one"]);
        slot.replace(new);
        assert!(slot.look().is_none());

        // As long as before, and as old.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        write("six");
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(slot.look().unwrap().unwrap().expose(), "six");
        write("two");
        assert!(slot.look().is_none(), "it was never put in place");

        // What can't be used is told once, and once more when the file has changed again.
        write("");
        assert!(slot.look().unwrap().is_err());
        assert!(slot.is_worth_telling());
        assert!(slot.look().unwrap().is_err(), "the file is too fresh to rely on its stamp");
        assert!(!slot.is_worth_telling());
        fs::remove_file(&path).unwrap();
        assert!(slot.look().unwrap().is_err());
        assert!(slot.is_worth_telling());
        assert!(slot.look().is_none());
        assert_eq!(exposed(&slot), ["two", "one"]);

        // Back as it was: nothing is new.
        write("two");
        assert!(slot.look().is_none());
        assert!(!Slot::new(Stored::Value(Secret::new("x".to_owned()))).can_change());
    }
}
