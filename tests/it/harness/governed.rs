//! A gateway with a store: those who may call it, made over its admin API.

use super::{Config, Connection, Gateway, PATIENCE, Request, until};
use serde_json::{Value, json};

/// The installation owner's token.
pub const OWNER: &str = "owner-token-of-the-tests";
/// What keys are hashed under.
pub const PEPPER: &str = "pepper-of-the-tests-which-is-long-enough";

/// A tenant, the app in its only team, and the app's key.
pub struct Tenancy {
    pub tenant: String,
    pub app: String,
    pub key: String,
    pub secret: String,
}

impl Config {
    /// A store, an owner and a pepper. `url` may hold `{dir}`.
    pub fn governed(self, url: &str) -> Self {
        self.env("OWNER", OWNER)
            .env("PEPPER", PEPPER)
            .table("store")
            .set(&format!("url = \"{url}\""))
            .set("timeout = \"500ms\"")
            .table("ledger")
            .set("flush = \"50ms\"")
            .set("spool = \"{dir}/spool\"")
            .table("auth")
            .set("pepper = \"env:PEPPER\"")
            .set("snapshot = \"{dir}/identities.sealed\"")
            .table("admin")
            .set("token = \"env:OWNER\"")
    }
}

impl Gateway {
    /// A call of the admin API: status and body.
    #[track_caller]
    pub fn admin_call(&self, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut request =
            Request::new(method, &format!("/admin/v1/{path}")).key(token).header("connection", "close");
        if method != "GET" {
            request = request.header("if-match", "*");
        }
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut connection = Connection::open(self.admin());
        connection.send(&request);
        let mut answer = connection.answer();
        let text = answer.body();
        (answer.status, serde_json::from_slice(&text).unwrap_or_default())
    }

    /// Makes a thing as the owner and gives it as it was answered, secrets included.
    #[track_caller]
    pub fn make(&self, path: &str, body: &Value) -> Value {
        let (status, made) = self.admin_call(OWNER, "POST", path, body);
        assert_eq!(status, 201, "{path}: {made}");
        made
    }

    /// Makes a tenant down to its key, which has been let in once this returns. `key` is merged into the
    /// key's fields.
    #[track_caller]
    pub fn tenancy(&self, name: &str, key: &Value) -> Tenancy {
        let id = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let tenant = id(&self.make("tenants", &json!({ "name": name })));
        let team = id(&self.make("teams", &json!({ "name": "core", "tenant": tenant })));
        let app = id(&self.make("apps", &json!({ "name": "bot", "team": team })));
        let mut fields = json!({ "name": "ci", "app": app });
        let more = key.as_object().cloned().unwrap_or_default();
        fields.as_object_mut().unwrap().extend(more);
        let made = self.make("keys", &fields);
        let secret = made["secret"].as_str().unwrap().to_owned();
        self.knows(&secret);
        Tenancy { tenant, app, key: id(&made), secret }
    }

    /// Waits until a key is let in.
    #[track_caller]
    pub fn knows(&self, secret: &str) {
        until("the key is known", PATIENCE, || self.status_of(secret) == 200);
    }

    /// What a key's holder gets that asks for the models there are: nothing is called upstream for it.
    #[track_caller]
    pub fn status_of(&self, secret: &str) -> u16 {
        let mut answer = self.send(&Request::get("/v1/models").key(secret));
        drop(answer.try_body());
        answer.status
    }
}
