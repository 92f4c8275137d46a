//! `airlock explain`: what a diagnostic code means, a document that has it and what is said about that, and how to mend it.

use std::fmt::Write;

use super::{CliError, terminal};
use crate::document::{self, Mode, PAGES, Page, Palette, nearest};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The code, such as AL004; without it, all codes are listed
    code: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let palette = terminal::palette();
    match &args.code {
        None => PAGES.iter().for_each(|page| terminal::say(format_args!("{}  {}", page.code, page.title))),
        Some(code) => terminal::say(explanation(find(code)?, palette)),
    }
    Ok(())
}

fn find(code: &str) -> Result<&'static Page, CliError> {
    Page::of(code).ok_or_else(|| {
        let near = nearest(code, PAGES.iter().map(|page| page.code));
        let hint = near.map_or("`airlock explain` lists them".to_owned(), |near| format!("did you mean {near}?"));
        CliError::Usage(format!("no such code: {code}; {hint}"))
    })
}

fn explanation(page: &Page, palette: &Palette) -> String {
    let Page { code, title, meaning, mend, example } = page;
    let Palette { strong, .. } = palette;
    let mut out = format!("{strong}{code}: {title}{strong:#}\n\n{}\n", filled(meaning));
    let _ = write!(out, "\n{strong}A document that has it{strong:#} ({code}.yaml):\n\n{}", indented(example));
    let _ = write!(out, "\n{strong}What is said about it{strong:#}:\n\n{}", indented(&said(page, palette)));
    let _ = write!(out, "\n{strong}How to mend it{strong:#}:\n\n{}", filled(mend));
    out
}

fn said(page: &Page, palette: &Palette) -> String {
    let found = match document::check(page.example, &document::Files::new(), Mode::Tolerant) {
        Ok(compiled) => compiled.warnings,
        Err(diagnostics) => diagnostics,
    };
    let rendered = found.iter().map(|it| it.render_in(palette, &format!("{}.yaml", page.code), page.example));
    rendered.collect::<Vec<_>>().join("\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// The longest line of prose: what is read easily, and fits a terminal of 80 columns.
const WIDTH: usize = 78;

/// Prose in lines.
fn filled(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        match line.chars().count() + 1 + word.chars().count() {
            _ if line.is_empty() => line.push_str(word),
            width if width <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_everything_in_lines_of_a_terminal() {
        for page in PAGES {
            let text = explanation(page, &Palette::PLAIN);
            let parts = ["A document that has it", "What is said about it", page.code, "How to mend it"];
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        let prose = filled(&"some words ".repeat(40));
        assert!(prose.lines().count() > 1 && prose.lines().all(|line| line.len() <= WIDTH), "{prose}");
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        assert_eq!(find("al004").unwrap().code, "AL004");
        assert!(find("AL999").unwrap_err().to_string().starts_with("no such code: AL999; "));
    }
}
