//! Each refusal, by a request that earns it and one beside it that passes.

use serde_json::{Value, json};

use super::super::gemini::SIGNATURE;
use super::{anthropic, bedrock, gemini, openai, small};

fn message(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

fn claude(messages: Value) -> Value {
    json!({"model": "claude", "max_tokens": 5, "messages": messages})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[test]
fn anthropic_refuses_unknown_fields_betas_and_sampling_on_new_models() {
    let body = claude(json!([message("user", json!("hi"))]));
    let ask = |model: &str, betas: Option<&str>, body: &Value| anthropic::messages(model, betas, body);
    assert_eq!(ask("claude-opus-4-7", Some("context-1m-2025-08-07, effort-2025-11-24"), &body), None);
    assert!(ask("claude-x", Some("moon-2030-01-01"), &body).unwrap().contains("moon-2030-01-01"));
    assert!(ask("claude-x", None, &with(body.clone(), "frequency_penalty", json!(1))).is_some());
    let warm = with(body, "temperature", json!(0.5));
    assert_eq!(ask("claude-sonnet-4-5", None, &warm), None);
    assert!(ask("claude-opus-4-7", None, &warm).is_some() && ask("claude-sonnet-5", None, &warm).is_some());
}

#[test]
fn anthropic_refuses_broken_conversations() {
    let (used, result) = (
        json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        json!({"type": "tool_result", "tool_use_id": "t", "content": "x"}),
    );
    let text = json!({"type": "text", "text": "a"});
    let start = message("user", json!("hi"));
    let calls = message("assistant", json!([used]));
    let ask = |messages: Value| anthropic::messages("m", None, &claude(messages));
    assert_eq!(ask(json!([start, calls, message("user", json!([result, text]))])), None);
    for broken in [
        json!([start, calls, message("user", json!("no result"))]),
        json!([start, calls]),
        json!([start, calls, message("user", json!([text, result]))]),
        json!([start, message("assistant", json!("a")), message("user", json!([result]))]),
        json!([start, start]),
        json!([message("assistant", json!("a"))]),
        json!([message("user", json!(""))]),
        json!([message("user", json!([{"type": "text", "text": " "}]))]),
    ] {
        assert!(ask(broken.clone()).is_some(), "{broken}");
    }
}

#[test]
fn anthropic_refuses_schemas_it_cannot_hold() {
    let body = |schema: Value, is_strict: bool| {
        with(
            claude(json!([message("user", json!("hi"))])),
            "tools",
            json!([{"name": "f", "strict": is_strict, "input_schema": schema}]),
        )
    };
    let ask = |body: &Value| anthropic::messages("m", None, body);
    let bounded = json!({"type": "object", "additionalProperties": false, "properties": {"a": {"type": "integer", "minimum": 1}}});
    assert_eq!(ask(&body(bounded.clone(), false)), None);
    assert!(ask(&body(bounded.clone(), true)).unwrap().contains("minimum"));
    assert!(ask(&body(json!({"type": "object", "anyOf": []}), false)).is_some());
    assert!(ask(&body(json!({"properties": {}}), false)).is_some());
    let answer = with(
        claude(json!([message("user", json!("hi"))])),
        "output_config",
        json!({"format": {"type": "json_schema", "schema": bounded}}),
    );
    assert!(ask(&answer).is_some());
}

#[test]
fn openai_refuses_open_strict_schemas_unknown_parameters_and_unanswered_calls() {
    let format = |schema: Value, is_strict: bool| {
        json!({"model": "m", "messages": [],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": is_strict, "schema": schema}}})
    };
    let open = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    assert_eq!(openai::chat("gpt-4o", &format(closed.clone(), true)), None);
    assert_eq!(openai::chat("gpt-4o", &format(open.clone(), false)), None);
    assert!(openai::chat("gpt-4o", &format(open.clone(), true)).is_some());
    let optional = with(closed.clone(), "required", json!([]));
    assert!(openai::chat("gpt-4o", &format(optional, true)).unwrap().contains("'a'"));
    let tool = json!({"tools": [{"type": "function", "name": "f", "strict": true, "parameters": open}]});
    assert!(openai::responses(&tool).is_some());
    assert!(openai::chat("gpt-4o", &json!({"top_k": 4})).is_some());
    assert!(openai::chat("gpt-5", &json!({"max_tokens": 4})).is_some());
    let call = json!({"role": "assistant", "tool_calls": [{"id": "c"}]});
    let answer = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
    assert_eq!(openai::chat("gpt-4o", &json!({"messages": [call, answer]})), None);
    assert!(openai::chat("gpt-4o", &json!({"messages": [call]})).is_some());
    assert!(openai::chat("gpt-4o", &json!({"messages": [answer]})).is_some());
    assert!(openai::responses(&json!({"input": []})).is_some());
    let item = json!({"type": "function_call_output", "call_id": "c"});
    assert!(openai::responses(&json!({"input": [item]})).is_some());
    assert_eq!(openai::responses(&json!({"input": [item, {"type": "function_call", "call_id": "c"}]})), None);
}

#[test]
fn deepseek_wants_its_thoughts_back_while_the_turn_lasts() {
    let user = json!({"role": "user", "content": "hi"});
    let call = |thought: Value| json!({"role": "assistant", "reasoning_content": thought, "tool_calls": [{"id": "c"}]});
    let answer = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
    let ask = |messages: Value| openai::chat("deepseek-reasoner", &json!({"messages": messages}));
    assert_eq!(ask(json!([user, call(json!("hm")), answer])), None);
    assert!(ask(json!([user, call(Value::Null), answer])).is_some());
    assert_eq!(ask(json!([user, call(Value::Null), answer, user])), None);
}

#[test]
fn gemini_refuses_foreign_keywords_and_lost_signatures() {
    let tools = |schema: Value| json!({"contents": [], "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]});
    let nested = |inner: Value| json!({"type": "object", "properties": {"a": inner}});
    assert_eq!(gemini::generate("g", &tools(nested(json!({"type": "STRING"})))), None);
    assert!(
        gemini::generate("g", &tools(nested(json!({"type": "object", "additionalProperties": false}))))
            .is_some()
    );
    assert!(gemini::generate("g", &tools(nested(json!({"type": ["string", "null"]})))).is_some());
    assert!(gemini::generate("g", &json!({"frobnicate": 1})).is_some());
    let turns = |signature: &str| {
        json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}, "thoughtSignature": signature}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f"}}]}]})
    };
    assert_eq!(gemini::generate("gemini-3-pro", &turns(SIGNATURE)), None);
    assert!(gemini::generate("gemini-3-pro", &turns("")).unwrap().contains("thought_signature"));
    assert_eq!(gemini::generate("gemini-2.5-pro", &turns("")), None);
    let unpaired = json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]});
    assert!(gemini::generate("g", &unpaired).is_some());
}

#[test]
fn bedrock_refuses_what_is_no_pair_links_and_tools_without_a_config() {
    let user = message("user", json!([{"text": "hi"}]));
    let call = message("assistant", json!([{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]));
    let result = message("user", json!([{"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}]));
    let config = json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]});
    let ask = |messages: Value| bedrock::converse(&json!({"messages": messages, "toolConfig": config}));
    assert_eq!(ask(json!([user, call, result])), None);
    assert!(bedrock::converse(&json!({"messages": [user, call, result]})).unwrap().contains("toolConfig"));
    let image =
        |bytes: &str| message("user", json!([{"image": {"format": "png", "source": {"bytes": bytes}}}]));
    assert_eq!(ask(json!([image("aGk=")])), None);
    for broken in [
        json!([user, call, user]),
        json!([result]),
        json!([user, user]),
        json!([message("user", json!([{"text": ""}]))]),
        json!([message("user", json!([{"image": {"format": "png", "source": {"url": "https://x/y.png"}}}]))]),
        json!([image("https://x/y.png")]),
    ] {
        assert!(ask(broken.clone()).is_some(), "{broken}");
    }
}

#[test]
fn cohere_and_ollama_refuse_what_they_cannot_read() {
    let tool = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
    assert!(small::cohere(&json!({"messages": [tool]})).is_some());
    assert_eq!(
        small::cohere(&json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}, tool]})),
        None
    );
    assert!(small::cohere(&json!({"tool_choice": "auto"})).is_some());
    let call = |arguments: Value| json!({"messages": [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]});
    assert_eq!(small::ollama(&call(json!({"a": 1}))), None);
    assert!(small::ollama(&call(json!("{}"))).is_some());
    assert!(small::ollama(&json!({"messages": [{"content": "a", "images": ["https://x/y.png"]}]})).is_some());
}
