//! Mirrors: copies of answered calls go to a second target. The client sees nothing of it, whatever becomes
//! of the copy; nothing is charged or held against the model; the metrics compare the two.

use crate::harness::{
    Answer, Config, Connection, Gateway, PATIENCE, Request, Scripted, Sim, Wire, sse_bytes, until,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use tidegate::sim::{Behaviour, Scenario, ScriptedReply};

const COPIES: &str = "tidegate_mirror_requests_total";
const ALL: &str = "share = 100";

/// Providers `a`, which serves `m`, and `b`, which gets copies as `shadow`.
fn config((a, wire): (&Sim, Wire), (b, other): (&Sim, Wire), mirror: &str) -> Config {
    Config::new()
        .provider("a", wire, a.addr())
        .provider("b", other, b.addr())
        .set("api_key = \"env:KEY_B\"")
        .env("KEY_B", "sk-b")
        .set("cooldown = { base = \"60s\", max = \"60s\" }")
        .model("m", &["a"])
        .set(&format!("mirror = {{ provider = \"b\", model = \"shadow\", {mirror} }}"))
}

fn start(a: &Sim, b: &Sim, mirror: &str) -> Gateway {
    Gateway::start(config((a, Wire::Chat), (b, Wire::Chat), mirror))
}

fn copies(gateway: &Gateway, outcome: &str) -> f64 {
    gateway.metric(COPIES, &[("outcome", outcome)])
}

fn copied(gateway: &Gateway, outcome: &str, count: f64) {
    gateway.metric_becomes(COPIES, &[("outcome", outcome)], count);
    gateway.metric_becomes("tidegate_mirror_in_flight", &[], 0.0);
}

/// A stream of `wire` that says so many words, and reports as many tokens.
fn stream(wire: Wire, words: usize) -> ScriptedReply {
    let events: Vec<Scripted> = wire.stream(&vec!["word "; words], 10, words as u64);
    ScriptedReply::sse(sse_bytes(&events))
}

/// What a client got, but for what names the request or measures it.
fn got(answer: &mut Answer) -> (u16, Vec<(String, String)>, String) {
    let differs = |name: &str| ["date", "x-tidegate-request-id", "x-tidegate-overhead-us"].contains(&name);
    let body = String::from_utf8(answer.body()).unwrap();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    (answer.status, headers.filter(|(name, _)| !differs(name)).collect(), body)
}

#[test]
fn t61_each_call_is_copied_once_and_the_client_gets_the_same_bytes_as_without_a_mirror() {
    for wire in Wire::ALL {
        let (a, b, c) = (Sim::start(), Sim::start(), Sim::start());
        // In another protocol than the client's, too.
        let foreign = if wire == Wire::Messages { Wire::Chat } else { Wire::Messages };
        let config = config((&a, wire), (&b, wire), ALL).provider("c", foreign, c.addr());
        let config = config.model("t", &["a=m"]).set("mirror = { provider = \"c\", share = 100 }");
        let gateway = Gateway::start(config.model("n", &["a=m"]));
        let ask = |model: &str| {
            a.answer_next(stream(wire, 7));
            got(&mut gateway.send(&wire.request(model, true)))
        };
        let without = ask("n");
        for round in 1..=3_u32 {
            for model in ["m", "t"] {
                assert_eq!(ask(model), without, "{wire:?} {model}");
                gateway.metric_becomes(COPIES, &[("model", model), ("outcome", "ok")], f64::from(round));
            }
            let seen = (a.calls(), b.calls(), c.calls());
            assert_eq!(seen, (2 * u64::from(round) + 1, u64::from(round), u64::from(round)), "{wire:?}");
        }
        for (sim, to, name) in [(&b, wire, "shadow"), (&c, foreign, "t")] {
            let copy = sim.last_request();
            assert_eq!(copy.target, to.path(name, true), "{wire:?} to {to:?}");
            let body: Value = serde_json::from_slice(&copy.body).unwrap();
            assert!(body.to_string().contains("Say something."), "{body}");
            assert!(to == Wire::Gemini || body["model"] == name, "{body}");
        }
        let (key, name) = match wire {
            Wire::Chat | Wire::Responses => ("Bearer sk-b", "authorization"),
            Wire::Messages => ("sk-b", "x-api-key"),
            Wire::Gemini => ("sk-b", "x-goog-api-key"),
        };
        assert_eq!(b.last_request().header(name), Some(key));
    }
}

#[test]
fn t61_whole_answers_and_vectors_are_copied_too() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&a, &b, ALL);
    let whole = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}})
    .to_string();
    a.answer_next(ScriptedReply::json(200, whole.clone()));
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).body(), whole.into_bytes());
    copied(&gateway, "ok", 1.0);
    let vectors = Request::post("/v1/embeddings", json!({"model": "m", "input": "a"}).to_string());
    assert_eq!(gateway.send(&vectors).status, 200);
    copied(&gateway, "ok", 2.0);
    assert_eq!(b.last_request().target, "/v1/embeddings");
    // Pictures are dear, and counting is nothing to compare.
    let picture = Request::post("/v1/images/generations", json!({"model": "m", "prompt": "a"}).to_string());
    assert_eq!(gateway.send(&picture).status, 200);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    copied(&gateway, "ok", 3.0);
    assert_eq!((a.calls(), b.calls()), (4, 3));
}

