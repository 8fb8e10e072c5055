//! What a gateway with a store keeps of its calls, through its own end and through a store that is in
//! the way.

use crate::harness::{Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tidegate::govern::{Call, Outcome};
use tidegate::store::{CallQuery, Options, StoreUrl, open};

fn config(sim: &Sim) -> Config {
    Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .table("auth")
        .set("pepper = \"env:PEPPER\"")
        .env("PEPPER", "a-pepper-of-the-tests-that-is-long-enough")
        .table("store")
        .set("url = \"sqlite:{dir}/data/tidegate.db\"")
        .set("timeout = \"500ms\"")
        .table("ledger")
        .set("flush = \"50ms\"")
        .set("spool = \"{dir}/data/spool\"")
}

/// The rows of a store, oldest first.
fn rows(folder: &Path) -> Vec<Call> {
    let url = StoreUrl::parse(&format!("sqlite:{}", folder.join("data/tidegate.db").display())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _bank) = open(&url, &Options::default()).await.unwrap();
        let query = CallQuery { from_ms: 0, to_ms: u64::MAX / 4, limit: 1000, ..CallQuery::default() };
        let mut calls = store.calls(&query).await.unwrap().calls;
        calls.reverse();
        calls
    })
}

fn call(gateway: &Gateway, request: &Request) -> u16 {
    let mut answer = gateway.send(request);
    answer.body();
    answer.status
}

#[test]
fn every_call_of_a_key_is_one_row_and_others_are_none() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    assert_eq!(call(&gateway, &Wire::Chat.request("m", false)), 200);
    assert_eq!(call(&gateway, &Wire::Chat.request("m", true)), 200);
    assert_eq!(call(&gateway, &Wire::Chat.request("nobody's", false)), 404);
    assert_eq!(call(&gateway, &Wire::Chat.request("m", false).key("wrong")), 401);
    gateway.metric_becomes("tidegate_ledger_written_total", &[], 3.0);
    let rows = rows(gateway.dir());
    let told: Vec<_> = rows.iter().map(|row| (row.status, row.outcome, row.is_stream)).collect();
    let expected = [(200, Outcome::Ok, false), (200, Outcome::Ok, true), (404, Outcome::Rejected, false)];
    assert_eq!(told, expected);
    let (first, log) = (&rows[0], gateway.log_lines());
    assert_eq!(&*first.key, "test");
    assert_eq!((first.model.as_deref(), first.provider.as_deref()), (Some("m"), Some("a")));
    assert_eq!(Some(first.usage.input), log[0]["input_tokens"].as_u64());
    assert_eq!(Some(first.usage.output), log[0]["output_tokens"].as_u64());
    assert!(first.usage.output > 0);
    assert_eq!(log[0]["request_id"], first.id.to_string());
}

#[test]
fn what_was_not_flushed_is_written_when_the_process_ends() {
    let sim = Sim::start();
    let mut gateway = Gateway::start(config(&sim).table("ledger").set("flush = \"60s\""));
    for _ in 0..5 {
        assert_eq!(call(&gateway, &Wire::Chat.request("m", false)), 200);
    }
    gateway.signal("TERM");
    assert!(gateway.ended(PATIENCE).success());
    assert_eq!(rows(gateway.dir()).len(), 5);
}

#[test]
fn a_locked_store_keeps_no_call_waiting_and_loses_none() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    assert_eq!(call(&gateway, &Wire::Chat.request("m", false)), 200);
    gateway.metric_becomes("tidegate_ledger_written_total", &[], 1.0);
    let lock = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN EXCLUSIVE')\nprint('locked', flush=True)\nsys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", lock])
        .arg(gateway.dir().join("data/tidegate.db"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = [0; 6];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut told).unwrap();
    let start = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(call(&gateway, &Wire::Chat.request("m", false)), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    until("calls are spooled", PATIENCE, || gateway.metric("tidegate_ledger_spool_bytes", &[]) > 0.0);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    gateway.metric_becomes("tidegate_ledger_written_total", &[], 21.0);
    gateway.metric_becomes("tidegate_ledger_spool_bytes", &[], 0.0);
    assert_eq!(rows(gateway.dir()).len(), 21);
}

#[test]
fn a_store_that_cannot_be_used_is_a_reason_not_to_start_and_is_told() {
    let folder = std::env::temp_dir().join(format!("tidegate-no-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("t.db"), "Dear Sir or Madam, this is no database.".repeat(9)).unwrap();
    let file = folder.join("tidegate.toml");
    let text = format!(
        "[auth]\npepper = \"file:{0}/pepper\"\n[store]\nurl = \"sqlite:{0}/t.db\"\n[providers.a]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
        [models.m]\ntargets = [{{ provider = \"a\" }}]\n[keys.k]\nsecret_sha256 = \"{1}\"\n[server.upgrade]\nsocket = \"{0}/run/u.sock\"\n",
        folder.display(),
        "0".repeat(64)
    );
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.join("pepper"), "a-pepper-of-the-tests-that-is-long-enough").unwrap();
    std::fs::set_permissions(folder.join("pepper"), std::fs::Permissions::from_mode(0o600)).unwrap();
    for verb in [&["serve"][..], &["audit", "verify"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(verb)
            .arg("--config")
            .arg(&file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("is no SQLite database"), "{told}");
    }
    std::fs::remove_file(folder.join("t.db")).unwrap();
    let verified = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(["audit", "verify", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&verified.stdout), "the audit log is empty\n");
    assert!(verified.status.success());
    std::fs::remove_dir_all(&folder).unwrap();
}
