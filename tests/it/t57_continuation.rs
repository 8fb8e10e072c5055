//! Continuation: a stream that breaks after its client got some of it is gone on with by another target
//! of the same model, exactly where it ended; where that cannot be, it ends with an error as ever.

use crate::harness::{Answer, Config, Connection, Event, Gateway, PATIENCE, Sim, Wire, sse_bytes, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidegate::sim::{Behaviour, Scenario, ScriptedReply};

const WORDS: usize = 16;
const SEED: u64 = 11;
const FAULTS: [&str; 4] = ["error-after:5", "end-after:5", "close-after:5", "reset-after:5"];

/// A simulator whose every answer is the same text, and which breaks so.
fn sim(fault: &str) -> Sim {
    let sim = Sim::start();
    let behaviour = Behaviour {
        tokens: Some(WORDS),
        delay_token_ms: Some(2),
        fault: fault.parse().unwrap(),
        ..Behaviour::default()
    };
    sim.set_scenario(Scenario { seed: Some(SEED), ..Scenario::all(behaviour) });
    sim
}

fn prefill(wire: Wire) -> &'static str {
    if wire == Wire::Chat { "\"prefix\"" } else { "true" }
}

/// Targets in the order they are tried: (provider, its protocol, its simulator).
fn config(targets: &[(&str, Wire, &Sim)]) -> Config {
    let mut config = Config::new();
    let mut written = Vec::new();
    for (place, (name, wire, sim)) in targets.iter().enumerate() {
        config = config.provider(name, *wire, sim.addr());
        if *wire == Wire::Chat {
            config = config.set("protocols = [\"chat\"]");
        }
        let prefill = prefill(*wire);
        written.push(format!("{{ provider = \"{name}\", priority = {}, prefill = {prefill} }}", place + 1));
    }
    let names: Vec<&str> = targets.iter().map(|(name, ..)| *name).collect();
    config
        .model("m", &names)
        .set(&format!("targets = [{}]", written.join(", ")))
        .set("recovery = \"continue\"")
}

fn request(wire: Wire) -> crate::harness::Request {
    let more = if wire == Wire::Messages { json!({"max_tokens": 100}) } else { json!({}) };
    wire.request_with("m", true, &more)
}

fn text(wire: Wire, events: &[Event]) -> String {
    events.iter().map(|event| wire.text_of(event)).collect()
}

/// What a stream that does not break says.
fn whole_text() -> String {
    let sim = sim("");
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &sim)]));
    text(Wire::Chat, &gateway.send(&request(Wire::Chat)).events())
}

/// Ids, numbers and ends are those of one stream.
fn hold_one_stream(wire: Wire, events: &[Event], what: &str) {
    assert!(!events.iter().any(|event| wire.is_error(event)), "{what}: {events:?}");
    let data: Vec<Value> = events.iter().filter(|e| e.data != "[DONE]").map(Event::json).collect();
    let named = |name: &str| events.iter().filter(|event| event.name == name).count();
    match wire {
        Wire::Chat => {
            let ids: BTreeSet<&str> = data.iter().map(|chunk| chunk["id"].as_str().unwrap()).collect();
            assert_eq!(ids.len(), 1, "{what}: {ids:?}");
            let finishes = data.iter().filter(|c| c["choices"][0]["finish_reason"].is_string()).count();
            let roles = data.iter().filter(|c| c["choices"][0]["delta"]["role"].is_string()).count();
            assert_eq!((finishes, roles), (1, 1), "{what}: {events:?}");
            assert_eq!(events.last().unwrap().data, "[DONE]", "{what}");
        }
        Wire::Messages => {
            for name in [
                "message_start",
                "content_block_start",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ] {
                assert_eq!(named(name), 1, "{what}: {name}: {events:?}");
            }
            assert!(data.iter().all(|data| data["index"].as_u64().unwrap_or(0) == 0), "{what}: {events:?}");
        }
        Wire::Responses => {
            let numbers: Vec<u64> =
                data.iter().map(|data| data["sequence_number"].as_u64().unwrap()).collect();
            assert_eq!(numbers, (0..data.len() as u64).collect::<Vec<_>>(), "{what}");
            assert_eq!(named("response.completed"), 1, "{what}");
            let done = data.last().unwrap();
            let said = &done["response"]["output"][0]["content"][0]["text"];
            assert_eq!(said.as_str(), Some(text(wire, events).as_str()), "{what}: the whole at the end too");
        }
        Wire::Gemini => {
            let finishes = data.iter().filter(|d| d["candidates"][0]["finishReason"].is_string()).count();
            assert_eq!(finishes, 1, "{what}: {events:?}");
        }
    }
}

