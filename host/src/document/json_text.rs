//! A text of JSON with templates in it: each is marked, so that the rest can be read as JSON.
//!
//! What a variable means is decided by whoever asks.

use super::template::Piece;

/// Stands around the number of a variable while the text is read. A private character, and a text that has it can't be marked.
pub const MARK: char = '\u{f8ff}';

/// A text in which each variable is marked.
#[derive(Debug)]
pub struct Marked {
    /// The text, JSON if it was JSON but for its variables.
    pub source: String,
    /// The variables by their numbers.
    variables: Vec<Variable>,
}

/// A variable of a text of JSON.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// Where a variable stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Between the quotes of a text.
    Text,
    /// Anywhere else: in the place of a value.
    Value,
}

/// A part of a text that was read.
#[derive(Debug)]
pub enum Part<'m> {
    /// Text.
    Text(&'m str),
    /// A variable.
    Variable(&'m Variable),
}

impl Marked {
    /// Marks the variables of a text. `None` if the text has the mark itself.
    pub fn new(text: &str, pieces: &[Piece]) -> Option<Self> {
        if text.contains(MARK) || text.to_ascii_lowercase().contains("\\uf8ff") {
            return None;
        }
        let (mut source, mut variables) = (String::new(), Vec::new());
        let mut place = Place::Value;
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    place = pass(text, place);
                    source.push_str(text);
                }
                Piece::Variable(name) => {
                    let mark = format!("{MARK}{}{MARK}", variables.len());
                    match place {
                        Place::Text => source.push_str(&mark),
                        Place::Value => source.push_str(&format!("\"{mark}\"")),
                    }
                    variables.push(Variable { name: name.clone(), place });
                }
            }
        }
        Some(Self { source, variables })
    }

    /// The parts of a text that was read from the source.
    pub fn parts<'m>(&'m self, text: &'m str) -> impl Iterator<Item = Part<'m>> {
        text.split(MARK).enumerate().filter_map(|(index, piece)| match index % 2 {
            1 => Some(Part::Variable(self.variables.get(piece.parse::<usize>().ok()?)?)),
            _ => (!piece.is_empty()).then_some(Part::Text(piece)),
        })
    }
}

/// Where one is behind a piece of JSON.
fn pass(text: &str, mut place: Place) -> Place {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        place = match (place, c) {
            (Place::Value, '"') => Place::Text,
            (Place::Text, '"') => Place::Value,
            (Place::Text, '\\') => {
                characters.next();
                Place::Text
            }
            (place, _) => place,
        };
    }
    place
}

#[cfg(test)]
mod tests {
    use super::super::template::split_value;
    use super::*;

    #[test]
    fn variables_are_told_apart_by_where_they_stand() {
        for (text, expected) in [
            (r#"{"a": {{x}}}"#, &[("x", Place::Value)][..]),
            (r#"{"a": "{{x}}", "b": {{y}}}"#, &[("x", Place::Text), ("y", Place::Value)]),
            (r#"{"a": "\"{{x}}\\", "b": {{y}}}"#, &[("x", Place::Text), ("y", Place::Value)]),
            (r#"["", {{x}}]"#, &[("x", Place::Value)]),
        ] {
            let marked = Marked::new(text, &split_value(text).unwrap()).unwrap();
            let found: Vec<_> = marked.variables.iter().map(|it| (it.name.as_str(), it.place)).collect();
            assert_eq!(found, expected, "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(&marked.source).is_ok(), "{}", marked.source);
        }
        for text in ["\"\u{f8ff}\"", r#""\uF8ff""#] {
            assert!(Marked::new(text, &split_value(text).unwrap()).is_none(), "{text}");
        }
    }
}
