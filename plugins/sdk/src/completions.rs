//! For a provider that suggests values for fields: implement [`Completions`] for the type that is the provider, and export it too.
//!
//! ```text
//! airlock_sdk::export!(Users with_types_in airlock_sdk::bindings);
//! airlock_sdk::completions::export!(Users with_types_in airlock_sdk::bindings::with_completions);
//! ```

pub use crate::bindings::with_completions::{
    export_completions as export,
    exports::airlock::capability::completions::{Field, Guest as Completions, Subject, Suggestions},
};
