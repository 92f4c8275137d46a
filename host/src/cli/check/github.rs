//! Findings as workflow commands, which GitHub Actions shows beside the lines of a change.
//!
//! A document's text is in them: nothing of it may end the command and begin another.

use std::fmt::Write;

use super::checked::{Checked, NO_PLUGIN};
use crate::document::Diagnostic;

/// One command a line.
pub(super) fn report(checked: &[Checked]) -> String {
    let mut out = String::new();
    for it in checked {
        for found in &it.diagnostics {
            let (file, text) = it.place(found);
            let _ = writeln!(out, "{}", command(found, text, &property(&file)));
        }
        if let Some(fault) = it.fault() {
            let file = property(&it.file);
            let _ = writeln!(out, "::error file={file},title={NO_PLUGIN}::{}", data(fault));
        }
    }
    out
}

fn command(it: &Diagnostic, text: &str, file: &str) -> String {
    let Diagnostic { severity, code, line, column, message, .. } = it;
    let end = it.end_column(text);
    let advice = it.hint.as_ref().or(it.expected.as_ref());
    let message = advice.map_or_else(|| message.clone(), |advice| format!("{message}\n{advice}"));
    // GitHub counts the last column in, and takes no span of nothing.
    let end = end.saturating_sub(1).max(*column);
    format!("::{severity} file={file},line={line},col={column},endColumn={end},title={code}::{}", data(&message))
}

/// What ends a command's text, and what begins such an escape.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The same for a property, which a colon or a comma ends as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::checked::examples;
    use super::*;

    #[test]
    fn nothing_of_a_document_ends_a_command() {
        assert_eq!(
            report(&examples()),
            "::warning file=a b/things%3A1%2C2.yaml,line=2,col=8,endColumn=12,title=AL004::unknown key: lable, 100%25 \
             sure%0Adid you mean `label`?\n::error file=none.wasm,title=AL000::can't be read:%0ANo such file\n"
        );
    }
}
