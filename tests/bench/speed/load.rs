//! The clients: connections that ask again as soon as they are answered, with as little work as it takes to know that an answer was right.

use std::{
    io::{self, Write},
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// What is asked of whom.
#[derive(Clone)]
pub struct Ask {
    /// Host and port.
    pub authority: String,
    /// The whole request.
    pub request: Vec<u8>,
    /// Where in it the number of the request stands, which no other request of a session may have.
    pub number: Option<Range<usize>>,
    /// What the body of every answer contains.
    pub contains: &'static str,
}

/// How long each answered request has taken.
pub struct Taken {
    pub times: Vec<Duration>,
    pub bytes: u64,
    pub elapsed: Duration,
}

/// Asks on so many connections for so long, and at least once; what is on its way then is waited for.
pub async fn ask(ask: &Ask, connections: usize, during: Duration) -> Taken {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let ask = ask.clone();
        tasks.spawn(async move { connection(ask, began + during).await.unwrap_or_else(|e| panic!("{e}")) });
    }
    let mut taken = Taken { times: Vec::new(), bytes: 0, elapsed: Duration::ZERO };
    while let Some(done) = tasks.join_next().await {
        let (times, bytes) = done.expect("no panic");
        taken.times.extend(times);
        taken.bytes += bytes;
    }
    taken.elapsed = began.elapsed();
    taken
}

/// The answer to one request: its head and what there is of its body.
pub async fn once(ask: &Ask) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(&ask.authority).await?;
    stream.write_all(&ask.request).await?;
    let mut read = Vec::new();
    let answer = answer(&mut stream, &mut read).await?;
    let (head, body) = read.split_at(answer.head);
    Ok((String::from_utf8_lossy(head).into_owned(), String::from_utf8_lossy(body).into_owned()))
}

impl Ask {
    /// Gives the request a number of its own.
    fn count(&mut self) {
        static LATEST: AtomicUsize = AtomicUsize::new(0);
        if let Some(place) = self.number.clone() {
            let (width, number) = (place.len(), LATEST.fetch_add(1, Ordering::Relaxed));
            write!(&mut self.request[place], "{number:0>width$}").expect("there is room");
        }
    }
}

async fn connection(mut ask: Ask, until: Instant) -> io::Result<(Vec<Duration>, u64)> {
    let mut stream = TcpStream::connect(&ask.authority).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut bytes, mut read) = (Vec::new(), 0, Vec::with_capacity(BUFFER));
    loop {
        let began = Instant::now();
        ask.count();
        stream.write_all(&ask.request).await?;
        let answer = answer(&mut stream, &mut read).await?;
        times.push(began.elapsed());
        bytes += answer.length as u64;
        let seen = &read[answer.head..];
        assert!(
            read.starts_with(b"HTTP/1.1 200")
                && seen.windows(ask.contains.len()).any(|it| it == ask.contains.as_bytes()),
            "expected 200 and {:?}: {}",
            ask.contains,
            String::from_utf8_lossy(&read[..read.len().min(2000)])
        );
        if Instant::now() >= until {
            return Ok((times, bytes));
        }
    }
}

/// Large answers are read in parts of this size, of which the last is kept.
const BUFFER: usize = 256 << 10;

struct Answer {
    /// The length of the head.
    head: usize,
    /// The length of the whole.
    length: usize,
}

/// Reads one answer. Of one that is larger than the buffer, the beginning is kept.
async fn answer(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<Answer> {
    read.clear();
    let head = loop {
        more(stream, read).await?;
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let fields = String::from_utf8_lossy(&read[..head]).to_lowercase();
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|it| it.trim().parse::<usize>().ok()) {
        Some(length) => {
            let mut left = (head + length).saturating_sub(read.len());
            let mut rest = Vec::with_capacity(if left > BUFFER { BUFFER } else { 0 });
            while left > 0 {
                let into = if read.len() < BUFFER {
                    &mut *read
                } else {
                    rest.clear();
                    &mut rest
                };
                left = left.saturating_sub(more(stream, into).await?);
            }
            Ok(Answer { head, length: head + length })
        }
        None => {
            assert!(fields.contains("transfer-encoding: chunked"), "neither a length nor chunks: {fields}");
            while !read.ends_with(b"\r\n0\r\n\r\n") {
                more(stream, read).await?;
            }
            Ok(Answer { head, length: read.len() })
        }
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<usize> {
    match stream.read_buf(read).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}
