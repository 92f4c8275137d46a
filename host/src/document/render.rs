//! A diagnostic as people read it: a first line that editors can follow, the source line with a caret, and the advice.
//!
//! Whether there is a terminal that shows colours isn't known here.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::diagnostic::{Code, Diagnostic, Severity};

/// How the parts of a diagnostic look.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// What is most important of a line.
    pub strong: Style,
    /// An error.
    pub error: Style,
    /// A warning.
    pub warning: Style,
    /// What goes well.
    pub good: Style,
    /// What is beside the text: line numbers and labels.
    pub margin: Style,
}

impl Palette {
    /// Text alone.
    pub const PLAIN: Self = Self {
        strong: Style::new(),
        error: Style::new(),
        warning: Style::new(),
        good: Style::new(),
        margin: Style::new(),
    };
    /// The colours of compilers, from the sixteen that every terminal has.
    pub const COLOURS: Self = Self {
        strong: Style::new().bold(),
        error: AnsiColor::Red.on_default().bold(),
        warning: AnsiColor::Yellow.on_default().bold(),
        good: AnsiColor::Green.on_default().bold(),
        margin: AnsiColor::Blue.on_default().bold(),
    };

    fn of(&self, severity: Severity) -> Style {
        match severity {
            Severity::Error => self.error,
            Severity::Warning => self.warning,
        }
    }
}

/// Lines longer than this are cut around the fault, so that one minified line doesn't fill the terminal.
const SNIPPET_WIDTH: usize = 120;

impl Diagnostic {
    /// The diagnostic as plain text.
    ///
    /// `source` must be the text that was compiled. Its line isn't shown if it holds a secret, or may hold one.
    pub fn render(&self, file: &str, source: &str) -> String {
        self.render_in(&Palette::PLAIN, file, source)
    }

    /// The same in colours.
    pub fn render_in(&self, palette: &Palette, file: &str, source: &str) -> String {
        let Palette { strong, margin, .. } = palette;
        let mut out = self.headline(palette, file);
        if self.may_show_source() {
            self.render_snippet(palette, source, &mut out);
        }
        for (label, text) in self.notes() {
            let _ = write!(out, "\n  {margin}={margin:#} {strong}{label}{strong:#}: {}", printable(text));
        }
        out
    }

    /// Whether its line is nothing that should stay where it is: of another file that can't be read, nobody knows what it is.
    fn may_show_source(&self) -> bool {
        match self.code {
            Code::LiteralSecret => false,
            Code::Syntax | Code::Limit => self.file.is_none(),
            _ => true,
        }
    }

    /// The column behind the fault, at most that behind its line.
    pub fn end_column(&self, source: &str) -> usize {
        let rest = line(source, self.line).map_or(0, |line| line.chars().count().saturating_sub(self.column - 1));
        self.column + self.length.min(rest)
    }

    /// What is said besides the message, with its label.
    fn notes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let path = Some(self.path.as_str()).filter(|path| !path.is_empty());
        let notes = [("path", path), ("expected", self.expected.as_deref()), ("help", self.hint.as_deref())];
        notes.into_iter().filter_map(|(label, text)| Some((label, text?)))
    }

    fn headline(&self, palette: &Palette, file: &str) -> String {
        let Self { line, column, severity, code, .. } = self;
        let (strong, style) = (palette.strong, palette.of(*severity));
        let message = printable(&self.message);
        format!("{file}:{line}:{column}: {style}{severity}[{code}]{style:#}: {strong}{message}{strong:#}")
    }

    fn render_snippet(&self, palette: &Palette, source: &str, out: &mut String) {
        let Some(line) = line(source, self.line) else {
            return;
        };
        let before = self.column - 1;
        let cut = match line.chars().count() {
            0..=SNIPPET_WIDTH => 0,
            _ => before.saturating_sub(SNIPPET_WIDTH / 2),
        };
        let shown: String = line.chars().skip(cut).take(SNIPPET_WIDTH).collect();
        let room = shown.chars().count().saturating_sub(before - cut).max(1);
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(before - cut);
        let carets = "^".repeat(self.length.clamp(1, room));
        let shown = printable(&shown);
        let (margin, style) = (palette.margin, palette.of(self.severity));
        let _ = write!(
            out,
            "\n{margin}{gutter} |{margin:#}\n{margin}{number} |{margin:#} {shown}\n{margin}{gutter} |{margin:#} \
             {indent}{style}{carets}{style:#}"
        );
    }
}

