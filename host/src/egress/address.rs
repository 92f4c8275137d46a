//! Which network addresses a request may be sent to: public ones, and those that the operator named; none that the operator denies.
//!
//! No name is resolved here and no connection made: `connect` asks about each address that a name resolved to.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::grant::{Addresses, Destination, Grant, TokenUrl};

/// An address that may be connected to. Only the checks below make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reachable(IpAddr);

impl Reachable {
    pub(super) fn address(self) -> IpAddr {
        self.0
    }
}

/// Why an address may not be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// It lies in a range that the operator denies.
    Denied,
    /// It isn't public, and the operator named neither the host nor the address. With the kind of address.
    NotPublic(&'static str),
}

/// The operator's word on addresses.
///
/// Some destinations are *named*, as `(host, port)`: there, any address that isn't denied may be connected to. They are
/// - the granted hosts and token endpoints that are written as an address or as `localhost`: nobody writes those without meaning
///   that very machine;
/// - the target of each rewrite: a staging system or a simulator lives in a private network, whatever its name.
///
/// A granted host *name* isn't among them. Whoever controls the name's DNS records could point it at any machine near this one;
/// `addresses.allow` says which of those are meant.
#[derive(Debug)]
pub(super) struct AddressPolicy {
    named: HashSet<(String, u16)>,
    ranges: Addresses,
}

impl AddressPolicy {
    pub(super) fn new(grant: &Grant) -> Self {
        let is_literal =
            |destination: &Destination| destination.host == "localhost" || destination.host.parse::<IpAddr>().is_ok();
        let endpoints = grant.token_urls().map(TokenUrl::origin).cloned();
        let granted = grant.hosts.iter().filter_map(|host| host.single()).chain(endpoints).filter(is_literal);
        let targets = grant.rewrites.iter().map(|rewrite| rewrite.to.clone());
        let named = granted.chain(targets).map(|destination| (destination.host, destination.port)).collect();
        Self { named, ranges: grant.addresses.clone() }
    }

    /// Decides about one address that `host` resolved to.
    pub(super) fn check(&self, host: &str, port: u16, address: IpAddr) -> Result<Reachable, Unreachable> {
        let within = |ranges: &[IpNet], address: IpAddr| ranges.iter().any(|range| range.contains(&address));
        if within(&self.ranges.deny, address) || carried(address).is_some_and(|v4| within(&self.ranges.deny, v4.into()))
        {
            return Err(Unreachable::Denied);
        }
        // The system connects to `::ffff:a.b.c.d` as a.b.c.d, so that's the address that is meant.
        let is_named = self.named.contains(&(host.to_owned(), port));
        match not_public(address) {
            Some(kind) if !is_named && !within(&self.ranges.allow, address.to_canonical()) => {
                Err(Unreachable::NotPublic(kind))
            }
            _ => Ok(Reachable(address)),
        }
    }
}

/// The IPv4 address that packets to an IPv6 address end at: as the system itself connects, or behind a translator or a tunnel.
/// Forms that only a certain network knows (a NAT64 prefix of its own, ISATAP) can't be recognised.
fn carried(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else {
        return None;
    };
    let [_, _, a, b, c, d, .., e, f, g, h] = v6.octets();
    if SIX_TO_FOUR.contains(&v6) {
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    let ends_in_v4 = [V4_MAPPED, V4_COMPATIBLE, V4_TRANSLATED, NAT64, LOCAL_NAT64].iter().any(|net| net.contains(&v6));
    ends_in_v4.then_some(Ipv4Addr::new(e, f, g, h))
}

/// Why `address` isn't an ordinary public address; `None` = it is one.
fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => not_public_v4(v4),
        IpAddr::V6(v6) => not_public_v6(v6),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    NOT_PUBLIC_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, kind)| *kind)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    // The system connects to `::ffff:a.b.c.d` as a.b.c.d. In networks with NAT64 every IPv4-only name resolves to
    // 64:ff9b::a.b.c.d, so that prefix can't be refused as a whole.
    if V4_MAPPED.contains(&address) || NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return not_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 has ever been given out; what lies outside is one kind of special address or another, known or to come.
    NOT_PUBLIC_V6
        .iter()
        .find(|(net, _)| net.contains(&address))
        .map(|(_, kind)| *kind)
        .or((!GLOBAL_UNICAST.contains(&address)).then_some("reserved"))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(segments: [u16; 8], length: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = segments;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

const V4_MAPPED: Ipv6Net = v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
const V4_COMPATIBLE: Ipv6Net = v6([0, 0, 0, 0, 0, 0, 0, 0], 96);
const V4_TRANSLATED: Ipv6Net = v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96);
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const LOCAL_NAT64: Ipv6Net = v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// The IANA special-purpose registry for IPv4, plus one address of a cloud's metadata service that looks public.
const NOT_PUBLIC_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(168, 63, 129, 16, 32), "cloud metadata"),
    (v4(169, 254, 0, 0, 16), "link-local or cloud metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast"),
];

