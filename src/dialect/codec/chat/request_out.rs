//! A request for a chat completions upstream.

use crate::chat::{
    Feature, Losses, OutputFormat, Refused, Request, Survey, Target, Text, ThinkingEcho, Vendor,
};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::losses::Policy;
use super::messages_out::{Messages, mentions_json, schema_instruction};
use super::schemas::Schemas;
use super::{choice, extra, reasoning, settings, tools};

/// Writes a request for `target`.
///
/// # Errors
/// [`Refused`] where the target cannot answer without what it lacks, or tool calls and results do not
/// pair.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let policy = Policy::of(request, target);
    let vendor = match target.echo {
        ThinkingEcho::ReasoningDetails => Vendor::OpenRouter,
        ThinkingEcho::None | ThinkingEcho::ReasoningContent => Vendor::Unsigned,
    };
    let carry = |feature| policy.carry(feature);
    Survey { to: Protocol::Chat, vendor, signs_calls: target.needs_signatures, carry: &carry }
        .run(request, losses)?;
    let schemas = Schemas::adapt(request, losses)?;
    let messages = Messages::new(request, &policy)?;
    JsonWriter::new(out).object(|w| {
        w.field_str("model", &target.model);
        w.field_array("messages", |w| {
            messages.write(instruction(request, target).as_deref(), losses, w);
        });
        offer_tools(request, &schemas, &policy, w);
        output(request, &schemas, target, w);
        if let Some(wanted) = &request.reasoning {
            reasoning::write(wanted, target, losses, w);
        }
        limits(request, target, w);
        settings::write(&request.settings, &policy, w);
        stream(request, target, w);
        extra::write(&request.extra, &["response_format.json_schema"], w);
    });
    Ok(())
}

/// What must be said in words because the target has no field for it, or wants it in both.
fn instruction<'r>(request: &Request<'r>, target: &Target) -> Option<Text<'static>> {
    match &request.output {
        Some(OutputFormat::Schema { schema, .. }) if !target.takes_schema => {
            Some(schema_instruction(schema.as_str()))
        }
        Some(OutputFormat::Json) if request.from != Protocol::Chat && !mentions_json(request) => {
            Some(Text::Borrowed("Answer with one JSON object and nothing else."))
        }
        _ => None,
    }
}

fn offer_tools(request: &Request<'_>, schemas: &Schemas, policy: &Policy<'_>, w: &mut JsonWriter<'_>) {
    if !request.tools.iter().any(tools::is_carried) {
        return;
    }
    w.field_array("tools", |w| {
        for (place, tool) in request.tools.iter().enumerate().filter(|(_, tool)| tools::is_carried(tool)) {
            tools::write(tool, place, schemas, policy, w);
        }
    });
    choice::write(request, policy, w);
    if let Some(is_parallel) = request.parallel_tools
        && policy.keeps(Feature::ParallelTools)
    {
        w.field_bool("parallel_tool_calls", is_parallel);
    }
}

fn output(request: &Request<'_>, schemas: &Schemas, target: &Target, w: &mut JsonWriter<'_>) {
    let json_mode = |w: &mut JsonWriter<'_>| {
        w.field_object("response_format", |w| w.field_str("type", "json_object"));
    };
    match &request.output {
        None => {}
        Some(OutputFormat::Schema { name, description, schema, strict }) if target.takes_schema => {
            w.field_object("response_format", |w| {
                w.field_str("type", "json_schema");
                w.field_object("json_schema", |w| {
                    w.field_str("name", name.as_deref().unwrap_or("answer"));
                    w.field_opt_str("description", description.as_deref());
                    w.field_raw("schema", schemas.output(schema.as_str()));
                    if let Some(strict) = strict {
                        w.field_bool("strict", *strict);
                    }
                    extra::write_inner(&request.extra, "response_format.json_schema", w);
                });
            });
        }
        Some(_) => json_mode(w),
    }
}

fn limits(request: &Request<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    if let Some(wanted) = request.max_output {
        let name = if target.has_completion_limit { "max_completion_tokens" } else { "max_tokens" };
        w.field_u64(name, target.output_max.map_or(wanted, |most| wanted.min(most)));
    }
    match request.stop.as_slice() {
        [] => {}
        stops => w.field_array("stop", |w| {
            for stop in stops {
                w.string(stop);
            }
        }),
    }
}

/// Usage is asked for wherever it can be: the call must be accounted.
fn stream(request: &Request<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    if !request.is_stream {
        return;
    }
    w.field_bool("stream", true);
    let is_given = request.extra.for_protocol(Protocol::Chat).iter().any(|f| f.name == "stream_options");
    if !is_given && target.takes_stream_options {
        w.field_object("stream_options", |w| w.field_bool("include_usage", true));
    }
}
