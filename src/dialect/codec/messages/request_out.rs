//! A request for Claude, wherever it runs.

use super::betas::Place;
use super::conversation::{self, Message};
use super::cuts::Cuts;
use super::format::{self, Format};
use super::host::Host;
use super::losses;
use super::part::{Part, is_of_part, write_extra, write_extra_of_part};
use super::plan::Plan;
use super::thinking::Mode;
use super::tools_out;
use crate::chat::{Feature, Losses, Refused, Request, Role, Setting, Target};
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

/// Longest `metadata.user_id`.
const USER_BYTES_MAX: usize = 256;

/// Writes the request for Anthropic itself.
///
/// # Errors
/// [`Refused`] where Claude cannot answer it, with the place.
pub fn encode_request(
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    encode_request_for(Host::Anthropic, &[], request, target, losses, out)
}

/// Writes the request for `host`. `betas`: the names from `anthropic-beta` that the host takes (see
/// [`super::betas::accepted`]); Bedrock reads them in the body.
///
/// # Errors
/// [`Refused`], likewise. `out` is then as it was.
pub fn encode_request_for(
    host: Host,
    betas: &[&str],
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let plan = Plan::new(host, request, target)?;
    losses::survey(&plan, losses)?;
    note_values(&plan, losses);
    let messages = conversation::lay_out(request, plan.keeps_system)?;
    let system = system(&plan);
    for name in &plan.schema_lost {
        losses.push_named(Feature::SchemaConstraint, crate::chat::At::NOWHERE, &name.as_str().into());
    }
    let tools = tools_out::resolve(&plan, losses)?;
    let hints = tools.iter().filter(|tool| tool.has_hint()).count()
        + count_hints(&system)
        + messages.iter().map(|message| count_hints(&message.parts)).sum::<usize>();
    let mut cuts = Cuts::new(host, betas, losses, hints, plan.is_own);
    JsonWriter::new(out).object(|w| {
        write_head(&plan, betas, w);
        // Tools first: cache hints are counted in the order in which the vendor reads the prompt.
        tools_out::write(&plan, &tools, w, &mut cuts);
        if !system.is_empty() {
            write_system(&system, w, &mut cuts);
        }
        w.field_array("messages", |w| {
            messages.iter().for_each(|message| write_message(message, w, &mut cuts));
        });
        write_thinking(&plan, w);
        write_output(&plan, w, &mut cuts);
        write_settings(&plan, w);
        write_leftovers(&plan, w, &mut cuts);
    });
    Ok(())
}

fn count_hints(parts: &[Part<'_>]) -> usize {
    let inner = |part: &Part<'_>| match &part.body {
        super::part::Body::Result { content, .. } => content.iter().filter(|p| p.has_hint()).count(),
        _ => 0,
    };
    parts.iter().map(|part| usize::from(part.has_hint()) + inner(part)).sum()
}

/// Losses that hang on a value, not on a feature.
fn note_values(plan: &Plan<'_>, losses: &mut Losses) {
    let request = plan.request;
    let mut lose =
        |feature| losses.push(feature, request.setting(feature).map_or(crate::chat::At::NOWHERE, |s| s.at));
    if request.stop.iter().any(|sequence| sequence.trim().is_empty()) {
        lose(Feature::Stop);
    }
    if request.max_output.is_some_and(|asked| asked > plan.max_tokens) {
        lose(Feature::MaxOutput);
    }
    if !plan.is_own && number(plan, Feature::Temperature).is_some_and(|t| t > 1.0) {
        lose(Feature::Temperature);
    }
    if is_top_p_too_much(plan) {
        lose(Feature::TopP);
    }
    if request.setting(Feature::User).is_some_and(|user| user.value.as_str().len() > USER_BYTES_MAX + 2) {
        lose(Feature::User);
    }
}

fn number(plan: &Plan<'_>, feature: Feature) -> Option<f64> {
    plan.sampling(feature).ok()?;
    plan.request.setting(feature)?.value.as_str().parse().ok()
}

/// Newer models take `temperature` or `top_p`, not both
/// (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html).
/// One that is 1 says nothing and is left out; of two that say something, the temperature goes up.
fn is_top_p_too_much(plan: &Plan<'_>) -> bool {
    let [temperature, top_p] = [number(plan, Feature::Temperature), number(plan, Feature::TopP)];
    !plan.is_own && temperature.is_some_and(|t| t != 1.0) && top_p.is_some_and(|p| p != 1.0)
}

fn system<'r>(plan: &Plan<'r>) -> Vec<Part<'r>> {
    let mut parts = conversation::system(plan.request);
    if plan.format == Format::AnyJson {
        parts.push(Part::text(format::JSON_ONLY));
    }
    if plan.must_ask_for_output_tool() {
        parts.push(Part::text(format::CALL_IT));
    }
    parts
}

fn write_head(plan: &Plan<'_>, betas: &[&str], w: &mut JsonWriter<'_>) {
    if let Some(version) = plan.host.version() {
        w.field_str("anthropic_version", version);
    }
    if plan.host == Host::BedrockInvoke && !betas.is_empty() {
        w.field_array("anthropic_beta", |w| betas.iter().for_each(|beta| w.string(beta)));
    }
    if plan.host.names_model() {
        w.field_str("model", &plan.target.model);
    }
    w.field_u64("max_tokens", plan.max_tokens);
    if plan.host.says_stream() && plan.request.is_stream {
        w.field_bool("stream", true);
    }
}

