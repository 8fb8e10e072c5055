//! Embeddings and rerank between vendors' shapes, and the catalogue's file.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json::{self, is_json};
use tidegate::catalog::Catalog;
use tidegate::chat::Losses;
use tidegate::dialect::codec::embed::{self, Shape, rerank};
use tidegate::dialect::codec::{Called, places};
use tidegate::framing::json::{Duplicates, parse_bytes};

const SHAPES: [Shape; 9] = [
    Shape::OpenAi,
    Shape::Voyage,
    Shape::GeminiOne,
    Shape::GeminiMany,
    Shape::Cohere,
    Shape::BedrockCohere,
    Shape::Ollama,
    Shape::BedrockTitan,
    Shape::VertexPredict,
];
const WORDS: [&str; 20] = [
    "null",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-1.5e-7",
    "1e999",
    "[[1,2]]",
    "[0.5,1]",
    "\"base64\"",
    "\"AACAPwAAAEA=\"",
    "\"float\"",
    "\"input\":",
    "\"texts\":",
    "\"embeddings\":",
    "\"index\":",
    ",",
    "]",
    "}",
    "\"x\"",
];
const KEYS: [&str; 22] = [
    "\"input\"",
    "\"model\"",
    "\"texts\"",
    "\"inputs\"",
    "\"inputText\"",
    "\"content\"",
    "\"parts\"",
    "\"text\"",
    "\"requests\"",
    "\"data\"",
    "\"embedding\"",
    "\"embeddings\"",
    "\"values\"",
    "\"float\"",
    "\"index\"",
    "\"usage\"",
    "\"query\"",
    "\"documents\"",
    "\"results\"",
    "\"relevance_score\"",
    "\"encoding_format\"",
    "\"dimensions\"",
];
const REQUESTS: [&str; 9] = [
    r#"{"model":"m","input":["a","é"],"encoding_format":"base64","dimensions":8,"user":"u"}"#,
    r#"{"model":"m","input":[[1,2],[3]],"encoding_format":"float"}"#,
    r#"{"model":"m","input":["a"],"input_type":"query","output_dimension":8,"output_dtype":"int8"}"#,
    r#"{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}"#,
    r#"{"requests":[{"model":"models/m","content":{"parts":[{"text":"a"}]}},{"model":"models/m","content":{"parts":[{"text":"b"}]}}]}"#,
    r#"{"model":"m","texts":["a","b"],"input_type":"search_query","embedding_types":["float"]}"#,
    r#"{"model":"m","input":"a","truncate":true,"options":{}}"#,
    r#"{"inputText":"a","dimensions":8,"normalize":true}"#,
    r#"{"instances":[{"content":"a","task_type":"RETRIEVAL_QUERY","title":"t"}],"parameters":{"autoTruncate":true}}"#,
];
const ANSWERS: [&str; 6] = [
    r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-7]},{"object":"embedding","index":1,"embedding":"AACAPwAAAEA="}],"model":"m","usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    r#"{"embeddings":[{"values":[0.1,0.2]},{"values":[0.3,0.4]}]}"#,
    r#"{"id":"x","embeddings":{"float":[[0.1],[0.2]],"int8":[[1],[2]]},"texts":["a","b"],"meta":{"billed_units":{"input_tokens":2}}}"#,
    r#"{"model":"m","embeddings":[[0.1,0.2]],"prompt_eval_count":2}"#,
    r#"{"embedding":[0.1,0.2],"inputTextTokenCount":2}"#,
    r#"{"predictions":[{"embeddings":{"values":[0.1,-2e-7],"statistics":{"token_count":2}}}]}"#,
];

fn check(input: Input<'_>, bytes: &[u8]) {
    let called = Called { model: Some("m"), is_stream: Some(false) };
    let from = SHAPES[input.choice % SHAPES.len()];
    let Ok(root) = parse_bytes(bytes, Duplicates::LastCounts) else { return };
    if let Ok(request) = embed::decode_request(&root, from, called) {
        for to in SHAPES {
            let (mut losses, mut out) = (Losses::default(), Vec::new());
            if embed::encode_request(&request, to, "m", &mut losses, &mut out).is_ok() {
                assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
            }
            places::of_losses(bytes, &losses);
        }
    }
    let base = REQUESTS[0].as_bytes();
    let wanted = parse_bytes(base, Duplicates::Refuse).unwrap();
    let wanted = embed::decode_request(&wanted, Shape::OpenAi, called).unwrap().wanted("token");
    if let Ok(response) = embed::decode_response(&root, from, &wanted) {
        for to in SHAPES {
            let mut out = Vec::new();
            if embed::encode_response(&response, to, &wanted, &mut out).is_ok() {
                assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
            }
        }
    }
}

