//! Bindings of the world `capability` and of the worlds beside it, made from `wit/`. Nothing by hand.

#![allow(missing_docs, reason = "the macro carries over WIT's docs where WIT has any")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "capability",
    generate_all,
    pub_export_macro: true,
});

/// An optional interface, whose types are those of `capability`.
macro_rules! beside_capability {
    ($module:ident, $world:literal, $export:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                with: {
                    "airlock:capability/types@0.1.0": crate::bindings::airlock::capability::types,
                    "wasi:http/types@0.2.12": crate::bindings::wasi::http::types,
                    "wasi:io/error@0.2.12": crate::bindings::wasi::io::error,
                    "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
                    "wasi:io/streams@0.2.12": crate::bindings::wasi::io::streams,
                    "wasi:clocks/monotonic-clock@0.2.12": crate::bindings::wasi::clocks::monotonic_clock,
                },
            });
        }
    };
}

beside_capability!(with_resources, "with-resources", "export_resources");
beside_capability!(with_prompts, "with-prompts", "export_prompts");
beside_capability!(with_completions, "with-completions", "export_completions");