fn goes_on(client: Wire, first: Wire, second: Wire, whole: &str) {
    for fault in FAULTS {
        let what = format!("{client:?} by {first:?} and {second:?}, {fault}");
        let (a, b) = (sim(fault), sim(""));
        let gateway = Gateway::start(config(&[("a", first, &a), ("b", second, &b)]));
        let mut answer = gateway.send(&request(client));
        assert_eq!(answer.header("x-tidegate-provider"), Some("a"), "{what}");
        let events = answer.events();
        assert_eq!(text(client, &events), whole, "{what}");
        hold_one_stream(client, &events, &what);
        assert_eq!((a.calls(), b.calls()), (1, 1), "{what}");
        assert_eq!((b.stats().prefills, b.stats().prefills_unknown), (1, 0), "{what}");
        let line = gateway.log_of(&answer);
        assert_eq!((&line["attempts"], &line["continued"]), (&2.into(), &1.into()), "{what}: {line}");
        assert_eq!((&line["status"], line.get("reason")), (&200.into(), None), "{what}: {line}");
        assert_eq!(
            (&line["provider"], &line["failures"][0]["provider"]),
            (&"b".into(), &"a".into()),
            "{what}"
        );
        assert!(line["route"].as_str().unwrap().ends_with("continued"), "{what}: {line}");
        let output = line["output_tokens"].as_u64().unwrap();
        assert!((WORDS as u64 - 1..=WORDS as u64 + 3).contains(&output), "{what}: both parts: {line}");
        assert!(
            line["input_tokens"].as_u64().unwrap() > b.stats().prompt_tokens,
            "{what}: both prompts: {line}"
        );
        gateway.metric_becomes("tidegate_stream_recoveries_total", &[("outcome", "continued")], 1.0);
        assert_eq!(gateway.metric("tidegate_open_streams", &[]), 0.0, "{what}");
    }
}

#[test]
fn t57_a_chat_that_breaks_is_gone_on_with_exactly() {
    goes_on(Wire::Chat, Wire::Chat, Wire::Chat, &whole_text());
}

#[test]
fn t57_a_message_that_breaks_is_gone_on_with_exactly() {
    goes_on(Wire::Messages, Wire::Messages, Wire::Messages, &whole_text());
}

#[test]
fn t57_a_stream_may_be_gone_on_with_in_another_protocol() {
    let whole = whole_text();
    goes_on(Wire::Chat, Wire::Chat, Wire::Messages, &whole);
    goes_on(Wire::Messages, Wire::Messages, Wire::Chat, &whole);
}

#[test]
fn t57_translated_streams_are_gone_on_with_in_their_numbers() {
    let whole = whole_text();
    goes_on(Wire::Responses, Wire::Chat, Wire::Chat, &whole);
    goes_on(Wire::Gemini, Wire::Chat, Wire::Messages, &whole);
    goes_on(Wire::Messages, Wire::Chat, Wire::Messages, &whole);
}

#[test]
fn t57_the_text_so_far_goes_up_without_its_last_white_space_which_is_not_said_twice() {
    let wire = Wire::Chat;
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(config(&[("a", wire, &a), ("b", wire, &b)]));
    let begun = &wire.stream(&["Once ", "upon a \n"], 4, 2)[..3];
    a.answer_next(ScriptedReply::sse(sse_bytes(begun)));
    b.answer_next(ScriptedReply::sse(sse_bytes(&wire.stream(&[" ", "\n time", " ago."], 9, 3))));
    let events = gateway.send(&request(wire)).events();
    assert_eq!(text(wire, &events), "Once upon a \n time ago.");
    let body: Value = serde_json::from_slice(&b.last_request().body).unwrap();
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "Once upon a", "prefix": true}));
    let usage = &events[events.len() - 2].json()["usage"];
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 9, "the client reads what both came to: {usage}");
}

