//! `additionalModelRequestFields`, written: what only the model's maker knows.

use super::facts::Facts;
use super::family::Family;
use super::request_out::own_fields;
use super::tools_out::ToolPlan;
use crate::chat::{Feature, Request};
use crate::framing::json::JsonWriter;

const KEY: &str = "additionalModelRequestFields";

/// Writes the key, unless there is nothing in it.
pub(super) fn write(request: &Request<'_>, facts: &Facts, tools: &ToolPlan<'_, '_>, w: &mut JsonWriter<'_>) {
    let mut inner = Vec::new();
    JsonWriter::new(&mut inner).object(|w| members(request, facts, tools, w));
    if inner.len() > "{}".len() {
        w.field_raw(KEY, &String::from_utf8_lossy(&inner));
    }
}

fn members(request: &Request<'_>, facts: &Facts, tools: &ToolPlan<'_, '_>, w: &mut JsonWriter<'_>) {
    facts.thinking.write(request.reasoning.as_ref(), w);
    let top_k = request.setting(Feature::TopK).filter(|_| facts.keeps(Feature::TopK));
    if let Some(setting) = top_k {
        let value = setting.value.as_str();
        match facts.family {
            Family::Nova => w.field_object("inferenceConfig", |w| w.field_raw("topK", value)),
            Family::Cohere => w.field_raw("k", value),
            _ => w.field_raw("top_k", value),
        }
    }
    if tools.is_one_at_a_time(request, facts) {
        w.field_object("tool_choice", |w| {
            w.field_str("type", "auto");
            w.field_bool("disable_parallel_tool_use", true);
        });
    }
    own_fields(request, KEY, w);
}
