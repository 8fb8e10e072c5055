//! T29 over HTTP/2, by prior knowledge and by what a provider agrees to: calls of every kind work, and a
//! stream that was provably not processed is tried again, once.

use crate::harness::{Ca, Config, Gateway, KEY, SERVER_NAME, Sim, Wire, own_ip, sse_bytes};
use bytes::Bytes;
use h2::Reason;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

/// What the server does to its first call.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Answer,
    Refuse,
    /// GOAWAY that names no stream as processed, then the end of the connection.
    GoAway,
    /// An answer, and then the whole connection goes, politely.
    AnswerThenGoAway,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    /// Calls read whole and answered.
    processed: AtomicU64,
    turned_away: AtomicU64,
    body_bytes: AtomicU64,
}

/// A small HTTP/2 server; lives as long as its runtime.
struct Server {
    addr: SocketAddr,
    counts: Arc<Counts>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(first: First) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((own_ip(), 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let shared = counts.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let first = if number == 0 { first } else { First::Answer };
                tokio::spawn(serve(stream, first, shared.clone()));
            }
        });
        Self { addr, counts, _runtime: runtime }
    }

    /// One behind TLS that speaks these protocols: HTTP/2 itself, HTTP/1.1 by way of `sim`.
    fn behind_tls(ca: &Ca, alpn: &[&[u8]], sim: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((own_ip(), 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let (shared, tls) = (counts.clone(), TlsAcceptor::from(ca.server(alpn)));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (counts, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    let mut stream = tls.accept(stream).await.unwrap();
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        return serve(stream, First::Answer, counts).await;
                    }
                    let mut far = TcpStream::connect(sim).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut far).await;
                });
            }
        });
        Self { addr, counts, _runtime: runtime }
    }

    /// One that speaks whatever the server agrees to.
    fn negotiating(&self, ca: &Ca) -> Gateway {
        let config = Config::new()
            .file("ca.pem", &ca.authority_pem)
            .env("UPSTREAM_KEY", KEY)
            .table("providers.a")
            .set("kind = \"openai-compatible\"")
            .set(&format!("base_url = \"https://{}/v1\"", self.addr))
            .set("api_key = \"env:UPSTREAM_KEY\"")
            .set("http2 = \"auto\"")
            .set(&format!("tls = {{ ca = \"{{dir}}/ca.pem\", server_name = \"{SERVER_NAME}\" }}"));
        Gateway::start(config.model("m", &["a"]))
    }

    fn gateway(&self) -> Gateway {
        let config = Config::new().provider("a", Wire::Chat, self.addr).set("http2 = \"on\"");
        Gateway::start(config.model("m", &["a"]))
    }

    fn count(&self, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        of(&self.counts).load(Ordering::SeqCst)
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, first: First, counts: Arc<Counts>) {
    if first == First::GoAway {
        return go_away(stream, &counts).await;
    }
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut number = 0;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        number += 1;
        if first == First::Refuse && number == 1 {
            counts.turned_away.fetch_add(1, Ordering::SeqCst);
            respond.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        tokio::spawn(answer(request, respond, counts.clone()));
        if first == First::AnswerThenGoAway {
            connection.graceful_shutdown();
        }
    }
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    counts: Arc<Counts>,
) {
    let mut body = request.into_body();
    let mut all = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        body.flow_control().release_capacity(piece.len()).unwrap();
        all.extend_from_slice(&piece);
    }
    counts.body_bytes.fetch_add(all.len() as u64, Ordering::SeqCst);
    counts.processed.fetch_add(1, Ordering::SeqCst);
    let body: serde_json::Value = serde_json::from_slice(&all).unwrap();
    let is_stream = body["stream"] == true;
    let kind = if is_stream { "text/event-stream" } else { "application/json" };
    let head = http::Response::builder().status(200).header("content-type", kind).body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    if !is_stream {
        stream.send_data(Bytes::from_static(ANSWER.as_bytes()), true).unwrap();
        return;
    }
    let events = Wire::Chat.stream(&["over ", "two"], 1, 2);
    for (place, event) in events.iter().enumerate() {
        let piece = sse_bytes(std::slice::from_ref(event));
        stream.send_data(Bytes::from(piece), place + 1 == events.len()).unwrap();
        tokio::task::yield_now().await;
    }
}

