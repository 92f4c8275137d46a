//! For a provider that has something to be read: implement [`Resources`] for the type that is the provider, and export it too.
//!
//! ```text
//! airlock_sdk::export!(Users with_types_in airlock_sdk::bindings);
//! airlock_sdk::resources::export!(Users with_types_in airlock_sdk::bindings::with_resources);
//! ```

pub use crate::bindings::with_resources::{
    export_resources as export,
    exports::airlock::capability::resources::{Guest as Resources, ResourceTemplate},
};