/// Ends with one error event, and `b` was not asked.
#[track_caller]
fn stays(gateway: &Gateway, answer: &mut Answer, wire: Wire, b: &Sim, outcome: &str) {
    let events = answer.events();
    assert!(events.iter().any(|event| wire.is_error(event)), "{events:?}");
    assert!(!events.iter().any(|event| wire.is_terminal(event)), "{events:?}");
    assert_eq!(b.calls(), 0);
    let line = gateway.log_of(answer);
    assert_eq!((&line["reason"], &line["provider"]), (&"stream_failed".into(), &"a".into()), "{line}");
    assert_eq!(line.get("continued"), None, "{line}");
    gateway.metric_becomes("tidegate_stream_recoveries_total", &[("outcome", outcome)], 1.0);
}

#[test]
fn t57_a_tool_call_is_not_gone_on_with() {
    for wire in [Wire::Chat, Wire::Messages] {
        let (a, b) = (sim("close-after:2"), sim(""));
        let gateway = Gateway::start(config(&[("a", wire, &a), ("b", wire, &b)]));
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let more = match wire {
            Wire::Messages => json!({
                "tools": [{"name": "look", "input_schema": schema}],
                "tool_choice": {"type": "tool", "name": "look"}, "max_tokens": 100,
            }),
            _ => json!({
                "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}],
                "tool_choice": {"type": "function", "function": {"name": "look"}},
            }),
        };
        let mut answer = gateway.send(&wire.request_with("m", true, &more));
        stays(&gateway, &mut answer, wire, &b, "unfit");
    }
}

#[test]
fn t57_a_response_with_its_providers_own_ids_is_not_gone_on_with() {
    let (a, b) = (sim("close-after:5"), sim(""));
    let targets = [("a", Wire::Responses, &a), ("b", Wire::Responses, &b)];
    let gateway = Gateway::start(config(&targets));
    let mut answer = gateway.send(&request(Wire::Responses));
    stays(&gateway, &mut answer, Wire::Responses, &b, "unfit");
}

#[test]
fn t57_several_choices_are_not_gone_on_with() {
    let (a, b) = (sim("close-after:4"), sim(""));
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]));
    let mut answer = gateway.send(&Wire::Chat.request_with("m", true, &json!({"n": 2})));
    stays(&gateway, &mut answer, Wire::Chat, &b, "unfit");
}

#[test]
fn t57_an_answer_in_a_form_is_not_gone_on_with() {
    let (a, b) = (sim("close-after:2"), sim(""));
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]));
    let form = json!({"response_format": {"type": "json_object"}});
    let mut answer = gateway.send(&Wire::Chat.request_with("m", true, &form));
    stays(&gateway, &mut answer, Wire::Chat, &b, "no_target");
}

#[test]
fn t57_a_target_that_takes_no_beginning_or_is_another_model_is_not_asked() {
    let b_of = |b: &str| {
        format!(
            "targets = [{{ provider = \"a\", prefill = false }}, {{ provider = \"b\", priority = 2{b} }}]"
        )
    };
    for b_is in
        ["", ", prefill = \"prefix\", model = \"other\"", ", prefill = \"prefix\", family = \"other\""]
    {
        let (a, b) = (sim("close-after:5"), sim(""));
        let config = config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]).set(&b_of(b_is));
        let gateway = Gateway::start(config);
        let mut answer = gateway.send(&request(Wire::Chat));
        stays(&gateway, &mut answer, Wire::Chat, &b, "no_target");
    }
}

#[test]
fn t57_another_name_of_the_same_model_goes_on_where_the_configuration_says_so() {
    let (a, b) = (sim("close-after:5"), sim(""));
    let targets = "targets = [{ provider = \"a\", model = \"words-fp8\", family = \"words\" }, \
                   { provider = \"b\", model = \"words\", prefill = \"continue-final-message\", priority = 2 }]";
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]).set(targets));
    let events = gateway.send(&request(Wire::Chat)).events();
    assert_eq!(text(Wire::Chat, &events), whole_text());
    let body: Value = serde_json::from_slice(&b.last_request().body).unwrap();
    assert_eq!(
        (&body["continue_final_message"], &body["add_generation_prompt"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn t57_a_stream_is_gone_on_with_once_unless_the_model_says_more() {
    for (continuations, calls) in [(1, (1, 1, 0)), (2, (1, 1, 1))] {
        let (a, b, c) = (sim("close-after:5"), sim("reset-after:5"), sim(""));
        let targets = [("a", Wire::Chat, &a), ("b", Wire::Chat, &b), ("c", Wire::Chat, &c)];
        let gateway = Gateway::start(config(&targets).set(&format!("continuations = {continuations}")));
        let mut answer = gateway.send(&request(Wire::Chat));
        let events = answer.events();
        let whole = whole_text();
        assert!(whole.starts_with(&text(Wire::Chat, &events)));
        assert_eq!((a.calls(), b.calls(), c.calls()), calls);
        assert_eq!(Wire::Chat.is_error(events.last().unwrap()), continuations == 1, "{events:?}");
        if continuations == 2 {
            assert_eq!(text(Wire::Chat, &events), whole);
            hold_one_stream(Wire::Chat, &events, "three targets");
        }
        let failures = gateway.log_of(&answer)["failures"].clone();
        assert_eq!((&failures[0]["provider"], &failures[1]["provider"]), (&"a".into(), &"b".into()));
    }
}

#[test]
fn t57_the_same_target_goes_on_where_there_is_no_other() {
    let a = Sim::start();
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &a)]));
    let wire = Wire::Chat;
    a.answer_next(ScriptedReply::sse(sse_bytes(&wire.stream(&["Once", " upon"], 4, 2)[..3])));
    a.answer_next(ScriptedReply::sse(sse_bytes(&wire.stream(&[" a time"], 6, 2))));
    let events = gateway.send(&request(wire)).events();
    assert_eq!(text(wire, &events), "Once upon a time");
    assert_eq!(a.calls(), 2);
}

