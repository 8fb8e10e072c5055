//! The forward lane: opaque paths of OpenAI-compatible providers pass through, with the credential
//! of the provider in place of the client's.

use crate::harness::{Config, Gateway, KEY, PATIENCE, Request, Sim, Wire, free_addr, sha256, until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

const PROVIDER_KEY: &str = "sk-provider-canary";
const OTHER_KEY: &str = "sk-other-canary";

fn with_key(config: Config) -> Config {
    config.set("api_key = \"env:PROVIDER_KEY\"").env("PROVIDER_KEY", PROVIDER_KEY)
}

fn gateway(sim: &Sim) -> Gateway {
    let config = with_key(Config::new().provider("a", Wire::Chat, sim.addr()));
    Gateway::start(config.model("m", &["a=upstream-m"]))
}

fn hold_credentials_swapped(sim: &Sim, what: &str) {
    let sent = sim.last_request();
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()), "{what}");
    let all = format!("{sent:?}");
    assert!(!all.contains(KEY), "{what}: the client's key went up: {all}");
}

#[test]
fn forward_an_upload_arrives_byte_for_byte_with_the_providers_credential() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let file = vec![0xa5; 3 * 1024 * 1024];
    let mut body = b"--edge\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
    body.extend_from_slice(&file);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    for chunk in [None, Some(70_001)] {
        let mut request = Request::new("POST", "/v1/files")
            .key(KEY)
            .header("content-type", "multipart/form-data; boundary=edge")
            .header("x-tidegate-cost-usd", "0")
            .header("cookie", "session=1")
            .body(body.clone());
        if let Some(size) = chunk {
            request = request.chunked(size);
        }
        let mut answer = gateway.send(&request);
        let seen = answer.json();
        assert_eq!(answer.status, 200, "{seen}");
        assert_eq!(seen["object"], "file", "{seen}");
        let sent = sim.last_request();
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v1/files"));
        assert_eq!((sent.body_bytes, sent.body_sha256.clone()), (body.len(), sha256(&body)), "{chunk:?}");
        assert_eq!((sent.header("cookie"), sent.header("x-tidegate-cost-usd")), (None, None));
        hold_credentials_swapped(&sim, "upload");
        let line = gateway.log_of(&answer);
        assert_eq!((&line["endpoint"], &line["status"]), (&"opaque".into(), &200.into()), "{line}");
        assert_eq!(line["bytes_in"], body.len(), "{line}");
        assert_eq!(line["provider"], "a", "{line}");
    }
}

#[test]
fn forward_every_form_of_the_clients_credential_stops_here() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let list = Request::new("GET", "/v1/files?limit=3");
    for request in [
        list.clone().key(KEY),
        list.clone().header("x-api-key", KEY),
        list.clone().header("api-key", KEY),
        list.clone().header("x-goog-api-key", KEY),
        Request::new("GET", &format!("/v1/files?limit=3&key={KEY}")),
    ] {
        let mut answer = gateway.send(&request);
        let seen = answer.json();
        assert_eq!(answer.status, 200, "{request:?}: {seen}");
        assert_eq!(seen["object"], "list", "{request:?}: {seen}");
        assert_eq!(sim.last_request().target, "/v1/files?limit=3", "{request:?}");
        hold_credentials_swapped(&sim, &format!("{request:?}"));
    }
    let refused = gateway.send(&list.key("sk-nobody"));
    assert_eq!(refused.status, 401);
    assert_eq!(sim.calls(), 5, "a refused call goes nowhere");
}

#[test]
fn forward_a_provider_is_named_where_there_are_several() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = with_key(Config::new().provider("a", Wire::Chat, a.addr()))
        .provider("b", Wire::Chat, b.addr())
        .set("api_key = \"env:OTHER_KEY\"")
        .env("OTHER_KEY", OTHER_KEY);
    let gateway = Gateway::start(config.model("m", &["a", "b"]));
    let list = Request::get("/v1/files");
    let mut unnamed = gateway.send(&list);
    assert_eq!(unnamed.status, 400);
    assert!(Wire::Chat.is_error_body(&unnamed.json()));
    assert_eq!(gateway.send(&list.clone().header("x-tidegate-provider", "b")).status, 200);
    assert_eq!((a.calls(), b.calls()), (0, 1));
    let sent = b.last_request();
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {OTHER_KEY}").as_str()));
    assert_eq!(sent.header("x-tidegate-provider"), None);
    assert_eq!(gateway.send(&list.header("x-tidegate-provider", "c")).status, 404);
}

