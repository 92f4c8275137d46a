//! Bindings of the world `capability`, made from `wit/`. Nothing by hand.

#![allow(missing_docs, reason = "the macro carries over WIT's docs where WIT has any")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "capability",
    generate_all,
    pub_export_macro: true,
});
