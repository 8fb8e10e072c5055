//! T15 and T16: a client that leaves takes its upstream call with it, whatever the call is doing.

use crate::harness::{
    Answer, Ca, Config, Connection, Gateway, Http2, PATIENCE, Request, Sim, Wire, block_on, until,
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The bound of the scenario.
const SOON: Duration = Duration::from_secs(1);

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]))
}

/// Sends a stream that goes silent after its first content, and reads that.
fn held(gateway: &Gateway, wire: Wire) -> Answer {
    first_content(gateway.send(&wire.request("m", true).fault("hold")), wire)
}

fn first_content(mut answer: Answer, wire: Wire) -> Answer {
    assert_eq!(answer.status, 200);
    while wire.text_of(&answer.event().unwrap()).is_empty() {}
    answer
}

/// The upstream has been told, in time.
fn hold_cancelled(sim: &Sim, aborted: u64, left_at: Instant, what: &str) {
    until(what, PATIENCE, || sim.stats().aborted == aborted);
    let took = left_at.elapsed();
    assert!(took <= SOON, "{what}: the upstream was cancelled only {took:?} after the client had left");
}

fn hold_nothing_left(gateway: &Gateway, sims: &[&Sim]) {
    for sim in sims {
        until("no call is open upstream", PATIENCE, || sim.stats().in_flight == 0);
    }
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
    gateway.metric_becomes("tidegate_open_streams", &[], 0.0);
}

fn aborted_line(gateway: &Gateway) -> Value {
    gateway.log_where("a line of the client that left", |line| line["client_aborted"] == true)
}

#[test]
fn t15_a_fin_or_a_reset_in_a_silent_stream_cancels_the_upstream_within_a_second() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        let answer = held(&gateway, wire);
        let left_at = Instant::now();
        answer.close();
        hold_cancelled(&sim, 1, left_at, &format!("{wire:?} FIN"));
        let answer = held(&gateway, wire);
        let left_at = Instant::now();
        answer.reset();
        hold_cancelled(&sim, 2, left_at, &format!("{wire:?} RST"));
        assert_eq!(sim.calls(), 2);
        hold_nothing_left(&gateway, &[&sim]);
        gateway.metric_becomes("tidegate_client_aborts_total", &[], 2.0);
        let line = aborted_line(&gateway);
        assert_eq!((&line["status"], &line["stream"]), (&200.into(), &true.into()), "{wire:?}: {line}");
        until("the connections are gone", PATIENCE, || sim.stats().connections_open == 0);
    }
}

#[test]
fn t15_leaving_a_stream_under_way_cancels_the_upstream_within_a_second() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let request =
        Wire::Chat.request("m", true).header("x-sim-tokens", "8000").header("x-sim-delay-token-ms", "5");
    let answer = first_content(gateway.send(&request), Wire::Chat);
    let left_at = Instant::now();
    answer.close();
    hold_cancelled(&sim, 1, left_at, "a stream under way");
    hold_nothing_left(&gateway, &[&sim]);
}

#[test]
fn t15_an_http2_reset_cancels_its_call_alone_and_a_lost_connection_all_of_them() {
    let (sim, ca) = (Sim::start(), Ca::new());
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]).tls(&ca);
    let gateway = Gateway::start(config);
    let request = Wire::Chat.request("m", true).fault("hold");
    block_on(async {
        let mut client = Http2::open(gateway.tls(), &ca).await;
        let mut first = client.send(&request).await;
        let mut second = client.send(&request).await;
        assert!(first.chunk().await.unwrap().is_some() && second.chunk().await.unwrap().is_some());
        assert_eq!(sim.stats().in_flight, 2);
        let left_at = Instant::now();
        first.reset();
        hold_cancelled(&sim, 1, left_at, "RST_STREAM");
        assert_eq!(sim.stats().in_flight, 1, "the other stream goes on");
        let left_at = Instant::now();
        client.drop_connection();
        drop(second);
        hold_cancelled(&sim, 2, left_at, "lost HTTP/2 connection");
    });
    hold_nothing_left(&gateway, &[&sim]);
}

#[test]
fn t15_a_hundred_clients_that_leave_leave_no_open_call_or_connection_behind() {
    let (sim, ca) = (Sim::start(), Ca::new());
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]).tls(&ca);
    let gateway = Gateway::start(config);
    for round in 0..100 {
        match round % 4 {
            0 => held(&gateway, Wire::Chat).close(),
            1 => held(&gateway, Wire::Chat).reset(),
            way => block_on(async {
                let mut client = Http2::open(gateway.tls(), &ca).await;
                let mut answer = client.send(&Wire::Chat.request("m", true).fault("hold")).await;
                assert!(answer.chunk().await.unwrap().is_some());
                if way == 2 {
                    answer.reset();
                    until("the reset is noticed", PATIENCE, || sim.stats().aborted == round + 1);
                } else {
                    client.drop_connection();
                }
            }),
        }
    }
    until("all are cancelled", PATIENCE, || sim.stats().aborted == 100);
    until("the connections are gone", PATIENCE, || sim.stats().connections_open == 0);
    assert_eq!(sim.calls(), 100);
    hold_nothing_left(&gateway, &[&sim]);
    gateway.metric_becomes("tidegate_client_aborts_total", &[], 100.0);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200, "and it still serves");
}

