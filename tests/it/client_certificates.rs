//! Client certificates as credentials: the same door as for keys and tokens, on both protocols.

use crate::harness::governed::OWNER;
use crate::harness::{
    Ca, Config, Gateway, Holder, Http2, PATIENCE, Request, SERVER_NAME, Sim, Wire, block_on, until,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

const GOOD: (i32, i32) = (2020, 2099);

/// Certificates of `clients` are let in as the app their common name has, in the tenant their
/// organization has.
fn config(sim: &Sim, edge: &Ca, clients: &Ca, listener: &[&str], rules: &[&str]) -> Config {
    let mut config = Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .governed("sqlite:{dir}/tidegate.db")
        .file("clients.pem", &clients.authority_pem)
        .tls(edge)
        .set("client_ca = \"{dir}/clients.pem\"");
    config = listener.iter().fold(config, |config, line| config.set(line));
    config =
        config.table("auth.mtls").set("tenant = \"cert:o\"").set("team = \"core\"").set("app = \"cert:cn\"");
    rules.iter().fold(config, |config, line| config.set(line))
}

/// One request on a connection of its own: the status, or why there is none.
fn status(gateway: &Gateway, client: &Arc<ClientConfig>, request: &Request) -> Result<u16, String> {
    let tcp = TcpStream::connect(gateway.tls()).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from(SERVER_NAME).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(client.clone(), name).unwrap(), tcp);
    let bytes = request.clone().header("connection", "close").to_bytes(SERVER_NAME);
    stream.write_all(&bytes).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|text| text.get(..3)?.parse().ok());
    status.ok_or_else(|| format!("{read:?} {text}"))
}

fn plain(ca: &Ca) -> Arc<ClientConfig> {
    ca.client(&[b"http/1.1"])
}

fn shows(edge: &Ca, holder: Holder) -> Arc<ClientConfig> {
    edge.client_as(&[b"http/1.1"], holder)
}

/// Without a key.
fn models() -> Request {
    Request::new("GET", "/v1/models")
}

#[test]
fn a_certificate_is_its_apps_credential_on_both_protocols() {
    let (sim, edge, clients) = (Sim::start(), Ca::new(), Ca::new());
    let gateway = Gateway::start(config(&sim, &edge, &clients, &[], &[]));
    let app = gateway.tenancy("acme", &json!({}));
    let mut call = Wire::Chat.request("m", false);
    call.headers.retain(|(name, _)| name != "authorization");
    let client = shows(&edge, clients.holder("bot", "acme", 1, GOOD));
    assert_eq!(status(&gateway, &client, &call), Ok(200));
    let line = gateway.log_where("the call", |line| line["key"] == "mtls:bot");
    assert_eq!((&line["status"], &line["model"]), (&json!(200), &json!("m")));
    let h2 = edge.client_as(&[b"h2"], clients.holder("bot", "acme", 1, GOOD));
    let told = block_on(async {
        let mut connection = Http2::open_as(gateway.tls(), h2).await;
        connection.send(&models()).await.status
    });
    assert_eq!(told, 200);
    // Of no app here, and of the app of a tenant that is not there.
    for (name, tenant) in [("cat", "acme"), ("bot", "other"), ("", "acme")] {
        let stranger = shows(&edge, clients.holder(name, tenant, 2, GOOD));
        assert_eq!(status(&gateway, &stranger, &models()), Ok(401), "{name} of {tenant}");
    }
    // On the lane that Pingora serves too.
    let file = Request::new("GET", "/v1/files/file-1");
    let passed_on = gateway.send(&file.clone().key(crate::harness::KEY)).status;
    assert!(![401, 403].contains(&passed_on), "{passed_on}");
    assert_eq!(status(&gateway, &client, &file), Ok(403));
    let change = |body| {
        assert_eq!(gateway.admin_call(OWNER, "PATCH", &format!("apps/{}", app.app), &body).0, 200);
    };
    change(json!({ "policy": { "endpoints": ["opaque", "models"] } }));
    until("files are opened", PATIENCE, || status(&gateway, &client, &file) == Ok(passed_on));
    change(json!({ "status": "blocked" }));
    until("the app is blocked", PATIENCE, || status(&gateway, &client, &models()) == Ok(401));
}

