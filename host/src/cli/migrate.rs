//! `airlock migrate`: a document in the newest shape of the format, its comments and everything else as they were.

use super::{CliError, Migrate, check, terminal, write};
use crate::{
    component::Source,
    document::{self, Files, Migrated},
};

pub(super) fn run(args: Migrate) -> Result<(), CliError> {
    let name = args.file.display();
    let (text, files) = match check::read(&args.file)? {
        Source::Document { text, files, .. } => (text, files),
        Source::Shared(text) => (text, Files::default()),
        Source::Component(_) => return Err(CliError::Usage(format!("{name}: is a component; expected a document"))),
    };
    let Migrated { text, kept } = document::migrate(&text, &files).map_err(|diagnostics| {
        for diagnostic in &diagnostics {
            check::human::print_diagnostic(diagnostic, &args.file, &text, &files);
        }
        CliError::Checked(match diagnostics.is_empty() {
            true => format!("{name}: no way was found to write it anew that keeps what it means; nothing is written"),
            false => format!("{name}: not a usable document; mend it before it is migrated"),
        })
    })?;
    for (line, reason) in kept {
        terminal::complain(format_args!("{name}:{line}: stays a list: {reason}"));
    }
    match args.output {
        Some(output) => write(&output, text.as_bytes()),
        None => {
            terminal::say(text.trim_end());
            Ok(())
        }
    }
}
