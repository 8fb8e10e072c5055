//! The list of models, in each provider's shape.

use super::json::{Quoted, put};
use super::reply::Whole;

/// Names shown; any other name is answered as well.
const NAMES: [&str; 6] = [
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gemini-2.5-flash",
    "text-embedding-3-small",
];
const CREATED: u64 = 1_735_689_600;

/// Whose shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
}

/// All models.
pub fn list(shape: Shape) -> Whole {
    let mut out = String::from(match shape {
        Shape::OpenAi => r#"{"object":"list","data":["#,
        Shape::Anthropic => r#"{"data":["#,
        Shape::Gemini => r#"{"models":["#,
    });
    for (index, name) in NAMES.iter().enumerate() {
        put!(&mut out, if index > 0 { "," } else { "" });
        put_one(shape, name, &mut out);
    }
    out.push_str(match shape {
        Shape::Anthropic => r#"],"has_more":false,"first_id":"gpt-4o","last_id":"text-embedding-3-small"}"#,
        Shape::OpenAi | Shape::Gemini => "]}",
    });
    Whole::json(out)
}

/// One model, whatever its name.
pub fn one(shape: Shape, name: &str) -> Whole {
    let mut out = String::new();
    put_one(shape, name, &mut out);
    Whole::json(out)
}

fn put_one(shape: Shape, name: &str, out: &mut String) {
    match shape {
        Shape::OpenAi => {
            put!(
                out,
                r#"{"id":"#,
                Quoted(name),
                r#","object":"model","created":"#,
                CREATED,
                r#","owned_by":"sim"}"#
            );
        }
        Shape::Anthropic => {
            put!(out, r#"{"type":"model","id":"#, Quoted(name), r#","display_name":"#, Quoted(name));
            put!(out, r#","created_at":"2025-01-01T00:00:00Z"}"#);
        }
        Shape::Gemini => {
            put!(out, r#"{"name":"#, Quoted(&format!("models/{name}")), r#","version":"001","displayName":"#);
            put!(out, Quoted(name), r#","inputTokenLimit":1048576,"outputTokenLimit":8192,"#);
            put!(out, r#""supportedGenerationMethods":["generateContent","countTokens","embedContent"]}"#);
        }
    }
}
