//! The upstream: prepared answers, as fast as a socket takes them, so that it isn't what is measured.

use std::{io, net::SocketAddr};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What is answered: a name, which is the last part of the path, and the length of the JSON text.
pub const SIZES: [(&str, usize); 3] = [("small", 200), ("medium", 10_000), ("large", 10_000_000)];

/// Serves for good, and says where.
pub async fn serve() -> io::Result<()> {
    let answers: Vec<(Vec<u8>, Bytes)> =
        SIZES.iter().map(|(name, length)| (format!("/{name} ").into_bytes(), answer(*length))).collect();
    let answers: &'static [_] = answers.leak();
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { connection(stream, answers).await.ok() });
    }
}

/// Requests have no body.
async fn connection(mut stream: TcpStream, answers: &[(Vec<u8>, Bytes)]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::with_capacity(4096);
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        let asked = |path: &[u8]| read.windows(path.len()).any(|it| it == path);
        let answer = answers.iter().find(|(path, _)| asked(path)).expect("one of the paths");
        stream.write_all(&answer.1).await?;
        read.clear();
    }
}

/// A list of objects, of exactly this length.
fn answer(length: usize) -> Bytes {
    const ITEM: &str = r#"{"id":"0d9b6f2e","name":"Ada Lovelace","active":true,"roles":["admin","user"]},"#;
    const LAST: &str = r#"{"id":""}"#;
    let (start, end) = (r#"{"data":["#, "]}");
    let room = length - start.len() - LAST.len() - end.len();
    let (items, rest) = (room / ITEM.len(), room % ITEM.len());
    let body = format!("{start}{}{{\"id\":\"{}\"}}{end}", ITEM.repeat(items), "x".repeat(rest));
    assert_eq!(body.len(), length);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    (head + &body).into()
}
