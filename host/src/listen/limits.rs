//! What a connection may take of time and room.
//!
//! How large a body may be is the doors' to say: they know what they do with it.

use std::time::Duration;

use http::HeaderMap;

use super::refusal::Refusal;

/// The limits of a listener. They aren't read from the configuration, because nobody has needed others; tests make them short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the first head of a new connection may take. 10 s: who opens a connection has something to ask, and the slowest line
    /// takes a second or two for it. What says nothing costs its maker nothing, and would hold a place for as long as `head`.
    pub first_head: Duration,
    /// How long a request's head may take, and how long a connection may be idle before. 75 s: load balancers (nginx, AWS) keep an
    /// idle connection for 60 s. It is they who have to close it: otherwise a request may meet a connection that is just going.
    pub head: Duration,
    /// How long a request's body may take. 60 s: the largest one, 4 MiB, then comes at 70 KB/s, which a poor mobile line has.
    pub body: Duration,
    /// How long a pause a request's body may make that is handed on as it comes, however long it takes in all. 30 s: as long as a client
    /// may take to read.
    pub pause: Duration,
    /// How long a write may wait for the client to read. 30 s: by then all buffers between have been full for that long; a line
    /// that was lost and came back needs less, and as long the host waits for calls in flight when it stops. A stream on which
    /// nothing is to be said waits for nothing.
    pub stall: Duration,
    /// How many connections there are at a time, and streams of HTTP/2 in them: 2048. An MCP session has one for its stream, of which there are 1000 at most, and
    /// the rest is as many as there can be calls. A connection beyond isn't accepted until one ends: the kernel lets it wait, and
    /// it is served late, where to close it would fail a client that did nothing wrong. A stream beyond is told to come back.
    pub connections: usize,
    /// How many of both one client has, going by its address: 1024. Half of all, so that the other half is there whatever one client
    /// does, this machine's own programs included; no less, because a reverse proxy in front is one client too.
    pub per_client: usize,
    /// How many header fields a request has: 100. Browsers send 20, and proxies on the way add 10.
    pub headers: usize,
    /// How large a request's head is, in bytes. 32 KiB: what nginx takes; a page of query and a few large cookies fit in. HTTP/2 counts it
    /// unpacked, and 32 more for each field.
    pub head_size: usize,
    /// How many bytes are buffered for a connection, each way: 64 KiB. One read of an upstream's answer has no more. What the client
    /// hasn't taken yet isn't fetched: an answer waits at its upstream, not here.
    pub buffer: usize,
    /// How many streams a connection of HTTP/2 has at a time: 100. The standard wants no fewer (RFC 9113, 6.5.2), and a plugin has 64
    /// calls at a time.
    pub streams: u32,
    /// How long a connection of HTTP/2 may be silent before the host asks whether anybody is there, and how long the answer may take.
    /// 30 s each: a client whose line is dead, on which nothing needs to be said, gives back what it holds within a minute.
    pub ping: Duration,
    /// How long a client of HTTP/2 may take to answer when the host closes an idle connection. 5 s: a round trip, on the slowest line.
    pub goodbye: Duration,
}

impl Limits {
    /// Holds a request's head to them. How many bytes it has isn't looked at: the protocol's implementation has read no more.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match headers.len() > self.headers {
            true => Err(Refusal::HeadTooLarge { fields: self.headers }),
            false => Ok(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_head: Duration::from_secs(10),
            head: Duration::from_secs(75),
            body: Duration::from_secs(60),
            pause: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            connections: 2048,
            per_client: 1024,
            headers: 100,
            head_size: 32 << 10,
            buffer: 64 << 10,
            streams: 100,
            ping: Duration::from_secs(30),
            goodbye: Duration::from_secs(5),
        }
    }
}