/// Leaves, without having got an answer, once the upstream has the call.
fn leave_unanswered(gateway: &Gateway, sim: &Sim, request: &Request, what: &str) {
    let before = sim.stats();
    let mut connection = Connection::open(gateway.addr());
    connection.send(request);
    until("the call is upstream", PATIENCE, || {
        sim.stats().in_flight > 0 && sim.calls() == before.requests + 1
    });
    let left_at = Instant::now();
    connection.close();
    hold_cancelled(sim, before.aborted + 1, left_at, what);
}

#[test]
fn t16_leaving_while_the_upstream_has_not_answered_cancels_the_call() {
    for wire in Wire::ALL {
        for is_stream in [false, true] {
            for fault in ["black-hole", "slow-header:30000"] {
                let sim = Sim::start();
                let gateway = gateway(wire, &sim);
                let what = format!("{wire:?} stream={is_stream} {fault}");
                leave_unanswered(&gateway, &sim, &wire.request("m", is_stream).fault(fault), &what);
                hold_nothing_left(&gateway, &[&sim]);
                let line = aborted_line(&gateway);
                assert_eq!((&line["status"], &line["attempts"]), (&0.into(), &1.into()), "{what}: {line}");
                assert_eq!(sim.calls(), 1, "{what}: no further attempt");
            }
        }
    }
}

#[test]
fn t16_an_http2_reset_before_the_answer_cancels_the_call() {
    let (sim, ca) = (Sim::with_fault("black-hole"), Ca::new());
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]).tls(&ca);
    let gateway = Gateway::start(config);
    block_on(async {
        let mut client = Http2::open(gateway.tls(), &ca).await;
        for (number, is_stream) in [(1, false), (2, true)] {
            let call = client.begin(&Wire::Chat.request("m", is_stream)).await;
            until("the call is upstream", PATIENCE, || sim.calls() == number);
            let left_at = Instant::now();
            call.reset();
            hold_cancelled(&sim, number, left_at, "RST_STREAM before the answer");
        }
    });
    hold_nothing_left(&gateway, &[&sim]);
    assert_eq!(aborted_line(&gateway)["status"], 0);
}

#[test]
fn t16_leaving_while_the_answer_drips_in_cancels_the_call() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let request = Wire::Chat.request("m", false).fault("slow-drip:20");
    leave_unanswered(&gateway, &sim, &request, "an answer in one piece");
    let request = Wire::Chat.request("m", true).fault("slow-drip:20");
    leave_unanswered(&gateway, &sim, &request, "a stream before its first event");
    hold_nothing_left(&gateway, &[&sim]);
}

#[test]
fn t16_leaving_during_back_off_ends_the_attempts() {
    for round in 0..4 {
        let sim = Sim::with_fault("status:503");
        let config = Config::new()
            .provider("a", Wire::Chat, sim.addr())
            .model("m", &["a"])
            .set("failover = { attempts = 10 }");
        let gateway = Gateway::start(config);
        let mut connection = Connection::open(gateway.addr());
        connection.send(&Wire::Chat.request("m", round % 2 == 0));
        until("the first attempt has failed", PATIENCE, || sim.calls() >= 1);
        connection.close();
        let line = aborted_line(&gateway);
        let calls = sim.calls();
        assert_eq!(line["attempts"], calls, "{line}");
        // Five failures in a row would have cooled the target and ended the call by themselves.
        assert!(calls < 5, "attempts went on: {line}");
        hold_nothing_left(&gateway, &[&sim]);
        assert_eq!(sim.calls(), calls);
    }
}

#[test]
fn t16_leaving_while_a_second_target_is_waited_for_cancels_that_one() {
    let (a, b) = (Sim::with_fault("status:500"), Sim::with_fault("black-hole"));
    let config = Config::new()
        .provider("a", Wire::Messages, a.addr())
        .provider("b", Wire::Messages, b.addr())
        .model("m", &["a", "b"]);
    let gateway = Gateway::start(config);
    leave_unanswered(&gateway, &b, &Wire::Messages.request("m", true), "the second target");
    hold_nothing_left(&gateway, &[&a, &b]);
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[test]
fn t16_leaving_before_the_body_is_whole_calls_no_upstream() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let whole = Wire::Chat.request("m", false).to_bytes("edge");
    let mut connection = Connection::open(gateway.addr());
    connection.send_raw(&whole[..whole.len() - 5]);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 1.0);
    connection.close();
    let line = aborted_line(&gateway);
    assert_eq!((&line["status"], &line["attempts"]), (&0.into(), &0.into()), "{line}");
    assert_eq!(sim.calls(), 0);
    hold_nothing_left(&gateway, &[&sim]);
}
