//! A Converse call, written for one model.

use super::blocks_out::{self, ResultForm, cache_point, extra};
use super::facts::{Answer, Facts};
use super::family::Family;
use super::media::Names;
use super::plan::{Piece, Plan, Said};
use super::tools_out::{ToolPlan, wire_name};
use super::{HERE, fields_out};
use crate::chat::{
    Block, BlockKind, Feature, Losses, OutputFormat, Refused, Request, Role, Target, ToolResult,
};
use crate::framing::json::JsonWriter;

/// Stands where Bedrock demands a text: it refuses an empty one.
const FILLER: &str = ".";

const NO_BEGINNING: &str = "(The conversation starts here, without a message of the user.)";

/// Appends the body. The model's id and the stream flag belong to the path.
///
/// # Errors
/// [`Refused`] where the conversation cannot be brought into Bedrock's form.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let facts = Facts::new(request, target, losses)?;
    let carry = |feature| facts.carry(feature);
    facts.survey(&carry).run(request, losses)?;
    tell_more(request, &facts, losses);
    let plan = Plan::new(request, &facts)?;
    let tools = ToolPlan::new(request, &facts, losses)?;
    let mut names = Names::default();
    JsonWriter::new(out).object(|w| {
        w.field_array("messages", |w| {
            for turn in &plan.turns {
                message(turn, &facts, &mut names, w);
            }
        });
        if !plan.system.is_empty() {
            w.field_array("system", |w| {
                for block in &plan.system {
                    blocks_out::block(block, facts.is_own, &mut names, w);
                    cached(block, &facts, w);
                }
            });
        }
        inference(request, &facts, w);
        tools.write(request, &facts, w);
        fields_out::write(request, &facts, &tools, w);
        output(request, &facts, w);
        parameters(request, &facts, w);
        top_fields(request, w);
    });
    Ok(())
}

/// Losses that hang on more than a feature.
fn tell_more(request: &Request<'_>, facts: &Facts, losses: &mut Losses) {
    if let Some(asked) = request.reasoning.as_ref().filter(|asked| asked.is_off || asked.is_adaptive)
        && matches!(facts.thinking, super::thinking::Wire::Silent { why: Some(_) })
    {
        losses.push(Feature::ReasoningEffort, asked.at);
    }
    if !facts.family.caches_tools() {
        for tool in request.tools.iter().filter(|tool| tool.cache.is_some()) {
            losses.push(Feature::CacheHints, tool.at);
        }
    }
}

fn message(turn: &Said<'_, '_>, facts: &Facts, names: &mut Names, w: &mut JsonWriter<'_>) {
    w.object(|w| {
        w.field_str("role", if turn.role == Role::Assistant { "assistant" } else { "user" });
        w.field_array("content", |w| {
            for piece in &turn.pieces {
                self::piece(piece, facts, names, w);
            }
        });
        turn.extras.iter().for_each(|fields| extra(fields, w));
    });
}

fn piece(piece: &Piece<'_, '_>, facts: &Facts, names: &mut Names, w: &mut JsonWriter<'_>) {
    match piece {
        Piece::Filler => blocks_out::text(FILLER, w),
        Piece::Beginning => blocks_out::text(NO_BEGINNING, w),
        Piece::Block(block) => {
            blocks_out::block(block, facts.is_own, names, w);
            cached(block, facts, w);
        }
        Piece::Call { block, call, id } => {
            let name = wire_name(&call.name, call.is_custom);
            blocks_out::call(call, (id, &name), &block.extra, w);
            cached(block, facts, w);
        }
        Piece::Result { block, result, id } => {
            let form = match facts.family {
                Family::Mistral if !facts.is_own => ResultForm::Json,
                _ => ResultForm::Text,
            };
            blocks_out::result((result, id, &block.extra), form, facts.is_own, names, w);
            match inner_hint(result) {
                Some(inner) if block.cache.is_none() => cached(inner, facts, w),
                _ => cached(block, facts, w),
            }
        }
    }
}

/// A cache point inside of a result has no place there: it stands behind the result.
fn inner_hint<'r, 'a>(result: &'r ToolResult<'a>) -> Option<&'r Block<'a>> {
    result.content.iter().rev().find(|inner| inner.cache.is_some())
}

fn cached(block: &Block<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
    let is_thinking = matches!(block.kind, BlockKind::Thinking(_) | BlockKind::Redacted(_));
    if let Some(hint) = &block.cache
        && facts.keeps(Feature::CacheHints)
        && !is_thinking
    {
        cache_point(hint, facts.is_own, w);
    }
}

fn inference(request: &Request<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
    let mut inner = Vec::new();
    JsonWriter::new(&mut inner).object(|w| {
        if let Some(tokens) = request.max_output {
            w.field_u64("maxTokens", tokens);
        }
        for (feature, key) in [(Feature::Temperature, "temperature"), (Feature::TopP, "topP")] {
            if let Some(setting) = request.setting(feature).filter(|_| facts.keeps(feature)) {
                w.field_raw(key, setting.value.as_str());
            }
        }
        if request.stop.iter().any(|sequence| !sequence.is_empty()) {
            w.field_array("stopSequences", |w| {
                request.stop.iter().filter(|sequence| !sequence.is_empty()).for_each(|s| w.string(s));
            });
        }
        own_fields(request, "inferenceConfig", w);
    });
    if inner.len() > "{}".len() {
        w.field_raw("inferenceConfig", &String::from_utf8_lossy(&inner));
    }
}

fn output(request: &Request<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
    let Some(OutputFormat::Schema { name, description, .. }) = &request.output else { return };
    let Answer::Format(schema) = &facts.answer else { return };
    w.field_object("outputConfig", |w| {
        w.field_object("textFormat", |w| {
            w.field_str("type", "json_schema");
            w.field_object("structure", |w| {
                w.field_object("jsonSchema", |w| {
                    w.field_str("schema", schema);
                    w.field_opt_str("name", name.as_deref());
                    w.field_opt_str("description", description.as_deref());
                });
            });
        });
    });
}

fn parameters(request: &Request<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
    if let Some(tier) = facts.tier() {
        w.field_object("serviceTier", |w| w.field_str("type", tier));
    }
    let metadata = request.setting(Feature::Metadata).filter(|_| facts.keeps(Feature::Metadata));
    if let Some(setting) = metadata {
        w.field_raw("requestMetadata", setting.value.as_str());
    }
}

/// Writes back the fields that stood in the object `outer` of a Converse request.
pub(super) fn own_fields(request: &Request<'_>, outer: &str, w: &mut JsonWriter<'_>) {
    for field in request.extra.for_protocol(HERE) {
        if let Some(name) = field.name.strip_prefix(outer).and_then(|rest| rest.strip_prefix('.')) {
            w.field_raw(name, field.value.as_str());
        }
    }
}

/// Objects whose left-over fields are kept under a dotted name.
const NESTED: [&str; 3] = ["inferenceConfig", "toolConfig", "additionalModelRequestFields"];

fn top_fields(request: &Request<'_>, w: &mut JsonWriter<'_>) {
    for field in request.extra.for_protocol(HERE) {
        let is_nested = field.name.split_once('.').is_some_and(|(outer, _)| NESTED.contains(&outer));
        if !is_nested {
            w.field_raw(&field.name, field.value.as_str());
        }
    }
}
