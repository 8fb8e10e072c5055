//! T28: what cannot be translated is a 400 in the client's own error form that names the place, for
//! clients of every protocol; no upstream hears of it.

use crate::harness::{Gateway, Sim, lanes};
use serde_json::{Value, json};
use tidegate::types::Protocol::{self, Chat, Cohere, Converse, Generate, Messages, Ollama, Responses};

/// A body, the model's protocol, and the path the message must name.
type Case = (&'static str, Protocol, Value, &'static str);

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

fn chat() -> Vec<Case> {
    let ask = |messages: Value| json!({"messages": messages});
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let called = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let tools =
        |schema: Value| json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let loops = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/gone"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"a": 7}}}});
    vec![
        ("no messages", Messages, json!({"messages": []}), "messages"),
        ("a role nobody has", Messages, ask(json!([{"role": "wizard", "content": "x"}])), "messages[0].role"),
        ("a message that is none", Generate, ask(json!(["hello"])), "messages[0]"),
        ("content of a number", Generate, ask(json!([user(json!(7))])), "messages[0].content"),
        (
            "a part without a type",
            Converse,
            ask(json!([user(json!([{"text": "x"}]))])),
            "messages[0].content[0]",
        ),
        (
            "a part nobody has",
            Messages,
            ask(json!([user(json!([{"type": "smell", "smell": "x"}]))])),
            "messages[0].content[0]",
        ),
        (
            "an image by URL",
            Converse,
            ask(json!([
                user(json!("a")),
                json!({"role": "assistant", "content": "b"}),
                user(json!([{"type": "text", "text": "c"}, image("https://example.com/a.png")]))
            ])),
            "messages[2].content[1]",
        ),
        (
            "an image by URL",
            Ollama,
            ask(json!([user(json!([image("https://example.com/a.png")]))])),
            "messages[0].content[0]",
        ),
        (
            "an image that is no URL",
            Messages,
            ask(json!([user(json!([image("not-a-url")]))])),
            "messages[0].content[0].image_url",
        ),
        (
            "a data URL without base64",
            Messages,
            ask(json!([user(json!([image("data:image/png,abc")]))])),
            "messages[0].content[0].image_url",
        ),
        (
            "sound",
            Messages,
            ask(json!([user(
                json!([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])
            )])),
            "messages[0].content[0]",
        ),
        (
            "a call without a result",
            Messages,
            ask(json!([user(json!("a")), called, user(json!("b"))])),
            "messages[1].tool_calls[0]",
        ),
        (
            "a call without a result",
            Generate,
            ask(json!([user(json!("a")), called, user(json!("b"))])),
            "messages[1].tool_calls[0]",
        ),
        (
            "a call without a result",
            Converse,
            ask(json!([user(json!("a")), called, user(json!("b"))])),
            "messages[1].tool_calls[0]",
        ),
        (
            "a result without a call",
            Messages,
            ask(json!([user(json!("a")), json!({"role": "tool", "tool_call_id": "call_9", "content": "x"})])),
            "messages[1]",
        ),
        (
            "a result without a call",
            Generate,
            ask(json!([user(json!("a")), json!({"role": "tool", "tool_call_id": "call_9", "content": "x"})])),
            "messages[1]",
        ),
        (
            "a tool without a name",
            Messages,
            json!({"messages": [user(json!("a"))], "tools": [{"type": "function", "function": {"parameters": {}}}]}),
            "tools[0].function",
        ),
        (
            "parameters of a string",
            Messages,
            json!({"messages": [user(json!("a"))], "tools": [{"type": "function", "function": {"name": "f", "parameters": "x"}}]}),
            "tools[0].function.parameters",
        ),
        (
            "a reference to nowhere",
            Generate,
            json!({"messages": [user(json!("a"))], "tools": tools(loops)}),
            "tools[0].function.parameters.properties.a",
        ),
        (
            "a schema of a number",
            Generate,
            json!({"messages": [user(json!("a"))], "response_format": format}),
            "response_format.json_schema.schema.properties.a",
        ),
        (
            "a limit of a word",
            Messages,
            json!({"messages": [user(json!("a"))], "max_tokens": "many"}),
            "max_tokens",
        ),
        ("a stop of a number", Messages, json!({"messages": [user(json!("a"))], "stop": 7}), "stop"),
    ]
}

