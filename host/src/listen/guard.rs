//! Who may ask: the decision over `Host` and `Origin`. Values in, decision out.
//!
//! It keeps pages in a browser from calling a host that only their reader can reach. It says nothing about clients that aren't
//! browsers: those write what they like into both headers.

use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};
use url::Host;

use super::{
    names::{HostName, Origin, is_local},
    refusal::Refusal,
};

/// How much of a name or an origin is repeated: the longest name that DNS has.
const MAX_SHOWN: usize = 253;

/// Which hosts and origins get in.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    hosts: Vec<HostName>,
    origins: Vec<Origin>,
}

impl Guard {
    /// Lets in what asks for localhost, an address or one of these names, and pages of the machine itself or of these origins.
    pub(crate) fn new(hosts: Vec<HostName>, origins: Vec<Origin>) -> Self {
        Self { hosts, origins }
    }

    /// Decides over a request by its target and its headers.
    pub(super) fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let is_for_this_machine = self.check_hosts(target, headers)?;
        self.check_origin(headers, is_for_this_machine)
    }

    /// The origin of a request that gets in, if the operator lists it: its pages may read the answer too.
    pub(super) fn listed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let value = only(headers, &header::ORIGIN)?;
        let origin: Origin = value.to_str().ok()?.parse().ok()?;
        self.origins.contains(&origin).then(|| value.clone())
    }

    /// Every host that the request names has to be one of ours. Whether all are the machine itself.
    fn check_hosts(&self, target: &Uri, headers: &HeaderMap) -> Result<bool, Refusal> {
        let in_header = only(headers, &header::HOST).and_then(|value| value.to_str().ok()).ok_or(Refusal::BadHost)?;
        let hosts = [Some(in_header), target.authority().map(Authority::as_str)];
        let mut all_are_local = true;
        for host in hosts.into_iter().flatten() {
            let host = read_host(host).ok_or(Refusal::BadHost)?;
            all_are_local &= is_local(&host);
            if !self.serves(&host) {
                return Err(Refusal::OtherHost { name: shown(&host.to_string()) });
            }
        }
        Ok(all_are_local)
    }

    /// An address can't be pointed elsewhere, so whoever asks for one means it.
    fn serves(&self, host: &Host) -> bool {
        match host {
            Host::Domain(name) => is_local(host) || self.hosts.iter().any(|it| it.as_str() == name),
            Host::Ipv4(_) | Host::Ipv6(_) => true,
        }
    }

    /// Pages of the machine itself may call the machine itself, and nothing that is reached by another name: what is local to the
    /// browser isn't local to a host elsewhere.
    fn check_origin(&self, headers: &HeaderMap, is_for_this_machine: bool) -> Result<(), Refusal> {
        if !headers.contains_key(header::ORIGIN) {
            return Ok(());
        }
        let text = only(headers, &header::ORIGIN).and_then(|value| value.to_str().ok());
        match text.and_then(|text| text.parse::<Origin>().ok()) {
            Some(origin) if self.origins.contains(&origin) => Ok(()),
            Some(origin) if origin.is_local() && is_for_this_machine => Ok(()),
            _ => Err(Refusal::ForeignOrigin { origin: shown(text.unwrap_or("(not one text)")) }),
        }
    }
}

