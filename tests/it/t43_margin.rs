//! T43: a plan's margin is added to what its subscribers are charged, to the last pico dollar, and to
//! nothing else.

use crate::harness::governed::{OWNER, Tenancy};
use crate::harness::{Config, Gateway, PATIENCE, Sim, Wire, until};
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;

/// US dollars for a million tokens of prompt and of answer.
fn gateway(sim: &Sim, input: &str, output: &str) -> Gateway {
    let config = Config::new()
        .provider("a", Wire::Chat, sim.addr())
        .model("m", &["a"])
        .table("catalog.models.\"a/m\"")
        .set(&format!("prices = {{ input = \"{input}\", output = \"{output}\" }}"));
    Gateway::start(config.governed("sqlite:{dir}/tidegate.db"))
}

/// An app that subscribes to a plan of this margin, which publishes the model.
fn subscriber(gateway: &Gateway, margin_bp: u32, budgets: &Value) -> Tenancy {
    let app = gateway.tenancy("acme", &json!({}));
    let plan = gateway.make(
        "plans",
        &json!({ "name": "gold", "tenant": app.tenant, "margin_bp": margin_bp,
            "policy": { "models": ["m"], "budgets": budgets } }),
    );
    gateway.make("subscriptions", &json!({ "app": app.app, "plan": plan["id"] }));
    until("the plan is in force", PATIENCE, || {
        let (status, health) = gateway.admin_call(OWNER, "GET", "health", &Value::Null);
        status == 200 && health["snapshot"]["sequence"].as_u64() >= Some(6)
    });
    app
}

fn answer(input: u64, output: u64) -> ScriptedReply {
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    let message = json!({"role": "assistant", "content": "So."});
    let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage});
    ScriptedReply::json(200, body.to_string())
}

/// Cost and charge of the whole installation, as the ledger has them.
fn summed(gateway: &Gateway) -> (String, String) {
    let (_, page) = gateway.admin_call(OWNER, "GET", "usage", &Value::Null);
    let text = |name: &str| page["items"][0][name].as_str().unwrap_or_default().to_owned();
    (text("cost_usd"), text("charged_usd"))
}

/// Waits until the ledger has it so.
fn comes_to(gateway: &Gateway, cost: &str, charged: &str) {
    let mut last = Default::default();
    until(&format!("{cost} and {charged} in the ledger"), PATIENCE, || {
        last = summed(gateway);
        last == (cost.to_owned(), charged.to_owned())
    });
}

#[test]
fn t43_a_margin_by_hand_in_header_log_and_ledger() {
    let sim = Sim::start();
    let gateway = gateway(&sim, "2", "10");
    let app = subscriber(&gateway, 1500, &json!([]));
    // 1,000 × 2 + 500 × 10 = 7,000 millionths, and 15 % of it.
    sim.answer_next(answer(1000, 500));
    let mut told = gateway.send(&Wire::Chat.request("m", false).key(&app.secret));
    told.body();
    assert_eq!((told.status, told.header("x-tidegate-cost-usd")), (200, Some("0.00805")));
    let line = gateway.log_of(&told);
    assert_eq!(line["cost_usd"].to_string().trim_matches('"'), "0.007", "{line}");
    assert_eq!(line["charged_usd"].to_string().trim_matches('"'), "0.00805", "{line}");
    // A static key is under no plan.
    sim.answer_next(answer(1000, 500));
    let mut plain = gateway.send(&Wire::Chat.request("m", false));
    plain.body();
    assert_eq!(plain.header("x-tidegate-cost-usd"), Some("0.007"));
    assert!(gateway.log_of(&plain)["charged_usd"].is_null());
    comes_to(&gateway, "0.014", "0.01505");
    gateway.metric_becomes("tidegate_cost_picousd_total", &[], 14e9);
    gateway.metric_becomes("tidegate_charged_picousd_total", &[], 15.05e9);
}

#[test]
fn t43_a_part_of_a_pico_dollar_is_charged_as_a_whole_one() {
    let sim = Sim::start();
    // One and two pico dollars for a token.
    let gateway = gateway(&sim, "0.000001", "0.000002");
    let app = subscriber(&gateway, 1, &json!([]));
    // 7 + 2 × 3 = 13; a hundredth of a percent of it is 0.0013, charged as 1.
    sim.answer_next(answer(7, 3));
    let mut told = gateway.send(&Wire::Chat.request("m", false).key(&app.secret));
    told.body();
    assert_eq!(told.header("x-tidegate-cost-usd"), Some("0.000000000014"));
    comes_to(&gateway, "0.000000000013", "0.000000000014");
}

#[test]
fn t43_a_call_that_its_margin_makes_too_dear_is_refused_before_it_is_made() {
    let sim = Sim::start();
    let gateway = gateway(&sim, "1", "2");
    let budget = json!([{ "name": "month", "usd": "0.0015", "per": "total" }]);
    let app = subscriber(&gateway, 10_000, &budget);
    // 1,200 millionths for the answer and some for the prompt; as much again is too much.
    let call = |tokens: u64| {
        let request = Wire::Chat.request_with("m", false, &json!({"max_tokens": tokens})).key(&app.secret);
        let mut answer = gateway.send(&request.header("x-sim-tokens", "1"));
        answer.body();
        answer.status
    };
    assert_eq!((call(600), sim.calls()), (429, 0));
    assert_eq!((call(300), sim.calls()), (200, 1));
}

#[test]
fn t43_a_budget_is_held_to_what_is_charged_streams_included() {
    let sim = Sim::start();
    let gateway = gateway(&sim, "1", "2");
    // As much again on top: of two cents a provider gets one.
    let budget = json!([{ "name": "month", "usd": "0.02", "per": "total" }]);
    let app = subscriber(&gateway, 10_000, &budget);
    // Digits: the simulator counts a token for four bytes, fewer than there are in these.
    let messages = json!([{"role": "user", "content": "1 2 3 4 5 6 7 8 9 ".repeat(10)}]);
    let more = json!({"max_tokens": 200, "messages": messages});
    let mut calls = 0;
    loop {
        let request = Wire::Chat.request_with("m", calls % 2 == 0, &more).key(&app.secret);
        let mut answer = gateway.send(&request.header("x-sim-tokens", "200"));
        answer.body();
        calls += 1;
        if answer.status == 429 {
            assert_eq!(answer.header("x-tidegate-reason"), Some("budget_exceeded"));
            break;
        }
        assert!(answer.status == 200 && calls < 100, "{calls}: {}", answer.status);
    }
    let micros = |text: &str| (text.parse::<f64>().unwrap() * 1e6).round() as u64;
    let stats = sim.stats();
    let upstream = stats.prompt_tokens + 2 * stats.output_tokens;
    // The last stream may have been cut: it told no usage, and what is charged is an estimate.
    let slack = if gateway.metric("tidegate_budget_cuts_total", &[]) > 0.0 { 500 } else { 0 };
    let mut charged = 0;
    until("the ledger has all calls", PATIENCE, || {
        let (cost, told) = summed(&gateway);
        charged = micros(&told);
        assert_eq!(charged, 2 * micros(&cost));
        micros(&cost).abs_diff(upstream) <= slack
    });
    // What is left is less than one more call takes.
    assert!((18_000..=20_000).contains(&charged), "{charged} after {calls} calls");
}
