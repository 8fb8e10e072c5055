//! T40, T41: thinking, its proofs and calls' signatures come back to their vendor through a client of any
//! protocol, in order and unchanged, on any replica; thinking is never shown as text.

use crate::harness::{Config, Gateway, Sim, echo, lanes};
use serde_json::{Value, json};
use tidegate::sim::{Behaviour, ScriptedReply};
use tidegate::types::Protocol;

const SECRET: &str = "I must not be seen as text";

/// Thinking, hidden thinking, a signature alone, and thinking between calls.
fn claudes() -> Value {
    json!([
        {"type": "thinking", "thinking": format!("{SECRET} 世界"), "signature": "EqoBCkgIARABGAIiQL+/c2ln=="},
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {"city": "Köln"}},
        {"type": "thinking", "thinking": "", "signature": "c2lnbmF0dXJlLW9ubHk="},
        {"type": "tool_use", "id": "toolu_02", "name": "get_weather", "input": {"city": "Paris"}},
    ])
}

fn claude_answer() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": claudes(),
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 9, "output_tokens": 9},
    })
}

/// The blocks of the assistant's last turn as they went up, cache hints aside.
fn sent_back(sim: &Sim) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
    let turns = body["messages"].as_array().unwrap();
    let last = turns.iter().rfind(|turn| turn["role"] == "assistant").unwrap();
    last["content"].as_array().unwrap().clone()
}

fn is_thinking(block: &Value) -> bool {
    matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"))
}

/// Protocols with one place each for thinking, text and calls.
fn has_one_order(client: Protocol) -> bool {
    matches!(client, Protocol::Chat | Protocol::Cohere | Protocol::Ollama)
}

#[test]
fn t40_claudes_thinking_comes_back_to_it_as_it_was_through_clients_of_every_protocol() {
    let (sim, gateway) = lanes::scripted();
    let model = lanes::model(Protocol::Messages);
    for client in Protocol::ALL.into_iter().filter(|client| *client != Protocol::Messages) {
        let what = format!("{client:?}");
        let ask = echo::with_tool(client, lanes::body(client, "Weather?"), "get_weather");
        sim.answer_next(ScriptedReply::json(200, claude_answer().to_string()));
        let mut first = gateway.send(&lanes::call(client, &model, false, &ask));
        let told = first.json();
        let read = crate::walk::whole(client, &told);
        assert_eq!(read.choices[0].text, "Let me see.", "{what}: {told}");
        let next = echo::next_turn(client, &ask, &told, "sunny");
        let second = gateway.send(&lanes::call(client, &model, false, &next));
        assert_eq!(second.status, 200, "{what}: {next}");
        let back = sent_back(&sim);
        let thinking =
            |blocks: &[Value]| -> Vec<Value> { blocks.iter().filter(|b| is_thinking(b)).cloned().collect() };
        let claudes = claudes().as_array().unwrap().clone();
        if client == Protocol::Ollama {
            // Declared: its messages have no slot for a proof, and Claude takes no thinking without.
            assert_eq!(thinking(&back), [Value::Null; 0], "{what}");
        } else if has_one_order(client) {
            assert_eq!(thinking(&back), thinking(&claudes), "{what}");
        } else {
            assert_eq!(back, claudes, "{what}");
        }
        let calls: Vec<&Value> = back.iter().filter(|block| block["type"] == "tool_use").collect();
        assert_eq!(calls.len(), 2, "{what}: {back:?}");
        assert_eq!(
            (&calls[0]["id"], &calls[1]["input"]["city"]),
            (&json!("toolu_01"), &json!("Paris")),
            "{what}"
        );
    }
}

#[test]
fn t40_a_messages_client_sends_claudes_thinking_back_byte_for_byte() {
    let (sim, gateway) = lanes::scripted();
    let model = lanes::model(Protocol::Messages);
    let ask = echo::with_tool(Protocol::Messages, lanes::body(Protocol::Messages, "Weather?"), "get_weather");
    let next = echo::next_turn(Protocol::Messages, &ask, &claude_answer(), "sunny");
    let request = lanes::call(Protocol::Messages, &model, false, &next);
    let sent = String::from_utf8(request.body.clone()).unwrap();
    assert_eq!(gateway.send(&request).status, 200);
    let came = String::from_utf8(sim.last_request().body).unwrap();
    let renamed =
        sent.replace(&format!("\"{model}\""), &format!("\"{}\"", lanes::upstream_model(Protocol::Messages)));
    assert_eq!(came, renamed);
}