#[test]
fn t61_whatever_becomes_of_the_copy_the_client_gets_its_answer_and_the_model_its_calls() {
    let faults = [
        "status:500",
        "status:401",
        "status:429",
        "status:403",
        "refuse",
        "not-json",
        "empty",
        "error-after:2",
        "reset-after:1",
        "close-after:3",
        "no-terminal",
        "black-hole",
        "hold",
    ];
    let (a, b) = (Sim::start(), Sim::start());
    let mut config = config((&a, Wire::Chat), (&b, Wire::Chat), ALL);
    let mut models = BTreeMap::new();
    for (number, fault) in faults.iter().enumerate() {
        let mirror = format!("provider = \"b\", model = \"s{number}\", share = 100, timeout = \"500ms\"");
        config = config.model(&format!("m{number}"), &["a"]).set(&format!("mirror = {{ {mirror} }}"));
        // Served by the very target that the copies go to.
        config = config.model(&format!("real{number}"), &[&format!("b=s{number}")]);
        let behaviour = Behaviour { fault: fault.parse().unwrap(), ..Behaviour::default() };
        models.insert(format!("s{number}"), behaviour);
    }
    let gateway = Gateway::start(config);
    b.set_scenario(Scenario { models, ..Scenario::default() });
    let of = |number: usize, outcome| {
        gateway.metric(COPIES, &[("model", &format!("m{number}")), ("outcome", outcome)])
    };
    for (number, fault) in faults.iter().enumerate() {
        for _ in 0..8 {
            a.answer_next(stream(Wire::Chat, 3));
            let mut answer = gateway.send(&Wire::Chat.request(&format!("m{number}"), true));
            let (status, _, body) = got(&mut answer);
            assert_eq!((status, body.into_bytes()), (200, stream(Wire::Chat, 3).body), "{fault}");
            assert_eq!(answer.header("x-tidegate-attempts"), Some("1"), "{fault}");
        }
        until("all have ended", PATIENCE, || {
            of(number, "failed") + of(number, "skipped") + of(number, "ok") == 8.0
        });
        assert!(of(number, "failed") >= 1.0 && of(number, "ok") == 0.0, "{fault}");
    }
    // The mirrors are left alone, and nobody else.
    b.set_scenario(Scenario::default());
    for (number, fault) in faults.iter().enumerate() {
        let mut answer = gateway.send(&Wire::Chat.request(&format!("real{number}"), false));
        assert_eq!((answer.status, answer.header("x-tidegate-attempts")), (200, Some("1")), "{fault}");
        answer.body();
    }
    for outcome in ["taken", "refused"] {
        assert_eq!(gateway.metric("tidegate_retries_total", &[("outcome", outcome)]), 0.0);
    }
    assert_eq!(gateway.metric("tidegate_mirror_output_tokens_total", &[]), 0.0, "no pair");
}

