//! A guest's standard output and error, as lines in the host's log.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The lines that one call may log on each stream, however short they are: each is an event of its own in the host's log.
const MAX_LINES: usize = 200;

/// One stream of one call. Its clones are the same stream.
#[derive(Clone)]
pub(super) struct GuestLog(Arc<Stream>);

struct Stream {
    plugin: Arc<str>,
    name: &'static str,
    /// The bytes that are kept; what is more is dropped, and the log says so.
    limit: usize,
    written: Mutex<Written>,
}

/// The first bytes, and how many there were.
#[derive(Default)]
struct Written {
    kept: Vec<u8>,
    total: usize,
}

impl GuestLog {
    pub(super) fn new(plugin: Arc<str>, name: &'static str, limit: usize) -> Self {
        Self(Arc::new(Stream { plugin, name, limit, written: Mutex::default() }))
    }
}

impl Drop for Stream {
    /// Logged at the end of the call, whole: lines of calls that run side by side don't mix.
    fn drop(&mut self) {
        let written = self.written.get_mut().expect("no panic while held");
        let text = String::from_utf8_lossy(&written.kept);
        for line in text.lines().take(MAX_LINES) {
            // Escaped: a guest can't forge lines of the log, nor move the terminal's cursor.
            tracing::info!(target: "airlock::guest", plugin = &*self.plugin, stream = self.name, "{}", line.escape_debug());
        }
        if let Some(more) = text.lines().count().checked_sub(MAX_LINES).filter(|more| *more > 0) {
            tracing::warn!(target: "airlock::guest", plugin = &*self.plugin, stream = self.name, "{more} more lines dropped");
        }
        if written.total > written.kept.len() {
            let dropped = written.total - written.kept.len();
            tracing::warn!(target: "airlock::guest", plugin = &*self.plugin, stream = self.name, "{dropped} more bytes dropped");
        }
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut written = self.0.written.lock().expect("no panic while held");
        let room = self.0.limit - written.kept.len();
        written.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        written.total += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
