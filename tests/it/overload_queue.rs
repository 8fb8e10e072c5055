//! P6, T16: targets that take only so many calls at once, and calls that wait for them: seen from the
//! client, the simulator's own counts and the metrics.

use crate::harness::{Answer, Config, Connection, Gateway, KEY, PATIENCE, Request, Sim, Wire, until};
use serde_json::json;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tidegate::sim::Behaviour;

const WIRE: Wire = Wire::Chat;
const QUEUE: &str = "queue = { max = 20, wait_max = \"30s\" }";
const WAITS: &str = "tidegate_queue_waits_total";

fn config(sim: &Sim, more: &[&str]) -> Config {
    let config = Config::new()
        .provider("a", WIRE, sim.addr())
        .set("cooldown = { base = \"1ms\", max = \"20ms\" }")
        .model("m", &["a"])
        .set("concurrency = { max = 1 }");
    more.iter().fold(config, |config, line| config.set(line))
}

/// A stream that has begun, and holds its place until it is closed.
fn held(gateway: &Gateway) -> Answer {
    let mut answer = gateway.send(&WIRE.request("m", true).fault("hold"));
    assert_eq!(answer.status, 200);
    assert!(answer.event().is_some());
    answer
}

fn says(words: &str) -> Request {
    WIRE.request_with("m", false, &json!({ "messages": [{ "role": "user", "content": words }] }))
}

/// Sends a request that waits; returns once it does.
fn waiting(gateway: &Gateway, request: Request) -> JoinHandle<Answer> {
    let before = gateway.metric("tidegate_queued", &[]);
    let mut connection = Connection::open(gateway.addr()).patient_for(2 * PATIENCE);
    connection.send(&request);
    gateway.metric_becomes("tidegate_queued", &[], before + 1.0);
    thread::spawn(move || connection.answer())
}

fn refused(answer: &mut Answer, reason: &str) {
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (503, Some(reason)));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    assert!(answer.header("retry-after-ms").is_some());
}

#[test]
fn p6_a_full_target_is_no_candidate_and_that_is_told_in_every_dialect() {
    let sim = Sim::start();
    for wire in Wire::ALL {
        let config = Config::new().provider("a", wire, sim.addr()).model("m", &["a"]);
        let gateway = Gateway::start(config.set("concurrency = { max = 1 }"));
        let calls = sim.calls();
        let mut stream = gateway.send(&wire.request("m", true).fault("hold"));
        assert_eq!(stream.status, 200);
        assert!(stream.event().is_some());
        let mut answer = gateway.send(&wire.request("m", false));
        refused(&mut answer, "all_targets_full");
        assert!(wire.is_error_body(&answer.json()), "{wire:?}");
        assert_eq!(gateway.metric("tidegate_targets", &[("state", "full")]), 1.0);
        assert_eq!(sim.calls(), calls + 1, "nothing of it went upstream");
        stream.close();
        until("its place is free again", PATIENCE, || gateway.send(&wire.request("m", false)).status == 200);
    }
}

#[test]
fn p6_the_other_target_takes_what_a_full_one_does_not() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", WIRE, a.addr()).provider("b", WIRE, b.addr());
    let targets =
        "targets = [{ provider = \"a\", concurrency = { max = 1 } }, { provider = \"b\", priority = 2 }]";
    let gateway = Gateway::start(config.table("models.m").set(targets));
    let stream = held(&gateway);
    let answer = gateway.send(&says("hello"));
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("b")));
    assert_eq!(answer.header("x-tidegate-route"), Some("weighted; candidates=1/2; full=1"));
    drop(stream);
}

#[test]
fn p6_a_call_waits_until_a_place_is_free_and_says_how_long_it_did() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &[QUEUE]));
    let stream = held(&gateway);
    let waiter = waiting(&gateway, says("hello"));
    assert_eq!(sim.calls(), 1, "it is not upstream while it waits");
    stream.close();
    let mut answer = waiter.join().unwrap();
    assert_eq!(answer.status, 200);
    let waited: u64 = answer.header("x-tidegate-queue-ms").unwrap().parse().unwrap();
    answer.body();
    let line = gateway.log_of(&answer);
    assert_eq!(line["queue_ms"].as_f64().unwrap() as u64, waited);
    assert_eq!(gateway.metric(WAITS, &[("outcome", "served")]), 1.0);
    assert_eq!(gateway.metric("tidegate_queue_seconds_count", &[]), 1.0);
    let quick = gateway.send(&says("hello"));
    assert_eq!((quick.status, quick.header("x-tidegate-queue-ms")), (200, None));
}

