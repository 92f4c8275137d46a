//! Tables of requests: what is permitted, what is denied by which rule, and what the hints say.

use super::*;
use crate::{egress::GrantError, grant::Rewrite};

fn at(text: &str) -> Destination {
    Destination::parse(text).unwrap()
}

fn upstream(base_url: &str, methods: &[&str]) -> Upstream {
    let methods = methods.iter().map(ToString::to_string).collect();
    Upstream { base_url: base_url.into(), methods, credentials: Vec::new(), name: None }
}

/// Two declared upstreams at one origin, a third one that isn't granted, and one that is granted more narrowly than declared.
fn policy() -> Policy {
    let upstreams = [
        upstream("https://api.m3ter.com", &["GET", "PUT", "POST"]),
        upstream("https://api.m3ter.com/organizations", &["GET"]),
        upstream("https://other.example/v1", &["GET"]),
        upstream("https://wide.example", &["GET"]),
        upstream("http://bücher.example:8080", &["GET"]),
    ];
    let grant = Grant {
        hosts: ["https://API.m3ter.com:443/", "https://wide.example/v1", "http://xn--bcher-kva.example:8080"]
            .map(|host| at(host).into())
            .into(),
        methods: Some(vec!["GET".into(), "PUT".into()]),
        rewrites: vec![
            Rewrite { from: at("https://wide.example/v1"), to: at("http://127.0.0.1:4010/wide") },
            Rewrite { from: at("https://wide.example/v1/raw"), to: at("http://[::1]:4011") },
        ],
        ..Grant::default()
    };
    Policy::new("demo", &grant, &upstreams).unwrap()
}

/// Where a request is sent, and the declared upstream whose credentials it gets.
fn check(policy: &Policy, method: &str, uri: &str) -> Result<(String, usize), &'static str> {
    let uri: Uri = uri.parse().unwrap_or_else(|e| panic!("{uri}: {e}"));
    let permitted = policy.check(&method.parse().unwrap(), &uri, None).map_err(|denial| denial.rule().name())?;
    Ok((permitted.uri(uri.query()).unwrap().to_string(), permitted.upstream()))
}

#[test]
fn permitted() {
    let policy = policy();
    for (method, uri, sent, upstream) in [
        ("GET", "https://api.m3ter.com", "https://api.m3ter.com/", 0),
        ("PUT", "https://api.m3ter.com/x?a=b", "https://api.m3ter.com/x?a=b", 0),
        ("GET", "HTTPS://API.M3TER.COM:443/X/", "https://api.m3ter.com/X/", 0),
        ("GET", "https://api.m3ter.com//x", "https://api.m3ter.com//x", 0),
        // The longest declared prefix that allows the method supplies the credential.
        ("GET", "https://api.m3ter.com/organizations", "https://api.m3ter.com/organizations", 1),
        ("GET", "https://api.m3ter.com/organizations/1", "https://api.m3ter.com/organizations/1", 1),
        ("PUT", "https://api.m3ter.com/organizations/1", "https://api.m3ter.com/organizations/1", 0),
        ("GET", "https://api.m3ter.com/organizationsX", "https://api.m3ter.com/organizationsX", 0),
        ("GET", "http://xn--bcher-kva.example:8080/a", "http://xn--bcher-kva.example:8080/a", 4),
        ("GET", "https://wide.example/v1", "http://127.0.0.1:4010/wide", 3),
        ("GET", "https://wide.example/v1/?q", "http://127.0.0.1:4010/wide/?q", 3),
        ("GET", "https://wide.example/v1/a/b?q=1", "http://127.0.0.1:4010/wide/a/b?q=1", 3),
        ("GET", "https://wide.example/v1/raw", "http://[::1]:4011/", 3),
        ("GET", "https://wide.example/v1/raw/x", "http://[::1]:4011/x", 3),
    ] {
        let expected = (sent.to_owned(), upstream);
        assert_eq!(check(&policy, method, uri), Ok(expected), "{method} {uri}");
    }
}

