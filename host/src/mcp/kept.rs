//! Results that were too long for an answer, kept for a short while, so that whoever asked can read the whole, in parts: as the
//! resource `airlock://result/<id>`, and `?part=2` and so on of it.
//!
//! It is memory that others fill, so all of it is bounded; what finds no room is cut, and nothing more is lost by it. How a result
//! is cut is `reply`'s, how parts are shown `resources`'.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::reply::MAX_BLOCK;
use crate::{callers::Account, contract::Contents};

/// How long a result is kept. 10 minutes: a model reads on within the same conversation, or not at all.
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// How often what is too old is looked for: it takes up memory for no longer than this beyond its time.
const SWEEP: Duration = Duration::from_secs(60);

/// The most bytes of all results together: as much as one call may have of a guest's memory by default.
const TOTAL: usize = 64 << 20;

/// The most bytes that are kept for one caller, and of one plugin: a quarter, so that neither fills the place of others. It is also
/// what a plugin's upstream may answer by default.
const SHARE: usize = 16 << 20;

/// The scheme of the host's own resources. No plugin has one of this scheme: it isn't listed, and isn't asked for.
const SCHEME: &str = "airlock:";

/// What the URIs of results begin with.
const PREFIX: &str = "airlock://result/";

/// The results that are kept.
#[derive(Default)]
pub(super) struct Kept(Mutex<Vec<Entry>>);

/// What belongs to whom.
#[derive(Clone)]
pub(super) struct Owner {
    /// Who may read it, as states are sealed to callers.
    pub(super) caller: String,
    /// What it is a result of.
    pub(super) plugin: String,
    /// What reading it counts for.
    pub(super) account: Account,
}

/// The oldest come first.
struct Entry {
    id: String,
    owner: Owner,
    size: usize,
    /// `None` while it is on its way.
    contents: Option<Contents>,
    until: Instant,
}

/// Room for a result that is on its way. It is given back when it is dropped.
pub(super) struct Draft {
    kept: Arc<Kept>,
    id: String,
}

/// There is no room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

/// A part of a result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) contents: Contents,
    /// Which one it is, from 1 on.
    pub(super) number: usize,
    /// The URI of the next one.
    pub(super) next: Option<String>,
}

/// Whether a URI is of the host's own scheme.
pub(super) fn is_own(uri: &str) -> bool {
    uri.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// The URI of a part of a result.
pub(super) fn part(uri: &str, number: usize) -> String {
    format!("{uri}?part={number}")
}

/// Forgets what is too old, for as long as there is anything to keep it in.
pub(super) async fn sweep(kept: Weak<Kept>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        match kept.upgrade() {
            Some(kept) => forget_old(&mut kept.entries()),
            None => return,
        }
    }
}

fn forget_old(entries: &mut Vec<Entry>) {
    let now = Instant::now();
    entries.retain(|it| it.contents.is_none() || it.until > now);
}

impl Kept {
    /// A result that is on its way, of which nothing is there yet.
    pub(super) fn begin(self: &Arc<Self>, owner: Owner) -> Draft {
        let id = random();
        let entry = Entry { id: id.clone(), owner, size: 0, contents: None, until: Instant::now() + LIFETIME };
        self.entries().push(entry);
        Draft { kept: self.clone(), id }
    }

    /// A part of a result, and on whose account it is read. Who isn't its owner is told what everybody is about what isn't there.
    pub(super) fn read(&self, uri: &str, caller: &str) -> Option<(Part, Account)> {
        let (id, number) = match uri.strip_prefix(PREFIX)?.split_once("?part=") {
            Some((id, number)) => (id, number.parse().ok()?),
            None => (uri.strip_prefix(PREFIX)?, 1),
        };
        let mut entries = self.entries();
        forget_old(&mut entries);
        let is_it = |it: &&Entry| it.owner.caller == caller && bool::from(it.id.as_bytes().ct_eq(id.as_bytes()));
        let entry = entries.iter().find(is_it)?;
        let (contents, is_last) = cut(entry.contents.as_ref()?, number)?;
        let next = (!is_last).then(|| part(&format!("{PREFIX}{id}"), number + 1));
        Some((Part { contents, number, next }, entry.owner.account.clone()))
    }

