//! `tools` and `toolConfig`, written.

use super::losses::wants_validated;
use super::names::{has_extra, write_extra};
use crate::chat::{
    Extra, Feature, Losses, Refused, Request, Target, Text, Tool, ToolChoice, ToolKind, freeform,
};
use crate::dialect::codec::schema::{self, Place, Subset};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;
use std::borrow::Cow;

const CALLING: &str = "toolConfig.functionCallingConfig";

/// The tools as they will be written.
pub(super) struct Tools<'r> {
    functions: Vec<Function<'r>>,
    /// Tools Google runs: member name and value.
    hosted: Vec<(&'r str, &'r str)>,
    mode: Option<&'static str>,
    names: Vec<Cow<'r, str>>,
}

struct Function<'r> {
    name: Cow<'r, str>,
    description: Option<Cow<'r, str>>,
    /// Member name and schema; None for a function without parameters.
    schema: Option<(&'static str, Cow<'r, str>)>,
    extra: &'r Extra<'r>,
}

/// Works the tools out.
///
/// # Errors
/// [`Refused`] for a schema Gemini cannot be given.
pub(super) fn tools<'r>(
    request: &'r Request<'r>,
    target: &Target,
    losses: &mut Losses,
) -> Result<Tools<'r>, Refused> {
    let mut made = Tools { functions: Vec::new(), hosted: Vec::new(), mode: None, names: Vec::new() };
    for tool in &request.tools {
        match &tool.kind {
            ToolKind::Hosted { of: Protocol::Generate, kind, json } => {
                made.hosted.push((kind, json.as_str()))
            }
            ToolKind::Hosted { .. } => {}
            ToolKind::Function { .. } | ToolKind::Custom { .. } => {
                made.functions.push(function(tool, target, losses)?);
            }
        }
    }
    if has_search(request, target) && !made.hosted.iter().any(|(kind, _)| *kind == "googleSearch") {
        made.hosted.push(("googleSearch", "{}"));
    }
    if !made.functions.is_empty() || request.from == Protocol::Generate {
        choose(&mut made, request, target);
    }
    Ok(made)
}

/// A search that was asked for by chat's `web_search_options`.
fn has_search(request: &Request<'_>, target: &Target) -> bool {
    let carried = super::losses::carry_for(Feature::WebSearchOptions, request, target);
    request.setting(Feature::WebSearchOptions).is_some() && !matches!(carried, crate::chat::Carry::Drop(_))
}

fn function<'r>(tool: &'r Tool<'r>, target: &Target, losses: &mut Losses) -> Result<Function<'r>, Refused> {
    let (name, description, schema) = match &tool.kind {
        ToolKind::Function { name, description, schema, .. } => {
            let words = description.as_deref().map(Cow::Borrowed);
            (Cow::Borrowed(name.as_ref()), words, schema.as_ref().map(|raw| raw.as_str()))
        }
        ToolKind::Custom { name, description, format } => {
            let format = format.as_ref().map(|raw| raw.as_str());
            let words = freeform::wrap_description(description.as_deref(), format);
            (freeform::wrap_name(name).into(), words, Some(freeform::SCHEMA))
        }
        ToolKind::Hosted { kind, .. } => (Cow::Borrowed(kind.as_ref()), None, None),
    };
    let made = Function { name, description, schema: None, extra: &tool.extra };
    let Some(schema) = schema else { return Ok(made) };
    let (field, subset) = if target.takes_schema {
        ("parametersJsonSchema", Subset::GeminiJson)
    } else {
        ("parameters", Subset::GeminiOpenApi)
    };
    let adapted = schema::adapt(schema, tool.at, subset, Place::Parameters)?;
    for name in adapted.lost {
        losses.push_named(Feature::SchemaConstraint, tool.at, &name.into());
    }
    // The OpenAPI form refuses an object without properties: no parameters are said by none.
    let is_left_out = adapted.is_empty && subset == Subset::GeminiOpenApi;
    Ok(Function { schema: (!is_left_out).then_some((field, adapted.json)), ..made })
}

fn choose<'r>(made: &mut Tools<'r>, request: &'r Request<'r>, target: &Target) {
    // A choice of a custom tool names the function that stands for it.
    let named = |name: &'r Text<'r>| {
        let is_custom = request
            .tools
            .iter()
            .any(|tool| matches!(&tool.kind, ToolKind::Custom { name: known, .. } if known == name));
        if is_custom { freeform::wrap_name(name).into() } else { Cow::Borrowed(name.as_ref()) }
    };
    let free = if wants_validated(request, target) { "VALIDATED" } else { "AUTO" };
    match &request.tool_choice {
        None if free == "VALIDATED" => made.mode = Some(free),
        None | Some(ToolChoice::Opaque { .. }) => {}
        Some(ToolChoice::Auto) => made.mode = Some(free),
        Some(ToolChoice::None) => made.mode = Some("NONE"),
        Some(ToolChoice::Any) => made.mode = Some("ANY"),
        Some(ToolChoice::Tool(name)) => {
            made.mode = Some("ANY");
            made.names = vec![named(name)];
        }
        Some(ToolChoice::Allowed { names, must_call }) => {
            made.mode = Some(if *must_call { "ANY" } else { "VALIDATED" });
            made.names = names.iter().map(named).collect();
        }
    }
    // Gemini's own word, where its client chose one that `auto` does not say.
    let own = request.extra.for_protocol(Protocol::Generate);
    if own.iter().any(|field| field.name == format!("{CALLING}.mode")) {
        made.mode = None;
    }
}

impl Tools<'_> {
    pub(super) fn write(&self, w: &mut JsonWriter<'_>, request: &Request<'_>) {
        if !self.functions.is_empty() || !self.hosted.is_empty() {
            w.field_array("tools", |w| {
                if !self.functions.is_empty() {
                    w.object(|w| {
                        w.field_array("functionDeclarations", |w| {
                            self.functions.iter().for_each(|function| function.write(w));
                        });
                    });
                }
                for (kind, json) in &self.hosted {
                    w.object(|w| w.field_raw(kind, json));
                }
            });
        }
        self.write_config(w, &request.extra);
    }

    fn write_config(&self, w: &mut JsonWriter<'_>, extra: &Extra<'_>) {
        let has_calling = self.mode.is_some() || has_extra(extra, CALLING);
        if !has_calling && !has_extra(extra, "toolConfig") {
            return;
        }
        w.field_object("toolConfig", |w| {
            if has_calling {
                w.field_object("functionCallingConfig", |w| {
                    w.field_opt_str("mode", self.mode);
                    if !self.names.is_empty() {
                        w.field_array("allowedFunctionNames", |w| {
                            self.names.iter().for_each(|name| w.string(name));
                        });
                    }
                    write_extra(w, extra, CALLING);
                });
            }
            write_extra(w, extra, "toolConfig");
        });
    }
}

impl Function<'_> {
    fn write(&self, w: &mut JsonWriter<'_>) {
        w.object(|w| {
            w.field_str("name", &self.name);
            w.field_opt_str("description", self.description.as_deref());
            if let Some((field, schema)) = &self.schema {
                w.field_raw(field, schema);
            }
            write_extra(w, self.extra, "");
        });
    }
}
