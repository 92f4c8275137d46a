//! An upstream on a free port of 127.0.0.1 that answers byte for byte what a test tells it to.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::egress::connect::Resolve;

/// What an upstream does with one request.
pub(crate) enum Reply {
    /// Answers and waits for the next request.
    Answer(Vec<u8>),
    /// Answers, maybe in part, and closes.
    Close(Vec<u8>),
    /// Answers, maybe in part, and never sends anything more.
    Hang(Vec<u8>),
    /// Answers byte by byte with a pause after each.
    Trickle(Vec<u8>, Duration),
    /// Answers the first, then the second again and again.
    Forever(Vec<u8>, Vec<u8>),
}

pub(crate) struct Fake {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// An upstream that replies to the text of each request.
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake =
            Self { address: listener.local_addr().unwrap(), connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&fake.connections), Arc::clone(&fake.requests));
        let reply = Arc::new(reply);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, Arc::clone(&reply), Arc::clone(&requests)));
            }
        });
        fake
    }

    /// An upstream that answers every request with the same bytes.
    pub(super) async fn fixed(answer: &str) -> Self {
        let answer = answer.as_bytes().to_vec();
        Self::start(move |_| Reply::Answer(answer.clone())).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn last_request(&self) -> String {
        self.requests.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

async fn converse(mut stream: TcpStream, reply: Arc<impl Fn(&str) -> Reply>, requests: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        requests.lock().unwrap().push(request.clone());
        // Whether the mediator is still there to read doesn't matter here.
        match reply(&request) {
            Reply::Answer(bytes) => drop(stream.write_all(&bytes).await),
            Reply::Close(bytes) => {
                drop(stream.write_all(&bytes).await);
                return;
            }
            Reply::Trickle(bytes, pause) => {
                for byte in bytes {
                    drop(stream.write_all(&[byte]).await);
                    tokio::time::sleep(pause).await;
                }
            }
            Reply::Forever(first, again) => {
                drop(stream.write_all(&first).await);
                while stream.write_all(&again).await.is_ok() {}
                return;
            }
            Reply::Hang(bytes) => {
                drop(stream.write_all(&bytes).await);
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let chunked = head.contains("transfer-encoding: chunked");
            if body.len() >= length.unwrap_or(0) && (!chunked || body.ends_with("0\r\n\r\n")) {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
}

/// Answers from a list, one item for each lookup.
pub(super) struct FixedResolver {
    pub(super) answers: Mutex<Vec<Vec<SocketAddr>>>,
}

impl Resolve for FixedResolver {
    fn resolve(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.is_empty() { Err(io::Error::other("no such name")) } else { Ok(answers.remove(0)) };
        Box::pin(std::future::ready(answer))
    }
}
