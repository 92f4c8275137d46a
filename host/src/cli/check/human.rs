//! Findings for people: what is wrong on standard error, what is right, and the grant, on standard output.

use std::path::Path;

use super::checked::{Checked, Outcome, place};
use crate::{
    cli::terminal,
    contract::Audience,
    document::{Diagnostic, Files},
};

pub(super) fn print(checked: &[Checked]) {
    for it in checked {
        for diagnostic in &it.diagnostics {
            print_diagnostic(diagnostic, Path::new(&it.file), &it.text, &it.files);
        }
        match &it.outcome {
            Outcome::Usable(..) => print_usable(it),
            Outcome::Shared => print_ok(it, ", for documents to import from"),
            Outcome::Diagnosed => terminal::complain(format_args!("{}: not a usable document", it.file)),
            Outcome::NoPlugin(fault) => terminal::complain(format_args!("{}: {fault}", it.file)),
        }
    }
}

fn print_ok(it: &Checked, more: &str) {
    let good = terminal::palette().good;
    terminal::say(format_args!("{}: {good}ok{good:#}{more}", it.file));
}

fn print_usable(it: &Checked) {
    let margin = terminal::palette().margin;
    print_ok(it, "");
    for operation in it.operations() {
        let route = operation.route.as_ref();
        let route = route.map_or("-".to_owned(), |it| format!("{} {}", it.method, it.path));
        let tool = operation.tool.as_deref().unwrap_or("-");
        terminal::say(format_args!("  {}  {route}  {tool}", operation.name));
    }
    terminal::say(format_args!("\n{margin}# the grant that it needs, for airlock.toml{margin:#}"));
    terminal::say(format_args!("{}\n", it.grant().unwrap_or_default()));
    let for_known = it.operations().iter().filter(|it| it.audience == Audience::Known).count();
    if for_known > 0 {
        let what =
            format_args!("{for_known} of its operations are for known callers; `airlock key new NAME` makes a key");
        terminal::say(format_args!("{margin}# {what}{margin:#}"));
        terminal::say(format_args!("[callers.NAME]\nkey.hash = \"…\"\nplugins = [\"{}\"]\n", it.plugin));
    }
}

/// Prints a diagnostic of a document, with its line.
pub(in crate::cli) fn print_diagnostic(diagnostic: &Diagnostic, document: &Path, text: &str, files: &Files) {
    let (file, text) = place(diagnostic, document, text, files);
    terminal::complain(diagnostic.render_in(terminal::error_palette(), &file, text));
}
