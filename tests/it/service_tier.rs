//! The service tier that an answer says it had picks the price.

use crate::harness::{Config, Gateway, Request, Sim, Wire};
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;

/// Ten dollars a million tokens, in and out; half as flex, twice as priority.
fn gateway(sim: &Sim) -> Gateway {
    let priced = |config: Config, provider: &str| {
        config.table(&format!("catalog.models.\"{provider}/m\"")).set(
            "prices = [{ input = \"10\", output = \"10\" }, { service = \"flex\", input = \"5\", output = \"5\" }, \
             { service = \"priority\", input = \"20\", output = \"20\" }]",
        )
    };
    let config =
        Config::new().provider("a", Wire::Chat, sim.addr()).set("protocols = [\"chat\"]").model("m", &["a"]);
    let config = config.provider("r", Wire::Responses, sim.addr()).model("r", &["r=m"]);
    let config = config.provider("c", Wire::Messages, sim.addr()).model("c", &["c=m"]);
    Gateway::start(["a", "r", "c"].into_iter().fold(config, priced))
}

/// What a call cost, in millionths of a dollar a token.
fn price(gateway: &Gateway, request: &Request) -> f64 {
    let mut answer = gateway.send(request);
    let body = answer.body();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&body));
    let line = gateway.log_of(&answer);
    let tokens = line["input_tokens"].as_f64().unwrap() + line["output_tokens"].as_f64().unwrap();
    let cost: f64 = match &line["cost_usd"] {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_f64().unwrap_or_else(|| panic!("{line}")),
    };
    (cost / tokens * 1e7).round() / 10.0
}

#[test]
fn what_the_answer_says_is_what_is_paid_for() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    for (tier, expected) in
        [(json!("flex"), 5.0), (json!("priority"), 20.0), (json!("auto"), 10.0), (Value::Null, 10.0)]
    {
        for is_stream in [false, true] {
            for (wire, model) in [(Wire::Chat, "m"), (Wire::Responses, "r")] {
                let request = wire.request_with(model, is_stream, &json!({"service_tier": tier}));
                assert_eq!(price(&gateway, &request), expected, "{wire:?} {tier} {is_stream}");
            }
            // Asked in one protocol, served in another.
            let request = Wire::Responses.request_with("m", is_stream, &json!({"service_tier": tier}));
            assert_eq!(price(&gateway, &request), expected, "translated {tier} {is_stream}");
        }
    }
}

#[test]
fn a_premium_that_nobody_denies_is_paid_and_a_discount_that_nobody_confirms_is_not() {
    let sim = Sim::start();
    let gateway = gateway(&sim);
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    let choice =
        json!({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}});
    let silent = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
    for (tier, expected) in [("priority", 20.0), ("flex", 10.0)] {
        sim.answer_next(ScriptedReply::json(200, silent.to_string()));
        let request = Wire::Chat.request_with("m", false, &json!({"service_tier": tier}));
        assert_eq!(price(&gateway, &request), expected, "{tier}");
    }
    // What was left out on the way was never asked for.
    let request = Wire::Chat.request_with("c", false, &json!({"service_tier": "priority"}));
    assert_eq!(price(&gateway, &request), 10.0);
}
