//! What the caller sends along: bytes of any type, for an operation whose route has a parameter of location `raw-body`.
//!
//! To hand it on, put it into a request: [`crate::http::Request::streamed`]. It passes through the host, never through the
//! provider's memory.

pub use crate::bindings::airlock::capability::body::{Incoming, take};
