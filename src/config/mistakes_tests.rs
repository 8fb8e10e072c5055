//! Every mistake is shown where it is, all at once, with what was meant.

use super::{Config, Report, parse};

fn env(name: &str) -> Option<String> {
    Some(format!("value-of-{name}"))
}

const PROVIDERS: &str = "[providers.openai]\nkind = \"openai\"\napi_key = \"env:A\"\n\
    [providers.claude]\nkind = \"anthropic\"\napi_key = \"env:B\"\n";
pub(super) const MODELS: &str = "[models.gpt-5]\ntargets = [{ provider = \"openai\" }]\n";
pub(super) const KEYS: &str = "[keys.ci]\nsecret = \"env:K\"\n";

pub(super) fn read(text: &str) -> Result<Config, Report> {
    parse("f.toml", text, &env)
}

/// A good file with `more` at its end.
pub(super) fn with(more: &str) -> Result<Config, Report> {
    read(&format!("{PROVIDERS}{MODELS}{KEYS}{more}\n"))
}

/// The only message of a good file with `more` in it.
pub(super) fn said(more: &str) -> String {
    only(with(more))
}

pub(super) fn only(outcome: Result<Config, Report>) -> String {
    let report = outcome.expect_err("a problem");
    assert_eq!(report.len(), 1, "{report}");
    report.problems[0].message.clone()
}

#[test]
fn five_mistakes_are_five_carets() {
    let text = r#"[server]
listen = ["127.0.0.1:8080"]
[server.limits]
header_timeout = 10

[providers.openai]
kind    = "openia"
api_key = "sk-live-12345"

[models."gpt-5.2"]
targets = [
	{ provider = "opnai", weight = 3 },
]
[keys.ci]
secret = "env:TIDEGATE_KEY_CI"
[keys.ci.limits]
tokens_per_minut = 60_000
"#;
    let report = parse("conf/tidegate.toml", text, &env).unwrap_err();
    let expected = r#"error: a duration needs a unit
 --> conf/tidegate.toml:4:18   in server.limits
4 | header_timeout = 10
  |                  ^^
  = help: write a duration such as "250ms", "10s", "5m" or "1h"

error: unknown kind `openia`, did you mean `openai`?
 --> conf/tidegate.toml:7:11   in providers.openai
7 | kind    = "openia"
  |           ^^^^^^^^
  = help: "openai-compatible", another "…-compatible", or an id that `tidegate providers` lists

error: a secret must not stand in this file
 --> conf/tidegate.toml:8:11   in providers.openai
8 | api_key = ***
  |           ^^^
  = help: write "env:NAME", or "file:PATH" of a file only its owner may read (mode 0600)

error: unknown provider `opnai`, did you mean `openai`?
  --> conf/tidegate.toml:12:15   in models."gpt-5.2".targets[0]
12 |     { provider = "opnai", weight = 3 },
   |                  ^^^^^^^
   = help: providers here: openai

error: unknown field `tokens_per_minut`, did you mean `tokens_per_minute`?
  --> conf/tidegate.toml:17:1   in keys.ci.limits
17 | tokens_per_minut = 60_000
   | ^^^^^^^^^^^^^^^^
"#;
    assert_eq!(report.render(false), expected);
    assert_eq!(report.len(), 5);
}

#[test]
fn a_small_good_file_is_filled_up_with_defaults() {
    let config = with("").unwrap();
    assert_eq!(config.server, super::Server::default());
    assert_eq!(config.admin, super::Admin::default());
    assert_eq!(config.providers["openai"].base_url.as_str(), "https://api.openai.com/v1");
    assert_eq!(config.models["gpt-5"].groups[0].places[0].weight, 1);
    assert!(config.keys["ci"].models[0].matches("anything"));
    let digest = config.keys["ci"].secret_sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // printf %s value-of-K | sha256sum
    assert_eq!(digest, DIGEST_OF_K);
}

pub(super) const DIGEST_OF_K: &str = "12ec777c020d57a2624656a49ce8d278daa593087377c8acc956a4b606352928";

