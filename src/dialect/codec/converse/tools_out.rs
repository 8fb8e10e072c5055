//! `toolConfig`, written.

use super::blocks_out::{cache_point, extra};
use super::facts::{ANY_OBJECT, Answer, Facts, told};
use super::{HERE, OUTPUT_TOOL};
use crate::chat::{
    BlockKind, Carry, Feature, Losses, OutputFormat, Raw, Refused, Request, Tool, ToolChoice, ToolKind,
    freeform,
};
use crate::dialect::codec::schema::{Place, Subset, adapt};
use crate::framing::json::JsonWriter;
use std::borrow::Cow;

/// What is offered, and what must be called.
pub(super) struct ToolPlan<'r, 'a> {
    offered: Vec<Offer<'r, 'a>>,
    /// Names of tools that only the history knows.
    recalled: Vec<Cow<'r, str>>,
    has_output: bool,
}

/// A tool with the schema Bedrock takes.
struct Offer<'r, 'a> {
    tool: &'r Tool<'a>,
    schema: Cow<'r, str>,
}

impl<'r, 'a> ToolPlan<'r, 'a> {
    /// # Errors
    /// [`Refused`] at a tool whose name or schema Bedrock does not take.
    pub(super) fn new(request: &'r Request<'a>, facts: &Facts, losses: &mut Losses) -> Result<Self, Refused> {
        let is_allowed = |tool: &Tool<'_>| match (&tool.kind, &request.tool_choice) {
            (ToolKind::Hosted { of, .. }, _) => *of == HERE,
            (_, Some(ToolChoice::None)) => facts.has_tool_history,
            (_, Some(ToolChoice::Allowed { names, .. })) => {
                tool.name().is_some_and(|name| names.iter().any(|allowed| allowed == name))
            }
            _ => true,
        };
        let mut plan = Self { offered: Vec::new(), recalled: Vec::new(), has_output: facts.answer.is_tool() };
        for tool in request.tools.iter().filter(|tool| is_allowed(tool)) {
            check_name(tool)?;
            let schema = fitted(tool, facts, losses)?;
            plan.offered.push(Offer { tool, schema });
        }
        if plan.offered.is_empty() && !plan.has_output {
            plan.recall(request);
        }
        Ok(plan)
    }

    /// Bedrock wants tools offered wherever the history holds calls. Where the client offers none any
    /// more, those of the history stand in.
    fn recall(&mut self, request: &'r Request<'a>) {
        for block in request.turns.iter().flat_map(|turn| &turn.blocks) {
            if let BlockKind::ToolUse(call) = &block.kind {
                let name = wire_name(&call.name, call.is_custom);
                if !self.recalled.contains(&name) {
                    self.recalled.push(name);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offered.is_empty() && self.recalled.is_empty() && !self.has_output
    }

    /// Writes the key `toolConfig`, unless there is nothing in it.
    pub(super) fn write(&self, request: &Request<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
        if self.is_empty() {
            return;
        }
        w.field_object("toolConfig", |w| {
            w.field_array("tools", |w| {
                for offer in &self.offered {
                    offer.write(facts, w);
                    let is_cached = facts.family.caches_tools() && facts.keeps(Feature::CacheHints);
                    if let Some(hint) = offer.tool.cache.as_ref().filter(|_| is_cached) {
                        cache_point(hint, facts.is_own, w);
                    }
                }
                for name in &self.recalled {
                    spec(name, Some("A tool of earlier turns."), ANY_OBJECT, w, |_| {});
                }
                if let Answer::Tool(schema) = &facts.answer {
                    write_output_tool(request.output.as_ref(), schema, w);
                }
            });
            self.write_choice(request, facts, w);
            super::request_out::own_fields(request, "toolConfig", w);
        });
    }

    fn write_choice(&self, request: &Request<'_>, facts: &Facts, w: &mut JsonWriter<'_>) {
        let tool = |name: &str, w: &mut JsonWriter<'_>| {
            w.field_object("toolChoice", |w| w.field_object("tool", |w| w.field_str("name", name)));
        };
        let any = |w: &mut JsonWriter<'_>| {
            w.field_object("toolChoice", |w| w.field_object("any", |_| {}));
        };
        match &request.tool_choice {
            Some(ToolChoice::Tool(name)) => tool(&wire_name(name, self.is_custom(name)), w),
            _ if self.has_output && self.offered.is_empty() => tool(OUTPUT_TOOL, w),
            _ if self.has_output => any(w),
            Some(ToolChoice::Any | ToolChoice::Allowed { must_call: true, .. }) => any(w),
            Some(ToolChoice::Opaque { of, json }) if *of == HERE => w.field_raw("toolChoice", json.as_str()),
            // It is the default, and not every model knows the word. With it, no other choice may stand
            // in `additionalModelRequestFields`.
            Some(ToolChoice::Auto) if facts.is_own && !self.is_one_at_a_time(request, facts) => {
                w.field_object("toolChoice", |w| w.field_object("auto", |_| {}));
            }
            _ => {}
        }
    }

    fn is_custom(&self, name: &str) -> bool {
        let named = self.offered.iter().find(|offer| offer.tool.name() == Some(name));
        named.is_some_and(|offer| matches!(offer.tool.kind, ToolKind::Custom { .. }))
    }

    /// Whether Claude is told to call one tool at a time.
    pub(super) fn is_one_at_a_time(&self, request: &Request<'_>, facts: &Facts) -> bool {
        request.parallel_tools == Some(false)
            && !self.is_empty()
            && !matches!(facts.carry(Feature::ParallelTools), Carry::Drop(_) | Carry::Reject(_))
    }
}

