//! Texts in clients' hands that only this process can have given out: each with a tag over whatever it belongs to.
//!
//! What that is is said by those who give them out: `seal` and `owner`. Nothing is kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{hmac, rand::SystemRandom};

/// Makes tags, and knows its own.
pub(super) struct Tagger(hmac::Key);

impl Tagger {
    pub(super) fn new() -> Self {
        Self(hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).expect("the system has random numbers"))
    }

    /// `<text>.<tag>`, the latter in base64. `covers` gives all that the tag is to cover: the text, and what it belongs to.
    pub(super) fn tag(&self, text: &str, covers: impl FnOnce(&str) -> Vec<u8>) -> String {
        let tag = hmac::sign(&self.0, &covers(text));
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The text, if the tag was made here for the same.
    pub(super) fn untag<'a>(&self, tagged: &'a str, covers: impl FnOnce(&str) -> Vec<u8>) -> Option<&'a str> {
        let (text, tag) = tagged.rsplit_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, &covers(text), &tag).ok()?;
        Some(text)
    }
}
