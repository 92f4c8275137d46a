//! What a plugin may offer besides operations: resources, prompts, completions.

use super::Message;

/// Which of the optional interfaces a plugin exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// It has something to be read.
    pub resources: bool,
    /// It has prompts.
    pub prompts: bool,
    /// It suggests values.
    pub completions: bool,
}

/// A family of resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceTemplate {
    /// Their URIs, by RFC 6570.
    pub uri_template: String,
    /// Identifies the family within the plugin.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What is there to be read.
    pub description: Option<String>,
    /// The media type, if it is the same for all.
    pub media_type: Option<String>,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Identifies the prompt within the plugin: `[A-Za-z0-9_.-]{1,128}`.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What can be filled in, each name once.
    pub parameters: Vec<PromptParameter>,
}

/// Something that can be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptParameter {
    /// Its name within the prompt.
    pub name: String,
    /// A display name.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The prompt can't be made without it.
    pub required: bool,
}

/// A field with its text: an argument of a prompt, or a variable of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilledIn {
    /// The field.
    pub name: String,
    /// The text.
    pub value: String,
}

/// A prompt, filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessages {
    /// What it is for, if that is more than the prompt says of itself.
    pub description: Option<String>,
    /// The messages, in the order of the conversation.
    pub messages: Vec<Message>,
}

/// What somebody is filling in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A parameter of a prompt.
    Prompt {
        /// The prompt's name.
        name: String,
        /// The parameter's.
        parameter: String,
    },
    /// A variable of a resource template.
    ResourceTemplate {
        /// The template.
        uri_template: String,
        /// The variable's name.
        variable: String,
    },
}

/// Values that are suggested at once: MCP allows no more.
const MAX_SUGGESTIONS: usize = 100;

/// Values to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// The best first.
    pub values: Vec<String>,
    /// How many there are in all, if known.
    pub total: Option<u32>,
    /// There are more than these.
    pub more: bool,
}

impl Suggestions {
    /// As many of these as a client may get at once. `total` is how many there are in all, if known.
    pub fn new(mut values: Vec<String>, total: Option<u32>) -> Self {
        let offered = values.len();
        values.truncate(MAX_SUGGESTIONS);
        let more = offered > values.len() || total.is_some_and(|total| total as usize > offered);
        Self { values, total, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_suggested_than_a_client_may_get() {
        for (offered, total, passed, more) in
            [(0, None, 0, false), (100, Some(100), 100, false), (101, None, 100, true), (3, Some(150), 3, true)]
        {
            let values = (0..offered).map(|n: usize| n.to_string()).collect();
            let it = Suggestions::new(values, total);
            assert_eq!((it.values.len(), it.total, it.more), (passed, total, more));
        }
    }
}