#[test]
fn t61_copies_that_fail_leave_the_mirror_alone_for_a_while() {
    let (a, b) = (Sim::start(), Sim::with_fault("status:500"));
    let gateway = start(&a, &b, ALL);
    for round in 1..=12_u32 {
        gateway.send(&Wire::Chat.request("m", false)).body();
        until("it has ended", PATIENCE, || {
            copies(&gateway, "failed") + copies(&gateway, "skipped") == f64::from(round)
        });
    }
    assert_eq!(copies(&gateway, "failed"), b.calls() as f64, "one call a copy: none is tried again");
    assert!((1..=6).contains(&b.calls()), "{}", b.calls());
    assert_eq!(gateway.metric("tidegate_targets", &[("state", "cooling")]), 1.0);
    assert_eq!(gateway.metric("tidegate_targets", &[("state", "ready")]), 1.0);
}

#[test]
fn t61_copies_that_fail_use_up_no_retry_of_the_model() {
    let (a, b) = (Sim::start(), Sim::with_fault("status:404"));
    let config = config((&a, Wire::Chat), (&b, Wire::Chat), ALL).provider("c", Wire::Chat, a.addr());
    let config = config.model("m", &["c=broken", "a"]).table("models.\"m\".failover");
    let gateway = Gateway::start(config.set("retry_min = 1").set("retry_percent = 0"));
    for round in 1..=5_u32 {
        gateway.send(&Wire::Chat.request("m", false)).body();
        copied(&gateway, "failed", f64::from(round));
    }
    let fails = Behaviour { fault: "status:503".parse().unwrap(), ..Behaviour::default() };
    let models = BTreeMap::from([("broken".to_owned(), fails)]);
    a.set_scenario(Scenario { models, ..Default::default() });
    let answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!((answer.status, answer.header("x-tidegate-attempts")), (200, Some("2")));
}

#[test]
fn t61_an_answer_is_whole_while_its_copy_hangs_and_no_more_copies_run_than_may() {
    let (a, b) = (Sim::start(), Sim::with_fault("hold"));
    let gateway = start(&a, &b, "share = 100, in_flight = 2, timeout = \"3s\"");
    for _ in 0..5 {
        assert!(
            Wire::Chat.is_terminal(gateway.send(&Wire::Chat.request("m", true)).events().last().unwrap())
        );
    }
    gateway.metric_becomes("tidegate_mirror_in_flight", &[], 2.0);
    assert_eq!((copies(&gateway, "skipped"), copies(&gateway, "ok")), (3.0, 0.0));
    until("both are there", PATIENCE, || b.stats().in_flight == 2);
    assert_eq!(b.calls(), 2);
    // Their time is up: they are broken off, and others have room.
    copied(&gateway, "failed", 2.0);
    until("the mirror has seen it", PATIENCE, || b.stats().in_flight == 0);
    b.set_scenario(Scenario::default());
    gateway.send(&Wire::Chat.request("m", true)).events();
    copied(&gateway, "ok", 1.0);
}

#[test]
fn t61_no_call_is_copied_that_fails_or_whose_client_leaves_before_its_answer() {
    let (a, b) = (Sim::with_fault("status:500"), Sim::start());
    let gateway = start(&a, &b, ALL);
    assert_eq!(gateway.send(&Wire::Chat.request("m", true)).status, 500);
    a.behave(Behaviour { delay_first_ms: Some(60_000), ..Behaviour::default() });
    let mut left = Connection::open(gateway.addr());
    left.send(&Wire::Chat.request("m", true));
    until("the call is made", PATIENCE, || a.stats().in_flight == 1);
    left.close();
    until("the call has ended", PATIENCE, || a.stats().aborted == 1);
    gateway.metric_becomes("tidegate_client_aborts_total", &[], 1.0);
    a.set_scenario(Scenario::default());
    gateway.send(&Wire::Chat.request("m", true)).events();
    copied(&gateway, "ok", 1.0);
    assert_eq!(b.calls(), 1, "of the one that was answered");
}

