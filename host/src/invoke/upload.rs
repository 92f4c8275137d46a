//! The body of a caller's request on its way into a call: bytes of any type, not read by anybody yet.
//!
//! How much of it there may be, and what becomes of one that breaks off, is the door's to say.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Why there is no more of a body.
pub type BrokeOff = Box<dyn std::error::Error + Send + Sync>;

/// What a caller sends along. Its clones are of one body, which can be taken once.
#[derive(Clone, Default)]
pub struct Upload(Arc<Mutex<Option<Incoming>>>);

/// A body that is on its way.
pub struct Incoming {
    /// Its type, as the caller states it.
    pub media_type: Option<String>,
    /// How many bytes it has, if the caller has said so.
    pub length: Option<u64>,
    /// The bytes.
    pub contents: UnsyncBoxBody<Bytes, BrokeOff>,
}

impl Upload {
    /// One to be taken.
    pub fn new(incoming: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Some(incoming))))
    }

    /// Takes it, if there is one and nobody has.
    pub fn take(&self) -> Option<Incoming> {
        self.0.lock().expect("no panic while held").take()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upload")
    }
}
