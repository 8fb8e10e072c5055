//! Counting of request bodies.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json;
use tidegate::meter::{CountKind, Counter, FactorTable, Family, Size};
use tidegate::types::Endpoint;

const KEYS: [&str; 30] = [
    "\"messages\"",
    "\"role\"",
    "\"content\"",
    "\"type\"",
    "\"text\"",
    "\"image_url\"",
    "\"url\"",
    "\"detail\"",
    "\"source\"",
    "\"data\"",
    "\"tools\"",
    "\"function\"",
    "\"parameters\"",
    "\"properties\"",
    "\"description\"",
    "\"enum\"",
    "\"input\"",
    "\"instructions\"",
    "\"system\"",
    "\"contents\"",
    "\"parts\"",
    "\"inlineData\"",
    "\"prompt\"",
    "\"tool_calls\"",
    "\"arguments\"",
    "\"name\"",
    "\"response_format\"",
    "\"x\"",
    "\"tool_call_id\"",
    "\"input_audio\"",
];
const WORDS: [&str; 14] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\u{e9}\u{1f600}",
    "\\u0041",
    "the quick ",
    "12345",
    "<|endoftext|>",
    " ",
];
const VALID: [&str; 4] = [
    r#"{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"}}]}]}"#,
    r#"{"model":"m","input":"Say hello","instructions":"Be brief.","tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string","enum":["a","b"]}}}}]}"#,
    r#"{"contents":[{"role":"user","parts":[{"text":"hello there"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}]}"#,
    r#"{"model":"m","input":[[1,2,3],[4]],"prompt":["a","b"]}"#,
];
const MODELS: [&str; 6] =
    ["gpt-5", "gpt-4", "claude-sonnet-4-5", "gemini-2.5-flash", "llama-4", "mistral-large"];

fn check(counter: &Counter, endpoint: Endpoint, model: &str, body: &[u8]) {
    let shown = || format!("{endpoint:?} {model} {:?}", String::from_utf8_lossy(body));
    let family = Family::of(model);
    let bound = counter.bound(endpoint, family, body);
    let Ok(count) = counter.count(endpoint, family, model, body) else { return };
    assert!(count.tokens <= count.upper, "{count:?}: {}", shown());
    assert!(count.upper <= bound, "the bound {bound} is below {count:?}: {}", shown());
    assert!(count.kind != CountKind::Exact || count.tokens == count.upper);
    let again = counter.count(endpoint, family, model, body).unwrap();
    assert_eq!(again, count, "what is remembered counts the same: {}", shown());
    let fresh = Counter::new(FactorTable::default(), 0).count(endpoint, family, model, body).unwrap();
    assert_eq!(fresh, count, "remembering changes no count: {}", shown());
}

#[test]
fn meter_bound_is_never_below_the_count() {
    let counter = Counter::new(FactorTable::default(), 64);
    counter.warm().unwrap();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let model = MODELS[input.choice % MODELS.len()];
        let endpoint = Endpoint::ALL[input.choice / 6 % Endpoint::ALL.len()];
        check(&counter, endpoint, model, input.bytes);
        check(&counter, endpoint, model, json::object(input.bytes, &KEYS).as_bytes());
        let valid = VALID[input.choice / 4 % VALID.len()];
        check(&counter, endpoint, model, &input.changed(valid.as_bytes(), &WORDS));
    });
}

#[test]
fn meter_reads_image_headers_of_any_bytes() {
    const STARTS: [&str; 6] =
        ["iVBORw0KGgoAAAANSUhEUg", "/9j/4AAQSkZJRgAB", "R0lGODlh", "UklGRh4AAABXRUJQVlA4", "Qk0", ""];
    const LETTERS: [&str; 16] =
        ["A", "/9", "w", "+", "=", "-", "_", "AAAA", "/8AAEQgB", "zz", " ", "\n", "QAAA", "g", "%", "\u{e9}"];
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let text = [STARTS[input.choice % STARTS.len()].as_bytes(), &input.spelt(&LETTERS)].concat();
        Size::of_base64(&String::from_utf8_lossy(&text));
    });
}
