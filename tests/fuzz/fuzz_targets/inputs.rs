//! What callers send: path segment, query, cookie and body of a REST request, a line each; the query once more as a cursor of MCP.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parts = airlock_fuzz::lines(bytes);
    airlock_fuzz::rest::check_request(&parts);
    airlock_fuzz::mcp::check_cursor(&parts[1]);
});
