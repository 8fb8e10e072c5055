//! A gateway of its own process, asked through sockets.

use super::world::Folder;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "admin-token-of-the-tests";
pub const JWT_SECRET: [u8; 32] = [5; 32];

/// A running `tidegate serve`.
pub struct Process {
    child: Child,
    pub edge: SocketAddr,
    pub admin: SocketAddr,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test that waits for a process has no other clock")]
pub fn until(what: &str, at_most: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < at_most, "{what} within {at_most:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// One request on a connection of its own: status and body.
pub fn ask(to: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(to).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {token}\r\nif-match: *\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

impl Process {
    pub fn start(folder: &Folder, store: &str) -> Self {
        Self::start_with(folder, store, "")
    }

    /// With `more` at the end of the file.
    pub fn start_with(folder: &Folder, store: &str, more: &str) -> Self {
        let (edge, admin) = (free(), free());
        let at = folder.0.display();
        let k = URL_SAFE_NO_PAD.encode(JWT_SECRET);
        let keys = json!({ "keys": [{ "kty": "oct", "kid": "a", "k": k }] });
        std::fs::write(folder.0.join("jwks.json"), keys.to_string()).unwrap();
        let text = format!(
            r#"
[server]
listen = ["{edge}"]
workers = 1
[server.upgrade]
socket = "{at}/run/upgrade.sock"
[admin]
listen = "{admin}"
token = "env:ADMIN"
[auth]
pepper = "env:PEPPER"
snapshot = "{at}/identities.sealed"
[auth.jwt.idp]
issuer = "https://idp.test"
audience = "gateway"
jwks_file = "{at}/jwks.json"
algorithms = ["HS256"]
tenant = "acme"
team = "core"
app = "claim:azp"
[store]
url = "{store}"
[ledger]
spool = "{at}/spool"
[log]
access = "off"
[providers.p]
kind = "openai-compatible"
base_url = "http://127.0.0.1:1/v1"
[models.gpt-5]
targets = [{{ provider = "p" }}]
{more}
"#
        );
        let file = folder.0.join("tidegate.toml");
        std::fs::write(&file, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["serve", "--config"])
            .arg(&file)
            .env("ADMIN", TOKEN)
            .env("PEPPER", "pepper-of-the-tests-which-is-long-enough")
            .env("UPSTREAM", "key-of-the-upstream")
            .stderr(std::fs::File::create(folder.0.join("log")).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, edge, admin };
        until("the gateway is up", Duration::from_secs(60), || process.readiness().is_some());
        process
    }

    pub fn readiness(&self) -> Option<(u16, String)> {
        ask(self.admin, "GET", "/readyz", "", "")
    }

    pub fn status(&self, key: &str) -> u16 {
        ask(self.edge, "GET", "/v1/models", key, "").map_or(0, |(status, _)| status)
    }

    pub fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, text) =
            ask(self.admin, method, &format!("/admin/v1/{path}"), TOKEN, &body.to_string()).unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A key of an app `bot` in the team `core` of the tenant `acme`, and its id.
    pub fn key(&self) -> (String, String) {
        let text = |value: &Value, field: &str| value[field].as_str().unwrap().to_owned();
        let tenant = text(&self.admin("POST", "tenants", json!({ "name": "acme" })), "id");
        let team = text(&self.admin("POST", "teams", json!({ "name": "core", "tenant": tenant })), "id");
        let app = text(&self.admin("POST", "apps", json!({ "name": "bot", "team": team })), "id");
        let key = self.admin("POST", "keys", json!({ "name": "ci", "app": app }));
        (text(&key, "secret"), text(&key, "id"))
    }
}