#[test]
fn t57_what_both_targets_came_to_is_charged() {
    let (a, b) = (sim("close-after:5"), sim(""));
    let config = config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]);
    let prices = |config: Config, name: &str, input: u32, output: u32| {
        let config = config.table(&format!("catalog.models.\"{name}/m\""));
        config.set(&format!("prices = {{ input = \"{input}\", output = \"{output}\" }}"))
    };
    let gateway = Gateway::start(prices(prices(config, "a", 1, 2), "b", 10, 20));
    let mut answer = gateway.send(&request(Wire::Chat));
    let events = answer.events();
    let usage = &events[events.len() - 2].json()["usage"];
    let line = gateway.log_of(&answer);
    assert_eq!(line["input_tokens"], usage["prompt_tokens"], "the client reads what it is charged for");
    assert_eq!(line["output_tokens"], usage["completion_tokens"]);
    let (second_in, second_out) = (b.stats().prompt_tokens, WORDS as u64 - 5);
    let first_in = line["input_tokens"].as_u64().unwrap() - second_in;
    let first_out = line["output_tokens"].as_u64().unwrap() - second_out;
    let micros = first_in + 2 * first_out + 10 * second_in + 20 * second_out;
    let cost = line["cost_usd"].as_f64().unwrap() * 1e6;
    assert!((cost - micros as f64).abs() < 1e-6, "{cost} {micros}: {line}");
}

#[test]
fn t57_a_stream_whose_budget_cannot_pay_for_going_on_ends_as_one_whose_budget_is_spent() {
    let (a, b) = (sim("close-after:5"), sim(""));
    let config = config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]);
    let priced = |config: Config, name: &str| {
        let config = config.table(&format!("catalog.models.\"{name}/m\""));
        config.set("prices = { input = \"0.01\", output = \"1\" }")
    };
    // The first slice of an answer has 256 tokens; with a second prompt there is not enough.
    let budget = "budget = { name = \"b\", usd = \"0.00026\", per = \"total\" }";
    let gateway = Gateway::start(priced(priced(config, "a"), "b").table("keys.test").set(budget));
    let mut answer = gateway.send(&request(Wire::Chat));
    let events = answer.events();
    assert!(whole_text().starts_with(&text(Wire::Chat, &events)));
    let finish = events.iter().rev().find(|event| event.data.contains("finish_reason\":\"")).unwrap();
    assert_eq!(finish.json()["choices"][0]["finish_reason"], "length", "{events:?}");
    assert_eq!((a.calls(), b.calls()), (1, 0));
    assert_eq!(gateway.log_of(&answer)["reason"], "budget_exceeded");
}