#[test]
fn p6_where_as_many_wait_as_may_the_next_is_refused() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &["queue = { max = 1, wait_max = \"30s\" }"]));
    let stream = held(&gateway);
    let waiter = waiting(&gateway, says("first"));
    refused(&mut gateway.send(&says("second")), "queue_full");
    assert_eq!(gateway.metric(WAITS, &[("outcome", "full")]), 1.0);
    stream.close();
    assert_eq!(waiter.join().unwrap().status, 200);
}

#[test]
fn t16_a_client_that_leaves_while_it_waits_is_out_of_line_and_the_next_is_served() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &[QUEUE]));
    let stream = held(&gateway);
    let mut leaver = Connection::open(gateway.addr());
    leaver.send(&says("leaves"));
    gateway.metric_becomes("tidegate_queued", &[], 1.0);
    let next = waiting(&gateway, says("stays"));
    leaver.close();
    gateway.metric_becomes("tidegate_queued", &[], 1.0);
    assert_eq!(gateway.metric(WAITS, &[("outcome", "left")]), 1.0);
    stream.close();
    assert_eq!(next.join().unwrap().status, 200);
    assert_eq!(sim.calls(), 2, "the one that left was never upstream");
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
    assert_eq!(gateway.send(&says("again")).status, 200, "no place was lost");
}

#[test]
fn p6_a_wait_ends_in_time_and_the_client_can_say_when() {
    let sim = Sim::start();
    let gateway =
        Gateway::start(config(&sim, &["queue = { max = 5, wait = \"50ms\", wait_max = \"300ms\" }"]));
    let _stream = held(&gateway);
    let waited = |answer: &Answer| answer.header("x-tidegate-queue-ms").unwrap().parse::<u64>().unwrap();
    let mut usual = gateway.send(&says("one"));
    refused(&mut usual, "queue_timeout");
    assert!((50..300).contains(&waited(&usual)), "{}", waited(&usual));
    let mut more = gateway.send(&says("two").header("prefer", "respond-async, wait=20"));
    refused(&mut more, "queue_timeout");
    assert!(waited(&more) >= 300, "as long as may be, not longer: {}", waited(&more));
    let mut none = gateway.send(&says("three").header("prefer", "wait=0"));
    refused(&mut none, "all_targets_full");
    assert_eq!(none.header("x-tidegate-queue-ms"), None);
    assert_eq!((gateway.metric(WAITS, &[("outcome", "timeout")]), sim.calls()), (2.0, 1));
}

#[test]
fn p6_a_call_waits_for_a_provider_that_has_said_when_it_is_back() {
    let sim = Sim::start();
    sim.behave(Behaviour {
        fault: "status:429".parse().unwrap(),
        retry_after: Some("ms:400".into()),
        fault_first: Some(1),
        ..Behaviour::default()
    });
    let config = Config::new().provider("a", WIRE, sim.addr()).model("m", &["a"]).set(QUEUE);
    let gateway = Gateway::start(config.set("failover = { attempts = 1 }"));
    assert_eq!(gateway.send(&says("first")).status, 429);
    // Several wait; none is lost, and none comes before its time.
    let waiters: Vec<_> = (0..3).map(|_| waiting(&gateway, says("later"))).collect();
    assert_eq!(sim.calls(), 1);
    for waiter in waiters {
        let answer = waiter.join().unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.header("x-tidegate-queue-ms").is_some());
    }
    assert_eq!((gateway.send(&says("now")).status, sim.calls()), (200, 5));
}

#[test]
fn p6_who_says_it_is_away_for_longer_than_a_call_can_wait_is_not_waited_for() {
    let sim = Sim::start();
    sim.behave(Behaviour {
        fault: "status:429".parse().unwrap(),
        retry_after: Some("20".into()),
        ..Behaviour::default()
    });
    let config = Config::new().provider("a", WIRE, sim.addr()).model("m", &["a"]);
    let gateway = Gateway::start(config.set("queue = { max = 5, wait_max = \"20ms\" }"));
    assert_eq!(gateway.send(&says("first")).status, 429);
    let answer = gateway.send(&says("second"));
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (429, Some("all_targets_cooling")));
    assert_eq!(answer.header("x-tidegate-queue-ms"), None);
}

