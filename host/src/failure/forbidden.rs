//! That a caller may know of an operation, but not call it, and what would change that.

use crate::contract::Effect;

/// An operation does what its caller may not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed: this is a {effect} operation, and you may not call those; {}", way_out(.scopes))]
pub struct Forbidden {
    /// What it does.
    pub effect: Effect,
    /// The scopes of a token that would do; none where no token would.
    pub scopes: Vec<String>,
}

fn way_out(scopes: &[String]) -> String {
    match scopes {
        [] => "only the operator can change this".to_owned(),
        scopes => format!("a token with these scopes could: {}", scopes.join(" ")),
    }
}
