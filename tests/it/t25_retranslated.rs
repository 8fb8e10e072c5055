//! T25, T26: failover to another protocol is translated afresh from what the client sent; what a target
//! has no word for is renamed, told, or refused, never silent.

use crate::harness::{Config, Gateway, Sim, echo, lanes};
use serde_json::{Value, json};
use tidegate::sim::Captured;
use tidegate::types::Protocol;

fn body_of(captured: &Captured) -> String {
    String::from_utf8(captured.body.clone()).unwrap()
}

/// Model `chain` tries A, then B; model `direct` has B alone.
fn chain(a: Protocol, b: Protocol, dead: &Sim, live: &Sim) -> Gateway {
    let config = Config::new().env("A_KEY", "sk-a-secret").env("B_KEY", "sk-b-secret");
    let config = lanes::provider(config, "a", a, dead.addr())
        .set("api_key = \"env:A_KEY\"")
        .set("headers = { x-only-for-a = \"a\" }")
        .set("cooldown = { base = \"1s\", max = \"1s\" }");
    let config = lanes::provider(config, "b", b, live.addr()).set("api_key = \"env:B_KEY\"");
    let (to_a, to_b) = (lanes::upstream_model(a), lanes::upstream_model(b));
    let config = config
        .model("chain", &[&format!("a={to_a}"), &format!("b={to_b}")])
        .model("direct", &[&format!("b={to_b}")]);
    Gateway::start(config)
}

#[test]
fn t25_the_second_target_is_sent_what_a_direct_translation_says() {
    let (dead, live) = (Sim::start(), Sim::start());
    dead.fault("status:503");
    let pairs = Protocol::ALL.into_iter().zip(Protocol::ALL.into_iter().cycle().skip(1));
    for (a, b) in pairs {
        let gateway = chain(a, b, &dead, &live);
        for client in Protocol::ALL {
            let what = format!("{client:?} over {a:?} to {b:?}");
            let ask = echo::with_tool(client, lanes::body(client, "Weather in Köln?"), "get_weather");
            let direct = gateway.send(&lanes::call(client, "direct", false, &ask));
            assert_eq!(direct.status, 200, "{what}");
            let wanted = live.last_request();
            let calls = dead.calls();
            let answer = gateway.send(&lanes::call(client, "chain", false, &ask));
            assert_eq!(answer.status, 200, "{what}");
            let sent = live.last_request();
            if dead.calls() > calls {
                assert_eq!(answer.header("x-tidegate-attempts"), Some("2"), "{what}");
            }
            // The client's own bytes go up where both speak one protocol: the model's name apart.
            let plain = |captured: &Captured| body_of(captured).replace("\"chain\"", "\"direct\"");
            assert_eq!(plain(&sent), plain(&wanted), "{what}");
            assert_eq!(sent.target, wanted.target, "{what}");
            let all = format!("{:?}", sent.headers);
            assert!(!all.contains("sk-a-secret") && !all.contains("x-only-for-a"), "{what}: {all}");
            assert!(all.contains("sk-b-secret"), "{what}: {all}");
        }
        assert!(dead.calls() > 0);
        dead.reset();
        dead.fault("status:503");
    }
}

fn sent(sim: &Sim) -> Value {
    serde_json::from_slice(&sim.last_request().body).unwrap()
}

fn with(client: Protocol, more: Value) -> Value {
    let mut body = lanes::body(client, "Hello");
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn t26_the_limit_of_an_answer_has_the_name_the_target_knows() {
    let (sim, gateway) = lanes::strict();
    let limits = [
        (Protocol::Chat, json!({"max_completion_tokens": 33})),
        (Protocol::Chat, json!({"max_tokens": 33})),
        (Protocol::Responses, json!({"max_output_tokens": 33})),
        (Protocol::Messages, json!({"max_tokens": 33})),
        (Protocol::Generate, json!({"generationConfig": {"maxOutputTokens": 33}})),
        (Protocol::Converse, json!({"inferenceConfig": {"maxTokens": 33}})),
        (Protocol::Cohere, json!({"max_tokens": 33})),
        (Protocol::Ollama, json!({"options": {"num_predict": 33}})),
    ];
    for (client, limit) in limits {
        for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != client) {
            let answer = gateway.send(&lanes::call(
                client,
                &lanes::model(upstream),
                false,
                &with(client, limit.clone()),
            ));
            assert_eq!(answer.status, 200, "{client:?} to {upstream:?}");
            assert_eq!(answer.header("x-tidegate-dropped"), None, "{client:?} to {upstream:?}");
            let body = sent(&sim);
            let places = [
                "/max_completion_tokens",
                "/max_tokens",
                "/max_output_tokens",
                "/generationConfig/maxOutputTokens",
                "/inferenceConfig/maxTokens",
                "/options/num_predict",
            ];
            let held: Vec<&Value> = places.iter().filter_map(|place| body.pointer(place)).collect();
            assert_eq!(held, [&json!(33)], "{client:?} to {upstream:?}: {body}");
        }
    }
    // A model that reasons knows the newer name alone, and its simulator refuses the older.
    let config = lanes::config(&sim)
        .env("OPENAI", "sk-up")
        .table("providers.openai")
        .set("kind = \"openai\"")
        .set(&format!("base_url = \"http://{}/v1\"", sim.addr()))
        .set("protocols = [\"chat\"]")
        .set("api_key = \"env:OPENAI\"")
        .model("thinker", &["openai=gpt-5"]);
    let gateway = Gateway::start(config);
    for more in [json!({"max_tokens": 50}), json!({"max_tokens": 50, "temperature": 0.2})] {
        let answer = gateway.send(&lanes::call(
            Protocol::Messages,
            "thinker",
            false,
            &with(Protocol::Messages, more.clone()),
        ));
        let dropped = answer.header("x-tidegate-dropped").map(str::to_owned);
        assert_eq!(answer.status, 200, "{more}: {dropped:?} {}", sent(&sim));
        assert_eq!(dropped.is_some(), more["temperature"].is_number(), "{more}: {dropped:?}");
    }
}

