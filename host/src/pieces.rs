//! What the doors make of a plugin for its callers, without a door: for those who measure it, see `tests/pieces`.
//!
//! The code is the doors' own. This is no interface: it changes with what is measured. The other pieces of a call are public elsewhere.

use crate::{contract::Description, mcp, rest};

/// The OpenAPI document of a plugin of this name, as it is served.
pub fn openapi(plugin: &str, description: &Description) -> String {
    rest::openapi_of(plugin, description).to_string()
}

/// The tools of a plugin, as they are listed in the current version of the protocol.
pub fn tools(description: &Description) -> String {
    serde_json::to_string(&mcp::tools_of(description)).expect("tools are JSON")
}
