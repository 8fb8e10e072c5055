//! Heads of JSON request bodies, and the splices made with them.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json::{self, Pairs};
use bytes::Bytes;
use tidegate::dialect::head::{self, HeadErrorKind, RequestHead};
use tidegate::dialect::splice::{Edit, include_usage_edit, model_edits, splice};
use tidegate::types::bounds::{JSON_DEPTH_MAX, MODEL_NAME_BYTES_MAX};
use tidegate::types::{Dialect, Endpoint};

const KEYS: [&str; 26] = [
    "\"model\"",
    "\"mod\\u0065l\"",
    "\"stream\"",
    "\"\\u0073tream\"",
    "\"stream_options\"",
    "\"include_usage\"",
    "\"max_tokens\"",
    "\"max_completion_tokens\"",
    "\"max_output_tokens\"",
    "\"n\"",
    "\"previous_response_id\"",
    "\"messages\"",
    "\"input\"",
    "\"x\"",
    "\"Model\"",
    "\"model \"",
    "\"y\"",
    "\"tools\"",
    "\"requests\"",
    "\"generateContentRequest\"",
    "\"generationConfig\"",
    "\"maxOutputTokens\"",
    "\"candidateCount\"",
    "\"contents\"",
    "\"\u{e9}\"",
    "\"\"",
];
const WORDS: [&str; 34] = [
    "{",
    "}",
    "}",
    "[",
    "]",
    "]",
    "0",
    "00",
    "-01",
    "1.",
    ",",
    ":",
    "\"",
    "\\",
    "\"model\":",
    "\"model\":\"gpt-5\"",
    "\"stream\":true",
    "true",
    "null",
    "\"mod\\u0065l\":\"b\",",
    "\\ud800",
    "\\u00",
    "\u{0}",
    "\n",
    " ",
    "1",
    "-",
    "0.5e",
    "\u{1f600}",
    "\"stream_options\":{",
    "\"include_usage\":false",
    "\u{feff}",
    "[[[[[[[[",
    "\"n\":3,",
];
const VALID: [&str; 5] = [
    r#"{"model":"gpt-5","messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    r#" { "messages" : [] , "stream" : true , "stream_options" : { "x" : 1 } , "model" : "a\/b\u00e9" } "#,
    r#"{"stream":true,"stream_options":{"include_usage":false},"model":"m","n":2,"max_tokens":5}"#,
    r#"{"model":"claude","max_tokens":1024,"system":"s","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
    r#"{"requests":[{"model":"models/a","content":{}},{"model":"models/a"}],"generationConfig":{"candidateCount":2}}"#,
];
/// Names that are read on every endpoint of the OpenAI and Anthropic families.
const READ: [&str; 3] = ["model", "stream", "messages"];
const UPSTREAM_MODEL: &str = "up/stream \"x\" \u{e9}";

fn is_null_or(value: Option<&str>, is_right: impl Fn(&str) -> bool) -> bool {
    value.is_none_or(|value| value == "null" || is_right(value))
}

/// Holds what is said of a body against what serde_json reads in it.
fn check(endpoint: Endpoint, body: &[u8]) {
    let parsed = head::parse(endpoint, Some("application/json"), body);
    let shown = String::from_utf8_lossy(body).into_owned();
    if let Err(error) = &parsed {
        let lines = body.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!(
            (1..=lines).contains(&error.line) && (1..=body.len() + 1).contains(&error.column),
            "{error:?} {shown}"
        );
    }
    let Ok(text) = std::str::from_utf8(body) else {
        assert_eq!(parsed.map_err(|error| error.kind), Err(HeadErrorKind::NotUtf8), "{shown}");
        return;
    };
    let Some(pairs) = Pairs::read(text) else {
        assert!(parsed.is_err(), "not an object, and read as {parsed:?}: {shown}");
        return;
    };
    if json::depth(text) > JSON_DEPTH_MAX {
        assert!(parsed.is_err(), "too deep: {shown}");
        return;
    }
    if endpoint.dialect() != Dialect::Gemini {
        check_against(&parsed, &pairs, text);
    }
    if let Ok(head) = parsed {
        check_splices(&head, &pairs, body);
    }
}

