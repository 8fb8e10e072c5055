//! The JSON document an answer must be, where the request holds it to a schema.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ask::Ask;
use super::event::fragments;
use super::json::{Quoted, put};
use super::tools::sample;

/// Characters of one piece.
const PIECE_CHARS: usize = 6;

/// The document in pieces, each as it stands between the quotes of JSON; `None` where text is asked for.
pub fn pieces(ask: &Ask<'_>) -> Option<Vec<String>> {
    let document = wanted(ask)?.to_string();
    let escaped = |piece: String| {
        let mut out = String::new();
        put!(&mut out, Quoted(&piece));
        out.get(1..out.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    Some(fragments(&document, PIECE_CHARS).into_iter().map(escaped).collect())
}

/// A value of the schema; any object where the request asks for JSON without one.
fn wanted(ask: &Ask<'_>) -> Option<Value> {
    let schema = schema(ask)?;
    if schema.is_null() { Some(json!({"answer": "Paris"})) } else { Some(sample(&schema, &schema, 0)) }
}

/// The schema, wherever the dialect has it; null: any JSON.
fn schema(ask: &Ask<'_>) -> Option<Value> {
    let read = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    if let Some(generation) = &ask.generation {
        let schema = read(generation.response_schema).or_else(|| read(generation.response_json_schema));
        let is_json = generation.response_mime_type.as_deref() == Some("application/json");
        return schema.or(is_json.then_some(Value::Null));
    }
    if let Some(config) = read(ask.text_format) {
        let text = config.pointer("/textFormat/structure/jsonSchema/schema")?.as_str()?;
        return serde_json::from_str(text).ok();
    }
    if let Some(format) = read(ask.format) {
        return match format {
            Value::Object(_) => Some(format),
            Value::String(word) => (word == "json").then_some(Value::Null),
            _ => None,
        };
    }
    let inner =
        |raw: Option<&RawValue>| read(raw).and_then(|mut outer| outer.get_mut("format").map(Value::take));
    let format = read(ask.response_format)
        .or_else(|| read(ask.output_format))
        .or_else(|| inner(ask.text))
        .or_else(|| inner(ask.output_config))?;
    let schema = ["/json_schema/schema", "/json_schema", "/schema"].iter().find_map(|at| format.pointer(at));
    match format.get("type").and_then(Value::as_str) {
        Some("json_schema" | "json_object") => Some(schema.cloned().unwrap_or(Value::Null)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_gets_a_document_of_its_schema() {
        let schema = r#"{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}"#;
        let quoted = serde_json::to_string(schema).unwrap();
        for body in [
            format!(
                r#"{{"response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
            ),
            format!(r#"{{"response_format":{{"type":"json_object","json_schema":{schema}}}}}"#),
            format!(r#"{{"text":{{"format":{{"type":"json_schema","name":"n","schema":{schema}}}}}}}"#),
            format!(r#"{{"output_config":{{"format":{{"type":"json_schema","schema":{schema}}}}}}}"#),
            format!(
                r#"{{"generationConfig":{{"responseMimeType":"application/json","responseSchema":{schema}}}}}"#
            ),
            format!(
                r#"{{"outputConfig":{{"textFormat":{{"type":"json_schema","structure":{{"jsonSchema":{{"schema":{quoted}}}}}}}}}}}"#
            ),
            format!(r#"{{"format":{schema}}}"#),
        ] {
            let ask = Ask::read(body.as_bytes()).unwrap();
            let inner = pieces(&ask).unwrap_or_else(|| panic!("{body}")).concat();
            let text: String = serde_json::from_str(&format!("\"{inner}\"")).unwrap();
            assert_eq!(
                serde_json::from_str::<Value>(&text).unwrap(),
                json!({"city": "Paris", "days": 1}),
                "{body}"
            );
        }
    }

    #[test]
    fn text_stays_text() {
        for body in [
            r#"{"response_format":{"type":"text"}}"#,
            r#"{"text":{"format":{"type":"text"}}}"#,
            r#"{"text":{"verbosity":"low"}}"#,
            r#"{"response_format":"b64_json"}"#,
            r#"{"generationConfig":{"maxOutputTokens":3}}"#,
            r#"{}"#,
        ] {
            assert!(pieces(&Ask::read(body.as_bytes()).unwrap()).is_none(), "{body}");
        }
        assert!(pieces(&Ask::read(br#"{"format":"json"}"#).unwrap()).is_some());
    }
}
