//! T18, scaled down: a key's concurrent calls are counted until their last byte, and every way a
//! call can end gives its place back.

use crate::harness::{Answer, Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const LIMIT: usize = 16;
const CALLS: usize = 400;
/// Half the limit, so that no call of the mix is refused for it: a place comes back a moment after the
/// last byte, when the client may be at its next call.
const THREADS: usize = LIMIT / 2;

fn gateway(sim: &Sim) -> Gateway {
    let mut config = Config::new()
        .table("keys.test")
        .set(&format!("limits = {{ concurrent = {LIMIT} }}"))
        .table("log")
        .set("level = \"warn\"");
    for (name, wire) in [("openai", Wire::Chat), ("anthropic", Wire::Messages), ("gemini", Wire::Gemini)] {
        config = config.provider(name, wire, sim.addr()).set("cooldown = { base = \"1ms\", max = \"1ms\" }");
    }
    for (model, provider) in [("gpt", "openai"), ("claude", "anthropic"), ("gem", "gemini")] {
        config = config.model(model, &[provider]).set("failover = { attempts = 1 }").set(
            "timeouts = { connect = \"2s\", header = \"150ms\", first_token = \"5s\", idle = \"150ms\", total = \"30s\" }",
        );
    }
    Gateway::start(config)
}

fn model(wire: Wire) -> &'static str {
    match wire {
        Wire::Chat | Wire::Responses => "gpt",
        Wire::Messages => "claude",
        Wire::Gemini => "gem",
    }
}

/// Calls that end in every way there is. Gives the request, and after how many bytes to leave.
fn mix(number: usize) -> (Request, Option<usize>) {
    let wire = Wire::ALL[number % 4];
    let whole = wire.request(model(wire), false);
    let stream = wire.request(model(wire), true);
    match (number / 4) % 14 {
        0 => (whole, None),
        1 => (stream, None),
        2 => (whole.fault("status:400"), None),
        3 => (stream.fault("status:503"), None),
        4 => (stream.fault("black-hole"), None),
        5 => (stream.fault("hold"), None),
        6 => (stream.fault("hold"), Some(1)),
        7 => (stream.fault("error-after:3"), None),
        8 => (stream.fault("reset-after:3"), None),
        9 => (whole.fault("not-json"), None),
        10 => (stream.header("x-sim-delay-token-ms", "5"), Some(1)),
        11 => (wire.request_of(model(wire), false, "{\"model\": "), None),
        12 => (Request::post("/v1/embeddings", r#"{"model":"gpt","input":"text"}"#), None),
        _ => (wire.request("unknown", false), None),
    }
}

fn run(gateway: &Gateway, number: usize) -> u16 {
    let (request, leaves_after) = mix(number);
    let mut answer = gateway.send(&request);
    let status = answer.status;
    match leaves_after {
        Some(bytes) => {
            while answer.seen().len() < bytes && answer.chunk().unwrap().is_some() {}
            let id = answer.header("x-tidegate-request-id").unwrap().to_owned();
            if number % 8 < 4 {
                answer.close()
            } else {
                answer.reset()
            }
            // Its place is held until the gateway has noticed.
            gateway.log_where("the call's end", |line| line["request_id"] == id.as_str());
        }
        None => drop(answer.try_body()),
    }
    status
}

fn held(gateway: &Gateway) -> Result<Answer, u16> {
    // A held stream falls to its idle timeout; this one speaks now and then.
    let request =
        Wire::Chat.request("gpt", true).header("x-sim-tokens", "4000").header("x-sim-delay-token-ms", "20");
    let mut answer = gateway.send(&request);
    if answer.status == 200 {
        assert!(answer.event().is_some());
        return Ok(answer);
    }
    let status = answer.status;
    assert_eq!(answer.header("x-tidegate-reason"), Some("concurrency_limit_exceeded"));
    assert!(Wire::Chat.is_error_body(&answer.json()));
    Err(status)
}

#[test]
fn t18_after_calls_that_end_in_every_way_all_places_are_free_again() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let next = AtomicUsize::new(0);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let work = || {
            let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            numbers.take_while(|n| *n < CALLS).map(|n| run(&gateway, n)).collect::<Vec<u16>>()
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.len(), CALLS);
    for status in [200, 400, 404, 503] {
        assert!(statuses.contains(&status), "the mix has calls that end in {status}");
    }
    let lines = gateway.log_when(CALLS);
    let refused = lines.iter().filter(|line| line["reason"] == "concurrency_limit_exceeded").count();
    assert_eq!(refused, 0, "no more than {THREADS} calls were open at a time");
    until("no call is open upstream", PATIENCE, || sim.stats().in_flight == 0);
    gateway.metric_becomes("tidegate_requests_in_flight", &[], 0.0);
    gateway.metric_becomes("tidegate_open_streams", &[], 0.0);
    let open: Vec<Answer> =
        (0..LIMIT).map(|place| held(&gateway).unwrap_or_else(|s| panic!("place {place}: {s}"))).collect();
    assert_eq!(held(&gateway).map(|_| ()), Err(429));
    drop(open);
}

#[test]
fn t18_a_stream_holds_its_place_until_its_last_byte_and_a_refused_call_takes_none() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let mut open: Vec<Answer> = (0..LIMIT).map(|_| held(&gateway).unwrap()).collect();
    let calls = sim.calls();
    for _ in 0..5 {
        assert_eq!(held(&gateway).map(|_| ()), Err(429));
    }
    for wire in Wire::ALL {
        let mut answer = gateway.send(&wire.request(model(wire), false));
        assert_eq!(answer.status, 429, "{wire:?}");
        assert!(wire.is_error_body(&answer.json()), "{wire:?}");
    }
    assert_eq!(sim.calls(), calls, "refused calls reach no upstream");
    open.pop().unwrap().close();
    let mut again = None;
    until("one place is free again", PATIENCE, || {
        again = held(&gateway).ok();
        again.is_some()
    });
    assert_eq!(held(&gateway).map(|_| ()), Err(429), "and only one");
    gateway.metric_becomes("tidegate_open_streams", &[], LIMIT as f64);
}

#[test]
fn t18_keys_have_places_of_their_own() {
    let sim = Sim::start();
    let config = Config::new()
        .table("keys.test")
        .set("limits = { concurrent = 1 }")
        .key("other", "sk-other")
        .set("limits = { concurrent = 1 }")
        .provider("a", Wire::Chat, sim.addr())
        .model("gpt", &["a"]);
    let gateway = Gateway::start(config);
    let _held = held(&gateway).unwrap();
    assert_eq!(held(&gateway).map(|_| ()), Err(429));
    assert_eq!(gateway.send(&Wire::Chat.request("gpt", false).key("sk-other")).status, 200);
}
