//! D4, O9: providers are asked beside their calls whether they are well and how busy they are, and calls go
//! by it before any of them fails.

use crate::harness::{Config, Connection, Gateway, PATIENCE, Sim, Wire, until};
use std::collections::BTreeMap;
use tidegate::sim::{Behaviour, EngineOptions, Scenario};

const PROBE: &str = "health = { probe = \"GET /health\", every = \"100ms\", timeout = \"100ms\", unhealthy_after = 2, healthy_after = 2 }";

fn start(sims: &[(&str, &Sim, &str)], targets: &str, more: &[&str]) -> Gateway {
    let config = sims.iter().fold(Config::new(), |config, (name, sim, health)| {
        config.provider(name, Wire::Chat, sim.addr()).set(health)
    });
    let config = config.table("models.m").set(&format!("targets = [{targets}]"));
    Gateway::start(more.iter().fold(config, |config, line| config.set(line)))
}

/// Calls that are no probes.
fn chats(sim: &Sim) -> u64 {
    sim.stats().by_path.get("/v1/chat/completions").copied().unwrap_or_default()
}

/// One path alone misbehaves.
fn fault_at(sim: &Sim, path: &str, fault: &str) {
    let behaviour = Behaviour { fault: fault.parse().unwrap(), ..Behaviour::default() };
    sim.set_scenario(Scenario {
        models: BTreeMap::from([(path.to_owned(), behaviour)]),
        ..Scenario::default()
    });
}

fn targets_are(gateway: &Gateway, state: &str, count: f64) {
    gateway.metric_becomes("tidegate_targets", &[("state", state)], count);
}

const TWO: &str = "{ provider = \"a\" }, { provider = \"b\" }";

#[test]
fn t60_a_target_dead_to_probes_is_left_before_a_call_fails_and_warms_up_when_it_is_back() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(&[("a", &a, PROBE), ("b", &b, PROBE)], TWO, &["balance = \"least-busy\""]);
    targets_are(&gateway, "ready", 2.0);
    fault_at(&a, "/health", "status:503");
    targets_are(&gateway, "unhealthy", 1.0);
    let before = chats(&a);
    for _ in 0..20 {
        let answer = gateway.send(&Wire::Chat.request("m", false));
        assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("b")));
        assert!(answer.header("x-tidegate-route").unwrap().ends_with("; candidates=1/2; unhealthy=1"));
        assert_eq!(answer.header("x-tidegate-attempts"), Some("1"));
    }
    assert_eq!(chats(&a), before, "calls would have been answered there, and none came");
    a.set_scenario(Scenario::default());
    targets_are(&gateway, "warming", 1.0);
    until("it takes calls again", PATIENCE, || {
        gateway.send(&Wire::Chat.request("m", false)).header("x-tidegate-provider") == Some("a")
    });
    assert!(gateway.metric("tidegate_probes_total", &[("provider", "a"), ("outcome", "failed")]) >= 2.0);
    assert_eq!(gateway.metric("tidegate_probes_total", &[("provider", "b"), ("outcome", "failed")]), 0.0);
}

#[test]
fn t60_a_probe_never_keeps_calls_from_the_last_target() {
    let (a, b) = (Sim::start(), Sim::start());
    let sims = [("a", &a, PROBE), ("b", &b, PROBE)];
    let both = start(&sims, TWO, &["panic = 100"]);
    let alone = start(&sims[..1], "{ provider = \"a\" }", &[]);
    for sim in [&a, &b] {
        fault_at(sim, "/health", "black-hole");
    }
    targets_are(&both, "unhealthy", 2.0);
    targets_are(&alone, "unhealthy", 1.0);
    for _ in 0..6 {
        let answer = both.send(&Wire::Chat.request("m", false));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-tidegate-route"), Some("weighted; candidates=2/2; unhealthy=2; panic"));
        assert_eq!(alone.send(&Wire::Chat.request("m", false)).status, 200);
    }
}

#[test]
fn t60_a_list_of_models_is_asked_for_with_the_credential_and_a_port_without_a_word() {
    let (a, b) = (Sim::start(), Sim::start());
    let probe = |what| format!("health = {{ probe = \"{what}\", every = \"100ms\", unhealthy_after = 1 }}");
    let (models, tcp) = (probe("models"), probe("tcp"));
    let config = Config::new().provider("a", Wire::Chat, a.addr()).set(&models);
    let config = config.set("api_key = \"env:KEY_A\"").env("KEY_A", "sk-a");
    let config = config.provider("b", Wire::Chat, b.addr()).set(&tcp).model("m", &["a", "b"]);
    let gateway = Gateway::start(config);
    until("it is asked", PATIENCE, || a.calls() > 0);
    let asked = a.last_request();
    assert_eq!((asked.target.as_str(), asked.header("authorization")), ("/v1/models", Some("Bearer sk-a")));
    // A refused credential is the credential's trouble.
    fault_at(&a, "/models", "status:401");
    let failed =
        |provider| gateway.metric("tidegate_probes_total", &[("provider", provider), ("outcome", "failed")]);
    let ok = |provider| gateway.metric("tidegate_probes_total", &[("provider", provider), ("outcome", "ok")]);
    let before = ok("a");
    until("it is asked again", PATIENCE, || ok("a") > before + 1.0 && ok("b") > 1.0);
    assert_eq!((failed("a"), failed("b"), b.calls()), (0.0, 0.0, 0));
    drop(b);
    targets_are(&gateway, "unhealthy", 1.0);
    fault_at(&a, "/models", "status:500");
    targets_are(&gateway, "unhealthy", 2.0);
}

