//! What an operation does at most, in one word: what rules and grants are written in.

use std::{fmt, str::FromStr};

use super::Effects;

/// What an operation does at most. Each operation has one, and each is granted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    ReadOnly,
    /// It changes something that can be restored.
    Write,
    /// It may delete or overwrite what can't be restored.
    Destructive,
}

impl Effect {
    /// The names, for messages.
    pub const NAMES: &str = "read-only, write, destructive";

    /// Of an operation that claims to be both, the worse is believed.
    pub fn of(effects: Effects) -> Self {
        match effects {
            Effects { destructive: true, .. } => Self::Destructive,
            Effects { read_only: true, .. } => Self::ReadOnly,
            _ => Self::Write,
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::Write => "write",
            Self::Destructive => "destructive",
        })
    }
}

/// A text is no effect.
#[derive(Debug, thiserror::Error)]
#[error("expected one of: {}", Effect::NAMES)]
pub struct BadEffect;

impl FromStr for Effect {
    type Err = BadEffect;

    fn from_str(text: &str) -> Result<Self, BadEffect> {
        [Self::ReadOnly, Self::Write, Self::Destructive].into_iter().find(|it| it.to_string() == text).ok_or(BadEffect)
    }
}
