//! Where in a SPARQL query a value stands, which decides how it is escaped.
//!
//! Reads no more of the grammar than strings, addresses and comments need; whether the query is one is the upstream's to say.

use super::plan::Escape;

/// A reader of a query that is told its text piece by piece.
#[derive(Debug, Default)]
pub struct Position(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    Comment,
    /// In angle brackets.
    Iri,
    /// In so many of these quotes.
    Quoted(char, usize),
}

impl Position {
    /// Goes on behind this text.
    pub fn pass(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let (next, length) = self.step(c, rest);
            self.0 = next;
            rest = &rest[length..];
        }
    }

    /// How a value is written here.
    pub fn escape(&self) -> Escape {
        match self.0 {
            State::Outside | State::Comment => Escape::SparqlTerm,
            State::Iri => Escape::SparqlIri,
            State::Quoted(..) => Escape::SparqlString,
        }
    }

    /// The state behind the next token, and the token's length.
    fn step(&self, c: char, rest: &str) -> (State, usize) {
        let one = c.len_utf8();
        match (self.0, c) {
            (State::Outside, '#') => (State::Comment, one),
            (State::Outside, '<') => (State::Iri, one),
            (State::Outside, '"' | '\'') => {
                let count = if starts_with_three(rest, c) { 3 } else { 1 };
                (State::Quoted(c, count), count)
            }
            (State::Comment, '\n' | '\r') => (State::Outside, one),
            // An address has no space: it was a comparison.
            (State::Iri, c) if c == '>' || c.is_whitespace() => (State::Outside, one),
            (State::Quoted(..), '\\') => (self.0, one + rest[one..].chars().next().map_or(0, char::len_utf8)),
            (State::Quoted(quote, 3), c) if c == quote && starts_with_three(rest, quote) => (State::Outside, 3),
            (State::Quoted(quote, 1), c) if c == quote => (State::Outside, one),
            (state, _) => (state, one),
        }
    }
}

fn starts_with_three(text: &str, quote: char) -> bool {
    text.chars().take(3).filter(|c| *c == quote).count() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_escaped_for_the_place_where_it_stands() {
        for (before, expected) in [
            ("SELECT * WHERE { ?s ?p ", Escape::SparqlTerm),
            ("?s ?p \"", Escape::SparqlString),
            ("?s ?p 'a", Escape::SparqlString),
            ("?s ?p \"a\\\"", Escape::SparqlString),
            ("?s ?p \"a\" . ?s ?q ", Escape::SparqlTerm),
            ("?s ?p \"\"\"a\"\n\"", Escape::SparqlString),
            ("?s ?p \"\"\"a\"\"\" ", Escape::SparqlTerm),
            ("?s ?p \"\" ", Escape::SparqlTerm),
            ("?s <http://a/#", Escape::SparqlIri),
            ("?s <http://a/#b> ", Escape::SparqlTerm),
            ("FILTER(?x < ", Escape::SparqlTerm),
            // What stands in a comment begins nothing.
            ("# it's\n?s ?p ", Escape::SparqlTerm),
            ("# <\n?s ?p ", Escape::SparqlTerm),
        ] {
            let mut position = Position::default();
            position.pass(before);
            assert_eq!(position.escape(), expected, "{before}");
        }
    }
}
