//! Nothing a file could hold as a secret comes out in a report, and no file makes a panic.

use super::{Config, Report, SecretPolicy, check, load, parse};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const CANARY: &str = "sk-canary-0123456789";

/// A folder of one test, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-config-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, mode: u32, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::File::create(&path).unwrap().write_all(content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn env(name: &str) -> Option<String> {
    match name {
        "KEY" => Some(format!("{CANARY}\n")),
        "OTHER" => Some("sk-other".to_owned()),
        "EMPTY" => Some(" ".to_owned()),
        "SPLIT" => Some(format!("{CANARY}\r\nx-evil: 1")),
        _ => None,
    }
}

fn with_key(api_key: &str) -> Result<Config, Report> {
    let text = format!(
        "[providers.p]\nkind = \"openai\"\napi_key = {api_key}\n[models.m]\ntargets = [{{ provider = \"p\" }}]\n\
         [keys.k]\nsecret = \"env:OTHER\"\n"
    );
    parse("f.toml", &text, &env)
}

fn message(api_key: &str) -> String {
    let report = with_key(api_key).unwrap_err();
    assert_eq!(report.len(), 1, "{report}");
    assert!(!format!("{report} {report:?}").contains("canary"), "{report}");
    report.problems[0].message.clone()
}

#[test]
fn secrets_are_fetched_and_never_printed() {
    let config = with_key("\"env:KEY\"").unwrap();
    assert_eq!(config.providers["p"].api_keys[0].expose(), CANARY);
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn a_secret_that_cannot_be_had_is_named() {
    assert_eq!(message("\"env:NOPE\""), "the environment variable `NOPE` is not set");
    assert_eq!(message("\"env:EMPTY\""), "the secret `env:EMPTY` is empty");
    assert!(message("\"env:SPLIT\"").contains("`env:SPLIT` has characters that cannot be sent"));
}

#[test]
fn a_secret_file_is_its_owners_only() {
    let folder = Folder::new("modes");
    let quoted = |path: PathBuf| format!("\"file:{}\"", path.display());
    let good = folder.file("good", 0o600, format!("{CANARY}\n").as_bytes());
    assert_eq!(with_key(&quoted(good)).unwrap().providers["p"].api_keys[0].expose(), CANARY);
    let wide = folder.file("wide", 0o640, CANARY.as_bytes());
    assert!(message(&quoted(wide)).contains("may be used by others than its owner (mode 0640)"));
    let long = folder.file("long", 0o600, CANARY.repeat(10_000).as_bytes());
    assert!(message(&quoted(long)).contains("is longer than"));
    let binary = folder.file("binary", 0o600, b"\xff\xfecanary");
    assert!(message(&quoted(binary)).contains("cannot be read"));
    assert!(message(&quoted(folder.0.join("none"))).contains("cannot be read"));
    assert!(message(&quoted(folder.0.clone())).contains("is no file"));
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    let said = "a secret must not stand in this file";
    assert_eq!(message(&format!("\"{CANARY}\"")), said);
    assert_eq!(message(&format!("\"env:{CANARY}\"")), said);
    assert_eq!(message(&format!("[\"{CANARY}\"]")), said);
    assert_eq!(message(&format!("{{ value = \"{CANARY}\" }}")), said);
}

/// The canary stands wherever somebody could put a key; the file is wrong in each case.
#[test]
fn no_report_shows_a_value_that_could_be_a_secret() {
    let places = [
        "[providers]\np = { kind = \"opnai\", api_key = \"CANARY\" }",
        "[providers]\np = { kind = \"openai\", api_kye = \"CANARY\" }",
        "[providers]\np = { api_key = \"CANARY\" }",
        "[providers]\np = \"CANARY\"",
        "providers = [\"CANARY\"]",
        "providers = \"CANARY\"",
        "[providers.p]\nkind = \"openai\"\napi_keys = [\"env:KEY\", \"CANARY\"]",
        "[providers.p]\nkind = \"openai\"\napi_keys = \"CANARY\"",
        "[providers.p]\nkind = \"openai\"\napi_key = \"\"\"\nCANARY\"\"\"",
        "[providers.p]\nkind = \"openai\"\napi_key = \"env:KEY\"\nheaders = { authorization = \"Bearer CANARY\", zz = 1 }",
        "[providers.p]\nkind = \"openai\"\napi_key = \"env:KEY\"\nheaders = { \"a b\" = \"CANARY\" }",
        "[providers.p]\nkind = \"openai\"\napi_key = \"env:KEY\"\nheaders = { x = \"CANARY\\n\" }",
        "[providers.p]\nkind = \"openai-compatible\"\nbase_url = \"http://u:CANARY@h\"",
        "[providers.p]\nkind = \"openai-compatible\"\nbase_url = \"http://h?key=CANARY\"",
        "[providers.p]\nbase_url = \"http://h/\"\nextra = { deep = [{ key = \"CANARY\" }] }",
        "[keys]\nci = \"CANARY\"",
        "[keys]\nci = { secret = \"CANARY\", modles = 1 }",
        "[keys.ci]\nsecret_sha256 = \"CANARY\"",
        "[keys.ci]\nsecret = \"env:KEY\"\nbudget = { usd = \"CANARY\" }",
        "[keys.ci]\nsecret = { env = \"CANARY\" }",
        "store = { url = \"postgres://u:CANARY@h/db\" }",
        "cluster = \"CANARY\"",
        "admin = { token = \"CANARY\", lisen = 1 }",
        "tken = \"CANARY\"",
        // Not TOML at all.
        "api_key = CANARY",
        "api_key = \"CANARY",
        "[providers.p]\napi_key = \"env:KEY\"\napi_key = \"CANARY\"",
        "[providers.p]\napi_keys = [\n  \"env:A\"\n  \"CANARY\"\n]",
        "secret = 'CANARY' x",
        "providers = { p = { api_key = \"CANARY\" ",
        "url = \"postgres://u:CANARY@h\" x",
    ];
    for place in places {
        let text = place.replace("CANARY", CANARY);
        for outcome in [parse("f", &text, &env).map(drop), syntax(&text)] {
            let report = outcome.expect_err(place);
            let shown = format!("{} {} {report:?}", report.render(false), report.render(true));
            assert!(!shown.contains("canary"), "{place}\n{report}");
        }
    }
}

fn syntax(text: &str) -> Result<(), Report> {
    let folder = Folder::new("syntax");
    let path = folder.file(&format!("{}.toml", text.len()), 0o600, text.as_bytes());
    check(&path, &|_| panic!("the environment is looked at"), SecretPolicy::Syntax).map(drop)
}

#[test]
fn strange_files_are_refused_without_a_panic() {
    let folder = Folder::new("strange");
    let deep = |open: &str, close: &str| format!("a = {}{}", open.repeat(50_000), close.repeat(50_000));
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("blank", b"\n\n  \n".to_vec()),
        ("binary", (0..=255).cycle().take(100_000).collect()),
        ("zeros", vec![0; 100_000]),
        ("bom", b"\xef\xbb\xbf".to_vec()),
        ("huge", vec![b'#'; 5 * 1024 * 1024]),
        ("arrays", deep("[", "]").into_bytes()),
        ("tables", deep("{a=", "}").into_bytes()),
        ("open", deep("[", "").into_bytes()),
        ("keys", format!("{}a = 1", "a.".repeat(50_000)).into_bytes()),
        ("many", (0..20_000).map(|n| format!("k{n} = 1\n")).collect::<String>().into_bytes()),
        ("line", format!("x = \"{}\"", "y".repeat(3_000_000)).into_bytes()),
    ];
    for (name, content) in files {
        let path = folder.file(name, 0o600, &content);
        let report = load(&path, &|_| None).expect_err(name);
        assert!(!report.is_empty() && report.render(false).len() < 100_000, "{name}");
    }
    for path in [folder.0.clone(), folder.0.join("none")] {
        let report = load(&path, &|_| None).unwrap_err();
        assert!(report.render(false).starts_with("error: "), "{report}");
    }
}

/// Every prefix of a good file, and the file with every byte spoiled, is read or refused.
#[test]
fn a_file_cut_or_spoiled_anywhere_is_survived() {
    let text = "[providers.p]\nkind = \"openai\"\napi_keys = [\"env:KEY\"]\n[models.\"m-*\"]\n\
                targets = [{ provider = \"p\", weight = 2 }] # é\ntimeouts = { total = \"1m\" }\n[keys.k]\nsecret = \"env:OTHER\"\n";
    assert!(parse("f", text, &env).is_ok());
    for at in 0..text.len() {
        if let Some(half) = text.get(..at) {
            assert!(parse("f", half, &env).is_err() || at + 1 == text.len(), "{at}");
        }
        for byte in [b'"', b'\n', b'[', b'=', 0, b'{', b'.', b'~'] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes)
                && let Err(report) = parse("f", &text, &env)
            {
                assert!(!report.render(false).is_empty());
            }
        }
    }
}