    /// What a panic has left behind is whole entries.
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    /// Takes room for more bytes. Older results of the same caller and plugin make way for it, and nobody else's.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let mut entries = self.kept.entries();
        forget_old(&mut entries);
        let own = entries.iter().find(|it| it.id == self.id).ok_or(NoRoom)?;
        let owner = own.owner.clone();
        // Nothing makes way for what is too large by itself.
        if own.size + bytes > SHARE {
            return Err(NoRoom);
        }
        let is_older =
            |it: &Entry| it.contents.is_some() && it.owner.caller == owner.caller && it.owner.plugin == owner.plugin;
        // Nor does anything where that wouldn't be enough.
        if !has_room(entries.iter().filter(|it| !is_older(it)), &owner, bytes) {
            return Err(NoRoom);
        }
        while !has_room(entries.iter(), &owner, bytes) {
            let oldest = entries.iter().position(is_older).ok_or(NoRoom)?;
            entries.remove(oldest);
        }
        entries.iter_mut().filter(|it| it.id == self.id).for_each(|it| it.size += bytes);
        Ok(())
    }

    /// Keeps a result for which there is room, and gives its URI.
    pub(super) fn keep(self, contents: Contents) -> String {
        let mut entries = self.kept.entries();
        if let Some(entry) = entries.iter_mut().find(|it| it.id == self.id) {
            entry.contents = Some(contents);
            entry.until = Instant::now() + LIFETIME;
        }
        format!("{PREFIX}{}", self.id)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.kept.entries().retain(|it| it.contents.is_some() || it.id != self.id);
    }
}

fn has_room<'a>(entries: impl Iterator<Item = &'a Entry> + Clone, owner: &Owner, bytes: usize) -> bool {
    let taken = |is_counted: &dyn Fn(&Owner) -> bool| {
        let counted = entries.clone().filter(|it| is_counted(&it.owner));
        counted.map(|it| it.size).sum::<usize>()
    };
    taken(&|_| true) + bytes <= TOTAL
        && taken(&|it| it.caller == owner.caller) + bytes <= SHARE
        && taken(&|it| it.plugin == owner.plugin) + bytes <= SHARE
}

/// A part, from 1 on, and whether it is the last. The first one is what stood in the result before it was cut.
fn cut(contents: &Contents, number: usize) -> Option<(Contents, bool)> {
    let length = contents.size();
    let end_of = |start: usize| match contents {
        Contents::Text(text) => text.floor_char_boundary(start + MAX_BLOCK),
        Contents::Binary(_) => length.min(start + MAX_BLOCK),
    };
    let mut start = 0;
    for _ in 1..number {
        start = end_of(start);
        if start == length {
            return None;
        }
    }
    let end = end_of(start);
    let part = match contents {
        _ if number == 0 => return None,
        Contents::Text(text) => Contents::Text(text[start..end].to_owned()),
        Contents::Binary(data) => Contents::Binary(data.slice(start..end)),
    };
    Some((part, end == length))
}

