//! `tidegate route explain` and `replay`: what they print is what the gateway does.

use crate::harness::{Config, Gateway, Sim, Wire};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("route").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples").join(name);
    path.to_string_lossy().into_owned()
}

/// A file in a folder of this process's own.
fn file(name: &str, content: &Value) -> String {
    let folder = std::env::temp_dir().join(format!("tidegate-explain-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content.to_string()).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn t55_explain_shows_candidates_scores_and_reasons_without_any_secret() {
    let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hello" }] });
    let request = file("eu.json", &body);
    let state = json!([
        { "name": "azure-sweden/gpt-5", "whole": 2.5 },
        { "name": "mistral/mistral-large-latest", "whole": 0.5, "busy": 1 },
    ]);
    let state = file("state.json", &state);
    let config = example("eu-only.toml");
    let all = ["explain", &request, "--config", &config, "--state", &state];
    let (is_well, text) = run(&all);
    assert!(is_well, "{text}");
    assert!(text.contains("mistral/mistral-large-latest is first by fastest, before 1 more"), "{text}");
    assert!(text.lines().any(|line| line.contains("openai/gpt-5") && line.contains("region")), "{text}");
    let (_, printed) = run(&[all.as_slice(), &["--json"]].concat());
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(told["order"], json!(["mistral/mistral-large-latest", "azure-sweden/gpt-5"]));
    assert_eq!(told["told"], "fastest; candidates=2/3; region=1");
    let (_, confidential) = run(&[all.as_slice(), &["--zdr"]].concat());
    assert!(confidential.contains("azure-sweden/gpt-5 is the only candidate"), "{confidential}");
    let (is_well, unknown) = run(&["explain", &request, "--config", &config, "--model", "nobody"]);
    assert!(!is_well && unknown.contains("no model `nobody`"), "{unknown}");
}

#[test]
fn t55_replay_decides_as_it_was_decided_and_shows_what_another_file_would_change() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", Wire::Chat, a.addr()).provider("b", Wire::Chat, b.addr());
    let config = config.table("log").set("routes = true").table("models.m");
    let two = |a: u32, b: u32| {
        format!("targets = [{{ provider = \"a\", weight = {a} }}, {{ provider = \"b\", weight = {b} }}]")
    };
    let config = config.set(&two(3, 1));
    let gateway = Gateway::start(config.clone());
    let calls = 20;
    for _ in 0..calls {
        assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    }
    gateway.log_when(calls);
    let log = gateway.dir().join("access.log").to_string_lossy().into_owned();
    let same = gateway.dir().join("gateway.toml").to_string_lossy().into_owned();
    let replay = |config: &str| {
        let (is_well, text) = run(&["replay", &log, "--config", config, "--json"]);
        assert!(is_well, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let told = replay(&same);
    assert_eq!((&told["same"], &told["moved"]), (&json!(calls), &json!(0)), "{told}");
    // Somebody else's line in between, which is no text; and all of it piped in.
    let mut lines = std::fs::read(&log).unwrap();
    lines.splice(0..0, *b"{\"path\":\"\xff\"}\n");
    let odd = gateway.dir().join("odd.log");
    std::fs::write(&odd, lines).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["route", "replay", "-", "--config", &same, "--json"]);
    let output = command.stdin(std::fs::File::open(&odd).unwrap()).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["same"], &told["lines_without"]), (&json!(calls), &json!(1)), "{told}");
    gateway.reconfigure(&config.set(&two(0, 1)));
    let told = replay(&same);
    assert_eq!((&told["decisions"], &told["moved"]), (&json!(calls), &json!(a.calls())), "{told}");
}