/// Words of the requests in the order they came upstream, the first left out.
fn order(sim: &Sim) -> Vec<String> {
    let said = |request: &tidegate::sim::Captured| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    sim.requests().iter().skip(1).map(said).collect()
}

#[test]
fn p6_tenants_are_served_in_turn_and_a_priority_goes_before() {
    let sim = Sim::start();
    let keys = config(&sim, &[QUEUE])
        .key("burst", "sk-burst")
        .key("other", "sk-other")
        .key("first", "sk-first")
        .set("priority = \"high\"");
    let gateway = Gateway::start(keys);
    let stream = held(&gateway);
    let mut waiters: Vec<_> =
        (0..5).map(|n| waiting(&gateway, says(&format!("burst {n}")).key("sk-burst"))).collect();
    waiters.push(waiting(&gateway, says("low").key("sk-other").header("x-tidegate-priority", "low")));
    waiters.extend((0..2).map(|n| waiting(&gateway, says(&format!("other {n}")).key("sk-other"))));
    // Its key allows it no more than the others.
    waiters.push(waiting(&gateway, says("test").key(KEY).header("x-tidegate-priority", "high")));
    waiters.push(waiting(&gateway, says("high").key("sk-first")));
    stream.close();
    waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap().status, 200));
    let order = order(&sim);
    let place = |words: &str| order.iter().position(|held| held == words).unwrap();
    assert_eq!((place("high"), place("low"), order.len()), (0, 9, 10), "{order:?}");
    assert!(place("other 0") <= 3 && place("other 1") <= 6 && place("test") <= 3, "{order:?}");
    let burst: Vec<usize> = (0..5).map(|n| place(&format!("burst {n}"))).collect();
    assert!(burst.is_sorted(), "{order:?}");
}

#[test]
fn p6_a_reload_with_more_room_calls_those_who_wait_by_the_old_one() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &[QUEUE]));
    let stream = held(&gateway);
    let waiter = waiting(&gateway, says("hello"));
    gateway.reconfigure(&config(&sim, &[QUEUE, "concurrency = { max = 2 }"]));
    gateway.signal("HUP");
    assert_eq!(waiter.join().unwrap().status, 200);
    // What was there before counts against the new limit too.
    let second = held(&gateway);
    let third = waiting(&gateway, says("third"));
    second.close();
    assert_eq!(third.join().unwrap().status, 200);
    drop(stream);
}

fn draining(sim: &Sim) -> Config {
    let config = config(sim, &[QUEUE]).table("server.drain").set("streams_max = \"20s\"");
    config.set("ready_grace = \"2s\"")
}

#[test]
fn t50_who_waits_while_the_process_drains_is_served() {
    let sim = Sim::start();
    let mut gateway = Gateway::start(draining(&sim));
    let stream = held(&gateway);
    let waiter = waiting(&gateway, says("hello"));
    gateway.signal("TERM");
    until("it is leaving", PATIENCE, || gateway.admin_get("/readyz").0 != 200);
    stream.close();
    assert_eq!(waiter.join().unwrap().status, 200);
    assert!(gateway.ended(PATIENCE).success());
}

#[test]
fn t50_who_waits_when_streams_are_cut_is_told_so() {
    let sim = Sim::start();
    let mut gateway = Gateway::start(draining(&sim));
    let _stream = held(&gateway);
    let waiter = waiting(&gateway, says("hello"));
    gateway.signal("TERM");
    until("it is leaving", PATIENCE, || gateway.admin_get("/readyz").0 != 200);
    gateway.signal("TERM");
    let answer = waiter.join().unwrap();
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (503, Some("draining")));
    gateway.ended(PATIENCE);
}

#[test]
fn p6_calls_that_end_badly_give_their_places_back() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &["failover = { attempts = 1 }", "concurrency = { max = 2 }"]));
    for fault in
        ["status:500", "status:400", "reset-after:1", "not-json", "refuse", "error-after:0", "end-after:1"]
    {
        for is_stream in [false, true] {
            let request = WIRE.request("m", is_stream).fault(fault);
            until(fault, PATIENCE, || {
                let mut answer = gateway.send(&request);
                drop(answer.try_body());
                answer.header("x-tidegate-reason") != Some("all_targets_cooling")
            });
        }
    }
    until("it is well again", PATIENCE, || gateway.send(&says("hello")).status == 200);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
    let both = [held(&gateway), held(&gateway)];
    refused(&mut gateway.send(&says("third")), "all_targets_full");
    drop(both);
}

