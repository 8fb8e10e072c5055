//! Requests, both ways.

use super::*;
use crate::chat::Feature;
use crate::framing::json::{Duplicates, parse, path_at};

fn decode(json: &str, shape: Shape) -> Request<'_> {
    let node = parse(json, Duplicates::Refuse).unwrap();
    let called = Called { model: in_path(shape).then_some("in-path"), is_stream: None };
    decode_request(&node, shape, called).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn in_path(shape: Shape) -> bool {
    use Shape::{BedrockCohere, BedrockTitan, GeminiMany, GeminiOne, VertexPredict};
    matches!(shape, GeminiOne | GeminiMany | BedrockTitan | BedrockCohere | VertexPredict)
}

fn encode(request: &Request<'_>, shape: Shape) -> Result<(String, Losses), Refused> {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, shape, "up", &mut losses, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), losses))
}

fn names(losses: &Losses) -> Vec<String> {
    let name = |loss: &crate::chat::Loss| match &loss.name {
        Some(name) => name.clone(),
        None => format!("{:?}", loss.feature),
    };
    losses.all().iter().map(name).collect()
}

/// A full request of every shape, as this gateway writes it.
const FULL: [(Shape, &str); 9] = [
    (
        Shape::OpenAi,
        r#"{"model":"up","input":["a","b"],"dimensions":256,"user":"u","encoding_format":"base64","truncate_prompt_tokens":8}"#,
    ),
    (
        Shape::GeminiOne,
        r#"{"model":"models/up","content":{"parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},"taskType":"FACT_VERIFICATION","title":"T","outputDimensionality":256,"autoTruncate":false,"labels":{}}"#,
    ),
    (
        Shape::GeminiMany,
        r#"{"requests":[{"model":"models/up","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"},{"model":"models/up","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_QUERY"}]}"#,
    ),
    (
        Shape::Cohere,
        r#"{"model":"up","texts":["a"],"input_type":"search_query","embedding_types":["float","int8","base64"],"truncate":"START","output_dimension":256,"max_tokens":9}"#,
    ),
    (
        Shape::Cohere,
        r#"{"model":"up","inputs":[{"content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}],"input_type":"search_document","embedding_types":["float"]}"#,
    ),
    (
        Shape::Voyage,
        r#"{"model":"up","input":["a"],"input_type":"document","output_dimension":256,"output_dtype":"int8","truncation":true,"encoding_format":"base64"}"#,
    ),
    (
        Shape::Ollama,
        r#"{"model":"up","input":["a","b"],"dimensions":256,"truncate":false,"keep_alive":"5m"}"#,
    ),
    (
        Shape::BedrockTitan,
        r#"{"inputText":"a","dimensions":256,"embeddingTypes":["float","binary"],"normalize":true}"#,
    ),
    (
        Shape::VertexPredict,
        r#"{"instances":[{"content":"a","task_type":"RETRIEVAL_DOCUMENT","title":"T"},{"content":"b","task_type":"RETRIEVAL_DOCUMENT"}],"parameters":{"outputDimensionality":256,"autoTruncate":false},"labels":{}}"#,
    ),
];

#[test]
fn requests_are_written_as_they_were_read() {
    for (shape, json) in FULL {
        let request = decode(json, shape);
        let (text, losses) = encode(&request, shape).unwrap();
        assert_eq!(text, json);
        assert!(losses.is_empty(), "{losses:?}");
    }
    let images = r#"{"images":["data:image/png;base64,iVBO"],"input_type":"image"}"#;
    assert_eq!(encode(&decode(images, Shape::BedrockCohere), Shape::BedrockCohere).unwrap().0, images);
}

