//! The shipped files hold, and `conf/full.toml` knows the whole language.

use super::collector::Collector;
use super::{CountMode, Failover, Model, OnDisconnect, SecretPolicy, Server, Timeouts, file};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf")
}

fn no_env(_: &str) -> Option<String> {
    None
}

fn full() -> String {
    std::fs::read_to_string(folder().join("full.toml")).unwrap()
}

/// `models.gpt-5.targets[0]` and `models."claude-*".targets[1]` are one table of the language.
fn schema(path: &str, key: &str) -> String {
    let mut parts = Vec::new();
    let mut is_quoted = false;
    let mut part = String::new();
    for c in path.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(std::mem::take(&mut part)),
            _ => part.push(c),
        }
    }
    parts.push(part);
    let named = ["providers", "models", "keys"];
    if let [section, name, ..] = parts.as_mut_slice()
        && named.contains(&section.as_str())
    {
        *name = "*".to_owned();
    }
    if let [section, table, name, ..] = parts.as_mut_slice()
        && [("catalog", "models"), ("auth", "jwt"), ("admin", "oidc")]
            .contains(&(section.as_str(), table.as_str()))
    {
        *name = "*".to_owned();
    }
    let parts = parts.iter().map(|part| part.split('[').next().unwrap());
    let mut path: Vec<&str> = parts.chain([key]).filter(|part| !part.is_empty()).collect();
    // A group's targets are what a model's are.
    path.dedup();
    path.join(".")
}

fn mentioned(table: &DeTable<'_>, path: &str, out: &mut BTreeSet<String>) {
    for (key, item) in table {
        let key = key.get_ref();
        out.insert(schema(path, key));
        let inner = if path.is_empty() { format!("\"{key}\"") } else { format!("{path}.\"{key}\"") };
        match item.get_ref() {
            DeValue::Table(table) => mentioned(table, &inner, out),
            DeValue::Array(array) => {
                for element in array.iter() {
                    if let DeValue::Table(table) = element.get_ref() {
                        mentioned(table, &inner, out);
                    }
                }
            }
            _ => {}
        }
    }
}

#[test]
fn every_shipped_file_is_clean_without_any_secret_at_hand() {
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let checked = super::check(&path, &no_env, SecretPolicy::Syntax);
            assert!(checked.is_ok(), "{}", checked.unwrap_err());
            files += 1;
        }
    }
    assert!(files >= 3, "{files} files");
}

