//! The key of a grant that says which operations a person has to agree to: `confirm`.
//!
//! Whether a plugin has the operations that are named here is known when it is loaded.

use serde::Deserialize;

use super::Reader;
use crate::{
    contract::{NAME_RULE, is_name},
    grant::Confirm,
};

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"destructive\", \"write\" or a list of operations, such as [\"deleteuser\"]")]
pub(super) enum RawConfirm {
    Effect(String),
    Operations(Vec<String>),
}

impl Reader {
    pub(super) fn confirm(&mut self, key: &str, raw: Option<RawConfirm>) -> Confirm {
        match raw {
            None => Confirm::Nothing,
            Some(RawConfirm::Effect(effect)) => match effect.as_str() {
                "destructive" => Confirm::Destructive,
                "write" => Confirm::Write,
                other => {
                    let expected = format!("\"destructive\", \"write\" or a list of operations, such as [{other:?}]");
                    self.problems.push(format!("{key}: {other:?}: expected {expected}"));
                    Confirm::Write
                }
            },
            Some(RawConfirm::Operations(names)) => {
                if names.is_empty() {
                    let expected = "expected at least one operation; to have nothing confirmed, leave the key out";
                    self.problems.push(format!("{key}: [] names nothing: {expected}"));
                }
                for name in names.iter().filter(|name| !is_name(name)) {
                    self.problems.push(format!("{key}: {name:?}: expected the name of an operation, {NAME_RULE}"));
                }
                Confirm::Named(names)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn read(line: &str) -> Result<Confirm, String> {
        let config = Config::parse(&format!("[grants.p]\n{line}"), Path::new("airlock.toml"));
        config.map(|it| it.grants["p"].confirm.clone()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_to_be_confirmed_is_read() {
        for (line, confirm) in [
            ("", Confirm::Nothing),
            ("confirm = 'destructive'", Confirm::Destructive),
            ("confirm = 'write'", Confirm::Write),
            ("confirm = ['deleteuser', 'a.b-c']", Confirm::Named(vec!["deleteuser".to_owned(), "a.b-c".to_owned()])),
        ] {
            assert_eq!(read(line), Ok(confirm), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_was_expected() {
        for (line, problem) in [
            (
                "confirm = 'deleteuser'",
                "grants.p.confirm: \"deleteuser\": expected \"destructive\", \"write\" or a list of operations, such as [\"deleteuser\"]",
            ),
            (
                "confirm = []",
                "grants.p.confirm: [] names nothing: expected at least one operation; to have nothing confirmed, leave the key out",
            ),
            (
                "confirm = ['delete user']",
                "grants.p.confirm: \"delete user\": expected the name of an operation, 1 to 128 of A-Z a-z 0-9 _ . -",
            ),
            ("confirm = true", "expected \"destructive\", \"write\" or a list of operations, such as [\"deleteuser\"]"),
        ] {
            let told = read(line).unwrap_err();
            assert!(told.contains(problem), "{told}");
        }
    }
}
