//! The agreements of people to calls of one loaded plugin, each good for one call.
//!
//! What was agreed to is not known here: that a ticket comes back with the call that it was given out for is seen to by whoever lets it
//! out of the process. A newer version of the plugin has a book of its own: what was agreed to for this one is asked anew.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::contract::Ticket;

/// How many used tickets are remembered. 10 000, 24 bytes each with the set's own: nobody is asked so often within the hour that a
/// question is good for. Beyond that the oldest are forgotten, and all that were given out before them are void, used or not: who
/// floods the book makes others be asked twice, and gets nothing carried out twice.
const MAX_USED: usize = 10_000;

/// Tells the books of a process apart.
static BOOKS: AtomicU64 = AtomicU64::new(0);

/// The book of a loaded plugin.
pub struct Agreements {
    book: u64,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    /// All below are void.
    first: u64,
    used: BTreeSet<u64>,
}

/// Why a ticket is good for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTicket {
    /// A call has been made with it.
    Used,
    /// It was given out for another version of the plugin, or so many calls ago that nobody knows about it any more.
    Void,
}

impl Agreements {
    /// An empty book.
    pub(super) fn new() -> Self {
        Self { book: BOOKS.fetch_add(1, Ordering::Relaxed), entries: Mutex::default() }
    }

    /// A new ticket.
    pub fn issue(&self) -> Ticket {
        let mut entries = self.entries.lock().expect("nothing panics under this lock");
        let number = entries.next;
        entries.next += 1;
        Ticket { book: self.book, number }
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// See [`BadTicket`].
    pub fn redeem(&self, ticket: Ticket) -> Result<(), BadTicket> {
        let mut entries = self.entries.lock().expect("nothing panics under this lock");
        if ticket.book != self.book || !(entries.first..entries.next).contains(&ticket.number) {
            return Err(BadTicket::Void);
        }
        if !entries.used.insert(ticket.number) {
            return Err(BadTicket::Used);
        }
        if entries.used.len() > MAX_USED {
            entries.first = entries.used.pop_first().map_or(entries.next, |oldest| oldest + 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_in_its_own_book() {
        let (book, other) = (Agreements::new(), Agreements::new());
        let (first, second) = (book.issue(), book.issue());
        assert_ne!(first, second);
        assert_eq!(book.redeem(second), Ok(()));
        assert_eq!(book.redeem(second), Err(BadTicket::Used));
        other.issue();
        assert_eq!(other.redeem(first), Err(BadTicket::Void), "another version's");
        assert_eq!(book.redeem(Ticket { number: 2, ..first }), Err(BadTicket::Void), "never given out");
        assert_eq!(book.redeem(first), Ok(()));
    }

    #[test]
    fn a_full_book_forgets_questions_and_no_use() {
        let book = Agreements::new();
        let (open, used) = (book.issue(), book.issue());
        assert_eq!(book.redeem(used), Ok(()));
        for _ in 0..MAX_USED {
            assert_eq!(book.redeem(book.issue()), Ok(()));
        }
        let late = book.issue();
        assert_eq!(book.redeem(open), Err(BadTicket::Void));
        assert_eq!(book.redeem(used), Err(BadTicket::Void));
        assert_eq!(book.entries.lock().unwrap().used.len(), MAX_USED);
        assert_eq!(book.redeem(late), Ok(()));
    }
}