#[test]
fn t61_under_load_copies_are_left_out_first() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = config((&a, Wire::Chat), (&b, Wire::Chat), ALL).model("plain", &["a"]);
    let gateway = Gateway::start(config.table("server.shed").set("calls_max = 20"));
    let held = |_| {
        let mut answer = gateway.send(&Wire::Chat.request("plain", true).fault("hold"));
        assert!(answer.event().is_some());
        answer
    };
    let streams: Vec<Answer> = (0..18).map(held).collect();
    gateway.metric_becomes("tidegate_shed_stage", &[], 2.0);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    copied(&gateway, "skipped", 1.0);
    assert_eq!(b.calls(), 0);
    drop(streams);
    gateway.metric_becomes("tidegate_shed_stage", &[], 0.0);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    copied(&gateway, "ok", 1.0);
    assert_eq!(b.calls(), 1);
}

/// One word and two: for a prompt of 10 tokens that is 12 and 14 millionths, and at the mirror ten times more.
fn priced(a: &Sim, b: &Sim, mirror: &str) -> Config {
    config((a, Wire::Chat), (b, Wire::Messages), mirror)
        .table("catalog.models.\"a/m\"")
        .set("prices = { input = \"1\", output = \"2\" }")
        .table("catalog.models.\"b/shadow\"")
        .set("prices = { input = \"10\", output = \"20\" }")
}

fn side(gateway: &Gateway, name: &str) -> (f64, f64) {
    let of = |side| gateway.metric(&format!("tidegate_mirror_{name}"), &[("model", "m"), ("side", side)]);
    (of("primary"), of("mirror"))
}

#[test]
fn t61_both_sides_of_a_pair_are_told_and_nothing_of_half_a_pair() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(priced(&a, &b, ALL));
    let ask = |words: usize, copy: usize| {
        a.answer_next(stream(Wire::Chat, words));
        b.answer_next(stream(Wire::Messages, copy));
        gateway.send(&Wire::Chat.request("m", true))
    };
    for round in 1..=2_u32 {
        assert_eq!(ask(1, 2).status, 200);
        copied(&gateway, "ok", f64::from(round));
    }
    let check = |what: &str| {
        until(what, PATIENCE, || side(&gateway, "output_tokens_total") == (2.0, 4.0));
        assert_eq!(side(&gateway, "cost_picousd_total"), (24e6, 280e6), "{what}");
        assert_eq!(side(&gateway, "seconds_count"), (2.0, 2.0), "{what}");
        let (primary, mirror) = side(&gateway, "seconds_sum");
        assert!(primary > 0.0 && mirror > 0.0, "{what}");
    };
    check("two pairs");
    assert_eq!(gateway.metric("tidegate_mirror_spent_picousd_total", &[("model", "m")]), 280e6);
    // A copy that breaks: the call is no pair.
    a.answer_next(stream(Wire::Chat, 1));
    let cut = stream(Wire::Messages, 40).body;
    b.answer_next(ScriptedReply::sse(cut[..cut.len() / 2].to_vec()));
    gateway.send(&Wire::Chat.request("m", true)).body();
    copied(&gateway, "failed", 1.0);
    // A call that breaks: its copy is none either, and is paid all the same.
    let cut = stream(Wire::Chat, 40).body;
    a.answer_next(ScriptedReply::sse(cut[..cut.len() / 2].to_vec()));
    b.answer_next(stream(Wire::Messages, 2));
    let mut broken = gateway.send(&Wire::Chat.request("m", true));
    assert!(broken.events().iter().any(|event| Wire::Chat.is_error(event)));
    assert_eq!(gateway.log_of(&broken)["reason"], "stream_failed");
    copied(&gateway, "ok", 3.0);
    check("and no third");
    assert!(gateway.metric("tidegate_mirror_spent_picousd_total", &[("model", "m")]) >= 420e6);
}

