//! `airlock new`: a document, or a provider in Rust, that works as it is and says what to change. Nothing is ever overwritten.

mod sdk;

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::{CliError, terminal};
use crate::document;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the plugin is to be called: small letters, digits, `-` and `_`, a letter first
    name: String,
    /// Make a provider in Rust instead of a document: a crate in a folder of that name
    #[arg(long)]
    rust: bool,
    /// The folder of the guest library to build it with, instead of a copy of this release's
    #[arg(long, value_name = "DIR", requires = "rust")]
    sdk: Option<PathBuf>,
}

/// The schema that the documents in a folder share, for editors.
const SCHEMA: &str = "airlock.schema.json";

/// The longest name. 64: it becomes a part of tool names, which some clients cut there.
const MAX_NAME: usize = 64;

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    check_name(&args.name)?;
    match (args.rust, &args.sdk) {
        (false, _) => new_document(&args.name),
        (true, None) => new_provider(&args.name, sdk::FOLDER, sdk::files()),
        (true, Some(folder)) => {
            let folder = folder.canonicalize().map_err(|e| CliError::io(folder.display(), e))?;
            // It stands in quotes there.
            let folder = folder.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
            new_provider(&args.name, &folder, std::iter::empty())
        }
    }
}

/// What is a crate's name, a namespace and a plugin's name at once.
fn check_name(name: &str) -> Result<(), CliError> {
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b));
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    match is_plain && begins && name.len() <= MAX_NAME {
        true => Ok(()),
        false => Err(CliError::Usage(format!(
            "{name:?}: expected small letters, digits, - and _, a letter first, {MAX_NAME} at most"
        ))),
    }
}

fn new_document(name: &str) -> Result<(), CliError> {
    let file = format!("{name}.yaml");
    write_new(Path::new(&file), &filled(include_str!("document.yaml.template"), name, ""))?;
    // The documents of a folder share it.
    if !Path::new(SCHEMA).exists() {
        write_new(Path::new(SCHEMA), document::SCHEMA)?;
    }
    terminal::say(format_args!(
        "{file}: a document; what to change is numbered in it\n{SCHEMA}: completes its keys in editors\n\nNext:\n  airlock check \
         --strict {file}"
    ));
    Ok(())
}

fn new_provider(
    name: &str,
    sdk: &str,
    library: impl Iterator<Item = (&'static str, &'static str)>,
) -> Result<(), CliError> {
    let folder = Path::new(name);
    // The folder itself is the first thing that mustn't be there.
    fs::create_dir(folder).map_err(|e| CliError::io(folder.display(), not_overwritten(e)))?;
    let own = [
        ("Cargo.toml", include_str!("Cargo.toml.template")),
        ("src/lib.rs", include_str!("lib.rs.template")),
        (".gitignore", "/target\n"),
    ];
    for (file, template) in own {
        write_new(&folder.join(file), &filled(template, name, sdk))?;
    }
    for (file, text) in library {
        write_new(&folder.join(file), text)?;
    }
    terminal::say(format_args!(
        "{name}: a provider; what to change is numbered in Cargo.toml and src/lib.rs\n\nNext, in that folder:\n  cargo build --target \
         wasm32-wasip2 --release\n  airlock check target/wasm32-wasip2/release/{}.wasm",
        crate_name(name)
    ));
    Ok(())
}

/// A template with the plugin's names in it.
fn filled(template: &str, name: &str, sdk: &str) -> String {
    let key = format!("{}_API_KEY", name.to_uppercase().replace('-', "_"));
    let names = [("{NAME}", name), ("{CRATE}", &crate_name(name)), ("{KEY}", &key), ("{SDK}", sdk)];
    names.iter().fold(template.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

fn crate_name(name: &str) -> String {
    name.replace('-', "_")
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        File::create_new(path)?.write_all(text.as_bytes())
    };
    write().map_err(|e| CliError::io(path.display(), not_overwritten(e)))
}

fn not_overwritten(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::AlreadyExists => io::Error::new(error.kind(), "is there already, and isn't overwritten"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Files, Mode, check};

    #[test]
    fn the_document_is_right_as_it_is() {
        let text = filled(include_str!("document.yaml.template"), "my-items", "");
        if let Err(found) = check(&text, &Files::new(), Mode::Strict) {
            panic!("{}", found.iter().map(|it| it.render("x", &text)).collect::<Vec<_>>().join("\n"));
        }
        assert!(text.starts_with("# yaml-language-server: $schema=./airlock.schema.json\n"), "{text}");
        assert!(text.contains("'{{env.MY_ITEMS_API_KEY}}'"), "{text}");
    }

    #[test]
    fn names() {
        for (name, ok) in [("a", true), ("my-items_2", true), ("", false), ("2a", false), ("a b", false), ("A", false)]
        {
            assert_eq!(check_name(name).is_ok(), ok, "{name}");
        }
        assert!(check_name(&"a".repeat(65)).is_err() && check_name("../a").is_err());
    }
}
