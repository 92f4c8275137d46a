//! Digest access authentication (RFC 7616): picks one of an upstream's challenges and answers it, again and again while it holds.
//!
//! Only `qop=auth` is answered. Without it (RFC 2069) an answer can be replayed, and `auth-int` would need every body in memory.
//! When to ask and when to give up is decided in `authentication`.

use std::{collections::BTreeMap, sync::Mutex};

use http::{HeaderMap, HeaderValue, Method, header};
use http_auth::{
    DigestClient, PasswordParams,
    digest::{Algorithm, Qop},
    parse_challenges,
};
use zeroize::Zeroizing;

use super::credentials::Account;

/// Origins of one declared upstream whose challenges are kept. 64: without a star there is one, and behind a star those that are in
/// use; one that is forgotten is asked for anew, at the cost of one more request.
const MAX_ORIGINS: usize = 64;

/// The challenges that the origins of one declared upstream have posed last: behind a star each server has its own, and what one has
/// posed isn't answered to another. Each is answered in advance until its origin poses another.
#[derive(Default)]
pub(super) struct Challenges(Mutex<BTreeMap<String, DigestClient>>);

/// Which challenge a request has answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answered {
    nonce: String,
}

impl Challenges {
    /// The `Authorization` header of a request, counted as one more use of the challenge's nonce. `None` where there is no
    /// challenge yet, or none that can be answered.
    pub(super) fn answer(
        &self,
        origin: &str,
        account: &Account,
        method: &Method,
        target: &str,
    ) -> Option<(HeaderValue, Answered)> {
        let mut challenges = self.0.lock().expect("no panic while held");
        let client = challenges.get_mut(origin)?;
        let text = client.respond(&PasswordParams {
            username: account.user.expose(),
            password: account.password.expose(),
            uri: target,
            method: method.as_str(),
            body: None,
        });
        let text = Zeroizing::new(text.ok()?);
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some((value, Answered { nonce: client.nonce().to_owned() }))
    }

    /// Takes the challenge out of a refused request's answer. True where it is worth answering: it isn't the one that the request
    /// has answered already, unless the upstream says that only the nonce was too old.
    pub(super) fn renew(&self, origin: &str, headers: &HeaderMap, answered: Option<&Answered>) -> bool {
        let Some(client) = strongest(headers) else {
            return false;
        };
        let is_new = client.stale() || answered.is_none_or(|answered| answered.nonce != client.nonce());
        if is_new {
            let mut challenges = self.0.lock().expect("no panic while held");
            if challenges.len() == MAX_ORIGINS && !challenges.contains_key(origin) {
                challenges.pop_first();
            }
            challenges.insert(origin.to_owned(), client);
        }
        is_new
    }
}

/// The first of the challenges with the strongest algorithm.
fn strongest(headers: &HeaderMap) -> Option<DigestClient> {
    let mut strongest: Option<DigestClient> = None;
    for value in headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
        for challenge in parse_challenges(value).into_iter().flatten() {
            let Ok(client) = DigestClient::try_from(&challenge) else {
                continue;
            };
            let is_usable = client.qop() & Qop::Auth && !client.rfc2069_compat();
            if is_usable && strongest.as_ref().is_none_or(|strongest| strength(&client) > strength(strongest)) {
                strongest = Some(client);
            }
        }
    }
    strongest
}

