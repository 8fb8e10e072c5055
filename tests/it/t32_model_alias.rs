//! T32: an alias changes the model's value and nothing else; the answer names the upstream's model,
//! in every kind of answer alike.

use crate::harness::{Config, Gateway, Request, Sim, Wire, sha256};
use serde_json::Value;

const REAL: &str = "vendor/real-model-2026-01";

fn gateway(wire: Wire, sim: &Sim) -> Gateway {
    let config = Config::new().provider("a", wire, sim.addr());
    let config = if wire == Wire::Messages { config.set("count_tokens = \"upstream\"") } else { config };
    Gateway::start(config.model("alias", &[&format!("a={REAL}")]))
}

#[test]
fn t32_only_the_bytes_of_the_models_value_differ() {
    for wire in [Wire::Chat, Wire::Responses, Wire::Messages] {
        let sim = Sim::start();
        let gateway = gateway(wire, &sim);
        // How the value is written does not matter, nor do other strings of the same text.
        for value in [r#""alias""#, r#""al\u0069as""#] {
            let prompt = match wire {
                Wire::Responses => r#""input":"alias \"model\":\"alias\"""#.to_owned(),
                _ => r#""messages":[{"role":"user","content":"alias \"model\":\"alias\""}],"max_tokens":4"#
                    .to_owned(),
            };
            let body = |value: &str| {
                format!("{{ \"x\":{{\"model\":\"alias\"}},{prompt} ,\"model\" :  {value} , \"y\":1.0}}")
            };
            for chunk in [None, Some(11)] {
                let mut request = wire.request_of("alias", false, body(value));
                if let Some(size) = chunk {
                    request = request.chunked(size);
                }
                let mut answer = gateway.send(&request);
                let seen = answer.body();
                assert_eq!(answer.status, 200, "{wire:?}: {}", String::from_utf8_lossy(&seen));
                let sent = sim.last_request();
                let expected = body(&format!("\"{REAL}\""));
                assert_eq!(String::from_utf8_lossy(&sent.body), expected, "{wire:?} {value}");
                assert_eq!(sent.header("content-length"), Some(expected.len().to_string().as_str()));
                assert_eq!(sent.header("transfer-encoding"), None);
            }
        }
    }
}

#[test]
fn t32_a_model_in_the_path_is_replaced_there_and_the_body_is_left_alone() {
    let sim = Sim::start();
    let gateway = Gateway::start(
        Config::new().provider("a", Wire::Gemini, sim.addr()).model("alias", &["a=gemini-real"]),
    );
    for is_stream in [false, true] {
        let request = Wire::Gemini.request("alias", is_stream);
        assert_eq!(gateway.send(&request).status, 200);
        let sent = sim.last_request();
        assert_eq!(sent.target, Wire::Gemini.path("gemini-real", is_stream));
        assert_eq!(sent.body_sha256, sha256(&request.body));
    }
}

fn models_of(wire: Wire, events: &[crate::harness::Event]) -> Vec<String> {
    let model = |data: Value| match wire {
        Wire::Chat => data["model"].clone(),
        Wire::Responses => data["response"]["model"].clone(),
        Wire::Messages => data["message"]["model"].clone(),
        Wire::Gemini => data["modelVersion"].clone(),
    };
    let named = events.iter().filter(|event| event.data != "[DONE]").map(|event| model(event.json()));
    named.filter_map(|model| model.as_str().map(str::to_owned)).collect()
}

#[test]
fn t32_the_answer_names_the_upstreams_model_streamed_and_whole_alike() {
    for wire in Wire::ALL {
        let sim = Sim::start();
        let real = if wire == Wire::Gemini { "gemini-real" } else { REAL };
        let config = Config::new().provider("a", wire, sim.addr()).model("alias", &[&format!("a={real}")]);
        let gateway = Gateway::start(config);
        let mut whole = gateway.send(&wire.request("alias", false));
        let field = if wire == Wire::Gemini { "modelVersion" } else { "model" };
        assert_eq!(whole.json()[field], real, "{wire:?}");
        let mut stream = gateway.send(&wire.request("alias", true));
        let models = models_of(wire, &stream.events());
        assert!(!models.is_empty() && models.iter().all(|model| model == real), "{wire:?}: {models:?}");
        for answer in [&whole, &stream] {
            assert_eq!(answer.header("x-tidegate-upstream-model"), Some(real), "{wire:?}");
            let line = gateway.log_of(answer);
            assert_eq!((&line["model"], &line["upstream_model"]), (&"alias".into(), &real.into()), "{line}");
        }
    }
}

#[test]
fn t32_a_token_count_asked_upstream_follows_the_same_rule() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Messages, &sim);
    let body = r#"{"messages":[{"role":"user","content":"alias"}], "model":"alias"}"#;
    let request = Request::post("/v1/messages/count_tokens", body).header("anthropic-version", "2023-06-01");
    let mut answer = gateway.send(&request);
    assert_eq!(answer.status, 200);
    assert!(answer.json()["input_tokens"].as_u64().unwrap() > 0);
    let sent = sim.last_request();
    assert_eq!(sent.target, "/v1/messages/count_tokens");
    let expected = body.replace(r#""model":"alias""#, &format!(r#""model":"{REAL}""#));
    assert_eq!(String::from_utf8_lossy(&sent.body), expected);
    assert_eq!(answer.header("x-tidegate-upstream-model"), Some(REAL));
}

#[test]
fn t32_the_model_field_of_a_form_is_replaced_and_its_files_are_left_alone() {
    let sim = Sim::start();
    let gateway = gateway(Wire::Chat, &sim);
    let form = |model: &str| {
        let mut body =
            b"--bound\r\ncontent-disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n".to_vec();
        body.extend((0..=255).cycle().take(3000));
        body.extend_from_slice(b"\r\n--bound\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n");
        body.extend_from_slice(model.as_bytes());
        body.extend_from_slice(
            b"\r\n--bound\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nalias\r\n--bound--\r\n",
        );
        body
    };
    let request =
        Request::new("POST", "/v1/audio/transcriptions").key(crate::harness::KEY).body(form("alias"));
    let mut answer = gateway.send(&request.header("content-type", "multipart/form-data; boundary=bound"));
    let seen = answer.body();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&seen));
    let sent = sim.last_request();
    assert_eq!(sent.body_sha256, sha256(&form(REAL)));
    assert_eq!(sent.header("content-type"), Some("multipart/form-data; boundary=bound"));
}

#[test]
fn t32_without_an_alias_the_name_goes_up_as_it_came_pattern_or_not() {
    let sim = Sim::start();
    let config = Config::new().provider("a", Wire::Chat, sim.addr()).model("gpt-*", &["a"]);
    let gateway = Gateway::start(config);
    let request = Wire::Chat.request("gpt-anything", false);
    let mut answer = gateway.send(&request);
    assert_eq!(answer.json()["model"], "gpt-anything");
    assert_eq!(sim.last_request().body_sha256, sha256(&request.body));
    assert_eq!(answer.header("x-tidegate-upstream-model"), Some("gpt-anything"));
}
