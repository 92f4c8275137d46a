//! Security schemes, and the credentials that are made of them.

use serde_json::json;

use super::*;

#[test]
fn credentials_are_secrets_that_the_operator_grants() {
    let secured = |schemes: Value, security: Value| {
        let mut described = with_operation("/x", "get", json!({}));
        described["components"] = json!({"securitySchemes": schemes});
        described["security"] = security;
        let (document, notes) = import(&described, &Options::default());
        let api = &document["capability"]["consumes"][0];
        (api["authentication"].clone(), api["inputParameters"].clone(), document["binds"][0]["keys"].clone(), notes)
    };
    let key = json!({"type": "apiKey", "in": "header", "name": "X-Key"});
    for (scheme, authentication, keys) in [
        (
            key.clone(),
            json!({"type": "apikey", "key": "X-Key", "value": "{{env.T_API_KEY}}", "placement": "header"}),
            vec!["T_API_KEY"],
        ),
        (
            json!({"type": "apiKey", "in": "query", "name": "key"}),
            json!({"type": "apikey", "key": "key", "value": "{{env.T_API_KEY}}", "placement": "query"}),
            vec!["T_API_KEY"],
        ),
        (
            json!({"type": "http", "scheme": "Bearer"}),
            json!({"type": "bearer", "token": "{{env.T_TOKEN}}"}),
            vec!["T_TOKEN"],
        ),
        (
            json!({"type": "http", "scheme": "basic"}),
            json!({"type": "basic", "username": "{{env.T_USER}}", "password": "{{env.T_PASSWORD}}"}),
            vec!["T_USER", "T_PASSWORD"],
        ),
        (
            json!({"type": "http", "scheme": "digest"}),
            json!({"type": "digest", "username": "{{env.T_USER}}", "password": "{{env.T_PASSWORD}}"}),
            vec!["T_USER", "T_PASSWORD"],
        ),
    ] {
        let (written, _, secrets, notes) = secured(json!({"s": scheme}), json!([{"s": []}]));
        assert_eq!((written, notes), (authentication, vec![]), "{scheme}");
        assert_eq!(secrets.as_object().unwrap().keys().collect::<Vec<_>>(), keys);
    }
    let oauth = json!({"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://t.example/token", "scopes": {}}}});
    let (written, _, _, notes) = secured(json!({"o": oauth}), json!([{"o": ["a"]}]));
    assert_eq!(written, json!({"type": "bearer", "token": "{{env.T_TOKEN}}"}));
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("components.securitySchemes.o: ")
            && notes[0].contains("token_url = \"https://t.example/token\""),
        "{notes:?}"
    );

    let two = json!({"a": key, "b": {"type": "apiKey", "in": "query", "name": "app"}});
    let (authentication, parameters, secrets, _) = secured(two, json!([{"a": [], "b": []}]));
    assert_eq!(authentication, Value::Null);
    let expected = json!([
        {"name": "X-Key", "in": "header", "value": "{{env.T_API_KEY}}"},
        {"name": "app", "in": "query", "value": "{{env.T_B_API_KEY}}"},
    ]);
    assert_eq!((parameters, secrets.as_object().unwrap().len()), (expected, 2));

    for scheme in [
        json!({"type": "apiKey", "in": "cookie", "name": "sid"}),
        json!({"type": "http", "scheme": "hoba"}),
        json!({"type": "new"}),
    ] {
        let (written, _, _, notes) = secured(json!({"s": scheme}), json!([{"s": []}]));
        assert_eq!(written, Value::Null);
        assert!(
            notes.iter().any(|it| it.starts_with("paths./x.get.security: no credential is added: s ")),
            "{notes:?}"
        );
    }
}

#[test]
fn operations_with_other_credentials_are_left_out_and_open_ones_are_named() {
    let described = json!({
        "openapi": "3.0.0", "info": {"title": "T"}, "servers": [{"url": "https://t.example"}],
        "security": [{"key": []}],
        "components": {"securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"}, "user": {"type": "http", "scheme": "basic"},
        }},
        "paths": {"/a": {"get": {}}, "/b": {"get": {"security": []}}, "/c": {"get": {"security": [{"user": []}]}}, "/d": {"get": {"security": [{"user": []}, {"key": []}]}}},
    });
    let (document, notes) = import(&described, &Options::default());
    assert_eq!(document["capability"]["exposes"][1]["tools"].as_array().unwrap().len(), 3);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with("paths./c.get: left out: it needs user, and the API's credential is key"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("paths./b.get.security: left out: that no credential is needed"), "{notes:?}");
    let alone = Options { operations: vec![], paths: vec!["/c".to_owned()], ..Options::default() };
    let (document, notes) = import(&described, &alone);
    assert_eq!(document["capability"]["consumes"][0]["authentication"]["type"], "basic");
    assert_eq!(notes, [""; 0]);
}
