//! D1, D5, D6, D25, T26, T27, T30: which target a call goes to, by each balance and filter, seen from
//! the client and from the simulators' own counts.

use crate::harness::{Config, Gateway, KEY, Request, Sim, Wire, free_addr};
use serde_json::json;
use tidegate::sim::Behaviour;

/// Providers `a`, `b`, … at these simulators.
fn providers(sims: &[&Sim]) -> Config {
    let names = ["a", "b", "c", "d", "e"];
    sims.iter()
        .zip(names)
        .fold(Config::new(), |config, (sim, name)| config.provider(name, Wire::Chat, sim.addr()))
}

/// A model `m` over these targets.
fn start(config: Config, targets: &str, more: &[&str]) -> Gateway {
    let config = config.table("models.m").set(&format!("targets = [{targets}]"));
    Gateway::start(more.iter().fold(config, |config, line| config.set(line)))
}

fn chat(more: &serde_json::Value) -> Request {
    Wire::Chat.request_with("m", false, more)
}

fn call(gateway: &Gateway) -> String {
    let answer = gateway.send(&chat(&json!({})));
    assert_eq!(answer.status, 200);
    answer.header("x-tidegate-provider").unwrap().to_owned()
}

fn slow(millis: u64) -> Behaviour {
    Behaviour { delay_first_ms: Some(millis), ..Behaviour::default() }
}

#[test]
fn t52_weights_hold_over_few_calls_and_turns_are_turns() {
    let (a, b) = (Sim::start(), Sim::start());
    let weighted = start(providers(&[&a, &b]), "{ provider = \"a\", weight = 3 }, { provider = \"b\" }", &[]);
    for _ in 0..40 {
        call(&weighted);
    }
    assert!((29..=31).contains(&a.calls()) && a.calls() + b.calls() == 40, "{} {}", a.calls(), b.calls());
    let two = "{ provider = \"a\", weight = 3 }, { provider = \"b\" }";
    let in_turn = start(providers(&[&a, &b]), two, &["balance = \"round-robin\""]);
    let order: Vec<String> = (0..4).map(|_| call(&in_turn)).collect();
    assert_eq!(order, ["a", "b", "a", "b"]);
}

#[test]
fn t52_the_choice_is_told_to_the_client_and_the_log() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = start(providers(&[&a, &b]), "{ provider = \"a\" }, { provider = \"b\", weight = 0 }", &[]);
    let answer = gateway.send(&chat(&json!({})));
    let told = "weighted; candidates=1/2; drained=1";
    assert_eq!(answer.header("x-tidegate-route"), Some(told));
    assert_eq!(gateway.log_of(&answer)["route"], told);
}

#[test]
fn t52_the_fastest_target_gets_the_calls() {
    let (a, b) = (Sim::start(), Sim::start());
    a.behave(slow(1_500));
    b.behave(slow(1));
    let gateway =
        start(providers(&[&a, &b]), "{ provider = \"a\" }, { provider = \"b\" }", &["balance = \"fastest\""]);
    for _ in 0..20 {
        call(&gateway);
    }
    assert!(a.calls() <= 2 && b.calls() >= 18, "{} {}", a.calls(), b.calls());
}

#[test]
fn t52_the_cheapest_target_gets_the_calls_and_failover_the_next() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = providers(&[&a, &b])
        .table("catalog.models.\"a/x\"")
        .set("prices = { input = \"10\", output = \"30\" }")
        .table("catalog.models.\"b/x\"")
        .set("prices = { input = \"1\", output = \"3\" }");
    let targets = "{ provider = \"a\", model = \"x\" }, { provider = \"b\", model = \"x\" }";
    let gateway = start(config, targets, &["balance = \"cheapest\""]);
    (0..5).for_each(|_| assert_eq!(call(&gateway), "b"));
    b.fault("status:503");
    assert_eq!(call(&gateway), "a");
}