#[test]
fn p6_a_call_that_is_tried_again_is_not_in_its_own_way() {
    let sim = Sim::start();
    sim.behave(Behaviour {
        fault: "status:500".parse().unwrap(),
        fault_first: Some(1),
        ..Behaviour::default()
    });
    let gateway = Gateway::start(config(&sim, &[]));
    let answer = gateway.send(&says("hello"));
    assert_eq!((answer.status, answer.header("x-tidegate-attempts")), (200, Some("2")));
}

#[test]
fn p6_a_learned_limit_begins_low_and_grows_while_the_target_bears_it() {
    let sim = Sim::start();
    sim.behave(Behaviour { delay_first_ms: Some(20), ..Behaviour::default() });
    let limits = "concurrency = { max = 64, adaptive = true, min = 2 }";
    let gateway = Gateway::start(config(&sim, &[limits, QUEUE]));
    let most = thread::scope(|scope| {
        let calls: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut most = 0;
                    for _ in 0..30 {
                        let mut answer = gateway.send(&WIRE.request("m", true));
                        assert_eq!(answer.status, 200);
                        most = most.max(sim.stats().in_flight);
                        answer.events();
                    }
                    most
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).max()
    });
    assert!(most.is_some_and(|most| (3..=64).contains(&most)), "{most:?}");
    assert!(gateway.metric(WAITS, &[("outcome", "served")]) > 0.0, "at first it let two in");
    gateway.metric_becomes("tidegate_queued", &[], 0.0);
    until("no call is open upstream", Duration::from_secs(5), || sim.stats().in_flight == 0);
}

#[test]
fn p6_a_reload_lets_nobody_who_comes_overtake_who_waited_before() {
    let sim = Sim::start();
    let gateway = Gateway::start(config(&sim, &[QUEUE]));
    let stream = held(&gateway);
    let mut waiters: Vec<_> = (0..4).map(|n| waiting(&gateway, says(&format!("before {n}")))).collect();
    gateway.reconfigure(&config(&sim, &["queue = { max = 9, wait_max = \"30s\" }", "drain_max = \"7s\""]));
    gateway.signal("HUP");
    gateway.metric_becomes("tidegate_config_generation", &[], 2.0);
    waiters.extend((0..2).map(|n| waiting(&gateway, says(&format!("after {n}")))));
    stream.close();
    waiters.into_iter().for_each(|waiter| assert_eq!(waiter.join().unwrap().status, 200));
    let expected = ["before 0", "before 1", "before 2", "before 3", "after 0", "after 1"];
    assert_eq!(order(&sim), expected);
}

#[test]
fn p6_a_call_that_found_no_room_is_none_of_its_keys_requests() {
    let sim = Sim::start();
    let limited = config(&sim, &[]).table("keys.test.limits").set("requests_per_minute = 2");
    let gateway = Gateway::start(limited);
    let stream = held(&gateway);
    for _ in 0..5 {
        let mut answer = gateway.send(&says("no room"));
        refused(&mut answer, "all_targets_full");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("1"));
    }
    stream.close();
    until("its place is free again", PATIENCE, || gateway.send(&says("hello")).status == 200);
    assert_eq!(gateway.send(&says("hello")).status, 429, "those that were served count");
}

#[test]
fn p6_who_waits_for_a_target_that_is_taken_out_is_told_at_once() {
    let sim = Sim::start();
    let token = "a-token-of-some-length";
    let config = config(&sim, &[QUEUE]).env("ADMIN", token).table("admin").set("token = \"env:ADMIN\"");
    let gateway = Gateway::start(config);
    let _stream = held(&gateway);
    let waiter = waiting(&gateway, says("hello").header("prefer", "wait=30"));
    let (status, _) = gateway.admin_call(token, "POST", "targets/drain", &json!({ "target": "a/m" }));
    assert_eq!(status, 200);
    let answer = waiter.join().unwrap();
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (503, Some("no_target")));
    assert!(answer.header("x-tidegate-queue-ms").is_some());
    assert_eq!(sim.stats().in_flight, 1, "nobody had to end for it");
}