#[test]
fn full_toml_mentions_every_key_the_readers_ask_for() {
    let text = full();
    let mut collector = Collector::new(SecretPolicy::Syntax, &no_env);
    file::read("full.toml", &text, &mut collector).unwrap();
    let asked: BTreeSet<String> = collector.asked.iter().map(|(path, key)| schema(path, key)).collect();
    let mut written = BTreeSet::new();
    mentioned(DeTable::parse(&text).unwrap().get_ref(), "", &mut written);
    let refused: [&str; 0] = [];
    let missing: Vec<&String> =
        asked.difference(&written).filter(|key| !refused.contains(&key.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new());
    assert!(asked.len() > 80, "{} keys", asked.len());
}

#[test]
fn every_key_of_full_toml_is_explained_on_its_line_or_above() {
    for (at, line) in full().lines().enumerate() {
        let key = line.split('=').next().unwrap_or_default().trim();
        let is_plain = line.contains(" = ") && !line.starts_with('#') && !line.starts_with(' ');
        // Explained once where they first stand, or by the comment above their group.
        let again = [
            "listen",
            "cert",
            "key",
            "kind",
            "targets",
            "api_key",
            "secret_sha256",
            "region",
            "project",
            "resource",
            "issuer",
            "audience",
            "app",
        ];
        let grouped = ["claude_old", "claude_new", "gemini", "mistral", "other", "on"];
        let is_explained = line.contains('#') || again.contains(&key) || grouped.contains(&key);
        assert!(!is_plain || is_explained, "line {}: {line}", at + 1);
    }
}

#[test]
fn full_toml_states_the_true_defaults() {
    let text = full();
    let mut collector = Collector::new(SecretPolicy::Syntax, &no_env);
    let config = file::read("full.toml", &text, &mut collector).unwrap();
    assert_eq!(Server { tls: Vec::new(), shed: None, ..config.server }, Server::default());
    assert_eq!(config.counting, super::Counting::default());
    assert_eq!(config.responses, super::Responses::default());
    assert_eq!(config.log, super::Log::default());
    let store = config.store.unwrap();
    assert_eq!((store.timeout.as_secs(), store.connections), (5, 8));
    let plain = super::ledger::Ledger { clickhouse: None, ..config.ledger };
    assert_eq!(plain, super::Ledger::default());
    assert_eq!(config.admin.listen, super::Admin::default().listen);
    let model: &Model = &config.models["gpt-5"];
    let implicit = &config.models["claude-*"];
    assert_eq!((&model.failover, model.timeouts), (&Failover::default(), Timeouts::default()));
    assert_eq!((model.balance, model.drain_max), (implicit.balance, implicit.drain_max));
    assert_eq!((model.on_disconnect, model.count), (OnDisconnect::Abort, CountMode::Bound));
    let (openai, lab) = (&config.providers["openai"], &config.providers["lab"]);
    assert_eq!((openai.cooldown, openai.pool, openai.http2), (lab.cooldown, lab.pool, lab.http2));
    assert_eq!(openai.stream_options, lab.stream_options);
}

/// Each table, written out once more with a stranger in it, must be complained about: no reader
/// forgets to look at what is left.
#[test]
fn an_unknown_key_is_found_in_every_table_of_the_language() {
    let text = full();
    let mut tables = 0;
    for (at, _) in text.match_indices('\n').filter(|(at, _)| {
        let line = text[..*at].rsplit('\n').next().unwrap();
        line.starts_with('[') && !matches!(line, "[counting.families]")
    }) {
        let spoiled = format!("{}\nzzz = 1{}", &text[..at], &text[at..]);
        let mut collector = Collector::new(SecretPolicy::Syntax, &no_env);
        let config = file::read("f", &spoiled, &mut collector).unwrap();
        let report = collector.finish("f", &spoiled, config).unwrap_err();
        assert_eq!(report.problems[0].message, "unknown field `zzz`", "{}", report);
        tables += 1;
    }
    assert!(tables >= 18, "{tables}");
    let inline: Vec<usize> = text.match_indices("{ ").map(|(at, _)| at).collect();
    for at in &inline {
        let spoiled = format!("{}{{ zzz = 1, {}", &text[..*at], &text[at + 2..]);
        let mut collector = Collector::new(SecretPolicy::Syntax, &no_env);
        let config = file::read("f", &spoiled, &mut collector).unwrap();
        let report = collector.finish("f", &spoiled, config).unwrap_err();
        assert_eq!(report.len(), 1, "{report}");
    }
    assert!(inline.len() >= 10, "{}", inline.len());
}

#[test]
fn a_file_of_certificates_that_is_there_is_looked_into_and_one_that_is_not_is_missed_with_the_secrets() {
    let folder = std::env::temp_dir().join(format!("tidegate-certificates-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("none.pem"), "nothing").unwrap();
    std::fs::write(path("one.pem"), "# ours\n-----BEGIN CERTIFICATE-----\n").unwrap();
    let checked = |ca: &str, policy: SecretPolicy| {
        let file = path("file.toml");
        let provider = "[providers.a]\nkind = \"openai\"\napi_key = \"env:A\"\n";
        let rest = "[models.m]\ntargets = [{ provider = \"a\" }]\n[keys.k]\nsecret = \"env:A\"\n";
        std::fs::write(&file, format!("{provider}tls = {{ ca = \"{ca}\" }}\n{rest}")).unwrap();
        let env = |_: &str| Some("sk-some-secret-of-length".to_owned());
        let checked = super::check(Path::new(&file), &env, policy);
        checked.map(drop).map_err(|report| report.problems[0].message.clone())
    };
    for policy in [SecretPolicy::Syntax, SecretPolicy::Resolve] {
        assert_eq!(checked(&path("one.pem"), policy), Ok(()));
        let none = checked(&path("none.pem"), policy).unwrap_err();
        assert!(none.ends_with("has no certificate in it"), "{none}");
    }
    assert_eq!(checked(&path("absent.pem"), SecretPolicy::Syntax), Ok(()));
    let absent = checked(&path("absent.pem"), SecretPolicy::Resolve).unwrap_err();
    assert!(absent.contains("cannot be read"), "{absent}");
    std::fs::remove_dir_all(&folder).unwrap();
}
