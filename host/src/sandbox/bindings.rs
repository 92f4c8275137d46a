//! Bindings of the worlds in `wit/`, made by wasmtime. Nothing by hand.

#![allow(missing_docs, reason = "the macro carries over WIT's docs where WIT has any")]

mod capability {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "capability",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
    });
}

mod document_runtime {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "document-runtime",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "airlock:capability/types": super::capability::airlock::capability::types,
            "wasi:clocks": wasmtime_wasi::p2::bindings::clocks,
            "wasi:http": wasmtime_wasi_http::p2::bindings::http,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
    });
}

pub(super) use capability::{CapabilityPre, airlock::capability::types};
pub(super) use document_runtime::{DocumentRuntime, airlock::capability::plan};
