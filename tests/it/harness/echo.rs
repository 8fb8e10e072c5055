//! The next turn of a conversation, written as a client's SDK of each protocol writes it: the assistant's
//! message goes back as it came, every call gets a result.

use serde_json::{Value, json};
use tidegate::types::Protocol;

/// A tool without much to it, for every protocol.
pub fn with_tool(protocol: Protocol, mut body: Value, name: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let function = json!({"name": name, "description": "Says the weather.", "parameters": schema});
    match protocol {
        Protocol::Chat | Protocol::Cohere | Protocol::Ollama => {
            body["tools"] = json!([{"type": "function", "function": function}]);
        }
        Protocol::Responses => {
            body["tools"] =
                json!([{"type": "function", "name": name, "parameters": schema, "strict": false}]);
            body["include"] = json!(["reasoning.encrypted_content"]);
            body["store"] = json!(false);
        }
        Protocol::Messages => body["tools"] = json!([{"name": name, "input_schema": schema}]),
        Protocol::Generate => {
            let declaration = json!({"name": name, "parametersJsonSchema": schema});
            body["tools"] = json!([{"functionDeclarations": [declaration]}]);
        }
        Protocol::Converse => {
            let spec = json!({"name": name, "inputSchema": {"json": schema}});
            body["toolConfig"] = json!({"tools": [{"toolSpec": spec}]});
        }
    }
    body
}

/// `body` with the answer to it and `result` for each of its calls.
pub fn next_turn(protocol: Protocol, body: &Value, answer: &Value, result: &str) -> Value {
    let mut body = body.clone();
    let key = match protocol {
        Protocol::Responses => "input",
        Protocol::Generate => "contents",
        _ => "messages",
    };
    if let Some(text) = body[key].as_str() {
        body[key] = json!([{"role": "user", "content": text}]);
    }
    let turns = turns_of(protocol, answer, result);
    body[key].as_array_mut().unwrap().extend(turns);
    body
}

fn turns_of(protocol: Protocol, answer: &Value, result: &str) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match protocol {
        Protocol::Chat => {
            let message = answer["choices"][0]["message"].clone();
            let told = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": result});
            let results: Vec<Value> = list(&message["tool_calls"]).iter().map(told).collect();
            [vec![message], results].concat()
        }
        Protocol::Responses => {
            let output = list(&answer["output"]);
            let calls = output.iter().filter(|item| item["type"] == "function_call");
            let told = |call: &Value| json!({"type": "function_call_output", "call_id": call["call_id"], "output": result});
            let results: Vec<Value> = calls.map(told).collect();
            [output, results].concat()
        }
        Protocol::Messages => {
            let uses = list(&answer["content"]).into_iter().filter(|block| block["type"] == "tool_use");
            let told =
                |call: Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": result});
            let results: Vec<Value> = uses.map(told).collect();
            vec![
                json!({"role": "assistant", "content": answer["content"]}),
                json!({"role": "user", "content": results}),
            ]
        }
        Protocol::Generate => {
            let content = answer["candidates"][0]["content"].clone();
            let calls = list(&content["parts"]).into_iter().filter(|part| part["functionCall"].is_object());
            let told = |part: Value| {
                let call = &part["functionCall"];
                json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"result": result}}})
            };
            let results: Vec<Value> = calls.map(told).collect();
            vec![content, json!({"role": "user", "parts": results})]
        }
        Protocol::Converse => {
            let message = answer["output"]["message"].clone();
            let uses = list(&message["content"]).into_iter().filter(|block| block["toolUse"].is_object());
            let told = |block: Value| {
                let id = &block["toolUse"]["toolUseId"];
                json!({"toolResult": {"toolUseId": id, "content": [{"text": result}]}})
            };
            let results: Vec<Value> = uses.map(told).collect();
            vec![message, json!({"role": "user", "content": results})]
        }
        Protocol::Cohere => {
            let message = answer["message"].clone();
            let told = |call: &Value| json!({"role": "tool", "tool_call_id": call["id"], "content": result});
            let results: Vec<Value> = list(&message["tool_calls"]).iter().map(told).collect();
            [vec![message], results].concat()
        }
        Protocol::Ollama => {
            let message = answer["message"].clone();
            let told = |call: &Value| json!({"role": "tool", "tool_name": call["function"]["name"], "tool_call_id": call["id"], "content": result});
            let results: Vec<Value> = list(&message["tool_calls"]).iter().map(told).collect();
            [vec![message], results].concat()
        }
    }
}
