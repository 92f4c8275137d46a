//! The key by which the command line calls a host that is running: of a file, else of the environment.

use std::{env, path::Path};

use crate::grant::{MissingSecret, Secret, Stored};

/// The variable that holds it, where no file is named.
const VARIABLE: &str = "AIRLOCK_KEY";

/// The key; `None` where there is none.
///
/// # Errors
/// The file can't be read, or has no key in it.
pub fn caller_key(file: Option<&Path>) -> Result<Option<Secret>, MissingSecret> {
    match file {
        Some(file) => Stored::File(file.to_owned()).read().map(Some),
        None => Ok(env::var(VARIABLE).ok().filter(|key| !key.is_empty()).map(Secret::new)),
    }
}