#[test]
fn denied() {
    let policy = policy();
    for (method, uri, rule) in [
        ("GET", "https://evil.example/", "host-not-declared"),
        ("GET", "https://m3ter.com/", "host-not-declared"),
        ("GET", "https://xapi.m3ter.com/", "host-not-declared"),
        ("GET", "https://api.m3ter.com.evil.example/", "host-not-declared"),
        ("GET", "http://127.0.0.1:4010/wide", "host-not-declared"),
        ("GET", "http://127.1/", "host-not-declared"),
        ("GET", "http://2130706433/", "host-not-declared"),
        ("GET", "http://0x7f.1/", "host-not-declared"),
        ("GET", "http://[::ffff:127.0.0.1]/", "host-not-declared"),
        ("GET", "http://169.254.169.254/latest", "host-not-declared"),
        ("GET", "http://api.m3ter.com/", "scheme-not-declared"),
        ("GET", "https://api.m3ter.com:8443/", "port-not-declared"),
        ("GET", "https://other.example/v10", "path-not-declared"),
        ("DELETE", "https://api.m3ter.com/", "method-not-declared"),
        ("get", "https://api.m3ter.com/", "method-not-declared"),
        ("HEAD", "https://api.m3ter.com/", "method-not-declared"),
        ("GET", "https://other.example/v1/x", "host-not-granted"),
        ("GET", "https://wide.example/v2", "path-not-granted"),
        ("GET", "https://wide.example/v1x", "path-not-granted"),
        ("POST", "https://api.m3ter.com/", "method-not-granted"),
        ("GET", "ftp://api.m3ter.com/", "scheme-not-supported"),
        ("GET", "/no/host", "scheme-not-supported"),
        ("GET", "https://api.m3ter.com./", "authority-forbidden"),
        ("GET", "https://api.m3ter.com:/", "authority-forbidden"),
        ("GET", "https://api.m3ter.com:99999/", "authority-forbidden"),
        ("GET", "https://api.m3ter.com@evil.example/", "userinfo-forbidden"),
        ("GET", "https://user:pass@api.m3ter.com/", "userinfo-forbidden"),
        ("CONNECT", "https://api.m3ter.com/", "method-forbidden"),
        ("TRACE", "https://api.m3ter.com/", "method-forbidden"),
        ("GET", "https://wide.example/v1/../v2", "path-forbidden"),
        ("GET", "https://wide.example/v1/%2e%2e/v2", "path-forbidden"),
        ("GET", "https://wide.example/v1/..%2Fv2", "path-forbidden"),
        ("GET", "https://wide.example/v1\\..\\v2", "path-forbidden"),
    ] {
        assert_eq!(check(&policy, method, uri), Err(rule), "{method} {uri}");
    }
}

/// A plugin for an API with a host per tenant, beside a host of that name with a credential of its own.
fn tenants(hosts: &[&str]) -> Policy {
    let upstreams =
        [upstream("https://*.tenants.example/api", &["GET"]), upstream("https://admin.tenants.example", &["GET"])];
    let grant = Grant {
        hosts: hosts.iter().map(|host| Pattern::parse(host).unwrap()).collect(),
        rewrites: vec![Rewrite { from: at("https://b.tenants.example"), to: at("http://127.0.0.1:4010") }],
        ..Grant::default()
    };
    Policy::new("demo", &grant, &upstreams).unwrap()
}

#[test]
fn a_star_is_one_level() {
    let policy = tenants(&["https://*.tenants.example"]);
    for (uri, expected) in [
        ("https://a.tenants.example/api/x", Ok(("https://a.tenants.example/api/x", 0))),
        ("https://A.Tenants.Example/api", Ok(("https://a.tenants.example/api", 0))),
        ("https://b.tenants.example/api", Ok(("http://127.0.0.1:4010/api", 0))),
        // One host by name is closer than many by a star, however long its prefix.
        ("https://admin.tenants.example/api", Ok(("https://admin.tenants.example/api", 1))),
        ("https://tenants.example/api", Err("host-not-declared")),
        ("https://a.b.tenants.example/api", Err("host-not-declared")),
        ("https://atenants.example/api", Err("host-not-declared")),
        ("https://a.tenants.example.evil.test/api", Err("host-not-declared")),
        ("https://.tenants.example/api", Err("authority-forbidden")),
        ("https://*.tenants.example/api", Err("authority-forbidden")),
        ("http://a.tenants.example/api", Err("scheme-not-declared")),
        ("https://a.tenants.example:8443/api", Err("port-not-declared")),
        ("https://a.tenants.example/apis", Err("path-not-declared")),
    ] {
        let expected = expected.map(|(sent, upstream)| (sent.to_owned(), upstream));
        assert_eq!(check(&policy, "GET", uri), expected, "{uri}");
    }
}

