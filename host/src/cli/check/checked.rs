//! What was found out about one file, for every format.

use std::path::Path;

use crate::{
    component,
    contract::{Description, Operation, Origins},
    document::{Diagnostic, Files, Severity},
    egress,
};

/// The code of what isn't about a line of a document: a file that can't be read, or a component that can't be a plugin.
pub(super) const NO_PLUGIN: &str = "AL000";
/// What that means, where codes are listed.
pub(super) const NO_PLUGIN_MEANING: &str = "the file can't be used as a plugin";

/// What was found out about one file.
pub(super) struct Checked {
    /// As it was named.
    pub file: String,
    /// What it would be called as a plugin.
    pub plugin: String,
    /// A document's text.
    pub text: String,
    /// The files that it imports from.
    pub files: Files,
    /// What is wrong with a document.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether it can be used.
    pub outcome: Outcome,
}

/// Whether a file can be used.
pub(super) enum Outcome {
    /// It offers and needs this; and where its secrets are supposed to come from.
    Usable(Description, Origins),
    /// It has parts for documents to import.
    Shared,
    /// A document that can't be; its diagnostics say why.
    Diagnosed,
    /// No document, and for this reason no plugin.
    NoPlugin(String),
}

impl Checked {
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.outcome, Outcome::Usable(..) | Outcome::Shared)
    }

    /// Why it isn't a plugin, where no diagnostic says it.
    pub(super) fn fault(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::NoPlugin(reason) => Some(reason),
            Outcome::Usable(..) | Outcome::Shared | Outcome::Diagnosed => None,
        }
    }

    /// The operations that it offers.
    pub(super) fn operations(&self) -> &[Operation] {
        match &self.outcome {
            Outcome::Usable(description, _) => &description.operations,
            Outcome::Shared | Outcome::Diagnosed | Outcome::NoPlugin(_) => &[],
        }
    }

    /// The grant that it needs, as lines of `airlock.toml`.
    pub(super) fn grant(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Usable(it, origins) => Some(egress::needed_grant(
                &self.plugin,
                &it.upstreams,
                &component::beside(Path::new(&self.file), origins),
            )),
            Outcome::Shared | Outcome::Diagnosed | Outcome::NoPlugin(_) => None,
        }
    }

    /// The file that a diagnostic is about, and its text.
    pub(super) fn place(&self, diagnostic: &Diagnostic) -> (String, &str) {
        place(diagnostic, Path::new(&self.file), &self.text, &self.files)
    }

    /// How many diagnostics of this severity there are; a fault is an error.
    pub(super) fn count(&self, severity: Severity) -> usize {
        let faults = usize::from(severity == Severity::Error && self.fault().is_some());
        faults + self.diagnostics.iter().filter(|it| it.severity == severity).count()
    }
}

/// The file that a diagnostic of a document is about, and its text.
pub(super) fn place<'t>(
    diagnostic: &Diagnostic,
    document: &Path,
    text: &'t str,
    files: &'t Files,
) -> (String, &'t str) {
    match &diagnostic.file {
        None => (document.display().to_string(), text),
        Some(other) => (document.with_file_name(other).display().to_string(), files.text(other).unwrap_or_default()),
    }
}

/// Files with a diagnostic and a fault, for the tests of the formats.
#[cfg(test)]
pub(super) fn examples() -> [Checked; 2] {
    let text = "naftiko: 1.0.0-alpha2\ninfo: {lable: Ünits}\n";
    let diagnostic = Diagnostic {
        code: crate::document::Code::UnknownKey,
        severity: Severity::Warning,
        file: None,
        line: 2,
        column: 8,
        length: 5,
        path: "info.lable".to_owned(),
        message: "unknown key: lable, 100% sure".to_owned(),
        expected: Some("one of: label, title".to_owned()),
        hint: Some("did you mean `label`?".to_owned()),
    };
    let description = Description {
        title: String::new(),
        summary: String::new(),
        operations: vec![Operation::named("getthing")],
        upstreams: Vec::new(),
    };
    let checked = |file: &str, diagnostics, outcome| Checked {
        file: file.to_owned(),
        plugin: "things".to_owned(),
        text: text.to_owned(),
        files: Files::new(),
        diagnostics,
        outcome,
    };
    [
        checked("a b/things:1,2.yaml", vec![diagnostic], Outcome::Usable(description, Origins::new())),
        checked("none.wasm", Vec::new(), Outcome::NoPlugin("can't be read:\nNo such file".to_owned())),
    ]
}
