//! Text with variables in it: `{{x}}` in values, `{x}` or `{{x}}` in paths.
//!
//! Only splits; what a variable means is decided by whoever asks.

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stays as it is.
    Text(String),
    /// The name of a variable.
    Variable(String),
}

/// Why a text can't be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace is opened and not closed, or the other way round.
    #[error("braces don't match")]
    Unbalanced,
    /// There is nothing between the braces, or something that can't be a name.
    #[error("variable has no usable name: {0}")]
    BadVariable(String),
}

/// Splits a value at `{{x}}`. Single braces are text, JSON is full of them.
pub fn split_value(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(TemplateError::Unbalanced)?;
        push_text(&mut pieces, before);
        pieces.push(Piece::Variable(variable(name)?));
        rest = after;
    }
    push_text(&mut pieces, rest);
    Ok(pieces)
}

/// Splits a path at `{x}` and `{{x}}`, which are the same.
pub fn split_path(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (open, close) = match after.strip_prefix('{') {
            Some(after) => (after, "}}"),
            None => (after, "}"),
        };
        let (name, after) = open.split_once(close).ok_or(TemplateError::Unbalanced)?;
        push_path_text(&mut pieces, before)?;
        pieces.push(Piece::Variable(variable(name)?));
        rest = after;
    }
    push_path_text(&mut pieces, rest)?;
    Ok(pieces)
}

fn push_path_text(pieces: &mut Vec<Piece>, text: &str) -> Result<(), TemplateError> {
    if text.contains('}') {
        return Err(TemplateError::Unbalanced);
    }
    push_text(pieces, text);
    Ok(())
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text.to_owned()));
    }
}

/// Mustache's sections and partials (`#`, `^`, `>` …) aren't names; dots, dashes and brackets are.
fn variable(name: &str) -> Result<String, TemplateError> {
    let name = name.trim();
    let starts_like_a_name = name.starts_with(|c: char| c.is_alphanumeric() || "_-.[$".contains(c));
    if starts_like_a_name && !name.contains(|c: char| c.is_whitespace() || "{}/".contains(c)) {
        Ok(name.to_owned())
    } else {
        Err(TemplateError::BadVariable(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn variable(name: &str) -> Piece {
        Piece::Variable(name.to_owned())
    }

    #[test]
    fn values_have_double_braces() {
        for (source, expected) in [
            ("plain", Ok(vec![text("plain")])),
            ("", Ok(vec![])),
            ("a {{ x }} b", Ok(vec![text("a "), variable("x"), text(" b")])),
            ("{{x}}{{a.b[0]}}", Ok(vec![variable("x"), variable("a.b[0]")])),
            ("{\"a\": {\"b\": 1}}", Ok(vec![text("{\"a\": {\"b\": 1}}")])),
            ("{{x", Err(TemplateError::Unbalanced)),
            ("{{}}", Err(TemplateError::BadVariable(String::new()))),
            ("{{#x}}{{/x}}", Err(TemplateError::BadVariable("#x".to_owned()))),
        ] {
            assert_eq!(split_value(source), expected, "{source}");
        }
    }

    #[test]
    fn paths_have_single_or_double_braces() {
        for (source, expected) in [
            ("/a/{id}", Ok(vec![text("/a/"), variable("id")])),
            ("/a/{{id}}/b", Ok(vec![text("/a/"), variable("id"), text("/b")])),
            ("/{a}.{b}", Ok(vec![text("/"), variable("a"), text("."), variable("b")])),
            ("/{a", Err(TemplateError::Unbalanced)),
            ("/a}", Err(TemplateError::Unbalanced)),
            ("/{{a}", Err(TemplateError::Unbalanced)),
            ("/{a}}", Err(TemplateError::Unbalanced)),
            ("/{}", Err(TemplateError::BadVariable(String::new()))),
            ("/{*rest}", Err(TemplateError::BadVariable("*rest".to_owned()))),
        ] {
            assert_eq!(split_path(source), expected, "{source}");
        }
    }
}