#[test]
fn of_declared_hosts_with_a_star_one_can_be_granted() {
    let policy = tenants(&["https://a.tenants.example", "https://*.other.example"]);
    assert!(check(&policy, "GET", "https://a.tenants.example/api").is_ok());
    let uri = "https://b.tenants.example/api/x".parse().unwrap();
    let denial = policy.check(&Method::GET, &uri, None).unwrap_err();
    assert_eq!(denial.rule().name(), "host-not-granted");
    assert_eq!(
        denial.hint().lines().last(),
        Some("hosts = [\"https://a.tenants.example\", \"https://*.other.example\", \"https://b.tenants.example/api\"]")
    );
}

#[test]
fn a_grant_of_one_level_fits_no_other() {
    let declared = [upstream("https://*.tenants.example/api", &["GET"])];
    for (host, fits) in [
        ("https://*.tenants.example", true),
        ("https://*.tenants.example/api/v1", true),
        ("https://a.tenants.example", true),
        ("https://tenants.example", false),
        ("https://*.a.tenants.example", false),
        ("http://*.tenants.example", false),
        ("https://*.tenants.example:8443", false),
        ("https://*.tenants.example/other", false),
    ] {
        let grant = Grant { hosts: vec![Pattern::parse(host).unwrap()], ..Grant::default() };
        let policy = Policy::new("demo", &grant, &declared);
        assert_eq!(policy.is_ok(), fits, "{host}: {policy:?}");
    }
}

#[test]
fn hints_hold_the_lines_to_add() {
    let policy = policy();
    let denial = |method: &str, uri: &str| {
        policy.check(&method.parse().unwrap(), &uri.parse().unwrap(), None).unwrap_err().to_string()
    };
    assert_eq!(
        denial("GET", "https://other.example/v1/x?token=1"),
        "request denied by rule host-not-granted: GET https://other.example/v1/x\nadd to airlock.toml:\n[grants.demo]\nhosts = \
         [\"https://api.m3ter.com\", \"https://wide.example/v1\", \"http://xn--bcher-kva.example:8080\", \"https://other.example/v1\"]"
    );
    assert_eq!(
        denial("POST", "https://api.m3ter.com/x"),
        "request denied by rule method-not-granted: POST https://api.m3ter.com/x\nadd to airlock.toml:\n[grants.demo]\nmethods = \
         [\"GET\", \"PUT\", \"POST\"]"
    );
    assert_eq!(
        denial("GET", "https://evil.example/x"),
        "request denied by rule host-not-declared: GET https://evil.example/x\nthe plugin doesn't declare it; declare an \
         upstream: https://evil.example with method GET"
    );
    assert_eq!(
        denial("GET", "https://api.m3ter.com/\u{9b}31m\u{202e}"),
        "request denied by rule path-forbidden: GET https://api.m3ter.com/\u{fffd}31m\u{fffd}\nnot a usable address: path has a \
         character that must be percent-encoded"
    );
    let uri = "https://api.m3ter.com/x?a=b".parse().unwrap();
    let permitted = policy.check(&Method::GET, &uri, None).unwrap();
    assert_eq!(
        policy.vouching_hint(&permitted).lines().last(),
        Some("upstreams.\"https://api.m3ter.com\" = \"https://api.m3ter.com\"")
    );
    assert_eq!(
        policy.denied_address_hint(),
        "its address lies in a range that airlock.toml denies, under addresses.deny in [grants.demo]"
    );
}

