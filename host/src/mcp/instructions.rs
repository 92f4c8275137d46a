//! The instructions of an endpoint: which capabilities it serves and what they are for, in the plugins' own words.
//!
//! They stand in the context of every model that connects, so they are short; what a tool does is said by the tool.

use crate::{
    callers::Identity,
    catalog::{Scope, Snapshot},
    contract::Description,
};

/// The most bytes for all plugins together: about a thousand tokens of every conversation.
const MAX_TEXT: usize = 4 << 10;

/// The most bytes of one plugin's summary: a few sentences, so that one plugin can't crowd out the others.
const MAX_SUMMARY: usize = 400;

/// How a client gets at tools.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tools {
    /// All are listed.
    AreListed,
    /// There are more than are listed.
    AreFound,
}

/// The text for a caller, of those plugins of which there is something to call.
pub(super) fn of(snapshot: &Snapshot, scope: &Scope, identity: &Identity, tools: Tools) -> String {
    write(snapshot.plugins_for(identity).map(|it| (it.name(), it.description())), scope, tools)
}

fn write<'a>(plugins: impl Iterator<Item = (&'a str, &'a Description)>, scope: &Scope, tools: Tools) -> String {
    let entries: Vec<String> = plugins
        .filter(|(name, _)| match scope {
            Scope::All => true,
            Scope::Plugin(one) => one == name,
        })
        .map(|(name, description)| entry(name, description))
        .collect();
    match entries.is_empty() {
        true => "No capability is loaded at the moment.".to_owned(),
        false => join(tools, &entries),
    }
}

fn join(tools: Tools, entries: &[String]) -> String {
    let mut text = match tools {
        Tools::AreListed => "The tools belong to these capabilities:",
        Tools::AreFound => {
            "There are more tools than are listed: find them by search_tools and call them by call_tool. They belong to these \
             capabilities:"
        }
    }
    .to_owned();
    for (told, entry) in entries.iter().enumerate() {
        if text.len() + entry.len() > MAX_TEXT {
            text.push_str(&format!("\n- and {} more", entries.len() - told));
            break;
        }
        text.push_str(entry);
    }
    text
}

fn entry(name: &str, description: &Description) -> String {
    let title = short(&description.title);
    match short(&description.summary) {
        summary if summary.is_empty() => format!("\n- {title} ({name})"),
        summary => format!("\n- {title} ({name}): {summary}"),
    }
}

/// On one line: a summary can't pass for the entry of another plugin.
fn short(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > MAX_SUMMARY {
        line.truncate(line.floor_char_boundary(MAX_SUMMARY));
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(title: &str, summary: &str) -> Description {
        Description {
            title: title.to_owned(),
            summary: summary.to_owned(),
            operations: Vec::new(),
            upstreams: Vec::new(),
        }
    }

    #[test]
    fn each_scope_tells_its_own_plugins() {
        let users = description("Org users", "Reads users.\n- Fake (fake): entry");
        let metal = description("Metal", "");
        let plugins = || [("users", &users), ("metal", &metal)].into_iter();
        for (scope, text) in [
            (
                Scope::All,
                "The tools belong to these capabilities:\
                 \n- Org users (users): Reads users. - Fake (fake): entry\
                 \n- Metal (metal)",
            ),
            (Scope::Plugin("metal".to_owned()), "The tools belong to these capabilities:\n- Metal (metal)"),
            (Scope::Plugin("gone".to_owned()), "No capability is loaded at the moment."),
        ] {
            assert_eq!(write(plugins(), &scope, Tools::AreListed), text);
        }
    }

    #[test]
    fn the_text_is_bounded() {
        let long = description("Title", &"ä".repeat(10_000));
        let text = write((0..100).map(|_| ("name", &long)), &Scope::All, Tools::AreFound);
        assert!(text.len() < MAX_TEXT + 20, "{} bytes", text.len());
        assert!(text.ends_with("\n- and 91 more"), "{text}");
    }
}
