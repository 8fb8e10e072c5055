//! Answers, both ways.

use super::*;
use crate::framing::json::{Duplicates, parse};

pub(super) fn wanted(is_base64: bool, dtypes: &[Dtype]) -> Wanted {
    Wanted { model: "asked".to_owned(), dtypes: dtypes.to_vec(), is_base64, token: "tok".to_owned() }
}

fn decode<'a>(json: &'a str, shape: Shape, wanted: &Wanted) -> Response<'a> {
    let node = parse(json, Duplicates::Refuse).unwrap();
    decode_response(&node, shape, wanted).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn encode(response: &Response<'_>, shape: Shape, wanted: &Wanted) -> Result<String, Garbled> {
    let mut out = Vec::new();
    encode_response(response, shape, wanted, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

const NUMBERS: &str = r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[1.50, -2e-3]},{"object":"embedding","index":0,"embedding":[0.1,9007199254740993]}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#;

#[test]
fn digits_stay_as_they_were_written_in_every_shape() {
    let plain = wanted(false, &[]);
    let response = decode(NUMBERS, Shape::OpenAi, &plain);
    let mut all = String::new();
    for shape in Shape::ALL.into_iter().filter(|shape| shape.inputs_max() > 1) {
        all.push_str(&format!("{shape:?} {}\n", encode(&response, shape, &plain).unwrap()));
    }
    insta::assert_snapshot!(all, @r#"
    OpenAi {"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,9007199254740993]},{"object":"embedding","index":1,"embedding":[1.50, -2e-3]}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}
    GeminiMany {"embeddings":[{"values":[0.1,9007199254740993]},{"values":[1.50, -2e-3]}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5}}
    Cohere {"id":"tok","embeddings":{"float":[[0.1,9007199254740993],[1.50, -2e-3]]},"texts":[],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":5}},"response_type":"embeddings_by_type"}
    Voyage {"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,9007199254740993]},{"object":"embedding","index":1,"embedding":[1.50, -2e-3]}],"model":"m","usage":{"total_tokens":5}}
    Ollama {"model":"m","embeddings":[[0.1,9007199254740993],[1.50, -2e-3]],"prompt_eval_count":5}
    BedrockCohere {"id":"tok","embeddings":[[0.1,9007199254740993],[1.50, -2e-3]],"texts":[],"response_type":"embeddings_floats"}
    VertexPredict {"predictions":[{"embeddings":{"values":[0.1,9007199254740993]}},{"embeddings":{"values":[1.50, -2e-3]}}]}
    "#);
}

#[test]
fn packed_and_plain_floats_become_each_other() {
    let json = r#"{"embeddings":[[1,-2.50]],"model":"m"}"#;
    let response = decode(json, Shape::Ollama, &wanted(true, &[]));
    let packed = encode(&response, Shape::OpenAi, &wanted(true, &[])).unwrap();
    insta::assert_snapshot!(packed, @r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAIMA="}],"model":"m"}"#);
    let response = decode(&packed, Shape::OpenAi, &wanted(false, &[]));
    let plain = encode(&response, Shape::GeminiOne, &wanted(false, &[])).unwrap();
    insta::assert_snapshot!(plain, @r#"{"embedding":{"values":[1.0,-2.5]}}"#);
}

#[test]
fn kinds_of_numbers_are_kept_apart() {
    let json = r#"{"id":"i","embeddings":{"float":[[0.5]],"int8":[[-3]],"base64":["AAAAPw=="]},"meta":{"billed_units":{"input_tokens":2,"image_tokens":7}}}"#;
    let asked = wanted(true, &[Dtype::Float, Dtype::Int8]);
    let response = decode(json, Shape::Cohere, &asked);
    assert_eq!(response.sets.len(), 2);
    insta::assert_snapshot!(encode(&response, Shape::Cohere, &asked).unwrap(), @r#"{"id":"i","embeddings":{"float":[[0.5]],"int8":[[-3]],"base64":["AAAAPw=="]},"texts":[],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2,"image_tokens":7}},"response_type":"embeddings_by_type"}"#);
    let packed = encode(&response, Shape::Voyage, &wanted(true, &[Dtype::Int8])).unwrap();
    assert!(packed.contains(r#""embedding":"/Q==""#) && packed.contains(r#""total_tokens":9"#), "{packed}");
    let read = decode(&packed, Shape::Voyage, &wanted(true, &[Dtype::Int8]));
    assert!(
        encode(&read, Shape::Cohere, &wanted(false, &[Dtype::Int8])).unwrap().contains(r#""int8":[[-3]]"#)
    );
    assert!(encode(&read, Shape::Cohere, &wanted(false, &[Dtype::Binary])).is_err());
}

#[test]
fn titan_answers_one_by_one_gather_into_one() {
    let asked = wanted(false, &[]);
    let one = r#"{"embedding":[1.0],"embeddingsByType":{"float":[1.0]},"inputTextTokenCount":3}"#;
    let two = r#"{"embedding":[2.0],"inputTextTokenCount":4}"#;
    let mut response = decode(one, Shape::BedrockTitan, &asked);
    response.absorb(decode(two, Shape::BedrockTitan, &asked));
    let text = encode(&response, Shape::OpenAi, &asked).unwrap();
    assert!(
        text.contains(r#""index":1,"embedding":[2.0]"#) && text.contains(r#""total_tokens":7"#),
        "{text}"
    );
    let back = decode(two, Shape::BedrockTitan, &asked);
    insta::assert_snapshot!(encode(&back, Shape::BedrockTitan, &asked).unwrap(), @r#"{"embedding":[2.0],"embeddingsByType":{"float":[2.0]},"inputTextTokenCount":4}"#);
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for (shape, json, words) in [
        (Shape::OpenAi, r#"{"error":{"message":"no such model"}}"#, "no such model"),
        (Shape::Voyage, r#"{"detail":"Model x is not supported"}"#, "not supported"),
        (Shape::OpenAi, r#"{"data":[]}"#, "no vectors"),
        (Shape::OpenAi, r#"{"data":[{"embedding":[1,"x"]}]}"#, "no vectors"),
        (Shape::Ollama, r#"{"embeddings":[]}"#, "no vectors"),
        (Shape::GeminiMany, r#"{"embeddings":[{"values":3}]}"#, "no vectors"),
        (Shape::Cohere, r#"{"id":"1","message":"invalid api token"}"#, "invalid api token"),
        (Shape::BedrockTitan, "[]", "no vectors"),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let garbled = decode_response(&node, shape, &wanted(false, &[])).unwrap_err();
        assert!(garbled.0.contains(words), "{json}: {garbled}");
    }
}

#[test]
fn a_vector_that_does_not_unpack_is_garbled_in_every_shape() {
    let json = r#"{"data":[{"embedding":"AAAA"}],"model":"m"}"#;
    let response = decode(json, Shape::OpenAi, &wanted(true, &[]));
    for shape in Shape::ALL {
        assert!(encode(&response, shape, &wanted(false, &[])).is_err(), "{shape:?}");
    }
}
