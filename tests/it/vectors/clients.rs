//! Requests and answers of each client's shape, written and read by hand.

use crate::harness::Request;
use base64::Engine as _;
use serde_json::{Value, json};

/// A way to ask for vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    OpenAi,
    OpenAiBase64,
    Voyage,
    GeminiOne,
    GeminiMany,
    Cohere,
    Ollama,
    OllamaOne,
    Titan,
    BedrockCohere,
    Predict,
}

impl Client {
    pub const ALL: [Client; 11] = [
        Client::OpenAi,
        Client::OpenAiBase64,
        Client::Voyage,
        Client::GeminiOne,
        Client::GeminiMany,
        Client::Cohere,
        Client::Ollama,
        Client::OllamaOne,
        Client::Titan,
        Client::BedrockCohere,
        Client::Predict,
    ];

    /// Forms of one text a call.
    pub fn is_single(self) -> bool {
        matches!(self, Client::GeminiOne | Client::OllamaOne | Client::Titan)
    }

    pub fn request(self, model: &str, texts: &[&str]) -> Request {
        let content = |text: &&str| json!({"parts": [{"text": text}]});
        let (path, body) = match self {
            Client::OpenAi => ("/v1/embeddings".to_owned(), json!({"model": model, "input": texts})),
            Client::OpenAiBase64 => (
                "/v1/embeddings".to_owned(),
                json!({"model": model, "input": texts, "encoding_format": "base64"}),
            ),
            Client::Voyage => (
                "/v1/embeddings".to_owned(),
                json!({"model": model, "input": texts, "output_dtype": "float"}),
            ),
            Client::GeminiOne => {
                (format!("/v1beta/models/{model}:embedContent"), json!({"content": content(&texts[0])}))
            }
            Client::GeminiMany => {
                let one = |text| json!({"model": format!("models/{model}"), "content": content(text)});
                let all: Vec<Value> = texts.iter().map(one).collect();
                (format!("/v1beta/models/{model}:batchEmbedContents"), json!({"requests": all}))
            }
            Client::Cohere => (
                "/v2/embed".to_owned(),
                json!({"model": model, "texts": texts, "input_type": "search_query", "embedding_types": ["float"]}),
            ),
            Client::Ollama => ("/api/embed".to_owned(), json!({"model": model, "input": texts})),
            Client::OllamaOne => ("/api/embeddings".to_owned(), json!({"model": model, "prompt": texts[0]})),
            Client::Titan => (format!("/model/{model}/invoke"), json!({"inputText": texts[0]})),
            Client::BedrockCohere => {
                (format!("/model/{model}/invoke"), json!({"texts": texts, "input_type": "search_document"}))
            }
            Client::Predict => {
                let one = |text: &&str| json!({"content": text, "task_type": "RETRIEVAL_QUERY"});
                let all: Vec<Value> = texts.iter().map(one).collect();
                let place = "/v1/projects/mine/locations/here/publishers/google";
                (format!("{place}/models/{model}:predict"), json!({"instances": all}))
            }
        };
        Request::post(&path, body.to_string())
    }

    /// The vectors of an answer in this form; nothing else of it is believed.
    pub fn vectors(self, body: &Value) -> Vec<Vec<f32>> {
        let list = |value: &Value| -> Vec<f32> {
            value
                .as_array()
                .unwrap_or_else(|| panic!("{self:?}: {body}"))
                .iter()
                .map(|n| n.as_f64().unwrap() as f32)
                .collect()
        };
        let each = |list: &Value, one: &dyn Fn(&Value) -> Vec<f32>| -> Vec<Vec<f32>> {
            list.as_array().unwrap_or_else(|| panic!("{self:?}: {body}")).iter().map(one).collect()
        };
        match self {
            Client::OpenAi | Client::Voyage | Client::OpenAiBase64 => {
                assert_eq!(body["object"], "list");
                for (place, entry) in body["data"].as_array().unwrap().iter().enumerate() {
                    assert_eq!((&entry["object"], &entry["index"]), (&json!("embedding"), &json!(place)));
                }
                let one = |entry: &Value| match self {
                    Client::OpenAiBase64 => unpacked(entry["embedding"].as_str().unwrap()),
                    _ => list(&entry["embedding"]),
                };
                each(&body["data"], &one)
            }
            Client::GeminiOne => vec![list(&body["embedding"]["values"])],
            Client::GeminiMany => each(&body["embeddings"], &|one| list(&one["values"])),
            Client::Cohere => {
                assert!(body["id"].is_string() && body["response_type"] == "embeddings_by_type", "{body}");
                each(&body["embeddings"]["float"], &list)
            }
            Client::Ollama => each(&body["embeddings"], &list),
            Client::OllamaOne => vec![list(&body["embedding"])],
            Client::Titan => vec![list(&body["embedding"])],
            Client::BedrockCohere => each(&body["embeddings"], &list),
            Client::Predict => each(&body["predictions"], &|one| list(&one["embeddings"]["values"])),
        }
    }

    /// Prompt tokens where the form has a place for them.
    pub fn tokens(self, body: &Value) -> Option<u64> {
        let place = match self {
            Client::OpenAi | Client::OpenAiBase64 => &body["usage"]["prompt_tokens"],
            Client::Voyage => &body["usage"]["total_tokens"],
            Client::GeminiOne | Client::GeminiMany => &body["usageMetadata"]["promptTokenCount"],
            Client::Cohere => &body["meta"]["billed_units"]["input_tokens"],
            Client::Ollama => &body["prompt_eval_count"],
            Client::Titan => &body["inputTextTokenCount"],
            Client::OllamaOne | Client::BedrockCohere | Client::Predict => return None,
        };
        Some(place.as_u64().unwrap_or_else(|| panic!("{self:?}: no usage in {body}")))
    }
}

fn unpacked(data: &str) -> Vec<f32> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}