fn responses() -> Vec<Case> {
    let ask = |input: Value| json!({"input": input});
    let image = json!({"type": "input_image", "image_url": "https://example.com/a.png"});
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"});
    vec![
        ("an item nobody has", Messages, ask(json!([{"type": "smell"}])), "input[0]"),
        ("an item without a type", Messages, ask(json!([{"text": "x"}])), "input[0]"),
        (
            "an image by URL",
            Converse,
            ask(json!([{"role": "user", "content": [{"type": "input_text", "text": "a"}, image]}])),
            "input[0].content[1]",
        ),
        (
            "a call without an output",
            Messages,
            ask(json!([{"role": "user", "content": "a"}, call, {"role": "user", "content": "b"}])),
            "input[1]",
        ),
        (
            "an output without a call",
            Messages,
            ask(
                json!([{"role": "user", "content": "a"}, {"type": "function_call_output", "call_id": "call_9", "output": "x"}]),
            ),
            "input[1]",
        ),
        (
            "an effort nobody has",
            Messages,
            json!({"input": "a", "reasoning": {"effort": "heroic"}}),
            "reasoning.effort",
        ),
        (
            "a format nobody has",
            Messages,
            json!({"input": "a", "text": {"format": {"type": "yaml"}}}),
            "text.format",
        ),
        (
            "a file of another vendor",
            Messages,
            ask(json!([{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}])),
            "input[0].content[0]",
        ),
    ]
}

fn messages() -> Vec<Case> {
    let ask = |messages: Value| json!({"max_tokens": 9, "messages": messages});
    let block = |block: Value| ask(json!([user(json!([{"type": "text", "text": "a"}, block]))]));
    let use_ = json!({"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]});
    vec![
        ("a block that is none", Chat, ask(json!([user(json!(["x"]))])), "messages[0].content[0]"),
        ("a role nobody has", Chat, ask(json!([{"role": "wizard", "content": "x"}])), "messages[0].role"),
        ("no content", Chat, ask(json!([{"role": "user"}])), "messages[0]"),
        ("an image without a source", Chat, block(json!({"type": "image"})), "messages[0].content[1]"),
        (
            "an image by URL",
            Ollama,
            block(json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})),
            "messages[0].content[1]",
        ),
        (
            "an image of another vendor",
            Chat,
            block(json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}})),
            "messages[0].content[1]",
        ),
        (
            "a document by URL",
            Chat,
            block(json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}})),
            "messages[0].content[1]",
        ),
        (
            "a use without a result",
            Chat,
            ask(json!([user(json!("a")), use_, user(json!("c"))])),
            "messages[1].content[1]",
        ),
        (
            "a use without a result",
            Generate,
            ask(json!([user(json!("a")), use_, user(json!("c"))])),
            "messages[1].content[1]",
        ),
        (
            "a result without a use",
            Chat,
            ask(json!([user(json!([{"type": "tool_result", "tool_use_id": "toolu_9", "content": "x"}]))])),
            "messages[0].content[0]",
        ),
        (
            "a tool without a schema",
            Chat,
            json!({"max_tokens": 9, "messages": [user(json!("a"))], "tools": [{"name": "f"}]}),
            "tools[0]",
        ),
        (
            "a schema of a list",
            Chat,
            json!({"max_tokens": 9, "messages": [user(json!("a"))], "tools": [{"name": "f", "input_schema": []}]}),
            "tools[0].input_schema",
        ),
        (
            "thinking without a budget",
            Chat,
            json!({"max_tokens": 9, "messages": [user(json!("a"))], "thinking": {"type": "enabled"}}),
            "thinking",
        ),
    ]
}

