//! The policy: a declared destination, a granted one and the URL of a request, a line each.
#![no_main]

use airlock_fuzz::egress::properties::check_request;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [declared, granted, url] = airlock_fuzz::lines(bytes);
    check_request(&declared, &granted, &url);
});
