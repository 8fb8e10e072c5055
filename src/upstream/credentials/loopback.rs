//! A server on the loopback that answers what it is told to, for tests.

use super::LinkFetch;
use crate::upstream::Transports;
use std::sync::{Arc, LazyLock, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer.
#[derive(Clone)]
pub(super) struct Reply {
    status: u16,
    body: String,
}

impl Reply {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into() }
    }
}

pub(super) struct Loopback {
    /// `http://127.0.0.1:port`.
    pub(super) base: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Loopback {
    /// The requests so far, head and body.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers `replies` in order, one a connection; the last one over and over.
pub(super) async fn serve(replies: Vec<Reply>) -> Loopback {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let task = tokio::runtime::Handle::current().spawn(async move {
        let mut number = 0;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let reply = replies.get(number).or(replies.last()).unwrap();
            number += 1;
            answer(stream, reply, &noted).await;
        }
    });
    Loopback { base, seen, task }
}

async fn answer(mut stream: TcpStream, reply: &Reply, seen: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut buffer = [0u8; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                seen.lock().unwrap().push(text);
                break;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let Reply { status, body } = reply;
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The real client. One transport for all tests: it reads the platform's certificates.
pub(super) fn fetch() -> Arc<LinkFetch> {
    static TRANSPORTS: LazyLock<Transports> = LazyLock::new(Transports::default);
    LinkFetch::new(TRANSPORTS.usual())
}

/// A file that is gone when the test is.
pub(in crate::upstream) struct Scratch(pub(in crate::upstream) std::path::PathBuf);

impl Scratch {
    pub(in crate::upstream) fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