fn generate() -> Vec<Case> {
    let parts = |parts: Value| json!({"contents": [{"role": "user", "parts": parts}]});
    vec![
        ("no contents", Chat, json!({"contents": []}), "contents"),
        ("parts of a string", Chat, parts(json!("x")), "contents[0].parts"),
        (
            "an image without data",
            Chat,
            parts(json!([{"text": "a"}, {"inlineData": {"mimeType": "image/png"}}])),
            "contents[0].parts[1].inlineData",
        ),
        (
            "a film",
            Messages,
            parts(json!([{"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}])),
            "contents[0].parts[0]",
        ),
        (
            "sound",
            Messages,
            parts(json!([{"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}])),
            "contents[0].parts[0]",
        ),
        (
            "a response without a call",
            Chat,
            parts(json!([{"functionResponse": {"name": "f", "response": {}}}])),
            "contents[0].parts[0]",
        ),
        (
            "a call without a name",
            Chat,
            json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}),
            "contents[1].parts[0]",
        ),
        (
            "a mode nobody has",
            Chat,
            json!({"contents": [{"parts": [{"text": "a"}]}], "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}),
            "toolConfig.functionCallingConfig.mode",
        ),
    ]
}

fn converse() -> Vec<Case> {
    let ask = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    vec![
        (
            "a role nobody has",
            Chat,
            json!({"messages": [{"role": "system", "content": [{"text": "x"}]}]}),
            "messages[0].role",
        ),
        ("content of a string", Chat, ask(json!("x")), "messages[0].content"),
        ("a text of a number", Chat, ask(json!([{"text": 7}])), "messages[0].content[0].text"),
        (
            "an image without a source",
            Chat,
            ask(json!([{"image": {"format": "png"}}])),
            "messages[0].content[0].image",
        ),
        (
            "a result without a use",
            Chat,
            ask(json!([{"toolResult": {"toolUseId": "t9", "content": [{"text": "x"}]}}])),
            "messages[0].content[0]",
        ),
        (
            "a film",
            Messages,
            ask(json!([{"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}])),
            "messages[0].content[0]",
        ),
    ]
}

fn cohere() -> Vec<Case> {
    let ask = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    vec![
        ("no messages", Chat, json!({"messages": []}), "messages"),
        ("a part nobody has", Chat, ask(json!([{"type": "smell"}])), "messages[0].content[0]"),
        (
            "an image by URL",
            Converse,
            ask(json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}])),
            "messages[0].content[0]",
        ),
        (
            "a choice nobody has",
            Chat,
            json!({"messages": [{"role": "user", "content": "a"}], "tool_choice": "MAYBE"}),
            "tool_choice",
        ),
        (
            "a result without a call",
            Chat,
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "c9", "content": "x"}]}),
            "messages[1]",
        ),
    ]
}

fn ollama() -> Vec<Case> {
    vec![
        (
            "content of a list",
            Chat,
            json!({"messages": [{"role": "user", "content": ["x"]}]}),
            "messages[0].content",
        ),
        (
            "an image of a number",
            Chat,
            json!({"messages": [{"role": "user", "content": "a", "images": [7]}]}),
            "messages[0].images[0]",
        ),
        (
            "a result without a call",
            Chat,
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "content": "x"}]}),
            "messages[1]",
        ),
        (
            "a format nobody has",
            Chat,
            json!({"messages": [{"role": "user", "content": "a"}], "format": "yaml"}),
            "format",
        ),
    ]
}

fn are_refused(client: Protocol, cases: Vec<Case>) {
    let (sim, gateway): (Sim, Gateway) = lanes::strict();
    let mut wrong = Vec::new();
    for (name, upstream, body, path) in cases {
        for is_stream in [false, true] {
            let what = format!("{client:?} to {upstream:?}, stream {is_stream}: {name}");
            let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), is_stream, &body));
            let bytes = answer.body();
            if answer.status != 400 {
                wrong.push(format!("{what}: {} {}", answer.status, String::from_utf8_lossy(&bytes)));
                continue;
            }
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            let message = lanes::error(client, &told, &what);
            let names = |text: &str| text.split('`').any(|piece| piece.starts_with(path));
            if !names(&message) {
                wrong.push(format!("{what}: no `{path}` in {message}"));
            }
            assert_eq!(answer.header("x-tidegate-origin"), Some("gateway"), "{what}");
            if matches!(client, Chat | Responses) {
                let param = told["error"]["param"].as_str().unwrap_or_default();
                assert!(param.starts_with(path), "{what}: param {param}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(sim.calls(), 0, "no upstream hears of it");
}

#[test]
fn t28_bad_input_of_a_chat_client_names_its_place() {
    are_refused(Chat, chat());
}

#[test]
fn t28_bad_input_of_a_responses_client_names_its_place() {
    are_refused(Responses, responses());
}

#[test]
fn t28_bad_input_of_a_messages_client_names_its_place() {
    are_refused(Messages, messages());
}

#[test]
fn t28_bad_input_of_a_gemini_client_names_its_place() {
    are_refused(Generate, generate());
}

#[test]
fn t28_bad_input_of_a_converse_client_names_its_place() {
    are_refused(Converse, converse());
}

#[test]
fn t28_bad_input_of_a_cohere_client_names_its_place() {
    are_refused(Cohere, cohere());
}

#[test]
fn t28_bad_input_of_an_ollama_client_names_its_place() {
    are_refused(Ollama, ollama());
}

/// A block that is too large for the gateway is told with the size, in the client's own form.
#[test]
fn t28_bad_input_an_oversized_block_is_413_in_the_clients_form() {
    let sim = Sim::start();
    let config = lanes::config(&sim).table("server.limits").set("body_bytes_max = \"64KiB\"");
    let gateway = Gateway::start(config);
    for client in Protocol::ALL {
        let body = lanes::body(client, &"x".repeat(70_000));
        let upstream = if client == Chat { Messages } else { Chat };
        let mut answer = gateway.send(&lanes::call(client, &lanes::model(upstream), false, &body));
        let told = answer.json();
        assert_eq!(answer.status, 413, "{client:?}: {told}");
        assert!(!lanes::error(client, &told, "oversized").is_empty());
    }
    let image = json!({"messages": [user(json!([{"type": "image_url", "image_url": {"url": PNG}}]))]});
    assert_eq!(gateway.send(&lanes::call(Chat, &lanes::model(Messages), false, &image)).status, 200);
}