#[test]
fn t57_no_schedule_of_breaks_makes_more_calls_than_attempts_or_leaves_a_slot_taken() {
    let sims = [sim(""), sim(""), sim("")];
    let [a, b, c] = &sims;
    for attempts in 1..=3_u64 {
        let config = config(&[("a", Wire::Chat, a), ("b", Wire::Messages, b), ("c", Wire::Chat, c)])
            .set("continuations = 8")
            .set("hold = { tokens = 3, time = \"20ms\" }")
            .set(&format!("failover = {{ attempts = {attempts}, retry_percent = 100, retry_min = 1000 }}"))
            .table("keys.test.limits")
            .set("concurrent = 1");
        let gateway = Gateway::start(config);
        for seed in 0..24_u64 {
            for (place, sim) in sims.iter().enumerate() {
                let fault =
                    ["", "break-within:16", "break-within:4", "status:503", "end-after:0", "not-json"]
                        [(seed as usize * 7 + place * 5 + seed as usize / 6) % 6];
                let behaviour =
                    Behaviour { tokens: Some(WORDS), fault: fault.parse().unwrap(), ..Behaviour::default() };
                sim.set_scenario(Scenario { seed: Some(seed), ..Scenario::all(behaviour) });
            }
            let before: u64 = sims.iter().map(|sim| sim.calls()).sum();
            let mut answer = gateway.send(&request(Wire::Chat));
            assert_ne!(answer.status, 429, "a slot is taken: seed {seed}");
            let _ = answer.body();
            let line = gateway.log_of(&answer);
            let calls = sims.iter().map(|sim| sim.calls()).sum::<u64>() - before;
            assert!(calls <= attempts, "{calls} calls of {attempts}: seed {seed}: {line}");
            assert_eq!(line["attempts"].as_u64(), Some(calls), "seed {seed}: {line}");
        }
        until("no call is under way", PATIENCE, || sims.iter().all(|sim| sim.stats().in_flight == 0));
        assert_eq!(gateway.metric("tidegate_open_streams", &[]), 0.0);
    }
}

#[test]
fn t57_a_client_that_leaves_while_another_target_is_asked_pays_for_that_prompt_too() {
    let (a, b) = (sim("close-after:5"), sim(""));
    b.behave(Behaviour { delay_first_ms: Some(30_000), ..Behaviour::default() });
    let gateway = Gateway::start(config(&[("a", Wire::Chat, &a), ("b", Wire::Chat, &b)]));
    let mut answer = gateway.send(&request(Wire::Chat));
    let id = answer.header("x-tidegate-request-id").unwrap().to_owned();
    assert!(answer.event().is_some());
    until("the second target is asked", PATIENCE, || b.calls() == 1);
    answer.reset();
    let line = gateway.log_where("the call", |line| line["request_id"] == id.as_str());
    until("its call has ended", PATIENCE, || b.stats().aborted == 1);
    let id = |answer: &Answer| answer.header("x-tidegate-request-id").unwrap().to_owned();
    let mut one = gateway.send(&request(Wire::Chat).fault("hold"));
    assert!(one.event().is_some());
    let one_id = id(&one);
    one.reset();
    let one = gateway.log_where("one prompt", |line| line["request_id"] == one_id.as_str());
    let of = |line: &Value, name: &str| line[name].as_u64().unwrap();
    let both = 2 * of(&one, "input_tokens") + of(&line, "output_tokens");
    assert_eq!(of(&line, "input_tokens"), both, "the second prompt held the text so far: {line}");
    assert_eq!(line["estimated"], true, "{line}");
}

#[test]
fn t57_the_same_target_goes_on_in_the_place_it_had_whoever_waits_for_one() {
    let a = sim("");
    let behaviour = Behaviour {
        tokens: Some(WORDS),
        delay_token_ms: Some(60),
        fault: "close-after:8".parse().unwrap(),
        fault_first: Some(1),
        ..Behaviour::default()
    };
    a.set_scenario(Scenario { seed: Some(SEED), ..Scenario::all(behaviour) });
    let config = config(&[("a", Wire::Chat, &a)])
        .set("concurrency = { max = 1 }")
        .set("queue = { max = 5, wait = \"30s\", wait_max = \"30s\" }");
    let gateway = Gateway::start(config);
    let mut answer = gateway.send(&request(Wire::Chat));
    assert!(answer.event().is_some());
    let mut waiter = Connection::open(gateway.addr()).patient_for(2 * PATIENCE);
    waiter.send(&request(Wire::Chat));
    gateway.metric_becomes("tidegate_queued", &[], 1.0);
    let mut events = answer.events();
    assert!(!events.iter().any(|event| Wire::Chat.is_error(event)), "{events:?}");
    assert!(whole_text().ends_with(&text(Wire::Chat, &events)), "{events:?}");
    assert_eq!(gateway.log_of(&answer)["continued"], 1);
    events = waiter.answer().events();
    assert_eq!(text(Wire::Chat, &events), whole_text());
}
