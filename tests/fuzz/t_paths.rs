//! URL paths and queries.

use crate::input::{BYTES_MAX, Input, each_input};
use http::Method;
use tidegate::dialect::paths::{self, PathError};

const WORDS: [&str; 56] = [
    "/",
    "/v1",
    "/v1/",
    "/v1beta/",
    "/openai/",
    "/openai/v1/",
    "/openai/deployments/",
    "chat/completions",
    "completions",
    "responses",
    "embeddings",
    "models",
    "models/",
    "tunedModels/",
    "messages",
    "count_tokens",
    "/v1/messages/count_tokens",
    "images/edits",
    "audio/speech",
    "files",
    "uploads",
    "batches",
    "realtime",
    "content",
    "cancel",
    "input_items",
    "parts",
    ":generateContent",
    ":streamGenerateContent",
    ":countTokens",
    ":embedContent",
    ":",
    "gpt-5",
    "org/model",
    "resp_1",
    ".",
    "..",
    "%2e",
    "%2F",
    "%5c",
    "%00",
    "%25",
    "%",
    "%zz",
    "%C3%A9",
    "\\",
    "//",
    ";",
    "@",
    "+",
    "a",
    "~",
    "/v1/chat/completions",
    "/v1/responses/resp_1",
    "/v1/models/gpt-5",
    "/v1beta/models/gemini-2.5:generateContent",
];
/// Paths that are taken, with a place for a name.
const FRAMES: [(&str, &str); 12] = [
    ("/v1/responses/", ""),
    ("/v1/responses/", "/cancel"),
    ("/v1/models/", ""),
    ("/v1/models/", ":generateContent"),
    ("/v1beta/models/", ":streamGenerateContent"),
    ("/v1beta/tunedModels/", ":countTokens"),
    ("/v1beta/models/", ""),
    ("/openai/deployments/", "/chat/completions"),
    ("/openai/v1/responses/", "/input_items"),
    ("/v1/files/", ""),
    ("/v1/files/", "/content"),
    ("/v1/uploads/", "/parts"),
];
const QUERY_WORDS: [&str; 28] = [
    "key",
    "KEY",
    "k%65y",
    "access_token",
    "api-version",
    "alt",
    "$alt",
    "model",
    "sse",
    "=",
    "&",
    "&&",
    "secret",
    "%",
    "%3D",
    "%26",
    "%6",
    "+",
    "a",
    "1",
    "2024-10-21",
    ";",
    "%C3",
    "k%45y",
    "after_id",
    "limit",
    "%00",
    "mode%6c",
];
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::DELETE, Method::PUT, Method::HEAD];
const MODELS: [&str; 8] = ["gpt-5", "", "../../x", "a b/c?d#e", "models/m", "\u{e9}%2f", ".", "a\r\nb"];

/// Percent-decoded as a lenient server would.
fn decoded(raw: &str) -> Vec<u8> {
    let bytes = raw.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| raw.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn assert_safe_path(path: &str, what: &str) {
    assert!(path.starts_with('/'), "{what}: {path:?}");
    assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte)), "{what}: {path:?}");
    let is_empty_or_dots = |segment: &str| matches!(&*decoded(segment), b"" | b"." | b"..");
    assert!(!path.split('/').skip(1).any(is_empty_or_dots), "{what}: {path:?}");
}

fn check(method: &Method, path: &str, query: Option<&str>) {
    let hit = match paths::parse(method, path, query) {
        Ok(hit) => hit,
        Err(PathError::Method { allowed }) => {
            assert!(!allowed.split(", ").any(|allowed| allowed == method.as_str()));
            return;
        }
        Err(PathError::NotFound) => return,
    };
    assert_safe_path(path, "taken");
    for name in hit.model.iter().chain(&hit.id) {
        assert!(!name.is_empty() && !name.chars().any(char::is_control), "{path:?}: {name:?}");
        assert!(!name.split('/').any(|part| matches!(part, "" | "." | "..")), "{path:?}: {name:?}");
    }
    for model in MODELS {
        let up = hit.upstream_path(model);
        // Models come from the configuration, which lets no empty name and no bare dots through.
        if !matches!(model, "" | "." | "../../x") {
            assert_safe_path(&up, "sent up");
        }
        assert!(up.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?'), "{up:?}");
        if let Some(up) = hit.upstream_query(query, model) {
            assert!(up.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{up:?}");
            for pair in up.split('&') {
                let name = decoded(pair.split('=').next().unwrap()).to_ascii_lowercase();
                assert!(
                    !matches!(&*name, b"key" | b"access_token"),
                    "a credential goes up: {up:?} of {query:?}"
                );
            }
        }
    }
    // The model that Gemini's path names goes up as it came where no other is asked for. A collection
    // named twice is left out once, so one named thrice is another matter.
    let is_bare = |model: &&str| !model.starts_with("models/") && !model.starts_with("tunedModels/");
    if let Some(model) = hit.model.as_deref().filter(is_bare) {
        let again = hit.upstream_path(model).into_owned();
        if again.starts_with("/v1") && method == Method::POST {
            let same =
                paths::parse(method, &again, None).expect("a path that goes up is one that may come in");
            assert_eq!(same.model.as_deref(), Some(model), "{path:?} became {again:?}");
        }
    }
}

#[test]
fn paths_take_and_send_up_only_what_every_server_reads_the_same() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let (left, right) = input.bytes.split_at(input.bytes.len().min(8));
        let path = input.with(left).spelt(&WORDS);
        let query = input.with(&right[..right.len().min(12)]).spelt(&QUERY_WORDS);
        let (path, query) = (String::from_utf8_lossy(&path), String::from_utf8_lossy(&query));
        for method in &METHODS {
            check(method, &path, Some(&query));
            check(method, &String::from_utf8_lossy(left), None);
            let name = input.with(&left[..left.len().min(3)]).spelt(&WORDS);
            let (before, after) = FRAMES[input.choice % FRAMES.len()];
            check(method, &format!("{before}{}{after}", String::from_utf8_lossy(&name)), Some(&query));
        }
        let known = paths::encode_model(&path);
        assert_eq!(decoded(&known), path.as_bytes(), "a name survives its encoding");
        paths::query::wants_sse(Some(&query));
        paths::error_dialect(&path);
    });
}
