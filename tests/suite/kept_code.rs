//! Compiled code that is kept on disk: what is found there is what runs, and nothing that can't be trusted is run.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use airlock::{
    component::{Loader, Source},
    document::Files,
    sandbox::Sandbox,
};

use crate::{
    cli::Shell,
    harness::{METAL, Upstream, fixture},
    hot_load::document,
};

/// The entries, with what they are made of.
fn entries(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut entries: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).expect("an entry"))).collect();
    entries.sort();
    entries
}

/// A shell with a document and a component, and a configuration that keeps code.
fn shell(upstream: &Upstream) -> Shell {
    let to = upstream.url();
    let config = format!(
        "[plugins]\ncache = \"code\"\n[grants.thing]\nhosts = [\"http://upstream.test\"]\n\
         upstreams.\"http://upstream.test\" = \"{to}\"\n"
    );
    Shell::new().file("thing.yaml", document("http://upstream.test", "1")).file("airlock.toml", config)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compiled_once_is_found_again_and_what_is_torn_is_made_anew() {
    let upstream = Upstream::echo().await;
    let shell = shell(&upstream);
    let call = async || shell.run(&["call", "thing.yaml", "getthing"]).await.check(0, &["/versions/1/thing"], &[]);
    call().await;
    let folder = shell.path("code");
    let first = entries(&folder);
    // The runtime that takes the plan; its code, and the component around that, which all documents share.
    assert_eq!(first.len(), 3);
    assert_eq!(fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    call().await;
    assert_eq!(entries(&folder), first, "the same document is the same component");

    for (path, whole) in &first {
        for torn in [&whole[..whole.len() / 2], b"", b"not code at all, but longer than a hash would be"] {
            fs::write(path, torn).expect("an entry");
            call().await;
        }
    }
    let again = entries(&folder);
    assert_eq!(
        again.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        first.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );
    assert!(again.iter().all(|(_, code)| code.len() > 10_000), "what was torn has been made anew");
    assert_eq!(upstream.requests().len(), 2 + 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_can_write_to_is_refused() {
    let upstream = Upstream::echo().await;
    let shell = shell(&upstream);
    fs::create_dir(shell.path("code")).expect("a new folder");
    fs::set_permissions(shell.path("code"), fs::Permissions::from_mode(0o777)).expect("a folder of ours");
    let said = shell.run(&["call", "thing.yaml", "getthing"]).await;
    assert_ne!(said.code, Some(0));
    assert!(
        said.err.contains("others can get at the folder for compiled code") && said.err.contains("chmod 700"),
        "{}",
        said.err
    );
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_becomes_the_same_bytes() {
    // Functions in a JSONPath are looked up in a hash map.
    let counting = "{ type: array, mapping: '$[?length(@.a) > count(@.*)]' }";
    let hashing = document("http://upstream.test", "1").replace("{ type: object, mapping: $. }", counting);
    assert!(hashing.contains(counting));
    for text in [METAL, &hashing] {
        let mut made = Vec::new();
        for _ in 0..2 {
            let loader = Loader::new(std::sync::Arc::new(Sandbox::new().expect("an engine")));
            let (text, files, path) = (text.to_owned(), Files::default(), PathBuf::new());
            made.push(loader.component(Source::Document { text, files, path }).await.expect("a document"));
        }
        assert!(made[0] == made[1], "{} and {} bytes", made[0].len(), made[1].len());
    }
    let component = Source::Component(fixture::HOSTILE.to_vec());
    let loader = Loader::new(std::sync::Arc::new(Sandbox::new().expect("an engine")));
    assert!(loader.component(component).await.expect("a component") == fixture::HOSTILE);
}
