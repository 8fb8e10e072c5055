//! T42: schemas of tools and of answers, at targets that are strict about them, from clients of several
//! protocols: taken, or a 400 that names the path; other targets get the schema as it was.

use crate::harness::{Config, Gateway, Sim, lanes};
use serde_json::{Value, json};
use tidegate::sim::Behaviour;
use tidegate::types::Protocol;

fn corpus() -> Vec<(&'static str, Value)> {
    vec![
        (
            "closed",
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}),
        ),
        (
            "open",
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}),
        ),
        ("a map", json!({"type": "object", "additionalProperties": {"type": "number"}})),
        (
            "a reference",
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"], "$defs": {"A": {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}}}),
        ),
        (
            "old definitions",
            json!({"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "string"}}}),
        ),
        (
            "a tree",
            json!({"type": "object", "properties": {"tree": {"$ref": "#/$defs/Node"}}, "required": ["tree"], "$defs": {"Node": {"type": "object", "properties": {"label": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}, "required": ["label", "children"]}}}),
        ),
        (
            "anyOf at the top",
            json!({"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]}]}),
        ),
        (
            "oneOf and allOf",
            json!({"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "integer"}]}, "b": {"allOf": [{"type": "string"}, {"minLength": 2}]}}}),
        ),
        (
            "null types",
            json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}, "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "required": ["a", "b"]}),
        ),
        ("nullable", json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}})),
        ("nothing", json!({})),
        ("no properties", json!({"type": "object", "properties": {}})),
        (
            "const and enum",
            json!({"type": "object", "properties": {"a": {"const": "x"}, "b": {"enum": ["p", "q", 3, null]}, "c": {"const": 7}}, "required": ["a"]}),
        ),
        (
            "formats",
            json!({"type": "object", "properties": {"a": {"type": "string", "format": "date-time"}, "b": {"type": "string", "format": "uri"}, "c": {"type": "string", "pattern": "^a"}}}),
        ),
        (
            "numbers",
            json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2}, "b": {"type": "number", "exclusiveMinimum": 0}}}),
        ),
        (
            "lists",
            json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9, "uniqueItems": true}, "b": {"type": "array", "prefixItems": [{"type": "string"}]}, "c": {"type": "array"}}}),
        ),
        (
            "pydantic",
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Out", "type": "object", "properties": {"a": {"title": "A", "default": null, "anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}]}}, "$defs": {"E": {"title": "E", "enum": ["x"], "type": "string"}}}),
        ),
        ("booleans", json!({"type": "object", "properties": {"a": true}})),
        (
            "conditions",
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "if": {"properties": {"a": {"const": "x"}}}, "then": {"required": ["a"]}, "patternProperties": {"^x": {"type": "string"}}}),
        ),
        (
            "odd names",
            json!({"type": "object", "properties": {"$ref": {"type": "string"}, "größe": {"type": "integer"}, "a.b": {"type": "string"}}}),
        ),
    ]
}

/// As the tool's parameters, and as the form of the answer.
fn body(client: Protocol, schema: &Value, is_tool: bool) -> Value {
    let mut body = lanes::body(client, if is_tool { "the weather" } else { "Hello" });
    match (client, is_tool) {
        (Protocol::Chat, true) => {
            body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}])
        }
        (Protocol::Chat, false) => {
            body["response_format"] =
                json!({"type": "json_schema", "json_schema": {"name": "out", "schema": schema}})
        }
        (Protocol::Messages, true) => body["tools"] = json!([{"name": "f", "input_schema": schema}]),
        (Protocol::Messages, false) => {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}})
        }
        (Protocol::Generate, true) => {
            body["tools"] = json!([{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}])
        }
        (_, true) => unreachable!("three clients"),
        (_, false) => {
            body["generationConfig"] =
                json!({"responseMimeType": "application/json", "responseJsonSchema": schema})
        }
    }
    body
}

/// Where in the client's body the schema is.
fn place(client: Protocol, is_tool: bool) -> &'static str {
    match (client, is_tool) {
        (Protocol::Chat, true) => "tools[0].function.parameters",
        (Protocol::Chat, false) => "response_format.json_schema.schema",
        (Protocol::Messages, true) => "tools[0].input_schema",
        (Protocol::Messages, false) => "output_config.format.schema",
        (_, true) => "tools[0].functionDeclarations[0].parametersJsonSchema",
        (_, false) => "generationConfig.responseJsonSchema",
    }
}

