//! `[catalog.models."PROVIDER/MODEL"]`: what the user knows better than the catalogue.

use super::choice::choice;
use super::collector::Collector;
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::value::Value;
use crate::catalog::{Class, ModelOverride, PriceError, Rates, Service, Tokenizer};
use crate::chat::{Effort, ThinkingStyle};
use toml::de::DeValue;

/// More tokens than any model takes.
const TOKENS_MAX: u64 = 1_000_000_000;

const SERVICES: &[(&str, Service)] = &[
    ("standard", Service::Standard),
    ("batch", Service::Batch),
    ("flex", Service::Flex),
    ("priority", Service::Priority),
    ("fast", Service::Fast),
];
const THINKING: &[(&str, ThinkingStyle)] =
    &[("none", ThinkingStyle::None), ("budget", ThinkingStyle::Budget), ("effort", ThinkingStyle::Effort)];
const EFFORTS: &[(&str, Option<Effort>)] = &[
    ("none", None),
    ("minimal", Some(Effort::Minimal)),
    ("low", Some(Effort::Low)),
    ("medium", Some(Effort::Medium)),
    ("high", Some(Effort::High)),
    ("xhigh", Some(Effort::XHigh)),
    ("max", Some(Effort::Max)),
];
const TOKENIZERS: &[(&str, Tokenizer)] = &[
    ("o200k", Tokenizer::O200k),
    ("cl100k", Tokenizer::Cl100k),
    ("claude_old", Tokenizer::ClaudeOld),
    ("claude_new", Tokenizer::ClaudeNew),
    ("gemini", Tokenizer::Gemini),
    ("mistral", Tokenizer::Mistral),
    ("llama", Tokenizer::Llama),
    ("qwen", Tokenizer::Qwen),
    ("deepseek", Tokenizer::DeepSeek),
    ("glm", Tokenizer::Glm),
    ("kimi", Tokenizer::Kimi),
    ("other", Tokenizer::Other),
];

/// Reads one row.
pub(super) fn model_override(
    key: &str,
    value: &Value<'_>,
    collector: &mut Collector<'_>,
) -> Option<ModelOverride> {
    let Some(blank) = ModelOverride::of(key) else {
        let help = "such as [catalog.models.\"openai/gpt-5\"]";
        value.fail_head(collector, format!("`{}` is no \"PROVIDER/MODEL\"", quoted(key)), Some(help));
        return None;
    };
    let mut reader = Reader::open(value, collector)?;
    let tokens = integer::<u32>(1..=TOKENS_MAX);
    let efforts = reader.take("efforts", |v, c| v.list(c, "a list of efforts", choice(EFFORTS, &[])));
    let row = ModelOverride {
        like: reader.take("like", like),
        name: reader.take("name", |v, c| v.string(c, "a name").map(str::to_owned)),
        aliases: reader.take("aliases", |v, c| {
            v.list(c, "a list of names", |v, c| v.string(c, "a name").map(str::to_owned))
        }),
        context: reader.take("context", &tokens),
        output: reader.take("output", &tokens),
        tools: reader.take("tools", |v, c| v.boolean(c)),
        schema: reader.take("schema", |v, c| v.boolean(c)),
        reasoning: reader.take("reasoning", |v, c| v.boolean(c)),
        sampling: reader.take("sampling", |v, c| v.boolean(c)),
        thinking: reader.take("thinking", choice(THINKING, &[])),
        has_no_effort: efforts.as_ref().is_some_and(|list: &Vec<_>| list.contains(&None)),
        efforts: efforts.map(|list| list.into_iter().flatten().collect()),
        tokenizer: reader.take("tokenizer", choice(TOKENIZERS, &[])),
        is_free: reader.or("free", false, |v, c| v.boolean(c)),
        prices: reader.take("prices", prices),
        ..blank
    };
    reader.done();
    Some(row)
}

fn like(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<(String, String)> {
    let text = value.string(collector, "a row such as \"openai/gpt-5\"")?;
    let row = text.split_once('/').map(|(provider, id)| (provider.to_owned(), id.to_owned()));
    if row.is_none() {
        value.fail(collector, format!("`{}` is no \"PROVIDER/MODEL\"", quoted(text)));
    }
    row
}

/// One list, or several for long prompts and other services.
fn prices(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Rates>> {
    if let DeValue::Table(_) = value.node {
        return Some(vec![rates(value, collector)?]);
    }
    value.list(collector, "{ input = …, output = … } or a list of these", rates)
}

fn rates(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Rates> {
    let mut reader = Reader::open(value, collector)?;
    let service = reader.or("service", Service::Standard, choice(SERVICES, &[]));
    let above = reader.or("above", 0, integer::<u32>(0..=TOKENS_MAX));
    let mut rates = Rates::new(service, above);
    for class in Class::ALL {
        reader.take(class.as_str(), |value, collector| {
            let text = amount(value, collector)?;
            rates.set(class, text).map_err(|error: PriceError| value.fail(collector, error.to_string())).ok()
        });
    }
    reader.done();
    Some(rates)
}

/// The digits of an amount, as they were written: no float in between.
fn amount<'a>(value: &Value<'a>, collector: &mut Collector<'_>) -> Option<&'a str> {
    match value.node {
        DeValue::Integer(digits) if digits.radix() == 10 => Some(digits.as_str()),
        DeValue::Float(digits) => Some(digits.as_str()),
        DeValue::String(text) => Some(text.as_ref()),
        _ => {
            value.expected(collector, "US dollars per million tokens, such as \"1.25\"");
            None
        }
    }
}
