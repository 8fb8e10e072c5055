//! `generationConfig`, read: sampling, limits, the form of the answer, thinking.

use super::names::{
    add_extra, bool_field, get, list, mismatch, text_field, want_object, want_text, want_u64,
};
use super::request_in::number;
use crate::chat::{At, Effort, Extra, Feature, OutputFormat, Raw, Reasoning, Refused, Request, Setting};
use crate::dialect::codec::schema;
use crate::framing::json::Node;

const PREFIX: &str = "generationConfig";
const KNOWN: [&str; 17] = [
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "thinkingConfig",
    "speechConfig",
];
/// The same, where the answer's form is one the canonical form has no word for.
const FORM: [&str; 3] = ["responseMimeType", "responseSchema", "responseJsonSchema"];

/// Numbers that are kept as written.
const NUMBERS: [(&str, Feature); 7] = [
    ("temperature", Feature::Temperature),
    ("topP", Feature::TopP),
    ("topK", Feature::TopK),
    ("seed", Feature::Seed),
    ("presencePenalty", Feature::PresencePenalty),
    ("frequencyPenalty", Feature::FrequencyPenalty),
    ("logprobs", Feature::TopLogprobs),
];

/// Reads `generationConfig` into `request`.
pub(super) fn config<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    want_object(config)?;
    for (name, feature) in NUMBERS {
        if let Some(node) = get(config, name) {
            request.settings.push(Setting { feature, at: At::of(node), value: number(node)? });
        }
    }
    if let Some(node) = get(config, "candidateCount").filter(|node| node.as_u64() != Some(1)) {
        want_u64(node)?;
        request.settings.push(Setting { feature: Feature::Choices, at: At::of(node), value: number(node)? });
    }
    if bool_field(config, "responseLogprobs")? == Some(true)
        && let Some(node) = get(config, "responseLogprobs")
    {
        request.settings.push(Setting { feature: Feature::Logprobs, at: At::of(node), value: Raw::of(node) });
    }
    request.max_output = get(config, "maxOutputTokens").map(want_u64).transpose()?;
    if let Some(sequences) = get(config, "stopSequences") {
        request.stop = list(sequences)?.into_iter().map(want_text).collect::<Result<_, _>>()?;
    }
    modalities(config, request)?;
    if let Some(node) = get(config, "speechConfig") {
        want_object(node)?;
        let setting = Setting { feature: Feature::AudioOutput, at: At::of(node), value: Raw::of(node) };
        request.settings.push(setting);
    }
    request.reasoning = get(config, "thinkingConfig").map(thinking).transpose()?;
    let is_known = form(config, request)?;
    let known: Vec<&str> = KNOWN.into_iter().filter(|name| is_known || !FORM.contains(name)).collect();
    add_extra(&mut request.extra, config, &known, PREFIX);
    Ok(())
}

/// Text alone is what every model answers with unless told otherwise.
fn modalities<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    let Some(node) = get(config, "responseModalities") else { return Ok(()) };
    let words = list(node)?.into_iter().map(want_text).collect::<Result<Vec<_>, _>>()?;
    let is_text_alone = words.iter().all(|word| word.eq_ignore_ascii_case("text"));
    if !is_text_alone {
        let setting = Setting { feature: Feature::Modalities, at: At::of(node), value: Raw::of(node) };
        request.settings.push(setting);
    }
    Ok(())
}

/// The form of the answer. False where only Gemini knows it (`text/x.enum`).
fn form<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<bool, Refused> {
    let mime = text_field(config, "responseMimeType")?;
    let is_plain = mime.as_deref().is_none_or(|mime| mime.is_empty() || mime == "text/plain");
    let is_json = mime.as_deref() == Some("application/json");
    if !is_plain && !is_json {
        return Ok(false);
    }
    let schema = match (get(config, "responseJsonSchema"), get(config, "responseSchema")) {
        (Some(node), _) => Some(Raw::of(node)),
        (None, Some(node)) => Some(Raw(schema::from_openapi(want_object(node)?))),
        (None, None) => None,
    };
    request.output = match schema {
        Some(schema) => Some(OutputFormat::Schema { name: None, description: None, schema, strict: None }),
        None => is_json.then_some(OutputFormat::Json),
    };
    Ok(true)
}

fn thinking<'a>(node: &Node<'a>) -> Result<Reasoning<'a>, Refused> {
    want_object(node)?;
    let mut reasoning = Reasoning { at: At::of(node), ..Reasoning::default() };
    reasoning.is_shown = bool_field(node, "includeThoughts")?;
    if let Some(budget) = get(node, "thinkingBudget") {
        match budget.raw() {
            "-1" => reasoning.is_adaptive = true,
            _ => match want_u64(budget)? {
                0 => reasoning.is_off = true,
                tokens => reasoning.budget = Some(tokens),
            },
        }
    }
    if let Some(level) = get(node, "thinkingLevel") {
        let word = level.text().ok_or_else(|| mismatch(level, "a string"))?;
        let is_unset = word.is_empty() || word.eq_ignore_ascii_case("THINKING_LEVEL_UNSPECIFIED");
        reasoning.effort = Effort::of(&word);
        if reasoning.effort.is_none() && !is_unset {
            let known = "a thinkingLevel is MINIMAL, LOW, MEDIUM, HIGH or XHIGH";
            return Err(Refused::new(At::of(level), known));
        }
    }
    let mut extra = Extra::none();
    add_extra(&mut extra, node, &["includeThoughts", "thinkingBudget", "thinkingLevel"], "");
    reasoning.extra = extra;
    Ok(reasoning)
}
