//! Vectors for texts. Equal text, equal vector, whoever asks in whatever shape; length 1.

use serde_json::Value;

use super::base64;
use super::json::put;
use super::text::{hash, mix};

/// Numbers of a vector where the request says nothing.
const DIMENSIONS: usize = 64;
const DIMENSIONS_MAX: u64 = 4096;

/// Kinds of numbers, and base64 of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    Float,
    Base64,
    Int8,
    Uint8,
    Binary,
    Ubinary,
}

impl Numbers {
    /// The kind of Cohere's and Voyage's word; floats for any other.
    pub fn of(word: &str) -> Self {
        match word {
            "base64" => Numbers::Base64,
            "int8" => Numbers::Int8,
            "uint8" => Numbers::Uint8,
            "binary" => Numbers::Binary,
            "ubinary" => Numbers::Ubinary,
            _ => Numbers::Float,
        }
    }
}

/// What is embedded: the text of a string, the texts of a message's parts, the JSON of anything else.
pub fn text_of(input: &Value) -> String {
    let parts = input.get("parts").or_else(|| input.get("content")).and_then(Value::as_array);
    match (input, parts) {
        (Value::String(text), _) => text.clone(),
        (_, Some(parts)) => parts
            .iter()
            .map(|part| {
                part.get("text").and_then(Value::as_str).map_or_else(|| part.to_string(), str::to_owned)
            })
            .collect(),
        _ => input.to_string(),
    }
}

/// Writes the vector of a text as JSON.
pub fn put_vector(text: &str, dimensions: Option<u64>, numbers: Numbers, out: &mut String) {
    let length = dimensions.map_or(DIMENSIONS, |asked| asked.clamp(1, DIMENSIONS_MAX) as usize);
    let vector = vector(text, length);
    let whole = |number: f32, by: f32| (number * by).round() as i32;
    match numbers {
        Numbers::Float => put_list(vector.iter(), out),
        Numbers::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            put!(out, "\"", base64::encode(&bytes), "\"");
        }
        Numbers::Int8 => put_list(vector.iter().map(|number| whole(*number, 127.0)), out),
        Numbers::Uint8 => put_list(vector.iter().map(|number| whole(*number, 127.0) + 128), out),
        Numbers::Binary => put_list(packed(&vector).map(|byte| i32::from(byte) - 128), out),
        Numbers::Ubinary => put_list(packed(&vector), out),
    }
}

/// One bit a number: whether it is above zero.
fn packed(vector: &[f32]) -> impl Iterator<Item = u8> {
    vector.chunks(8).map(|eight| eight.iter().fold(0, |byte, number| (byte << 1) | u8::from(*number > 0.0)))
}

fn put_list(numbers: impl Iterator<Item = impl std::fmt::Display>, out: &mut String) {
    out.push('[');
    for (place, number) in numbers.enumerate() {
        put!(out, if place > 0 { "," } else { "" }, format!("{number}"));
    }
    out.push(']');
}

fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let seed = hash(text.as_bytes());
    let raw: Vec<f32> = (0..dimensions)
        .map(|place| mix(seed.wrapping_add(place as u64)) as i64 as f32 / i64::MAX as f32)
        .collect();
    let length = raw.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    raw.into_iter().map(|number| number / length).collect()
}

/// How well a document answers a query, in 0..1: by a hash of both.
pub fn relevance(query: &str, document: &str) -> f64 {
    let number = mix(hash(query.as_bytes()) ^ hash(document.as_bytes())) >> 40;
    number as f64 / (1u64 << 24) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_vector_has_length_one_and_depends_on_the_text() {
        let one = vector("a", 64);
        assert!((one.iter().map(|number| number * number).sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(one, vector("a", 64));
        assert_ne!(one, vector("b", 64));
    }

    #[test]
    fn a_text_is_the_same_text_in_every_shape() {
        for input in [
            json!("a b"),
            json!({"parts": [{"text": "a "}, {"text": "b"}]}),
            json!({"content": [{"type": "text", "text": "a b"}]}),
        ] {
            assert_eq!(text_of(&input), "a b", "{input}");
        }
        assert_eq!(text_of(&json!([1, 2])), "[1,2]");
    }

    #[test]
    fn every_kind_of_numbers_is_in_its_range() {
        let list = |numbers| {
            let mut out = String::new();
            put_vector("a", Some(16), numbers, &mut out);
            serde_json::from_str::<Vec<f64>>(&out).unwrap()
        };
        assert!(list(Numbers::Int8).iter().all(|number| (-128.0..=127.0).contains(number)));
        assert!(list(Numbers::Uint8).iter().all(|number| (0.0..=255.0).contains(number)));
        assert_eq!((list(Numbers::Binary).len(), list(Numbers::Ubinary).len()), (2, 2));
        assert_eq!(list(Numbers::Float).len(), 16);
    }
}