#[test]
fn t42_every_schema_is_taken_by_every_strict_target_or_refused_by_its_path() {
    let (sim, gateway) = lanes::strict();
    let (mut wrong, mut taken, mut refused) = (Vec::new(), 0, 0);
    for client in [Protocol::Chat, Protocol::Messages, Protocol::Generate] {
        for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != client) {
            for (name, schema) in corpus() {
                for is_tool in [true, false] {
                    let what = format!("{client:?} to {upstream:?}, {name}, tool {is_tool}");
                    let calls = sim.calls();
                    let ask = body(client, &schema, is_tool);
                    let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), false, &ask));
                    let told = answer.json();
                    if answer.status == 200 {
                        taken += 1;
                        continue;
                    }
                    refused += 1;
                    let message = lanes::error(client, &told, &what);
                    let is_ours = answer.status == 400 && sim.calls() == calls;
                    if !is_ours || !message.contains(&format!("`{}", place(client, is_tool))) {
                        wrong.push(format!(
                            "{what}: {} {message}\n    {}",
                            answer.status,
                            String::from_utf8_lossy(&sim.last_request().body)
                        ));
                    }
                }
            }
        }
    }
    eprintln!("{taken} taken, {refused} refused by their path");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(refused * 10 < taken, "{refused} of {}", refused + taken);
}

#[test]
fn t42_a_target_without_a_subset_gets_the_schema_as_it_was() {
    let (sim, gateway) = lanes::strict();
    for (name, schema) in corpus().into_iter().filter(|(_, schema)| schema != &json!({})) {
        for upstream in [Protocol::Cohere, Protocol::Ollama] {
            let ask = body(Protocol::Chat, &schema, true);
            assert_eq!(
                gateway.send(&lanes::call(Protocol::Chat, &lanes::model(upstream), false, &ask)).status,
                200
            );
            let sent: Value = serde_json::from_slice(&sim.last_request().body).unwrap();
            assert_eq!(sent["tools"][0]["function"]["parameters"], schema, "{name} to {upstream:?}");
        }
    }
}

#[test]
fn t42_structured_output_still_streams() {
    let (_sim, gateway) = lanes::strict();
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}}, "required": ["a", "b"], "additionalProperties": false});
    for upstream in Protocol::ALL.into_iter().filter(|upstream| *upstream != Protocol::Chat) {
        let request =
            lanes::call(Protocol::Chat, &lanes::model(upstream), true, &body(Protocol::Chat, &schema, false));
        let mut answer = gateway.send(&request);
        assert_eq!(answer.status, 200, "{upstream:?}");
        let pieces: Vec<String> = answer
            .events()
            .iter()
            .filter(|event| event.data != "[DONE]")
            .filter_map(|event| event.json()["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .filter(|piece| !piece.is_empty())
            .collect();
        let whole: Value = serde_json::from_str(&pieces.concat())
            .unwrap_or_else(|e| panic!("{upstream:?}: {e}: {pieces:?}"));
        assert!(whole["a"].is_string() && whole["b"].is_array(), "{upstream:?}: {whole}");
        assert!(pieces.len() > 1, "{upstream:?}: in one piece: {pieces:?}");
    }
}

#[test]
fn t42_a_form_beside_tools_is_asked_for_in_words_where_the_model_takes_no_other() {
    let sim = Sim::start();
    sim.behave(Behaviour { strict: true, ..Behaviour::default() });
    let config = lanes::provider(Config::new(), "g", Protocol::Generate, sim.addr())
        .model("old", &["g=gemini-2.5-flash"])
        .model("new", &["g=gemini-3-pro-preview"])
        .model("strict", &["g=gemini-2.5-flash"])
        .set("on_unsupported = \"reject\"");
    let gateway = Gateway::start(config);
    let mut ask =
        body(Protocol::Chat, &json!({"type": "object", "properties": {"a": {"type": "string"}}}), false);
    let ask_of = |model: &str, ask: &Value| gateway.send(&lanes::call(Protocol::Chat, model, false, ask));
    assert_eq!(ask_of("old", &ask).header("x-tidegate-dropped"), None, "no tools, no words");
    ask["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]);
    let sent = || serde_json::from_slice::<Value>(&sim.last_request().body).unwrap();
    let answer = ask_of("old", &ask);
    assert_eq!((answer.status, answer.header("x-tidegate-dropped")), (200, Some("response_format")));
    assert!(sent()["systemInstruction"].to_string().contains("JSON Schema"), "{}", sent());
    assert_eq!(sent().pointer("/generationConfig/responseMimeType"), None);
    let answer = ask_of("new", &ask);
    assert_eq!((answer.status, answer.header("x-tidegate-dropped")), (200, None));
    assert_eq!(sent()["generationConfig"]["responseMimeType"], "application/json");
    let mut answer = ask_of("strict", &ask);
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("response_format"));
    ask["response_format"] = json!({"type": "json_object"});
    assert_eq!(ask_of("old", &ask).header("x-tidegate-dropped"), Some("response_format"));
}
