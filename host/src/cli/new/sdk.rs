//! The guest library and the contract, as they are in this release: what a provider outside of this repository is built with.

/// Where the library is in a new provider. Two levels deep, as in this repository: it looks for the contract at `../../wit`.
pub(super) const FOLDER: &str = "airlock/sdk";

/// Its manifest.
const MANIFEST: (&str, &str) = ("airlock/sdk/Cargo.toml", include_str!("sdk.toml.template"));

macro_rules! files {
    ($target:literal from $source:literal: $($name:literal)*) => {
        &[$((concat!($target, $name), include_str!(concat!("../../../../", $source, $name)))),*]
    };
}

/// Its sources.
const SOURCES: &[(&str, &str)] = files!("airlock/sdk/src/" from "plugins/sdk/src/":
    "bindings.rs" "body.rs" "completions.rs" "dialogue.rs" "http.rs" "lib.rs" "prompts.rs" "resources.rs");

/// The contract.
const CONTRACT: &[(&str, &str)] = files!("wit/" from "wit/":
    "body.wit" "completions.wit" "dialogue.wit" "events.wit" "fetch.wit" "plan.wit" "prompts.wit" "provider.wit" "resources.wit" "types.wit" "world.wit"
    "deps/cli.wit" "deps/clocks.wit" "deps/filesystem.wit" "deps/http.wit" "deps/io.wit" "deps/random.wit" "deps/sockets.wit");

/// Every file, with its place in a new provider.
pub(super) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::once(&MANIFEST).chain(SOURCES).chain(CONTRACT).copied()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The files of a folder with this ending, and of its folder `deps`.
    fn found(folder: &str, ending: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
        let below = ["", "deps/"].into_iter().filter(|below| root.join(below).is_dir());
        let names = below.flat_map(|below| {
            let entries = fs::read_dir(root.join(below)).unwrap().map(|entry| entry.unwrap().file_name());
            entries.map(move |name| format!("{below}{}", name.to_string_lossy()))
        });
        names.filter(|name| name.ends_with(ending)).collect()
    }

    #[test]
    fn every_file_of_the_library_and_the_contract_is_there() {
        let named = |files: &[(&str, &str)], folder: &str| -> BTreeSet<String> {
            files.iter().map(|(name, _)| name.strip_prefix(folder).unwrap().to_owned()).collect()
        };
        assert_eq!(named(SOURCES, "airlock/sdk/src/"), found("plugins/sdk/src", ".rs"));
        assert_eq!(named(CONTRACT, "wit/"), found("wit", ".wit"));
    }

    #[test]
    fn the_manifest_has_the_versions_that_are_tested() {
        let workspace = include_str!("../../../../Cargo.toml");
        let bindgen = MANIFEST.1.lines().find(|line| line.starts_with("wit-bindgen")).unwrap();
        assert!(workspace.contains(bindgen), "{bindgen}");
        let library = include_str!("../../../../plugins/sdk/Cargo.toml");
        let json = MANIFEST.1.lines().find(|line| line.starts_with("serde_json")).unwrap();
        assert!(library.contains(json), "{json}");
    }
}
