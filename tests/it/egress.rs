//! The way out: a proxy that is asked to CONNECT, own authorities and a certificate of our own.

use crate::harness::{Ca, Config, Gateway, KEY, PATIENCE, SERVER_NAME, Sim, Wire, own_ip, until};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that takes every name for one address; lives as long as its runtime.
struct Proxy {
    addr: SocketAddr,
    tunnels: Arc<AtomicU64>,
    /// The heads of all questions.
    asked: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// With `proof`, whoever does not show it as `proxy-authorization` gets a 407.
    fn start(to: SocketAddr, proof: Option<&'static str>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((own_ip(), 0))).unwrap();
        let addr = listener.local_addr().unwrap();
        let (tunnels, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (opened, heard) = (tunnels.clone(), asked.clone());
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, to, proof, opened.clone(), heard.clone()));
            }
        });
        Self { addr, tunnels, asked, _runtime: runtime }
    }

    fn tunnels(&self) -> u64 {
        self.tunnels.load(Ordering::SeqCst)
    }

    fn last_question(&self) -> String {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

async fn tunnel(
    mut client: TcpStream,
    to: SocketAddr,
    proof: Option<&'static str>,
    opened: Arc<AtomicU64>,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let is_welcome = proof.is_none_or(|proof| head.contains(&format!("proxy-authorization: {proof}\r\n")));
    heard.lock().unwrap().push(head);
    if !is_welcome {
        let _ = client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await;
        return;
    }
    opened.fetch_add(1, Ordering::SeqCst);
    let mut server = TcpStream::connect(to).await.unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

fn call(gateway: &Gateway) -> (u16, serde_json::Value) {
    let mut answer = gateway.send(&Wire::Chat.request("m", false));
    (answer.status, answer.json())
}

#[test]
fn names_that_only_the_proxy_knows_are_called_through_one_tunnel() {
    let sim = Sim::start();
    let proxy = Proxy::start(sim.addr(), Some("Basic dXNlcjpwYXNzd29yZC1vZi10aGUtcHJveHk="));
    let config = Config::new()
        .env("PROXY", &format!("http://user:password-of-the-proxy@{}", proxy.addr))
        .table("egress")
        .set("proxy = \"env:PROXY\"")
        .table("providers.a")
        .set("kind = \"openai-compatible\"")
        .set("base_url = \"http://api.invalid:8000/v1\"")
        .model("m", &["a"]);
    let gateway = Gateway::start(config);
    for _ in 0..3 {
        let (status, body) = call(&gateway);
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!((proxy.tunnels(), sim.calls()), (1, 3), "a tunnel is kept like any connection");
    assert!(
        proxy.last_question().starts_with("CONNECT api.invalid:8000 HTTP/1.1\r\nhost: api.invalid:8000\r\n")
    );
    assert_eq!(
        sim.last_request().header("proxy-authorization"),
        None,
        "the proxy's own credential stays there"
    );
}

#[test]
fn a_proxy_that_refuses_is_a_target_that_cannot_be_reached() {
    let sim = Sim::start();
    let proxy = Proxy::start(sim.addr(), Some("Basic nobody"));
    let config = Config::new()
        .env("PROXY", &format!("http://user:password-of-the-proxy@{}", proxy.addr))
        .table("providers.far")
        .set("kind = \"openai-compatible\"")
        .set("base_url = \"http://api.invalid:8000/v1\"")
        .set("proxy = \"env:PROXY\"")
        .provider("near", Wire::Chat, sim.addr())
        .model("m", &["far", "near"])
        .model("alone", &["far"]);
    let gateway = Gateway::start(config);
    let (status, body) = call(&gateway);
    assert_eq!((status, proxy.tunnels(), sim.calls()), (200, 0, 1), "{body}");
    let mut answer = gateway.send(&Wire::Chat.request("alone", false));
    assert_eq!(answer.status, 502);
    let told = answer.json().to_string();
    assert!(!told.contains("password-of-the-proxy") && !told.contains("api.invalid"), "{told}");
    assert!(!gateway.stderr().contains("password-of-the-proxy"));
}

#[test]
fn what_is_excepted_or_of_this_machine_goes_straight() {
    let sim = Sim::start();
    let proxy = Proxy::start(sim.addr(), None);
    let config = Config::new()
        .table("egress")
        .set(&format!("proxy = \"http://{}\"", proxy.addr))
        .set("no_proxy = [\"*.direct.invalid\"]")
        .provider("own", Wire::Chat, sim.addr())
        .table("providers.excepted")
        .set("kind = \"openai-compatible\"")
        .set("base_url = \"http://api.direct.invalid:8000/v1\"")
        .table("providers.none")
        .set("kind = \"openai-compatible\"")
        .set("base_url = \"http://api.invalid:8000/v1\"")
        .set("proxy = \"none\"")
        .model("m", &["own"])
        .model("excepted", &["excepted"])
        .model("none", &["none"]);
    let gateway = Gateway::start(config);
    assert_eq!(call(&gateway).0, 200);
    for model in ["excepted", "none"] {
        assert_eq!(gateway.send(&Wire::Chat.request(model, false)).status, 502, "{model} has no such name");
    }
    assert_eq!(proxy.tunnels(), 0);
}

/// A second gateway that lets nobody in without a certificate, in front of `sim`.
fn strict(sim: &Sim, edge: &Ca, clients: &Ca) -> Gateway {
    Gateway::start(
        Config::new()
            .provider("a", Wire::Chat, sim.addr())
            .model("m", &["a"])
            .file("clients.pem", &clients.authority_pem)
            .tls(edge)
            .set("client_ca = \"{dir}/clients.pem\"")
            .set("client_auth = \"required\""),
    )
}

fn toward(host: &str, port: u16, edge: &Ca) -> Config {
    Config::new()
        .file("ca.pem", &edge.authority_pem)
        .env("UPSTREAM_KEY", KEY)
        .table("providers.a")
        .set("kind = \"openai-compatible\"")
        .set(&format!("base_url = \"https://{host}:{port}/v1\""))
        .set("api_key = \"env:UPSTREAM_KEY\"")
        .model("m", &["a"])
}

#[test]
fn a_certificate_of_our_own_is_shown_to_the_provider_also_through_the_proxy() {
    let (edge, clients, sim) = (Ca::new(), Ca::new(), Sim::start());
    let upstream = strict(&sim, &edge, &clients);
    let proxy = Proxy::start(upstream.tls(), None);
    for http2 in ["off", "on"] {
        let shown = clients.holder("tidegate", "edge", 7, (2020, 2099));
        let (cert, key) = shown.pem();
        let with = |config: Config| {
            config
                .file("own.pem", &cert)
                .file("own.key", &key)
                .table("providers.a")
                .set(&format!("http2 = \"{http2}\""))
        };
        let tls = "ca = \"{dir}/ca.pem\", cert = \"{dir}/own.pem\", key = \"{dir}/own.key\"";
        let address = upstream.tls();
        let straight = with(toward(&address.ip().to_string(), address.port(), &edge))
            .set(&format!("tls = {{ {tls}, server_name = \"{SERVER_NAME}\" }}"));
        let (status, body) = call(&Gateway::start(straight));
        assert_eq!(status, 200, "http2 {http2}: {body}");
        let proxied = with(toward(SERVER_NAME, 8443, &edge))
            .set(&format!("tls = {{ {tls} }}"))
            .set(&format!("proxy = \"http://{}\"", proxy.addr));
        let (status, body) = call(&Gateway::start(proxied));
        assert_eq!(status, 200, "http2 {http2}: {body}");
    }
    assert_eq!((proxy.tunnels(), sim.calls()), (2, 4));
    let stranger = toward(SERVER_NAME, 8443, &edge)
        .table("providers.a")
        .set("tls = { ca = \"{dir}/ca.pem\" }")
        .set(&format!("proxy = \"http://{}\"", proxy.addr));
    let gateway = Gateway::start(stranger);
    assert_eq!(call(&gateway).0, 502);
    assert_eq!(gateway.log_when(1)[0]["failures"][0]["class"], "tls");
    assert_eq!(sim.calls(), 4);
}

#[test]
fn the_old_way_out_stays_while_a_new_file_is_refused() {
    let sim = Sim::start();
    let (first, second) = (Proxy::start(sim.addr(), None), Proxy::start(sim.addr(), None));
    let file = |proxy: &Proxy, more: &str| {
        // A file of authorities needs a provider with TLS, which is never called here.
        let scheme = if more.starts_with("tls") { "https" } else { "http" };
        let base_url = &format!("base_url = \"{scheme}://api.invalid:8000/v1\"");
        Config::new()
            .table("egress")
            .set(&format!("proxy = \"http://{}\"", proxy.addr))
            .table("providers.a")
            .set("kind = \"openai-compatible\"")
            .set(base_url)
            .set(more)
            .model("m", &["a"])
    };
    let gateway = Gateway::start(file(&first, "http2 = \"off\""));
    assert_eq!(call(&gateway).0, 200);
    let bad = file(&second, "tls = { ca = \"{dir}/junk.pem\" }")
        .file("junk.pem", "-----BEGIN CERTIFICATE-----\nnothing of the kind\n");
    gateway.reconfigure(&bad);
    let is_told = || gateway.stderr().contains("junk.pem: ");
    until("the new file is refused", PATIENCE, is_told);
    assert_eq!(call(&gateway).0, 200);
    assert_eq!((first.tunnels(), second.tunnels()), (1, 0));
    gateway.reconfigure(&file(&second, "http2 = \"off\""));
    gateway.metric_becomes("tidegate_config_generation", &[], 2.0);
    assert_eq!(call(&gateway).0, 200);
    assert_eq!((first.tunnels(), second.tunnels()), (1, 1), "the next call takes the new way");
}
