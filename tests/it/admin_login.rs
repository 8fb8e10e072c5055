//! Users of the admin API who sign in with a token of their identity provider.

use crate::harness::governed::OWNER;
use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire, until};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const ISSUER: &str = "https://idp.test";

/// An issuer whose keys are to be had over the loopback.
struct Idp {
    key: Ed25519KeyPair,
    addr: SocketAddr,
}

impl Idp {
    fn start() -> Self {
        let random = ring::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x}]}).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _head = stream.read(&mut [0; 4096]);
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    set.len()
                );
                let _sent = stream.write_all((head + &set).as_bytes());
            }
        });
        Self { key, addr }
    }

    /// A token good for a minute, with these claims added or replaced.
    fn token(&self, more: &Value) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": ISSUER, "aud": "tidegate-admin", "sub": "0a1b", "exp": now + 60,
            "email": "alice@corp.test", "email_verified": true});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({"alg": "EdDSA", "kid": "one"})), encode(&claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).as_ref()))
    }
}

fn start(sim: &Sim, idp: &Idp) -> Gateway {
    let config = Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .governed("sqlite:{dir}/tidegate.db")
        .table("admin.oidc.corp")
        .set(&format!("issuer = \"{ISSUER}\""))
        .set("audience = \"tidegate-admin\"")
        .set(&format!("jwks_url = \"http://{}/keys\"", idp.addr))
        .set("clock_skew = \"0s\"")
        .set("user = \"email\"");
    Gateway::start(config)
}

fn user(name: &str, role: &str, subject: &str) -> Value {
    json!({ "name": name, "role": role, "identity": { "issuer": ISSUER, "subject": subject } })
}

#[test]
fn a_user_signs_in_with_a_token_and_is_what_the_user_is_here() {
    let (sim, idp) = (Sim::start(), Idp::start());
    let gateway = start(&sim, &idp);
    let made = gateway.make("users", &user("alice", "auditor", "alice@corp.test"));
    let id = made["id"].as_str().unwrap();
    let ask =
        |token: &str, method: &str, path: &str, body: &Value| gateway.admin_call(token, method, path, body);
    let me = |more: &Value| ask(&idp.token(more), "GET", "me", &Value::Null);
    until("the user is known", PATIENCE, || me(&json!({})).0 == 200);
    // Whatever the token says of roles: it names a user, and the user has one.
    let (_, told) = me(&json!({"role": "owner", "roles": ["owner"], "tenant": "x"}));
    assert_eq!((&told["name"], &told["role"]), (&json!(id), &json!("auditor")));
    let token = idp.token(&json!({}));
    assert_eq!(ask(&token, "GET", "audit", &Value::Null).0, 200);
    assert_eq!(ask(&token, "POST", "tenants", &json!({ "name": "acme" })).0, 403);
    let own = json!({ "role": "owner" });
    assert_eq!(ask(&token, "PATCH", &format!("users/{id}"), &own).0, 403);
    // It is no caller's credential.
    assert_eq!(gateway.status_of(&token), 401);
    let blocked = json!({ "status": "blocked" });
    assert_eq!(ask(OWNER, "PATCH", &format!("users/{id}"), &blocked).0, 200);
    until("the user is blocked", PATIENCE, || me(&json!({})).0 == 401);
}

#[test]
fn a_user_is_made_on_the_command_line() {
    let (sim, idp) = (Sim::start(), Idp::start());
    let gateway = start(&sim, &idp);
    let made = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["users", "create", "bob", "--role", "billing", "--identity", ISSUER, "bob@corp.test"])
        .args(["--admin", &format!("http://{}", gateway.admin())])
        .env("TIDEGATE_ADMIN_TOKEN", OWNER)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = idp.token(&json!({"email": "bob@corp.test"}));
    let me = || gateway.admin_call(&token, "GET", "me", &Value::Null);
    until("the user is known", PATIENCE, || me().0 == 200);
    assert_eq!(me().1["role"], "billing");
}

#[test]
fn a_token_that_proves_nobody_here_is_nobody() {
    let (sim, idp) = (Sim::start(), Idp::start());
    let gateway = start(&sim, &idp);
    gateway.make("users", &user("alice", "owner", "alice@corp.test"));
    let me = |token: &str| gateway.admin_call(token, "GET", "me", &Value::Null).0;
    until("the user is known", PATIENCE, || me(&idp.token(&json!({}))) == 200);
    for (what, more) in [
        ("an unknown user", json!({"email": "bob@corp.test"})),
        ("other letters", json!({"email": "Alice@corp.test"})),
        ("an address nobody proved", json!({"email_verified": false})),
        ("an address nobody spoke of", json!({"email_verified": null})),
        ("a word in place of a proof", json!({"email_verified": "true"})),
        ("no address", json!({"email": null})),
        ("another audience", json!({"aud": "llm-gateway"})),
        ("another issuer", json!({"iss": "https://evil.test"})),
        ("an old one", json!({"exp": 1_700_000_000})),
        ("one of tomorrow", json!({"nbf": 4_000_000_000u64})),
        ("the id in place of the address", json!({"sub": "alice@corp.test", "email": "x@y.test"})),
    ] {
        assert_eq!(me(&idp.token(&more)), 401, "{what}");
    }
    let other = Idp::start();
    assert_eq!(me(&other.token(&json!({}))), 401, "signed by somebody else");
    assert_eq!(me(&idp.token(&json!({}))), 200);
}

#[test]
fn an_identity_is_one_users() {
    let (sim, idp) = (Sim::start(), Idp::start());
    let gateway = start(&sim, &idp);
    gateway.make("users", &user("alice", "owner", "alice@corp.test"));
    until("the user is known", PATIENCE, || {
        gateway.admin_call(&idp.token(&json!({})), "GET", "me", &Value::Null).0 == 200
    });
    let (status, told) =
        gateway.admin_call(OWNER, "POST", "users", &user("eve", "auditor", "alice@corp.test"));
    assert_eq!(status, 400, "{told}");
    assert!(told.to_string().contains("another user signs in with it"), "{told}");
    let mut robot = user("robot", "auditor", "robot@corp.test");
    robot["is_service"] = json!(true);
    assert_eq!(gateway.admin_call(OWNER, "POST", "users", &robot).0, 400);
}
