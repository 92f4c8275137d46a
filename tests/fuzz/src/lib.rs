//! The pure modules of the host, for the fuzz targets. The sources are the host's own, included by path: to link `airlock` itself would
//! build wasmtime once more, with the instruments of the fuzzer, for code that none of the targets runs.
//!
//! No check stands here: what must hold is in the `properties` module beside the code, and unit tests of the host replay the corpora.

// What no target runs is not dead in the host, nor is what it hands on.
#![allow(dead_code, unused_imports)]

#[path = "../../../host/src/contract/mod.rs"]
pub mod contract;
#[path = "../../../host/src/document/mod.rs"]
pub mod document;
pub mod egress;
#[path = "../../../host/src/failure/mod.rs"]
pub mod failure;
#[path = "../../../host/src/grant/mod.rs"]
pub mod grant;
pub mod mcp;
pub mod rest;

/// Stands in for the catalog, which needs wasmtime. Nothing that is fuzzed goes on to validate.
pub mod catalog {
    use crate::failure::Failure;

    /// An operation of a loaded plugin.
    pub struct OperationRef;

    impl OperationRef {
        pub(crate) fn validate(&self, _: &serde_json::Value) -> Result<(), Failure> {
            Ok(())
        }
    }
}

/// Text made of the fuzzer's bytes, in so many lines; the last one holds the rest.
pub fn lines<const N: usize>(bytes: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(N, '\n').map(str::to_owned);
    std::array::from_fn(|_| lines.next().unwrap_or_default())
}
