//! The small OpenAI endpoints: moderations, images, files.

use serde_json::{Value, json};

use super::ask::Ask;
use super::ids::Id;
use super::job::Job;
use super::json::Put;
use super::reply::Whole;

/// Inputs of one request.
const INPUTS_MAX: usize = 2048;
/// Images of one answer.
const IMAGES_MAX: u64 = 10;
/// A PNG of one transparent dot.
const DOT: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const CATEGORIES: [&str; 13] = [
    "sexual",
    "sexual/minors",
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "violence",
    "violence/graphic",
];

/// `/v1/moderations`: nothing is ever flagged, unless the input has the word "flagme".
pub fn moderations(job: &Job, ask: &Ask<'_>) -> Whole {
    let input = ask.input.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()).unwrap_or_default();
    let each = match input {
        Value::Array(list) => list,
        one => vec![one],
    };
    let result = |input: &Value| {
        let is_flagged = input.to_string().contains("flagme");
        let of = |value: fn(bool) -> Value| -> Value {
            CATEGORIES.iter().map(|name| (*name, value(is_flagged && *name == "violence"))).collect()
        };
        json!({
            "flagged": is_flagged,
            "categories": of(Value::Bool),
            "category_scores": of(|is_high| json!(if is_high { 0.98 } else { 0.0001 })),
            "category_applied_input_types": of(|_| json!(["text"])),
        })
    };
    let results: Vec<Value> = each.iter().take(INPUTS_MAX).map(result).collect();
    Whole::json(json!({"id": named("modr-", job.id), "model": job.model, "results": results}).to_string())
}

/// `/v1/images/generations`, `edits`, `variations`.
pub fn images(job: &Job, count: Option<u64>) -> Whole {
    let image = json!({"b64_json": DOT});
    let images = vec![image; count.unwrap_or(1).clamp(1, IMAGES_MAX) as usize];
    let usage = json!({
        "input_tokens": job.prompt_tokens,
        "input_tokens_details": {"text_tokens": job.prompt_tokens, "image_tokens": 0},
        "output_tokens": 1,
        "total_tokens": job.prompt_tokens + 1,
    });
    Whole::json(json!({"created": job.created, "data": images, "usage": usage}).to_string())
}

/// `/v1/files` and below it: nothing is kept.
pub fn files(method: &str, rest: &str, id: Id, created: u64, body_bytes: usize) -> Whole {
    let file = |id: &str| {
        json!({"id": id, "object": "file", "bytes": body_bytes, "created_at": created, "expires_at": null,
               "filename": "sim.jsonl", "purpose": "batch", "status": "processed", "status_details": null})
    };
    let answer = match (method, rest.trim_matches('/')) {
        ("POST", "") => file(&named("file-", id)),
        ("GET", "") => json!({"object": "list", "data": [file("file-sim")], "has_more": false,
                              "first_id": "file-sim", "last_id": "file-sim"}),
        ("DELETE", name) => json!({"id": name, "object": "file", "deleted": true}),
        (_, name) if name.ends_with("/content") => {
            let body = b"{\"custom_id\":\"sim\"}\n".to_vec();
            return Whole { content_type: "application/octet-stream", body, ..Whole::json(String::new()) };
        }
        (_, name) => file(name),
    };
    Whole::json(answer.to_string())
}

fn named(prefix: &str, id: Id) -> String {
    let mut out = prefix.to_owned();
    id.put(&mut out);
    out
}