#[test]
fn t40_thinking_is_never_shown_as_text_in_a_stream() {
    let (sim, gateway) = lanes::scripted();
    for upstream in
        [Protocol::Messages, Protocol::Generate, Protocol::Converse, Protocol::Responses, Protocol::Chat]
    {
        let made = crate::made::Made {
            name: "thinking",
            pieces: vec![crate::made::Piece::Think(SECRET), crate::made::Piece::Text("Fine.")],
            stop: crate::made::end_word(upstream, false),
            usage: crate::facts::Counts { input: 2, output: 9, ..Default::default() },
        };
        for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
            let frames = crate::made::stream(upstream, &made, crate::made::Manner::PLAIN);
            sim.answer_next(lanes::reply(upstream, &frames));
            let body = lanes::body(client, "Hello");
            let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), true, &body));
            let what = format!("{upstream:?} to {client:?}");
            let told = lanes::read(client, &mut answer, true, &what);
            assert_eq!(
                (told.choices[0].text.as_str(), told.choices[0].thinking.as_str()),
                ("Fine.", SECRET),
                "{what}"
            );
        }
    }
}

/// Two replicas before one simulator that demands what the vendor demands.
fn replicas(sim: &Sim) -> [Gateway; 2] {
    let config = || -> Config {
        let config = lanes::config(sim);
        config.model("to-deepseek", &["chat=deepseek-reasoner"])
    };
    [Gateway::start(config()), Gateway::start(config())]
}

fn loops(
    client: Protocol,
    model: &str,
    sim: &Sim,
    [one, other]: &[Gateway; 2],
    first: Option<ScriptedReply>,
) {
    let what = format!("{client:?} to {model}");
    let ask = echo::with_tool(client, lanes::body(client, "What is the weather?"), "get_weather");
    first.into_iter().for_each(|reply| sim.answer_next(reply));
    let mut answer = one.send(&lanes::call(client, model, false, &ask));
    let told = answer.json();
    assert_eq!(answer.status, 200, "{what}: {told}");
    let calls = crate::walk::whole(client, &told).choices[0].calls.len();
    assert!(calls > 0, "{what}: {told}");
    let next = echo::next_turn(client, &ask, &told, "sunny");
    let mut answer = other.send(&lanes::call(client, model, true, &next));
    let bytes = answer.body();
    assert_eq!(answer.status, 200, "{what}: {}\n{next}", String::from_utf8_lossy(&bytes));
    let frames = crate::walk::cut(client, &bytes);
    assert!(!crate::walk::stream(client, &frames).choices[0].text.is_empty(), "{what}");
}

fn strict_sim() -> Sim {
    let sim = Sim::start();
    sim.behave(Behaviour { strict: true, ..Behaviour::default() });
    sim
}

#[test]
fn t41_gemini_gets_its_signatures_back_through_every_client_on_another_replica() {
    let sim = strict_sim();
    let gateways = replicas(&sim);
    for client in Protocol::ALL {
        loops(client, "to-gemini", &sim, &gateways, None);
    }
}

#[test]
fn t41_parallel_calls_of_gemini_keep_the_signature_of_the_first() {
    let sim = strict_sim();
    let gateways = replicas(&sim);
    let signed = "c2ltLXRob3VnaHQtc2lnbmF0dXJl";
    let part = |city: &str, signature: Option<&str>| {
        let mut part = json!({"functionCall": {"name": "get_weather", "args": {"city": city}}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = json!(signature);
        }
        part
    };
    let parts = json!([{"text": "hm", "thought": true}, part("Köln", Some(signed)), part("Paris", None), part("Rom", None)]);
    let candidate = json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0});
    let body = json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r"});
    for client in Protocol::ALL {
        let reply = ScriptedReply::json(200, body.to_string());
        loops(client, "to-gemini", &sim, &gateways, Some(reply));
        let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
        let turn = sent["contents"].as_array().unwrap().iter().find(|turn| turn["role"] == "model").unwrap();
        let calls: Vec<(&Value, &Value)> = turn["parts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|part| part["functionCall"].is_object())
            .map(|part| (&part["functionCall"]["args"]["city"], &part["thoughtSignature"]))
            .collect();
        let expected = [
            (&json!("Köln"), &json!(signed)),
            (&json!("Paris"), &Value::Null),
            (&json!("Rom"), &Value::Null),
        ];
        assert_eq!(calls, expected, "{client:?}");
    }
}

#[test]
fn t41_deepseek_gets_its_reasoning_back_through_every_client_on_another_replica() {
    let sim = strict_sim();
    let gateways = replicas(&sim);
    for client in Protocol::ALL {
        loops(client, "to-deepseek", &sim, &gateways, None);
    }
}
