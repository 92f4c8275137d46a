//! Who asks for a call: by which door, from where. For the audit; nothing is decided by it.

use std::{fmt, net::IpAddr};

/// Who asks for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The way in.
    pub door: Door,
    /// The other end of the connection; `None` where there is none.
    pub peer: Option<IpAddr>,
}

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// An HTTP request.
    Rest,
    /// An MCP tool call.
    Mcp,
    /// `airlock call`.
    Cli,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let door = match self.door {
            Door::Rest => "rest",
            Door::Mcp => "mcp",
            Door::Cli => "cli",
        };
        match self.peer {
            Some(peer) => write!(f, "{door} from {peer}"),
            None => f.write_str(door),
        }
    }
}
