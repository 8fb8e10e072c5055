//! Tools, and the choice among them, as they go up.

use super::betas::Place;
use super::cuts::Cuts;
use super::format::{Format, OUTPUT_TOOL};
use super::part::write_cache;
use super::plan::{Choice, Plan};
use crate::chat::{BlockKind, Feature, Losses, Raw, Refused, Tool, ToolKind, freeform};
use crate::dialect::codec::schema::{self, Subset, adapt};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use std::borrow::Cow;

/// Longest name the vendor takes.
const NAME_MAX: usize = 128;

/// A tool with everything decided.
pub(super) struct ToolOut<'r> {
    tool: Option<&'r Tool<'r>>,
    body: ToolBody<'r>,
}

enum ToolBody<'r> {
    Function {
        name: Cow<'r, str>,
        description: Option<Cow<'r, str>>,
        schema: Cow<'r, str>,
        strict: Option<bool>,
    },
    Hosted(&'r str),
}

/// The tools of the request, and the one that takes the answer.
///
/// # Errors
/// [`Refused`] at a tool whose name or schema the vendor would refuse.
pub(super) fn resolve<'r>(plan: &'r Plan<'r>, losses: &mut Losses) -> Result<Vec<ToolOut<'r>>, Refused> {
    let mut tools = Vec::with_capacity(plan.tools.len() + 1);
    for tool in &plan.tools {
        let body = match &tool.kind {
            ToolKind::Hosted { json, .. } => ToolBody::Hosted(json.as_str()),
            ToolKind::Function { name, description, schema, strict } => {
                check_name(plan, tool, name)?;
                let strict = strict.filter(|is_strict| *is_strict || plan.is_own);
                let (schema, strict) = parameters(plan, tool, schema.as_ref(), strict, losses)?;
                let description = description.as_deref().map(Cow::Borrowed);
                ToolBody::Function { name: Cow::Borrowed(name), description, schema, strict }
            }
            ToolKind::Custom { name, description, format } => {
                check_name(plan, tool, name)?;
                ToolBody::Function {
                    name: Cow::Owned(freeform::wrap_name(name)),
                    description: free_description(description.as_deref(), format.as_ref()),
                    schema: Cow::Borrowed(freeform::SCHEMA),
                    strict: None,
                }
            }
        };
        tools.push(ToolOut { tool: Some(*tool), body });
    }
    if tools.is_empty() && !plan.is_own {
        tools = called_before(plan);
    }
    if let Format::Tool { schema, description } = &plan.format {
        let body = ToolBody::Function {
            name: Cow::Borrowed(OUTPUT_TOOL),
            description: Some(Cow::Borrowed(description)),
            schema: Cow::Borrowed(schema),
            strict: None,
        };
        tools.push(ToolOut { tool: None, body });
    }
    Ok(tools)
}

