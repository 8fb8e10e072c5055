//! Vectors for texts: OpenAI's and Gemini's shapes. Equal input, equal vector; length 1.

use serde_json::Value;
use serde_json::value::RawValue;

use super::ask::Ask;
use super::base64;
use super::job::{Job, Model};
use super::json::put;
use super::reply::Whole;
use super::text::{hash, mix};

/// Numbers of a vector where the request says nothing.
const DIMENSIONS: usize = 64;
const DIMENSIONS_MAX: u64 = 4096;
/// Inputs of one request.
const INPUTS_MAX: usize = 2048;

/// OpenAI: `/v1/embeddings`.
pub fn openai(job: &Job, ask: &Ask<'_>) -> Whole {
    let is_base64 = ask.encoding_format.as_deref() == Some("base64");
    let mut out = String::from(r#"{"object":"list","data":["#);
    for (index, input) in texts(ask.input).iter().enumerate() {
        put!(&mut out, if index > 0 { "," } else { "" }, r#"{"object":"embedding","index":"#, index);
        out.push_str(r#","embedding":"#);
        let vector = vector(input, dimensions(ask));
        if is_base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            put!(&mut out, "\"", base64::encode(&bytes), "\"");
        } else {
            put_vector(&vector, &mut out);
        }
        out.push('}');
    }
    put!(&mut out, r#"],"model":"#, Model(job));
    if job.has_usage {
        put!(&mut out, r#","usage":{"prompt_tokens":"#, job.prompt_tokens);
        put!(&mut out, r#","total_tokens":"#, job.prompt_tokens, "}");
    }
    out.push('}');
    Whole::json(out)
}

/// Gemini: `:embedContent`, and `:batchEmbedContents` where the body has `requests`.
pub fn gemini(ask: &Ask<'_>) -> Whole {
    let mut out = String::new();
    let one = |text: &str, out: &mut String| {
        out.push_str(r#"{"values":"#);
        put_vector(&vector(text, dimensions(ask)), out);
        out.push('}');
    };
    match ask.requests.and_then(|raw| serde_json::from_str::<Vec<Value>>(raw.get()).ok()) {
        Some(requests) => {
            out.push_str(r#"{"embeddings":["#);
            for (index, request) in requests.iter().take(INPUTS_MAX).enumerate() {
                put!(&mut out, if index > 0 { "," } else { "" });
                one(&request.get("content").unwrap_or(&Value::Null).to_string(), &mut out);
            }
            out.push_str("]}");
        }
        None => {
            out.push_str(r#"{"embedding":"#);
            one(ask.conversation(), &mut out);
            out.push('}');
        }
    }
    Whole::json(out)
}

/// One text for each vector: a string, a list of strings, a list of tokens, or a list of those.
pub fn texts(input: Option<&RawValue>) -> Vec<String> {
    let parsed = input.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    match parsed {
        Some(Value::Array(list)) if !list.iter().all(Value::is_number) => {
            list.iter().take(INPUTS_MAX).map(Value::to_string).collect()
        }
        Some(one) => vec![one.to_string()],
        None => Vec::new(),
    }
}

/// The vector of a text as JSON.
pub fn vector_json(text: &str, dimensions: Option<u64>) -> String {
    let mut out = String::new();
    put_vector(&vector(text, length(dimensions)), &mut out);
    out
}

fn dimensions(ask: &Ask<'_>) -> usize {
    length(ask.dimensions)
}

fn length(asked: Option<u64>) -> usize {
    asked.map_or(DIMENSIONS, |asked| asked.clamp(1, DIMENSIONS_MAX) as usize)
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let seed = hash(text.as_bytes());
    let raw: Vec<f32> = (0..dimensions)
        .map(|place| mix(seed.wrapping_add(place as u64)) as i64 as f32 / i64::MAX as f32)
        .collect();
    let length = raw.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|number| number / length).collect()
}

fn put_vector(vector: &[f32], out: &mut String) {
    out.push('[');
    for (place, number) in vector.iter().enumerate() {
        put!(out, if place > 0 { "," } else { "" }, format!("{number}"));
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_has_length_one_and_depends_on_the_text() {
        let one = vector("a", 64);
        assert!((one.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(one, vector("a", 64));
        assert_ne!(one, vector("b", 64));
    }

    #[test]
    fn a_list_of_tokens_is_one_input_and_a_list_of_texts_many() {
        for (input, count) in [(r#""a""#, 1), ("[1,2]", 1), ("[[1,2],[3]]", 2), (r#"["a","b","c"]"#, 3)] {
            let body = format!(r#"{{"input":{input}}}"#);
            assert_eq!(texts(Ask::read(body.as_bytes()).unwrap().input).len(), count, "{input}");
        }
    }
}
