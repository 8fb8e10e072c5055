//! `generationConfig`, written.

use super::names::write_extra;
use super::spoken::is_spoken;
use crate::chat::{
    At, Effort, Feature, Losses, OutputFormat, Refused, Request, Setting, Target, ThinkingStyle,
};
use crate::dialect::codec::schema::{self, Place, Subset};
use crate::framing::json::{Duplicates, JsonWriter, parse};
use crate::types::Protocol;
use std::borrow::Cow;

/// Sequences Gemini takes (reference of `GenerationConfig.stopSequences`).
const STOP_MAX: usize = 5;

/// What `generationConfig` will say.
pub(super) struct Config<'r> {
    request: &'r Request<'r>,
    settings: Vec<(&'static str, Cow<'r, str>)>,
    max_output: Option<u64>,
    stop: usize,
    form: Form<'r>,
    thinking: Thinking,
}

enum Form<'r> {
    Free,
    Json,
    /// `responseJsonSchema`.
    JsonSchema(Cow<'r, str>),
    /// `responseSchema`.
    OpenApi(Cow<'r, str>),
}

#[derive(Default)]
struct Thinking {
    level: Option<&'static str>,
    budget: Option<i64>,
    is_shown: Option<bool>,
}

/// Works out the configuration.
///
/// # Errors
/// [`Refused`] for a schema Gemini cannot be given.
pub(super) fn config<'r>(
    request: &'r Request<'r>,
    target: &Target,
    losses: &mut Losses,
) -> Result<Config<'r>, Refused> {
    let mut settings = Vec::with_capacity(request.settings.len() + 1);
    for setting in &request.settings {
        if let Some(written) = flat(setting, request, target, losses) {
            settings.push(written);
        }
    }
    let has_logprobs = settings.iter().any(|(name, _)| *name == "responseLogprobs");
    if !has_logprobs && settings.iter().any(|(name, _)| *name == "logprobs") {
        settings.push(("responseLogprobs", Cow::Borrowed("true")));
    }
    for sequence in request.stop.iter().skip(STOP_MAX) {
        losses.push_named(Feature::Stop, At::NOWHERE, sequence);
    }
    Ok(Config {
        request,
        settings,
        max_output: request.max_output.map(|wanted| wanted.min(target.output_max.unwrap_or(wanted))),
        stop: request.stop.len().min(STOP_MAX),
        form: form(request, target, losses)?,
        thinking: thinking(request, target, losses),
    })
}

/// A flat parameter under Gemini's name; None for one that stands elsewhere or is left out.
fn flat<'r>(
    setting: &'r Setting<'r>,
    request: &Request<'_>,
    target: &Target,
    losses: &mut Losses,
) -> Option<(&'static str, Cow<'r, str>)> {
    let raw = setting.value.as_str();
    let name = match setting.feature {
        Feature::Temperature | Feature::TopP | Feature::TopK if !target.takes_sampling => return None,
        Feature::Temperature => "temperature",
        Feature::TopP => "topP",
        Feature::TopK => "topK",
        Feature::PresencePenalty => "presencePenalty",
        Feature::FrequencyPenalty => "frequencyPenalty",
        Feature::Choices => "candidateCount",
        Feature::Seed if raw.parse::<i32>().is_err() => {
            // Gemini's seed has 32 bits.
            losses.push(Feature::Seed, setting.at);
            return None;
        }
        Feature::Seed => "seed",
        Feature::Logprobs if raw == "true" => "responseLogprobs",
        Feature::TopLogprobs if raw != "0" => "logprobs",
        Feature::Modalities => return Some(("responseModalities", modalities(raw)?)),
        Feature::AudioOutput if request.from == Protocol::Generate => "speechConfig",
        _ => return None,
    };
    Some((name, Cow::Borrowed(raw)))
}

