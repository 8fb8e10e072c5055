//! Rerank requests and answers.

use super::*;
use crate::framing::json::{Duplicates, parse, parse_bytes, path_at};
use crate::types::recordings;

fn decode(json: &str, shape: Shape) -> Request<'_> {
    let node = parse(json, Duplicates::Refuse).unwrap();
    let called = Called { model: (shape == Shape::BedrockCohere).then_some("in-path"), is_stream: None };
    decode_request(&node, shape, called).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn encode(request: &Request<'_>, shape: Shape) -> (String, usize) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, shape, "up", &mut losses, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), losses.all().len())
}

const FULL: [(Shape, &str); 5] = [
    (Shape::Cohere, r#"{"model":"up","query":"q","documents":["a"],"top_n":2,"max_tokens_per_doc":9}"#),
    (
        Shape::Jina,
        r#"{"model":"up","query":"q","documents":["a",{"title":"x","text":"b"}],"top_n":2,"return_documents":true}"#,
    ),
    (
        Shape::Voyage,
        r#"{"model":"up","query":"q","documents":["a"],"top_k":2,"return_documents":false,"truncation":true}"#,
    ),
    (
        Shape::Bedrock,
        r#"{"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}},{"type":"INLINE","inlineDocumentSource":{"type":"JSON","jsonDocument":{"k":1.0}}}],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"up"},"numberOfResults":2}}}"#,
    ),
    (Shape::BedrockCohere, r#"{"api_version":2,"query":"q","documents":["a"],"top_n":2}"#),
];

#[test]
fn requests_are_written_as_they_were_read() {
    for (shape, json) in FULL {
        assert_eq!(encode(&decode(json, shape), shape), (json.to_owned(), 0));
    }
}

#[test]
fn a_request_goes_to_every_vendor_in_its_words() {
    let request = decode(
        r#"{"model":"m","query":"q","documents":["a",{"text":"b"},{"k":1.0}],"top_k":1,"return_documents":true,"truncation":true}"#,
        Shape::Voyage,
    );
    let mut all = String::new();
    for shape in Shape::ALL {
        let (text, lost) = encode(&request, shape);
        all.push_str(&format!("{shape:?} {text} lost {lost}\n"));
    }
    insta::assert_snapshot!(all, @r#"
    Cohere {"model":"up","query":"q","documents":["a","b","{\"k\":1.0}"],"top_n":1} lost 1
    Jina {"model":"up","query":"q","documents":["a","b",{"k":1.0}],"top_n":1,"return_documents":true} lost 1
    Voyage {"model":"up","query":"q","documents":["a","b","{\"k\":1.0}"],"top_k":1,"return_documents":true,"truncation":true} lost 0
    Bedrock {"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}},{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"b"}}},{"type":"INLINE","inlineDocumentSource":{"type":"JSON","jsonDocument":{"k":1.0}}}],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"up"},"numberOfResults":1}}} lost 1
    BedrockCohere {"api_version":2,"query":"q","documents":["a","b","{\"k\":1.0}"],"top_n":1} lost 1
    "#);
}

fn wanted(documents: &[&str]) -> Wanted {
    let documents = documents.iter().map(|text| (*text).to_owned()).collect();
    Wanted { model: "asked".to_owned(), token: "tok".to_owned(), documents }
}

#[test]
fn a_ranking_goes_to_every_client_in_its_words_with_its_digits() {
    let json = r#"{"id":"i","results":[{"index":1,"relevance_score":0.9990},{"index":0,"relevance_score":1e-3}],"meta":{"billed_units":{"search_units":1}}}"#;
    let node = parse(json, Duplicates::Refuse).unwrap();
    let response = decode_response(&node, Shape::Cohere).unwrap();
    let mut all = String::new();
    for shape in Shape::ALL {
        let mut out = Vec::new();
        let documents: &[&str] = if shape == Shape::Cohere { &[] } else { &["a", "b"] };
        encode_response(&response, shape, &wanted(documents), &mut out).unwrap();
        all.push_str(&format!("{shape:?} {}\n", String::from_utf8(out).unwrap()));
    }
    insta::assert_snapshot!(all, @r#"
    Cohere {"id":"i","results":[{"index":1,"relevance_score":0.9990},{"index":0,"relevance_score":1e-3}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}
    Jina {"id":"i","model":"asked","results":[{"index":1,"relevance_score":0.9990,"document":{"text":"b"}},{"index":0,"relevance_score":1e-3,"document":{"text":"a"}}]}
    Voyage {"object":"list","data":[{"index":1,"relevance_score":0.9990,"document":"b"},{"index":0,"relevance_score":1e-3,"document":"a"}],"model":"asked"}
    Bedrock {"results":[{"index":1,"relevanceScore":0.9990,"document":{"type":"TEXT","textDocument":{"text":"b"}}},{"index":0,"relevanceScore":1e-3,"document":{"type":"TEXT","textDocument":{"text":"a"}}}]}
    BedrockCohere {"id":"i","results":[{"index":1,"relevance_score":0.9990,"document":{"text":"b"}},{"index":0,"relevance_score":1e-3,"document":{"text":"a"}}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}
    "#);
}

#[test]
fn a_client_who_wants_documents_back_gets_those_it_sent() {
    let request =
        decode(r#"{"model":"m","query":"q","documents":["a"],"return_documents":true}"#, Shape::Jina);
    assert_eq!(request.wanted("t").documents, ["a"]);
    let request = decode(r#"{"model":"m","query":"q","documents":["a"]}"#, Shape::Cohere);
    assert!(request.wanted("t").documents.is_empty());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (shape, json, place, words) in [
        (Shape::Cohere, "[]", None, "JSON object"),
        (Shape::Cohere, r#"{"model":"m","query":"q"}"#, None, "`documents` is missing"),
        (Shape::Cohere, r#"{"model":"m","documents":["a"]}"#, None, "`query` is missing"),
        (Shape::Cohere, r#"{"model":"m","query":"q","documents":[]}"#, None, "nothing to rank"),
        (
            Shape::Jina,
            r#"{"model":"m","query":"q","documents":["a",3]}"#,
            Some("documents[1]"),
            "made of strings",
        ),
        (
            Shape::Voyage,
            r#"{"model":"m","query":"q","documents":["a"],"top_k":"x"}"#,
            Some("top_k"),
            "whole number",
        ),
        (Shape::Bedrock, r#"{"queries":[]}"#, None, "is missing"),
        (
            Shape::Bedrock,
            r#"{"queries":[],"rerankingConfiguration":{"bedrockRerankingConfiguration":{"modelConfiguration":{"modelArn":"x"}}}}"#,
            None,
            "one query",
        ),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let refused = decode_request(&node, shape, Called::default()).unwrap_err();
        assert!(refused.message.contains(words), "{json}: {refused}");
        assert_eq!(
            refused.at.offset().and_then(|at| path_at(json.as_bytes(), at)).as_deref(),
            place,
            "{json}"
        );
    }
}

#[test]
fn what_is_no_ranking_is_told_apart() {
    for (json, words) in [
        (r#"{"message":"invalid api token"}"#, "invalid api token"),
        (r#"{"results":3}"#, "no results"),
        (r#"{"results":[{"index":0}]}"#, "no results"),
        (r#"{"results":[{"index":-1,"relevance_score":1}]}"#, "no results"),
        (r#"{"results":[{"index":0,"relevance_score":"x"}]}"#, "no results"),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let garbled = decode_response(&node, Shape::Jina).unwrap_err();
        assert!(garbled.0.contains(words), "{json}: {garbled}");
    }
}

#[test]
fn recorded_rankings_say_what_their_json_says() {
    let Some(root) = recordings::folder() else { return };
    for (dir, shape, indexes) in [
        ("cohere/rerank-plain-rerank-english-v2.0", Shape::Cohere, &[1, 0][..]),
        ("cohere/rerank-plain-rerank-multilingual-v2.0", Shape::Cohere, &[3, 2, 0]),
        ("voyage/rerank-plain-rerank-2-lite", Shape::Voyage, &[0, 2]),
        ("voyage/rerank-plain-rerank-2-lite-2", Shape::Voyage, &[3, 0, 2]),
        ("together/fx-togetherai-reranking.1", Shape::Jina, &[0, 5]),
        ("bedrock/fx-amazon-bedrock-reranking.1", Shape::Bedrock, &[0, 5]),
    ] {
        let body = std::fs::read(root.join(dir).join("response.json")).unwrap();
        let node = parse_bytes(&body, Duplicates::LastCounts).unwrap();
        let response = decode_response(&node, shape).unwrap_or_else(|e| panic!("{dir}: {e}"));
        assert_eq!(response.results.iter().map(|ranked| ranked.index).collect::<Vec<_>>(), indexes, "{dir}");
        let text = String::from_utf8_lossy(&body);
        assert!(response.results.iter().all(|ranked| text.contains(ranked.score.as_str())), "{dir}");
        assert!(
            response.tokens.is_some() || response.search_units.is_some() || shape == Shape::Bedrock,
            "{dir}"
        );
        let Ok(body) = std::fs::read(root.join(dir).join("request.json")) else { continue };
        let node = parse_bytes(&body, Duplicates::Refuse).unwrap();
        let request = decode_request(&node, shape, Called::default()).unwrap();
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request(&request, shape, &request.model, &mut losses, &mut out).unwrap();
        assert!(losses.is_empty(), "{dir}");
        let written = String::from_utf8(out).unwrap();
        let again = parse(&written, Duplicates::Refuse).unwrap();
        assert_eq!(decode_request(&again, shape, Called::default()).unwrap(), request, "{dir}");
    }
}