#[test]
fn t30_a_session_stays_with_its_target_and_its_credential_over_a_restart() {
    let (a, b, c) = (Sim::start(), Sim::start(), Sim::start());
    let gateway = || {
        let config = providers(&[&a, &b, &c]).env("ONE", "sk-one").env("TWO", "sk-two");
        let config = ["a", "b", "c"].into_iter().fold(config, |config, name| {
            config.table(&format!("providers.{name}")).set("api_keys = [\"env:ONE\", \"env:TWO\"]")
        });
        let targets = "{ provider = \"a\" }, { provider = \"b\" }, { provider = \"c\" }";
        start(config, targets, &["balance = \"sticky\""])
    };
    let home = |gateway: &Gateway, header: &str, session: &str| {
        let answer = gateway.send(&chat(&json!({})).header(header, session));
        assert_eq!(answer.status, 200);
        assert!(answer.header("x-tidegate-route").unwrap().contains("; session"));
        let sims = [("a", &a), ("b", &b), ("c", &c)];
        let provider = answer.header("x-tidegate-provider").unwrap().to_owned();
        let sim = sims.iter().find(|(name, _)| *name == provider).unwrap().1;
        (provider, sim.last_request().header("authorization").unwrap().to_owned())
    };
    let first = gateway();
    let homes: Vec<_> = (0..24).map(|n| home(&first, "x-claude-code-session-id", &format!("s{n}"))).collect();
    for (n, held) in homes.iter().enumerate() {
        assert_eq!(&home(&first, "session_id", &format!("s{n}")), held, "session {n}");
    }
    let used: std::collections::BTreeSet<_> = homes.iter().collect();
    assert!(used.len() >= 5, "three targets with two credentials each: {used:?}");
    drop(first);
    let again = gateway();
    for (n, held) in homes.iter().enumerate() {
        assert_eq!(&home(&again, "x-claude-code-session-id", &format!("s{n}")), held, "session {n}");
    }
    let keyed = |key: &str| {
        let answer = again.send(&chat(&json!({ "prompt_cache_key": key })));
        answer.header("x-tidegate-provider").unwrap().to_owned()
    };
    for key in ["k1", "k2", "k3"] {
        let held = keyed(key);
        (0..4).for_each(|_| assert_eq!(keyed(key), held, "{key}"));
    }
}

#[test]
fn t27_a_session_goes_elsewhere_while_its_target_is_down_and_comes_back() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = providers(&[&a, &b]);
    let config = config.table("providers.a").set("cooldown = { base = \"300ms\", max = \"300ms\" }");
    let config = config.table("providers.b").set("cooldown = { base = \"300ms\", max = \"300ms\" }");
    let gateway = start(config, "{ provider = \"a\" }, { provider = \"b\" }", &["balance = \"sticky\""]);
    let at = || {
        let answer = gateway.send(&chat(&json!({})).header("x-session-id", "one"));
        assert_eq!(answer.status, 200);
        answer.header("x-tidegate-provider").unwrap().to_owned()
    };
    let home = at();
    let (ill, other) = if home == "a" { (&a, "b") } else { (&b, "a") };
    ill.fault("status:503");
    (0..8).for_each(|_| assert_eq!(at(), other));
    ill.behave(Behaviour::default());
    crate::harness::until("the session is at home again", crate::harness::PATIENCE, || at() == home);
    (0..8).for_each(|_| assert_eq!(at(), home, "without going to and fro"));
}

#[test]
fn t52_a_split_is_by_session_and_keeps_to_its_percentage() {
    let (a, b) = (Sim::start(), Sim::start());
    let targets = "{ provider = \"a\", weight = 80 }, { provider = \"b\", weight = 20 }";
    let gateway =
        start(providers(&[&a, &b]), targets, &["balance = \"split\"", "session = [\"header:x-user\"]"]);
    let of = |user: usize| {
        let answer = gateway.send(&chat(&json!({})).header("x-user", &format!("user-{user}")));
        answer.header("x-tidegate-provider").unwrap().to_owned()
    };
    let first: Vec<String> = (0..150).map(of).collect();
    let canaries = first.iter().filter(|provider| *provider == "b").count();
    assert!((15..=46).contains(&canaries), "{canaries} of 150");
    (0..150).step_by(7).for_each(|user| assert_eq!(of(user), first[user]));
}

