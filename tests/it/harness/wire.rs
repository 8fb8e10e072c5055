//! The dialects, as far as a test must know them.

use super::{Event, Request};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// One dialect with streams, at its main endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Chat,
    Responses,
    Messages,
    Gemini,
}

/// One event as an upstream writes it.
#[derive(Clone, Debug)]
pub struct Scripted {
    /// Empty where the dialect names no events.
    pub name: &'static str,
    pub data: String,
}

/// Events in the usual form: LF, one space, a blank line after each.
pub fn sse_bytes(events: &[Scripted]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        if !event.name.is_empty() {
            out.extend_from_slice(format!("event: {}\n", event.name).as_bytes());
        }
        out.extend_from_slice(format!("data: {}\n\n", event.data).as_bytes());
    }
    out
}

impl Wire {
    pub const ALL: [Wire; 4] = [Wire::Chat, Wire::Responses, Wire::Messages, Wire::Gemini];

    /// The provider kind of the configuration.
    pub fn kind(self) -> &'static str {
        match self {
            Wire::Chat | Wire::Responses => "openai-compatible",
            Wire::Messages => "anthropic-compatible",
            Wire::Gemini => "gemini-compatible",
        }
    }

    pub fn base_url(self, addr: SocketAddr) -> String {
        match self {
            Wire::Chat | Wire::Responses => format!("http://{addr}/v1"),
            Wire::Messages | Wire::Gemini => format!("http://{addr}"),
        }
    }

    /// The value of the label `endpoint` in log and metrics.
    pub fn endpoint(self, is_stream: bool) -> &'static str {
        match (self, is_stream) {
            (Wire::Chat, _) => "chat_completions",
            (Wire::Responses, _) => "responses",
            (Wire::Messages, _) => "messages",
            (Wire::Gemini, false) => "generate_content",
            (Wire::Gemini, true) => "stream_generate_content",
        }
    }

    pub fn path(self, model: &str, is_stream: bool) -> String {
        match (self, is_stream) {
            (Wire::Chat, _) => "/v1/chat/completions".to_owned(),
            (Wire::Responses, _) => "/v1/responses".to_owned(),
            (Wire::Messages, _) => "/v1/messages".to_owned(),
            (Wire::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Wire::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// A small call with the test key. A chat stream asks for its usage, so that no byte differs.
    pub fn request(self, model: &str, is_stream: bool) -> Request {
        self.request_with(model, is_stream, &json!({}))
    }

    /// The same with more fields in its body.
    pub fn request_with(self, model: &str, is_stream: bool, more: &Value) -> Request {
        let mut body = match self {
            Wire::Chat => {
                json!({"model": model, "messages": [{"role": "user", "content": "Say something."}]})
            }
            Wire::Responses => json!({"model": model, "input": "Say something."}),
            Wire::Messages => json!({
                "model": model, "max_tokens": 16,
                "messages": [{"role": "user", "content": "Say something."}],
            }),
            Wire::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": "Say something."}]}]}),
        };
        if is_stream && self != Wire::Gemini {
            body["stream"] = json!(true);
        }
        if is_stream && self == Wire::Chat {
            body["stream_options"] = json!({"include_usage": true});
        }
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.request_of(model, is_stream, body.to_string())
    }

    /// A call with a body of the test's own.
    pub fn request_of(self, model: &str, is_stream: bool, body: impl Into<Vec<u8>>) -> Request {
        let request = Request::post(&self.path(model, is_stream), body);
        match self {
            Wire::Messages => request.header("anthropic-version", "2023-06-01"),
            _ => request,
        }
    }

    /// A complete stream that says `words`, one content event each, and reports this usage.
    pub fn stream(self, words: &[&str], input: u64, output: u64) -> Vec<Scripted> {
        match self {
            Wire::Chat => chat_stream(words, input, output),
            Wire::Responses => responses_stream(words, input, output),
            Wire::Messages => messages_stream(words, input, output),
            Wire::Gemini => gemini_stream(words, input, output),
        }
    }

    /// Where in [`Wire::stream`] the first content event is.
    pub fn first_content(self) -> usize {
        match self {
            Wire::Chat => 1,
            Wire::Responses => 3,
            Wire::Messages => 2,
            Wire::Gemini => 0,
        }
    }

    /// The upstream's own way to say inside a stream that it failed.
    pub fn fault(self) -> Scripted {
        let (name, data) = match self {
            Wire::Chat => {
                ("", json!({"error": {"message": "overloaded", "type": "overloaded_error", "code": 529}}))
            }
            Wire::Responses => (
                "error",
                json!({"type": "error", "sequence_number": 9, "code": "server_error", "message": "failed", "param": null}),
            ),
            Wire::Messages => (
                "error",
                json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            ),
            Wire::Gemini => {
                ("", json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}))
            }
        };
        Scripted { name, data: data.to_string() }
    }

    /// The generated text of an event; empty where it has none.
    pub fn text_of(self, event: &Event) -> String {
        if event.data == "[DONE]" {
            return String::new();
        }
        let data = event.json();
        let text = match self {
            Wire::Chat => &data["choices"][0]["delta"]["content"],
            Wire::Responses if data["type"] == "response.output_text.delta" => &data["delta"],
            Wire::Responses => &Value::Null,
            Wire::Messages => &data["delta"]["text"],
            Wire::Gemini => &data["candidates"][0]["content"]["parts"][0]["text"],
        };
        text.as_str().unwrap_or_default().to_owned()
    }

    /// The text of a whole answer that is no stream.
    pub fn text_of_body(self, body: &Value) -> String {
        let text = match self {
            Wire::Chat => &body["choices"][0]["message"]["content"],
            Wire::Responses => &body["output"][0]["content"][0]["text"],
            Wire::Messages => &body["content"][0]["text"],
            Wire::Gemini => &body["candidates"][0]["content"]["parts"][0]["text"],
        };
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Whether the event tells a client that all is well and over.
    pub fn is_terminal(self, event: &Event) -> bool {
        match self {
            Wire::Chat => event.data == "[DONE]" || event.json()["choices"][0]["finish_reason"].is_string(),
            Wire::Responses => ["response.completed", "response.incomplete"].contains(&event.name.as_str()),
            Wire::Messages => event.name == "message_stop",
            Wire::Gemini => event.json()["candidates"][0]["finishReason"].is_string(),
        }
    }

    /// Whether the event is this dialect's error, with all that its SDKs need to raise it.
    pub fn is_error(self, event: &Event) -> bool {
        if event.data == "[DONE]" {
            return false;
        }
        let data = event.json();
        match self {
            Wire::Chat => event.name.is_empty() && self.is_error_body(&data),
            Wire::Responses => {
                event.name == "error" && data["type"] == "error" && data["message"].is_string()
            }
            Wire::Messages => event.name == "error" && self.is_error_body(&data),
            Wire::Gemini => self.is_error_body(&data),
        }
    }

    /// Whether the body is an error of this dialect.
    pub fn is_error_body(self, body: &Value) -> bool {
        let error = &body["error"];
        let has_message = error["message"].as_str().is_some_and(|message| !message.is_empty());
        has_message
            && match self {
                Wire::Chat | Wire::Responses => error["type"].is_string() && error.get("code").is_some(),
                Wire::Messages => body["type"] == "error" && error["type"].is_string(),
                Wire::Gemini => error["code"].is_u64() && error["status"].is_string(),
            }
    }
}

fn chat_stream(words: &[&str], input: u64, output: u64) -> Vec<Scripted> {
    let chunk = |choices: Value| {
        let mut data =
            json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"});
        data["choices"] = choices;
        data
    };
    let delta =
        |delta: Value, finish: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]));
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(words.iter().map(|word| delta(json!({"content": word}), Value::Null)));
    events.push(delta(json!({}), json!("stop")));
    let mut last = chunk(json!([]));
    last["usage"] =
        json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    events.push(last);
    let done = Scripted { name: "", data: "[DONE]".to_owned() };
    events.iter().map(|data| Scripted { name: "", data: data.to_string() }).chain([done]).collect()
}

