//! Tells by a connection's first bytes which version of HTTP its client speaks: HTTP/2 begins with words that no request of HTTP/1.1
//! can begin with (RFC 9113, 3.3 and 3.4).
//!
//! It has no time limit: whoever reads has one.

use std::{
    future::poll_fn,
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a client that speaks HTTP/2 says first.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One request after another.
    Http1,
    /// Many at a time.
    Http2,
}

/// Reads until it is clear what is spoken, and gives the stream from its beginning. Whatever isn't the beginning of HTTP/2, an early end
/// too, is HTTP/1.1's to judge.
pub(super) async fn read<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Protocol, Rewound<S>)> {
    let mut bytes = [0; PREFACE.len()];
    let mut said = ReadBuf::new(&mut bytes);
    let protocol = loop {
        let before = said.filled().len();
        poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut said)).await?;
        let length = said.filled().len();
        if length == before || said.filled() != &PREFACE[..length] {
            break Protocol::Http1;
        }
        if length == PREFACE.len() {
            break Protocol::Http2;
        }
    };
    let length = said.filled().len();
    Ok((protocol, Rewound { bytes, unread: 0..length, stream }))
}

/// A stream of which the first bytes have been read, from its beginning.
pub(super) struct Rewound<S> {
    bytes: [u8; PREFACE.len()],
    unread: Range<usize>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.unread.len().min(buffer.remaining());
        let start = self.unread.start;
        buffer.put_slice(&self.bytes[start..start + length]);
        self.unread.start += length;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_is_spoken_is_told_by_the_first_bytes_and_none_is_lost() {
        let whole = std::str::from_utf8(PREFACE).unwrap();
        for (said, protocol) in [
            (whole.to_owned(), Protocol::Http2),
            (format!("{whole}and frames"), Protocol::Http2),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), Protocol::Http1),
            ("PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n".to_owned(), Protocol::Http1),
            (whole.to_lowercase(), Protocol::Http1),
            (whole[..10].to_owned(), Protocol::Http1),
            (String::new(), Protocol::Http1),
        ] {
            // In one piece, and byte by byte.
            for room in [100, 1] {
                let (mut client, host) = duplex(room);
                let bytes = said.clone();
                let saying = tokio::spawn(async move { client.write_all(bytes.as_bytes()).await });
                let (heard, mut stream) = read(host).await.unwrap();
                let mut all = String::new();
                stream.read_to_string(&mut all).await.unwrap();
                assert_eq!((heard, all), (protocol, said.clone()), "{room}");
                saying.await.unwrap().unwrap();
            }
        }
    }
}
