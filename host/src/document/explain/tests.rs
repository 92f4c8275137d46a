//! Each code has a page and a case, and what is said about the case is checked in, word for word.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use super::{PAGES, Page};
use crate::document::{Files, Mode, check};

/// The codes that `Code::as_str` gives. Read from the source, so that one that is added can't be forgotten here.
fn codes() -> BTreeSet<String> {
    let source = include_str!("../diagnostic.rs");
    let strings = source.split("=> \"AL").skip(1).filter_map(|rest| rest.split_once('"'));
    strings.map(|(digits, _)| format!("AL{digits}")).collect()
}

fn case(code: &str, ending: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/cases/diagnostics/{code}.{ending}"))
}

#[test]
fn every_code_has_a_page_and_a_case() {
    let codes = codes();
    assert!(codes.len() > 20, "{codes:?}");
    let mut missing = Vec::new();
    for code in &codes {
        if Page::of(code).is_none() {
            missing.push(format!("{code}: a `page!` in host/src/document/explain.rs"));
        }
        if !case(code, "yaml").exists() {
            missing.push(format!("{code}: a document that has it, tests/cases/diagnostics/{code}.yaml"));
        }
    }
    assert!(missing.is_empty(), "codes were added without all that belongs to them:\n  {}", missing.join("\n  "));
    let pages: Vec<&str> = PAGES.iter().map(|page| page.code).collect();
    assert!(pages.is_sorted(), "{pages:?}");
    let gone: Vec<_> = pages.iter().filter(|code| !codes.contains(**code)).collect();
    assert!(gone.is_empty(), "pages of codes that nothing gives: {gone:?}");
}

#[test]
fn what_is_said_about_each_case_is_checked_in() {
    let mut wrong = Vec::new();
    for Page { code, example, .. } in PAGES {
        let found = match check(example, &Files::new(), Mode::Tolerant) {
            Ok(compiled) => compiled.warnings,
            Err(diagnostics) => diagnostics,
        };
        assert!(!found.is_empty(), "{code}: nothing is said about its case");
        let others: Vec<_> = found.iter().filter(|it| it.code.as_str() != *code).collect();
        assert!(others.is_empty(), "{code}: its case has other problems: {others:?}");
        let rendered: Vec<_> = found.iter().map(|it| it.render(&format!("{code}.yaml"), example)).collect();
        let rendered = rendered.join("\n") + "\n";
        let golden = case(code, "txt");
        if env::var_os("AIRLOCK_BLESS").is_some() {
            fs::write(&golden, &rendered).expect("a new file");
        } else if fs::read_to_string(&golden).unwrap_or_default() != rendered {
            wrong.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "if these are right, run the tests with AIRLOCK_BLESS=1\n{}", wrong.join("\n"));
}

#[test]
fn a_page_is_found_by_its_code() {
    assert_eq!(Page::of("al004").map(|page| page.code), Some("AL004"));
    assert!(Page::of("AL999").is_none());
}
