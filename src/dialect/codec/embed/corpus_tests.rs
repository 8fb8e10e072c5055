//! Recorded traffic, checked against what a walk over the raw JSON finds.

use super::response_tests::wanted;
use super::*;
use crate::framing::json::{Duplicates, parse, parse_bytes};
use crate::types::recordings;
use base64::Engine as _;
use serde_json::Value;

/// Where the recordings lie, their shape, and whether they are answers.
const CASES: [(&str, Shape); 11] = [
    ("openai/fx-openai-embedding", Shape::OpenAi),
    ("azure-openai/embeddings-plain-embedding", Shape::OpenAi),
    ("mistral/embeddings-plain-mistral-embed", Shape::OpenAi),
    ("vllm-local/embeddings-plain-intfloat-e5-mistral-7b-instruct", Shape::OpenAi),
    ("cohere/embed-plain-embed-english-light-v3.0", Shape::Cohere),
    ("cohere/fx-cohere-embedding", Shape::Cohere),
    ("voyage/embeddings-plain-voyage-3-lite-2", Shape::Voyage),
    ("ollama/embeddings-plain-llama3", Shape::Ollama),
    ("vertex/embedcontent-plain-gemini-embedding-2", Shape::GeminiOne),
    ("vertex/predict-plain-gemini-embedding-001", Shape::VertexPredict),
    ("vertex/fx-google-vertex-embedding", Shape::VertexPredict),
];

const ERRORS: [(&str, Shape); 3] = [
    ("openai/embeddings-http-404-nonexistent", Shape::OpenAi),
    ("gemini/batchembedcontents-http-404-nonexistent-model", Shape::GeminiMany),
    ("voyage/embeddings-http-400-nonexistent", Shape::Voyage),
];

/// The vectors of an answer, in whatever form, by hand.
fn vectors(answer: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned();
    if let Some(data) = list(&answer["data"]) {
        return data.iter().map(|entry| entry["embedding"].clone()).collect();
    }
    if let Some(predictions) = list(&answer["predictions"]) {
        return predictions.iter().map(|one| one["embeddings"]["values"].clone()).collect();
    }
    let lists = [&answer["embeddings"]["float"], &answer["embeddings"]];
    if let Some(found) = lists.into_iter().find_map(list) {
        return found;
    }
    let one = &answer["embedding"];
    vec![if one["values"].is_array() { one["values"].clone() } else { one.clone() }]
}

/// As numbers, where packed.
fn floats(vector: &Value) -> Vec<f32> {
    match vector {
        Value::String(data) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
            bytes.chunks(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect()
        }
        list => list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect(),
    }
}

#[test]
fn recorded_vectors_are_the_same_in_every_shape() {
    let Some(root) = recordings::folder() else { return };
    for (dir, shape) in CASES {
        let body = std::fs::read(root.join(dir).join("response.json")).unwrap();
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response =
            decode_response(&node, shape, &wanted(false, &[])).unwrap_or_else(|e| panic!("{dir}: {e}"));
        let recorded = vectors(&serde_json::from_slice(&body).unwrap());
        assert!(!recorded.is_empty(), "{dir}");
        for to in Shape::ALL.into_iter().filter(|to| recorded.len() <= to.inputs_max()) {
            for is_base64 in [false, true] {
                let mut out = Vec::new();
                encode_response(&response, to, &wanted(is_base64, &[]), &mut out).unwrap();
                let answer: Value = serde_json::from_slice(&out).unwrap();
                let written = match to {
                    Shape::GeminiMany => {
                        answer["embeddings"].as_array().unwrap().iter().map(|e| e["values"].clone()).collect()
                    }
                    Shape::Cohere | Shape::BedrockCohere if is_base64 => {
                        answer["embeddings"]["base64"].as_array().unwrap().clone()
                    }
                    _ => vectors(&answer),
                };
                assert_eq!(written.len(), recorded.len(), "{dir} {to:?}");
                for (written, recorded) in written.iter().zip(&recorded) {
                    let (a, b) = (floats(written), floats(recorded));
                    assert!(
                        a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()) && a.len() == b.len(),
                        "{dir} {to:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn recorded_usage_is_counted() {
    let Some(root) = recordings::folder() else { return };
    for ((dir, shape), tokens) in CASES.into_iter().zip([12, 8, 10, 11, 208, 10, 18, 0, 11, 4, 11]) {
        let body = std::fs::read(root.join(dir).join("response.json")).unwrap();
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let usage = decode_response(&node, shape, &wanted(false, &[])).unwrap().usage;
        assert_eq!(usage.map_or(0, |usage| usage.input), tokens, "{dir}");
    }
}

#[test]
fn recorded_requests_mean_the_same_once_read_and_written() {
    let Some(root) = recordings::folder() else { return };
    let mut count = 0;
    for (dir, shape) in CASES.into_iter().chain(ERRORS) {
        let Ok(body) = std::fs::read(root.join(dir).join("request.json")) else { continue };
        let node = parse_bytes(&body, Duplicates::Refuse).unwrap();
        let is_in_path = matches!(shape, Shape::GeminiOne | Shape::VertexPredict);
        let called = Called { model: is_in_path.then_some("m"), is_stream: None };
        let request = decode_request(&node, shape, called).unwrap_or_else(|e| panic!("{dir}: {e}"));
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, shape, &request.model, &mut losses, &mut out).unwrap();
        assert!(losses.is_empty(), "{dir}: {losses:?}");
        let text = String::from_utf8(out).unwrap();
        let again = parse(&text, Duplicates::Refuse).unwrap();
        let mut read = decode_request(&again, shape, called).unwrap();
        // What was left to Cohere's older default is said.
        read.dtypes.retain(|dtype| request.dtypes.contains(dtype));
        assert_eq!(read, request, "{dir}");
        count += 1;
    }
    assert!(count > 8, "{count}");
}

#[test]
fn recorded_errors_are_no_vectors() {
    let Some(root) = recordings::folder() else { return };
    for (dir, shape) in ERRORS {
        let body = std::fs::read(root.join(dir).join("response.json")).unwrap();
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let garbled = decode_response(&node, shape, &wanted(false, &[])).unwrap_err();
        assert!(garbled.0.starts_with("an error in place of vectors: "), "{dir}: {garbled}");
    }
}