/// The IANA special-purpose registry for IPv6. Tunnels (6to4, Teredo) are refused as a whole: they carry an IPv4 address to
/// connect to, and no API is reached through them.
const NOT_PUBLIC_V6: &[(Ipv6Net, &str)] = &[
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (V4_COMPATIBLE, "IPv4-compatible"),
    (V4_TRANSLATED, "IPv4-translated"),
    (LOCAL_NAT64, "local NAT64"),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard-only"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "Teredo"),
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "benchmarking"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "reserved"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation"),
    (SIX_TO_FOUR, "6to4"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), "cloud metadata"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "private"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "private"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::{
        ClientAuthentication, ClientCredentials, Pattern, Rewrite, Secret, Source, Stored, parse_range,
    };

    fn token_from(url: &str) -> Source {
        Source::OAuth2(Box::new(ClientCredentials {
            token_url: TokenUrl::parse(url).unwrap(),
            client_id: "me".to_owned(),
            client_secret: Stored::Value(Secret::new("secret".to_owned())),
            scope: None,
            audience: None,
            authentication: ClientAuthentication::Basic,
        }))
    }

    #[test]
    fn refused_addresses() {
        for (address, kind) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("100.64.0.1", "carrier-grade NAT"),
            ("100.100.100.200", "carrier-grade NAT"),
            ("100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("168.63.129.16", "cloud metadata"),
            ("169.254.169.254", "link-local or cloud metadata"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "reserved"),
            ("192.0.2.1", "documentation"),
            ("192.88.99.1", "6to4 relay"),
            ("192.168.1.1", "private"),
            ("198.18.0.1", "benchmarking"),
            ("198.19.255.255", "benchmarking"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved or broadcast"),
            ("255.255.255.255", "reserved or broadcast"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "IPv4-compatible"),
            ("::8.8.8.8", "IPv4-compatible"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.0.0.1", "private"),
            ("::ffff:169.254.169.254", "link-local or cloud metadata"),
            ("::ffff:0:127.0.0.1", "IPv4-translated"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::a9fe:a9fe", "link-local or cloud metadata"),
            ("64:ff9b:1::8.8.8.8", "local NAT64"),
            ("100::1", "discard-only"),
            ("2001::1", "Teredo"),
            ("2001:2::1", "benchmarking"),
            ("2001:10::1", "reserved"),
            ("2001:20::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("2002:7f00:1::", "6to4"),
            ("2002:808:808::", "6to4"),
            ("3fff::1", "documentation"),
            ("4000::1", "reserved"),
            ("5f00::1", "reserved"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "cloud metadata"),
            ("fd12::1", "private"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(not_public(address.parse().unwrap()), Some(kind), "{address}");
        }
    }

    #[test]
    fn public_addresses() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(not_public(address.parse().unwrap()), None, "{address}");
        }
    }

    fn at(text: &str) -> Destination {
        Destination::parse(text).unwrap()
    }

    /// A grant with one of each: a literal, `localhost`, a name, a star, a rewrite; and ranges that are allowed and denied.
    fn policy(allow: &[&str], deny: &[&str]) -> AddressPolicy {
        let hosts =
            ["http://10.0.0.5:8080", "http://localhost", "http://[::1]", "https://api.example", "https://*.my.example"];
        let ranges = |texts: &[&str]| texts.iter().map(|text| parse_range(text).unwrap()).collect();
        AddressPolicy::new(&Grant {
            hosts: hosts.map(|host| Pattern::parse(host).unwrap()).into(),
            addresses: Addresses { allow: ranges(allow), deny: ranges(deny) },
            rewrites: vec![Rewrite { from: at("https://api.example"), to: at("https://staging.internal") }],
            secrets: [
                ("A".to_owned(), token_from("http://10.0.0.7:9000/token")),
                ("B".to_owned(), token_from("https://login.internal/token")),
            ]
            .into(),
            ..Grant::default()
        })
    }

    fn check(policy: &AddressPolicy, table: &[(&str, u16, &str, Result<(), Unreachable>)]) {
        for (host, port, address, expected) in table {
            let address = address.parse().unwrap();
            assert_eq!(
                policy.check(host, *port, address),
                expected.map(|()| Reachable(address)),
                "{host}:{port} {address}"
            );
        }
    }

    #[test]
    fn only_the_operator_names_private_addresses() {
        let not_public = |kind| Err(Unreachable::NotPublic(kind));
        check(
            &policy(&[], &[]),
            &[
                ("10.0.0.5", 8080, "10.0.0.5", Ok(())),
                ("10.0.0.5", 80, "10.0.0.5", not_public("private")),
                ("10.0.0.6", 8080, "10.0.0.6", not_public("private")),
                ("localhost", 80, "127.0.0.1", Ok(())),
                ("localhost", 8080, "127.0.0.1", not_public("loopback")),
                ("::1", 80, "::1", Ok(())),
                ("10.0.0.7", 9000, "10.0.0.7", Ok(())),
                ("10.0.0.7", 80, "10.0.0.7", not_public("private")),
                ("login.internal", 443, "10.1.2.3", not_public("private")),
                ("staging.internal", 443, "10.1.2.3", Ok(())),
                ("staging.internal", 80, "10.1.2.3", not_public("private")),
                ("api.example", 443, "10.1.2.3", not_public("private")),
                ("api.example", 443, "8.8.8.8", Ok(())),
                ("a.my.example", 443, "127.0.0.1", not_public("loopback")),
            ],
        );
    }

    #[test]
    fn names_may_resolve_into_allowed_ranges() {
        let not_public = |kind| Err(Unreachable::NotPublic(kind));
        check(
            &policy(&["10.1.0.0/16", "fd12::/48"], &[]),
            &[
                ("api.example", 443, "10.1.2.3", Ok(())),
                ("a.my.example", 443, "10.1.255.255", Ok(())),
                ("api.example", 443, "fd12::1", Ok(())),
                ("api.example", 443, "::ffff:10.1.2.3", Ok(())),
                ("api.example", 443, "10.2.0.0", not_public("private")),
                ("api.example", 443, "fd12:0:1::", not_public("private")),
                ("api.example", 443, "169.254.169.254", not_public("link-local or cloud metadata")),
                // A translator's network isn't the one that was allowed.
                ("api.example", 443, "64:ff9b::10.1.2.3", not_public("private")),
                ("api.example", 443, "::10.1.2.3", not_public("IPv4-compatible")),
                ("api.example", 443, "2002:a01:203::", not_public("6to4")),
            ],
        );
    }

    #[test]
    fn a_denied_range_wins_over_everything() {
        let deny = ["10.0.0.0/8", "127.0.0.0/8", "8.8.8.0/24", "2606:4700::/32", "::1/128"];
        check(
            &policy(&["10.1.0.0/16", "8.0.0.0/8"], &deny),
            &[
                ("api.example", 443, "8.8.8.8", Err(Unreachable::Denied)),
                ("api.example", 443, "8.8.4.4", Ok(())),
                ("api.example", 443, "2606:4700::1111", Err(Unreachable::Denied)),
                // Over allowed ranges, literal hosts, localhost and the targets of rewrites.
                ("api.example", 443, "10.1.2.3", Err(Unreachable::Denied)),
                ("10.0.0.5", 8080, "10.0.0.5", Err(Unreachable::Denied)),
                ("::1", 80, "::1", Err(Unreachable::Denied)),
                ("localhost", 80, "127.0.0.1", Err(Unreachable::Denied)),
                ("staging.internal", 443, "10.1.2.3", Err(Unreachable::Denied)),
                ("staging.internal", 443, "192.168.1.1", Ok(())),
            ],
        );
    }

    #[test]
    fn a_denied_v4_address_is_denied_in_every_form() {
        let policy = policy(&["0.0.0.0/0", "::/0"], &["203.0.113.0/24"]);
        for address in [
            "203.0.113.7",
            "::ffff:203.0.113.7",
            "::203.0.113.7",
            "::ffff:0:203.0.113.7",
            "64:ff9b::203.0.113.7",
            "64:ff9b:1::203.0.113.7",
            "2002:cb00:7107::1",
        ] {
            check(&policy, &[("staging.internal", 443, address, Err(Unreachable::Denied))]);
        }
        for address in ["203.0.114.7", "::ffff:203.0.114.7", "2002:cb00:7207::1", "2001:db8::203.0.113.7"] {
            check(&policy, &[("staging.internal", 443, address, Ok(()))]);
        }
    }
}
