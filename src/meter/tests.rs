//! The counter through its public face.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn counter() -> Counter {
    Counter::new(FactorTable::default(), 1024)
}

fn count(endpoint: Endpoint, model: &str, body: &serde_json::Value) -> Count {
    counter().count(endpoint, Family::of(model), model, body.to_string().as_bytes()).unwrap()
}

fn exact(tokens: u64) -> Count {
    Count { tokens, upper: tokens, kind: CountKind::Exact }
}

#[test]
fn a_plain_chat_is_exact_and_follows_the_formula() {
    let body = json!({"model": "gpt-4o", "messages": [
        {"role": "system", "content": "hello world"},
        {"role": "user", "name": "Bob", "content": [{"type": "text", "text": "hello world"}]},
    ]});
    assert_eq!(count(Endpoint::ChatCompletions, "gpt-4o", &body), exact(2 * 2 + 2 * 4 + 3 + 2));
    assert_eq!(count(Endpoint::ChatCompletions, "o3-mini", &body), exact(2 * 2 + 2 * 4 + 2 + 2));
}

#[test]
fn tools_images_and_foreign_families_are_flagged_as_estimated() {
    let text = json!({"messages": [{"role": "user", "content": "hello world"}]});
    let tools = json!({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]});
    let image = json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}]});
    for (model, body) in
        [("claude-sonnet-5", &text), ("gpt-4o", &tools), ("gpt-4o", &image), ("gpt-oss-20b", &text)]
    {
        assert_eq!(
            count(Endpoint::ChatCompletions, model, body).kind,
            CountKind::Estimated,
            "{model} {body}"
        );
    }
    let claude = count(Endpoint::Messages, "claude-sonnet-5", &text);
    assert!(claude.upper > claude.tokens);
}

#[test]
fn embeddings_count_strings_lists_and_token_ids() {
    let endpoint = Endpoint::Embeddings;
    let model = "text-embedding-3-small";
    assert_eq!(count(endpoint, model, &json!({"input": "hello world"})), exact(2));
    assert_eq!(count(endpoint, model, &json!({"input": ["hello world", "hello"]})), exact(3));
    assert_eq!(count(endpoint, model, &json!({"input": [[1, 2, 3], [4]], "dimensions": 9})), exact(4));
    assert_eq!(
        count(Endpoint::Completions, "gpt-3.5-turbo-instruct", &json!({"prompt": "hello world"})),
        exact(2)
    );
}

#[test]
fn a_history_kept_by_the_provider_is_not_called_exact() {
    let body = json!({"input": "hello world", "previous_response_id": "r"});
    assert_eq!(count(Endpoint::Responses, "gpt-4o", &body).kind, CountKind::Estimated);
    assert_eq!(count(Endpoint::Responses, "gpt-4o", &json!({"input": "hello world"})), exact(9));
}

#[test]
fn a_remembered_message_counts_the_same_and_rules_do_not_mix() {
    let counter = counter();
    let long = "word ".repeat(100);
    let body = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": long}, {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhgALgAQ=="}}
    ]}]})
    .to_string();
    let count = |model: &str| {
        counter.count(Endpoint::ChatCompletions, Family::of(model), model, body.as_bytes()).unwrap()
    };
    let (first, mini) = (count("gpt-4o"), count("gpt-4o-mini"));
    assert_eq!(count("gpt-4o"), first);
    assert!(mini.tokens > first.tokens + 10_000, "{mini:?} {first:?}");
}

#[test]
fn messages_in_name_only_do_not_outgrow_the_bound() {
    let counter = counter();
    let body = format!(r#"{{"messages":[{}1]}}"#, r#"1,{},"","#.repeat(500));
    let count = counter.count(Endpoint::ChatCompletions, Family::O200k, "gpt-4o", body.as_bytes()).unwrap();
    assert!(counter.bound(Endpoint::ChatCompletions, Family::O200k, body.as_bytes()) >= count.tokens);
}

#[test]
fn a_factor_never_makes_more_tokens_than_bytes() {
    let text = "\u{1}\u{2}\u{3}\u{7f}".repeat(20);
    let count = counter().count_text(Family::ClaudeNew, &text);
    assert!(count.tokens <= count.upper && count.upper <= text.len() as u64, "{count:?}");
}

#[test]
fn a_body_that_is_not_what_the_endpoint_takes_is_an_error_and_still_has_a_bound() {
    let counter = counter();
    for body in ["", "{", "[]", r#"{"messages":{}}"#, r#"{"messages":[{"content":"\ud800"}]}"#, "--boundary"]
    {
        let result = counter.count(Endpoint::ChatCompletions, Family::O200k, "gpt-4o", body.as_bytes());
        assert!(matches!(result, Err(CountError::Malformed(_))), "{body}");
        assert!(counter.bound(Endpoint::ChatCompletions, Family::O200k, body.as_bytes()) > 0);
    }
    let deep = format!(r#"{{"messages":[{}1{}]}}"#, "[".repeat(200), "]".repeat(200));
    assert!(counter.count(Endpoint::ChatCompletions, Family::O200k, "gpt-4o", deep.as_bytes()).is_err());
}

fn content() -> impl Strategy<Value = serde_json::Value> {
    let text = "([a-z]{1,9} |\\PC{1,6}|[0-9]{1,5}|\"|\\\\|\n){0,20}";
    let url = prop_oneof![
        Just("https://a/b.png"),
        Just("data:image/gif;base64,R0lGODlhgALgAQ=="),
        Just("data:image/png;base64,AAAA")
    ];
    prop_oneof![
        text.prop_map(|t| json!(t)),
        text.prop_map(|t| json!([{"type": "text", "text": t}])),
        text.prop_map(|t| json!([{"type": "tool_use", "id": "t", "name": "f", "input": {"a": t}}])),
        text.prop_map(|t| json!([{"type": "tool_result", "tool_use_id": "t", "content": t}])),
        url.clone().prop_map(|u| json!([{"type": "image_url", "image_url": {"url": u}}])),
        url.clone().prop_map(|u| json!([{"type": "input_image", "image_url": u}])),
        url.prop_map(|u| json!([{"type": "image", "source": {"type": "url", "url": u}}])),
        Just(json!([{"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}])),
        Just(json!([{"type": "file", "file": {"file_id": "x"}}])),
        Just(json!([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_bound_is_never_below_the_count(contents in proptest::collection::vec(content(), 0..5), tools in any::<bool>()) {
        let counter = Counter::new(FactorTable::default(), 0);
        let messages: Vec<_> = contents.iter().map(|c| json!({"role": "user", "content": c, "parts": c})).collect();
        let mut body = json!({"messages": messages, "contents": messages, "input": messages, "system": "s"});
        if tools {
            body["tools"] = json!([{"name": "f", "description": "d", "input_schema": {}, "parameters": {"properties": {"a": {"type": "string"}}}}]);
        }
        let body = body.to_string();
        for (endpoint, model) in [
            (Endpoint::ChatCompletions, "gpt-4o-mini"), (Endpoint::ChatCompletions, "llama3"), (Endpoint::Messages, "claude-opus-4-8"),
            (Endpoint::Responses, "gpt-5.6"), (Endpoint::GenerateContent, "gemini-3-pro"), (Endpoint::Embeddings, "text-embedding-3-small"),
        ] {
            let family = Family::of(model);
            let count = counter.count(endpoint, family, model, body.as_bytes()).unwrap();
            let bound = counter.bound(endpoint, family, body.as_bytes());
            prop_assert!(bound >= count.upper, "{} {:?} {}", bound, count, body);
        }
    }
}
