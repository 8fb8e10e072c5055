//! A gateway's admin API over a store, called without sockets.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tidegate::admin;
use tidegate::assemble::{Configurator, Source};
use tidegate::auth::Directory;
use tidegate::govern::{Kind, Object};
use tidegate::runtime::Edge;
use tidegate::store::{ListQuery, PAGE_MAX, Store};
use tower::ServiceExt;

pub const OWNER: &str = "owner-token-of-the-tests";

pub struct World {
    pub edge: Arc<Edge>,
    pub store: Arc<dyn Store>,
    folder: Folder,
    router: axum::Router,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
    pub text: String,
}

fn source(url: &str, folder: &str) -> Source {
    let text = format!(
        r#"
[store]
url = "{url}"
[ledger]
spool = "{folder}/spool"
[admin]
token = "env:ADMIN"
[auth]
pepper = "env:PEPPER"
[providers.p]
kind = "openai-compatible"
base_url = "http://127.0.0.1:1/v1"
api_key = "env:CANARY_PROVIDER"
[models.gpt-5]
targets = [{{ provider = "p" }}]
[keys.static]
secret = "env:STATIC"
"#
    );
    let env = |name: &str| match name {
        "ADMIN" => Some(OWNER.to_owned()),
        "PEPPER" => Some("pepper-of-the-tests-which-is-long-enough".to_owned()),
        "ABSENT" => None,
        other => Some(format!("canary-{other}-value")),
    };
    let file = PathBuf::from(folder).join("tidegate.toml");
    std::fs::write(&file, &text).unwrap();
    Source { name: "tidegate.toml".to_owned(), text, file: Some(file), env: Arc::new(env) }
}

/// A folder that goes with its world.
pub struct Folder(pub std::path::PathBuf);

impl Folder {
    pub fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tidegate-admin-{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl World {
    /// Over a store of its own, in a file.
    pub async fn new() -> Self {
        let folder = Folder::new();
        let url = format!("sqlite:{}/store.db", folder.0.display());
        Self::over(&url, folder).await
    }

    /// Over a store that nobody reaches.
    pub async fn away() -> Self {
        Self::over("postgres://nobody@127.0.0.1:1/none", Folder::new()).await
    }

    async fn over(url: &str, folder: Folder) -> Self {
        let source = source(url, &folder.0.display().to_string());
        // It waits for the store on a runtime of its own.
        let made = tokio::task::spawn_blocking(move || {
            let config = source.read().unwrap_or_else(|report| panic!("{report}"));
            let edge = tidegate::assemble::edge(&config).unwrap();
            edge.set_configure(Arc::new(Configurator::new(source, &config)));
            edge
        });
        let edge = made.await.unwrap();
        let store = edge.store().unwrap().clone();
        let router = admin::router(&edge);
        Self { edge, store, router, folder }
    }

    /// Everything in the store, to be looked through for what must not be there, and to be compared.
    pub async fn objects(&self) -> Vec<Object> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let query = ListQuery { kind: Some(kind), limit: PAGE_MAX, ..ListQuery::default() };
            all.extend(self.store.list(&query).await.unwrap());
        }
        all
    }

    pub async fn dump(&self) -> String {
        format!("{:?}", self.objects().await)
    }

    pub async fn audit_text(&self) -> String {
        format!("{:?}", self.store.audit(None, None, PAGE_MAX).await.unwrap())
    }

    /// Puts what the store has into the snapshot, as the job does.
    pub async fn refresh(&self) {
        let changes = self.store.changes(0).await.unwrap();
        let mut directory = Directory::new();
        // Each snapshot of a process has a generation of its own; one directory per process makes them.
        let _ = directory.apply(changes.objects, &changes.deleted, changes.sequence);
        self.edge.configure().unwrap().put(&self.edge, directory.additions());
        self.edge.swap_identities(directory.snapshot());
        self.keep_history().await;
    }

    /// Keeps what came into force, as the job does.
    async fn keep_history(&self) {
        while let Some(configuration) = self.edge.configurations.take() {
            self.store.keep_configuration(&configuration).await.unwrap();
        }
    }

    /// Puts `from` in the file's text to `to`, and loads it again.
    pub async fn edit_file(&self, from: &str, to: &str) {
        let path = self.folder.0.join("tidegate.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
        self.edge.configure().unwrap().reload(&self.edge);
        self.keep_history().await;
    }

    pub async fn send(&self, request: Request<axum::body::Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body, text }
    }

    pub async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
        more: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/admin/v1/{path}"))
            .header("host", "127.0.0.1:9090")
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            axum::body::Body::empty()
        } else {
            request = request.header("content-type", "application/json");
            axum::body::Body::from(body.to_string())
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, Method::GET, path, Value::Null, &[]).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, Method::POST, path, body, &[]).await
    }

    pub async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, Method::PATCH, path, body, &[("if-match", "*")]).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.ask(token, Method::DELETE, path, Value::Null, &[("if-match", "*")]).await
    }

    /// Makes a thing as the owner and gives its id.
    pub async fn make(&self, path: &str, body: Value) -> String {
        let answer = self.post(OWNER, path, body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// A tenant with a team, an app and a key.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let tenant = self.make("tenants", json!({ "name": name })).await;
        let team = self.make("teams", json!({ "name": "core", "tenant": tenant })).await;
        let app = self.make("apps", json!({ "name": "bot", "team": team })).await;
        let key = self.post(OWNER, "keys", json!({ "name": "ci", "app": app })).await;
        let plan = self
            .make(
                "plans",
                json!({ "name": "gold", "tenant": tenant, "policy": { "models": ["big-*"] }, "needs_approval": true }),
            )
            .await;
        let text = |field: &str| key.body[field].as_str().unwrap().to_owned();
        Tenant { key: text("id"), secret: text("secret"), tenant, team, app, plan }
    }

    /// A user's token.
    pub async fn user(&self, role: &str, tenant: Option<&str>, teams: &[&str]) -> String {
        let name = format!("{role}-{}", self.objects().await.len());
        let mut body = json!({ "name": name, "role": role, "teams": teams });
        body["tenant"] = tenant.into();
        let answer = self.post(OWNER, "users", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.refresh().await;
        answer.body["token"].as_str().unwrap().to_owned()
    }
}

pub struct Tenant {
    pub tenant: String,
    pub team: String,
    pub app: String,
    pub key: String,
    pub secret: String,
    pub plan: String,
}

impl Answer {
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        if status >= 400 {
            assert_eq!(self.headers["content-type"], "application/problem+json");
            assert_eq!(self.body["status"], status);
            let title = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
            assert_eq!(self.body["title"], title);
        }
        assert_eq!(self.headers["cache-control"], "no-store");
        self
    }

    pub fn etag(&self) -> &str {
        self.headers["etag"].to_str().unwrap()
    }
}