/// What a client asks for, of whom, and the field that is told.
fn unsupported() -> Vec<(Protocol, Protocol, Value, &'static str)> {
    use Protocol::{Chat, Cohere, Converse, Generate, Messages, Ollama, Responses};
    let sampling = json!({"generationConfig": {"topK": 7}});
    vec![
        (Chat, Responses, json!({"stop": ["x"]}), "stop"),
        (Messages, Responses, json!({"stop_sequences": ["x"]}), "stop_sequences"),
        (Messages, Chat, json!({"top_k": 7}), "top_k"),
        (Generate, Chat, sampling, "generationConfig.topK"),
        (Chat, Messages, json!({"logprobs": true}), "logprobs"),
        (Chat, Messages, json!({"n": 2}), "n"),
        (Chat, Generate, json!({"logit_bias": {"50256": -100}}), "logit_bias"),
        (Chat, Converse, json!({"seed": 7}), "seed"),
        (Chat, Ollama, json!({"parallel_tool_calls": false}), "parallel_tool_calls"),
        (Chat, Cohere, json!({"user": "ann"}), "user"),
        (Responses, Messages, json!({"größe": 7}), "gr%C3%B6%C3%9Fe"),
        (Cohere, Chat, json!({"safety_mode": "STRICT"}), "safety_mode"),
        (Ollama, Messages, json!({"options": {"min_p": 0.1}}), "options.min_p"),
        (
            Converse,
            Chat,
            json!({"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}}),
            "guardrailConfig",
        ),
    ]
}

#[test]
fn t26_what_a_target_lacks_is_dropped_and_told() {
    let (sim, gateway) = lanes::strict();
    for (client, upstream, more, path) in unsupported() {
        for is_stream in [false, true] {
            let what = format!("{client:?} to {upstream:?}, stream {is_stream}: {more}");
            let request =
                lanes::call(client, &lanes::model(upstream), is_stream, &with(client, more.clone()));
            let mut answer = gateway.send(&request);
            let dropped = answer.header("x-tidegate-dropped").unwrap_or_default().to_owned();
            let bytes = answer.body();
            assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&bytes));
            assert!(dropped.split(',').any(|told| told == path), "{what}: {dropped:?}");
            let line = gateway.log_of(&answer);
            assert!(line["dropped"].to_string().len() > 4, "{what}: {line}");
        }
    }
    assert_eq!(sim.calls(), 2 * unsupported().len() as u64);
}

#[test]
fn t26_a_model_that_refuses_losses_names_the_field_and_calls_nobody() {
    let sim = Sim::start();
    let mut config = lanes::config(&sim);
    for upstream in Protocol::ALL {
        config = config
            .table(&format!("models.\"{}\"", lanes::model(upstream)))
            .set("on_unsupported = \"reject\"");
    }
    let gateway = Gateway::start(config);
    for (client, upstream, more, path) in unsupported() {
        let what = format!("{client:?} to {upstream:?}: {more}");
        let mut answer =
            gateway.send(&lanes::call(client, &lanes::model(upstream), false, &with(client, more)));
        let told = answer.json();
        assert_eq!(answer.status, 400, "{what}: {told}");
        let message = lanes::error(client, &told, &what);
        let path = path.replace("gr%C3%B6%C3%9Fe", "größe");
        assert!(message.contains(&format!("`{path}`")), "{what}: {message}");
    }
    assert_eq!(sim.calls(), 0);
}

#[test]
fn t26_every_place_of_a_loss_is_told_by_its_whole_path() {
    let (_sim, gateway) = lanes::strict();
    let schema = |word: &str| json!({"type": "object", "properties": {"a": {"type": "integer", word: 3}}, "required": ["a"], "additionalProperties": false});
    let tool = |name: &str, word: &str| json!({"type": "function", "function": {"name": name, "strict": true, "parameters": schema(word)}});
    let body = with(
        Protocol::Chat,
        json!({
            "tools": [tool("a", "minimum"), tool("b", "multipleOf")],
            "response_format": {"type": "json_schema", "json_schema": {"name": "out", "strict": true, "schema": schema("maximum")}},
        }),
    );
    let answer = gateway.send(&lanes::call(Protocol::Chat, &lanes::model(Protocol::Messages), false, &body));
    let dropped = answer.header("x-tidegate-dropped").unwrap_or_default().to_owned();
    for path in [
        "tools[0].function.parameters.properties.a.minimum",
        "tools[1].function.parameters.properties.a.multipleOf",
        "response_format.json_schema.schema.properties.a.maximum",
    ] {
        assert!(dropped.split(',').any(|told| told == path), "{path}: {dropped}");
    }
    let hint = json!({"type": "ephemeral"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": hint});
    let mut body = echo::with_tool(Protocol::Messages, lanes::body(Protocol::Messages, "Hello"), "f");
    body["system"] = json!([text("a"), text("b")]);
    body["tools"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "g", "input_schema": {"type": "object"}, "cache_control": hint}));
    let answer = gateway.send(&lanes::call(Protocol::Messages, &lanes::model(Protocol::Chat), false, &body));
    let dropped = answer.header("x-tidegate-dropped").unwrap_or_default().to_owned();
    for path in ["system[0].cache_control", "system[1].cache_control", "tools[1].cache_control"] {
        assert!(dropped.split(',').any(|told| told == path), "{path}: {dropped}");
    }
}