fn responses_stream(words: &[&str], input: u64, output: u64) -> Vec<Scripted> {
    let response = |status: &str, usage: Value| json!({"id": "resp_1", "object": "response", "status": status, "model": "m", "output": [], "usage": usage});
    let item = json!({"id": "msg_1", "type": "message", "role": "assistant", "content": []});
    let part = json!({"type": "output_text", "text": "", "annotations": []});
    let place = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
    let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
    let mut events = vec![
        ("response.created", json!({"response": response("in_progress", Value::Null)})),
        ("response.output_item.added", json!({"output_index": 0, "item": item})),
        ("response.content_part.added", merged(&place, json!({"part": part}))),
    ];
    events.extend(words.iter().map(|w| ("response.output_text.delta", merged(&place, json!({"delta": w})))));
    events.extend([
        ("response.output_text.done", merged(&place, json!({"text": words.concat()}))),
        ("response.output_item.done", json!({"output_index": 0, "item": item})),
        ("response.completed", json!({"response": response("completed", usage)})),
    ]);
    let numbered = |(number, (name, data)): (usize, (&'static str, Value))| Scripted {
        name,
        data: merged(&data, json!({"type": name, "sequence_number": number})).to_string(),
    };
    events.into_iter().enumerate().map(numbered).collect()
}

fn messages_stream(words: &[&str], input: u64, output: u64) -> Vec<Scripted> {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": null, "usage": {"input_tokens": input, "output_tokens": 1},
    });
    let mut events = vec![
        ("message_start", json!({"message": message})),
        ("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    let delta = |word| json!({"index": 0, "delta": {"type": "text_delta", "text": word}});
    events.extend(words.iter().map(|word| ("content_block_delta", delta(word))));
    events.extend([
        ("content_block_stop", json!({"index": 0})),
        ("message_delta", json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}})),
        ("message_stop", json!({})),
    ]);
    let typed = |(name, data): (&'static str, Value)| Scripted {
        name,
        data: merged(&data, json!({"type": name})).to_string(),
    };
    events.into_iter().map(typed).collect()
}

fn gemini_stream(words: &[&str], input: u64, output: u64) -> Vec<Scripted> {
    let last = words.len() - 1;
    let chunk = |(place, word): (usize, &&str)| {
        let mut candidate = json!({"content": {"parts": [{"text": word}], "role": "model"}, "index": 0});
        let mut usage = json!({"promptTokenCount": input, "totalTokenCount": input});
        if place == last {
            candidate["finishReason"] = json!("STOP");
            usage = json!({"promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output});
        }
        let data = json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"});
        Scripted { name: "", data: data.to_string() }
    };
    words.iter().enumerate().map(chunk).collect()
}

fn merged(one: &Value, two: Value) -> Value {
    let mut all = one.clone();
    for (name, value) in two.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}
