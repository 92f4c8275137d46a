//! Exposes of type `control`: what the host does anyway is a warning, what it doesn't is an error.

use super::*;

#[test]
fn control_endpoints_are_the_hosts_own() {
    let at = "capability.exposes[0]";
    let with =
        |control: &str| changed(&[("  exposes:\n", &format!("  exposes:\n    - {{type: control, {control}}}\n"))]);
    for (control, more) in [
        ("port: 9901", vec![]),
        ("port: 9901, address: localhost, management: {health: true, info: false, logs: false}", vec![]),
        ("observability: {enabled: true, metrics: {local: {enabled: true}}}", vec![]),
        ("authentication: {type: bearer, token: '{{API_KEY}}'}", vec![]),
        ("management: {health: false}", vec!["warning AL100 31:36 @.management.health"]),
        ("management: {info: true}", vec!["error AL009 31:36 @.management.info"]),
        (
            "management: {reload: true, validate: true}",
            vec!["error AL009 31:36 @.management.reload", "error AL009 31:50 @.management.validate"],
        ),
        ("management: {logs: {stream: true}}", vec!["error AL009 31:36 @.management.logs"]),
        ("management: {scripting: {enabled: true}}", vec!["error AL009 31:36 @.management.scripting"]),
        ("observability: {traces: {sampling: 1}}", vec!["error AL009 31:39 @.observability.traces"]),
        ("observability: {exporters: {}}", vec!["error AL009 31:39 @.observability.exporters"]),
        ("resources: []", vec!["warning AL004 31:23 @.resources"]),
        ("authentication: {type: bearer, token: plain}", vec!["warning AL041 31:61 @.authentication.token"]),
    ] {
        let mut expected = vec![format!("warning AL100 31:14 {at}.type")];
        expected.extend(more.iter().map(|it| it.replace('@', at)));
        assert_eq!(diagnose(&with(control), Mode::Tolerant), expected, "{control}");
    }
}
