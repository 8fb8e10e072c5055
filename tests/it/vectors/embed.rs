//! Embeddings.

use super::clients::Client;
use super::{TARGETS, config, provider};
use crate::harness::{Config, Gateway, Request, Sim};
use serde_json::{Value, json};
use tidegate::sim::{Behaviour, ScriptedReply};

const TEXTS: [&str; 3] = ["alpha", "beta \"quoted\" \u{1f600}", "gamma"];

/// What the simulator makes of a text, asked in the plainest form.
fn known(sim: &Sim, texts: &[&str]) -> Vec<Vec<f32>> {
    let config = Config::new();
    let gateway =
        Gateway::start(provider(config, "plain", "openai-compatible", sim).model("plain", &["plain"]));
    let mut answer = gateway.send(&Client::OpenAi.request("plain", texts));
    Client::OpenAi.vectors(&answer.json())
}

fn is_own(client: Client, target: &str) -> bool {
    matches!(
        (client, target),
        (Client::OpenAi | Client::OpenAiBase64, "to-openai")
            | (Client::GeminiOne | Client::GeminiMany, "to-gemini")
            | (Client::Cohere, "to-cohere")
            | (Client::Ollama | Client::OllamaOne, "to-ollama")
            | (Client::Titan, "to-titan")
            | (Client::BedrockCohere, "to-bedrock")
            | (Client::Predict, "to-vertex")
    )
}

#[test]
fn every_client_gets_the_same_vectors_of_every_provider() {
    let sim = Sim::start();
    let known = known(&sim, &TEXTS);
    let gateway = Gateway::start(config(&sim, &TARGETS));
    let mut pairs = 0;
    for client in Client::ALL {
        for (target, kind, model) in TARGETS {
            // Between Bedrock's two the bytes pass as they are: their models differ, not the provider.
            let is_other_bedrock = kind == "bedrock-compatible"
                && matches!(client, Client::Titan | Client::BedrockCohere)
                && !is_own(client, target);
            // Voyage's fields at OpenAI's path pass as they are to who speaks OpenAI's dialect.
            if is_other_bedrock || (client, target) == (Client::Voyage, "to-openai") {
                continue;
            }
            let texts = if client.is_single() { &TEXTS[1..2] } else { &TEXTS[..] };
            let expected = if client.is_single() { &known[1..2] } else { &known[..] };
            let mut answer = gateway.send(&client.request(target, texts));
            let body = answer.json();
            assert_eq!(answer.status, 200, "{client:?} {target}: {body}");
            assert_eq!(client.vectors(&body), expected, "{client:?} {target}");
            assert_eq!(answer.header("x-tidegate-upstream-model"), Some(model));
            check_usage(&gateway, client, target, &answer, &body);
            pairs += 1;
        }
    }
    println!("{pairs} pairs of client and provider");
}

/// What was used is in the log, in the client's answer where it has a place, and has a price.
fn check_usage(
    gateway: &Gateway,
    client: Client,
    target: &str,
    answer: &crate::harness::Answer,
    body: &Value,
) {
    let line = gateway.log_of(answer);
    let tokens = line["input_tokens"].as_u64().unwrap_or_default();
    assert!(tokens > 0 && line["output_tokens"] == 0, "{client:?} {target}: {line}");
    let counts_nothing = target == "to-gemini" || (client, target) == (Client::OllamaOne, "to-ollama");
    assert_eq!(line["estimated"], counts_nothing, "{client:?} {target}: {line}");
    if !is_own(client, target)
        && let Some(told) = client.tokens(body)
    {
        assert_eq!(told, tokens, "{client:?} {target}");
    }
    // 20 dollars a million tokens.
    let cents = tokens * 2;
    let cost: f64 = answer.header("x-tidegate-cost-usd").unwrap().parse().unwrap();
    assert!((cost * 100_000.0 - cents as f64).abs() < 1e-6, "{client:?} {target}: {cost} of {tokens}");
}

