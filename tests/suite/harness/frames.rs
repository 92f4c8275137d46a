//! A client of HTTP/2 that needn't keep its rules: frames as bytes. It compresses nothing, and answers neither pings nor settings.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Rest, within_patience};

/// What a frame is (RFC 9113, 6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RESET: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const GOAWAY: u8 = 7;
    pub const CONTINUATION: u8 = 9;
}

/// The flags of heads and data.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The errors that are expected (RFC 9113, 7).
pub const PROTOCOL_ERROR: u32 = 1;
pub const CANCEL: u32 = 8;

/// A frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A head, each field written out (RFC 7541, 6.2.2).
pub fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in fields {
        head.push(0);
        for text in [name, value] {
            push_length(&mut head, text.len());
            head.extend(text.as_bytes());
        }
    }
    head
}

/// A number in seven bits, and what doesn't fit in them behind (RFC 7541, 5.1).
pub fn push_length(to: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        return to.push(length as u8);
    };
    to.push(127);
    while rest >= 128 {
        to.push(rest as u8 | 128);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// What the host says.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error that a RESET or GOAWAY tells.
    pub fn error(&self) -> u32 {
        let start = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[start..start + 4].try_into().expect("four bytes"))
    }
}

/// A connection that has begun.
pub struct Frames(TcpStream);

impl Frames {
    /// Connects, and greets with settings that say nothing.
    pub async fn to(listener: &Rest) -> Self {
        let mut it = Self(listener.connect().await);
        it.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        it.say(&frame(kind::SETTINGS, 0, 0, b"")).await;
        it
    }

    /// Says this, as far as the host listens.
    pub async fn say(&mut self, bytes: &[u8]) {
        let _ = within_patience("the host to listen", self.0.write_all(bytes)).await;
    }

    /// The next frame; `None` if the host has closed the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        within_patience("a frame", async {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [high, middle, low, kind, ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            Some(Frame { kind, payload })
        })
        .await
    }

    /// The next answer's head, or the next error.
    pub async fn verdict(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if [kind::HEADERS, kind::RESET, kind::GOAWAY].contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}