/// Raw frames: reads until a HEADERS frame, then says that no stream was processed.
async fn go_away(mut stream: impl AsyncRead + AsyncWrite + Unpin, counts: &Counts) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == 1 {
            break;
        }
    }
    counts.turned_away.fetch_add(1, Ordering::SeqCst);
    stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    stream.shutdown().await.unwrap();
    // Reads on, so that what is under way does not become a reset.
    let _rest = stream.read_to_end(&mut Vec::new()).await;
}

#[track_caller]
fn hold_call(gateway: &Gateway, is_stream: bool) -> crate::harness::Answer {
    let mut answer = gateway.send(&Wire::Chat.request("m", is_stream));
    let body = answer.body();
    let shown = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(answer.status, 200, "{shown}");
    if is_stream {
        assert!(shown.contains("over ") && shown.contains("[DONE]"), "{shown}");
    } else {
        assert_eq!(shown, ANSWER);
    }
    answer
}

#[test]
fn t29_http2_answers_whole_and_streamed_and_big_bodies_share_one_connection() {
    let server = Server::start(First::Answer);
    let gateway = server.gateway();
    for is_stream in [false, true, false, true] {
        hold_call(&gateway, is_stream);
    }
    let before = server.count(|counts| &counts.body_bytes);
    // Far more than a window of either level.
    let big = "word ".repeat(500_000);
    let more = serde_json::json!({"messages": [{"role": "user", "content": big}]});
    let request = Wire::Chat.request_with("m", false, &more);
    let mut answer = gateway.send(&request);
    let body = answer.body();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&body));
    assert_eq!(server.count(|counts| &counts.body_bytes) - before, request.body.len() as u64);
    assert_eq!(
        (server.count(|counts| &counts.processed), server.count(|counts| &counts.connections)),
        (5, 1)
    );
}

#[test]
fn t29_http2_is_spoken_with_who_agrees_to_it_and_http1_with_who_does_not() {
    let (ca, sim) = (Ca::new(), Sim::start());
    let agrees = Server::behind_tls(&ca, &[b"h2", b"http/1.1"], sim.addr());
    let gateway = agrees.negotiating(&ca);
    for is_stream in [false, true, false, true] {
        hold_call(&gateway, is_stream);
    }
    let counts = |server: &Server| (server.count(|c| &c.processed), server.count(|c| &c.connections));
    assert_eq!((counts(&agrees), sim.calls()), ((4, 1), 0));
    for alpn in [&[b"http/1.1" as &[u8]] as &[&[u8]], &[]] {
        let (server, before) = (Server::behind_tls(&ca, alpn, sim.addr()), sim.calls());
        let gateway = server.negotiating(&ca);
        for is_stream in [false, true, false, true] {
            let mut answer = gateway.send(&Wire::Chat.request("m", is_stream));
            assert_eq!((answer.status, answer.body().is_empty()), (200, false));
        }
        assert_eq!((counts(&server), sim.calls()), ((0, 1), before + 4), "one connection of HTTP/1.1");
    }
    let plain = Config::new().provider("a", Wire::Chat, sim.addr()).set("http2 = \"auto\"");
    assert_eq!(Gateway::start(plain.model("m", &["a"])).send(&Wire::Chat.request("m", false)).status, 200);
}

#[test]
fn t29_http2_a_refused_stream_is_tried_again_and_processed_once() {
    for is_stream in [false, true] {
        let server = Server::start(First::Refuse);
        let gateway = server.gateway();
        let answer = hold_call(&gateway, is_stream);
        assert_eq!(answer.header("x-tidegate-attempts"), Some("2"), "{:?}", answer.headers);
        assert_eq!(server.count(|counts| &counts.turned_away), 1);
        assert_eq!(server.count(|counts| &counts.processed), 1);
    }
}

#[test]
fn t29_http2_a_goaway_below_the_stream_is_tried_again_and_processed_once() {
    for is_stream in [false, true] {
        let server = Server::start(First::GoAway);
        let gateway = server.gateway();
        hold_call(&gateway, is_stream);
        assert_eq!(server.count(|counts| &counts.turned_away), 1);
        assert_eq!(server.count(|counts| &counts.processed), 1);
        assert_eq!(server.count(|counts| &counts.connections), 2);
    }
}

#[test]
fn t29_http2_a_goaway_after_an_answer_costs_no_call() {
    let server = Server::start(First::AnswerThenGoAway);
    let gateway = server.gateway();
    for number in 1..=6 {
        hold_call(&gateway, number % 2 == 0);
        assert_eq!(server.count(|counts| &counts.processed), number);
    }
    assert_eq!(server.count(|counts| &counts.connections), 2);
}
