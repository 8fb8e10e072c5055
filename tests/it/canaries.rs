//! Secrets that must never be told: each is put where it belongs, everything is made to speak, and all
//! that was said, at every level of the log, is looked through.

use crate::harness::governed::{OWNER, PEPPER, Tenancy};
use crate::harness::postgres::{Database, Relay};
use crate::harness::{Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const PROVIDER_KEY: &str = "sk-canary-of-the-provider-3f9a";
const STATIC_KEY: &str = "static-canary-of-a-caller-77c1";
const WEBHOOK: &str = "webhook-canary-to-sign-with-51d0";
const DSN: &str = "dsn-canary-password-90ab";
const WRONG: &str = "wrong-canary-that-somebody-tried-1c2d";
/// A token of nobody's, in the form of one.
const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImNhbmFyeSJ9.eyJzdWIiOiJjYW5hcnktc3ViamVjdCJ9.Y2FuYXJ5LXNpZ25hdHVyZS1vZi1ub2JvZHk";

fn config(sim: &Sim, store: &str, level: &str) -> Config {
    Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .set("api_key = \"env:PROVIDER_KEY\"")
        .env("PROVIDER_KEY", PROVIDER_KEY)
        .provider("gone", Wire::Chat, crate::harness::free_addr())
        .set("api_key = \"env:PROVIDER_KEY\"")
        .model("m", &["a"])
        .model("gone", &["gone"])
        // Where no TLS is spoken.
        .provider("tls", Wire::Chat, sim.addr())
        .set(&format!("base_url = \"https://{}/v1\"", sim.addr()))
        .set("api_key = \"env:PROVIDER_KEY\"")
        .model("tls", &["tls"])
        .key("canary", STATIC_KEY)
        .governed(store)
        .env("DSN", DSN)
        .env("WEBHOOK", WEBHOOK)
        .element("admin.webhooks")
        .set("url = \"http://127.0.0.1:1/hook\"")
        .set("secret = \"env:WEBHOOK\"")
        .set("allow_private = true")
        .table("auth.jwt.idp")
        .set("issuer = \"https://idp.test\"")
        .set("audience = \"gateway\"")
        .set("jwks_url = \"http://127.0.0.1:1/keys\"")
        .set("app = \"claim:azp\"")
        .table("log")
        .set(&format!("level = \"{level}\""))
}

/// Everything there is to do that touches a secret; gives what was answered.
fn speak(gateway: &Gateway, app: &Tenancy) -> String {
    let mut told = String::new();
    let mut hear = |mut answer: crate::harness::Answer| {
        told.push_str(&format!("{} {:?}\n", answer.status, answer.headers));
        if let Ok(body) = answer.try_body() {
            told.push_str(&String::from_utf8_lossy(&body));
        }
    };
    let chat = |model: &str, is_stream| Wire::Chat.request(model, is_stream);
    for key in [app.secret.as_str(), STATIC_KEY] {
        for is_stream in [false, true] {
            hear(gateway.send(&chat("m", is_stream).key(key)));
            for fault in ["echo-headers", "status:401", "status:500", "not-json", "reset-after:2"] {
                hear(gateway.send(&chat("m", is_stream).key(key).fault(fault)));
            }
            for broken in ["gone", "tls"] {
                hear(gateway.send(&chat(broken, is_stream).key(key)));
            }
        }
        hear(gateway.send(&Request::new("GET", &format!("/v1/models?key={key}"))));
        hear(gateway.send(&Request::get(&format!("/v1/nowhere/{}", key.len())).key(key)));
    }
    for wrong in [WRONG, JWT, &app.secret.replace("tg-", "tg-x"), &format!("{}x", app.secret)] {
        hear(gateway.send(&chat("m", false).key(wrong)));
        hear(gateway.send(&chat("m", false).header("x-api-key", wrong)));
        hear(gateway.send(&Request::new("GET", &format!("/v1/models?key={wrong}"))));
    }
    // A head that cannot be read, with a credential in it.
    let mut broken = crate::harness::Connection::open(gateway.addr());
    broken.send_raw(
        format!("GET /v1/models HTTP/1.1\r\nauthorization : Bearer {STATIC_KEY}\r\n\r\n").as_bytes(),
    );
    told.push_str(&String::from_utf8_lossy(&broken.read_to_close().0));
    let mut broken = crate::harness::Connection::open(gateway.admin());
    broken.send_raw(
        format!("GET /admin/v1/me HTTP/1.1\r\nauthorization: Bearer {OWNER}\r\nbroken\r\n\r\n").as_bytes(),
    );
    told.push_str(&String::from_utf8_lossy(&broken.read_to_close().0));
    for token in [OWNER, WRONG, JWT, app.secret.as_str()] {
        for path in [
            "me",
            "tenants",
            "teams",
            "apps",
            "keys",
            "users",
            "plans",
            "subscriptions",
            "providers",
            "models",
            "audit",
            "usage",
            "config",
            "health",
            "openapi.json",
            "providers/a",
            "nowhere",
        ] {
            let (status, body) = gateway.admin_call(token, "GET", path, &Value::Null);
            told.push_str(&format!("{status} {body}\n"));
        }
        let body = json!({ "name": "x", "role": "owner", "token": WRONG, "hash": WRONG });
        let (status, body) = gateway.admin_call(token, "POST", "users", &body);
        // What cannot be read is told by its name, and never repeated.
        told.push_str(&format!("{status} {body}\n"));
    }
    let block = json!({ "status": "blocked" });
    for (method, path, body) in [
        ("PATCH", format!("keys/{}", app.key), &block),
        ("DELETE", format!("keys/{}", app.key), &Value::Null),
    ] {
        told.push_str(&format!("{:?}\n", gateway.admin_call(OWNER, method, &path, body)));
    }
    let line = std::fs::read(format!("/proc/{}/cmdline", gateway.pid())).unwrap();
    told.push_str(&String::from_utf8_lossy(&line));
    for path in ["/metrics", "/readyz", "/livez"] {
        told.push_str(&gateway.admin_get(path).1);
    }
    told
}

/// Everything in a folder but what the test itself wrote.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() && path.file_name().is_some_and(|name| name != "gateway.toml") {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], canary: &str) -> bool {
    bytes.windows(canary.len()).any(|window| window == canary.as_bytes())
}

