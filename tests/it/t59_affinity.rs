//! T30, O9: prompts go where they are cached. Which target of a pool, and which credential of a vendor.

use crate::harness::{Answer, Config, Connection, Gateway, PATIENCE, Request, Sim, Wire, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tidegate::sim::{Behaviour, EngineOptions, Scenario};

/// Inference servers with a cache of their own, and a model `m` over them.
fn pool(sims: &[&Sim], more: &[&str]) -> Gateway {
    let names = ["a", "b", "c", "d"];
    for sim in sims {
        sim.set_scenario(engine(Behaviour::default()));
    }
    let named = sims.iter().zip(names);
    let config = named
        .clone()
        .fold(Config::new(), |config, (sim, name)| config.provider(name, Wire::Chat, sim.addr()));
    let targets: Vec<String> = named.map(|(_, name)| format!("{{ provider = \"{name}\" }}")).collect();
    let config = config.table("models.m").set(&format!("targets = [{}]", targets.join(", ")));
    let config = config.set("balance = \"prefix\"").set("failover = { attempts = 4 }");
    Gateway::start(more.iter().fold(config, |config, line| config.set(line)))
}

fn engine(behaviour: Behaviour) -> Scenario {
    Scenario { engine: Some(EngineOptions::default()), ..Scenario::all(behaviour) }
}

/// A conversation after so many turns, with instructions of `long` bytes.
fn turns(name: &str, count: usize, long: usize) -> Value {
    let text = |word: &str| json!(format!("{word} {}", "lorem ipsum ".repeat(40)));
    let mut messages = vec![json!({ "role": "system", "content": name.repeat(long / name.len() + 1) })];
    for turn in 0..count {
        messages.push(json!({ "role": "user", "content": text(&format!("{name} asks {turn}")) }));
        messages.push(json!({ "role": "assistant", "content": text(&format!("{name} hears {turn}")) }));
    }
    messages.push(json!({ "role": "user", "content": "and now?" }));
    json!({ "messages": messages })
}

fn ask(gateway: &Gateway, body: &Value) -> Answer {
    let answer = gateway.send(&Wire::Chat.request_with("m", false, body));
    assert_eq!(answer.status, 200);
    answer
}

fn at(answer: &Answer) -> String {
    answer.header("x-tidegate-provider").unwrap().to_owned()
}

fn cached_percent(answer: &Answer) -> u32 {
    let route = answer.header("x-tidegate-route").unwrap();
    let told = route.split("; ").find_map(|word| word.strip_prefix("cached="));
    told.unwrap_or_else(|| panic!("{route}")).parse().unwrap()
}

#[test]
fn t59_a_conversation_goes_on_where_its_prompt_is_cached_and_others_go_elsewhere() {
    let sims: Vec<Sim> = (0..3).map(|_| Sim::start()).collect();
    let gateway = pool(&sims.iter().collect::<Vec<_>>(), &[]);
    let mut homes = BTreeSet::new();
    for name in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"] {
        let first = ask(&gateway, &turns(name, 0, 2000));
        assert_eq!(cached_percent(&first), 0);
        let home = at(&first);
        for count in 1..4 {
            let mut answer = ask(&gateway, &turns(name, count, 2000));
            assert_eq!(at(&answer), home, "{name} {count}");
            assert!(cached_percent(&answer) > 50);
            // The server says so itself.
            let usage = answer.json()["usage"].clone();
            let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
            assert!(cached * 2 > usage["prompt_tokens"].as_u64().unwrap(), "{usage}");
        }
        homes.insert(home);
    }
    assert!(homes.len() > 1, "cold prompts are spread");
    let blocks = |lookup| gateway.metric("tidegate_prefix_blocks_total", &[("lookup", lookup)]);
    assert!(blocks("hit") > blocks("miss"), "{} {}", blocks("hit"), blocks("miss"));
    let hits = || gateway.metric("tidegate_prefix_tokens_total", &[("lookup", "hit")]);
    until("usage is counted", PATIENCE, || hits() > 0.0);
    assert!(gateway.metric("tidegate_prefix_held", &[]) > 9.0);
}

