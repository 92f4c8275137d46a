//! `airlock key`: a new key on standard error, the lines for `airlock.toml` on standard output, so that the two part by themselves.
//!
//! Nothing is written to files, and the key isn't kept.

use std::io;

use super::{CliError, terminal};
use crate::callers::NewKey;
use crate::config::caller_name;

pub(super) fn new(name: &str) -> Result<(), CliError> {
    if let Err(expected) = caller_name(name) {
        return Err(CliError::Usage(format!("{name:?}: {expected}")));
    }
    let no_random = || CliError::io("a new key", io::Error::other("the machine gives no random bytes"));
    let key = NewKey::random().ok_or_else(no_random)?;
    terminal::complain(format_args!(
        "The key of {name}, shown this once:\n\n  {}\n\nWhat the host needs of it, for airlock.toml:\n",
        key.reveal()
    ));
    terminal::say(lines(name, &key));
    Ok(())
}

/// What is written is what does least harm; the comments say what else there is.
fn lines(name: &str, key: &NewKey) -> String {
    // A dot would make two tables of it.
    let table = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
    format!(
        "[callers.{table}]\n\
         key.hash = \"{}\"\n\
         plugins = [\"*\"]           # or some: [\"m3ter-*\"]\n\
         operations = [\"*\"]        # or some: [\"list*\", \"get*\"]\n\
         effects = [\"read-only\"]   # and if wanted: \"write\", \"destructive\"",
        key.hash()
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{callers::KnownBy, config::Config};

    #[test]
    fn the_lines_are_a_caller_with_this_key() {
        for name in ["ci", "team.ci"] {
            let key = NewKey::random().unwrap();
            let lines = lines(name, &key);
            assert!(!lines.contains(key.reveal()));
            let config = Config::parse(&lines, Path::new("airlock.toml")).unwrap();
            let [caller] = &config.callers.callers[..] else { panic!("one caller: {lines}") };
            assert_eq!(caller.name, name);
            assert!(matches!(&caller.known_by, KnownBy::Key(hash) if bool::from(hash.is(&key.hash()))));
        }
    }
}