#[test]
fn a_strangers_an_expired_and_no_certificate_are_not_let_in_and_a_key_is() {
    let (sim, edge, clients, strangers) = (Sim::start(), Ca::new(), Ca::new(), Ca::new());
    let gateway = Gateway::start(config(&sim, &edge, &clients, &[], &[]));
    let app = gateway.tenancy("acme", &json!({}));
    let stranger = shows(&edge, strangers.holder("bot", "acme", 1, GOOD));
    assert!(status(&gateway, &stranger, &models()).is_err(), "of another authority");
    let expired = shows(&edge, clients.holder("bot", "acme", 1, (2020, 2021)));
    assert!(status(&gateway, &expired, &models()).is_err(), "no longer good");
    let early = shows(&edge, clients.holder("bot", "acme", 1, (2098, 2099)));
    assert!(status(&gateway, &early, &models()).is_err(), "not yet good");
    // A server's certificate is none of a client's, though the same authority made it: nobody is called so.
    assert_eq!(status(&gateway, &plain(&edge), &models()), Ok(401));
    assert_eq!(status(&gateway, &plain(&edge), &models().key(&app.secret)), Ok(200));
    // Who sends a key is who the key says, and nobody where the key is wrong.
    let good = shows(&edge, clients.holder("bot", "acme", 1, GOOD));
    assert_eq!(status(&gateway, &good, &models()), Ok(200));
    assert_eq!(status(&gateway, &good, &models().key("wrong")), Ok(401));
    assert_eq!(status(&gateway, &good, &models().key(&app.secret)), Ok(200));
}

#[test]
fn a_listener_that_needs_certificates_takes_no_connection_without_one() {
    let (sim, edge, clients) = (Sim::start(), Ca::new(), Ca::new());
    let required = ["client_auth = \"required\""];
    let gateway = Gateway::start(config(&sim, &edge, &clients, &required, &["over_keys = true"]));
    let app = gateway.tenancy("acme", &json!({}));
    assert!(status(&gateway, &plain(&edge), &models().key(&app.secret)).is_err());
    let good = shows(&edge, clients.holder("bot", "acme", 1, GOOD));
    // An SDK sends a key whether it has one or not: here the certificate decides.
    assert_eq!(status(&gateway, &good, &models().key("wrong")), Ok(200));
    let stranger = shows(&edge, clients.holder("cat", "acme", 1, GOOD));
    assert_eq!(status(&gateway, &stranger, &models().key(&app.secret)), Ok(401));
}

#[test]
fn a_certificate_taken_back_is_refused_also_where_a_session_goes_on() {
    let (sim, edge, clients) = (Sim::start(), Ca::new(), Ca::new());
    let listener = ["client_crl = \"{dir}/taken-back.pem\""];
    let config = config(&sim, &edge, &clients, &listener, &[]).file("taken-back.pem", &clients.revoked(&[7]));
    let gateway = Gateway::start(config.clone());
    gateway.tenancy("acme", &json!({}));
    // Its sessions go on: the client remembers them.
    let good = shows(&edge, clients.holder("bot", "acme", 1, GOOD));
    assert_eq!(status(&gateway, &good, &models()), Ok(200));
    assert_eq!(status(&gateway, &good, &models()), Ok(200));
    let revoked = shows(&edge, clients.holder("bot", "acme", 7, GOOD));
    assert!(status(&gateway, &revoked, &models()).is_err());
    let more = config.clone().file("taken-back.pem", &clients.revoked(&[7, 1]));
    gateway.reconfigure(&more);
    until("the new list is in force", PATIENCE, || status(&gateway, &good, &models()) != Ok(200));
    let again = shows(&edge, clients.holder("bot", "acme", 1, GOOD));
    assert!(status(&gateway, &again, &models()).is_err());
    // Other authorities: what the old ones vouched for is nobody.
    let others = Ca::new();
    let other = shows(&edge, others.holder("bot", "acme", 1, GOOD));
    let changed =
        config.file("clients.pem", &others.authority_pem).file("taken-back.pem", &others.revoked(&[]));
    gateway.reconfigure(&changed);
    until("the new authority is in force", PATIENCE, || status(&gateway, &other, &models()) == Ok(200));
    let old = shows(&edge, clients.holder("bot", "acme", 2, GOOD));
    assert!(status(&gateway, &old, &models()).is_err());
}