/// The secret parts: what stands around them is to be seen.
fn canaries(app: &Tenancy) -> Vec<(&'static str, String)> {
    let (_, secret) = app.secret.rsplit_once('-').unwrap();
    let parts: Vec<&str> = JWT.split('.').collect();
    [
        ("the provider's key", PROVIDER_KEY),
        ("a static key", STATIC_KEY),
        ("a virtual key", secret),
        ("the pepper", PEPPER),
        ("the owner's token", OWNER),
        ("the webhook's secret", WEBHOOK),
        ("the password of the store", DSN),
        ("a wrong key", WRONG),
        ("a token's claims", parts[1]),
        ("a token's signature", parts[2]),
    ]
    .map(|(name, text)| (name, text.to_owned()))
    .into()
}

/// As it is, and in base64 wherever in the encoded bytes it begins.
fn forms(canary: &str) -> Vec<String> {
    let inside = |lead: usize| {
        let text = URL_SAFE_NO_PAD.encode(format!("{}{canary}", "x".repeat(lead)));
        // What the bytes around it have a part in is left out.
        text[4 * lead.min(1)..text.len() - 4].to_owned()
    };
    [canary.to_owned()].into_iter().chain((0..3).map(inside)).collect()
}

fn sweep(gateway: &Gateway, app: &Tenancy, answered: &str, level: &str) {
    let mut all = vec![("answers".to_owned(), answered.as_bytes().to_vec())];
    files(gateway.dir(), &mut all);
    // What was there to be looked through.
    for needed in ["stderr.log", "access.log", "identities.sealed"] {
        assert!(all.iter().any(|(name, _)| name.ends_with(needed)), "{level}: no {needed}");
    }
    for (name, bytes) in &all {
        for (what, canary) in canaries(app) {
            for form in forms(&canary) {
                assert!(!holds(bytes, &form), "{level}: {what} is in {name}");
            }
        }
    }
}

fn run(config: Config, level: &str) {
    let mut gateway = Gateway::start(config);
    let app = gateway.tenancy("acme", &json!({}));
    let sealed = gateway.dir().join("identities.sealed");
    until("the copy is written", 2 * PATIENCE, || sealed.exists());
    let mut answered = speak(&gateway, &app);
    let check = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["check", "gateway.toml"])
        .current_dir(gateway.dir())
        .output()
        .unwrap();
    answered.push_str(&String::from_utf8_lossy(&check.stdout));
    answered.push_str(&String::from_utf8_lossy(&check.stderr));
    gateway.signal("TERM");
    gateway.ended(2 * PATIENCE);
    sweep(&gateway, &app, &answered, level);
}

#[test]
fn a_canary_is_found_in_every_form() {
    for lead in ["", "a", "ab", "abc"] {
        let said = format!("{lead}{PROVIDER_KEY} and more");
        for text in [said.clone(), URL_SAFE_NO_PAD.encode(&said)] {
            assert!(forms(PROVIDER_KEY).iter().any(|form| holds(text.as_bytes(), form)), "{text}");
        }
    }
    assert!(!forms(PROVIDER_KEY).iter().any(|form| holds(b"sk-canary-of-somebody-else", form)));
}

#[test]
fn no_secret_is_told_at_any_level_of_the_log() {
    std::thread::scope(|scope| {
        for level in ["error", "warn", "info", "debug", "trace"] {
            scope.spawn(move || {
                let sim = Sim::start();
                run(config(&sim, "sqlite:{dir}/tidegate.db", level), level);
            });
        }
    });
}

#[test]
fn no_secret_is_told_with_postgresql_and_while_it_is_away() {
    let Some(database) = Database::new() else { return };
    for level in ["info", "trace"] {
        let sim = Sim::start();
        let relay = Relay::to(database.addr());
        let config =
            config(&sim, &database.url(relay.addr()), level).table("store").set("password = \"env:DSN\"");
        let gateway = Gateway::start(config);
        let name = format!("acme-{level}");
        let app = gateway.tenancy(&name, &json!({}));
        until("the copy is written", 2 * PATIENCE, || gateway.dir().join("identities.sealed").exists());
        relay.cut();
        until("it is away", PATIENCE, || gateway.admin_get("/readyz").1.contains("degraded"));
        let answered = speak(&gateway, &app);
        sweep(&gateway, &app, &answered, level);
    }
}
