//! The MCP door on standard input and output, for the one client that has started the process.
//!
//! It serves what `/mcp` does, by the same server; rmcp finds out which version of the protocol is spoken. Lines are `line`'s. Whoever
//! starts the process has the operator's rights: to keep callers apart is for the doors that have several.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use futures::{SinkExt, Stream, StreamExt, channel::mpsc};
use rmcp::{
    ServiceExt,
    model::{ClientJsonRpcMessage, GetExtensions, JsonRpcMessage, ServerJsonRpcMessage},
    service::ServerInitializeError,
    transport::sink_stream::SinkStreamTransport,
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Common, Listing, line,
    server::{Server, Surface},
};
use crate::{
    caller::{Caller, Door},
    callers::Identity,
    catalog::{Catalog, Scope},
};

/// How long calls may go on after the end of the input, and the last answers take to be written. 1 s: enough for what a script has
/// piped in; clients kill a server that isn't gone 2 s after they have closed its input.
const GRACE: Duration = Duration::from_secs(1);

/// How many answers may wait to be written. More than a few wait only for a client that doesn't read.
const UNWRITTEN: usize = 16;

/// Serves the catalog to the client at the other end, until it closes its end or `stop` is cancelled. No call goes on afterwards.
pub async fn serve<I, O>(catalog: Arc<Catalog>, listing: Listing, input: I, output: O, stop: CancellationToken)
where
    I: AsyncRead + Send + Unpin + 'static,
    O: AsyncWrite + Send + Unpin + 'static,
{
    let closing = stop.child_token();
    let surface = Surface::new(&Common::new(catalog, listing, closing.clone()), Scope::All);
    let (messages, to_serve) = mpsc::channel(0);
    let (answers, to_write) = mpsc::channel(UNWRITTEN);
    let (read, write) = (read(BufReader::new(input), messages, answers.clone()), write(output, to_write));

    let ended = stop.clone();
    let reading = AbortOnDropHandle::new(tokio::spawn(async move {
        read.await;
        closing.cancel();
        tokio::time::sleep(GRACE).await;
        ended.cancel();
    }));
    // A client that doesn't read any more is gone.
    let gone = stop.clone().drop_guard();
    let writing = tokio::spawn(async move {
        let _gone = gone;
        if let Err(e) = write.await {
            tracing::debug!("the client reads no more answers: {e}");
        }
    });
    speak(Arc::new(surface), Messages(Arc::new(Mutex::new(to_serve))), answers, stop).await;
    drop(reading);
    // An error: the client doesn't read.
    let _ = tokio::time::timeout(GRACE, writing).await;
}

/// Speaks the protocol, which begins with the first request. rmcp gives up where anything else comes before, such as the cancellation
/// of a `server/discover` that has taken too long.
async fn speak(
    surface: Arc<Surface>,
    messages: Messages,
    answers: mpsc::Sender<ServerJsonRpcMessage>,
    stop: CancellationToken,
) {
    loop {
        let transport = SinkStreamTransport::new(answers.clone(), messages.clone());
        match Server::new(surface.clone()).serve_with_ct(transport, stop.clone()).await {
            Ok(running) => {
                let _ = running.waiting().await;
                return;
            }
            Err(ServerInitializeError::ExpectedInitializeRequest(Some(early))) => {
                tracing::debug!("a message before the first request is ignored: {early:?}");
            }
            Err(over) => {
                tracing::debug!("the client went without a request: {over}");
                return;
            }
        }
    }
}

/// The messages to be served. Its clones take from the same ones.
#[derive(Clone)]
struct Messages(Arc<Mutex<mpsc::Receiver<ClientJsonRpcMessage>>>);

impl Stream for Messages {
    type Item = ClientJsonRpcMessage;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClientJsonRpcMessage>> {
        self.0.lock().expect("nothing panics under this lock").poll_next_unpin(cx)
    }
}

/// Hands messages on, and answers what is none, until the input ends or nobody takes them any more.
async fn read(
    mut input: impl AsyncBufRead + Unpin,
    mut messages: mpsc::Sender<ClientJsonRpcMessage>,
    mut answers: mpsc::Sender<ServerJsonRpcMessage>,
) {
    loop {
        let taken = match line::next(&mut input).await {
            Ok(Some(Ok(message))) => messages.send(of_owner(message)).await,
            Ok(Some(Err(refusal))) => answers.send(JsonRpcMessage::Error(*refusal)).await,
            Ok(None) => return,
            Err(e) => return tracing::warn!("standard input can't be read: {e}"),
        };
        if taken.is_err() {
            return;
        }
    }
}

fn of_owner(mut message: ClientJsonRpcMessage) -> ClientJsonRpcMessage {
    if let JsonRpcMessage::Request(request) = &mut message {
        let caller = Caller { door: Door::Mcp, peer: None, identity: Identity::operator() };
        request.request.extensions_mut().insert(caller);
    }
    message
}

async fn write(
    mut output: impl AsyncWrite + Unpin,
    mut answers: mpsc::Receiver<ServerJsonRpcMessage>,
) -> io::Result<()> {
    while let Some(answer) = answers.next().await {
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;

    /// A client's two ends, and the door.
    fn open(room: usize) -> (DuplexStream, DuplexStream, CancellationToken, impl Future<Output = ()>) {
        let ((input, client_in), (client_out, output)) = (duplex(1 << 16), duplex(room));
        let stop = CancellationToken::new();
        let door = serve(Arc::default(), Listing::default(), input, output, stop.clone());
        (client_in, client_out, stop, door)
    }

    async fn said(mut output: DuplexStream) -> Vec<Value> {
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_piped_in_is_answered_and_the_end_of_it_is_the_end() {
        let (mut input, output, _stop, door) = open(1 << 16);
        let script = format!("{INITIALIZE}\n{}\n", json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
        input.write_all(script.as_bytes()).await.unwrap();
        drop(input);
        door.await;
        let said = said(output).await;
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!((&said[0]["id"], &said[1]["id"], &said[1]["result"]["tools"]), (&json!(1), &json!(2), &json!([])));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_before_the_first_request_is_ignored() {
        let (mut input, output, _stop, door) = open(1 << 16);
        let early = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}});
        input.write_all(format!("{early}\n{early}\n{INITIALIZE}\n").as_bytes()).await.unwrap();
        drop(input);
        door.await;
        assert_eq!(said(output).await[0]["result"]["serverInfo"]["name"], "airlock");
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_though_the_client_neither_ends_nor_reads() {
        let (mut input, _unread, stop, door) = open(1);
        input.write_all(format!("{INITIALIZE}\n").as_bytes()).await.unwrap();
        let door = tokio::spawn(door);
        tokio::task::yield_now().await;
        stop.cancel();
        door.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_any_more_is_gone() {
        let (mut input, output, _stop, door) = open(1 << 16);
        drop(output);
        input.write_all(format!("{INITIALIZE}\n").as_bytes()).await.unwrap();
        door.await;
    }
}
