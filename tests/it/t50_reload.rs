//! T50, a new configuration while serving: all of it or nothing, and nobody notices.

use crate::harness::{Answer, Config, Gateway, KEY, PATIENCE, Sim, Wire, sse_bytes, until};
use std::time::Duration;
use tidegate::sim::{ScriptedReply, Split};

const WIRE: Wire = Wire::Chat;
const RELOADS: &str = "tidegate_config_reloads_total";

/// One model, by name, with one target.
fn config(model: &str, sim: &Sim) -> Config {
    Config::new().provider("a", WIRE, sim.addr()).model(model, &["a"])
}

fn status(gateway: &Gateway, model: &str) -> u16 {
    gateway.send(&WIRE.request(model, false)).status
}

/// Four words, one each `gap`, the first of which has been read.
fn stream_under_way(gateway: &Gateway, sim: &Sim, gap: Duration) -> Answer {
    let events = WIRE.stream(&["one ", "two ", "three ", "four "], 7, 4);
    let cuts = (2..6).map(|event| sse_bytes(&events[..event]).len()).collect();
    let reply = ScriptedReply { split: Split::At(cuts), gap, ..ScriptedReply::sse(sse_bytes(&events)) };
    sim.answer_next(reply);
    let mut answer = gateway.send(&WIRE.request("m", true));
    assert_eq!(answer.status, 200);
    while answer.event().map(|event| WIRE.text_of(&event)).expect("a first word").is_empty() {}
    answer
}

fn hold_ends_well(stream: &mut Answer) {
    let events = stream.events();
    let text: String = events.iter().map(|event| WIRE.text_of(event)).collect();
    assert_eq!(text, "two three four ");
    assert_eq!(events.last().unwrap().data, "[DONE]");
}

#[test]
fn t50_a_bad_file_is_refused_with_its_errors_and_the_old_one_serves_on() {
    let sim = Sim::start();
    let gateway = Gateway::start(config("m", &sim));
    let bad = config("m2", &sim).table("server").set("worker = 3").table("nonsense").set("a = 1");
    gateway.reconfigure(&bad);
    gateway.signal("HUP");
    until("the bad file is refused", PATIENCE, || gateway.metric(RELOADS, &[("result", "refused")]) >= 1.0);
    assert_eq!(gateway.metric(RELOADS, &[("result", "applied")]), 0.0);
    assert_eq!((status(&gateway, "m"), status(&gateway, "m2")), (200, 404));
    let told = gateway.stderr();
    assert!(told.contains("worker") && told.contains("nonsense"), "both mistakes are told:\n{told}");
    assert!(told.contains("did you mean"), "{told}");
    assert_eq!(gateway.admin_get("/readyz").0, 200);
}

#[test]
fn t50_sighup_while_it_starts_is_a_reload_and_not_the_end() {
    let sim = Sim::start();
    let gateway = Gateway::start_while(config("m", &sim), |gateway| {
        // Who serves is told in this file, before anything is served.
        let pid_file = gateway.dir().join("run/upgrade.pid");
        until("the pid file", PATIENCE, || pid_file.exists());
        gateway.signal("HUP");
    });
    gateway.metric_becomes(RELOADS, &[("result", "applied")], 1.0);
    assert_eq!(status(&gateway, "m"), 200);
}

#[test]
fn t50_half_a_file_changes_nothing() {
    let sim = Sim::start();
    let gateway = Gateway::start(config("m", &sim));
    // The models are new and right, the key's secret is not there: nothing of it is taken.
    let half = config("m2", &sim).table("keys.other").set("secret = \"env:NOT_IN_THE_ENVIRONMENT\"");
    gateway.reconfigure(&half);
    gateway.signal("HUP");
    until("the file is refused", PATIENCE, || gateway.metric(RELOADS, &[("result", "refused")]) >= 1.0);
    assert_eq!((status(&gateway, "m"), status(&gateway, "m2")), (200, 404));
}