#[test]
fn what_a_provider_has_no_word_for_is_told_or_refused() {
    let sim = Sim::start();
    let targets = [TARGETS[0], TARGETS[2], TARGETS[4]];
    let gateway = Gateway::start(
        config(&sim, &targets).model("strict", &["to-openai-p"]).set("on_unsupported = \"reject\""),
    );
    let answer = gateway.send(&Client::Cohere.request("to-openai", &["a"]));
    assert_eq!((answer.status, answer.header("x-tidegate-dropped")), (200, Some("input_type")));
    let mut answer = gateway.send(&Client::Cohere.request("strict", &["a"]));
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("`input_type`"));
    // The purpose has a word at Gemini; the user has none.
    let body =
        json!({"model": "to-gemini", "input": "a", "dimensions": 8, "input_type": "query", "user": "u"});
    let mut answer = gateway.send(&Request::post("/v1/embeddings", body.to_string()));
    assert_eq!(answer.header("x-tidegate-dropped"), Some("user"));
    assert_eq!(Client::OpenAi.vectors(&answer.json())[0].len(), 8);
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    assert_eq!((&sent["taskType"], &sent["outputDimensionality"]), (&json!("RETRIEVAL_QUERY"), &json!(8)));
    // Numbers of another kind cannot be made here.
    let body = json!({"model": "to-openai", "texts": ["a"], "input_type": "search_query", "embedding_types": ["int8"]});
    let mut answer = gateway.send(&Request::post("/v2/embed", body.to_string()));
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("int8"));
    // Tokens are OpenAI's alone.
    let body = json!({"model": "to-ollama", "input": [[1, 2], [3]]});
    let mut answer = gateway.send(&Request::post("/v1/embeddings", body.to_string()));
    assert_eq!((answer.status, answer.json()["error"]["param"].clone()), (400, json!("input[0]")));
}

#[test]
fn more_inputs_than_a_call_takes_become_several_calls_in_order() {
    let sim = Sim::start();
    let texts: Vec<String> = (0..205).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let known = known(&sim, &texts);
    let gateway = Gateway::start(config(&sim, &TARGETS));
    for (target, count, calls) in
        [("to-gemini", 205, 3), ("to-cohere", 205, 3), ("to-titan", 7, 7), ("to-openai", 205, 1)]
    {
        let before = sim.calls();
        let mut answer = gateway.send(&Client::OpenAi.request(target, &texts[..count]));
        let body = answer.json();
        assert_eq!(answer.status, 200, "{target}: {body}");
        assert_eq!(Client::OpenAi.vectors(&body), known[..count], "{target}");
        assert_eq!(sim.calls() - before, calls, "{target}");
        assert_eq!(body["usage"]["prompt_tokens"], gateway.log_of(&answer)["input_tokens"]);
        assert_eq!(answer.header("x-tidegate-attempts"), Some("1"));
    }
    // The bound, and one above it.
    let before = sim.calls();
    assert_eq!(gateway.send(&Client::OpenAi.request("to-titan", &texts[..64])).status, 200);
    assert_eq!(sim.calls() - before, 64);
    let mut answer = gateway.send(&Client::OpenAi.request("to-titan", &texts[..65]));
    assert_eq!((answer.status, sim.calls() - before), (400, 64));
    let error = answer.json()["error"].clone();
    assert_eq!(error["param"], "input");
    assert!(error["message"].as_str().unwrap().contains("at most 64"), "{error}");
}

#[test]
fn vertex_is_asked_by_predict_as_many_texts_at_once_as_the_model_takes() {
    let sim = Sim::start();
    let texts: Vec<String> = (0..251).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let known = known(&sim, &texts);
    let gateway = Gateway::start(config(
        &sim,
        &[TARGETS[7], ("one", "vertex", "gemini-embedding-001"), ("newer", "vertex", "gemini-embedding-2")],
    ));
    let place = "/v1/projects/p/locations/global/publishers/google/models";
    for (target, count, calls, path) in [
        ("to-vertex", 250, 1, "text-embedding-005:predict"),
        ("to-vertex", 251, 2, "text-embedding-005:predict"),
        ("one", 5, 5, "gemini-embedding-001:predict"),
        ("newer", 3, 3, "gemini-embedding-2:embedContent"),
    ] {
        // The first call of a provider fetches its token.
        assert_eq!(gateway.send(&Client::OpenAi.request(target, &texts[..1])).status, 200, "{target}");
        let before = sim.calls();
        let mut answer = gateway.send(&Client::OpenAi.request(target, &texts[..count]));
        let body = answer.json();
        assert_eq!(answer.status, 200, "{target}: {body}");
        assert_eq!(Client::OpenAi.vectors(&body), known[..count], "{target}");
        assert_eq!(sim.calls() - before, calls, "{target}");
        assert_eq!(sim.last_request().target, format!("{place}/{path}"));
    }
    // A title and a length are carried, and what is no purpose there is told.
    let body =
        json!({"model": "to-vertex", "input": "a", "dimensions": 8, "input_type": "query", "user": "u"});
    let mut answer = gateway.send(&Request::post("/v1/embeddings", body.to_string()));
    assert_eq!(answer.header("x-tidegate-dropped"), Some("user"));
    assert_eq!(Client::OpenAi.vectors(&answer.json())[0].len(), 8);
    let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    assert_eq!(
        sent,
        json!({
            "instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"}],
            "parameters": {"outputDimensionality": 8}
        })
    );
}

