//! Single flight: who asks for what is under way gets that, from its beginning, at their own pace; one call
//! goes upstream and one is charged. Seen from the clients, the simulator's counts, the log and the metrics.

use crate::harness::{
    Answer, Config, Connection, Gateway, PATIENCE, Request, Scripted, Sim, Wire, sse_bytes, until,
};
use serde_json::json;
use tidegate::sim::{Behaviour, Scenario, ScriptedReply};

const WIRE: Wire = Wire::Chat;
const JOINED: (&str, &[(&str, &str)]) = ("tidegate_coalesced_total", &[("outcome", "joined")]);

/// One that works on one call at a time: a call that holds its place makes all others wait.
fn sim(behaviour: Behaviour) -> Sim {
    let sim = Sim::start();
    let behaviour = Behaviour { slots: Some(1), line: 100, ..behaviour };
    sim.set_scenario(Scenario { seed: Some(5), ..Scenario::all(behaviour) });
    sim
}

fn config(sim: &Sim, wire: Wire) -> Config {
    let config = Config::new().key("other", "sk-other-key").provider("a", wire, sim.addr());
    config.model("m", &["a"]).set("coalesce = {}").model("apart", &["a"])
}

fn says(wire: Wire, is_stream: bool, words: &str) -> Request {
    let message = json!([{ "role": "user", "content": words }]);
    let more = match wire {
        Wire::Chat | Wire::Messages => json!({ "messages": message }),
        Wire::Responses => json!({ "input": words }),
        Wire::Gemini => json!({ "contents": [{ "role": "user", "parts": [{ "text": words }] }] }),
    };
    wire.request_with("m", is_stream, &more)
}

fn sent(gateway: &Gateway, request: &Request) -> Connection {
    let mut connection = Connection::open(gateway.addr()).patient_for(2 * PATIENCE);
    connection.send(request);
    connection
}

/// Clients that ask for the same; returns once all of them but the first share its call.
fn shared(gateway: &Gateway, request: &Request, clients: usize) -> Vec<Connection> {
    let before = gateway.metric(JOINED.0, JOINED.1);
    let mut all = vec![sent(gateway, request)];
    gateway.metric_becomes("tidegate_flights", &[], 1.0);
    all.extend((1..clients).map(|_| sent(gateway, request)));
    gateway.metric_becomes(JOINED.0, JOINED.1, before + clients as f64 - 1.0);
    all
}

/// A stream that holds the simulator's only place until it is closed.
fn occupied(sim: &Sim) -> Answer {
    let mut connection = Connection::open(sim.addr());
    connection.send(&WIRE.request("apart", true).fault("hold"));
    let mut answer = connection.answer();
    assert!(answer.event().is_some());
    answer
}

#[test]
fn t62_one_call_serves_all_who_ask_for_the_same_and_one_is_charged() {
    for wire in Wire::ALL {
        for is_stream in [false, true] {
            let sim = sim(Behaviour::default());
            let gateway = Gateway::start(config(&sim, wire));
            let holder = occupied(&sim);
            let clients = shared(&gateway, &says(wire, is_stream, "hello"), 10);
            holder.close();
            let mut answers: Vec<Answer> = clients.into_iter().map(Connection::answer).collect();
            let bodies: Vec<Vec<u8>> = answers.iter_mut().map(Answer::body).collect();
            assert_eq!(sim.calls(), 2, "the holder's and one: {wire:?} {is_stream}");
            assert!(
                bodies[0].len() > 50 && bodies.iter().all(|body| *body == bodies[0]),
                "{wire:?} {is_stream}"
            );
            let leader = answers[0].header("x-tidegate-request-id").unwrap().to_owned();
            assert_eq!(answers[0].header("x-tidegate-coalesced"), None);
            for answer in &answers[1..] {
                assert_eq!(answer.header("x-tidegate-coalesced"), Some(&*leader), "{wire:?} {is_stream}");
                assert_ne!(answer.header("x-tidegate-request-id"), Some(&*leader));
                assert_eq!(answer.header("x-tidegate-provider"), Some("a"));
                let line = gateway.log_of(answer);
                assert_eq!((&line["coalesced"], &line["attempts"]), (&leader.clone().into(), &0.into()));
                assert_eq!((line.get("output_tokens"), line.get("cost_usd")), (None, None), "{line}");
                assert_eq!(line["bytes_out"], bodies[0].len(), "{line}");
            }
            let line = gateway.log_where("the leader's", |line| line["request_id"] == *leader);
            assert!(line["output_tokens"].as_u64() > Some(0), "{line}");
            gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
            assert_eq!(gateway.metric("tidegate_flights", &[]), 0.0);
        }
    }
}

