//! Bindings of the world `document-runtime`; the types of the contract are those of the SDK.

#![allow(
    missing_docs,
    clippy::too_many_arguments,
    reason = "made by a macro, which carries over WIT's docs where WIT has any"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "document-runtime",
    with: {
        "airlock:capability/types@0.1.0": airlock_sdk::bindings::airlock::capability::types,
        "airlock:capability/plan@0.1.0": generate,
        "wasi:http/types@0.2.12": airlock_sdk::bindings::wasi::http::types,
        "wasi:io/error@0.2.12": airlock_sdk::bindings::wasi::io::error,
        "wasi:io/poll@0.2.12": airlock_sdk::bindings::wasi::io::poll,
        "wasi:io/streams@0.2.12": airlock_sdk::bindings::wasi::io::streams,
        "wasi:clocks/monotonic-clock@0.2.12": airlock_sdk::bindings::wasi::clocks::monotonic_clock,
    },
});
