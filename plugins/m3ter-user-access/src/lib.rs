//! An access review of one m3ter user: four upstream requests joined into one answer. The provider to copy.
//!
//! It changes nothing upstream, holds no credential, and passes no judgement: it says what the API says, in one place.

mod api;
mod description;
mod review;

use airlock_sdk::{Description, Failure, Provider, Reply, internal};
use serde::Deserialize;

use api::{Api, Inherited};

/// The provider. Each call runs in an instance of its own, so there is nothing to hold.
#[derive(Debug)]
pub struct UserAccess;

impl Provider for UserAccess {
    fn describe() -> Result<Description, Failure> {
        Ok(description::description())
    }

    fn call(operation: String, input: String) -> Result<Reply, Failure> {
        match operation.as_str() {
            description::REVIEW => review_user_access(&input),
            other => Err(internal(format_args!("no such operation: {other}"))),
        }
    }
}

#[cfg(target_family = "wasm")]
airlock_sdk::export!(UserAccess with_types_in airlock_sdk::bindings);

/// The input, as `schema/input.json` has it: the host has validated it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    org_id: String,
    id: String,
}

fn review_user_access(input: &str) -> Result<Reply, Failure> {
    let input: Input = serde_json::from_str(input).map_err(internal)?;
    let api = Api::new(&input.org_id, &input.id)?;
    let user = api.user()?;
    let policies = api.policies()?;
    let all_groups = api.groups(Inherited::Included)?;
    let direct_groups = api.groups(Inherited::Excluded)?;
    let review = review::join(user, policies, all_groups, direct_groups)?;
    Ok(Reply::Structured(serde_json::to_string(&review).map_err(internal)?))
}