#[test]
fn t26_a_prompt_larger_than_a_targets_window_goes_to_the_other() {
    let (a, b) = (Sim::start(), Sim::start());
    let targets = "{ provider = \"a\", context = 50 }, { provider = \"b\", priority = 2 }";
    let gateway = start(providers(&[&a, &b]), targets, &[]);
    assert_eq!(call(&gateway), "a");
    let long = json!({ "messages": [{ "role": "user", "content": "word ".repeat(100) }] });
    let answer = gateway.send(&chat(&long));
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"));
    assert_eq!(answer.header("x-tidegate-route"), Some("weighted; candidates=1/2; context=1"));
    // Where there is no other, the provider is asked: it knows better.
    let both = "{ provider = \"a\", context = 50 }, { provider = \"b\", context = 60 }";
    let gateway = start(providers(&[&a, &b]), both, &[]);
    assert!(gateway.send(&chat(&long)).header("x-tidegate-route").unwrap().ends_with("; unfit-passed"));
    let strict = start(providers(&[&a, &b]), both, &["on_unfit = \"reject\""]);
    let calls = a.calls() + b.calls();
    let mut answer = strict.send(&chat(&long));
    assert_eq!((answer.status, answer.header("x-tidegate-reason")), (400, Some("no_target")));
    assert!(answer.json().to_string().contains("may serve this request: context"));
    assert_eq!(a.calls() + b.calls(), calls);
}

#[test]
fn t52_what_the_catalogue_says_a_model_lacks_keeps_requests_away_from_it() {
    let (a, b) = (Sim::start(), Sim::start());
    let config = providers(&[&a, &b])
        .table("catalog.models.\"a/x\"")
        .set("tools = false")
        .set("prices = { input = \"1\", output = \"3\" }");
    let targets = "{ provider = \"a\", model = \"x\" }, { provider = \"b\", model = \"x\", priority = 2 }";
    let gateway = start(config, targets, &[]);
    assert_eq!(call(&gateway), "a");
    let tool = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
    let answer = gateway.send(&chat(&json!({ "tools": [tool] })));
    assert_eq!(answer.header("x-tidegate-route"), Some("weighted; candidates=1/2; tools=1"));
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"));
}

#[test]
fn t52_data_stays_where_the_rules_say_whatever_fails() {
    let (a, b) = (Sim::start(), Sim::start());
    let targets = "{ provider = \"a\", region = \"us-east-1\" }, { provider = \"b\", region = \"eu-west-1\", zdr = true }";
    let eu = start(providers(&[&a, &b]), targets, &["data = { regions = [\"eu\"] }"]);
    (0..6).for_each(|_| assert_eq!(call(&eu), "b"));
    b.fault("status:503");
    let answer = eu.send(&chat(&json!({})));
    assert_eq!((answer.status, a.calls()), (503, 0), "no failover out of the region");
    b.behave(Behaviour::default());
    let open = start(providers(&[&a, &b]), targets, &[]);
    for _ in 0..6 {
        let answer = open.send(&chat(&json!({})).header("x-tidegate-region", "eu"));
        assert_eq!(answer.header("x-tidegate-provider"), Some("b"));
        let answer = open.send(&chat(&json!({})).header("x-tidegate-zdr", "true"));
        assert_eq!(answer.header("x-tidegate-provider"), Some("b"));
    }
    let mut nobody = open.send(&chat(&json!({})).header("x-tidegate-region", "ap"));
    assert_eq!((nobody.status, nobody.header("x-tidegate-reason")), (400, Some("no_target")));
    assert!(nobody.json().to_string().contains("region"));
    assert_eq!(a.calls(), 0);
}

#[test]
fn t52_conditions_choose_by_facts_of_the_request_and_an_error_is_a_no() {
    let (a, b, c) = (Sim::start(), Sim::start(), Sim::start());
    let targets = "{ provider = \"a\", when = [\"'batch' in tags\", \"key == 'test'\"] }, \
        { provider = \"b\", priority = 2, when = \"headers['x-plan'] == 'gold'\" }, { provider = \"c\", priority = 3 }";
    let gateway = start(providers(&[&a, &b, &c]), targets, &[]);
    let of = |request: Request| {
        let answer = gateway.send(&request);
        answer.header("x-tidegate-provider").unwrap().to_owned()
    };
    assert_eq!(of(chat(&json!({})).header("x-tidegate-tags", "eu, batch")), "a");
    assert_eq!(of(chat(&json!({})).header("x-plan", "gold")), "b");
    assert_eq!(of(chat(&json!({}))), "c");
    assert!(gateway.metric("tidegate_route_condition_errors_total", &[]) >= 1.0);
    // Neither the tags nor a credential reach a provider by it.
    assert!(a.last_request().header("x-tidegate-tags").is_none());
    assert!(!String::from_utf8_lossy(&a.last_request().body).contains(KEY));
}