#[test]
fn a_query_goes_to_every_vendor_in_its_words() {
    let request =
        decode(r#"{"model":"m","input":"q","input_type":"query","dimensions":8,"user":"u"}"#, Shape::OpenAi);
    let mut all = String::new();
    for shape in Shape::ALL {
        let (text, losses) = encode(&request, shape).unwrap();
        all.push_str(&format!("{shape:?} {text} lost {:?}\n", names(&losses)));
    }
    insta::assert_snapshot!(all, @r#"
    OpenAi {"model":"up","input":["q"],"input_type":"query","dimensions":8,"user":"u","encoding_format":"float"} lost []
    GeminiOne {"model":"models/up","content":{"parts":[{"text":"q"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8} lost ["User"]
    GeminiMany {"requests":[{"model":"models/up","content":{"parts":[{"text":"q"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]} lost ["User"]
    Cohere {"model":"up","texts":["q"],"input_type":"search_query","embedding_types":["float"],"output_dimension":8} lost ["User"]
    Voyage {"model":"up","input":["q"],"input_type":"query","output_dimension":8} lost ["User"]
    Ollama {"model":"up","input":["q"],"dimensions":8} lost ["User", "input_type"]
    OllamaOne {"model":"up","prompt":"q","dimensions":8} lost ["User", "input_type"]
    BedrockTitan {"inputText":"q","dimensions":8} lost ["User", "input_type"]
    BedrockCohere {"texts":["q"],"input_type":"search_query","output_dimension":8} lost ["User"]
    VertexPredict {"instances":[{"content":"q","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":8}} lost ["User"]
    "#);
    assert!(
        encode(&request, Shape::Ollama).unwrap().1.all().iter().any(|loss| loss.feature == Feature::User)
    );
}

#[test]
fn what_a_vendor_has_no_word_for_is_named() {
    let request = decode(
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"SEMANTIC_SIMILARITY","title":"T","autoTruncate":false,"labels":{}}"#,
        Shape::GeminiOne,
    );
    for (shape, expected) in [
        (Shape::OpenAi, &["input_type", "truncate", "title", "labels"][..]),
        (Shape::Cohere, &["input_type", "title", "labels"]),
        (Shape::Voyage, &["input_type", "title", "labels"]),
        (Shape::Ollama, &["input_type", "title", "labels"]),
    ] {
        assert_eq!(names(&encode(&request, shape).unwrap().1), expected, "{shape:?}");
    }
    let cohere =
        decode(r#"{"model":"m","texts":["a"],"input_type":"image","truncate":"START"}"#, Shape::Cohere);
    assert_eq!(names(&encode(&cohere, Shape::Voyage).unwrap().1), ["input_type", "truncate"]);
    assert_eq!(names(&encode(&cohere, Shape::GeminiMany).unwrap().1), ["input_type", "truncate"]);
    let query = encode(
        &decode(
            r#"{"content":{"parts":[{"text":"a"}]},"taskType":"CODE_RETRIEVAL_QUERY"}"#,
            Shape::GeminiOne,
        ),
        Shape::Voyage,
    );
    assert!(query.unwrap().0.contains(r#""input_type":"query""#));
}

#[test]
fn tokens_go_to_openai_only() {
    for (json, count) in
        [(r#"{"model":"m","input":[1,2,3]}"#, 1), (r#"{"model":"m","input":[[1,2],[3]]}"#, 2)]
    {
        let request = decode(json, Shape::OpenAi);
        assert_eq!(request.inputs.len(), count);
        for part in request.parts(1) {
            for shape in Shape::ALL {
                let written = encode(&part, shape);
                assert_eq!(written.is_ok(), shape == Shape::OpenAi, "{shape:?}");
                if let Err(refused) = written {
                    assert!(
                        refused.message.ends_with("embeds no lists of tokens: send the text"),
                        "{refused}"
                    );
                }
            }
        }
    }
    let (text, _) =
        encode(&decode(r#"{"model":"m","input":[[1,2],[3]]}"#, Shape::OpenAi), Shape::OpenAi).unwrap();
    assert!(text.contains(r#""input":[[1,2],[3]]"#), "{text}");
}

#[test]
fn numbers_of_other_kinds_are_asked_for_where_they_are_made() {
    let request = decode(r#"{"model":"m","texts":["a"],"embedding_types":["binary"]}"#, Shape::Cohere);
    for (shape, is_made) in [
        (Shape::OpenAi, false),
        (Shape::GeminiMany, false),
        (Shape::Ollama, false),
        (Shape::Voyage, true),
        (Shape::BedrockTitan, true),
        (Shape::BedrockCohere, true),
    ] {
        assert_eq!(encode(&request, shape).is_ok(), is_made, "{shape:?}");
    }
    let several = decode(r#"{"model":"m","texts":["a"],"embedding_types":["binary","int8"]}"#, Shape::Cohere);
    assert!(encode(&several, Shape::Voyage).unwrap_err().message.contains("one kind"));
}

#[test]
fn a_form_of_one_input_takes_a_request_in_parts() {
    let request = decode(r#"{"model":"m","input":["a","b"]}"#, Shape::OpenAi);
    assert!(encode(&request, Shape::BedrockTitan).unwrap_err().message.contains("at most 1 inputs a call"));
    let parts = request.parts(Shape::BedrockTitan.inputs_max());
    let texts: Vec<String> = parts.iter().map(|part| encode(part, Shape::BedrockTitan).unwrap().0).collect();
    assert_eq!(texts, [r#"{"inputText":"a"}"#, r#"{"inputText":"b"}"#]);
}

#[test]
fn images_are_refused_where_only_texts_are_embedded() {
    let request = decode(
        r#"{"model":"m","images":["data:image/png;base64,iVBO"],"input_type":"image"}"#,
        Shape::Cohere,
    );
    for shape in [Shape::OpenAi, Shape::Voyage, Shape::Ollama] {
        assert!(encode(&request, shape).unwrap_err().message.ends_with("embeds no images"));
    }
    assert!(
        encode(&request, Shape::GeminiMany)
            .unwrap()
            .0
            .contains(r#""inlineData":{"mimeType":"image/png","data":"iVBO"}"#)
    );
    assert_eq!(encode(&request, Shape::BedrockTitan).unwrap().0, r#"{"inputImage":"iVBO"}"#);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (shape, json, place, words) in [
        (Shape::OpenAi, "3", None, "JSON object"),
        (Shape::OpenAi, r#"{"input":"a"}"#, None, "`model` is missing"),
        (Shape::OpenAi, r#"{"model":"m"}"#, None, "`input` is missing"),
        (Shape::OpenAi, r#"{"model":"m","input":[]}"#, None, "nothing to embed"),
        (Shape::OpenAi, r#"{"model":"m","input":["a",{}]}"#, Some("input[1]"), "made of strings"),
        (
            Shape::OpenAi,
            r#"{"model":"m","input":"a","encoding_format":"x"}"#,
            Some("encoding_format"),
            "float or base64",
        ),
        (Shape::OpenAi, r#"{"model":"m","input":"a","dimensions":-1}"#, Some("dimensions"), "whole number"),
        (Shape::Cohere, r#"{"model":"m","texts":["a",1]}"#, Some("texts[1]"), "list of strings"),
        (
            Shape::Cohere,
            r#"{"model":"m","texts":["a"],"embedding_types":["x"]}"#,
            Some("embedding_types[0]"),
            "unknown kind",
        ),
        (Shape::Cohere, r#"{"model":"m","images":["x"]}"#, Some("images[0]"), "data URL"),
        (
            Shape::GeminiMany,
            r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}]}"#,
            Some("requests[1]"),
            "one kind",
        ),
        (
            Shape::GeminiOne,
            r#"{"model":"m","content":{"parts":[{"video":1}]}}"#,
            Some("content.parts[0]"),
            "a part to embed",
        ),
        (
            Shape::GeminiOne,
            r#"{"model":"m","content":{"parts":[{"text":"a"}]},"taskType":"X"}"#,
            Some("taskType"),
            "unknown task",
        ),
        (Shape::BedrockTitan, r#"{"model":"m","inputText":3}"#, Some("inputText"), "a string"),
        (
            Shape::Voyage,
            r#"{"model":"m","input":"a","output_dtype":"x"}"#,
            Some("output_dtype"),
            "kind of numbers",
        ),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let refused = decode_request(&node, shape, Called::default()).unwrap_err();
        assert!(refused.message.contains(words), "{json}: {refused}");
        let path = refused.at.offset().and_then(|at| path_at(json.as_bytes(), at));
        assert_eq!(path.as_deref(), place, "{json}");
    }
}