#[test]
fn text_that_is_no_toml_is_shown_in_the_same_form() {
    let report = read("[server]\nlisten = [\"a\"]\nlisten = 2\n[models\n").unwrap_err();
    assert_eq!(
        report.render(false),
        "error: not TOML: duplicate key\n --> f.toml:3:1\n3 | listen = 2\n  | ^^^^^^\n\n\
         error: not TOML: unclosed table, expected `]`\n --> f.toml:4:8\n4 | [models\n  |        ^\n"
    );
}

#[test]
fn addresses_are_literal_and_taken_once() {
    assert_eq!(said("[server]\nlisten = [\"8080\"]"), "`8080` is no address with a port");
    let report = with("[server]\nlisten = [\":80\", \"localhost:80\"]").unwrap_err();
    assert_eq!(
        report.problems[0].help.as_deref(),
        Some("for all addresses write \"0.0.0.0:80\" or \"[::]:80\"")
    );
    assert_eq!(report.problems[1].help.as_deref(), Some("write \"127.0.0.1:80\" or \"[::1]:80\""));
    let twice = "[server]\nlisten = [\"0.0.0.0:80\", \"127.0.0.1:80\"]";
    assert_eq!(said(twice), "127.0.0.1:80 is listened on already, by server.listen[0]");
    let admin = "[server]\nlisten = [\"127.0.0.1:80\"]\n[admin]\nlisten = \"127.0.0.1:80\"";
    assert_eq!(said(admin), "127.0.0.1:80 is listened on already, by server.listen[0]");
    let default = "[server]\nlisten = [\"127.0.0.1:9090\"]";
    assert!(said(default).contains("the default of admin.listen, is listened on by server.listen[0]"));
    assert!(said("[admin]\nlisten = \"127.0.0.1:8080\"").contains("by server.listen"));
    assert_eq!(said("[server]\nlisten = []"), "nothing to listen on");
    assert!(said("[admin]\nlisten = \"0.0.0.0:9091\"").contains("lacks TLS or a token"));
    let half = "[admin]\nlisten = \"0.0.0.0:9091\"\ntoken = \"env:A_TOKEN_OF_GOOD_LENGTH\"";
    assert!(said(half).contains("lacks TLS or a token"));
}

#[test]
fn tls_only_opens_no_plain_listener_and_its_files_must_be_there() {
    let tls = "[[server.tls]]\nlisten = \"127.0.0.1:8443\"\ncert = \"/nowhere/a.pem\"\nkey = \"/\"";
    let report = with(tls).unwrap_err();
    let messages: Vec<&str> = report.problems.iter().map(|p| p.message.as_str()).collect();
    assert!(messages[0].starts_with("`/nowhere/a.pem` cannot be read: "), "{messages:?}");
    assert_eq!(messages[1..], ["`/` is no file"]);
    let here = std::env::current_exe().unwrap().display().to_string();
    // Which has the words that certificates begin with.
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/listener.rs");
    let good = tls.replace("/nowhere/a.pem", certificate).replace("\"/\"", &format!("\"{here}\""));
    assert_eq!(with(&good).unwrap().server.listen, []);
    let both = good.replace("[[", "[server]\nlisten = [\"127.0.0.1:80\"]\n[[");
    assert_eq!(with(&both).unwrap().server.listen.len(), 1);
    let report = with("[[server.tls]]\nlisten = \"127.0.0.1:8443\"").unwrap_err();
    let messages: Vec<&str> = report.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(messages, ["missing `cert`", "missing `key`"]);
}

