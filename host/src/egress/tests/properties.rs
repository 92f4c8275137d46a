//! Generated requests, addresses and DNS answers against the oracle of `egress::properties`.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::future::BoxFuture;
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::{net::TcpListener, runtime};
use tower::Service;
use url::Url;

use super::super::{
    address::AddressPolicy,
    connect::{Connector, Resolve},
    properties::{Range, allows, check_address, check_canonical, check_request},
};
use crate::grant::{Addresses, Grant, Pattern, parse_range};

/// Of each kind of host in several spellings; many of them mean one another.
const HOSTS: &[&str] = &[
    "a.example.com",
    "A.Example.COM",
    "a.example.com.",
    "a。example.com",
    "%61.example.com",
    "a.exa\u{ad}mple.com",
    "b.example.com",
    "example.com",
    "x.a.example.com",
    "aexample.com",
    "a.example.com.evil.test",
    "evil.test",
    "bücher.example.com",
    "xn--bcher-kva.example.com",
    "faß.example.com",
    "аpi.example.com",
    "a_b.example.com",
    ".example.com",
    "localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "１２７.0.0.1",
    "[::1]",
    "[0:0::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "[fe80::1%25eth0]",
    "*.example.com",
    "",
    "user@a.example.com",
    "a.example.com@evil.test",
    "a.example.com\\.evil.test",
    "a.example.com%2f.evil.test",
    "a.example.com#.evil.test",
    "a.example.com?.evil.test",
];

/// What may stand between the parts of a path, and what servers take for it.
const SEGMENTS: &[&str] = &[
    "v1",
    "v10",
    "V1",
    "users",
    "a b",
    "é",
    "%2e%2e",
    "..",
    ".",
    "...",
    "%252e%252e",
    "%25252e%25252e",
    "%2525252e%2525252e",
    "..%2f",
    "%2f..",
    "..%5c",
    "..;x",
    "..%3bx",
    "..%20",
    "%00",
    "%0d%0a",
    "%c0%ae",
    "%ff",
    "%",
    "%2",
    "group%2Fname",
    "100%25",
    "{id}",
    "\"",
    "\\",
    "..\\",
    "a;b=1",
    "@evil.test",
    ":80",
    "%61",
    "%76%31",
    "*",
    "|",
    "^",
    "",
    "\t",
    "\r\n",
];

const PORTS: &[&str] = &["", "", "", ":443", ":80", ":8443", ":0443", ":", ":0", ":65536", ":+443", ":443:80"];

fn path() -> impl Strategy<Value = String> {
    let segments = vec(prop_oneof![4 => select(SEGMENTS).prop_map(str::to_owned), 1 => "[ -~é]{0,4}"], 0..4);
    (segments, any::<bool>()).prop_map(|(segments, slash)| {
        let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if slash { format!("{path}/") } else { path }
    })
}

fn url() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![4 => Just("https"), 1 => select(&["http", "HTTPS", "ftp", "https:", "//"][..])];
    let query = select(&["", "", "?", "?a=b", "?/../x", "#x", "?q=%2e%2e"][..]);
    let url = (
        scheme,
        prop_oneof![Just("a.example.com"), select(HOSTS)],
        prop_oneof![4 => Just(""), 1 => select(PORTS)],
        path(),
        query,
    );
    url.prop_map(|(scheme, host, port, path, query)| format!("{scheme}://{host}{port}{path}{query}"))
}

fn pattern() -> impl Strategy<Value = String> {
    const PATTERN_HOSTS: [&str; 8] = [
        "a.example.com",
        "*.example.com",
        "*.EXAMPLE.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "*.com",
        "*.a.example.com",
    ];
    const PREFIXES: [&str; 11] =
        ["", "", "/", "/v1", "/v1/", "/v1/users", "/group%2Fname", "/a;b=1", "/100%25", "/\"", "//v1"];
    let pattern = (
        mostly("https", &["http"]),
        mostly("a.example.com", &PATTERN_HOSTS),
        mostly("", &[":8443"]),
        select(&PREFIXES[..]),
    );
    pattern.prop_map(|(scheme, host, port, prefix)| format!("{scheme}://{host}{port}{prefix}"))
}

/// What is declared and granted; mostly the same, or hardly anything would be permitted.
fn patterns() -> impl Strategy<Value = (String, String)> {
    prop_oneof![pattern().prop_map(|both| (both.clone(), both)), (pattern(), pattern())]
}

fn mostly(one: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(one), 1 => select(others)]
}

