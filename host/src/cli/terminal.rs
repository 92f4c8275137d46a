//! What commands print: standard output for what was asked for, standard error for what went wrong, colours where a terminal shows
//! them.
//!
//! A reader that has enough (`| head`) closes its pipe; the rest goes nowhere then, and the command's verdict stays its exit code.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anstream::{AutoStream, ColorChoice, stream::RawStream};
use clap::{Args, ValueEnum};

use crate::document::Palette;

#[derive(Debug, Args)]
pub(super) struct Colours {
    /// Whether to print in colours; `auto` heeds NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = When::Auto)]
    color: When,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    /// Where it goes to a terminal.
    Auto,
    /// Also into files and pipes.
    Always,
    /// Plain text.
    Never,
}

impl Colours {
    /// Decides it for the whole process.
    pub(super) fn settle(&self) {
        match self.color {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::AlwaysAnsi,
            When::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// The colours of standard output.
pub(super) fn palette() -> &'static Palette {
    palette_of(&io::stdout())
}

/// The colours of standard error.
pub(super) fn error_palette() -> &'static Palette {
    palette_of(&io::stderr())
}

fn palette_of<S: RawStream>(stream: &S) -> &'static Palette {
    match AutoStream::choice(stream) {
        ColorChoice::Never => &Palette::PLAIN,
        ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => &Palette::COLOURS,
    }
}

/// A line on standard output.
pub(super) fn say(text: impl Display) {
    line(&mut out(), &text);
}

/// A line on standard error.
pub fn complain(text: impl Display) {
    line(&mut Unbroken(io::stderr().lock()), &text);
}

/// Whoever reads can't be told that the line doesn't reach them.
fn line(stream: &mut impl Write, text: &dyn Display) {
    let _ = writeln!(stream, "{text}");
}

/// Standard output.
pub(super) fn out() -> impl Write {
    Unbroken(io::stdout().lock())
}

/// A stream that takes no harm from a reader that has enough.
struct Unbroken<S>(S);

impl<S: Write> Write for Unbroken<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_nowhere(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        or_nowhere(self.0.flush(), ())
    }
}

fn or_nowhere<T>(done: io::Result<T>, otherwise: T) -> io::Result<T> {
    match done {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(otherwise),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_closed_pipe_takes_everything_and_a_full_disk_is_told() {
        let mut closed = Unbroken(Failing(ErrorKind::BrokenPipe));
        assert!(closed.write_all(b"text").is_ok() && closed.flush().is_ok());
        let mut full = Unbroken(Failing(ErrorKind::StorageFull));
        assert!(full.write_all(b"text").is_err() && full.flush().is_err());
    }
}