/// Modalities are upper-case here.
fn modalities(raw: &str) -> Option<Cow<'_, str>> {
    let words = parse(raw, Duplicates::LastCounts).ok()?;
    let mut out = Vec::new();
    JsonWriter::new(&mut out).array(|w| {
        for word in words.items().iter().filter_map(|word| word.text()) {
            w.string(&word.to_ascii_uppercase());
        }
    });
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn form<'r>(request: &'r Request<'r>, target: &Target, losses: &mut Losses) -> Result<Form<'r>, Refused> {
    let schema = match &request.output {
        None => return Ok(Form::Free),
        Some(_) if is_spoken(request, target) => return Ok(Form::Free),
        Some(OutputFormat::Json) => return Ok(Form::Json),
        Some(OutputFormat::Schema { schema, .. }) => schema.as_str(),
    };
    let subset = if target.takes_schema { Subset::GeminiJson } else { Subset::GeminiOpenApi };
    let adapted = schema::adapt(schema, At::NOWHERE, subset, Place::Output)?;
    for name in adapted.lost {
        losses.push_named(Feature::SchemaConstraint, At::NOWHERE, &name.into());
    }
    Ok(if target.takes_schema { Form::JsonSchema(adapted.json) } else { Form::OpenApi(adapted.json) })
}

fn thinking(request: &Request<'_>, target: &Target, losses: &mut Losses) -> Thinking {
    let Some(asked) = request.reasoning.as_ref().filter(|_| target.thinking != ThinkingStyle::None) else {
        return Thinking::default();
    };
    if asked.is_off && target.takes_no_effort {
        return Thinking { budget: Some(0), ..Thinking::default() };
    }
    if asked.is_off {
        // This model cannot stop thinking; the least it knows is next to it.
        losses.push(Feature::ReasoningEffort, asked.at);
    }
    let least = target.efforts.iter().copied().min();
    let effort = if asked.is_off { least } else { asked.effort };
    let is_shown = asked.is_shown.or(asked.summary.as_ref().map(|_| true)).filter(|_| !asked.is_off);
    let said = Thinking { is_shown, ..Thinking::default() };
    if target.thinking == ThinkingStyle::Budget {
        let tokens = asked.budget.or(effort.map(Effort::budget));
        let tokens = tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX));
        return Thinking { budget: if asked.is_adaptive { Some(-1) } else { tokens }, ..said };
    }
    let wanted = effort.or(asked.budget.map(Effort::of_budget));
    Thinking { level: wanted.map(|wanted| level(wanted, target)), ..said }
}

fn level(wanted: Effort, target: &Target) -> &'static str {
    let knows_more = target.efforts.iter().any(|effort| *effort >= Effort::XHigh);
    match target.effort(wanted) {
        Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::XHigh | Effort::Max if knows_more => "XHIGH",
        Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

impl Config<'_> {
    /// Writes the member, unless it would be empty.
    pub(super) fn write(&self, w: &mut JsonWriter<'_>) {
        let mut inner = Vec::new();
        JsonWriter::new(&mut inner).object(|w| self.fields(w));
        if inner.as_slice() != b"{}" {
            w.field_raw("generationConfig", std::str::from_utf8(&inner).unwrap_or("{}"));
        }
    }

    fn fields(&self, w: &mut JsonWriter<'_>) {
        for (name, value) in &self.settings {
            w.field_raw(name, value);
        }
        if let Some(tokens) = self.max_output {
            w.field_u64("maxOutputTokens", tokens);
        }
        if self.stop > 0 {
            let sequences = self.request.stop.iter().take(self.stop);
            w.field_array("stopSequences", |w| sequences.for_each(|one| w.string(one)));
        }
        if !matches!(self.form, Form::Free) {
            w.field_str("responseMimeType", "application/json");
        }
        match &self.form {
            Form::Free | Form::Json => {}
            Form::JsonSchema(schema) => w.field_raw("responseJsonSchema", schema),
            Form::OpenApi(schema) => w.field_raw("responseSchema", schema),
        }
        self.thinking(w);
        write_extra(w, &self.request.extra, "generationConfig");
    }

    fn thinking(&self, w: &mut JsonWriter<'_>) {
        let Thinking { level, budget, is_shown } = self.thinking;
        let own = self.request.reasoning.as_ref().map(|asked| &asked.extra);
        let has_own = own.is_some_and(|extra| !extra.for_protocol(Protocol::Generate).is_empty());
        if level.is_none() && budget.is_none() && is_shown.is_none() && !has_own {
            return;
        }
        w.field_object("thinkingConfig", |w| {
            if let Some(flag) = is_shown {
                w.field_bool("includeThoughts", flag);
            }
            w.field_opt_str("thinkingLevel", level);
            if let Some(tokens) = budget {
                w.field_raw("thinkingBudget", &tokens.to_string());
            }
            own.into_iter().for_each(|extra| write_extra(w, extra, ""));
        });
    }
}
