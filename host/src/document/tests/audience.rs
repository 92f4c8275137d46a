//! Whose calls an exposed operation takes.

use super::*;
use crate::contract::Audience::{self, Anyone, Known};

/// The operations with their audiences.
fn audiences(plan: &Plan) -> Vec<(&str, Audience)> {
    plan.description.operations.iter().map(|it| (it.name.as_str(), it.audience)).collect()
}

#[test]
fn authentication_of_an_expose_means_known_callers() {
    let rest = "namespace: users-rest";
    for authentication in [
        "{type: bearer}",
        "{type: bearer, token: '{{env.API_KEY}}'}",
        "{type: apikey, key: X-Key, value: '{{API_KEY}}', placement: query}",
        "{type: basic, username: pia, password: '{{API_KEY}}'}",
        "{type: digest, username: '{{API_KEY}}', password: '{{API_KEY}}'}",
        "{type: oauth2, authorizationServerUri: https://id.example, resource: https://us.example, scopes: [read]}",
    ] {
        let plan = plan(&[(rest, &format!("{rest}\n      authentication: {authentication}"))]);
        // The tool does what the REST operation does, for others.
        assert_eq!(audiences(&plan), [("get-user", Known), ("put", Known), ("user-get", Anyone)], "{authentication}");
    }
}

#[test]
fn where_both_ask_for_it_they_are_one_operation() {
    let both = [
        ("namespace: users-rest", "namespace: users-rest\n      authentication: {type: bearer}"),
        ("namespace: users-mcp", "namespace: users-mcp\n      authentication: {type: basic}"),
    ];
    assert_eq!(audiences(&plan(&both)), [("get-user", Known), ("put", Known)]);
    assert_eq!(audiences(&plan(&[])), [("get-user", Anyone), ("put", Anyone)]);
}

#[test]
fn what_is_wrong_with_it_is_told() {
    let at = "capability.exposes[1].authentication";
    for (authentication, expected) in [
        ("{type: bearer, token: hunter2}", format!("warning AL041 44:45 {at}.token")),
        ("{type: bearer, token: '{{OTHER}}'}", format!("error AL040 44:45 {at}.token")),
        ("{type: bearrer}", format!("error AL007 44:30 {at}.type")),
        ("{token: '{{API_KEY}}'}", format!("error AL005 44:23 {at}")),
        ("{type: bearer, key: x}", format!("warning AL004 44:38 {at}.key")),
        ("bearer", format!("error AL006 44:23 {at}")),
    ] {
        let to = format!("namespace: users-mcp\n      authentication: {authentication}");
        let source = changed(&[("namespace: users-mcp", &to)]);
        assert_eq!(diagnose(&source, Mode::Tolerant), [expected], "{authentication}");
    }
}
