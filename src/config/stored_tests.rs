//! Tables of the store are read as if they stood in the file, and told apart from it.

use super::mistakes_tests::{KEYS, MODELS};
use super::{Config, Report, Stored, masked, parse_with};
use crate::govern::Kind;
use serde_json::{Value, json};

const PROVIDERS: &str = "[providers.openai]\nkind = \"openai\"\napi_key = \"env:A\"\n";

fn env(name: &str) -> Option<String> {
    (name != "ABSENT").then(|| format!("value-of-{name}"))
}

fn stored(kind: Kind, name: &str, table: Value) -> Stored {
    let Value::Object(table) = table else { panic!("a table") };
    Stored { kind, name: name.to_owned(), table }
}

fn provider(name: &str, table: Value) -> Stored {
    stored(Kind::Provider, name, table)
}

fn model(name: &str, provider: &str) -> Stored {
    stored(Kind::Model, name, json!({ "targets": [{ "provider": provider }] }))
}

fn with(file: &str, stored: &[Stored]) -> Result<Config, Report> {
    parse_with("f.toml", &format!("{PROVIDERS}{MODELS}{KEYS}{file}\n"), stored, &env)
}

/// Path and message of the only problem.
fn said(file: &str, stored: &[Stored]) -> (String, String) {
    let report = with(file, stored).expect_err("a problem");
    assert_eq!(report.len(), 1, "{report}");
    assert!(!report.render(false).contains("canary"), "{report}");
    (report.problems[0].path.clone(), report.problems[0].message.clone())
}

fn local(more: Value) -> Value {
    let mut table = json!({ "kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1" });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table
}

#[test]
fn they_stand_beside_those_of_the_file_and_may_name_them() {
    let more = [
        provider("edge", local(json!({ "api_key": "env:B", "headers": { "x-a": "1\t\"\\ü" } }))),
        model("m\"1\\", "edge"),
        model("gpt-*", "openai"),
    ];
    let config = with("", &more).unwrap();
    assert_eq!(config.providers["edge"].api_keys[0].expose(), "value-of-B");
    assert_eq!(config.providers["edge"].headers["x-a"].expose(), "1\t\"\\ü");
    assert_eq!(config.models["m\"1\\"].targets[0].provider, "edge");
    assert_eq!((config.providers.len(), config.models.len()), (2, 3));
    assert_eq!(with("", &[]).unwrap().models.len(), 1);
}

#[test]
fn a_mistake_is_told_by_its_path() {
    let bad = [provider("edge", local(json!({ "pool": { "idle_timeout": "5" } })))];
    assert_eq!(said("", &bad).0, "providers.edge.pool");
    assert_eq!(
        said("", &[model("gpt-5.2", "opnai")]),
        (
            "models.\"gpt-5.2\".targets[0]".to_owned(),
            "unknown provider `opnai`, did you mean `openai`?".to_owned()
        )
    );
    let plain = [provider("edge", local(json!({ "api_key": "sk-canary" })))];
    assert_eq!(said("", &plain).1, "a secret must not stand in this file");
    let unset = [provider("edge", local(json!({ "api_key": "env:ABSENT" })))];
    assert_eq!(said("", &unset).1, "the environment variable `ABSENT` is not set");
    for wrong in [json!({ "http2": null }), json!({ "pool": { "x": [null] } }), json!({ "n": u64::MAX })] {
        let (path, _) = said("", &[provider("edge", local(wrong))]);
        assert_eq!(path, "providers.edge");
    }
}

#[test]
fn what_is_in_the_file_is_the_files() {
    let (path, message) = said("", &[model("gpt-5", "openai")]);
    assert_eq!(path, "models.gpt-5");
    assert_eq!(message, "models.gpt-5 is in the configuration file too");
    // Sections that are written as inline tables too.
    let text = format!("models = {{ m = {{ targets = [{{ provider = \"openai\" }}] }} }}\n{PROVIDERS}{KEYS}");
    let config = parse_with("f", &text, &[model("n", "openai")], &env).unwrap();
    assert_eq!(config.models.len(), 2);
}

#[test]
fn a_file_without_models_is_enough_where_the_store_can_have_some() {
    let text = format!(
        "{PROVIDERS}[auth]\npepper = \"env:A_PEPPER_OF_THE_TESTS_LONG_ENOUGH\"\n[store]\nurl = \"sqlite:x.db\"\n"
    );
    assert_eq!(parse_with("f", &text, &[], &env).unwrap().models.len(), 0);
    assert_eq!(parse_with("f", &text, &[model("n", "openai")], &env).unwrap().models.len(), 1);
}

#[test]
fn secrets_of_the_gateway_and_those_that_are_not_listed_cannot_be_named() {
    let naming = |reference: &str| [provider("edge", local(json!({ "api_key": reference })))];
    let admin = "[admin]\ntoken = \"env:THE_ADMIN_TOKEN_OF_THE_TESTS\"";
    let own = said(admin, &naming("env:THE_ADMIN_TOKEN_OF_THE_TESTS"));
    assert_eq!(own.1, "`env:THE_ADMIN_TOKEN_OF_THE_TESTS` is a secret of the gateway's own");
    let listed = "[admin]\nreferences = [\"env:PROVIDER_*\", \"env:ONE\"]";
    assert!(with(listed, &naming("env:PROVIDER_X")).is_ok() && with(listed, &naming("env:ONE")).is_ok());
    for other in ["env:ONES", "env:TWO"] {
        assert!(said(listed, &naming(other)).1.contains("may not be named"), "{other}");
    }
    // The file's own providers are not asked.
    assert!(with("[admin]\nreferences = []", &[]).is_ok());
    assert_eq!(said("[admin]\nreferences = [\"sk-canary\"]", &[]).1, "this is no reference");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let report = with("", &[provider("edge", local(json!({ "x": deep })))]).unwrap_err();
    assert!(report.problems[0].message.contains("cannot be read"), "{report}");
    let long = [provider("edge", local(json!({ "x": "y".repeat(4 * 1024 * 1024) })))];
    assert!(with("", &long).unwrap_err().problems[0].message.contains("4 MiB"));
}

#[test]
fn what_is_shown_of_a_file_has_its_structure_and_no_secret() {
    let shown = masked(&format!(
        "{PROVIDERS}headers = {{ x-org = \"canary\" }}\n{MODELS}[keys.k]\nsecret_sha256 = \"canary\"\n"
    ));
    assert!(!shown.to_string().contains("canary"), "{shown}");
    assert_eq!(shown["models"]["gpt-5"]["targets"][0]["provider"], "openai");
    assert_eq!(shown["providers"]["openai"]["api_key"], "env:A");
}
