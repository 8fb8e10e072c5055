//! A request for Cohere.

use crate::chat::{
    Block, Effort, Feature, Losses, OutputFormat, Reasoning, Refused, Request, Role, Survey, Target, Text,
    ThinkingStyle, Vendor,
};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

use super::losses::Policy;
use super::messages_out::Messages;
use super::{documents, extra, settings, tools};

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
    let policy = Policy { target, from: request.from };
    let carry = |feature| policy.carry(feature);
    Survey { to: Protocol::Cohere, vendor: Vendor::Unsigned, signs_calls: false, carry: &carry }
        .run(request, losses)?;
    let messages = Messages::new(request, &policy)?;
    let offered = tools::offered(request);
    let documents = documents_of(request);
    // Cohere refuses `response_format` beside tools and documents; its own clients may find out.
    let is_free = request.from == Protocol::Cohere || (offered.is_empty() && documents.is_empty());
    let output = request.output.as_ref().filter(|_| target.takes_schema && is_free);
    JsonWriter::new(out).object(|w| {
        w.field_str("model", &target.model);
        w.field_array("messages", |w| {
            messages.write(instruction(request, output.is_some()).as_deref(), losses, w);
        });
        if !documents.is_empty() {
            w.field_array("documents", |w| {
                documents.iter().for_each(|block| documents::write(block, false, w))
            });
        }
        tools::write(request, &offered, losses, w);
        if let Some(output) = output {
            format(output, request, w);
        }
        if let Some(wanted) = request.reasoning.as_ref().filter(|_| target.thinking != ThinkingStyle::None) {
            reasoning(wanted, request.max_output, w);
        }
        limits(request, target, w);
        settings::write(&request.settings, &policy, w);
        if request.is_stream {
            w.field_bool("stream", true);
        }
        extra::write(&request.extra, &["response_format"], w);
    });
    if output.is_none()
        && let Some(wanted) = &request.output
    {
        let feature = match wanted {
            OutputFormat::Json => Feature::JsonOutput,
            OutputFormat::Schema { .. } => Feature::SchemaOutput,
        };
        losses.push(feature, crate::chat::At::NOWHERE);
    }
    Ok(())
}

/// Documents the user gave; those of tool results stay there.
fn documents_of<'r, 'a>(request: &'r Request<'a>) -> Vec<&'r Block<'a>> {
    let turns = request.turns.iter().filter(|turn| turn.role == Role::User);
    turns.flat_map(|turn| &turn.blocks).filter(|block| documents::is_document(block)).collect()
}

/// What must be said in words. Cohere itself asks for words beside its JSON mode, or the model may
/// never end.
fn instruction(request: &Request<'_>, is_formatted: bool) -> Option<Text<'static>> {
    match &request.output {
        Some(OutputFormat::Schema { schema, .. }) if !is_formatted => Some(Text::Owned(format!(
            "Answer with one JSON object that keeps to this JSON schema, and nothing else:\n{}",
            schema.as_str()
        ))),
        Some(OutputFormat::Json) if !is_formatted || request.from != Protocol::Cohere => {
            Some(Text::Borrowed("Answer with one JSON object and nothing else."))
        }
        _ => None,
    }
}

fn format(output: &OutputFormat<'_>, request: &Request<'_>, w: &mut JsonWriter<'_>) {
    w.field_object("response_format", |w| {
        w.field_str("type", "json_object");
        if let OutputFormat::Schema { schema, .. } = output {
            w.field_raw("json_schema", schema.as_str());
        }
        extra::write_inner(&request.extra, "response_format", w);
    });
}

/// A budget must leave room for the answer: at most half of a limit the client set.
fn reasoning(wanted: &Reasoning<'_>, limit: Option<u64>, w: &mut JsonWriter<'_>) {
    let by_effort = || {
        let tokens = wanted.effort.map(Effort::budget)?;
        Some(limit.map_or(tokens, |limit| tokens.min(limit / 2)))
    };
    let budget = wanted.budget.or_else(by_effort);
    if !wanted.is_off && budget.is_none() && !wanted.is_adaptive {
        return;
    }
    w.field_object("thinking", |w| {
        w.field_str("type", if wanted.is_off { "disabled" } else { "enabled" });
        if let Some(tokens) = budget.filter(|_| !wanted.is_off) {
            w.field_u64("token_budget", tokens);
        }
        extra::write(&wanted.extra, &[], w);
    });
}

fn limits(request: &Request<'_>, target: &Target, w: &mut JsonWriter<'_>) {
    if let Some(wanted) = request.max_output {
        w.field_u64("max_tokens", target.output_max.map_or(wanted, |most| wanted.min(most)));
    }
    if !request.stop.is_empty() {
        w.field_array("stop_sequences", |w| request.stop.iter().for_each(|stop| w.string(stop)));
    }
}
