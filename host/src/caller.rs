//! Who asks for a call: by which door, from where, as whom. What they may do is decided in `callers`.

use std::{fmt, net::IpAddr};

use crate::callers::Identity;

/// Who asks for a call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The way in.
    pub door: Door,
    /// The other end of the connection; `None` where there is none.
    pub peer: Option<IpAddr>,
    /// Who it is.
    pub identity: Identity,
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
        f.write_str(match self.door {
            Door::Rest => "rest",
            Door::Mcp => "mcp",
            Door::Cli => "cli",
        })?;
        if let Some(peer) = self.peer {
            write!(f, " from {peer}")?;
        }
        match self.identity.name() {
            Some(name) => write!(f, " as {name}"),
            None => Ok(()),
        }
    }
}
