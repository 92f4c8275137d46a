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

/// Stands in for what is added to requests: the policy hands it on, and doesn't look at it.
mod credentials {
    use std::collections::BTreeMap;

    use super::grant_error::Problem;
    use crate::{
        contract::Credential,
        grant::{MissingSecret, Secret},
    };

    #[derive(Debug, Default)]
    pub(super) struct Credentials;

    impl Credentials {
        pub(super) fn expand(
            _: &[Credential],
            _: &BTreeMap<String, Result<Secret, MissingSecret>>,
        ) -> Result<Self, Vec<Problem>> {
            Ok(Self)
        }
    }
}