/// The value of a field that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// The host in `host[:port]`, and in nothing else: no user, no escapes.
fn read_host(text: &str) -> Option<Host> {
    let authority: Authority = text.parse().ok()?;
    let port = text.strip_prefix(authority.host())?;
    let is_port = |port: &str| port.bytes().all(|it| it.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_plain = (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) && !text.contains('%');
    is_plain.then(|| Host::parse(authority.host()).ok())?
}

fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let hosts = vec!["airlock.example.com".parse().unwrap()];
        let origins = vec!["https://app.example.com".parse().unwrap(), "http://10.0.0.1:3000".parse().unwrap()];
        Guard::new(hosts, origins)
    }

    /// The status with which a request is refused, or 200.
    fn check(guard: &Guard, target: &str, headers: &[(header::HeaderName, &str)]) -> u16 {
        let bytes = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, bytes(value));
        }
        guard.check(&target.parse().unwrap(), &map).map_or_else(|refusal| refusal.status().as_u16(), |()| 200)
    }

    #[test]
    fn which_hosts_are_served() {
        for (host, status) in [
            ("localhost", 200),
            ("LocalHost:8080", 200),
            ("127.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("10.1.2.3", 200),
            ("[2001:db8::1]", 200),
            ("airlock.example.com", 200),
            ("AIRLOCK.example.com:1", 200),
            ("evil.example", 421),
            ("evil.example:8080", 421),
            ("airlock.example.com.evil.example", 421),
            ("sub.airlock.example.com", 421),
            ("localhost.evil.example", 421),
            ("localhost.", 421),
            ("127.0.0.1.evil.example", 421),
            ("airlock", 421),
            ("", 400),
            ("localhost:", 400),
            ("localhost:+80", 400),
            ("localhost:99999", 400),
            ("localhost:80:80", 400),
            ("evil.example@localhost", 400),
            ("localhost@evil.example", 400),
            ("localhost/evil.example", 400),
            ("localhost#evil.example", 400),
            ("local%68ost", 400),
            ("local host", 400),
            ("localhost, evil.example", 400),
            ("::1", 400),
            ("[::1", 400),
            ("[::1]x", 400),
            ("1.2.3.4.5", 400),
            ("löcalhost", 400),
        ] {
            assert_eq!(check(&guard(), "/x", &[(header::HOST, host)]), status, "{host}");
        }
    }

    #[test]
    fn one_host_is_named_and_the_target_may_name_it_again() {
        const LOCAL: (header::HeaderName, &str) = (header::HOST, "localhost");
        const EVIL: (header::HeaderName, &str) = (header::HOST, "evil.example");
        for (target, headers, status) in [
            ("/", &[][..], 400),
            ("http://localhost/", &[], 400),
            ("/", &[LOCAL, LOCAL], 400),
            ("/", &[LOCAL, EVIL], 400),
            ("http://localhost:8080/", &[LOCAL], 200),
            ("http://airlock.example.com/", &[LOCAL], 200),
            ("http://evil.example/", &[LOCAL], 421),
            ("http://localhost/", &[EVIL], 421),
            ("http://user@localhost/", &[LOCAL], 400),
        ] {
            assert_eq!(check(&guard(), target, headers), status, "{target} {headers:?}");
        }
    }

    #[test]
    fn which_origins_may_call() {
        const LOCAL: &str = "127.0.0.1:8080";
        const NAMED: &str = "airlock.example.com";
        for (host, origin, status) in [
            (LOCAL, "http://localhost", 200),
            (LOCAL, "https://localhost:8443", 200),
            ("localhost", "http://127.0.0.1:3000", 200),
            ("[::1]:8080", "http://[::1]:1", 200),
            (LOCAL, "https://app.example.com", 200),
            (NAMED, "https://app.example.com", 200),
            (NAMED, "http://10.0.0.1:3000", 200),
            // What is local to the browser isn't local to the host.
            (NAMED, "http://localhost", 403),
            ("10.1.2.3", "http://localhost", 403),
            (LOCAL, "http://evil.example", 403),
            (LOCAL, "null", 403),
            (LOCAL, "", 403),
            (LOCAL, "file://", 403),
            (LOCAL, "http://localhost.evil.example", 403),
            (LOCAL, "http://10.0.0.1:9090", 403),
            (LOCAL, "http://app.example.com", 403),
            (LOCAL, "https://app.example.com:8443", 403),
            (LOCAL, "https://app.example.com.evil.example", 403),
            (LOCAL, "http://localhost, http://evil.example", 403),
            (LOCAL, "http://löcalhost", 403),
            // A host that isn't ours is told first.
            ("evil.example", "http://evil.example", 421),
        ] {
            let headers = [(header::HOST, host), (header::ORIGIN, origin)];
            assert_eq!(check(&guard(), "/", &headers), status, "{host} {origin}");
        }
        let twice = [(header::HOST, LOCAL), (header::ORIGIN, "http://localhost"), (header::ORIGIN, "http://localhost")];
        assert_eq!(check(&guard(), "/", &twice), 403);
        // To call the machine by two names, of which one isn't its own, isn't to call the machine itself.
        let two_names = [(header::HOST, "localhost"), (header::ORIGIN, "http://localhost")];
        assert_eq!(check(&guard(), "http://airlock.example.com/", &two_names), 403);
    }

    #[test]
    fn only_listed_origins_may_read_answers() {
        for (origin, is_listed) in [
            ("https://app.example.com", true),
            ("http://10.0.0.1:3000", true),
            ("http://localhost", false),
            ("https://app.example.com:8443", false),
            ("null", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
            assert_eq!(guard().listed_origin(&headers).is_some(), is_listed, "{origin}");
        }
        assert_eq!(guard().listed_origin(&HeaderMap::new()), None);
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let refusal = |headers: &[(header::HeaderName, HeaderValue)]| {
            guard().check(&Uri::from_static("/"), &HeaderMap::from_iter(headers.to_vec())).unwrap_err().to_string()
        };
        let host = |text| (header::HOST, HeaderValue::from_static(text));
        assert!(refusal(&[host("Lab.example:8080")]).contains("[listen] hosts = [\"lab.example\"]"));
        let origin = (header::ORIGIN, HeaderValue::from_static("https://lab.example"));
        let told = refusal(&[host("localhost"), origin]);
        assert!(told.contains("https://lab.example") && told.contains("[listen] origins = ["), "{told}");
    }
}
