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
        "{type: oauth2, authorizationServerUri: https://id.example, resource: https://us.example}",
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
fn without_a_value_it_is_no_invitation() {
    for value in ["", "null", "~"] {
        let to = format!("namespace: users-mcp\n      authentication: {value}");
        let told = diagnose(&changed(&[("namespace: users-mcp", &to)]), Mode::Tolerant);
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert!(told.starts_with("error AL006 ") && told.ends_with("exposes[1].authentication"), "{told}");
    }
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
        ("{type: oauth2, scopes: [read]}", format!("warning AL009 44:38 {at}.scopes")),
        ("{type: oauth2, audience: https://us.example}", format!("warning AL009 44:38 {at}.audience")),
    ] {
        let to = format!("namespace: users-mcp\n      authentication: {authentication}");
        let source = changed(&[("namespace: users-mcp", &to)]);
        assert_eq!(diagnose(&source, Mode::Tolerant), [expected], "{authentication}");
    }
}
