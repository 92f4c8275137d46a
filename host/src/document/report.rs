//! Collects the problems of one document, and of the files that it imports from, while it is read.
//!
//! Shared by reference, so that reading can go on after a problem and report all of them in one pass.

use std::cell::RefCell;
use std::collections::HashSet;

use super::diagnostic::{Code, Diagnostic, Severity};
use super::tree::Place;

/// The most errors, and the most warnings, that are kept: more than anyone reads, and a bound on memory.
const MAX_REPORTED: usize = 500;
/// The most characters of a text in a diagnostic; the document may have put a megabyte where a name belongs.
const MAX_TEXT: usize = 400;

/// The problems found so far.
#[derive(Debug, Default)]
pub struct Report {
    found: RefCell<Found>,
    lints: Lints,
    /// Where the names stand that something refers to.
    used: RefCell<HashSet<Spot>>,
}

/// Whether what is legal and probably wrong is reported as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lints {
    /// It isn't: whoever serves the document can't change it.
    #[default]
    Silent,
    /// To its author it is.
    Reported,
}

#[derive(Debug, Default)]
struct Found {
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

/// The diagnostic that was reported last, to which advice can be added.
pub struct Reported<'a> {
    report: &'a Report,
    /// `None` if there are too many to keep it.
    index: Option<usize>,
}

impl Report {
    /// A report with or without lints.
    pub fn with(lints: Lints) -> Self {
        Self { lints, ..Self::default() }
    }

    /// Reports something that is legal and probably wrong.
    pub fn lint(&self, code: Code, at: &Place, message: impl Into<String>) -> Reported<'_> {
        match self.lints {
            Lints::Silent => Reported { report: self, index: None },
            Lints::Reported => self.warning(code, at, message),
        }
    }

    /// Notes that something refers to what has its name there.
    pub fn uses(&self, name: &Place) {
        self.used.borrow_mut().insert(spot(name));
    }

    /// Whether something refers to what has its name there.
    pub fn is_used(&self, name: &Place) -> bool {
        self.used.borrow().contains(&spot(name))
    }

    /// Reports something that makes the document unusable.
    pub fn error(&self, code: Code, at: &Place, message: impl Into<String>) -> Reported<'_> {
        self.push(code, Severity::Error, at, message.into())
    }

    /// Reports something that the author should know.
    pub fn warning(&self, code: Code, at: &Place, message: impl Into<String>) -> Reported<'_> {
        self.push(code, Severity::Warning, at, message.into())
    }

    /// Reports a part of the format that this release doesn't carry out, which must never be ignored silently.
    pub fn not_supported(&self, at: &Place, what: impl std::fmt::Display) -> Reported<'_> {
        self.error(Code::NotSupported, at, format!("not supported yet: {what}"))
            .hint("leave it out, or write this provider by hand with the SDK")
    }

    /// Reports a name that is taken since an earlier line.
    pub fn duplicate(&self, code: Code, at: &Place, what: &str, earlier: &Place) {
        let both = match (earlier.path.file(), at.path.file()) {
            (one, other) if one == other => format!("lines {} and {}", earlier.line, at.line),
            _ => format!("{} and {}", line(earlier), line(at)),
        };
        self.error(code, at, format!("{what} stands twice, in {both}"))
            .expected(format!("each once; the first is in {}", line(earlier)))
            .hint("rename or remove one of them");
    }

    /// Adds everything that another one has found.
    pub fn take_over(&self, other: Self) {
        let (mut found, other) = (self.found.borrow_mut(), other.found.into_inner());
        found.errors += other.errors;
        found.warnings += other.warnings;
        found.diagnostics.extend(other.diagnostics);
    }

    /// Whether there is an error.
    pub fn has_errors(&self) -> bool {
        self.found.borrow().errors > 0
    }

    /// Everything found, in the order of the source, each problem once; the document comes first, then the files that it imports from.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let has_errors = self.has_errors();
        let mut found = self.found.into_inner().diagnostics;
        // What is used is only known of a document that is right.
        found.retain(|diagnostic| !(has_errors && diagnostic.code.is_lint()));
        found.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        // Others at the same place may stand between equal ones.
        let mut seen = HashSet::new();
        found.retain(|diagnostic| seen.insert(diagnostic.clone()));
        found
    }

    fn push(&self, code: Code, severity: Severity, at: &Place, message: String) -> Reported<'_> {
        let mut found = self.found.borrow_mut();
        let count = match severity {
            Severity::Error => &mut found.errors,
            Severity::Warning => &mut found.warnings,
        };
        *count += 1;
        if *count > MAX_REPORTED {
            return Reported { report: self, index: None };
        }
        found.diagnostics.push(Diagnostic {
            code,
            severity,
            file: at.path.file().map(str::to_owned),
            line: at.line,
            column: at.column,
            length: at.length,
            path: at.path.to_string(),
            message: clip(message),
            expected: None,
            hint: None,
        });
        Reported { report: self, index: Some(found.diagnostics.len() - 1) }
    }
}

impl Reported<'_> {
    /// Adds what would have been right.
    pub fn expected(self, text: impl Into<String>) -> Self {
        self.amend(|diagnostic| diagnostic.expected = Some(clip(text.into())))
    }

    /// Adds what to do about it.
    pub fn hint(self, text: impl Into<String>) -> Self {
        self.amend(|diagnostic| diagnostic.hint = Some(clip(text.into())))
    }

    /// Adds "did you mean" if one of the names is close to what was written.
    pub fn did_you_mean<'n>(self, written: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        if self.index.is_none() {
            return self;
        }
        match nearest(written, names) {
            Some(name) => self.hint(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    fn amend(self, change: impl FnOnce(&mut Diagnostic)) -> Self {
        if let Some(index) = self.index {
            change(&mut self.report.found.borrow_mut().diagnostics[index]);
        }
        self
    }
}

/// A file, if it isn't the document itself, with line and column.
type Spot = (Option<String>, usize, usize);

fn spot(at: &Place) -> Spot {
    (at.path.file().map(str::to_owned), at.line, at.column)
}

fn line(at: &Place) -> String {
    match at.path.file() {
        Some(file) => format!("line {} of {file}", at.line),
        None => format!("line {}", at.line),
    }
}

fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The name that was probably meant: at most a third of its letters wrong, the closest, the first of equals.
pub(crate) fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let written: Vec<char> = written.to_lowercase().chars().take(LONGEST_NAME).collect();
    let allowed = (written.len() / 3).max(1);
    names
        .into_iter()
        .take(MAX_COMPARED)
        .map(|name| (distance(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The most names that are compared; of so many the first are as good as any.
const MAX_COMPARED: usize = 2_000;
/// Names are compared up to here: the comparison takes the product of both lengths.
const LONGEST_NAME: usize = 128;

/// Edits (insert, delete, replace, swap neighbours) that lead from one to the other.
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().take(LONGEST_NAME).collect();
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replaced = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    #[test]
    fn each_problem_is_told_once() {
        let report = Report::default();
        let root = tree::parse("a: 1", &report).unwrap();
        for message in ["one", "other", "one"] {
            report.error(Code::InvalidValue, &root.at, message);
        }
        let told: Vec<_> = report.into_diagnostics().into_iter().map(|it| it.message).collect();
        assert_eq!(told, ["one", "other"]);
    }

    #[test]
    fn the_nearest_name_is_found_or_none() {
        let names = ["description", "path", "with", "operations"];
        for (written, meant) in [
            ("descripton", Some("description")),
            ("paht", Some("path")),
            ("With", Some("with")),
            ("operation", Some("operations")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names), meant, "{written}");
        }
    }
}
