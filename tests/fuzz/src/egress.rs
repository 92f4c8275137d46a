//! The mediator without what sends: the policy, and the check of addresses.

#[path = "../../../host/src/egress/address.rs"]
mod address;
#[path = "../../../host/src/egress/grant_error.rs"]
mod grant_error;
#[path = "../../../host/src/egress/policy.rs"]
mod policy;
#[path = "../../../host/src/egress/properties.rs"]
pub mod properties;
#[path = "../../../host/src/egress/refusal.rs"]
mod refusal;
#[path = "../../../host/src/egress/toml_lines.rs"]
mod toml_lines;

pub use refusal::Refusal;
