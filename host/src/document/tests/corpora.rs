//! What the fuzz targets have found worth keeping holds.

use std::fs;
use std::path::Path;

use super::super::properties::{check_document, check_text};

fn replay(target: &str, check: fn(&str)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let texts: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(texts.len() > 10, "{target}: {}", texts.len());
    texts.iter().for_each(|text| check(&String::from_utf8_lossy(text)));
}

#[test]
fn documents() {
    replay("document", check_document);
}

#[test]
fn paths_and_templates() {
    replay("paths", check_text);
}

#[test]
fn the_base_document() {
    check_document(super::BASE);
}
