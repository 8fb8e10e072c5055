//! T6, answers in the other form than was asked for: a whole one where a stream was asked for, events
//! where a whole answer was. The client gets what it asked for, in its own protocol.

use crate::facts;
use crate::harness::{Config, Gateway, Request, Sim, lanes};
use serde_json::{Value, json};
use tidegate::sim::{ScriptFraming, ScriptedReply};
use tidegate::types::Protocol;

/// What `protocol`'s simulator answers, as it comes: type and bytes.
fn answered(gateway: &Gateway, protocol: Protocol, is_stream: bool) -> (String, Vec<u8>) {
    let ask = lanes::body(protocol, "Say something.");
    let mut answer = gateway.send(&lanes::call(protocol, &lanes::model(protocol), is_stream, &ask));
    assert_eq!(answer.status, 200, "{protocol:?}");
    let kind = answer.header("content-type").unwrap().to_owned();
    (kind, answer.body())
}

fn reply((kind, body): &(String, Vec<u8>)) -> ScriptedReply {
    ScriptedReply {
        headers: vec![("content-type".to_owned(), kind.clone())],
        body: body.clone(),
        framing: ScriptFraming::Chunked,
        ..ScriptedReply::default()
    }
}

fn check(read: &facts::Answer, what: &str) {
    assert_eq!(read.choices.len(), 1, "{what}");
    assert!(!read.choices[0].text.is_empty(), "{what}");
    assert!(read.usage.is_some_and(|usage| usage.output >= 16), "{what}: {read:?}");
}

#[test]
fn t06_a_whole_answer_becomes_the_stream_that_was_asked_for() {
    let (sim, gateway) = lanes::scripted();
    for upstream in Protocol::ALL {
        let whole = answered(&gateway, upstream, false);
        for client in Protocol::ALL {
            let what = format!("{client:?} of {upstream:?}");
            sim.answer_next(reply(&whole));
            let ask = lanes::body(client, "Say something.");
            let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), true, &ask));
            let streamed = lanes::read(client, &mut answer, true, &what);
            check(&streamed, &what);
            sim.answer_next(reply(&whole));
            let mut plain = gateway.send(&lanes::call(client, &lanes::model(upstream), false, &ask));
            let plain = lanes::read(client, &mut plain, false, &what);
            assert_eq!(streamed.choices[0].text, plain.choices[0].text, "{what}");
            assert_eq!(streamed.choices[0].stop, plain.choices[0].stop, "{what}");
            let line = gateway.log_of(&answer);
            let output = streamed.usage.map(|usage| usage.output);
            assert_eq!((&line["stream"], &line["output_tokens"]), (&json!(true), &json!(output)), "{what}");
        }
    }
}

#[test]
fn t06_events_that_nobody_asked_for_are_gathered() {
    let (sim, gateway) = lanes::scripted();
    for upstream in Protocol::ALL {
        let events = answered(&gateway, upstream, true);
        for client in Protocol::ALL {
            let what = format!("{client:?} of {upstream:?}");
            sim.answer_next(reply(&events));
            let ask = lanes::body(client, "Say something.");
            let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), false, &ask));
            let gathered = lanes::read(client, &mut answer, false, &what);
            if upstream == Protocol::Chat {
                // Usage was not asked for in that stream, so there it is counted here.
                assert!(gathered.usage.is_some() || gateway.log_of(&answer)["output_tokens"] != 0, "{what}");
            } else {
                check(&gathered, &what);
            }
        }
    }
}

#[test]
fn t06_a_call_that_came_whole_is_streamed_with_its_arguments_and_kept_where_it_is_to_be() {
    let sim = Sim::start();
    let config = lanes::config(&sim);
    let gateway = Gateway::start(config);
    let whole = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "up",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "tool_calls": [{"id": "call_1", "type": "function",
                "function": {"name": "f", "arguments": "{\"a\": 1.50}"}}]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    });
    for client in Protocol::ALL {
        sim.answer_next(ScriptedReply::json(200, whole.to_string()));
        let ask = lanes::body(client, "Call it.");
        let mut answer = gateway.send(&lanes::call(client, "to-chat", true, &ask));
        let read = lanes::read(client, &mut answer, true, &format!("{client:?}"));
        let call = &read.choices[0].calls[0];
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
        assert_eq!((call.name.as_str(), arguments), ("f", json!({"a": 1.5})), "{client:?}");
        assert_eq!(read.choices[0].stop, Some(facts::Class::Tools), "{client:?}");
    }
    // The Responses client's was kept under the id it was told.
    sim.answer_next(ScriptedReply::json(200, whole.to_string()));
    let ask = lanes::body(Protocol::Responses, "Call it.");
    let mut answer = gateway.send(&lanes::call(Protocol::Responses, "to-chat", true, &ask));
    let events = answer.events();
    let id = events.last().unwrap().json()["response"]["id"].as_str().unwrap().to_owned();
    let mut kept = gateway.send(&Request::get(&format!("/v1/responses/{id}")));
    assert_eq!((kept.status, kept.json()["output"][0]["name"].clone()), (200, json!("f")));
}

#[test]
fn t06_a_stream_cut_short_or_failing_is_no_whole_answer_and_another_target_is_asked() {
    let (bad, good) = (Sim::start(), Sim::start());
    let config = lanes::provider(Config::new(), "bad", Protocol::Messages, bad.addr());
    let config = lanes::provider(config, "good", Protocol::Chat, good.addr());
    let gateway = Gateway::start(
        config
            .model("m", &["bad=claude", "good=gpt-4o"])
            .model("alone", &["bad=claude"])
            .set("failover = { attempts = 1 }"),
    );
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n";
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
    for body in [start.to_owned(), format!("{start}{error}")] {
        bad.answer_next(ScriptedReply::sse(body.clone()));
        let ask = lanes::body(Protocol::Chat, "Say something.");
        let answer = gateway.send(&lanes::call(Protocol::Chat, "m", false, &ask));
        assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("good")), "{body}");
        bad.answer_next(ScriptedReply::sse(body));
        let answer = gateway.send(&lanes::call(Protocol::Chat, "alone", false, &ask));
        assert!(answer.status >= 500, "{}", answer.status);
    }
    // A whole answer that is none, where a stream was asked for.
    bad.answer_next(ScriptedReply::json(200, "{\"type\":\"message\",\"content\":7}"));
    let ask = lanes::body(Protocol::Messages, "Say something.");
    let mut answer = gateway.send(&lanes::call(Protocol::Messages, "m", true, &ask));
    assert_eq!(answer.header("x-tidegate-provider"), Some("good"));
    lanes::read(Protocol::Messages, &mut answer, true, "the second target's");
}
