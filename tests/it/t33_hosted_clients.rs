//! T33 the other way round: clients that speak to Claude as Bedrock and Vertex have it, through SDKs of
//! those clouds, to every kind of provider. The framing is taken apart by hand.

use crate::harness::{Answer, Config, Gateway, KEY, Request, Sim, Wire, lanes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate::sim::{Behaviour, Scenario, ScriptedReply};
use tidegate::types::Protocol;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn config(sim: &Sim) -> Config {
    let addr = sim.addr();
    lanes::config(sim)
        .table("providers.aws")
        .set("kind = \"bedrock\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("api_key = \"env:BEDROCK\"")
        .env("BEDROCK", "sim-bedrock-key")
        .table("providers.google")
        .set("kind = \"vertex\"")
        .set(&format!("base_url = \"http://{addr}\""))
        .set("project = \"p\"")
        .set(&format!("google = {{ metadata = true, endpoint = \"http://{addr}\" }}"))
        .model("at-aws", &[&format!("aws={CLAUDE}")])
        .model("at-google", &["google=claude-sonnet-4-5@20250929"])
        .model("gemini-at-google", &["google=gemini-3-pro-preview"])
}

fn gateway(sim: &Sim) -> Gateway {
    sim.set_scenario(Scenario::all(Behaviour { strict: true, ..Behaviour::default() }));
    Gateway::start(config(sim))
}

/// How boto3 asks.
fn invoke(model: &str, is_stream: bool, more: &Value) -> Request {
    let mut body = json!({
        "anthropic_version": "bedrock-2023-05-31", "max_tokens": 16,
        "messages": [{"role": "user", "content": "Say something."}],
    });
    merge(&mut body, more);
    let action = if is_stream { "invoke-with-response-stream" } else { "invoke" };
    let path = format!("/model/{}/{action}", model.replace(':', "%3A"));
    Request::post(&path, body.to_string()).header("accept", "application/json")
}

/// How Anthropic's SDK for Vertex asks.
fn raw_predict(model: &str, is_stream: bool, more: &Value) -> Request {
    let mut body = json!({
        "anthropic_version": "vertex-2023-10-16", "max_tokens": 16,
        "messages": [{"role": "user", "content": "Say something."}],
    });
    if is_stream {
        body["stream"] = json!(true);
    }
    merge(&mut body, more);
    let verb = if is_stream { "streamRawPredict" } else { "rawPredict" };
    let place = "/v1/projects/mine/locations/us-east5/publishers/anthropic";
    Request::post(&format!("{place}/models/{model}:{verb}"), body.to_string())
}

fn merge(body: &mut Value, more: &Value) {
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
}

/// Headers and payload.
type Message = (Vec<(String, String)>, Vec<u8>);

/// Messages of Amazon's framing: lengths and nothing else believed.
fn messages(bytes: &[u8]) -> Vec<Message> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut all) = (0, Vec::new());
    while at < bytes.len() {
        let (total, head) = (number(at), number(at + 4));
        let mut headers = Vec::new();
        let mut place = at + 12;
        while place < at + 12 + head {
            let name_length = bytes[place] as usize;
            let name = String::from_utf8(bytes[place + 1..place + 1 + name_length].to_vec()).unwrap();
            place += 1 + name_length;
            assert_eq!(bytes[place], 7, "a string");
            let length = u16::from_be_bytes(bytes[place + 1..place + 3].try_into().unwrap()) as usize;
            let value = String::from_utf8(bytes[place + 3..place + 3 + length].to_vec()).unwrap();
            place += 3 + length;
            headers.push((name, value));
        }
        all.push((headers, bytes[at + 12 + head..at + total - 4].to_vec()));
        at += total;
    }
    all
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> &'h str {
    headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}

/// The events inside the chunks of a stream.
fn events(answer: &mut Answer) -> Vec<Value> {
    assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let body = answer.body();
    let event = |(headers, payload): &Message| {
        assert_eq!((header(headers, ":message-type"), header(headers, ":event-type")), ("event", "chunk"));
        let payload: Value = serde_json::from_slice(payload).unwrap();
        serde_json::from_slice(&STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap()).unwrap()
    };
    messages(&body).iter().map(event).collect()
}

