//! T34 for clients of Bedrock, Cohere and Ollama: their prompts are counted, so that limits hold for
//! them; their errors are their own vendor's; silent streams are kept alive where their form allows it.

use crate::harness::{Config, Gateway, KEY, Request, Sim, Wire};
use serde_json::{Value, json};
use tidegate::sim::Behaviour;

const WORDS: &str = "The quick brown fox jumps over the lazy dog and goes home before it rains again today.";

/// A call of each dialect with this text.
fn calls(text: &str, is_stream: bool) -> Vec<(&'static str, Request)> {
    let turns = json!([{"role": "user", "content": text}]);
    let converse = json!({"messages": [{"role": "user", "content": [{"text": text}]}]}).to_string();
    let named = json!({"model": "m", "messages": turns, "stream": is_stream}).to_string();
    let action = if is_stream { "converse-stream" } else { "converse" };
    vec![
        ("bedrock", Request::post(&format!("/model/m/{action}"), converse)),
        ("cohere", Request::post("/v2/chat", named.clone())),
        ("ollama", Request::post("/api/chat", named)),
    ]
}

fn config(sim: &Sim) -> Config {
    Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a=gpt-4o"])
}

#[test]
fn t34_prompts_of_every_dialect_are_counted_and_alike() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim));
    let exact = |request: Request| {
        let answer = gateway.send(&request.header("x-tidegate-count", "exact"));
        assert_eq!(answer.status, 200);
        answer.header("x-tidegate-input-tokens").map(|count| count.parse::<u64>().unwrap())
    };
    let body = json!({"model": "m", "messages": [{"role": "user", "content": WORDS}]});
    let expected = exact(Request::post("/v1/chat/completions", body.to_string()));
    assert!(expected.is_some_and(|count| count > 15), "{expected:?}");
    for (dialect, request) in calls(WORDS, false) {
        assert_eq!(exact(request), expected, "{dialect}");
    }
    let converse = json!({"messages": [{"role": "user", "content": [{"text": WORDS}]}]});
    let request =
        Request::post("/model/m/count-tokens", json!({"input": {"converse": converse}}).to_string());
    let mut answer = gateway.send(&request);
    assert_eq!(answer.json(), json!({"inputTokens": expected}));
}

#[test]
fn t34_a_limit_of_tokens_holds_for_every_dialect() {
    let sim = Sim::start();
    let limited = config(&sim).key("test", KEY).set("limits = { tokens_per_minute = 60 }");
    for (index, dialect) in ["bedrock", "cohere", "ollama"].into_iter().enumerate() {
        let gateway = Gateway::start(limited.clone());
        let send = |text: &str| gateway.send(&calls(text, false).remove(index).1);
        assert_eq!(send("Hi.").status, 200, "{dialect}");
        let mut refused = send(&WORDS.repeat(20));
        assert_eq!(refused.status, 429, "{dialect}");
        assert_eq!(refused.header("x-tidegate-reason"), Some("token_limit_exceeded"), "{dialect}");
        let is_throttled = refused.header("x-amzn-errortype") == Some("ThrottlingException");
        assert_eq!(is_throttled, dialect == "bedrock", "{dialect}");
        assert!(has_message(dialect, &refused.json()), "{dialect}");
    }
    assert_eq!(sim.calls(), 3);
}

/// Whether the body is an error as this vendor writes it.
fn has_message(dialect: &str, body: &Value) -> bool {
    match dialect {
        "ollama" => body["error"].is_string(),
        _ => body["message"].is_string() && body.get("error").is_none(),
    }
}

#[test]
fn t34_what_another_vendor_refuses_is_told_in_the_clients_dialect() {
    let sim = Sim::with_fault("status:400");
    let gateway = Gateway::start(config(&sim));
    for (dialect, request) in calls("Hi.", false) {
        let mut answer = gateway.send(&request);
        let body = answer.json();
        assert_eq!(answer.status, 400, "{dialect}");
        assert!(has_message(dialect, &body), "{dialect}: {body}");
        let kind = answer.header("x-amzn-errortype");
        assert_eq!(kind, (dialect == "bedrock").then_some("ValidationException"), "{dialect}");
    }
    let mut unknown = gateway.send(&calls("Hi.", false).remove(0).1.key("sk-wrong-key"));
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.header("x-amzn-errortype"), Some("AccessDeniedException"));
    assert!(has_message("bedrock", &unknown.json()));
}

#[test]
fn t34_silence_is_filled_where_the_form_allows_it() {
    let sim = Sim::start();
    sim.behave(Behaviour { delay_first_ms: Some(300), ..Behaviour::default() });
    let gateway = Gateway::start(config(&sim).table("server").set("stream_keepalive = \"40ms\""));
    for (dialect, request) in calls("Hi.", true) {
        let mut answer = gateway.send(&request);
        assert_eq!(answer.status, 200, "{dialect}");
        let body = answer.body();
        let starts = |sign: &[u8]| body.starts_with(sign);
        match dialect {
            "cohere" => assert!(starts(b": keepalive\n\n"), "{dialect}"),
            "ollama" => assert!(starts(b"\n"), "{dialect}"),
            // A message of its own: total length first.
            _ => assert!(starts(&[0, 0]), "{dialect}"),
        }
    }
    // Nothing was promised to a Bedrock client meanwhile: a failure keeps its status.
    sim.behave(Behaviour {
        delay_first_ms: Some(300),
        fault: "status:500".parse().unwrap(),
        ..Behaviour::default()
    });
    assert_eq!(gateway.send(&calls("Hi.", true).remove(0).1).status, 500);
}