/// A URL in which nothing has two spellings.
fn plain_url() -> impl Strategy<Value = String> {
    const PLAIN_HOSTS: [&str; 8] = [
        "a.example.com",
        "b.example.com",
        "example.com",
        "x.a.example.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "evil.test",
    ];
    let segments = vec(select(&["v1", "v10", "users", "group%2Fname", "a;b=1", "100%25", "~x"][..]), 0..3);
    let url = (mostly("https", &["http"]), mostly("a.example.com", &PLAIN_HOSTS), mostly("", &[":8443"]), segments);
    url.prop_map(|(scheme, host, port, path)| format!("{scheme}://{host}{port}/{}", path.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn what_is_permitted_is_declared_and_granted_and_read_alike((declared, granted) in patterns(), url in url()) {
        check_request(&declared, &granted, &url);
    }

    #[test]
    fn what_is_plain_is_permitted_just_when_it_is_declared_and_granted(
        (declared, granted) in patterns(), url in plain_url(),
    ) {
        let read = Url::parse(&url).unwrap();
        if let Some(permitted) = check_request(&declared, &granted, &url) {
            prop_assert_eq!(permitted, allows(&declared, &read) && allows(&granted, &read));
        }
    }

    #[test]
    fn one_destination_is_one_value(url in url(), text in "https?://[!-~é。１]{0,20}") {
        check_canonical(&url);
        check_canonical(&text);
    }

    #[test]
    fn addresses_are_public_or_meant(
        allow in vec(range(), 0..3), deny in vec(range(), 0..3), named in any::<bool>(), address in address(),
    ) {
        check_address(&allow, &deny, named, address);
        check_address(&[], &[], false, address);
    }
}

/// Near the ends of every range that matters, in every form.
fn address() -> impl Strategy<Value = IpAddr> {
    const NETS: [&str; 32] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "8.8.8.0/24",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2003::/16",
        "2606:4700::/32",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    ];
    let near = (select(&NETS[..]), any::<bool>(), -2..=2_i8).prop_map(|(net, first, step)| {
        let net: ipnet::IpNet = net.parse().unwrap();
        match if first { net.network() } else { net.broadcast() } {
            IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().wrapping_add_signed(step.into()).into()),
            IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().wrapping_add_signed(step.into()).into()),
        }
    });
    let any_v6 = any::<u128>().prop_map(|bits| IpAddr::V6(bits.into()));
    (prop_oneof![3 => near, 1 => any::<u32>().prop_map(|bits| IpAddr::V4(bits.into())), 1 => any_v6], 0..8_u8)
        .prop_map(|(address, form)| in_form(address, form))
}

fn in_form(address: IpAddr, form: u8) -> IpAddr {
    let IpAddr::V4(v4) = address else {
        return address;
    };
    let [high, low] = [v4.to_bits() >> 16, v4.to_bits() & 0xffff].map(|part| part as u16);
    let segments = match form {
        0 => [0, 0, 0, 0, 0, 0xffff, high, low],
        1 => [0, 0, 0, 0, 0xffff, 0, high, low],
        2 => [0, 0, 0, 0, 0, 0, high, low],
        3 => [0x64, 0xff9b, 0, 0, 0, 0, high, low],
        4 => [0x2002, high, low, 0, 0, 0, 0, 1],
        _ => return address,
    };
    IpAddr::V6(segments.into())
}

/// Around an address, so that ranges and addresses meet.
fn range() -> impl Strategy<Value = Range> {
    (address(), any::<u8>()).prop_map(|(address, length)| (address, length % if address.is_ipv4() { 33 } else { 129 }))
}

/// Answers the first lookup with the first list, the others with the second.
struct TwoFaced {
    lookups: AtomicUsize,
    first: Vec<SocketAddr>,
    then: Vec<SocketAddr>,
}

impl Resolve for TwoFaced {
    fn resolve(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let is_first = self.lookups.fetch_add(1, Ordering::SeqCst) == 0;
        let answer = if is_first { self.first.clone() } else { self.then.clone() };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// Addresses of this machine only: what is permitted by mistake is connected to.
fn answer() -> impl Strategy<Value = Vec<SocketAddr>> {
    const ANSWERS: [&str; 8] =
        ["127.0.0.1", "127.0.0.2", "127.1.0.1", "::1", "::ffff:127.0.0.1", "::ffff:127.0.0.3", "0.0.0.0", "::"];
    // The port of an answer means nothing.
    vec((select(&ANSWERS[..]), any::<u16>()), 0..4).prop_map(|answer| {
        answer.into_iter().map(|(address, port)| SocketAddr::new(address.parse().unwrap(), port)).collect()
    })
}

/// Allowed is what lies in 127.0.0.0/30; one other address spoils the whole answer.
#[test]
fn the_connection_goes_to_an_address_of_the_answer_that_was_checked() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = format!("http://api.example:{port}");
    let grant = Grant {
        hosts: vec![Pattern::parse(&host).unwrap()],
        addresses: Addresses { allow: vec![parse_range("127.0.0.0/30").unwrap()], deny: vec![] },
        ..Grant::default()
    };
    let is_allowed = |address: IpAddr| matches!(address.to_canonical(), IpAddr::V4(v4) if v4.octets()[..3] == [127, 0, 0] && v4.octets()[3] < 4);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) };
    proptest!(config, |(first in answer(), then in answer())| {
        let resolver = Arc::new(TwoFaced { lookups: AtomicUsize::new(0), first: first.clone(), then });
        let mut connector = Connector::new(Arc::clone(&resolver) as Arc<dyn Resolve>, AddressPolicy::new(&grant));
        let connected = runtime.block_on(async {
            let connected = connector.call(host.parse().unwrap()).await;
            if connected.is_ok() {
                listener.accept().await.unwrap();
            }
            connected
        });
        let clean = first.iter().all(|address| is_allowed(address.ip()));
        // Only the listener's own address answers.
        let answers = first.iter().any(|address| address.ip().to_canonical() == IpAddr::from([127, 0, 0, 1]));
        prop_assert_eq!(connected.is_ok(), clean && answers, "{:?}", first);
        prop_assert_eq!(resolver.lookups.load(Ordering::SeqCst), 1);
        if let Ok(stream) = connected {
            let peer = stream.inner().peer_addr().unwrap();
            prop_assert!(first.iter().any(|address| address.ip().to_canonical() == peer.ip().to_canonical()));
            prop_assert_eq!(peer.port(), port);
        }
    });
}

/// What the fuzz target has found worth keeping: three lines each, declared, granted, URL.
#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/corpus/policy");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.splitn(3, '\n');
        let mut line = || lines.next().unwrap_or_default();
        check_request(line(), line(), line());
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}
