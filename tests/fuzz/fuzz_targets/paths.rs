//! Templates, paths and base URIs: any text.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    airlock_fuzz::document::properties::check_text(&String::from_utf8_lossy(bytes));
});