#[test]
fn forward_a_provider_of_another_kind_is_refused() {
    for wire in [Wire::Messages, Wire::Gemini] {
        let sim = Sim::start();
        let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
        let named = Request::get("/v1/files").header("x-tidegate-provider", "a");
        for request in [Request::get("/v1/files"), named, upgrade("/v1/realtime?model=m")] {
            let mut answer = gateway.send(&request);
            let body = answer.json();
            assert_eq!(answer.status, 404, "{wire:?} {request:?}: {body}");
            assert!(Wire::Chat.is_error_body(&body), "{wire:?}: {body}");
        }
        assert_eq!(sim.calls(), 0, "{wire:?}");
    }
}

#[test]
fn forward_a_provider_that_is_down_is_told_in_json() {
    let config = with_key(Config::new().provider("a", Wire::Chat, free_addr())).model("m", &["a"]);
    let gateway = Gateway::start(config);
    let mut answer = gateway.send(&Request::get("/v1/files"));
    let body = answer.json();
    assert!((502..=503).contains(&answer.status), "{}: {body}", answer.status);
    assert!(Wire::Chat.is_error_body(&body), "{body}");
    assert!(!body.to_string().contains("127."), "the provider's address is told: {body}");
}

/// A WebSocket handshake.
fn upgrade(target: &str) -> Request {
    Request::get(target)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The client's side of a WebSocket, as bytes.
struct Socket(TcpStream);

impl Socket {
    fn open(addr: SocketAddr, request: &Request) -> (Self, String) {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request.to_bytes(&addr.to_string())).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream
                .read_exact(&mut byte)
                .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&head)));
            head.push(byte[0]);
        }
        (Self(stream), String::from_utf8(head).unwrap())
    }

    /// Sends one masked frame.
    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut out = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..=125 => out.push(0x80 | short as u8),
            middle @ 126..=0xffff => {
                out.push(0x80 | 126);
                out.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                out.push(0x80 | 127);
                out.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        self.0.write_all(&out).unwrap();
    }

    /// The next frame: opcode and payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let start = self.bytes(2);
        let length = match start[1] {
            126 => self.bytes(2).iter().fold(0, |n, byte| (n << 8) | *byte as usize),
            127 => self.bytes(8).iter().fold(0, |n, byte| (n << 8) | *byte as usize),
            short => short as usize,
        };
        (start[0] & 0x0f, self.bytes(length))
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }
}

#[test]
fn forward_a_realtime_socket_echoes_in_both_directions() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let (mut socket, head) = Socket::open(gateway.addr(), &upgrade("/v1/realtime?model=m&x=1"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // RFC 6455's own example key and answer.
    let lower = head.to_ascii_lowercase();
    assert!(lower.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(lower.contains("upgrade: websocket"), "{head}");
    for payload in [b"hello".to_vec(), vec![b'x'; 126], vec![7; 70_000], vec![9; 1_000_000]] {
        socket.send(2, &payload);
        let (opcode, echoed) = socket.frame();
        assert_eq!((opcode, echoed.len()), (2, payload.len()));
        assert_eq!(sha256(&echoed), sha256(&payload));
    }
    socket.send(9, b"ping");
    assert_eq!(socket.frame(), (10, b"ping".to_vec()));
    socket.send(8, &1000u16.to_be_bytes());
    assert_eq!(socket.frame(), (8, 1000u16.to_be_bytes().to_vec()));
    assert_eq!(sim.last_request().target, "/v1/realtime?model=upstream-m&x=1");
    hold_credentials_swapped(&sim, "realtime");
    let line = gateway.log_where("the socket's line", |line| line["path"] == "/v1/realtime");
    assert_eq!(line["model"], "m", "{line}");
    until("the upstream's socket is closed", PATIENCE, || sim.stats().in_flight == 0);
}

#[test]
fn forward_a_realtime_client_that_leaves_takes_the_upstream_along() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let (mut socket, head) = Socket::open(gateway.addr(), &upgrade("/v1/realtime?model=m"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    socket.send(1, b"hello");
    assert_eq!(socket.frame(), (1, b"hello".to_vec()));
    assert_eq!(sim.stats().in_flight, 1);
    drop(socket);
    until("the upstream's socket is closed", PATIENCE, || sim.stats().in_flight == 0);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
}

#[test]
fn forward_realtime_needs_a_key_and_a_known_model() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    assert_eq!(gateway.send(&upgrade("/v1/realtime?model=m").key("sk-nobody")).status, 401);
    assert_eq!(gateway.send(&upgrade("/v1/realtime?model=nothing")).status, 404);
    assert_eq!(sim.calls(), 0);
}