#[test]
fn t61_the_caller_is_charged_counted_and_limited_as_without_a_mirror() {
    let (a, b) = (Sim::start(), Sim::start());
    let limited = |config: Config| {
        let limits = "limits = { requests_per_minute = 100, tokens_per_minute = 100_000 }";
        let keys = config.table("keys.test").set(limits);
        Gateway::start(keys.set("budget = { usd = \"1\", per = \"total\" }"))
    };
    let with = limited(priced(&a, &b, ALL));
    let without = limited(
        priced(&a, &b, ALL)
            .table("models.\"m\"")
            .set("mirror = { provider = \"b\", model = \"shadow\", share = 0.001 }"),
    );
    let after = |gateway: &Gateway| {
        for _ in 0..3 {
            a.answer_next(stream(Wire::Chat, 5));
            gateway.send(&Wire::Chat.request("m", true)).body();
        }
        a.answer_next(stream(Wire::Chat, 5));
        let mut last = gateway.send(&Wire::Chat.request("m", true));
        let left = ["requests", "tokens"]
            .map(|what| last.header(&format!("x-ratelimit-remaining-{what}")).map(str::to_owned));
        assert!(left.iter().all(Option::is_some), "{:?}", last.headers);
        last.body();
        let sums = [
            "tidegate_cost_picousd_total",
            "tidegate_charged_picousd_total",
            "tidegate_tokens_total",
            "tidegate_requests_total",
        ];
        let line = gateway.log_when(4).pop().unwrap();
        let told = ["input_tokens", "output_tokens", "cost_usd", "attempts", "provider"]
            .map(|name| line[name].clone());
        (left, sums.map(|name| gateway.metric(name, &[("endpoint", "chat_completions")]).to_string()), told)
    };
    let seen = after(&with);
    copied(&with, "ok", 4.0);
    assert_eq!(with.metric("tidegate_cost_picousd_total", &[]), 4.0 * 20e6);
    assert_eq!(with.log_lines().len(), 4, "a line for each request, none for a copy");
    assert_eq!(seen, after(&without));
    assert_eq!((b.calls(), with.metric("tidegate_budget_calls", &[])), (4, 0.0));
}

#[test]
fn t61_a_copy_is_kept_nowhere_names_no_call_and_goes_where_its_data_may() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = config((&a, Wire::Responses), (&b, Wire::Responses), "share = 100, region = \"eu\"");
    let gateway = Gateway::start(config.set("targets = [{ provider = \"a\", region = \"us\" }]"));
    let sent = |more: &Value| {
        let request = Wire::Responses.request_with("m", false, more).header("idempotency-key", "k1");
        let mut answer = gateway.send(&request.header("x-tag", "t"));
        answer.body();
        answer.status
    };
    assert_eq!(sent(&json!({})), 200);
    copied(&gateway, "ok", 1.0);
    assert_eq!(sent(&json!({"store": true})), 200);
    copied(&gateway, "ok", 2.0);
    let body = |sim: &Sim| serde_json::from_slice::<Value>(&sim.last_request().body).unwrap();
    assert_eq!((&body(&a)["store"], &body(&b)["store"]), (&json!(true), &json!(false)));
    assert!(b.requests().iter().all(|copy| copy.header("idempotency-key").is_none()));
    assert_eq!(
        (a.last_request().header("idempotency-key"), b.last_request().header("x-tag")),
        (Some("k1"), Some("t"))
    );
    // What has others act for it is not done twice.
    let tools = json!({"tools": [{"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"}]});
    assert_eq!(sent(&tools), 200);
    copied(&gateway, "unfit", 1.0);
    let there = Wire::Responses.request("m", false).header("x-tidegate-region", "us");
    assert_eq!(gateway.send(&there).status, 200);
    copied(&gateway, "unfit", 2.0);
    assert_eq!((a.calls(), b.calls()), (4, 2));
}

