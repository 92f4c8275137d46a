//! For a provider that suggests what to ask a model: implement [`Prompts`] for the type that is the provider, and export it too.
//!
//! ```text
//! airlock_sdk::export!(Users with_types_in airlock_sdk::bindings);
//! airlock_sdk::prompts::export!(Users with_types_in airlock_sdk::bindings::with_prompts);
//! ```

pub use crate::bindings::with_prompts::{
    export_prompts as export,
    exports::airlock::capability::prompts::{Guest as Prompts, Messages, Parameter, Prompt},
};
