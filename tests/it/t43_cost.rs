//! T43, T44: what calls cost, by hand-computed goldens; a model without a price is refused or unknown,
//! never free.

use crate::facts::Counts;
use crate::harness::{Config, Gateway, Sim, lanes};
use crate::made::{self, Made, Manner, Piece};
use serde_json::{Value, json};
use tidegate::sim::ScriptedReply;
use tidegate::types::Protocol;

/// Dollars per million tokens: input 2, output 10, read 0.20, written 2.50 (an hour: 4), reasoning 12;
/// above 200,000 tokens of prompt input 4, output 15, read 0.40.
const PRICES: &str = "prices = [{ input = \"2\", output = \"10\", cache_read = \"0.20\", cache_write = \"2.50\", cache_write_1h = \"4\", reasoning = \"12\" }, \
     { above = 200_000, input = \"4\", output = \"15\", cache_read = \"0.40\", reasoning = \"15\" }]";

fn start() -> (Sim, Gateway) {
    let sim = Sim::start();
    let mut config = lanes::config(&sim);
    for upstream in Protocol::ALL {
        let row = format!("catalog.models.\"{}/{}\"", upstream.as_str(), lanes::upstream_model(upstream));
        config = config.table(&row).set(PRICES);
    }
    let gateway = Gateway::start(config);
    (sim, gateway)
}

fn answer(upstream: Protocol, usage: Counts) -> Made {
    let stop = made::end_word(upstream, false);
    Made { name: "cost", pieces: vec![Piece::Text("So.")], stop, usage }
}

/// Every dialect, streamed and whole, through a client of another and of the same.
fn costs((sim, gateway): &(Sim, Gateway), upstream: Protocol, usage: Counts, dollars: &str) {
    let made = answer(upstream, usage);
    for client in [upstream, Protocol::Chat, Protocol::Messages] {
        for is_stream in [true, false] {
            let what = format!("{client:?} of {upstream:?}, stream {is_stream}, {usage:?}");
            sim.answer_next(match is_stream {
                true => lanes::reply(upstream, &made::stream(upstream, &made, Manner::PLAIN)),
                false => ScriptedReply::json(200, made::whole(upstream, &made).to_string()),
            });
            let body = lanes::body(client, "Hello");
            let mut told = gateway.send(&lanes::call(client, &lanes::model(upstream), is_stream, &body));
            told.body();
            let line = gateway.log_of(&told);
            let logged = line["cost_usd"].to_string().trim_matches('"').to_owned();
            assert_eq!(logged.trim_end_matches('0'), dollars, "{what}: {line}");
            if !is_stream {
                let header = told.header("x-tidegate-cost-usd").unwrap_or_default();
                assert_eq!(header.trim_end_matches('0'), dollars, "{what}");
            }
        }
    }
}

const USAGE: Counts = Counts { input: 1000, cache_read: 300, cache_write: 100, output: 500, reasoning: 200 };

#[test]
fn t43_a_call_costs_the_same_whatever_its_dialect_counts() {
    let gate = start();
    // 600 × 2 + 300 × 0.20 + 100 × 2.50 + 300 × 10 + 200 × 12 = 6,910 millionths.
    for upstream in [Protocol::Chat, Protocol::Responses, Protocol::Messages] {
        costs(&gate, upstream, USAGE, "0.00691");
    }
    // Gemini tells no cache writes: 700 × 2 + 300 × 0.20 + 300 × 10 + 200 × 12 = 6,860.
    costs(&gate, Protocol::Generate, USAGE, "0.00686");
    // Converse tells no reasoning: 600 × 2 + 300 × 0.20 + 100 × 2.50 + 500 × 10 = 6,510.
    costs(&gate, Protocol::Converse, USAGE, "0.00651");
}

