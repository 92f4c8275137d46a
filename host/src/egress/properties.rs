//! What holds for every request and every address, told by an oracle that shares no code with the policy: the `url` crate's reading of a
//! whole URL, and arithmetic on addresses.
//!
//! Only checks; what they are fed is made by `tests/properties.rs` and by the fuzz targets in `tests/fuzz`.

use std::net::IpAddr;

use http::{Method, Uri};
use percent_encoding::percent_decode;
use url::Url;

use super::{
    address::{AddressPolicy, Unreachable},
    policy::Policy,
};
use crate::{
    contract::Upstream,
    grant::{Addresses, Destination, Grant, Pattern},
};

/// A request to `url` by a plugin that declares one destination and is granted one. Gives whether it is permitted; `None` = there is
/// nothing to decide, for the texts aren't even a declaration, a grant and a URL.
pub fn check_request(declared: &str, granted: &str, url: &str) -> Option<bool> {
    check_canonical(url);
    let (uri, pattern) = (url.parse::<Uri>().ok()?, check_pattern(granted)?);
    check_pattern(declared)?;
    let methods = vec!["GET".to_owned()];
    let upstream = Upstream { base_url: declared.to_owned(), methods, credentials: vec![], name: None };
    let grant = Grant { hosts: vec![pattern.clone()], ..Grant::default() };
    let policy = Policy::new("demo", &grant, &[upstream]).ok()?;
    let permitted = match policy.check(&Method::GET, &uri, None) {
        Ok(permitted) => permitted,
        Err(denial) => {
            assert!(!denial.to_string().contains(|c: char| c.is_control() && c != '\n'), "{denial:?}");
            return Some(false);
        }
    };
    let sent = permitted.uri(uri.query()).ok()?;
    let read = Url::parse(url).unwrap_or_else(|e| panic!("permitted, and no URL: {url:?}: {e}"));
    assert!(read.username().is_empty() && read.password().is_none(), "{url:?}");
    check_same_place(&read, &sent);
    // The upstream's reading of what is sent is the same once more.
    check_same_place(&Url::parse(&sent.to_string()).expect("it was made of a URL"), &sent);
    assert!(allows(declared, &read), "not declared: {url:?} by {declared:?}");
    assert!(allows(granted, &read), "not granted: {url:?} by {granted:?}");
    check_decodings(&pattern.prefix, sent.path());
    Some(true)
}

/// A destination's canonical form is its own, and means to others what it means here.
pub fn check_canonical(text: &str) {
    let Ok(destination) = Destination::parse(text) else {
        return;
    };
    let canonical = destination.to_string();
    assert_eq!(Destination::parse(&canonical).as_ref(), Ok(&destination), "{text:?}");
    assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    for spelling in [text, &canonical] {
        let read = Url::parse(spelling).unwrap_or_else(|e| panic!("a destination, and no URL: {spelling:?}: {e}"));
        assert_eq!(host(&read), host_of(&destination.host), "{spelling:?}");
        assert_eq!(read.port_or_known_default(), Some(destination.port), "{spelling:?}");
        assert!(read.query().is_none() && read.fragment().is_none() && read.username().is_empty(), "{spelling:?}");
    }
}

/// The same for what may have a star.
pub fn check_pattern(text: &str) -> Option<Pattern> {
    let pattern = Pattern::parse(text).ok()?;
    assert_eq!(Pattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern), "{text:?}");
    let destination = Destination::parse(text);
    assert_eq!(pattern.single(), destination.ok(), "no destination has a star: {text:?}");
    Some(pattern)
}

fn check_same_place(read: &Url, sent: &Uri) {
    assert_eq!(Some(read.scheme()), sent.scheme_str(), "{read} {sent}");
    assert_eq!(host(read), host_of(sent.host().unwrap_or_default()), "{read} {sent}");
    assert_eq!(read.port(), sent.port_u16(), "{read} {sent}");
    let decoded = |path: &str| percent_decode(path.as_bytes()).collect::<Vec<u8>>();
    assert_eq!(decoded(read.path()), decoded(sent.path()), "{read} {sent}");
}

fn host(url: &Url) -> String {
    host_of(url.host_str().unwrap_or_default())
}

/// The URL standard writes `::ffff:127.0.0.1` as `::ffff:7f00:1`; only the address counts.
fn host_of(text: &str) -> String {
    let text = text.trim_matches(['[', ']']);
    text.parse().map_or(text.to_owned(), |address: IpAddr| address.to_string())
}