/// The schema as the vendor takes it. One that cannot be kept to exactly is no strict one: a loss.
fn parameters<'r>(
    plan: &Plan<'_>,
    tool: &Tool<'_>,
    schema: Option<&'r Raw<'r>>,
    strict: Option<bool>,
    losses: &mut Losses,
) -> Result<(Cow<'r, str>, Option<bool>), Refused> {
    let Some(raw) = schema.map(Raw::as_str) else {
        return Ok((
            Cow::Borrowed(r#"{"type":"object","properties":{},"additionalProperties":false}"#),
            strict,
        ));
    };
    if plan.is_own {
        return Ok((Cow::Borrowed(raw), strict));
    }
    let parameters = schema::Place::Parameters;
    let exact = strict.and_then(|_| adapt(raw, tool.at, Subset::AnthropicStrict, parameters).ok());
    if let Some(exact) = exact {
        for name in exact.lost {
            losses.push_named(Feature::SchemaConstraint, tool.at, &Cow::Owned(name));
        }
        return Ok((exact.json, strict));
    }
    if strict.is_some() {
        losses.push(Feature::StrictTools, tool.at);
    }
    let loose = adapt(raw, tool.at, Subset::Tool, parameters)?;
    for name in loose.lost {
        losses.push_named(Feature::SchemaConstraint, tool.at, &Cow::Owned(name));
    }
    Ok((loose.json, None))
}

/// A free-form tool's grammar is for the model to read: it cannot be enforced.
fn free_description<'r>(words: Option<&'r str>, format: Option<&Raw<'_>>) -> Option<Cow<'r, str>> {
    freeform::wrap_description(words, format.map(Raw::as_str))
}

fn check_name(plan: &Plan<'_>, tool: &Tool<'_>, name: &str) -> Result<(), Refused> {
    let is_fit = !name.is_empty()
        && name.len() <= NAME_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_fit || plan.is_own {
        return Ok(());
    }
    let why = format!("Claude's tool names are up to 128 letters, digits, `_` and `-`, not {name:?}");
    Err(Refused::new(tool.at, why))
}

/// The tools that the conversation has called, where the request offers none any more: a conversation
/// with calls needs tools.
fn called_before<'r>(plan: &'r Plan<'r>) -> Vec<ToolOut<'r>> {
    let mut names: Vec<Cow<'r, str>> = Vec::new();
    for block in plan.request.turns.iter().flat_map(|turn| &turn.blocks) {
        let BlockKind::ToolUse(call) = &block.kind else { continue };
        let name = if call.is_custom {
            Cow::Owned(freeform::wrap_name(&call.name))
        } else {
            Cow::Borrowed(call.name.as_ref())
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let stub = |name| ToolOut {
        tool: None,
        body: ToolBody::Function {
            name,
            description: None,
            schema: Cow::Borrowed(r#"{"type":"object"}"#),
            strict: None,
        },
    };
    names.into_iter().map(stub).collect()
}

impl ToolOut<'_> {
    pub(super) fn has_hint(&self) -> bool {
        self.tool.is_some_and(|tool| tool.cache.is_some())
    }

    pub(super) fn write(&self, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
        let (name, description, schema, strict) = match &self.body {
            ToolBody::Hosted(json) => return w.raw(json),
            ToolBody::Function { name, description, schema, strict } => (name, description, schema, strict),
        };
        w.object(|w| {
            w.field_str("name", name);
            w.field_opt_str("description", description.as_deref());
            w.field_raw("input_schema", schema);
            if let Some(strict) = strict {
                w.field_bool("strict", *strict);
            }
            let Some(tool) = self.tool else { return };
            if tool.cache.is_some() {
                write_cache(w, tool.cache.as_ref(), cuts);
            }
            for field in tool.extra.for_protocol(Protocol::Messages) {
                if cuts.keeps(Place::Tool, field) {
                    w.field_raw(&field.name, field.value.as_str());
                }
            }
        });
    }
}

/// `tools` and `tool_choice`.
pub(super) fn write(plan: &Plan<'_>, tools: &[ToolOut<'_>], w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
    if tools.is_empty() && (!plan.is_own || plan.choice == Choice::Unsaid) {
        return;
    }
    if !tools.is_empty() {
        w.field_array("tools", |w| tools.iter().for_each(|tool| tool.write(w, cuts)));
    }
    let is_only_history = plan.tools.is_empty() && !plan.is_own && plan.format_is_no_tool();
    let (kind, name) = match &plan.choice {
        Choice::Raw(json) => return w.field_raw("tool_choice", json),
        _ if is_only_history => ("none", None),
        Choice::Unsaid => return,
        Choice::Auto => ("auto", None),
        Choice::None => ("none", None),
        Choice::Any => ("any", None),
        Choice::Tool(name) => ("tool", Some(wire_choice(plan, name))),
    };
    w.field_object("tool_choice", |w| {
        w.field_str("type", kind);
        w.field_opt_str("name", name.as_deref());
        if let Some(is_off) =
            plan.disable_parallel.filter(|is_off| kind != "none" && (*is_off || plan.is_own))
        {
            w.field_bool("disable_parallel_tool_use", is_off);
        }
    });
}

/// The name under which the chosen tool goes up.
fn wire_choice<'r>(plan: &Plan<'r>, name: &'r str) -> Cow<'r, str> {
    let is_custom =
        plan.tools.iter().any(|tool| matches!(&tool.kind, ToolKind::Custom { name: own, .. } if own == name));
    if is_custom { Cow::Owned(freeform::wrap_name(name)) } else { Cow::Borrowed(name) }
}