#[test]
fn embed_requests_and_vectors_become_json_of_every_shape_or_are_refused() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        for base in [REQUESTS[input.choice % REQUESTS.len()], ANSWERS[input.choice % ANSWERS.len()]] {
            check(input, &input.changed(base.as_bytes(), &WORDS));
        }
        check(input, json::object(input.bytes, &KEYS).as_bytes());
    });
}

#[test]
fn embed_rerank_becomes_json_of_every_shape_or_is_refused() {
    const BASES: [&str; 4] = [
        r#"{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1,"return_documents":true}"#,
        r#"{"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}}],"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"numberOfResults":1,"modelConfiguration":{"modelArn":"arn"}}}}"#,
        r#"{"results":[{"index":0,"relevance_score":0.50,"document":{"text":"a"}}],"meta":{"billed_units":{"search_units":1}}}"#,
        r#"{"object":"list","data":[{"index":1,"relevance_score":1e-7}],"usage":{"total_tokens":3}}"#,
    ];
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let bytes = input.changed(BASES[input.choice % BASES.len()].as_bytes(), &WORDS);
        let Ok(root) = parse_bytes(&bytes, Duplicates::LastCounts) else { return };
        let called = Called { model: Some("m"), is_stream: Some(false) };
        for from in rerank::Shape::ALL {
            if let Ok(request) = rerank::decode_request(&root, from, called) {
                for to in rerank::Shape::ALL {
                    let (mut losses, mut out) = (Losses::default(), Vec::new());
                    if rerank::encode_request(&request, to, "m", &mut losses, &mut out).is_ok() {
                        assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
                    }
                }
            }
            rerank::decode_response(&root, from).ok();
        }
    });
}

#[test]
fn catalog_files_are_read_whole_or_refused_with_a_place() {
    const ROWS: [&str; 3] = [
        r#"{"format":1,"made":"2026-11-21","sources":[{"id":"a","version":"1","licence":"MIT","as_of":"2026-05-21"}],"providers":1,"models":1}"#,
        r#"{"provider":"p","name":"P","protocols":["chat"],"base_url":"https://p.example/v1","auth":"bearer","env":["P_KEY"],"doc":"https://p.example","source":"a"}"#,
        r#"{"id":"m","context":128000,"output":16384,"in":["text","image"],"out":["text"],"tools":true,"reasoning":false,"sampling":true,"tokenizer":"o200k","released":"2024-08-08","prices":[{"input":"5","output":"15"},{"above":200000,"input":"9","output":"20"}],"source":"a","as_of":"2026-05-21"}"#,
    ];

    const CATALOG_WORDS: [&str; 20] = [
        "null",
        "[]",
        "{}",
        "\"\"",
        "-1",
        "18446744073709551615",
        "1e99",
        "\n",
        "\"format\":",
        "\"models\":",
        "\"id\":",
        "\"prices\":",
        "\"input\":",
        "\"0.0000001\"",
        "\"m\"",
        ",",
        "}",
        "\"2026-02-30\"",
        "(\u{b5}/\u{fd}",
        "99999999",
    ];
    let base = ROWS.join("\n");
    let packed = zstd::encode_all(base.as_bytes(), 1).unwrap();
    assert!(Catalog::load(base.as_bytes()).is_ok() && Catalog::load(&packed).is_ok());
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        for file in [
            input.bytes.to_vec(),
            input.changed(base.as_bytes(), &CATALOG_WORDS),
            input.changed(&packed, &CATALOG_WORDS),
        ] {
            if let Err(error) = Catalog::load(&file) {
                assert!(!error.to_string().is_empty());
            }
        }
        let packed = zstd::encode_all(&*input.changed(base.as_bytes(), &CATALOG_WORDS), 1).unwrap();
        Catalog::load(&packed).ok();
    });
}
