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

/// A world whose types are those of `capability`.
macro_rules! beside_capability {
    ($module:ident, $world:literal) => {
        mod $module {
            wasmtime::component::bindgen!({
                path: "../wit",
                world: $world,
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
    };
}

beside_capability!(document_runtime, "document-runtime");
beside_capability!(with_resources, "with-resources");
beside_capability!(with_prompts, "with-prompts");
beside_capability!(with_completions, "with-completions");

pub(super) use capability::{
    Capability, CapabilityPre,
    airlock::capability::{body, dialogue, events, fetch, types},
};
pub(super) use document_runtime::{DocumentRuntime, DocumentRuntimePre, airlock::capability::plan};
pub(super) use with_completions::{WithCompletionsPre, exports::airlock::capability::completions};
pub(super) use with_prompts::{WithPromptsPre, exports::airlock::capability::prompts};
pub(super) use with_resources::{WithResourcesPre, exports::airlock::capability::resources};
