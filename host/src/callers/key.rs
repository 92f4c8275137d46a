//! API keys: made here, and kept as hashes only.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// What every key begins with, so that scanners for secrets find it where it shouldn't be.
const PREFIX: &str = "airlock_";

/// The random bytes of a key. 256 bits can't be guessed.
const LENGTH: usize = 32;

/// The name of the hash.
const ALGORITHM: &str = "sha256:";

/// A new key. It can be shown once, and that is why it exists.
pub struct NewKey(Zeroizing<String>);

impl NewKey {
    /// Makes one; `None` when the machine gives no random bytes.
    pub fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        SystemRandom::new().fill(bytes.as_mut_slice()).ok()?;
        let text = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Some(Self(Zeroizing::new(format!("{PREFIX}{}", *text))))
    }

    /// The key.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the host keeps of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

/// What the host keeps of a key.
///
/// It is one round of SHA-256, without salt: keys are random and long, so that there is nothing to guess and nothing that a slow
/// hash would make slower but the host itself, whenever somebody sends it nonsense. It is no way to keep a password.
#[derive(Clone)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &str) -> Self {
        let hash = digest(&SHA256, key.as_bytes());
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Whether it is the same, in a time that doesn't tell where they differ.
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALGORITHM)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Not its value: of a key that wasn't made here, a hash could give away more.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// A text is no hash. It isn't repeated: it may be the key itself.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected sha256: and 64 hexadecimal digits, as `airlock key new <name>` prints them; the key itself is never written here"
)]
pub struct BadKeyHash;

impl FromStr for KeyHash {
    type Err = BadKeyHash;

    fn from_str(text: &str) -> Result<Self, BadKeyHash> {
        let digits = text.strip_prefix(ALGORITHM).filter(|it| it.len() == 64 && it.is_ascii()).ok_or(BadKeyHash)?;
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            let pair = &digits[at..at + 2];
            let is_hexadecimal = pair.bytes().all(|it| it.is_ascii_hexdigit());
            *byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_hexadecimal).ok_or(BadKeyHash)?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_random_and_known_by_its_hash() {
        let (one, other) = (NewKey::random().unwrap(), NewKey::random().unwrap());
        assert_eq!(one.reveal().len(), 8 + 43);
        assert!(one.reveal().starts_with("airlock_"));
        assert_ne!(one.reveal(), other.reveal());
        let kept: KeyHash = one.hash().to_string().parse().unwrap();
        assert!(bool::from(kept.is(&KeyHash::of(one.reveal()))));
        assert!(!bool::from(kept.is(&KeyHash::of(other.reveal()))));
    }

    #[test]
    fn the_hash_is_sha_256() {
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of("abc").to_string(), known);
        assert!(bool::from(
            known.to_uppercase().replace("SHA", "sha").parse::<KeyHash>().unwrap().is(&KeyHash::of("abc"))
        ));
        assert!(!format!("{:?}", KeyHash::of("abc")).contains("ba78"));
    }

    #[test]
    fn what_is_no_hash_is_refused_without_being_repeated() {
        let digits = "0".repeat(64);
        for text in [
            "airlock_secret".to_owned(),
            String::new(),
            digits.clone(),
            format!("sha256:{}", &digits[1..]),
            format!("sha256:{digits}0"),
            format!("sha256:+{}", &digits[1..]),
            format!("sha256:{}ä", &digits[2..]),
            format!("md5:{digits}"),
        ] {
            let refused = text.parse::<KeyHash>().unwrap_err().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
