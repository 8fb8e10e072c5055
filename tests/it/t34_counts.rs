//! T34: every client dialect that has a way to ask for the tokens of a prompt is answered, whoever
//! serves the model, and charged nothing.

use crate::harness::{Config, Gateway, KEY, Request, Sim, lanes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;
use tidegate::types::Protocol;

const WORDS: &str = "The quick brown fox jumps over the lazy dog and goes home before it rains again today.";

fn post(path: &str, body: &Value) -> Request {
    Request::post(path, body.to_string()).header("anthropic-version", "2023-06-01")
}

/// A tool with a description as long as the prompt.
fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string", "description": WORDS}}})
}

/// The same prompt and tool as each dialect asks for their tokens, and where the answer tells them.
fn asks(model: &str) -> Vec<(&'static str, Request, &'static str)> {
    let turns = json!([{"role": "user", "content": WORDS}]);
    let messages =
        json!({"messages": turns, "tools": [{"name": "f", "description": WORDS, "input_schema": schema()}]});
    let named = |mut body: Value| {
        body["model"] = json!(model);
        body
    };
    let converse = json!({
        "messages": [{"role": "user", "content": [{"text": WORDS}]}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": WORDS, "inputSchema": {"json": schema()}}}]},
    });
    let mut invoked = messages.clone();
    invoked["anthropic_version"] = json!("bedrock-2023-05-31");
    invoked["max_tokens"] = json!(1);
    let gemini = json!({
        "contents": [{"role": "user", "parts": [{"text": WORDS}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": WORDS, "parameters": schema()}]}],
    });
    let bedrock = format!("/model/{model}/count-tokens");
    let vertex = "/v1/projects/p/locations/l/publishers";
    let mut dressed = named(messages.clone());
    dressed["anthropic_version"] = json!("vertex-2023-10-16");
    let wrapped = json!({"input": {"invokeModel": {"body": STANDARD.encode(invoked.to_string())}}});
    vec![
        ("messages", post("/v1/messages/count_tokens", &named(messages)), "/input_tokens"),
        (
            "messages at vertex",
            post(&format!("{vertex}/anthropic/models/count-tokens:rawPredict"), &dressed),
            "/input_tokens",
        ),
        ("gemini", post(&format!("/v1beta/models/{model}:countTokens"), &gemini), "/totalTokens"),
        (
            "gemini at vertex",
            post(&format!("{vertex}/google/models/{model}:countTokens"), &gemini),
            "/totalTokens",
        ),
        ("converse", post(&bedrock, &json!({"input": {"converse": converse}})), "/inputTokens"),
        ("invoke", post(&bedrock, &wrapped), "/inputTokens"),
        (
            "responses",
            post(
                "/v1/responses/input_tokens",
                &named(json!({
                    "input": WORDS,
                    "tools": [{"type": "function", "name": "f", "description": WORDS, "parameters": schema()}],
                })),
            ),
            "/input_tokens",
        ),
    ]
}

#[test]
fn t34_every_dialect_counts_for_every_provider_and_tools_are_no_zero() {
    let sim = Sim::start();
    let gateway = Gateway::start(lanes::config(&sim));
    for upstream in Protocol::ALL {
        let model = lanes::model(upstream);
        let mut counts = Vec::new();
        for (dialect, request, place) in asks(&model) {
            let mut answer = gateway.send(&request);
            let body = answer.json();
            let counted = body.pointer(place).and_then(Value::as_u64);
            assert!(answer.status == 200 && counted.is_some(), "{dialect} to {upstream:?}: {body}");
            // Three times the words, and what the tool's frame is.
            let bare = 18;
            assert!(counted.unwrap() > 3 * bare, "{dialect} to {upstream:?}: {body}");
            counts.push((dialect, counted.unwrap()));
            assert_eq!(gateway.log_of(&answer)["cost_usd"], Value::Null, "{dialect}");
        }
        let (least, most) = counts.iter().fold((u64::MAX, 0), |(a, b), (_, n)| (a.min(*n), b.max(*n)));
        println!("{upstream:?}: {counts:?}");
        // One prompt is one prompt: frames differ, words do not.
        assert!(most - least <= least / 4, "{upstream:?}: {counts:?}");
    }
    assert_eq!(sim.calls(), 0, "counted here");
}

#[test]
fn t34_responses_are_counted_by_their_own_vendor_where_the_configuration_says_so() {
    let sim = Sim::start();
    let config = lanes::config(&sim).table("providers.responses").set("count_tokens = \"upstream\"");
    let gateway = Gateway::start(config.model("kept", &["chat=gpt-4o"]));
    let ask = |model: &str, more: &Value| {
        let mut body = json!({"model": model, "input": WORDS});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        gateway.send(&post("/v1/responses/input_tokens", &body))
    };
    sim.answer_next(ScriptedReply::json(200, r#"{"object":"response.input_tokens","input_tokens":4711}"#));
    let mut answer = ask("to-responses", &json!({}));
    assert_eq!(answer.json(), json!({"object": "response.input_tokens", "input_tokens": 4711}));
    assert_eq!(sim.last_request().target, "/v1/responses/input_tokens");
    // Others are counted here, and with the history that is kept here.
    let calls = sim.calls();
    let mut alone = ask("kept", &json!({}));
    let alone = alone.json();
    assert_eq!(alone["object"], "response.input_tokens");
    assert_eq!(sim.calls(), calls);
    let ask_first = lanes::body(Protocol::Responses, &WORDS.repeat(9));
    let mut first = gateway.send(&lanes::call(Protocol::Responses, "kept", false, &ask_first));
    let id = first.json()["id"].clone();
    let mut after = ask("kept", &json!({"previous_response_id": id}));
    let after = after.json();
    let (alone, after) = (alone["input_tokens"].as_u64().unwrap(), after["input_tokens"].as_u64().unwrap());
    assert!(after > 6 * alone, "{after} with the history, {alone} without");
}

#[test]
fn t34_coheres_tokens_come_from_cohere_only() {
    let sim = Sim::start();
    let gateway = Gateway::start(lanes::config(&sim));
    let ask = |model: &str| gateway.send(&post("/v1/tokenize", &json!({"model": model, "text": "a b"})));
    let told = r#"{"tokens":[8466,5169],"token_strings":["a"," b"],"meta":{"api_version":{"version":"1"}}}"#;
    sim.answer_next(ScriptedReply::json(200, told));
    let mut answer = ask("to-cohere");
    assert_eq!((answer.status, String::from_utf8(answer.body()).unwrap()), (200, told.to_owned()));
    let sent = sim.last_request();
    assert_eq!(sent.target, "/v1/tokenize");
    assert!(String::from_utf8(sent.body).unwrap().contains("command-a-03-2025"));
    let mut refused = ask("to-chat");
    assert_eq!(refused.status, 400);
    assert!(refused.json()["message"].as_str().unwrap().contains("endpoint"));
}

#[test]
fn t34_counting_takes_no_tokens_of_a_limit() {
    let sim = Sim::start();
    let config: Config = lanes::config(&sim).key("test", KEY).set("limits = { tokens_per_minute = 40 }");
    let gateway = Gateway::start(config);
    for (dialect, request, _) in asks("to-chat") {
        assert_eq!(gateway.send(&request).status, 200, "{dialect}");
    }
    let ask = lanes::body(Protocol::Chat, "Hi.");
    assert_eq!(gateway.send(&lanes::call(Protocol::Chat, "to-chat", false, &ask)).status, 200);
}
