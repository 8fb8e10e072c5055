//! Nothing a client or a provider sends makes these readers panic.

use super::response_tests::wanted;
use super::*;
use crate::dialect::codec::mutants::mutants;
use crate::framing::json::{Duplicates, parse, parse_bytes};

const REQUESTS: [(Shape, &str); 6] = [
    (
        Shape::OpenAi,
        r#"{"model":"m","input":["a","b"],"dimensions":2,"user":"u","encoding_format":"base64","input_type":"query"}"#,
    ),
    (
        Shape::GeminiMany,
        r#"{"requests":[{"model":"m","content":{"parts":[{"text":"a"},{"inlineData":{"mimeType":"m","data":"d"}}]},"taskType":"CLUSTERING","title":"t","outputDimensionality":2}]}"#,
    ),
    (
        Shape::Cohere,
        r#"{"model":"m","texts":["a"],"images":["data:image/png;base64,iVBO"],"inputs":[{"content":[{"type":"text","text":"a"}]}],"input_type":"image","embedding_types":["float"],"truncate":"END","output_dimension":1}"#,
    ),
    (
        Shape::Voyage,
        r#"{"model":"m","input":[["x"]],"input_type":"query","output_dtype":"int8","output_dimension":1,"truncation":true}"#,
    ),
    (Shape::Ollama, r#"{"model":"m","input":"a","truncate":true,"dimensions":1,"options":{"x":1}}"#),
    (
        Shape::BedrockTitan,
        r#"{"model":"m","inputText":"a","inputImage":"i","embeddingConfig":{"outputEmbeddingLength":1},"embeddingTypes":["float"]}"#,
    ),
];

const RESPONSES: [(Shape, &str); 5] = [
    (
        Shape::OpenAi,
        r#"{"object":"list","data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":"AACAPw=="}],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}}"#,
    ),
    (Shape::GeminiMany, r#"{"embeddings":[{"values":[1,2]}],"usageMetadata":{"promptTokenCount":1}}"#),
    (
        Shape::Cohere,
        r#"{"id":"i","embeddings":{"float":[[1]],"int8":[[1]],"base64":["AACAPw=="]},"meta":{"tokens":{"input_tokens":1},"billed_units":{"input_tokens":1,"image_tokens":2}}}"#,
    ),
    (Shape::Ollama, r#"{"model":"m","embeddings":[[1,2]],"prompt_eval_count":1}"#),
    (Shape::BedrockTitan, r#"{"embedding":[1],"embeddingsByType":{"binary":[1]},"inputTextTokenCount":1}"#),
];

#[test]
fn requests_with_any_field_replaced_are_read_or_refused() {
    for (shape, json) in REQUESTS {
        for odd in mutants(json) {
            let node = parse(&odd, Duplicates::Refuse).unwrap();
            let Ok(request) = decode_request(&node, shape, Called::default()) else { continue };
            for to in Shape::ALL {
                let mut out = Vec::new();
                if encode_request(&request, to, "up", &mut Losses::default(), &mut out).is_ok() {
                    parse_bytes(&out, Duplicates::Refuse).unwrap();
                }
            }
        }
    }
}

#[test]
fn answers_with_any_field_replaced_are_read_or_garbled() {
    for (shape, json) in RESPONSES {
        for odd in mutants(json) {
            let node = parse(&odd, Duplicates::Refuse).unwrap();
            let Ok(response) = decode_response(&node, shape, &wanted(false, &[])) else { continue };
            for (to, is_base64) in Shape::ALL.into_iter().flat_map(|to| [(to, false), (to, true)]) {
                let mut out = Vec::new();
                if encode_response(&response, to, &wanted(is_base64, &[]), &mut out).is_ok() {
                    parse_bytes(&out, Duplicates::Refuse).unwrap();
                }
            }
        }
    }
}