fn said(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

const TARGETS: [&str; 8] = [
    "at-aws",
    "at-google",
    "to-messages",
    "to-chat",
    "to-responses",
    "to-gemini",
    "to-converse",
    "to-cohere",
];

#[test]
fn t33_clients_of_bedrocks_invoke_reach_every_provider() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    for target in TARGETS {
        let mut answer = gateway.send(&invoke(target, false, &json!({})));
        let body = answer.json();
        assert_eq!((answer.status, &body["type"]), (200, &json!("message")), "{target}: {body}");
        let text = body["content"][0]["text"].as_str().unwrap().to_owned();
        let mut answer = gateway.send(&invoke(target, true, &json!({})));
        assert_eq!(answer.status, 200, "{target}");
        let events = events(&mut answer);
        assert_eq!(said(&events), text, "{target}");
        assert_eq!(events.first().unwrap()["type"], "message_start", "{target}");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "message_stop", "{target}");
        let counted = &last["amazon-bedrock-invocationMetrics"];
        assert_eq!(counted["outputTokenCount"], 16, "{target}: {last}");
        let line = gateway.log_of(&answer);
        assert_eq!((&line["endpoint"], &line["output_tokens"]), (&json!("messages"), &json!(16)), "{target}");
        assert_eq!(counted["inputTokenCount"], line["input_tokens"], "{target}: {last}");
    }
}

#[test]
fn t33_clients_of_vertex_reach_every_provider() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    for target in TARGETS {
        let mut answer = gateway.send(&raw_predict(target, false, &json!({})));
        let body = answer.json();
        assert_eq!((answer.status, &body["type"]), (200, &json!("message")), "{target}: {body}");
        let mut answer = gateway.send(&raw_predict(target, true, &json!({})));
        let events = answer.events();
        assert_eq!(events.last().unwrap().name, "message_stop", "{target}");
        let text: String = events.iter().map(|event| Wire::Messages.text_of(event)).collect();
        assert_eq!(text, body["content"][0]["text"], "{target}");
    }
    let place = "/v1/projects/mine/locations/us-east5/publishers/google/models";
    let ask = lanes::body(Protocol::Generate, "Say something.").to_string();
    for target in ["gemini-at-google", "to-gemini", "to-chat", "at-aws"] {
        let mut answer =
            gateway.send(&Request::post(&format!("{place}/{target}:generateContent"), ask.clone()));
        lanes::read(Protocol::Generate, &mut answer, false, target);
        let path = format!("{place}/{target}:streamGenerateContent?alt=sse");
        let mut answer = gateway.send(&Request::post(&path, ask.clone()));
        lanes::read(Protocol::Generate, &mut answer, true, target);
        let mut answer = gateway.send(&Request::post(&format!("{place}/{target}:countTokens"), ask.clone()));
        let counted = answer.json();
        assert!(answer.status == 200 && counted["totalTokens"].is_u64(), "{target}: {counted}");
    }
    assert_eq!(
        gateway.send(&Request::post(&format!("{place}/gemini-at-google:generateContent"), ask)).status,
        200
    );
    let sent = sim.last_request().target;
    assert_eq!(
        sent,
        "/v1/projects/p/locations/global/publishers/google/models/gemini-3-pro-preview:generateContent"
    );
}

#[test]
fn t33_the_dress_is_changed_for_the_targets_and_betas_go_along() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let betas = json!({"anthropic_beta": ["interleaved-thinking-2025-05-14"]});
    for (target, path) in [
        ("at-aws", "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"),
        (
            "at-google",
            "/v1/projects/p/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        ),
        ("to-messages", "/v1/messages"),
    ] {
        assert_eq!(gateway.send(&invoke(target, false, &betas)).status, 200, "{target}");
        let sent = sim.last_request();
        assert_eq!(sent.target, path);
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let in_body = body["anthropic_beta"][0].as_str();
        let told = in_body.or(sent.header("anthropic-beta"));
        assert_eq!(told, Some("interleaved-thinking-2025-05-14"), "{target}");
        assert_eq!(body.get("model").is_some(), target == "to-messages", "{target}");
        let version = body["anthropic_version"].as_str().or(sent.header("anthropic-version")).unwrap();
        assert_eq!(version.starts_with("bedrock"), target == "at-aws", "{target}");
    }
    // A guardrail is Bedrock's alone: no other target hears of it, and the client hears that.
    let guarded =
        |target: &str| invoke(target, false, &json!({})).header("x-amzn-bedrock-guardrailidentifier", "g-1");
    assert_eq!(gateway.send(&guarded("at-aws")).header("x-tidegate-dropped"), None);
    assert_eq!(sim.last_request().header("x-amzn-bedrock-guardrailidentifier"), Some("g-1"));
    for target in ["to-messages", "to-chat"] {
        let answer = gateway.send(&guarded(target));
        assert_eq!(
            answer.header("x-tidegate-dropped"),
            Some("x-amzn-bedrock-guardrailidentifier"),
            "{target}"
        );
    }
    // Vertex counts with the model in the body.
    let count = json!({
        "anthropic_version": "vertex-2023-10-16", "model": "to-chat",
        "messages": [{"role": "user", "content": "Say something."}],
    });
    let place = "/v1/projects/mine/locations/us-east5/publishers/anthropic/models/count-tokens:rawPredict";
    let mut answer = gateway.send(&Request::post(place, count.to_string()));
    let counted = answer.json();
    assert!(answer.status == 200 && counted["input_tokens"].is_u64(), "{counted}");
}