/// A line, counted from 1. YAML ends lines at a lone carriage return too.
fn line(source: &str, number: usize) -> Option<String> {
    let source = source.replace("\r\n", "\n");
    source.split(['\n', '\r']).nth(number - 1).map(str::to_owned)
}

/// Control characters could rewrite the terminal that shows the text; each becomes one visible character, so columns stay.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic() -> Diagnostic {
        Diagnostic {
            code: Code::UnknownKey,
            severity: Severity::Warning,
            file: None,
            line: 2,
            column: 3,
            length: 4,
            path: "info.lable".to_owned(),
            message: "unknown key: lable".to_owned(),
            expected: Some("one of: label, title".to_owned()),
            hint: Some("did you mean `label`?".to_owned()),
        }
    }

    #[test]
    fn renders_place_snippet_and_advice() {
        assert_eq!(
            diagnostic().render("x.yaml", "info:\n  lable: é\n"),
            "x.yaml:2:3: warning[AL004]: unknown key: lable\n  |\n2 |   lable: é\n  |   ^^^^\n  = path: info.lable\n  = \
             expected: one of: label, title\n  = help: did you mean `label`?"
        );
    }

    #[test]
    fn colours_add_nothing_but_colours() {
        let source = "info:\n  lable: é\n";
        let coloured = diagnostic().render_in(&Palette::COLOURS, "x.yaml", source);
        assert!(coloured.contains("\u{1b}[1m\u{1b}[33mwarning[AL004]\u{1b}[0m: "), "{coloured:?}");
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), diagnostic().render("x.yaml", source));
    }

    #[test]
    fn lines_end_where_yaml_ends_them() {
        for source in ["info:\n  lable: é", "info:\r\n  lable: é\r\n", "info:\r  lable: é\r"] {
            assert!(diagnostic().render("x", source).contains("\n2 |   lable: é\n"), "{source:?}");
        }
        let outside = Diagnostic { line: 4, ..diagnostic() };
        assert!(!outside.render("x", "info:\n  lable: é\n").contains(" | "));
    }

    #[test]
    fn a_fault_ends_in_its_line() {
        for (length, end) in [(0, 3), (4, 7), (400, 11)] {
            assert_eq!(Diagnostic { length, ..diagnostic() }.end_column("info:\n  lable: é\nmore"), end);
        }
        assert_eq!(Diagnostic { line: 9, ..diagnostic() }.end_column("info:"), 3);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Diagnostic { code: Code::LiteralSecret, ..diagnostic() };
        assert!(!secret.render("x", "\n  hunter2").contains("hunter2"));
        for code in [Code::Syntax, Code::Limit] {
            let own = Diagnostic { code, ..diagnostic() };
            assert!(own.render("x", "\n  hunter2").contains("hunter2"), "{code}");
            let other = Diagnostic { file: Some("other.yaml".to_owned()), ..own };
            assert!(!other.render("x", "\n  hunter2").contains("hunter2"), "{code}");
        }
    }

    #[test]
    fn long_lines_control_characters_and_wrong_places_are_harmless() {
        let far = Diagnostic { column: 5000, ..diagnostic() };
        let line = format!("\n{}", "x".repeat(9000));
        assert!(far.render("x", &line).len() < 600);
        assert!(far.render("x", "\nshort").contains("AL004"));
        assert!(far.render("x", "").contains("AL004"));
        assert!(!diagnostic().render("x", "\n  \u{1b}[31m").contains('\u{1b}'));
    }
}