#[test]
fn t62_who_comes_late_gets_it_from_its_beginning() {
    let sim = Sim::start();
    sim.behave(Behaviour { tokens: Some(60), delay_token_ms: Some(20), ..Behaviour::default() });
    let gateway = Gateway::start(config(&sim, WIRE));
    let request = says(WIRE, true, "hello");
    let mut first = gateway.send(&request);
    for _ in 0..10 {
        first.event().unwrap();
    }
    let mut second = gateway.send(&request);
    assert_eq!(second.header("x-tidegate-coalesced"), first.header("x-tidegate-request-id"));
    assert_eq!(second.body(), {
        first.events();
        first.seen().to_vec()
    });
    assert_eq!(sim.calls(), 1);
    gateway.send(&request).body();
    assert_eq!(sim.calls(), 2, "what has ended is not shared");
}

#[test]
fn t62_the_one_that_began_it_may_leave_and_the_others_are_served() {
    for is_stream in [false, true] {
        let sim = sim(Behaviour::default());
        let gateway = Gateway::start(config(&sim, WIRE));
        let holder = occupied(&sim);
        let mut clients = shared(&gateway, &says(WIRE, is_stream, "hello"), 3);
        clients.remove(0).close();
        clients.remove(0).close();
        // The one that follows has ended; the call goes on in the task of the one that began it.
        gateway.metric_becomes("tidegate_requests_in_flight", &[], 2.0);
        holder.close();
        let mut answer = clients.remove(0).answer();
        assert_eq!(answer.status, 200);
        assert!(!answer.body().is_empty());
        let leader = answer.header("x-tidegate-coalesced").unwrap().to_owned();
        let line = gateway.log_where("the leader's", |line| line["request_id"] == *leader);
        assert_eq!((&line["client_aborted"], &line["status"]), (&true.into(), &200.into()), "{line}");
        assert!(line["output_tokens"].as_u64() > Some(0), "it is charged for all: {line}");
        assert_eq!((sim.calls(), sim.stats().aborted), (2, 1), "the holder's alone was cut off");
    }
}

#[test]
fn t62_when_all_have_left_the_call_is_cancelled_upstream() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, WIRE));
    let request = says(WIRE, true, "hello").fault("hold");
    let mut first = gateway.send(&request);
    let mut second = gateway.send(&request);
    assert!(first.event().is_some() && second.event().is_some());
    first.close();
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 2.0);
    assert_eq!(sim.stats().aborted, 0);
    second.close();
    until("it is cancelled upstream", PATIENCE, || sim.stats().aborted == 1);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
    assert_eq!((sim.calls(), gateway.metric("tidegate_flights", &[])), (1, 0.0));
}

