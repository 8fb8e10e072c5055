//! The set-ups of `conf/examples`, each started as it is but for the addresses of its providers, and
//! made to do what it is for.

use crate::harness::{Answer, Config, Gateway, PATIENCE, Request, Sim, Wire, until};
use serde_json::json;
use tidegate::sim::Behaviour;

/// The example with its providers at these simulators.
fn start(name: &str, sims: &[(&str, Wire, &Sim)]) -> Gateway {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let mut config = Config::new().sections_of(&text);
    for (provider, wire, sim) in sims {
        let line = format!("base_url = \"{}\"", wire.base_url(sim.addr()));
        config = config.table(&format!("providers.{provider}")).set(&line);
    }
    Gateway::start(config)
}

fn chat(model: &str, more: &serde_json::Value) -> Request {
    Wire::Chat.request_with(model, false, more)
}

fn provider(answer: &Answer) -> &str {
    answer.header("x-tidegate-provider").unwrap_or_default()
}

#[test]
fn t53_two_vendors_stand_in_for_each_other() {
    let (claude, openai) = (Sim::start(), Sim::start());
    let at = [("anthropic", Wire::Messages, &claude), ("openai", Wire::Chat, &openai)];
    let gateway = start("two-vendors.toml", &at);
    let answer = gateway.send(&chat("assistant", &json!({})));
    assert_eq!((answer.status, provider(&answer)), (200, "anthropic"));
    claude.fault("status:529");
    for wire in [Wire::Chat, Wire::Messages] {
        let answer = gateway.send(&wire.request("assistant", true));
        assert_eq!((answer.status, provider(&answer)), (200, "openai"));
    }
}

#[test]
fn t53_azure_regions_share_by_price_and_what_is_left() {
    let sims: Vec<Sim> = (0..3).map(|_| Sim::start()).collect();
    let names = ["sweden", "france", "eastus"];
    let at: Vec<_> = names.iter().zip(&sims).map(|(name, sim)| (*name, Wire::Chat, sim)).collect();
    let gateway = start("azure-regions.toml", &at);
    for _ in 0..12 {
        assert_eq!(gateway.send(&chat("gpt-5", &json!({}))).status, 200);
    }
    let calls: Vec<u64> = sims.iter().map(|sim| sim.calls()).collect();
    assert!(calls[0] > calls[1] && calls[1] > 0 && calls[2] == 0, "{calls:?}");
    sims[0].fault("status:429");
    sims[1].fault("status:429");
    let answer = gateway.send(&chat("gpt-5", &json!({})));
    assert_eq!((answer.status, provider(&answer)), (200, "eastus"));
}

#[test]
fn t53_a_pool_has_its_prompts_where_they_are_cached_and_spills_over_to_a_vendor() {
    let (one, two, openai) = (Sim::start(), Sim::start(), Sim::start());
    let at = [("gpu1", Wire::Chat, &one), ("gpu2", Wire::Chat, &two), ("openai", Wire::Chat, &openai)];
    let gateway = start("self-hosted.toml", &at);
    let ask = |word: &str| {
        let turns = json!([{ "role": "user", "content": word.repeat(500) }]);
        gateway.send(&chat("chat", &json!({ "messages": turns })))
    };
    let home = provider(&ask("a")).to_owned();
    assert!(home.starts_with("gpu"));
    (0..5).for_each(|_| assert_eq!(provider(&ask("a")), home));
    until("the hosts are asked how they are", PATIENCE, || {
        [&one, &two].into_iter().all(|sim| sim.stats().by_path.contains_key("/health"))
    });
    let picture = json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } }]);
    let seeing = json!({ "messages": [{ "role": "user", "content": picture }] });
    assert_eq!(provider(&gateway.send(&chat("chat", &seeing))), "openai");
    one.fault("status:503");
    two.fault("status:503");
    let answer = ask("a");
    assert_eq!((answer.status, provider(&answer)), (200, "openai"));
}

#[test]
fn t53_a_canary_is_a_few_users_and_those_who_ask() {
    let openai = Sim::start();
    let gateway = start("canary.toml", &[("openai", Wire::Chat, &openai)]);
    let model = |request: Request| {
        let answer = gateway.send(&request);
        answer.header("x-tidegate-upstream-model").unwrap_or_default().to_owned()
    };
    let of = |user: usize| model(chat("assistant", &json!({})).header("x-user-id", &format!("user-{user}")));
    let models: Vec<String> = (0..200).map(of).collect();
    let canaries = models.iter().filter(|model| *model == "gpt-5.2").count();
    assert!((2..=20).contains(&canaries), "{canaries} of 200");
    (0..200).step_by(11).for_each(|user| assert_eq!(of(user), models[user]));
    assert_eq!(model(chat("assistant", &json!({})).header("x-tidegate-tags", "canary")), "gpt-5.2");
}

#[test]
fn t53_data_of_the_eu_stays_there() {
    let (azure, mistral, openai) = (Sim::start(), Sim::start(), Sim::start());
    let at = [
        ("azure-sweden", Wire::Chat, &azure),
        ("mistral", Wire::Chat, &mistral),
        ("openai", Wire::Chat, &openai),
    ];
    let gateway = start("eu-only.toml", &at);
    for _ in 0..10 {
        assert_eq!(gateway.send(&chat("assistant", &json!({}))).status, 200);
    }
    let mistrals = mistral.calls();
    let confidential = gateway.send(&chat("assistant", &json!({})).header("x-tidegate-zdr", "true"));
    assert_eq!((provider(&confidential), mistral.calls()), ("azure-sweden", mistrals));
    azure.behave(Behaviour { fault: "status:503".parse().unwrap(), ..Behaviour::default() });
    mistral.fault("status:503");
    assert_eq!(gateway.send(&chat("assistant", &json!({}))).status, 503);
    assert_eq!(openai.calls(), 0);
}
