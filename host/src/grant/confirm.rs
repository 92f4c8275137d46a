//! Which operations a person has to agree to before they are carried out.
//!
//! What an operation changes is what its plugin says of itself: who doesn't believe it names the operations. Who is asked, and how,
//! is decided in `invoke`.

use crate::contract::{Effect, Operation};

/// Which operations a person has to agree to, call by call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// None.
    #[default]
    Nothing,
    /// Those that may delete or overwrite what can't be restored.
    Destructive,
    /// Those that change anything.
    Write,
    /// Those of these names, whatever the plugin says of them.
    Named(Vec<String>),
}

impl Confirm {
    /// Whether somebody has to agree to a call of this operation.
    pub fn covers(&self, operation: &Operation) -> bool {
        let effect = Effect::of(operation.effects);
        match self {
            Self::Nothing => false,
            Self::Destructive => effect == Effect::Destructive,
            Self::Write => effect != Effect::ReadOnly,
            Self::Named(names) => names.contains(&operation.name),
        }
    }

    /// The names that none of the operations has.
    pub fn unknown<'a>(&'a self, operations: &'a [Operation]) -> impl Iterator<Item = &'a str> {
        let names: &[String] = match self {
            Self::Named(names) => names,
            Self::Nothing | Self::Destructive | Self::Write => &[],
        };
        let is_known = |name: &str| operations.iter().any(|it| it.name == name);
        names.iter().map(String::as_str).filter(move |name| !is_known(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Effects;

    fn operation(name: &str, read_only: bool, destructive: bool) -> Operation {
        let operation = Operation::named(name);
        Operation { effects: Effects { read_only, destructive, ..operation.effects }, ..operation }
    }

    #[test]
    fn which_operations_are_covered() {
        let operations = [
            operation("get", true, false),
            operation("put", false, false),
            operation("delete", false, true),
            operation("liar", true, true),
        ];
        let named = |names: &[&str]| Confirm::Named(names.iter().map(|it| (*it).to_owned()).collect());
        for (confirm, covered, unknown) in [
            (Confirm::Nothing, &[][..], &[][..]),
            (Confirm::Destructive, &["delete", "liar"], &[]),
            (Confirm::Write, &["put", "delete", "liar"], &[]),
            (named(&["get", "delete"]), &["get", "delete"], &[]),
            (named(&["GET", "put", "x"]), &["put"], &["GET", "x"]),
        ] {
            let found = operations.iter().filter(|it| confirm.covers(it)).map(|it| it.name.as_str());
            assert_eq!(found.collect::<Vec<_>>(), covered, "{confirm:?}");
            assert_eq!(confirm.unknown(&operations).collect::<Vec<_>>(), unknown, "{confirm:?}");
        }
    }
}
