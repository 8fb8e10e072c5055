//! Stored responses fetched again: they are shown whole, and charged once.

use crate::harness::{Config, Gateway, KEY, Request, Sim, Wire};

fn charged(gateway: &Gateway) -> f64 {
    let of = |class| gateway.metric("tidegate_tokens_total", &[("class", class)]);
    of("input") + of("output")
}

#[test]
fn a_stored_response_fetched_again_is_charged_once() {
    let sim = Sim::start();
    let gateway = Gateway::start(Config::new().provider("a", Wire::Responses, sim.addr()).model("m", &["a"]));
    let body = r#"{"model":"m","input":"Hi","store":true}"#;
    let mut made = gateway.send(&Request::post("/v1/responses", body).key(KEY).header("x-sim-tokens", "5"));
    let made_body = made.json();
    let line = gateway.log_of(&made);
    assert_eq!(line["output_tokens"], 5, "{line}");
    let after_one = charged(&gateway);
    assert!(after_one > 5.0, "{after_one}");

    let target = format!("/v1/responses/{}", made_body["id"].as_str().unwrap());
    let mut again = gateway.send(&Request::get(&target).key(KEY));
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["usage"], made_body["usage"], "what the provider says is shown");
    let line = gateway.log_of(&again);
    for field in ["input_tokens", "output_tokens"] {
        assert_eq!(line[field].as_u64().unwrap_or(0), 0, "{line}");
    }
    assert_eq!(charged(&gateway), after_one);
}