#[test]
fn t62_only_what_is_the_same_for_the_same_tenant_is_shared() {
    let sim = sim(Behaviour::default());
    let gateway = Gateway::start(config(&sim, WIRE));
    let holder = occupied(&sim);
    let same = says(WIRE, false, "hello");
    let first = sent(&gateway, &same);
    gateway.metric_becomes("tidegate_flights", &[], 1.0);
    let others = [
        says(WIRE, false, "hello!"),
        says(WIRE, true, "hello"),
        says(WIRE, false, "hello").key("sk-other-key"),
        says(WIRE, false, "hello").header("openai-beta", "x"),
        says(WIRE, false, "hello").header("x-tidegate-tags", "x"),
    ];
    let mut apart: Vec<Connection> = others.iter().map(|request| sent(&gateway, request)).collect();
    gateway.metric_becomes("tidegate_flights", &[], 6.0);
    assert_eq!(gateway.metric(JOINED.0, JOINED.1), 0.0);
    let traced = same.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    apart.push(sent(&gateway, &traced.header("user-agent", "another")));
    gateway.metric_becomes(JOINED.0, JOINED.1, 1.0);
    holder.close();
    apart.push(first);
    assert!(apart.into_iter().all(|connection| connection.answer().status == 200));
    assert_eq!(sim.calls(), 7);
    let before = sim.calls();
    let request = WIRE.request("apart", false);
    gateway.send(&request).body();
    gateway.send(&request).body();
    assert_eq!(sim.calls(), before + 2, "a model that does not say so shares nothing");
}

#[test]
fn t62_a_failure_is_told_to_all_and_costs_nobody_anything() {
    let sim = Sim::start();
    sim.behave(Behaviour { delay_first_ms: Some(500), ..Behaviour::default() });
    let gateway = Gateway::start(config(&sim, WIRE).set("failover = { attempts = 1 }"));
    let request = says(WIRE, true, "hello").fault("close-after:3");
    let first = sent(&gateway, &request);
    gateway.metric_becomes("tidegate_flights", &[], 1.0);
    let mut second = gateway.send(&request);
    let mut first = first.answer();
    for answer in [&mut first, &mut second] {
        let events = answer.events();
        assert!(events.iter().any(|event| WIRE.is_error(event)), "{events:?}");
    }
    assert_eq!(first.seen(), second.seen());
    let line = gateway.log_of(&second);
    assert_eq!((&line["reason"], &line["attempts"]), (&"stream_failed".into(), &0.into()), "{line}");
    assert_eq!(sim.calls(), 1);
}

/// More than all buffers between two ends hold, in events of 16 KiB.
fn long() -> ScriptedReply {
    let choice = json!({ "index": 0, "delta": { "content": "word " } });
    let event = json!({ "choices": [choice], "obfuscation": "x".repeat(16_000) });
    let data = |data: String| Scripted { name: "", data };
    let mut events = vec![data(event.to_string()); 1000];
    let last = json!({ "index": 0, "delta": {}, "finish_reason": "stop" });
    events.extend([data(json!({ "choices": [last] }).to_string()), data("[DONE]".to_owned())]);
    ScriptedReply::sse(sse_bytes(&events))
}

#[test]
fn t62_a_slow_reader_holds_up_nobody_and_is_told_when_it_falls_too_far_behind() {
    let sim = Sim::start();
    let config = Config::new().provider("a", WIRE, sim.addr()).model("m", &["a"]);
    let config = config.set("concurrency = { max = 1 }").set("queue = { max = 5, wait_max = \"30s\" }");
    let gateway = Gateway::start(config.set("coalesce = { bytes = \"64KiB\" }"));
    let mut holder = gateway.send(&says(WIRE, true, "hold").fault("hold"));
    assert!(holder.event().is_some());
    sim.answer_next(long());
    let request = says(WIRE, true, "hello");
    let fast = sent(&gateway, &request);
    gateway.metric_becomes("tidegate_flights", &[], 2.0);
    let mut slow = Connection::open_narrow(gateway.addr()).patient_for(2 * PATIENCE);
    slow.send(&request);
    gateway.metric_becomes(JOINED.0, JOINED.1, 1.0);
    holder.close();
    let events = fast.answer().events();
    assert_eq!((events.len(), &*events.last().unwrap().data), (1002, "[DONE]"));
    let told = slow.answer().events();
    assert!(told.iter().any(|event| WIRE.is_error(event)), "{} events", told.len());
    assert_eq!(gateway.metric("tidegate_coalesced_total", &[("outcome", "behind")]), 1.0);
    assert_eq!(sim.calls(), 2);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
}