#[test]
fn a_grant_that_does_not_fit_says_all_that_is_missing() {
    let upstreams = [
        upstream("https://a.example", &["GET"]),
        upstream("https://b.example", &["GET"]),
        upstream("c.example", &["GET"]),
    ];
    let nothing = GrantError::new("demo", Policy::new("demo", &Grant::default(), &upstreams).unwrap_err());
    assert_eq!(
        nothing.to_string(),
        "plugin can't use its grant: demo\n  declared upstream is not usable: c.example: no scheme, expected http:// or https://\n  \
         none of the declared upstreams is granted: https://a.example, https://b.example\nadd to airlock.toml:\n[grants.demo]\nhosts \
         = [\"https://a.example\", \"https://b.example\"]"
    );
}

#[test]
fn a_name_chooses_and_never_allows() {
    let named =
        |name: &str, base: &str, methods: &[&str]| Upstream { name: Some(name.into()), ..upstream(base, methods) };
    let upstreams = [
        upstream("https://a.example/v1/deep", &["GET"]),
        upstream("https://a.example/v1", &["GET"]),
        named("one", "https://a.example/v1", &["GET", "POST"]),
        named("two", "https://not-granted.example", &["GET"]),
    ];
    let grant = Grant { hosts: vec![at("https://a.example/v1").into()], ..Grant::default() };
    let policy = Policy::new("demo", &grant, &upstreams).unwrap();
    for (name, method, uri, expected) in [
        (None, "GET", "https://a.example/v1", Ok(1)),
        (None, "GET", "https://a.example/v1/deep", Ok(0)),
        (Some("one"), "GET", "https://a.example/v1", Ok(2)),
        (Some("one"), "GET", "https://a.example/v1/deep", Ok(2)),
        (Some("three"), "GET", "https://a.example/v1", Ok(1)),
        // What only a named one declares has to be asked for by its name.
        (Some("one"), "POST", "https://a.example/v1", Ok(2)),
        (None, "POST", "https://a.example/v1", Err("method-not-declared")),
        (Some("two"), "POST", "https://a.example/v1", Err("host-not-declared")),
        // Nor does it get what others have who need no name.
        (Some("two"), "GET", "https://a.example/v1", Err("host-not-declared")),
        (Some("one"), "DELETE", "https://a.example/v1", Err("method-not-declared")),
        (Some("one"), "GET", "https://a.example/v2", Err("path-not-declared")),
        (Some("two"), "GET", "https://not-granted.example/", Err("host-not-granted")),
    ] {
        let uri: Uri = uri.parse().unwrap();
        let checked = policy.check(&method.parse().unwrap(), &uri, name);
        let upstream = checked.map(|it| it.upstream()).map_err(|denial| denial.rule().name());
        assert_eq!(upstream, expected, "{name:?} {method} {uri}");
    }
}

#[test]
fn a_placeholder_has_to_be_led_somewhere() {
    let upstreams = [upstream("https://api_host.invalid/v1", &["GET"]), upstream("https://a.example", &["GET"])];
    let hosts = vec![at("https://api_host.invalid/v1").into(), at("https://a.example").into()];
    let led = |from: &str| Grant {
        hosts: hosts.clone(),
        rewrites: vec![Rewrite { from: at(from), to: at("https://real.example:8443/x") }],
        ..Grant::default()
    };
    for from in ["https://a.example", "https://api_host.invalid/v1/only", "http://api_host.invalid"] {
        let error = GrantError::new("demo", Policy::new("demo", &led(from), &upstreams).unwrap_err());
        assert_eq!(
            error.to_string(),
            "plugin can't use its grant: demo\n  address of an upstream is missing: https://api_host.invalid/v1\nadd to \
             airlock.toml:\n[grants.demo]\nupstreams.\"https://api_host.invalid\" = \"https://…\"",
            "{from}"
        );
    }
    let policy = Policy::new("demo", &led("https://api_host.invalid"), &upstreams).unwrap();
    let sent = check(&policy, "GET", "https://api_host.invalid/v1/y");
    assert_eq!(sent, Ok(("https://real.example:8443/x/v1/y".to_owned(), 0)));
    // Who isn't granted it doesn't need its address.
    let other = Grant { hosts: vec![at("https://a.example").into()], ..Grant::default() };
    assert!(Policy::new("demo", &other, &upstreams).is_ok());
}