fn strength(client: &DigestClient) -> u8 {
    match client.algorithm() {
        Algorithm::Md5 => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Secret;

    fn headers(challenges: &[&str]) -> HeaderMap {
        challenges.iter().map(|text| (header::WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap())).collect()
    }

    fn account() -> Account {
        let secret = |text: &str| Secret::new(text.to_owned());
        Account { user: secret("Mufasa"), password: secret("Circle of Life") }
    }

    /// The parameters of a header, without quotes.
    fn parameter(header: &HeaderValue, name: &str) -> String {
        let text = header.to_str().unwrap().strip_prefix("Digest ").unwrap();
        let mut pairs = text.split(", ").map(|pair| pair.split_once('=').unwrap());
        pairs.find(|(key, _)| *key == name).unwrap().1.trim_matches('"').to_owned()
    }

    const RFC_7616: &str = r#"realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    /// The example of RFC 7616, 3.9.1, and the same for sessions, where the RFC has none: those are from Python's `hashlib`.
    #[test]
    fn the_example_of_the_rfc() {
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
            ("MD5-sess", "e783283f46242139c486a698fec7211d"),
            ("SHA-256-sess", "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"),
        ] {
            let headers = headers(&[&format!("Digest {RFC_7616}, algorithm={algorithm}")]);
            let mut client = strongest(&headers).unwrap();
            let text = client.respond_with_testing_cnonce(
                &PasswordParams {
                    username: "Mufasa",
                    password: "Circle of Life",
                    uri: "/dir/index.html",
                    method: "GET",
                    body: None,
                },
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            );
            let value = HeaderValue::from_str(&text.unwrap()).unwrap();
            assert_eq!(parameter(&value, "response"), response, "{algorithm}");
            assert_eq!(parameter(&value, "algorithm"), algorithm);
            assert_eq!(parameter(&value, "nc"), "00000001");
        }
    }

    #[test]
    fn the_strongest_challenge_is_taken() {
        for (challenges, expected) in [
            (&["Digest realm=\"r\", nonce=\"1\", qop=\"auth\""][..], Some("1")),
            (
                &[
                    "Digest realm=\"r\", nonce=\"1\", qop=\"auth\", algorithm=MD5",
                    "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", algorithm=SHA-256",
                    "Digest realm=\"r\", nonce=\"3\", qop=\"auth\", algorithm=SHA-256-sess",
                ],
                Some("2"),
            ),
            (
                &[
                    "Basic realm=\"r\", Digest realm=\"r\", nonce=\"1\", qop=\"auth\", Digest realm=\"r\", nonce=\"2\", \
                   qop=\"auth-int,auth\", algorithm=SHA-256",
                ],
                Some("2"),
            ),
            (&["Digest realm=\"r\", nonce=\"1\", qop=\"auth\", algorithm=ROT13"], None),
            (&["Digest realm=\"r\", nonce=\"1\", qop=\"auth-int\""], None),
            (&["Digest realm=\"r\", nonce=\"1\""], None),
            (&["Digest realm=\"r\", qop=\"auth\""], None),
            (&["Bearer realm=\"r\""], None),
            (&["Digest \u{1}\"\"\"", "\""], None),
            (&[], None),
        ] {
            let map: HeaderMap = challenges
                .iter()
                .filter_map(|text| Some((header::WWW_AUTHENTICATE, HeaderValue::from_str(text).ok()?)))
                .collect();
            let nonce = strongest(&map).map(|client| client.nonce().to_owned());
            assert_eq!(nonce.as_deref(), expected, "{challenges:?}");
        }
    }

    #[test]
    fn a_nonce_is_counted_and_answered_once_per_request() {
        const ORIGIN: &str = "https://a.example";
        let challenges = Challenges::default();
        let answer = || challenges.answer(ORIGIN, &account(), &Method::GET, "/x?a=b");
        let renew = |headers: &HeaderMap, answered| challenges.renew(ORIGIN, headers, answered);
        assert!(answer().is_none());

        let first = headers(&["Digest realm=\"r\", nonce=\"one\", qop=\"auth\", algorithm=SHA-256"]);
        assert!(renew(&first, None));
        let (header, answered) = answer().unwrap();
        assert!(header.is_sensitive());
        assert_eq!((parameter(&header, "nc"), parameter(&header, "uri")), ("00000001".into(), "/x?a=b".into()));
        let (again, _) = answer().unwrap();
        assert_eq!(parameter(&again, "nc"), "00000002");
        assert_ne!(parameter(&again, "cnonce"), parameter(&header, "cnonce"));

        // The same challenge once more: the password is wrong.
        assert!(!renew(&first, Some(&answered)));
        assert!(!renew(&HeaderMap::new(), Some(&answered)));
        let stale = headers(&["Digest realm=\"r\", nonce=\"one\", qop=\"auth\", algorithm=SHA-256, stale=true"]);
        assert!(renew(&stale, Some(&answered)));
        let next = headers(&["Digest realm=\"r\", nonce=\"two\", qop=\"auth\", algorithm=SHA-256"]);
        assert!(renew(&next, Some(&answered)));
        let (header, _) = answer().unwrap();
        assert_eq!((parameter(&header, "nc"), parameter(&header, "nonce")), ("00000001".into(), "two".into()));
    }
    #[test]
    fn what_one_origin_poses_is_not_answered_to_another() {
        let challenges = Challenges::default();
        let posed = |nonce: usize| headers(&[&format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"")]);
        let answer = |origin: &str| challenges.answer(origin, &account(), &Method::GET, "/");
        let origin = |number: usize| format!("https://{number:02}.example");
        assert!(challenges.renew(&origin(0), &posed(0), None));
        assert!(answer(&origin(1)).is_none());
        for number in 1..=MAX_ORIGINS {
            assert!(challenges.renew(&origin(number), &posed(number), None));
        }
        assert!(answer(&origin(0)).is_none(), "one too many: the first is forgotten");
        for number in 1..=MAX_ORIGINS {
            let (header, _) = answer(&origin(number)).unwrap();
            assert_eq!(parameter(&header, "nonce"), number.to_string());
        }
    }
}