#[test]
fn t59_what_a_failing_target_had_is_forgotten_so_nothing_flaps_back() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = pool(&[&a, &b], &[]);
    // The home has more of it than the other will ever have been asked with.
    let home = at(&ask(&gateway, &turns("one", 8, 2000)));
    let (ill, other) = if home == "a" { (&a, "b") } else { (&b, "a") };
    ill.set_scenario(engine(Behaviour { fault: "status:503".parse().unwrap(), ..Behaviour::default() }));
    let cooled = |answer: &Answer| answer.header("x-tidegate-route").unwrap().contains("cooling=1");
    until("it is left alone", PATIENCE, || cooled(&ask(&gateway, &turns("one", 1, 2000))));
    ill.set_scenario(engine(Behaviour::default()));
    let mut number = 0;
    until("it is back", PATIENCE, || {
        number += 1;
        let cold = turns(&format!("cold {number}"), 0, 600);
        at(&ask(&gateway, &cold)) == home
    });
    for count in 8..11 {
        let answer = ask(&gateway, &turns("one", count, 2000));
        assert_eq!((at(&answer).as_str(), answer.header("x-tidegate-attempts")), (other, Some("1")));
    }
}

#[test]
fn t59_a_hot_prompt_never_overloads_one_target() {
    let (a, b) = (Sim::start(), Sim::start());
    let gateway = pool(&[&a, &b], &[]);
    ask(&gateway, &turns("hot", 0, 8000));
    let held = Behaviour { fault: "hold".parse().unwrap(), ..Behaviour::default() };
    [&a, &b].into_iter().for_each(|sim| sim.set_scenario(engine(held.clone())));
    let request = Wire::Chat.request_with("m", true, &turns("hot", 0, 8000));
    let open = || {
        let mut connection = Connection::open(gateway.addr());
        connection.send(&request);
        connection.answer()
    };
    let answers: Vec<Answer> = (0..40).map(|_| open()).collect();
    let busy = [a.stats().in_flight, b.stats().in_flight];
    assert_eq!(busy.iter().sum::<u64>(), 40);
    // Half of it, and a quarter more.
    assert!(busy.iter().all(|busy| (14..=26).contains(busy)), "{busy:?}");
    drop(answers);
    until("all have ended", PATIENCE, || a.stats().in_flight + b.stats().in_flight == 0);
}

fn credential_of(sim: &Sim) -> String {
    sim.last_request().header("authorization").unwrap().to_owned()
}

#[test]
fn t30_a_conversation_keeps_the_credential_its_prompt_is_cached_with() {
    let sim = Sim::start();
    let config = Config::new().provider("vendor", Wire::Chat, sim.addr());
    let keys = "api_keys = [\"env:KEY_A\", \"env:KEY_B\", \"env:KEY_C\"]";
    let config = config.set(keys).env("KEY_A", "sk-a").env("KEY_B", "sk-b").env("KEY_C", "sk-c");
    let gateway = Gateway::start(config.model("m", &["vendor"]));
    let of = |request: Request| {
        assert_eq!(gateway.send(&request).status, 200);
        credential_of(&sim)
    };
    let chat = |body: &Value| Wire::Chat.request_with("m", false, body);
    let mut used = BTreeSet::new();
    for conversation in 0..12 {
        // The same instructions for all, as an application has them.
        let body = |count| {
            let mut body = turns("shared", count, 5000);
            body["messages"][1]["content"] = json!(format!("conversation {conversation}"));
            body
        };
        let home = of(chat(&body(1)));
        (2..5).for_each(|count| assert_eq!(of(chat(&body(count))), home, "{conversation} {count}"));
        used.insert(home);
    }
    assert_eq!(used.len(), 3, "conversations are spread: {used:?}");
    let session = |name: &str| of(Wire::Chat.request("m", false).header("x-session-id", name));
    let home = session("s1");
    (0..6).for_each(|_| assert_eq!(session("s1"), home));
    // Too short to be cached by anybody: each in turn.
    let short: BTreeSet<String> = (0..30).map(|_| of(Wire::Chat.request("m", false))).collect();
    assert_eq!(short.len(), 3);
}
