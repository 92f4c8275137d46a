//! What a document has besides operations: resources that are read by calling one, prompts with their words, and how long both may be kept.
//!
//! The host does what they say: nothing in them would have to be carried out in the sandbox.

use std::collections::BTreeSet;

use super::{Content, FilledIn, Link, Message, Prompt, PromptMessages, ResourceTemplate, Role};

/// Everything of that kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The operations that are one request, by name: what the request of a caller depends on is what that request depends on.
    pub one_request: BTreeSet<String>,
    /// What can be read.
    pub resources: Vec<ReadByOperation>,
    /// What can be asked a model.
    pub prompts: Vec<WrittenPrompt>,
    /// How long what is listed and read may be kept.
    pub freshness: Freshness,
}

/// A resource, or a family of them: reading one is a call of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadByOperation {
    /// Its URI; the variables are inputs of the operation.
    pub uri: UriTemplate,
    /// Identifies it within the document.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What is there to be read.
    pub description: Option<String>,
    /// Its media type, if stated.
    pub media_type: Option<String>,
    /// Whether it is read as bytes, also where it could be read as text.
    pub binary: bool,
    /// How many bytes it has, if that never changes.
    pub size: Option<u64>,
    /// The operation's name.
    pub operation: String,
}

/// A URI with variables, by RFC 6570.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate(pub Vec<Piece>);

/// A part of a text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text.
    Text(String),
    /// The variable of this name.
    Variable(String),
}

/// A prompt with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPrompt {
    /// As it is listed.
    pub prompt: Prompt,
    /// The messages, in the order of the conversation.
    pub messages: Vec<WrittenMessage>,
}

/// A message with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMessage {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub text: Vec<Piece>,
}

/// How long a client may keep what it has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// In milliseconds.
    pub ttl_ms: u64,
    /// Whether it is the same for all callers.
    pub public: bool,
}

impl Freshness {
    /// Of what is made of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { ttl_ms: self.ttl_ms.min(other.ttl_ms), public: self.public && other.public }
    }
}

impl ReadByOperation {
    /// As it is listed, if it is one.
    pub fn link(&self) -> Option<Link> {
        self.uri.is_static().then(|| Link {
            uri: self.uri.to_text(),
            name: self.name.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            media_type: self.media_type.clone(),
            size: self.size,
        })
    }

    /// As it is listed, if it is a family.
    pub fn template(&self) -> Option<ResourceTemplate> {
        (!self.uri.is_static()).then(|| ResourceTemplate {
            uri_template: self.uri.to_text(),
            name: self.name.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            media_type: self.media_type.clone(),
        })
    }
}

impl UriTemplate {
    /// Whether there is no variable in it.
    pub fn is_static(&self) -> bool {
        self.variables().next().is_none()
    }

    /// The names of the variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The template as it is listed.
    pub fn to_text(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name) => format!("{{{name}}}"),
        });
        pieces.collect()
    }

    /// The values of the variables in a URI, as they came, if it is one of these. A value is never empty, and ends where the text behind
    /// its variable first stands: none holds a slash, a question mark or a hash, which clients encode.
    pub fn read<'u>(&self, uri: &'u str) -> Option<Vec<(&str, &'u str)>> {
        let mut values = Vec::new();
        let mut rest = uri;
        for (index, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Variable(name) => {
                    let end = match self.0.get(index + 1) {
                        Some(Piece::Text(text)) if index + 2 == self.0.len() => rest.strip_suffix(text.as_str())?.len(),
                        Some(Piece::Text(text)) => rest.find(text.as_str())?,
                        _ => rest.len(),
                    };
                    let (value, after) = rest.split_at(end);
                    if value.is_empty() || value.contains(['/', '?', '#']) {
                        return None;
                    }
                    values.push((name.as_str(), value));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(values)
    }
}

impl WrittenPrompt {
    /// How many bytes its messages have with these words in them: what is filled in can stand in many places.
    pub fn size(&self, arguments: &[FilledIn]) -> usize {
        let size = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Variable(name) => arguments.iter().find(|it| it.name == *name).map_or(0, |it| it.value.len()),
        };
        self.messages.iter().flat_map(|message| &message.text).map(size).fold(0, usize::saturating_add)
    }

    /// Its messages with these words in them, in one pass: what is filled in is text, whatever it looks like.
    pub fn fill_in(&self, arguments: &[FilledIn]) -> PromptMessages {
        let value = |name: &str| arguments.iter().find(|it| it.name == name).map_or("", |it| &it.value);
        let messages = self.messages.iter().map(|message| {
            let text = message.text.iter().map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Variable(name) => value(name),
            });
            Message { role: message.role, content: Content::Text(text.collect()) }
        });
        PromptMessages { description: None, messages: messages.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> UriTemplate {
        let pieces = text.split_inclusive(['{', '}']).flat_map(|part| match part.strip_suffix('}') {
            Some(name) => vec![Piece::Variable(name.to_owned())],
            None => match part.trim_end_matches('{') {
                "" => Vec::new(),
                text => vec![Piece::Text(text.to_owned())],
            },
        });
        UriTemplate(pieces.collect())
    }

    #[test]
    fn uris_are_read_by_their_template() {
        for (written, uri, expected) in [
            ("a://b", "a://b", Some(vec![])),
            ("a://b", "a://b/", None),
            ("a://{x}", "a://b", Some(vec![("x", "b")])),
            ("a://{x}", "a://", None),
            ("a://{x}", "a://b/c", None),
            ("a://{x}", "a://b?c", None),
            ("a://{x}", "a://b%2Fc", Some(vec![("x", "b%2Fc")])),
            ("a://{x}/d", "a://b/d", Some(vec![("x", "b")])),
            ("a://{x}/d", "a://b/e", None),
            ("a://{x}/{y}", "a://b/c", Some(vec![("x", "b"), ("y", "c")])),
            ("a://{x}/{y}", "a://b/c/d", None),
            ("a://{x}.json", "a://b.json.json", Some(vec![("x", "b.json")])),
            ("a://{x}-{y}", "a://1-2-3", Some(vec![("x", "1"), ("y", "2-3")])),
        ] {
            assert_eq!(template(written).to_text(), written);
            assert_eq!(template(written).read(uri), expected, "{written} {uri}");
        }
    }

    #[test]
    fn what_is_filled_in_is_text() {
        let piece = |name: &str| Piece::Variable(name.to_owned());
        let text = vec![Piece::Text("a ".to_owned()), piece("x"), piece("y"), piece("x")];
        let prompt = Prompt { name: "p".to_owned(), title: None, description: None, parameters: Vec::new() };
        let written = WrittenPrompt { prompt, messages: vec![WrittenMessage { role: Role::User, text }] };
        let argument = FilledIn { name: "x".to_owned(), value: "{{y}}".to_owned() };
        assert_eq!(written.size(std::slice::from_ref(&argument)), "a {{y}}{{y}}".len());
        let made = written.fill_in(&[argument]);
        assert_eq!(made.messages[0].content, Content::Text("a {{y}}{{y}}".to_owned()));
    }
}