/// What `scheme://host[:port][/prefix]` allows, by the reading of the URL standard.
pub fn allows(pattern: &str, url: &Url) -> bool {
    let (base, has_star) = match pattern.split_once("://*.") {
        Some((scheme, rest)) => (Url::parse(&format!("{scheme}://{rest}")), true),
        None => (Url::parse(pattern), false),
    };
    let base = base.expect("the pattern was accepted");
    let (asked, allowed) = (host(url), host(&base));
    let same_host = match has_star {
        false => asked == allowed,
        true => asked.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == allowed),
    };
    let segments = |url: &Url| url.path().split('/').map(str::to_owned).collect::<Vec<_>>();
    let mut prefix = segments(&base);
    while prefix.last().is_some_and(String::is_empty) {
        prefix.pop();
    }
    same_host
        && base.scheme() == url.scheme()
        && base.port_or_known_default() == url.port_or_known_default()
        && segments(url).starts_with(&prefix)
}

/// However often a server decodes the path, and however it reads the result, it stays below the prefix.
fn check_decodings(prefix: &str, path: &str) {
    let (mut prefix, mut path) = (prefix.as_bytes().to_vec(), path.as_bytes().to_vec());
    for _ in 0..10 {
        let (below, asked) = (resolve(&prefix), resolve(&path));
        assert!(asked.starts_with(&below), "{asked:?} is not below {below:?}");
        prefix = percent_decode(&prefix).collect();
        path = percent_decode(&path).collect();
    }
}

/// The segments of a path as the most generous of servers reads them: a backslash is a slash, parameters and spaces around a
/// name don't count, nor do empty segments, and `.` and `..` are followed.
fn resolve(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii() {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            name => segments.push(name.to_vec()),
        }
    }
    segments
}

/// A range of addresses in numbers: `address` and the length of the prefix.
pub type Range = (IpAddr, u8);

/// One address, held against ranges that are allowed and denied. `named`: whether the operator has named the host.
pub fn check_address(allow: &[Range], deny: &[Range], named: bool, address: IpAddr) {
    let net = |(address, length): &Range| ipnet::IpNet::new(*address, *length).expect("a prefix's length").trunc();
    let host = if named { "http://localhost" } else { "http://api.example" };
    let pattern = Pattern::parse(host).expect("written here");
    let addresses = Addresses { allow: allow.iter().map(net).collect(), deny: deny.iter().map(net).collect() };
    let policy = AddressPolicy::new(&Grant { hosts: vec![pattern.clone()], addresses, ..Grant::default() });
    let host = pattern.single().expect("it has no star").host;

    let has = |ranges: &[Range], address: IpAddr| ranges.iter().any(|range| contains(range, address));
    let is_denied = has(deny, address) || v4_in(address).is_some_and(|v4| has(deny, v4));
    let is_meant = named || has(allow, mapped(address).unwrap_or(address));
    match policy.check(&host, 80, address) {
        Ok(reachable) => {
            assert_eq!(reachable.address(), address, "the address that was checked");
            assert!(!is_denied, "denied: {address}");
            assert!(is_meant || !is_special(address), "neither public nor meant: {address}");
        }
        Err(Unreachable::Denied) => assert!(is_denied, "not denied: {address}"),
        Err(Unreachable::NotPublic(kind)) => {
            assert!(!is_denied && !is_meant, "{kind}: {address}");
            assert!(!is_ordinary(address), "an ordinary public address: {address}, {kind}");
        }
    }
}

/// In numbers, without a library.
fn contains((net, length): &Range, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            (net.to_bits() ^ address.to_bits()).checked_shr(32 - u32::from(*length)).unwrap_or(0) == 0
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => {
            (net.to_bits() ^ address.to_bits()).checked_shr(128 - u32::from(*length)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn mapped(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map(IpAddr::V4),
        IpAddr::V4(_) => None,
    }
}

/// The IPv4 address in the forms of IPv6 that carry one and that everybody knows.
fn v4_in(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else {
        return None;
    };
    let s = v6.segments();
    let (high, low) = match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => (high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 1, _, _, _, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(IpAddr::V4((u32::from(high) << 16 | u32::from(low)).into()))
}

/// What the standard library knows to be no public address, and what it doesn't, in numbers.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_unspecified()
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || matches!(
                    (a, b, c),
                    (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _)
                )
                || v4.octets() == [168, 63, 129, 16]
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            let carries_special = match (mapped(address), a, b) {
                (Some(v4), ..) => is_special(v4),
                (None, 0x64, 0xff9b) => v6.segments()[2] != 0 || v4_in(address).is_none_or(is_special),
                _ => !matches!(a, 0x2000..=0x3fff),
            };
            v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || carries_special
                || matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff))
        }
    }
}

/// What is beyond doubt an address of the public internet.
fn is_ordinary(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            matches!(v4.octets()[0], 1..=9 | 11..=99 | 101..=126 | 128..=167 | 193..=197 | 199..=202 | 204..=223)
        }
        IpAddr::V6(v6) => matches!(v6.segments()[0], 0x2003..=0x2fff),
    }
}