#[test]
fn t43_plain_and_long_prompts_by_hand() {
    let gate = start();
    // 7 × 2 + 3 × 10 = 44 millionths.
    let plain = Counts { input: 7, output: 3, ..Counts::default() };
    // 250,000 × 4 + 1,000 × 15 = 1,015,000: dearer as a whole.
    let long = Counts { input: 250_000, output: 1000, ..Counts::default() };
    // At the step itself the lower price holds: 200,000 × 2 + 10 × 10 = 400,100.
    let step = Counts { input: 200_000, output: 10, ..Counts::default() };
    for upstream in [
        Protocol::Chat,
        Protocol::Messages,
        Protocol::Generate,
        Protocol::Converse,
        Protocol::Cohere,
        Protocol::Ollama,
    ] {
        costs(&gate, upstream, plain, "0.000044");
        costs(&gate, upstream, long, "1.015");
        costs(&gate, upstream, step, "0.4001");
    }
}

#[test]
fn t43_hours_of_cache_are_dearer_and_a_missing_split_is_five_minutes() {
    let (sim, gateway) = start();
    let split = json!({"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60});
    // 10 × 2 + 40 × 2.50 + 60 × 4 + 1 × 10 = 370; unsplit 10 × 2 + 100 × 2.50 + 10 = 280.
    for (split, dollars) in [(split, "0.00037"), (Value::Null, "0.00028")] {
        for client in [Protocol::Messages, Protocol::Chat] {
            let usage = json!({"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 100, "cache_creation": split});
            let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn", "usage": usage});
            sim.answer_next(ScriptedReply::json(200, body.to_string()));
            let request =
                lanes::call(client, &lanes::model(Protocol::Messages), false, &lanes::body(client, "Hello"));
            let told = gateway.send(&request);
            assert_eq!(
                told.header("x-tidegate-cost-usd").map(|cost| cost.trim_end_matches('0')),
                Some(dollars),
                "{client:?}"
            );
        }
    }
}

#[test]
fn t44_a_model_without_a_price_is_unknown_or_refused_never_free() {
    let sim = Sim::start();
    let config = |policy: &str| -> Config {
        let mut config = lanes::config(&sim);
        for upstream in Protocol::ALL {
            let target = format!("{}=nobody-knows-it", upstream.as_str());
            config =
                config.model(&lanes::model(upstream), &[&target]).set(&format!("unpriced = \"{policy}\""));
        }
        config
    };
    let recording = Gateway::start(config("record"));
    let mut count = 0.0;
    for upstream in Protocol::ALL {
        for client in [upstream, Protocol::Chat, Protocol::Messages] {
            for is_stream in [false, true] {
                let body = lanes::body(client, "Hello");
                let mut told =
                    recording.send(&lanes::call(client, &lanes::model(upstream), is_stream, &body));
                told.body();
                count += 1.0;
                let line = recording.log_of(&told);
                assert_eq!(told.status, 200, "{client:?} of {upstream:?}");
                assert_eq!(told.header("x-tidegate-cost-usd"), None, "{client:?} of {upstream:?}");
                assert!(line["cost_usd"].is_null() && line["output_tokens"].as_u64() > Some(0), "{line}");
            }
        }
    }
    recording.metric_becomes("tidegate_unpriced_total", &[], count);
    assert_eq!(recording.metric("tidegate_cost_picousd_total", &[]), 0.0);
    let calls = sim.calls();
    let refusing = Gateway::start(config("refuse"));
    for upstream in Protocol::ALL {
        for client in [upstream, Protocol::Chat, Protocol::Messages] {
            let body = lanes::body(client, "Hello");
            let mut told = refusing.send(&lanes::call(client, &lanes::model(upstream), false, &body));
            let error = told.json();
            assert!((400..500).contains(&told.status), "{client:?} of {upstream:?}: {error}");
            assert!(lanes::error(client, &error, "unpriced").contains("price"), "{error}");
        }
    }
    assert_eq!(sim.calls(), calls, "nobody was called");
}