#[test]
fn units_and_ranges_are_checked() {
    assert_eq!(said("[server.limits]\nbody_timeout = 30"), "a duration needs a unit");
    assert_eq!(said("[server.limits]\nbody_timeout = \"0s\""), "`0s` is out of range: must be 1ms to 24h");
    assert_eq!(said("[server]\nstream_keepalive = \"25h\""), "`25h` is out of range: must be 0s to 24h");
    assert!(with("[server]\nstream_keepalive = \"0s\"").unwrap().server.stream_keepalive.is_zero());
    assert_eq!(said("[server.limits]\nbody_bytes_max = 1000"), "a size needs a unit");
    assert_eq!(
        said("[server.limits]\nheader_bytes_max = \"2MiB\""),
        "`2MiB` is out of range: must be 1KiB to 1MiB"
    );
    assert_eq!(
        said("[server.limits]\nheader_bytes_max = \"64KB\""),
        "`64KB` has an unknown unit, did you mean `KiB`?"
    );
    assert_eq!(said("[server]\nworkers = -1"), "out of range: must be 0 to 1024");
    assert_eq!(said("[server]\nworkers = \"2\""), "expected an integer, found a string");
    assert_eq!(said("[server]\nworkers = 0xffffffffffffffffff"), "out of range: must be 0 to 1024");
    assert!(said("[server.client_ip]\ntrusted_proxies = [\"10.0.0.0/33\"]").contains("10.0.0.0/33"));
}

#[test]
fn words_out_of_a_closed_set_are_suggested() {
    assert_eq!(
        said("[server]\nruntime = \"work-stealin\""),
        "unknown value `work-stealin`, did you mean `work-stealing`?"
    );
    assert_eq!(said("[log]\naccess = \"stdot\""), "unknown value `stdot`, did you mean `stdout`?");
    assert_eq!(said("[log]\nlevel = \"loud\""), "unknown value `loud`");
    assert_eq!(said("[counting]\nwarm = [\"o20k\"]"), "unknown value `o20k`, did you mean `o200k`?");
    assert_eq!(said("[sever]"), "unknown field `sever`, did you mean `server`?");
    assert_eq!(
        said("[counting.families.claude_neu]\nbound = 2.0"),
        "unknown field `claude_neu`, did you mean `claude_new`?"
    );
}

#[test]
fn what_is_kept_of_responses_has_bounds() {
    let responses = with("[responses]\nbytes_max = \"0B\"\nttl = \"1h\"").unwrap().responses;
    assert_eq!((responses.bytes_max, responses.entries_max), (0, 1000));
    assert_eq!(said("[responses]\nbytes_max = \"65GiB\""), "`65GiB` is out of range: must be 0B to 64GiB");
    assert_eq!(said("[responses]\nentries_max = 1000001"), "out of range: must be 0 to 1000000");
    assert_eq!(said("[responses]\nttl = \"0s\""), "`0s` is out of range: must be 1ms to 24h");
    assert_eq!(
        said("[responses]\nentires_max = 1"),
        "unknown field `entires_max`, did you mean `entries_max`?"
    );
}

#[test]
fn factors_keep_their_order() {
    let factors = with("[counting.families.gemini]\nbound = 2").unwrap().counting.families.gemini;
    assert_eq!((factors.estimate, factors.bound), (1.05, 2.0));
    let below = "[counting.families.gemini]\nestimate = 1.6";
    assert_eq!(said(below), "`bound` (1.55) is below `estimate` (1.6)");
    assert_eq!(said("[counting.families.gemini]\nestimate = nan"), "out of range: must be 0.1 to 10");
}

#[test]
fn a_file_that_could_serve_nothing_is_refused() {
    let messages = |text: &str| -> Vec<String> {
        read(text).unwrap_err().problems.into_iter().map(|problem| problem.message).collect()
    };
    assert_eq!(messages(""), ["no model: nothing could be called", "no key: nobody could call"]);
    assert_eq!(messages(&format!("{PROVIDERS}{MODELS}[keys]\n")), ["no key: nobody could call"]);
    assert_eq!(messages(&format!("{PROVIDERS}{KEYS}")), ["no model: nothing could be called"]);
}

#[test]
fn the_upgrade_socket_lies_in_a_folder_of_the_owner_only() {
    let wide = std::env::temp_dir();
    let message = said(&format!("[server.upgrade]\nsocket = \"{}/x.sock\"", wide.display()));
    assert!(message.contains("is no folder of the owner only"), "{message}");
    let long = format!("[server.upgrade]\nsocket = \"{}\"", "x".repeat(108));
    assert_eq!(said(&long), "the path of a socket has 1 to 107 bytes");
    assert!(with("[server.upgrade]\nsocket = \"/nowhere/yet/x.sock\"").is_ok());
}
