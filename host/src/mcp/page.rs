//! Pages of a list, by opaque cursors.
//!
//! A cursor names the last item of its page rather than a position, so a change elsewhere in the list loses and repeats nothing.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// How many items a page has. One page holds the tools of nearly every installation; beyond that, with schemas of about a kilobyte,
/// half a megabyte is still parsed in one go.
const PAGE: usize = 500;

/// A page.
#[derive(Debug)]
pub(super) struct Page<'a, T> {
    /// Its items.
    pub(super) items: &'a [T],
    /// The cursor of the next page, if there is one.
    pub(super) next: Option<String>,
}

/// The cursor is none of ours, or its item is gone.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown cursor: it was never given out, or the list has changed since; list again from the start")]
pub(super) struct BadCursor;

/// The page of `items` after `cursor`; the first one without.
pub(super) fn page<'a, T>(
    items: &'a [T],
    name: impl Fn(&T) -> &str,
    cursor: Option<&str>,
) -> Result<Page<'a, T>, BadCursor> {
    let start = match cursor {
        None => 0,
        Some(cursor) => {
            let last = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| BadCursor)?;
            let at = items.iter().position(|item| name(item).as_bytes() == last);
            at.ok_or(BadCursor)? + 1
        }
    };
    let rest = &items[start..];
    let items = &rest[..rest.len().min(PAGE)];
    let next = items.last().filter(|_| rest.len() > PAGE);
    Ok(Page { items, next: next.map(|last| BASE64_URL_SAFE_NO_PAD.encode(name(last))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(count: usize) -> Vec<usize> {
        let items: Vec<String> = (0..count).map(|n| format!("tool-{n}")).collect();
        let (mut sizes, mut seen, mut cursor) = (Vec::new(), Vec::new(), None);
        loop {
            let page = page(&items, String::as_str, cursor.as_deref()).expect("our own cursor");
            sizes.push(page.items.len());
            seen.extend_from_slice(page.items);
            cursor = page.next;
            if cursor.is_none() {
                assert_eq!(seen, items);
                return sizes;
            }
        }
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        for (count, sizes) in [
            (0, vec![0]),
            (1, vec![1]),
            (PAGE, vec![PAGE]),
            (PAGE + 1, vec![PAGE, 1]),
            (3 * PAGE, vec![PAGE, PAGE, PAGE]),
        ] {
            assert_eq!(pages(count), sizes, "{count} items");
        }
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let items = ["a".to_owned()];
        for cursor in ["", "1", "not base64!", "enp6"] {
            let refused = page(&items, String::as_str, Some(cursor));
            assert_eq!(refused.map(|_| ()), Err(BadCursor), "{cursor:?}");
        }
    }
}