fn check_against(parsed: &Result<RequestHead, head::HeadError>, pairs: &Pairs, text: &str) {
    let model = pairs.first("model");
    let name = model.and_then(|raw| serde_json::from_str::<String>(raw).ok());
    match parsed {
        Ok(head) => {
            for name in READ {
                assert!(pairs.all(name).len() < 2, "{name} stands twice: {text}");
            }
            assert_eq!(head.model.as_ref().map(|model| &model.name), name.as_ref(), "{text}");
            assert_eq!(head.model.as_ref().map(|model| &text[model.span.clone()]), model, "{text}");
            // Ollama streams unless told not to.
            let is_usual = head.endpoint == Endpoint::OllamaChat;
            let is_stream = match pairs.first("stream") {
                None | Some("null") => is_usual,
                Some(word) => word == "true",
            };
            assert_eq!(head.stream, is_stream, "{text}");
            assert_eq!(head.is_empty_object, pairs.0.is_empty(), "{text}");
            assert!(head.n >= 1);
        }
        Err(error) => {
            let is_sound = !pairs.has_repeated_name()
                && model.is_none_or(|_| name.is_some_and(|name| name.len() <= MODEL_NAME_BYTES_MAX))
                && is_null_or(pairs.first("stream"), |value| matches!(value, "true" | "false"))
                && is_null_or(pairs.first("stream_options"), |_| false)
                && is_null_or(pairs.first("previous_response_id"), |_| false);
            assert!(!is_sound, "a sound body is refused with {error:?}: {text}");
            if let HeadErrorKind::Duplicate(name) = error.kind
                && !name.ends_with("include_usage")
            {
                assert!(pairs.all(name).len() > 1, "{name} does not stand twice: {text}");
            }
        }
    }
}

/// The edits made from the last to the first, without the code under test.
fn edited(body: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut bytes = body.to_vec();
    for edit in order.into_iter().rev() {
        bytes.splice(edit.range.clone(), edit.replacement.iter().copied());
    }
    bytes
}

fn check_splices(head: &RequestHead, pairs: &Pairs, body: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    let mut edits = model_edits(head, UPSTREAM_MODEL);
    let usage = include_usage_edit(head);
    edits.extend(usage.clone());
    let spliced = splice(&Bytes::copy_from_slice(body), &edits);
    assert_eq!(spliced, edited(body, &edits), "{shown}");
    let text = std::str::from_utf8(&spliced).expect("still UTF-8");
    let after = Pairs::read(text).unwrap_or_else(|| panic!("no object any more: {shown} became {text}"));
    let again = head::parse(head.endpoint, None, &spliced).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(again.stream, head.stream);
    assert_eq!(again.inner_models.len(), head.inner_models.len());
    for model in again.model.iter().chain(&again.inner_models) {
        let bare = model.name.strip_prefix("models/").unwrap_or(&model.name);
        assert_eq!(bare, UPSTREAM_MODEL, "{shown} became {text}");
    }
    if !head.endpoint.has_model_in_path() {
        assert!(again.model.is_some(), "{text}");
        let touched: &[&str] = if usage.is_some() { &["model", "stream_options"] } else { &["model"] };
        assert_eq!(after.without(touched), pairs.without(touched), "{shown} became {text}");
        assert_eq!(model_edits(&again, UPSTREAM_MODEL), []);
    }
    if usage.is_some() {
        assert!(head.stream && again.client_wants_usage(), "{shown} became {text}");
        assert_eq!(include_usage_edit(&again), None);
    }
}

fn endpoint(input: Input<'_>) -> Endpoint {
    Endpoint::ALL[input.choice / 4 % Endpoint::ALL.len()]
}

#[test]
fn request_head_agrees_with_serde_json_on_any_bytes() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check(endpoint(input), input.bytes);
        check(endpoint(input), &input.spelt(&WORDS));
    });
}

#[test]
fn request_head_agrees_with_serde_json_on_objects() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let object = json::object(input.bytes, &KEYS);
        assert!(Pairs::read(&object).is_some(), "{object}");
        check(endpoint(input), object.as_bytes());
        check(endpoint(input), &input.changed(object.as_bytes(), &WORDS));
    });
}

#[test]
fn request_head_agrees_with_serde_json_on_changed_requests() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let valid = VALID[input.choice % VALID.len()];
        check(endpoint(input), &input.changed(valid.as_bytes(), &WORDS));
        let levels = usize::from(input.bytes.first().copied().unwrap_or_default());
        let deep = format!("{{\"x\":{}{valid}{}}}", "[".repeat(levels), "]".repeat(levels));
        check(endpoint(input), deep.as_bytes());
    });
}
