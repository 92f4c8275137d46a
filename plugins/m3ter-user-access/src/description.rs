//! What the host and callers are told: the operation, its schemas, its route and tool, and what it needs to reach.
//!
//! Nothing here is computed. The host denies every request that isn't covered by [`upstream`].

use airlock_sdk::{
    Audience, Credential, Description, Effects, Location, Operation, Parameter, Placement, Route, Upstream,
};

use crate::api;

/// The name of the operation.
pub const REVIEW: &str = "reviewuseraccess";

pub fn description() -> Description {
    Description {
        title: "m3ter user access".to_owned(),
        summary: "Reviews of what a user of an m3ter organization may do, and why.".to_owned(),
        operations: vec![operation()],
        upstreams: vec![upstream()],
    }
}

fn operation() -> Operation {
    Operation {
        name: REVIEW.to_owned(),
        title: Some("Review a user's access".to_owned()),
        description: "Reviews what one user may do in an m3ter organization, in one answer: who they are, until when they have \
            access, the groups they are in (directly or inherited), the statements and policies that apply to them, and for each \
            resource the actions that those allow and deny. Use it to answer \"what can this person do, and why\" or before \
            changing somebody's access. It reads only. If `complete` is false, there was more than one review reads. To find a \
            user's id, call list-orgusers."
            .to_owned(),
        input_schema: include_str!("../schema/input.json").to_owned(),
        output_schema: Some(include_str!("../schema/output.json").to_owned()),
        effects: Effects {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: true,
        },
        audience: Audience::Anyone,
        route: Some(Route {
            method: "GET".to_owned(),
            path: "/v1/organizations/{orgId}/users/{id}/access".to_owned(),
            parameters: vec![in_path("orgId"), in_path("id")],
        }),
        tool: Some("review-user-access".to_owned()),
    }
}

fn in_path(name: &str) -> Parameter {
    Parameter { input: name.to_owned(), location: Location::Path, name: name.to_owned() }
}

fn upstream() -> Upstream {
    Upstream {
        base_url: api::BASE_URL.to_owned(),
        methods: vec!["GET".to_owned()],
        credentials: vec![Credential {
            placement: Placement::Header("authorization".to_owned()),
            value: "Bearer {{M3TER_API_KEY}}".to_owned(),
        }],
        name: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_route_fills_every_input() {
        let operation = operation();
        let schema: Value = serde_json::from_str(&operation.input_schema).unwrap();
        let route = operation.route.unwrap();
        let filled: Vec<&str> = route.parameters.iter().map(|it| it.input.as_str()).collect();
        for input in schema["properties"].as_object().unwrap().keys() {
            assert!(filled.contains(&input.as_str()), "{input}");
            assert!(route.path.contains(&format!("{{{input}}}")), "{input}");
        }
    }
}