/// The name on the wire: that of a free-form tool is marked.
pub(super) fn wire_name<'n>(name: &'n str, is_custom: bool) -> Cow<'n, str> {
    if is_custom { Cow::Owned(freeform::wrap_name(name)) } else { Cow::Borrowed(name) }
}

fn check_name(tool: &Tool<'_>) -> Result<(), Refused> {
    let is_custom = matches!(tool.kind, ToolKind::Custom { .. });
    let Some(name) = tool.name().map(|name| wire_name(name, is_custom)) else { return Ok(()) };
    let is_fit = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_fit {
        return Ok(());
    }
    Err(Refused::new(tool.at, "Bedrock takes tool names of 1 to 64 letters, digits, `_` and `-`"))
}

fn fitted<'r>(tool: &'r Tool<'_>, facts: &Facts, losses: &mut Losses) -> Result<Cow<'r, str>, Refused> {
    let ToolKind::Function { schema, strict, .. } = &tool.kind else {
        return Ok(Cow::Borrowed(freeform::SCHEMA));
    };
    let Some(schema) = schema else { return Ok(Cow::Borrowed(ANY_OBJECT)) };
    if facts.is_own {
        return Ok(Cow::Borrowed(schema.as_str()));
    }
    let subset = if *strict == Some(true) { Subset::BedrockStrict } else { Subset::Tool };
    let adapted = adapt(schema.as_str(), tool.at, subset, Place::Parameters)?;
    Ok(Cow::Owned(told(adapted, tool.at, losses)))
}

fn spec(
    name: &str,
    description: Option<&str>,
    schema: &str,
    w: &mut JsonWriter<'_>,
    more: impl FnOnce(&mut JsonWriter<'_>),
) {
    w.object(|w| {
        w.field_object("toolSpec", |w| {
            w.field_str("name", name);
            w.field_opt_str("description", description.filter(|words| !words.is_empty()));
            w.field_object("inputSchema", |w| w.field_raw("json", schema));
            more(w);
        });
    });
}

impl Offer<'_, '_> {
    fn write(&self, facts: &Facts, w: &mut JsonWriter<'_>) {
        match &self.tool.kind {
            ToolKind::Hosted { json, .. } => w.raw(json.as_str()),
            ToolKind::Custom { name, description, format } => {
                let format = format.as_ref().map(Raw::as_str);
                let words = freeform::wrap_description(description.as_deref(), format);
                spec(&wire_name(name, true), words.as_deref(), &self.schema, w, |_| {});
            }
            ToolKind::Function { name, description, strict, .. } => {
                spec(name, description.as_deref(), &self.schema, w, |w| {
                    if let Some(strict) = strict.filter(|strict| *strict || facts.is_own) {
                        w.field_bool("strict", strict);
                    }
                    extra(&self.tool.extra, w);
                });
            }
        }
    }
}

fn write_output_tool(output: Option<&OutputFormat<'_>>, schema: &str, w: &mut JsonWriter<'_>) {
    const WHAT: &str = "Give the answer by calling this tool. Its input is the whole answer.";
    let described = match output {
        Some(OutputFormat::Schema { description: Some(words), .. }) => Some(format!("{WHAT} {words}")),
        _ => None,
    };
    spec(OUTPUT_TOOL, Some(described.as_deref().unwrap_or(WHAT)), schema, w, |_| {});
}
