//! Where the value of a secret comes from: the environment, a file, or an OAuth 2.0 token that is fetched with client credentials.
//!
//! Files are read here and nowhere else, when `egress::vault` asks for them. The environment is read by `config`, tokens are
//! fetched by `egress::oauth2`.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use http::uri::PathAndQuery;
use zeroize::Zeroizing;

use super::{BadDestination, Destination, MissingSecret, Secret, member};

/// The largest secret file. 64 KB: the largest secrets in use, keys and signed tokens, have less than 16 KB; what is larger is the
/// wrong file.
const MAX_FILE: u64 = 64 << 10;

/// How long a file must have been left alone for its stamp to mean anything. 2 s: the coarsest clock of a file system in use.
const SETTLED: Duration = Duration::from_secs(2);

/// Where the value of a secret comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The value itself is kept somewhere.
    Stored(Stored),
    /// The value is an access token, fetched when it is needed.
    OAuth2(Box<ClientCredentials>),
}

/// A value that is kept somewhere.
#[derive(Clone, Debug)]
pub enum Stored {
    /// A value that doesn't change while the host runs, such as an environment variable's.
    Value(Secret),
    /// What has no value and won't get one while the host runs.
    Missing(MissingSecret),
    /// A file, read again when it changes.
    File(PathBuf),
    /// A member of a JSON or YAML file, which is read again when it changes.
    Member {
        /// The file.
        file: PathBuf,
        /// The member's key.
        key: String,
    },
}

/// How to get an access token: the client credentials grant of RFC 6749, section 4.4.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: TokenUrl,
    /// The client's name at the endpoint.
    pub client_id: String,
    /// The client's password at the endpoint.
    pub client_secret: Stored,
    /// What the token shall be good for, as a list with spaces; the endpoint's default where absent.
    pub scope: Option<String>,
    /// For which API the token shall be; some endpoints want to be told.
    pub audience: Option<String>,
    /// How the client says who it is.
    pub authentication: ClientAuthentication,
}

/// How a client says to a token endpoint who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In the `Authorization` header, which every endpoint must support.
    Basic,
    /// As `client_id` and `client_secret` in the body.
    Body,
}

/// The address of a token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUrl {
    origin: Destination,
    target: String,
}

impl TokenUrl {
    /// Reads `scheme://host[:port]/path[?query]`.
    pub fn parse(text: &str) -> Result<Self, BadDestination> {
        let (address, query) = text.split_once('?').map_or((text, None), |(address, query)| (address, Some(query)));
        let at = Destination::parse(address)?;
        // The destination has lost a final slash, and endpoints tell `/token` from `/token/`.
        let authority = address.split_once("://").map_or("", |(_, rest)| rest);
        let path = authority.find('/').map_or("/", |start| &authority[start..]);
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let is_usable = is_plain && target.parse::<PathAndQuery>().is_ok();
        is_usable.then_some(Self { origin: at.origin(), target }).ok_or(BadDestination::Query)
    }

    /// Where it is.
    pub fn origin(&self) -> &Destination {
        &self.origin
    }

    /// Its path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What a grant has to allow, its path included.
    pub fn destination(&self) -> Destination {
        Destination { prefix: self.path().trim_end_matches('/').to_owned(), ..self.origin.clone() }
    }

    /// Its path, a final slash included.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The same with another origin and path.
    pub fn moved(&self, origin: Destination, path: &str) -> Self {
        Self { origin, target: format!("{path}{}", &self.target[self.path().len()..]) }
    }
}

impl Source {
    /// A value that doesn't change.
    pub fn value(secret: Secret) -> Self {
        Self::Stored(Stored::Value(secret))
    }
}

impl Stored {
    /// The value, trimmed: a file ends in a newline more often than a secret does.
    pub fn read(&self) -> Result<Secret, MissingSecret> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::Missing(reason) => Err(reason.clone()),
            Self::File(file) => read_file(file).map_err(|reason| missing(file, reason)),
            Self::Member { file, key } => {
                let found = read_text(file).and_then(|text| member::find(&text, key));
                found.map_err(|reason| missing(file, reason))
            }
        }
    }

    /// What tells one state of its file from the next.
    pub fn stamp(&self) -> Stamp {
        match self {
            Self::File(file) | Self::Member { file, .. } => Stamp::of(file),
            Self::Value(_) | Self::Missing(_) => Stamp(None),
        }
    }
}

/// What tells one state of a file from the next: the times of its change, its length, and which file it is. Links are followed, so
/// that a link that points elsewhere is a change. Of the times one can be set back by whoever writes the file, as copying with
/// `cp -p` does; the other is the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(Option<FileStamp>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    modified: Option<SystemTime>,
    changed: SystemTime,
    length: u64,
    device: u64,
    inode: u64,
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().ok(),
            changed: changed(metadata),
            length: metadata.len(),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// When the system last saw a change. Before 1970 there was none.