#[test]
fn t33_failures_are_told_as_the_clients_cloud_tells_them() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    // Whole: the kind stands in a header, whoever refused.
    sim.fault("status:400");
    for target in ["at-aws", "to-messages", "to-chat"] {
        let mut answer = gateway.send(&invoke(target, false, &json!({})));
        let body = answer.json();
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.header("x-amzn-errortype"), Some("ValidationException"), "{target}");
        assert!(body["message"].is_string() && body.get("error").is_none(), "{target}: {body}");
    }
    let mut answer = gateway.send(&invoke("to-chat", true, &json!({})).key("wrong"));
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (401, Some("AccessDeniedException")));
    assert!(answer.json()["message"].is_string());
    // In a stream: an exception, and no sign of success.
    sim.fault("error-after:3");
    for target in ["at-aws", "to-messages", "to-chat"] {
        let mut answer = gateway.send(&invoke(target, true, &json!({})));
        assert_eq!(answer.status, 200, "{target}");
        let all = messages(&answer.body());
        let (headers, payload) = all.last().unwrap();
        assert_eq!(header(headers, ":message-type"), "exception", "{target}");
        assert!(header(headers, ":exception-type").ends_with("Exception"), "{target}: {headers:?}");
        let told: Value = serde_json::from_slice(payload).unwrap();
        assert!(told["message"].is_string(), "{target}: {told}");
        assert!(!all.iter().any(|(_, p)| {
            let chunk: Value = serde_json::from_slice(p).unwrap();
            let event = chunk["bytes"].as_str().map(|b| STANDARD.decode(b).unwrap()).unwrap_or_default();
            event.windows(12).any(|window| window == b"message_stop")
        }));
    }
    // Vertex's clients read Anthropic's errors.
    sim.fault("status:400");
    let mut answer = gateway.send(&raw_predict("to-chat", false, &json!({})));
    let body = answer.json();
    assert!(answer.status == 400 && Wire::Messages.is_error_body(&body), "{body}");
    // What is no body of Anthropic's is nothing that could be streamed.
    let mut answer =
        gateway.send(&Request::post("/model/at-aws/invoke-with-response-stream", r#"{"inputText":"a"}"#));
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("anthropic_version"));
}

#[test]
fn t33_silence_before_a_wrapped_stream_commits_nothing() {
    let sim = Sim::start();
    sim.behave(Behaviour { delay_first_ms: Some(300), ..Behaviour::default() });
    let gateway = Gateway::start(config(&sim).table("server").set("stream_keepalive = \"40ms\""));
    let mut answer = gateway.send(&invoke("to-messages", true, &json!({})));
    assert_eq!(events(&mut answer).first().unwrap()["type"], "message_start");
    sim.behave(Behaviour {
        delay_first_ms: Some(300),
        fault: "status:500".parse().unwrap(),
        ..Behaviour::default()
    });
    assert_eq!(gateway.send(&invoke("to-messages", true, &json!({}))).status, 500);
}

#[test]
fn t33_a_key_that_may_not_generate_may_not_by_invoke_either() {
    let sim = Sim::start();
    let made = json!({"embedding": [1.0], "inputTextTokenCount": 1});
    let gateway = Gateway::start(config(&sim).key("test", KEY).set("models = [\"to-converse\"]"));
    let mut answer = gateway.send(&invoke("to-chat", false, &json!({})));
    let told = answer.json();
    assert_eq!(answer.status, 403, "{told}");
    assert_eq!(sim.calls(), 0);
    sim.answer_next(ScriptedReply::json(200, made.to_string()));
    let answer = gateway.send(&Request::post("/model/to-converse/invoke", r#"{"inputText":"a"}"#));
    assert_eq!((answer.status, gateway.log_of(&answer)["endpoint"].clone()), (200, json!("invoke")));
}
