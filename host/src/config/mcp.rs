//! The section `mcp`: which tools clients are listed.

use serde::Deserialize;

use super::Reader;
use crate::{
    contract::{NAME_RULE, is_name},
    mcp::Listing,
};

/// The most tools that can be listed. More than one plugin can have: who wants all of them, has them.
const MAX_LISTED: usize = 100_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMcp {
    listed_tools: Option<usize>,
    #[serde(default)]
    pinned: Vec<String>,
}

impl Reader {
    pub(super) fn mcp(&mut self, raw: RawMcp) -> Listing {
        let most = raw.listed_tools.unwrap_or(Listing::default().most);
        if !(Listing::OWN..=MAX_LISTED).contains(&most) {
            let least = Listing::OWN;
            self.problems.push(format!("mcp.listed_tools: {most}: expected {least} to {MAX_LISTED}"));
        }
        for name in raw.pinned.iter().filter(|name| !is_name(name)) {
            self.problems.push(format!("mcp.pinned: {name:?}: expected a tool's name, {NAME_RULE}"));
        }
        let room = most.saturating_sub(Listing::OWN);
        if raw.pinned.len() > room {
            self.problems.push(format!(
                "mcp.pinned: {} tools, but with search_tools and call_tool there is room for {room} among the {most} of \
                 mcp.listed_tools: pin fewer, or list more",
                raw.pinned.len()
            ));
        }
        Listing { most, pinned: raw.pinned }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, ConfigError};

    fn parse(text: &str) -> Result<Listing, ConfigError> {
        Config::parse(text, Path::new("airlock.toml")).map(|config| config.mcp)
    }

    #[test]
    fn what_is_listed_can_be_chosen() {
        assert_eq!(parse("").unwrap(), Listing { most: 40, pinned: Vec::new() });
        let chosen = parse("[mcp]\nlisted_tools = 3\npinned = ['users.read']").unwrap();
        assert_eq!(chosen, Listing { most: 3, pinned: vec!["users.read".to_owned()] });
    }

    #[test]
    fn what_cannot_be_listed_is_told() {
        let error = parse("[mcp]\nlisted_tools = 1\npinned = ['read users']").unwrap_err().to_string();
        for expected in [
            "mcp.listed_tools: 1: expected 2 to 100000",
            "mcp.pinned: \"read users\": expected a tool's name, 1 to 128 of A-Z a-z 0-9 _ . -",
            "mcp.pinned: 1 tools, but with search_tools and call_tool there is room for 0 among the 1 of mcp.listed_tools: \
             pin fewer, or list more",
        ] {
            assert!(error.contains(expected), "{error}");
        }
    }
}
