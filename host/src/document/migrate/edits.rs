//! Changes of a text: bytes that are replaced, and lines that move to the right. What nothing is said about stays, byte for byte.

use std::ops::Range;

/// The changes of one text.
pub struct Edits<'t> {
    text: &'t str,
    replaced: Vec<(Range<usize>, String)>,
    /// The spaces in front of each line.
    indents: Vec<usize>,
}

impl<'t> Edits<'t> {
    /// No changes.
    pub fn of(text: &'t str) -> Self {
        Self { text, replaced: Vec::new(), indents: vec![0; text.split('\n').count()] }
    }

    /// The text before any change.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Replaces bytes. Lines of the new text get the indentation that the first one gets.
    pub fn replace(&mut self, bytes: Range<usize>, new: impl Into<String>) {
        self.replaced.push((bytes, new.into()));
    }

    /// Removes bytes, and the line with them if nothing else is on it.
    pub fn remove(&mut self, bytes: Range<usize>) {
        let start = self.text[..bytes.start].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[bytes.end..].find('\n').map_or(self.text.len(), |at| bytes.end + at + 1);
        let is_alone =
            [&self.text[start..bytes.start], &self.text[bytes.end..end]].iter().all(|it| it.trim().is_empty());
        self.replace(if is_alone { start..end } else { bytes }, "");
    }

    /// Moves lines to the right.
    pub fn indent(&mut self, lines: Range<usize>) {
        self.indents[lines].iter_mut().for_each(|spaces| *spaces += 2);
    }

    /// The text after all changes.
    pub fn apply(mut self) -> String {
        self.replaced.sort_by_key(|(bytes, _)| (bytes.start, bytes.end));
        let mut out = String::with_capacity(self.text.len() * 2);
        let mut replaced = self.replaced.iter().peekable();
        let (mut at, mut end) = (0, 0);
        for (line, spaces) in self.text.split_inclusive('\n').zip(&self.indents) {
            let margin = " ".repeat(*spaces);
            end += line.len();
            let mut is_start = true;
            while at < end {
                let next = replaced.peek().filter(|(bytes, _)| bytes.start < end);
                let stop = next.map_or(end, |(bytes, _)| bytes.start.max(at));
                let kept = &self.text[at..stop];
                if is_start && !kept.trim_end_matches(['\r', '\n']).is_empty() {
                    out.push_str(&margin);
                    is_start = false;
                }
                out.push_str(kept);
                at = stop;
                if let Some((bytes, new)) = next {
                    if is_start && !new.is_empty() {
                        out.push_str(&margin);
                        is_start = false;
                    }
                    out.push_str(&new.replace('\n', &format!("\n{margin}")));
                    at = bytes.end;
                    replaced.next();
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_changed_changes_and_the_rest_stays() {
        let text = "a: 1\n  b: 2 # two\n\n  c: 3\nd: 4";
        let mut edits = Edits::of(text);
        edits.replace(0..1, "A");
        edits.remove(7..11);
        edits.remove(21..25);
        edits.replace(26..27, "x:\n  d");
        edits.indent(1..5);
        assert_eq!(edits.apply(), "A: 1\n     # two\n\n  x:\n    d: 4");
    }
}
