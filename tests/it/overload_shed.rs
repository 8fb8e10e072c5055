//! P6, P8: a gateway with too much to do refuses at the door, in its order, and what runs goes on.

use crate::harness::{Answer, Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use tidegate::sim::Behaviour;

const WIRE: Wire = Wire::Chat;

fn start(sim: &Sim, shed: &str) -> Gateway {
    let config = Config::new().provider("a", WIRE, sim.addr()).model("m", &["a"]);
    Gateway::start(shed.lines().fold(config.table("server.shed"), Config::set))
}

fn held(gateway: &Gateway) -> Answer {
    let mut answer = gateway.send(&WIRE.request("m", true).fault("hold"));
    assert_eq!(answer.status, 200);
    assert!(answer.event().is_some());
    answer
}

fn is_refused(answer: &Answer) -> bool {
    (answer.status, answer.header("x-tidegate-reason")) == (503, Some("overloaded"))
}

#[test]
fn p6_beyond_its_calls_everything_new_is_refused_in_every_dialect_and_what_runs_goes_on() {
    let sim = Sim::start();
    let gateway = start(&sim, "calls_max = 1");
    let slow = WIRE.request("m", true).header("x-sim-tokens", "200").header("x-sim-delay-token-ms", "20");
    let mut stream = gateway.send(&slow);
    assert!(stream.event().is_some());
    gateway.metric_becomes("tidegate_shed_stage", &[], 4.0);
    for wire in Wire::ALL {
        let mut answer = gateway.send(&wire.request("m", false));
        assert!(is_refused(&answer), "{wire:?}: {}", answer.status);
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        assert!(wire.is_error_body(&answer.json()), "{wire:?}");
    }
    assert_eq!(sim.calls(), 1);
    // Who looks whether it is there finds it, and sees why it refuses.
    assert_eq!(gateway.send(&Request::get("/v1/models")).status, 200);
    let (status, body) = gateway.admin_get("/readyz");
    assert_eq!((status, body.as_str()), (200, "ok\nshedding: all\n"));
    assert!(gateway.metric("tidegate_shed_pressure", &[("of", "calls")]) >= 100.0);
    let events = stream.events();
    assert!(WIRE.is_terminal(events.last().unwrap()), "the stream was not touched");
    until("it serves again", PATIENCE, || gateway.send(&WIRE.request("m", false)).status == 200);
    until("it is calm", PATIENCE, || gateway.admin_get("/readyz").1 == "ok\n");
    let told = gateway.stderr();
    assert!(told.contains("shedding: all (calls at 100 %") && told.contains("shedding: calm"), "{told}");
}

#[test]
fn p6_calls_of_low_priority_are_refused_before_others() {
    let sim = Sim::start();
    let gateway = start(&sim, "calls_max = 40");
    let streams: Vec<Answer> = (0..38).map(|_| held(&gateway)).collect();
    gateway.metric_becomes("tidegate_shed_stage", &[], 3.0);
    let low = WIRE.request("m", false).header("x-tidegate-priority", "low");
    assert!(is_refused(&gateway.send(&low)));
    assert_eq!(gateway.send(&WIRE.request("m", false)).status, 200);
    drop(streams);
    until("it is calm", PATIENCE, || gateway.metric("tidegate_shed_stage", &[]) == 0.0);
    assert_eq!(gateway.send(&low).status, 200);
}

#[test]
fn p6_what_calls_can_do_without_is_left_out_first() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = Config::new().provider("a", WIRE, a.addr()).provider("b", WIRE, b.addr());
    let config = config.model("m", &["a", "b"]).set("count = \"exact\"");
    let config = config.set("hedge = { percentile = 95, after_min = \"50ms\", share = 50 }");
    let gateway = Gateway::start(config.table("server.shed").set("calls_max = 20"));
    for _ in 0..40 {
        gateway.send(&WIRE.request("m", true)).events();
    }
    let exact = || gateway.metric("tidegate_counting_total", &[("kind", "exact")]);
    assert_eq!(exact(), 40.0);
    let streams: Vec<Answer> = (0..18).map(|_| held(&gateway)).collect();
    gateway.metric_becomes("tidegate_shed_stage", &[], 2.0);
    let before = exact();
    a.behave(Behaviour { delay_first_ms: Some(500), ..Behaviour::default() });
    let mut answer = gateway.send(&WIRE.request("m", true));
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("a")));
    answer.events();
    assert_eq!((b.calls(), exact()), (0, before), "no second call, and no count where a bound will do");
    drop(streams);
    until("it is calm", PATIENCE, || gateway.metric("tidegate_shed_stage", &[]) == 0.0);
    gateway.send(&WIRE.request("m", true)).events();
    assert_eq!((b.calls(), exact()), (1, before + 1.0));
}

#[test]
fn p6_a_thread_that_comes_late_to_its_work_is_noticed() {
    let sim = Sim::start();
    // Any lateness at all is too much: the probe runs, and what it says is heard.
    let gateway = start(&sim, "lag_max = \"1ms\"");
    drop(gateway.send(&WIRE.request("m", false)));
    until("some lag is seen", PATIENCE, || gateway.metric("tidegate_shed_pressure", &[("of", "lag")]) > 0.0);
}
