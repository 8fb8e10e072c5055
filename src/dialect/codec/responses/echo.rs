//! What an answer repeats of its request.

use super::request_out::{instructions, write_schema};
use super::schemas::Schemas;
use super::stored::Stored;
use super::{settings, tools_out};
use crate::chat::{Effort, Feature, OutputFormat, Request};
use crate::framing::json::JsonWriter;

/// [`Owed::echo`](crate::dialect::codec::Owed) of a request that refers to no earlier answer.
pub fn echo(request: &Request<'_>) -> String {
    echo_stored(request, &Stored::NONE)
}

/// The members of the request that OpenAI repeats in each answer, without braces: SDKs want every one
/// of them. What the client did not say has OpenAI's default.
pub fn echo_stored(request: &Request<'_>, stored: &Stored<'_>) -> String {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        optional(w, "instructions", instructions(&request.system));
        w.key("max_output_tokens");
        match request.max_output {
            Some(tokens) => w.number(tokens),
            None => w.null(),
        }
        w.field_raw("metadata", setting(request, Feature::Metadata).unwrap_or("{}"));
        w.field_bool("parallel_tool_calls", request.parallel_tools.unwrap_or(true));
        optional(w, "previous_response_id", stored.previous_response_id.as_deref());
        if let Some(conversation) = &stored.conversation {
            w.field_object("conversation", |w| w.field_str("id", conversation));
        }
        reasoning(w, request);
        w.field_bool("store", stored.store && setting(request, Feature::Store) != Some("false"));
        w.field_raw("temperature", setting(request, Feature::Temperature).unwrap_or("1"));
        text(w, request);
        w.key("tool_choice");
        match &request.tool_choice {
            Some(choice) => tools_out::write_choice(w, request, choice, false),
            None => w.string("auto"),
        }
        w.field_array("tools", |w| tools_out::write(w, request, &Schemas::AS_WRITTEN, false));
        w.field_raw("top_p", setting(request, Feature::TopP).unwrap_or("1"));
        let truncation = setting(request, Feature::ContextManagement).filter(|value| value.starts_with('"'));
        w.field_raw("truncation", truncation.unwrap_or(r#""disabled""#));
        for feature in [Feature::TopLogprobs, Feature::PromptCacheKey, Feature::User] {
            if let (Some(name), Some(value)) = (settings::name(feature), setting(request, feature)) {
                w.field_raw(name, value);
            }
        }
    });
    let json = String::from_utf8(out).unwrap_or_default();
    // A line end between tokens of what the client wrote would end a line of the stream.
    let is_line_end = |c: char| matches!(c, '\n' | '\r');
    let members = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    members.chars().filter(|c| !is_line_end(*c)).collect()
}

fn setting<'r>(request: &'r Request<'_>, feature: Feature) -> Option<&'r str> {
    request.setting(feature).map(|setting| setting.value.as_str())
}

fn optional(w: &mut JsonWriter<'_>, key: &str, text: Option<&str>) {
    match text {
        Some(text) => w.field_str(key, text),
        None => w.field_null(key),
    }
}

fn reasoning(w: &mut JsonWriter<'_>, request: &Request<'_>) {
    let reasoning = request.reasoning.as_ref();
    let effort = match reasoning {
        Some(reasoning) if reasoning.is_off => Some("none"),
        Some(reasoning) => reasoning.effort.map(Effort::as_str),
        None => None,
    };
    w.field_object("reasoning", |w| {
        optional(w, "effort", effort);
        optional(w, "summary", reasoning.and_then(|reasoning| reasoning.summary.as_deref()));
    });
}

fn text(w: &mut JsonWriter<'_>, request: &Request<'_>) {
    w.field_object("text", |w| {
        w.field_object("format", |w| match &request.output {
            None => w.field_str("type", "text"),
            Some(OutputFormat::Json) => w.field_str("type", "json_object"),
            Some(schema) => write_schema(w, schema, &Schemas::AS_WRITTEN),
        });
        w.field_raw("verbosity", setting(request, Feature::Verbosity).unwrap_or(r#""medium""#));
    });
}