#[test]
fn t61_calls_in_another_hosts_dress_and_with_a_history_kept_here_are_copied_as_they_are_meant() {
    for other in [Wire::Messages, Wire::Chat] {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = Gateway::start(config((&a, Wire::Messages), (&b, other), ALL));
        let body = |version: &str| {
            json!({"anthropic_version": version, "max_tokens": 16, "stream": true,
                "messages": [{"role": "user", "content": "Say something."}]})
        };
        let vertex = "/v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict";
        let mut plain = body("bedrock-2023-05-31");
        plain.as_object_mut().unwrap().remove("stream");
        let aws = "/model/m/invoke-with-response-stream";
        let calls = [(vertex, body("vertex-2023-10-16")), (aws, plain.clone()), ("/model/m/invoke", plain)];
        for (round, (path, body)) in calls.into_iter().enumerate() {
            let mut answer = gateway.send(&Request::post(path, body.to_string()));
            assert_eq!(answer.status, 200, "{path}");
            answer.body();
            copied(&gateway, "ok", round as f64 + 1.0);
            assert_eq!(b.last_request().target, other.path("shadow", true), "{path}");
        }
    }
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = Gateway::start(config((&a, Wire::Messages), (&b, Wire::Responses), ALL));
    let first =
        gateway.send(&Wire::Responses.request_with("m", false, &json!({"input": "The first."}))).json();
    copied(&gateway, "ok", 1.0);
    let next = json!({"input": "The second.", "previous_response_id": first["id"]});
    assert_eq!(gateway.send(&Wire::Responses.request_with("m", false, &next)).status, 200);
    copied(&gateway, "ok", 2.0);
    let copy: Value = serde_json::from_slice(&b.last_request().body).unwrap();
    assert!(copy.to_string().contains("The first.") && copy.get("previous_response_id").is_none(), "{copy}");
    assert_eq!(copy["store"], false);
}

#[test]
fn t61_a_share_is_of_sessions_and_each_is_copied_whole_or_not_at_all() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&a, &b, "share = 50, in_flight = 100");
    for _ in 0..3 {
        for session in 0..20 {
            let request = Wire::Chat.request("m", false).header("x-session-id", &format!("s{session}"));
            assert_eq!(gateway.send(&request).status, 200);
        }
    }
    gateway.metric_becomes("tidegate_mirror_in_flight", &[], 0.0);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for copy in b.requests() {
        *seen.entry(copy.header("x-session-id").unwrap().to_owned()).or_default() += 1;
    }
    assert!(seen.values().all(|count| *count == 3), "{seen:?}");
    assert!((1..20).contains(&seen.len()), "{seen:?}");
    assert_eq!((copies(&gateway, "ok"), copies(&gateway, "skipped")), (b.calls() as f64, 0.0));
}

#[test]
fn t61_the_end_of_the_process_waits_for_no_copy() {
    let (a, b) = (Sim::start(), Sim::with_fault("hold"));
    let config = config((&a, Wire::Chat), (&b, Wire::Chat), "share = 100, timeout = \"10m\"");
    let config = config.table("server.drain").set("streams_max = \"10m\"").set("ready_grace = \"3s\"");
    let mut gateway = Gateway::start(config);
    gateway.send(&Wire::Chat.request("m", true)).events();
    gateway.metric_becomes("tidegate_mirror_in_flight", &[], 1.0);
    until("the copy is there", PATIENCE, || b.stats().in_flight == 1);
    gateway.signal("TERM");
    until("it is about to end", PATIENCE, || gateway.admin_get("/readyz").0 != 200);
    gateway.send(&Wire::Chat.request("m", true)).events();
    gateway.metric_becomes(COPIES, &[("outcome", "skipped")], 1.0);
    assert_eq!(gateway.ended(Duration::from_secs(10)).code(), Some(0));
    until("the mirror has seen it", PATIENCE, || b.stats().in_flight == 0);
}

#[test]
fn t61_a_mirror_can_be_drained_by_hand_and_check_shows_it() {
    let (a, b) = (Sim::start(), Sim::start());
    let token = "a-token-of-some-length";
    let config = config((&a, Wire::Chat), (&b, Wire::Chat), ALL).env("ADMIN", token);
    let gateway = Gateway::start(config.table("admin").set("token = \"env:ADMIN\""));
    let target = json!({ "target": "b/shadow (mirror)" });
    let (status, shown) = gateway.admin_call(token, "POST", "targets/drain", &target);
    assert_eq!((status, &shown["state"]), (200, &json!("drained")), "{shown}");
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    copied(&gateway, "skipped", 1.0);
    assert_eq!(gateway.admin_call(token, "POST", "targets/enable", &target).0, 200);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
    copied(&gateway, "ok", 1.0);
    let file = gateway.dir().join("gateway.toml");
    let check = Command::new(env!("CARGO_BIN_EXE_tidegate")).arg("check").arg(file).output().unwrap();
    let told = String::from_utf8(check.stdout).unwrap();
    assert!(told.ends_with("\n  mirror: m: 100 % of its calls go to b/shadow too\n"), "{told}");
}