fn changed(metadata: &Metadata) -> SystemTime {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::new(seconds, u32::try_from(metadata.ctime_nsec()).unwrap_or(0))
}

impl Stamp {
    /// As the file is now; one that can't be looked at has a stamp as well.
    pub fn of(path: &Path) -> Self {
        Self(fs::metadata(path).ok().map(|it| FileStamp::of(&it)))
    }

    /// Whether the file was changed so shortly before `now` that the next change could leave the same stamp.
    pub fn is_fresh(&self, now: SystemTime) -> bool {
        let times = self.0.into_iter().flat_map(|stamp| stamp.modified.into_iter().chain([stamp.changed]));
        times.into_iter().any(|time| now.duration_since(time).is_ok_and(|age| age < SETTLED))
    }
}

fn missing(file: &Path, reason: String) -> MissingSecret {
    MissingSecret::File { path: file.display().to_string(), reason }
}

fn read_file(path: &Path) -> Result<Secret, String> {
    match read_text(path)?.trim() {
        "" => Err("it is empty".to_owned()),
        value => Ok(Secret::new(value.to_owned())),
    }
}

/// Bytes that aren't shown in the message: they may be a secret in another encoding.
fn read_text(path: &Path) -> Result<Zeroizing<String>, String> {
    // Before it is opened: opening a pipe waits for its other end.
    if !fs::metadata(path).map_err(|e| e.to_string())?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize + 1));
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it is larger than {} KB", MAX_FILE >> 10));
    }
    match std::str::from_utf8(&bytes) {
        Err(_) => Err("it is not UTF-8 text".to_owned()),
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    #[test]
    fn files_are_trimmed_and_what_is_no_secret_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, contents) in [("good", &b"  a secret\r\n\n"[..]), ("empty", b" \n"), ("binary", b"\xff\xfe")] {
            fs::write(at(name), contents).unwrap();
        }
        fs::write(at("large"), vec![b'x'; MAX_FILE as usize + 1]).unwrap();
        fs::write(at("largest"), vec![b'x'; MAX_FILE as usize]).unwrap();
        let read = |name: &str| Stored::File(at(name)).read();
        assert_eq!(read("good").unwrap().expose(), "a secret");
        assert_eq!(read("largest").unwrap().expose().len(), MAX_FILE as usize);
        for (name, reason) in [
            ("empty", "it is empty"),
            ("binary", "it is not UTF-8 text"),
            ("large", "it is larger than 64 KB"),
            ("none", "No such file or directory (os error 2)"),
            (".", "it is not a regular file"),
        ] {
            let expected = MissingSecret::File { path: at(name).display().to_string(), reason: reason.to_owned() };
            assert_eq!(read(name).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_change_changes_the_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second, link) = (folder.path().join("1"), folder.path().join("2"), folder.path().join("link"));
        fs::write(&first, "one").unwrap();
        fs::write(&second, "two").unwrap();
        symlink(&first, &link).unwrap();
        let stored = Stored::File(link.clone());
        let stamp = stored.stamp();
        assert_eq!(stored.stamp(), stamp);
        assert!(stamp.is_fresh(SystemTime::now()));
        assert!(!stamp.is_fresh(SystemTime::now() + SETTLED));

        fs::write(&first, "three").unwrap();
        let longer = stored.stamp();
        assert_ne!(longer, stamp);
        // Whoever sets the time back doesn't hide that.
        File::options().write(true).open(&first).unwrap().set_modified(SystemTime::UNIX_EPOCH + SETTLED).unwrap();
        let set_back = stored.stamp();
        assert!(set_back.is_fresh(SystemTime::now()));
        assert_ne!(set_back, longer);
        // A file that nobody could read before has changed, though nothing in it has.
        fs::set_permissions(&first, Permissions::from_mode(0o400)).unwrap();
        assert_ne!(stored.stamp(), set_back);
        fs::remove_file(&link).unwrap();
        let gone = stored.stamp();
        assert_ne!(gone, longer);
        assert!(!gone.is_fresh(SystemTime::now()));
        symlink(&second, &link).unwrap();
        assert_ne!(stored.stamp(), gone);
        assert_ne!(stored.stamp(), stamp);
    }

    #[test]
    fn token_urls() {
        for (text, origin, target) in [
            ("https://api.m3ter.com/oauth/token", "https://api.m3ter.com", "/oauth/token"),
            ("HTTPS://Login.Example:443/o/token/", "https://login.example", "/o/token/"),
            ("http://127.1:8080", "http://127.0.0.1:8080", "/"),
            ("https://a.example/token?p=policy", "https://a.example", "/token?p=policy"),
        ] {
            let url = TokenUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((url.origin().to_string().as_str(), url.target()), (origin, target));
        }
        for text in ["a.example/token", "ftp://a.example", "https://u@a.example/", "https://a/x?a b", "https://a/x?a#b"]
        {
            assert!(TokenUrl::parse(text).is_err(), "{text}");
        }
    }
}
