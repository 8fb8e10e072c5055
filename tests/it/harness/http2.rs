//! An HTTP/2 client over TLS.

use super::tls::SERVER_NAME;
use super::{Ca, PATIENCE, Request};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Runs a future to its end (tasks of it run on a thread of their own), which must come within a few times [`PATIENCE`].
#[track_caller]
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { timeout(4 * PATIENCE, work).await.expect("the test hangs") })
}

/// A connection; all its streams share it. Ended when dropped.
pub struct Http2 {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

/// An answer's head, and its body on its way.
pub struct Http2Answer {
    pub status: u16,
    pub headers: HeaderMap,
    body: RecvStream,
    request: SendStream<Bytes>,
}

/// A call that has been sent.
pub struct Http2Call {
    answer: ResponseFuture,
    request: SendStream<Bytes>,
}

impl Http2 {
    pub async fn open(addr: SocketAddr, ca: &Ca) -> Self {
        Self::open_as(addr, ca.client(&[b"h2"])).await
    }

    /// With a client of one's own, that offers HTTP/2.
    pub async fn open_as(addr: SocketAddr, client: Arc<rustls::ClientConfig>) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let stream = TlsConnector::from(client).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the gateway offers HTTP/2");
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        let driver = tokio::spawn(async move {
            let _how_it_ended = connection.await;
        });
        Self { sender, driver }
    }

    /// Sends a request and waits for the answer's head.
    pub async fn send(&mut self, request: &Request) -> Http2Answer {
        let Http2Call { answer, request } = self.begin(request).await;
        let answer = timeout(PATIENCE, answer).await.expect("no answer").unwrap();
        let (head, body) = answer.into_parts();
        Http2Answer { status: head.status.as_u16(), headers: head.headers, body, request }
    }

    /// Sends a request whose answer is not waited for.
    pub async fn begin(&mut self, request: &Request) -> Http2Call {
        let mut head = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("https://{SERVER_NAME}{}", request.target));
        for (name, value) in &request.headers {
            head = head.header(name, value);
        }
        let mut sender = self.sender.clone().ready().await.unwrap();
        let has_body = !request.body.is_empty();
        let (answer, mut stream) = sender.send_request(head.body(()).unwrap(), !has_body).unwrap();
        // A body shorter than its announced length is one whose rest has not come yet.
        let announced = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let announced = announced.and_then(|(_, value)| value.parse::<usize>().ok());
        let is_whole = announced.is_none_or(|length| length <= request.body.len());
        let mut rest = Bytes::copy_from_slice(&request.body);
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
            let piece = rest.split_to(room.min(rest.len()));
            stream.send_data(piece, rest.is_empty() && is_whole).unwrap();
        }
        Http2Call { answer, request: stream }
    }

    /// Leaves without a word: the connection is dropped with all its streams.
    pub fn drop_connection(self) {
        self.driver.abort();
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http2Call {
    /// Cancels the call with RST_STREAM; the connection stays.
    pub fn reset(mut self) {
        self.request.send_reset(Reason::CANCEL);
    }
}

impl Http2Answer {
    /// The next bytes of the body; None at its proper end, the reason where it was reset.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, h2::Error> {
        let piece = timeout(PATIENCE, self.body.data()).await.expect("silence").transpose()?;
        let length = piece.as_ref().map_or(0, Bytes::len);
        self.body.flow_control().release_capacity(length)?;
        Ok(piece)
    }

    /// The whole body.
    pub async fn body(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await.expect("the stream was reset") {
            all.extend_from_slice(&piece);
        }
        all
    }

    /// Cancels the call with RST_STREAM; the connection stays.
    pub fn reset(mut self) {
        self.request.send_reset(Reason::CANCEL);
    }
}