#[test]
fn t50_sighup_and_a_changed_file_put_a_good_file_in_force() {
    let sim = Sim::start();
    let gateway = Gateway::start(config("m", &sim));
    gateway.reconfigure(&config("m2", &sim));
    gateway.signal("HUP");
    until("the file is loaded", PATIENCE, || status(&gateway, "m2") == 200);
    assert_eq!(status(&gateway, "m"), 404);
    assert!(gateway.metric(RELOADS, &[("result", "applied")]) >= 1.0);
    // Now without a word: the file is looked at.
    gateway.reconfigure(&config("a-third-model", &sim));
    until("the change is seen", PATIENCE, || status(&gateway, "a-third-model") == 200);
    assert_eq!(status(&gateway, "m2"), 404);
    assert_eq!(gateway.metric(RELOADS, &[("result", "refused")]), 0.0);
}

#[test]
fn t50_a_revoked_key_is_refused_after_the_reload_and_its_stream_ends_well() {
    let sim = Sim::start();
    let gateway = Gateway::start(config("m", &sim));
    let mut stream = stream_under_way(&gateway, &sim, Duration::from_millis(500));
    let revoked = config("m", &sim).key("test", "sk-another-key");
    gateway.reconfigure(&revoked);
    gateway.signal("HUP");
    let request = WIRE.request("m", false);
    until("the key is revoked", PATIENCE, || gateway.send(&request).status == 401);
    assert_eq!(gateway.send(&request.clone().key("sk-another-key")).status, 200);
    hold_ends_well(&mut stream);
}

#[test]
fn t50_a_stream_under_way_keeps_its_configuration() {
    let (old, new) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(config("m", &old));
    let mut stream = stream_under_way(&gateway, &old, Duration::from_millis(700));
    // In the new file the provider is another one, and a stream may be silent for 50 ms only.
    let short = "timeouts = { connect = \"2s\", header = \"10s\", first_token = \"10s\", idle = \"50ms\", total = \"60s\" }";
    gateway.reconfigure(&config("m", &new).set(short));
    gateway.signal("HUP");
    until("new calls go elsewhere", PATIENCE, || {
        assert_eq!(status(&gateway, "m"), 200);
        new.calls() > 0
    });
    hold_ends_well(&mut stream);
    let line = gateway.log_of(&stream);
    assert_eq!((&line["output_tokens"], line.get("reason")), (&4.into(), None), "{line}");
}

#[test]
fn t50_what_a_key_has_used_is_not_forgotten() {
    let sim = Sim::start();
    let limited = |limits: &str| config("m", &sim).key("test", KEY).set(limits);
    let gateway = Gateway::start(limited("limits = { requests_per_minute = 3 }"));
    assert_eq!([status(&gateway, "m"), status(&gateway, "m")], [200, 200]);
    gateway.reconfigure(&limited("limits = { requests_per_minute = 3 }").model("m2", &["a"]));
    gateway.signal("HUP");
    // Asking for a model that is not there uses nothing up; the list of models needs none either.
    until("the file is loaded", PATIENCE, || gateway.metric(RELOADS, &[("result", "applied")]) >= 1.0);
    assert_eq!(status(&gateway, "m"), 200);
    let refused = gateway.send(&WIRE.request("m", false));
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn t50_a_call_under_way_counts_against_the_concurrency_of_the_new_file() {
    let sim = Sim::start();
    let limited = |more: &str| config("m", &sim).model(more, &["a"]).table("keys.test");
    let limited = |more: &str| limited(more).set("limits = { concurrent = 1 }");
    let gateway = Gateway::start(limited("x"));
    let mut stream = stream_under_way(&gateway, &sim, Duration::from_millis(700));
    gateway.reconfigure(&limited("y"));
    gateway.signal("HUP");
    until("the file is loaded", PATIENCE, || gateway.metric(RELOADS, &[("result", "applied")]) >= 1.0);
    assert_eq!(status(&gateway, "m"), 429, "the stream still holds the only place");
    hold_ends_well(&mut stream);
    until("the place is free", PATIENCE, || status(&gateway, "m") == 200);
}