/// 128 bits: nobody guesses one.
fn random() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn owner(caller: &str, plugin: &str) -> Owner {
        Owner { caller: caller.to_owned(), plugin: plugin.to_owned(), account: Account::default() }
    }

    /// Keeps a result of so many bytes, if there is room.
    fn keep(kept: &Arc<Kept>, caller: &str, plugin: &str, size: usize) -> Result<String, NoRoom> {
        let mut draft = kept.begin(owner(caller, plugin));
        draft.grow(size)?;
        Ok(draft.keep(Contents::Binary(vec![7; size].into())))
    }

    fn is_there(kept: &Kept, caller: &str, uri: &str) -> bool {
        kept.read(uri, caller).is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_is_read_by_its_caller_for_a_while() {
        let kept = Arc::new(Kept::default());
        tokio::spawn(sweep(Arc::downgrade(&kept)));
        let uri = keep(&kept, "a", "p", 10).unwrap();
        assert!(is_own(&uri) && uri.starts_with("airlock://result/") && uri.len() == 17 + 22, "{uri}");
        assert_ne!(keep(&kept, "a", "p", 10).unwrap(), uri);
        let whole = Part { contents: Contents::Binary(Bytes::from_static(&[7; 10])), number: 1, next: None };
        assert_eq!(kept.read(&uri, "a").unwrap().0, whole);
        assert!(is_there(&kept, "a", &part(&uri, 1)));
        for other in
            [&part(&uri, 0), &part(&uri, 2), &part(&uri, usize::MAX), "airlock://result/", &uri[..uri.len() - 1], "a:b"]
        {
            assert!(!is_there(&kept, "a", other), "{other}");
        }
        assert!(!is_there(&kept, "b", &uri), "it is another's");
        tokio::time::sleep(LIFETIME - Duration::from_secs(1)).await;
        assert!(is_there(&kept, "a", &uri));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!is_there(&kept, "a", &uri));
        keep(&kept, "a", "p", 10).unwrap();
        tokio::time::sleep(LIFETIME + SWEEP).await;
        assert_eq!(kept.0.lock().unwrap().len(), 0, "memory is given back though nobody asks");
    }

    #[tokio::test(start_paused = true)]
    async fn parts_make_up_the_whole() {
        let kept = Arc::new(Kept::default());
        let text = format!("x{}", "ä".repeat(MAX_BLOCK + 10));
        let mut draft = kept.begin(owner("a", "p"));
        draft.grow(text.len()).unwrap();
        let uri = draft.keep(Contents::Text(text.clone()));
        let (mut read, mut next) = (String::new(), Some(uri.clone()));
        for number in 1..=3 {
            let (it, _) = kept.read(&next.expect("there is more"), "a").unwrap();
            let Contents::Text(text) = &it.contents else { panic!("text stays text") };
            assert!(text.len() <= MAX_BLOCK && it.number == number);
            read.push_str(text);
            next = it.next;
        }
        assert_eq!((next, read == text), (None, true));
        let data: Vec<u8> = (0..MAX_BLOCK + 3).map(|it| it as u8).collect();
        let mut draft = kept.begin(owner("a", "p"));
        draft.grow(data.len()).unwrap();
        let uri = draft.keep(Contents::Binary(data.clone().into()));
        let second = kept.read(&part(&uri, 2), "a").unwrap().0;
        assert_eq!(second.contents, Contents::Binary(data[MAX_BLOCK..].to_vec().into()));
        assert_eq!(second.next, None);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_takes_more_than_a_share_and_nobody_anothers() {
        let kept = Arc::new(Kept::default());
        let first = keep(&kept, "a", "p", SHARE / 2).unwrap();
        let second = keep(&kept, "a", "p", SHARE / 2).unwrap();
        assert!(is_there(&kept, "a", &first));
        let third = keep(&kept, "a", "p", 1).unwrap();
        assert!(!is_there(&kept, "a", &first), "the oldest makes way");
        assert!(is_there(&kept, "a", &second) && is_there(&kept, "a", &third));
        assert_eq!(keep(&kept, "a", "p", SHARE + 1), Err(NoRoom), "too large by itself");
        assert!(is_there(&kept, "a", &second) && is_there(&kept, "a", &third), "nothing made way for it");

        let kept = Arc::new(Kept::default());
        keep(&kept, "b", "p", SHARE - 10).unwrap();
        let own = keep(&kept, "a", "p", 10).unwrap();
        assert_eq!(keep(&kept, "a", "p", 11), Err(NoRoom), "there would be too little, even without the own");
        assert!(is_there(&kept, "a", &own), "so that it stays");

        let kept = Arc::new(Kept::default());
        let own = keep(&kept, "a", "p", SHARE).unwrap();
        assert_eq!(keep(&kept, "a", "q", 1), Err(NoRoom), "the caller's share is taken, by another plugin");
        assert_eq!(keep(&kept, "b", "p", 1), Err(NoRoom), "the plugin's share is taken, by another caller");
        assert!(is_there(&kept, "a", &own), "and nobody else's goes for it");
        for name in ["b", "c", "d"] {
            keep(&kept, name, name, SHARE).unwrap();
        }
        assert_eq!(keep(&kept, "e", "e", 1), Err(NoRoom), "there is no more in all");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_takes_room_until_it_is_given_up() {
        let kept = Arc::new(Kept::default());
        let mut draft = kept.begin(owner("a", "p"));
        draft.grow(SHARE).unwrap();
        assert_eq!(draft.grow(1), Err(NoRoom));
        assert_eq!(keep(&kept, "a", "p", 1), Err(NoRoom), "it doesn't make way");
        drop(draft);
        keep(&kept, "a", "p", SHARE).unwrap();
        assert_eq!(kept.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_scheme_is_known_however_it_is_written() {
        for (uri, own) in [
            ("airlock://result/a", true),
            ("AirLock:x", true),
            ("airlocks://a", false),
            ("airlock", false),
            ("ä", false),
            ("", false),
        ] {
            assert_eq!(is_own(uri), own, "{uri}");
        }
    }
}