#[test]
fn t52_groups_fall_back_from_one_balance_to_the_next() {
    let sims: Vec<Sim> = (0..4).map(|_| Sim::start()).collect();
    let targets = "{ balance = \"round-robin\", targets = [{ provider = \"a\" }, { provider = \"b\" }] }, \
        { priority = 2, when = \"!stream\", targets = [{ provider = \"c\" }] }, { provider = \"d\", priority = 3 }";
    let gateway =
        start(providers(&sims.iter().collect::<Vec<_>>()), targets, &["failover = { attempts = 4 }"]);
    assert_eq!([call(&gateway), call(&gateway)], ["a", "b"]);
    sims[0].fault("status:503");
    sims[1].fault("status:503");
    assert_eq!(call(&gateway), "c");
    let stream = gateway.send(&Wire::Chat.request("m", true));
    assert_eq!(stream.header("x-tidegate-provider"), Some("d"));
    assert!(stream.header("x-tidegate-route").unwrap().contains("denied=1"));
}

#[test]
fn d6_the_share_of_retries_is_bounded() {
    let (a, b) = (Sim::with_fault("status:500"), Sim::start());
    let gateway = with_few_retries(a.addr(), &b);
    let mut refused = 0;
    for _ in 0..100 {
        let answer = gateway.send(&chat(&json!({})));
        match answer.status {
            200 => assert_eq!(answer.header("x-tidegate-provider"), Some("b")),
            _ => {
                refused += 1;
                assert!(answer.header("x-tidegate-route").unwrap().ends_with("; no-retry-left"));
                assert_eq!(answer.header("x-tidegate-attempts"), Some("1"));
            }
        }
    }
    let taken = gateway.metric("tidegate_retries_total", &[("outcome", "taken")]);
    let denied = gateway.metric("tidegate_retries_total", &[("outcome", "refused")]);
    assert!(taken <= 20.0 && denied as u32 == refused && refused > 0, "{taken} {denied} {refused}");
}

/// Calls of b are retries of calls that failed at a.
fn with_few_retries(a: std::net::SocketAddr, b: &Sim) -> Gateway {
    let config = Config::new().provider("a", Wire::Chat, a).provider("b", Wire::Chat, b.addr());
    start(
        config.table("providers.a").set("cooldown = { base = \"1ms\", max = \"1ms\" }"),
        "{ provider = \"a\" }, { provider = \"b\", priority = 2 }",
        &["failover = { retry_percent = 20, retry_min = 4 }"],
    )
}

#[test]
fn d1_a_call_that_got_no_connection_costs_no_retry() {
    let b = Sim::start();
    let gateway = with_few_retries(free_addr(), &b);
    for _ in 0..50 {
        assert_eq!(gateway.send(&chat(&json!({}))).status, 200);
    }
    assert_eq!((b.calls(), gateway.metric("tidegate_retries_total", &[("outcome", "taken")])), (50, 0.0));
}

#[test]
fn d6_with_more_than_half_failing_the_failing_are_asked_behind_the_well() {
    let sims: Vec<Sim> = (0..3).map(|_| Sim::start()).collect();
    let three = "{ provider = \"a\" }, { provider = \"b\" }, { provider = \"c\" }";
    let config =
        ["a", "b", "c"].into_iter().fold(providers(&sims.iter().collect::<Vec<_>>()), |config, name| {
            config.table(&format!("providers.{name}")).set("cooldown = { base = \"30s\", max = \"30s\" }")
        });
    let gateway = start(config, three, &["failover = { attempts = 3 }"]);
    sims[0].fault("status:500");
    sims[1].fault("status:500");
    let mut answer = gateway.send(&chat(&json!({})));
    for _ in 0..30 {
        assert_eq!(answer.status, 200);
        answer = gateway.send(&chat(&json!({})));
    }
    assert!(answer.header("x-tidegate-route").unwrap().contains("cooling=2; panic"));
    assert_eq!(
        (answer.header("x-tidegate-provider"), answer.header("x-tidegate-attempts")),
        (Some("c"), Some("1"))
    );
    // The well one fails too: the others have come back meanwhile, and nobody has noticed.
    sims[0].behave(Behaviour::default());
    sims[1].behave(Behaviour::default());
    sims[2].fault("status:500");
    let answer = gateway.send(&chat(&json!({})));
    assert_eq!((answer.status, answer.header("x-tidegate-attempts")), (200, Some("2")));
}