#[test]
fn one_failed_call_of_several_fails_the_attempt_and_another_target_gets_all() {
    let (bad, good) = (Sim::start(), Sim::start());
    let texts: Vec<String> = (0..150).map(|number| format!("text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let known = known(&good, &texts);
    let before = good.calls();
    let made = json!({"embeddings": vec![json!({"values": [1.0, 0.0]}); 100]});
    bad.script(vec![
        ScriptedReply::json(200, made.to_string()),
        ScriptedReply::json(503, r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#),
    ]);
    let config = provider(Config::new(), "bad", "gemini-compatible", &bad);
    let config = provider(config, "good", "cohere-compatible", &good);
    let gateway = Gateway::start(config.model("m", &["bad", "good"]));
    let mut answer = gateway.send(&Client::OpenAi.request("m", &texts));
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    assert_eq!(Client::OpenAi.vectors(&body), known);
    assert_eq!(answer.header("x-tidegate-failures"), Some("bad:status_5xx"));
    assert_eq!(good.calls() - before, 2);
}

#[test]
fn answers_that_are_none_are_the_providers_fault() {
    let sim = Sim::start();
    let config = provider(Config::new(), "g", "gemini-compatible", &sim);
    let gateway = Gateway::start(config.model("m", &["g"]).set("failover = { attempts = 1 }"));
    for body in [
        "<html>",
        r#"{"embeddings":[{"values":[1]}]}"#,
        r#"{"embeddings":[{"values":[1]},{"values":["x"]}]}"#,
        r#"{"embeddings":[{"values":[1]},{"values":[2]},{"values":[3]}]}"#,
        r#"{"embeddings":[{"values":[1]},{"values":[1e999]}]"#,
    ] {
        sim.answer_next(ScriptedReply::json(200, body));
        let mut answer = gateway.send(&Client::OpenAiBase64.request("m", &["a", "b"]));
        let told = answer.json();
        let reason = answer.header("x-tidegate-reason");
        assert_eq!((answer.status, reason), (502, Some("upstream_protocol")), "{body}: {told}");
    }
}

#[test]
fn a_provider_of_no_embeddings_is_no_target_for_them() {
    let sim = Sim::start();
    sim.behave(Behaviour { strict: true, ..Behaviour::default() });
    let config = provider(Config::new(), "a", "anthropic-compatible", &sim);
    let config = provider(config, "b", "bedrock-compatible", &sim);
    let config = provider(config, "v", "voyage-compatible", &sim);
    let gateway = Gateway::start(
        config.model("claude", &["a"]).model("br", &["b=us.anthropic.claude-x"]).model("v", &["v"]),
    );
    let ask = |model: &str| gateway.send(&Client::OpenAi.request(model, &["a"]));
    let mut answer = ask("claude");
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("has this endpoint"));
    let mut answer = ask("br");
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("no embedding model"));
    let chat = json!({"model": "v", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(gateway.send(&Request::post("/v1/chat/completions", chat.to_string())).status, 400);
    let mut answer = gateway.send(&Request::post("/model/v/invoke", r#"{"messages":[]}"#));
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("converse"));
    assert_eq!(sim.calls(), 0);
}

#[test]
fn a_long_list_of_texts_is_translated_as_a_short_one_is() {
    let sim = Sim::start();
    let long = "words ".repeat(70_000);
    let known = known(&sim, &[&long]);
    let gateway = Gateway::start(config(&sim, &TARGETS[3..4]));
    let mut answer = gateway.send(&Client::OpenAi.request("to-cohere", &[&long]));
    assert_eq!(Client::OpenAi.vectors(&answer.json()), known);
}
