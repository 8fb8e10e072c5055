//! Stores to test on, and calls to fill them with.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidegate::govern::{AuditEntry, Call, Kind, Object, Outcome};
use tidegate::store::{Bank, Commit, Committed, Options, Store, StoreError, StoreUrl, Write, open};
use tidegate::types::ids::RequestIds;
use tidegate::types::{Money, Usage};

/// Longest a wait may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A Tuesday, at midnight.
pub const DAY_ONE: u64 = 1_760_400_000_000 / 86_400_000 * 86_400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A store of this test's own, gone with it.
pub struct Place {
    pub url: StoreUrl,
    pub folder: PathBuf,
    /// Where PostgreSQL is, and this test's database in it.
    database: Option<(String, String)>,
}

pub struct Opened {
    pub store: Arc<dyn Store>,
    pub bank: Arc<dyn Bank>,
}

/// One test for each engine, of the same name.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[test] fn $name() { crate::harness::run(crate::harness::Engine::Sqlite, super::$name); })+
        }
        mod on_postgres {
            $(#[test] fn $name() { crate::harness::run(crate::harness::Engine::Postgres, super::$name); })+
        }
    };
}
pub(crate) use on_both;

pub fn run<F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(Place) -> F) {
    block_on(async {
        if let Some(place) = Place::new(engine).await {
            test(place).await;
        }
    });
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

pub fn postgres() -> Option<String> {
    let address = std::env::var("TIDEGATE_TEST_POSTGRES").ok();
    if address.is_none() {
        eprintln!(
            "skipped: TIDEGATE_TEST_POSTGRES is not set (scripts/postgres start FOLDER prints an address)"
        );
    }
    address
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("tg_{}_{since}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Place {
    pub async fn new(engine: Engine) -> Option<Self> {
        let name = unique();
        let folder = std::env::temp_dir().join(&name);
        if engine == Engine::Sqlite {
            let url =
                StoreUrl::parse(&format!("sqlite:{}", folder.join("store/tidegate.db").display())).unwrap();
            return Some(Self { url, folder, database: None });
        }
        let server = postgres()?;
        let mut connection =
            PgConnection::connect(&server).await.expect("TIDEGATE_TEST_POSTGRES is an address");
        let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = StoreUrl::parse(&format!("{base}/{name}")).unwrap();
        Some(Self { url, folder, database: Some((server, name)) })
    }

    /// What is at an address; somebody else made it and takes it away.
    pub fn at(url: StoreUrl) -> Self {
        Self { url, folder: PathBuf::from("/nonexistent"), database: None }
    }

    pub async fn open(&self) -> Opened {
        self.open_with(&Options::default()).await.unwrap()
    }

    pub async fn open_with(&self, options: &Options) -> Result<Opened, StoreError> {
        let (store, bank) = open(&self.url, options).await?;
        Ok(Opened { store, bank })
    }

    /// The text of the address, for another process.
    pub fn address(&self) -> String {
        match &self.url {
            StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            StoreUrl::Postgres(url) => url.expose().to_owned(),
        }
    }

    pub fn file(&self) -> &Path {
        match &self.url {
            StoreUrl::Sqlite(path) => path,
            StoreUrl::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }

    /// SQL behind the store's back.
    pub async fn sql(&self, text: &str) {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let options =
                    sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
                let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            StoreUrl::Postgres(url) => {
                let mut connection = PgConnection::connect(url.expose()).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// One number, behind the store's back.
    pub async fn number(&self, text: &str) -> i64 {
        match &self.url {
            StoreUrl::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
            }
            StoreUrl::Postgres(url) => {
                let mut connection = PgConnection::connect(url.expose()).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    /// As many calls in the sums as in the rows, and the file whole.
    pub async fn check_ledger(&self, calls: i64) {
        assert_eq!(self.number("SELECT COUNT(*) FROM calls").await, calls);
        for table in ["usage_minute", "usage_hour", "usage_day"] {
            let sum = "SELECT CAST(COALESCE(SUM(u.calls), 0) AS BIGINT) FROM";
            let level = "JOIN usage_dims d ON d.id = u.dim WHERE d.level";
            for at in [0, 5] {
                let found = self.number(&format!("{sum} {table} u {level} = {at}")).await;
                assert_eq!(found, calls, "{table}, level {at}");
            }
        }
        if matches!(self.url, StoreUrl::Sqlite(_)) {
            let faults = "SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
            assert_eq!(self.number(faults).await, 0);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let Some((server, name)) = self.database.take() else { return };
        // On a thread of its own: the test's runtime is not to be waited for from inside.
        let drop_database = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let Ok(mut connection) = PgConnection::connect(&server).await else { return };
                let sql = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
                let _ = sqlx::raw_sql(sql).execute(&mut connection).await;
            });
        };
        let _ = std::thread::spawn(drop_database).join();
    }
}

impl Opened {
    pub async fn commit(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        self.store.commit(Commit { at_ms: DAY_ONE, writes, audit: Vec::new(), idempotency: None }).await
    }

    /// A tenant, a team and an app in it: `ten_NAME`, `team_NAME`, `app_NAME`.
    pub async fn tenancy(&self, name: &str) {
        let [ten, team, app] = ["ten", "team", "app"].map(|prefix| format!("{prefix}_{name}"));
        let writes = vec![
            Write::Create(object(Kind::Tenant, &ten, None, &ten)),
            Write::Create(object(Kind::Team, &team, Some(&ten), &ten)),
            Write::Create(object(Kind::App, &app, Some(&team), &ten)),
        ];
        self.commit(writes).await.unwrap();
    }
}

/// Named like its id.
pub fn object(kind: Kind, id: &str, parent: Option<&str>, tenant: &str) -> Object {
    Object {
        kind,
        id: id.to_owned(),
        tenant: Some(tenant.to_owned()),
        parent: parent.map(str::to_owned),
        name: id.to_owned(),
        version: 0,
        created_ms: 0,
        updated_ms: 0,
        body: serde_json::json!({"status": "active", "note": "a\u{0}'\"; DROP TABLE objects; --"}),
    }
}

pub fn entry(action: &str, tenant: Option<&str>) -> AuditEntry {
    AuditEntry {
        at_ms: DAY_ONE,
        actor: "usr_1".to_owned(),
        action: action.to_owned(),
        kind: Some(Kind::Key),
        id: Some("key_1".to_owned()),
        tenant: tenant.map(str::to_owned),
        before: None,
        after: Some(serde_json::json!({"z": 1, "a": [1.5, "\u{0}x"], "m": {"y": null}})),
        request_id: "req_1".to_owned(),
        client: Some("127.0.0.1".to_owned()),
    }
}

/// Calls a second apart from [`DAY_ONE`] on, of two tenants, some keys and models.
pub fn calls(seed: u64, count: usize) -> Vec<Call> {
    let ids = RequestIds::new(seed);
    (0..count).map(|at| call(&ids, at)).collect()
}

fn call(ids: &RequestIds, at: usize) -> Call {
    let text = |prefix: &str, number: usize| Some(Arc::from(format!("{prefix}_{number}")));
    Call {
        id: ids.next(),
        at_ms: DAY_ONE + at as u64 * 1000,
        tenant: text("ten", at % 2),
        team: text("team", at % 4),
        app: text("app", at % 4),
        key: Arc::from(format!("key_{}", at % 8)),
        model: text("model", at % 3),
        endpoint: "chat".into(),
        provider: text("provider", at % 2),
        upstream_model: text("upstream", at % 3),
        attempts: 1,
        usage: Usage { input: 100, cache_read: 40, output: 10, reasoning: 4, ..Usage::default() },
        cost: (!at.is_multiple_of(5)).then(|| Money::from_pico(1_500_000_000)),
        margin: Money::from_pico(if at.is_multiple_of(3) { 150_000_001 } else { 0 }),
        duration_ms: 250,
        first_token_ms: Some(80),
        status: 200,
        outcome: if at.is_multiple_of(10) { Outcome::Failed } else { Outcome::Ok },
        reason: None,
        is_stream: true,
        generation: 1,
    }
}

/// Waits for a condition, with an end.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let start = Instant::now();
    while !is().await {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// This binary again, doing one `#[ignore]`d test, which finds its orders in the environment.
pub fn child(test: &str, environment: &[(&str, &str)]) -> Child {
    shell_child("exec \"$0\" \"$@\"", test, environment)
}

/// As [`child`], started by a line of shell that ends with `exec "$0" "$@"`.
pub fn shell_child(shell: &str, test: &str, environment: &[(&str, &str)]) -> Child {
    let binary = std::env::current_exe().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", shell]).arg(binary).args([test, "--exact", "--ignored", "--nocapture"]);
    command.envs(environment.iter().copied()).stdout(Stdio::piped()).stdin(Stdio::piped());
    command.spawn().unwrap()
}