const SCRAPE: &str = "health = { scrape = \"vllm\", every = \"100ms\", timeout = \"100ms\", queue_max = 1 }";

#[test]
fn t60_calls_of_others_at_a_server_count_and_a_long_queue_spills_over() {
    let (a, b, c) = (Sim::start(), Sim::start(), Sim::start());
    let engine = EngineOptions { slots: 2, ..EngineOptions::default() };
    let holding = Behaviour { fault: "hold".parse().unwrap(), ..Behaviour::default() };
    let models = BTreeMap::from([("theirs".to_owned(), holding)]);
    let scenario = Scenario { engine: Some(engine), models, ..Scenario::default() };
    [&a, &b].into_iter().for_each(|sim| sim.set_scenario(scenario.clone()));
    let targets = "{ name = \"pool\", balance = \"least-busy\", targets = [{ provider = \"a\" }, { provider = \"b\" }] }, { provider = \"c\", priority = 2 }";
    let gateway = start(&[("a", &a, SCRAPE), ("b", &b, SCRAPE), ("c", &c, "")], targets, &[]);
    let load = |provider| {
        let of = |what: &str| gateway.metric(&format!("tidegate_server_{what}"), &[("provider", provider)]);
        (of("running"), of("waiting"))
    };
    let theirs = |sim: &Sim, count: usize| -> Vec<Connection> {
        let open = |_| {
            let mut connection = Connection::open(sim.addr());
            connection.send(&Wire::Chat.request("theirs", true));
            connection
        };
        (0..count).map(open).collect()
    };
    let at =
        || gateway.send(&Wire::Chat.request("m", false)).header("x-tidegate-provider").unwrap().to_owned();
    let one = theirs(&a, 1);
    until("the other's call is seen", PATIENCE, || load("a") == (1.0, 0.0));
    (0..10).for_each(|_| assert_eq!(at(), "b", "the one that is less busy, by its own count"));
    let many = [theirs(&a, 3), theirs(&b, 4)];
    until("the queues are seen", PATIENCE, || load("a") == (2.0, 2.0) && load("b") == (2.0, 2.0));
    targets_are(&gateway, "crowded", 2.0);
    let answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("c")));
    assert!(answer.header("x-tidegate-route").unwrap().contains("crowded=2"));
    drop((one, many));
    targets_are(&gateway, "ready", 3.0);
    until("the pool is back", PATIENCE, || at() != "c");
}

#[test]
fn t60_a_server_that_was_started_anew_has_nothing_cached() {
    let (a, b) = (Sim::start(), Sim::start());
    let scenario = Scenario { engine: Some(EngineOptions::default()), ..Scenario::default() };
    [&a, &b].into_iter().for_each(|sim| sim.set_scenario(scenario.clone()));
    let gateway = start(&[("a", &a, SCRAPE), ("b", &b, SCRAPE)], TWO, &["balance = \"prefix\""]);
    let scraped =
        |provider| gateway.metric("tidegate_scrapes_total", &[("provider", provider), ("outcome", "ok")]);
    until("both have told their start", PATIENCE, || scraped("a") > 0.0 && scraped("b") > 0.0);
    let long = serde_json::json!({ "messages": [{ "role": "user", "content": "word ".repeat(400) }] });
    let ask = || {
        let answer = gateway.send(&Wire::Chat.request_with("m", false, &long));
        answer.header("x-tidegate-route").unwrap().to_owned()
    };
    assert!(ask().ends_with("cached=0"));
    assert!(ask().ends_with("cached=100"));
    [&a, &b].into_iter().for_each(|sim| sim.set_scenario(scenario.clone()));
    gateway.metric_becomes("tidegate_prefix_held", &[], 0.0);
    assert!(ask().ends_with("cached=0"));
    // One that no longer tells anything is not believed for ever.
    [&a, &b].into_iter().for_each(|sim| sim.set_scenario(Scenario::default()));
    until("it is told", PATIENCE, || {
        gateway.metric("tidegate_scrapes_total", &[("provider", "a"), ("outcome", "failed")]) > 0.0
    });
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 200);
}

#[test]
fn t60_where_too_many_wait_at_the_only_target_that_is_said() {
    let a = Sim::start();
    let engine = EngineOptions { slots: 1, ..EngineOptions::default() };
    let holding = Behaviour { fault: "hold".parse().unwrap(), ..Behaviour::default() };
    let models = BTreeMap::from([("theirs".to_owned(), holding)]);
    a.set_scenario(Scenario { engine: Some(engine), models, ..Scenario::default() });
    let gateway = start(&[("a", &a, SCRAPE)], "{ provider = \"a\" }", &[]);
    let _theirs: Vec<Connection> = (0..4)
        .map(|_| {
            let mut connection = Connection::open(a.addr());
            connection.send(&Wire::Chat.request("theirs", true));
            connection
        })
        .collect();
    targets_are(&gateway, "crowded", 1.0);
    let answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (503, Some("all_targets_full")));
}
