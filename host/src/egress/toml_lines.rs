//! The lines that an operator adds to `airlock.toml`, as text for hints.
//!
//! Nothing is read or written here: `config` knows what the lines mean.

use super::clients::token_endpoint;
use crate::{
    contract::{Origin, Origins, PLACEHOLDER, Upstream},
    grant::Pattern,
};

/// The grant that covers all that a plugin declares, ready to paste; secrets come from where the document supposes them. Upstreams
/// that aren't destinations are left out: `Egress::new` tells of them.
pub fn needed_grant(plugin: &str, upstreams: &[Upstream], origins: &Origins) -> String {
    let mut secrets: Vec<String> = Vec::new();
    for upstream in upstreams {
        let origin = |name: &str| origins.iter().find(|(known, _)| known == name).map(|(_, origin)| origin);
        for line in upstream.secret_names().map(|name| secret_from(name, origin(name))) {
            if !secrets.contains(&line) {
                secrets.push(line);
            }
        }
    }
    let destinations = destinations(upstreams);
    let mut lines = vec![hosts(&[], destinations.iter().cloned())];
    lines.extend(destinations.iter().filter(|it| is_placeholder(it)).map(lead));
    lines.append(&mut secrets);
    section(plugin, &lines)
}

/// All that has to be granted for what a plugin declares: its upstreams, and the endpoints of their tokens, each once.
pub(super) fn destinations(upstreams: &[Upstream]) -> Vec<Pattern> {
    let mut destinations: Vec<Pattern> = Vec::new();
    for upstream in upstreams {
        let endpoints = upstream.credentials.iter().filter_map(token_endpoint).map(Pattern::from);
        for destination in Pattern::parse(&upstream.base_url).ok().into_iter().chain(endpoints) {
            if !destinations.contains(&destination) {
                destinations.push(destination);
            }
        }
    }
    destinations
}

/// The section of a plugin's grant with the given lines in it.
pub(super) fn section(plugin: &str, lines: &[String]) -> String {
    format!("[grants.{}]\n{}", key(plugin), lines.join("\n"))
}

/// The line that grants destinations. It holds the present ones too, as it takes the place of their line.
pub(super) fn hosts(present: &[Pattern], added: impl IntoIterator<Item = Pattern>) -> String {
    let all = present.iter().cloned().chain(added).map(|pattern| string(&pattern.to_string()));
    format!("hosts = [{}]", all.collect::<Vec<_>>().join(", "))
}

/// The line that grants methods. It holds the present ones too, as it takes the place of their line.
pub(super) fn methods(present: &[String], added: &str) -> String {
    let all = present.iter().map(String::as_str).chain([added]).map(string);
    format!("methods = [{}]", all.collect::<Vec<_>>().join(", "))
}

/// The line that grants a secret from the environment variable of its own name.
pub(super) fn secret(name: &str) -> String {
    format!("secrets.{} = {{ env = {} }}", key(name), string(name))
}

fn secret_from(name: &str, origin: Option<&Origin>) -> String {
    match origin {
        None | Some(Origin::Elsewhere) => secret(name),
        Some(Origin::Env(variable)) => format!("secrets.{} = {{ env = {} }}", key(name), string(variable)),
        Some(Origin::File { path, key: member }) => {
            format!("secrets.{} = {{ file = {}, key = {} }}", key(name), string(path), string(member))
        }
    }
}

/// The line by which the operator vouches for whatever addresses a destination resolves to: a rewrite to itself.
pub(super) fn vouch(origin: &str) -> String {
    format!("upstreams.{origin} = {origin}", origin = string(origin))
}

/// Whether a destination stands for an address that only the operator knows.
pub(super) fn is_placeholder(at: &Pattern) -> bool {
    at.single().is_some_and(|it| it.host.ends_with(PLACEHOLDER))
}

/// The line by which the operator says where it is what only has a placeholder for an address. The address is theirs to fill in.
pub(super) fn lead(placeholder: &Pattern) -> String {
    let origin = placeholder.single().map_or_else(|| placeholder.to_string(), |it| it.origin().to_string());
    format!("upstreams.{} = \"https://…\"", string(&origin))
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { string(name) }
}

/// A basic TOML string: its escapes are those of JSON.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Credential, Placement, TokenRequest};

    #[test]
    fn a_grant_for_all_that_is_declared() {
        let upstream = |base_url: &str, value: &str| Upstream {
            base_url: base_url.to_owned(),
            methods: vec!["GET".to_owned()],
            credentials: vec![Credential { placement: Placement::Query("k".to_owned()), value: value.to_owned() }],
            name: None,
        };
        let upstreams = [
            upstream("https://a.example", "{{KEY}}:{{OTHER}}"),
            upstream("https://A.example:443/", "{{KEY}}"),
            upstream("https://b.example/v1", ""),
            upstream("https://*.c.example", ""),
            upstream("not a destination", ""),
        ];
        assert_eq!(
            needed_grant("demo", &upstreams, &Origins::new()),
            "[grants.demo]\nhosts = [\"https://a.example\", \"https://b.example/v1\", \"https://*.c.example\"]\nsecrets.KEY = { env \
             = \"KEY\" }\nsecrets.OTHER = { env = \"OTHER\" }"
        );
        assert_eq!(needed_grant("demo", &[], &Origins::new()), "[grants.demo]\nhosts = []");
        let request = TokenRequest {
            url: "https://id.example/token?p=1".to_owned(),
            client_id: "{{ID}}".to_owned(),
            scope: None,
            audience: None,
            resource: None,
        };
        let oauth2 = Credential { placement: Placement::OAuth2(request), value: "{{SECRET}}".to_owned() };
        let declared = Upstream { credentials: vec![oauth2], ..upstream("https://host.invalid/v1", "") };
        assert_eq!(
            needed_grant("demo", &[declared], &Origins::new()),
            "[grants.demo]\nhosts = [\"https://host.invalid/v1\", \"https://id.example/token\"]\nupstreams.\"https://host.invalid\" \
             = \"https://…\"\nsecrets.ID = { env = \"ID\" }\nsecrets.SECRET = { env = \"SECRET\" }"
        );
        let origins = vec![
            ("KEY".to_owned(), Origin::Env("VARIABLE".to_owned())),
            ("OTHER".to_owned(), Origin::File { path: "/run/s.yaml".to_owned(), key: "a".to_owned() }),
        ];
        assert_eq!(
            needed_grant("demo", &upstreams[..1], &origins),
            "[grants.demo]\nhosts = [\"https://a.example\"]\nsecrets.KEY = { env = \"VARIABLE\" }\nsecrets.OTHER = { file = \
             \"/run/s.yaml\", key = \"a\" }"
        );
    }

    #[test]
    fn lines() {
        let at = |text: &str| Pattern::parse(text).unwrap();
        for (line, expected) in [
            (section("metal-users", &["x = 1".into(), "y = 2".into()]), "[grants.metal-users]\nx = 1\ny = 2"),
            (section("a.b \"c\"", &["x = 1".into()]), "[grants.\"a.b \\\"c\\\"\"]\nx = 1"),
            (hosts(&[at("http://a")], [at("https://b:8443/v1")]), r#"hosts = ["http://a", "https://b:8443/v1"]"#),
            (methods(&["GET".into()], "PUT"), r#"methods = ["GET", "PUT"]"#),
            (secret("API_KEY"), r#"secrets.API_KEY = { env = "API_KEY" }"#),
            (secret("api.key"), r#"secrets."api.key" = { env = "api.key" }"#),
            (vouch("https://a"), r#"upstreams."https://a" = "https://a""#),
        ] {
            assert_eq!(line, expected);
        }
    }
}
