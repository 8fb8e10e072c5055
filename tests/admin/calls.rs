//! Single calls over the admin API, and their export by the command line.

use super::process::{Process, TOKEN, ask, until};
use super::world::Folder;
use serde_json::{Value, json};
use std::process::{Command, Output};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn tidegate(process: &Process, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .args(["--admin", &format!("http://{}", process.admin)])
        .env("TIDEGATE_ADMIN_TOKEN", TOKEN)
        .output()
        .unwrap()
}

fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn calls_are_listed_page_by_page_and_exported_whole_or_from_where_it_was_left() {
    let upstream = tidegate::sim::start(tidegate::sim::SimOptions::default()).unwrap();
    let folder = Folder::new();
    let more = format!(
        "[providers.s]\nkind = \"openai-compatible\"\nbase_url = \"http://{}/v1\"\n\
         [models.sim]\ntargets = [{{ provider = \"s\" }}]\n",
        upstream.addr()
    );
    let store = format!("sqlite:{}/store.db", folder.0.display());
    let process = Process::start_with(&folder, &store, &more);
    let (secret, id) = process.key();
    let call = json!({ "model": "sim", "messages": [{ "role": "user", "content": "hello" }] });
    let chat = || {
        ask(process.edge, "POST", "/v1/chat/completions", &secret, &call.to_string())
            .map_or(0, |(status, _)| status)
    };
    until("the key calls", SOON, || chat() == 200);
    assert_eq!((chat(), chat()), (200, 200));
    let list = |query: &str| process.admin("GET", &format!("calls?{query}"), Value::Null);
    let ok = |answer: &Value| answer["items"].as_array().unwrap().len();
    until("the calls are in the store", SOON, || ok(&list("outcome=ok")) == 3);
    assert_eq!(ok(&list(&format!("key={id}&model=sim&outcome=ok"))), 3);
    assert_eq!(ok(&list("key=nobody")), 0);
    let page = list("outcome=ok&limit=1");
    let row = &page["items"][0];
    assert_eq!((&row["key"], &row["status"], &row["outcome"]), (&json!(id), &json!(200), &json!("ok")));
    let (status, _) = ask(process.admin, "GET", "/admin/v1/calls?outcome=x", TOKEN, "").unwrap();
    assert_eq!(status, 400);

    let span =
        ["--from-ms", &page["from_ms"].to_string(), "--to-ms", &page["to_ms"].to_string()].map(str::to_owned);
    let export = |more: &[&str]| {
        let arguments = ["usage", "export"].iter().copied().chain(span.iter().map(String::as_str));
        tidegate(&process, &arguments.chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let lines = printed(export(&["--format", "jsonl"]));
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().filter(|row| row["outcome"] == "ok").count(), 3);
    let whole = printed(export(&[]));
    assert!(whole.starts_with("app,at_ms,") && whole.contains(&id), "{whole}");
    assert_eq!(whole.lines().count(), rows.len() + 1);
    // From after the newest call: the rest of the same file, without a head.
    let newest =
        process.admin("GET", &format!("calls?limit=1&from_ms={}&to_ms={}", span[1], span[3]), Value::Null);
    let cursor = newest["next_cursor"].as_str().unwrap();
    let rest = printed(export(&["--after", cursor]));
    assert_eq!(rest, whole.split_inclusive("\r\n").skip(2).collect::<String>());
    let sums = printed(export(&["--by", "key,model"]));
    assert!(sums.lines().next().unwrap().contains("key,model") && sums.contains(",sim"), "{sums}");
    // What is there is not written over.
    let file = folder.0.join("calls.csv");
    let to_file = || export(&["--output", file.to_str().unwrap()]);
    assert!(to_file().status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), whole);
    assert!(!to_file().status.success());

    let told = printed(tidegate(&process, &["config", "history"]));
    assert!(told.contains("NUMBER") && told.contains("start"), "{told}");
    assert!(printed(tidegate(&process, &["config", "diff", "1", "1"])).contains("no difference"));
    assert!(printed(tidegate(&process, &["config", "rollback", "1"])).contains("no difference"));
    assert!(!tidegate(&process, &["config", "rollback", "77"]).status.success());
}