fn write_system(parts: &[Part<'_>], w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
    match parts {
        [Part { body: super::part::Body::Text { text, citations }, cache: None, extra: [] }]
            if citations.is_empty() =>
        {
            w.field_str("system", text);
        }
        parts => w.field_array("system", |w| parts.iter().for_each(|part| part.write(w, cuts))),
    }
}

fn write_message(message: &Message<'_>, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
    w.object(|w| {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        w.field_str("role", role);
        w.field_array("content", |w| message.parts.iter().for_each(|part| part.write(w, cuts)));
        write_extra(w, message.extra);
    });
}

fn write_thinking(plan: &Plan<'_>, w: &mut JsonWriter<'_>) {
    let extra = plan.request.reasoning.as_ref().map(|r| r.extra.for_protocol(Protocol::Messages));
    let extra = extra.unwrap_or_default();
    // A kind of thinking this gateway has no word for.
    if let Some(whole) = extra.iter().find(|field| field.name == "thinking" && plan.thinking.is_on()) {
        return w.field_raw("thinking", whole.value.as_str());
    }
    let kind = match plan.thinking.mode {
        Mode::Unsaid => return,
        Mode::Off => "disabled",
        Mode::Budget(_) => "enabled",
        Mode::Adaptive => "adaptive",
    };
    w.field_object("thinking", |w| {
        w.field_str("type", kind);
        if let Mode::Budget(budget) = plan.thinking.mode {
            w.field_u64("budget_tokens", budget);
        }
        if let Some(is_shown) = plan.thinking.is_shown {
            w.field_str("display", if is_shown { "summarized" } else { "omitted" });
        }
        write_extra(w, extra);
    });
}

fn write_output(plan: &Plan<'_>, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
    let mut own = Vec::new();
    for field in plan.request.extra.for_protocol(Protocol::Messages) {
        let Some(name) = field.name.strip_prefix("output_config.") else { continue };
        if cuts.keeps(Place::Body, field) {
            own.push((name, field.value.as_str()));
        }
    }
    let schema = match &plan.format {
        Format::Native(schema) => Some(schema),
        _ => None,
    };
    if plan.thinking.effort.is_none() && schema.is_none() && own.is_empty() {
        return;
    }
    w.field_object("output_config", |w| {
        if let Some(effort) = plan.thinking.effort {
            w.field_str("effort", effort.as_str());
        }
        if let Some(schema) = schema {
            w.field_object("format", |w| {
                w.field_str("type", "json_schema");
                w.field_raw("schema", schema);
            });
        }
        own.iter().for_each(|(name, value)| w.field_raw(name, value));
    });
}

fn write_settings(plan: &Plan<'_>, w: &mut JsonWriter<'_>) {
    let request = plan.request;
    let value = |feature| request.setting(feature).filter(|_| plan.sampling(feature).is_ok()).map(raw);
    let is_one = |feature| number(plan, feature) == Some(1.0);
    let has_both = !plan.is_own && value(Feature::Temperature).is_some() && value(Feature::TopP).is_some();
    match value(Feature::Temperature) {
        Some(_) if has_both && is_one(Feature::Temperature) && !is_one(Feature::TopP) => {}
        Some(_) if !plan.is_own && number(plan, Feature::Temperature).is_some_and(|t| t > 1.0) => {
            w.field_u64("temperature", 1);
        }
        Some(value) => w.field_raw("temperature", value),
        None => {}
    }
    let is_needless = has_both && (is_one(Feature::TopP) || is_top_p_too_much(plan));
    if let Some(value) = value(Feature::TopP).filter(|_| !is_needless) {
        w.field_raw("top_p", value);
    }
    if let Some(value) = value(Feature::TopK) {
        w.field_raw("top_k", value);
    }
    if request.stop.iter().any(|sequence| !sequence.trim().is_empty()) {
        let sequences = request.stop.iter().filter(|sequence| !sequence.trim().is_empty());
        w.field_array("stop_sequences", |w| sequences.for_each(|sequence| w.string(sequence)));
    }
    write_metadata(plan, w);
    let has_tiers = plan.host == Host::Anthropic;
    match request.setting(Feature::ServiceTier).map(raw).filter(|_| has_tiers) {
        Some(tier) if plan.is_own => w.field_raw("service_tier", tier),
        Some("\"auto\"") => w.field_str("service_tier", "auto"),
        Some("\"default\"") => w.field_str("service_tier", "standard_only"),
        _ => {}
    }
}

fn raw<'r>(setting: &'r Setting<'_>) -> &'r str {
    setting.value.as_str()
}

fn write_metadata(plan: &Plan<'_>, w: &mut JsonWriter<'_>) {
    let extra = plan.request.extra.for_protocol(Protocol::Messages);
    let has_extra = extra.iter().any(|field| field.name.starts_with("metadata."));
    let user = plan.request.setting(Feature::User).map(raw);
    let user = user.filter(|json| plan.is_own || json.len() <= USER_BYTES_MAX + 2);
    if user.is_none() && !has_extra {
        return;
    }
    w.field_object("metadata", |w| {
        match user {
            Some(json) if json.starts_with('"') => w.field_raw("user_id", json),
            Some(json) => w.field_str("user_id", json),
            None => {}
        }
        write_extra_of_part(w, extra, "metadata");
    });
}

/// What a Messages client wrote that has no place in the canonical form.
fn write_leftovers(plan: &Plan<'_>, w: &mut JsonWriter<'_>, cuts: &mut Cuts<'_>) {
    for field in plan.request.extra.for_protocol(Protocol::Messages) {
        let is_dress = matches!(field.name.as_ref(), "anthropic_version" | "anthropic_beta");
        if is_of_part(field) || (is_dress && plan.host != Host::Anthropic) {
            continue;
        }
        if cuts.keeps(Place::Body, field) {
            w.field_raw(&field.name, field.value.as_str());
        }
    }
}
