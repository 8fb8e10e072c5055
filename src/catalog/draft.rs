//! The words of the file, and what they mean. Unknown fields and words are refused: a newer form of
//! the file has another number.

use super::price::{self, Class, Rates, Service};
use super::row::Facts;
use super::{Auth, Day, LimitHeaders, Meaning, Modality, Provider, Quirk, Quirks, Tokenizer};
use crate::chat::{Effort, ThinkingEcho, ThinkingStyle};
use crate::types::Protocol;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadDraft {
    pub format: u32,
    pub made: String,
    pub sources: Vec<SourceDraft>,
    /// How many lines of each follow: a file that was cut is noticed.
    pub providers: usize,
    pub models: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceDraft {
    pub id: String,
    pub version: String,
    pub licence: String,
    pub as_of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderDraft {
    #[serde(rename = "provider")]
    pub id: String,
    name: Option<String>,
    #[serde(default)]
    maker: bool,
    protocols: Vec<String>,
    base_url: Option<String>,
    #[serde(default)]
    base_urls: BTreeMap<String, String>,
    auth: String,
    #[serde(default)]
    env: Vec<Box<str>>,
    doc: Option<Box<str>>,
    #[serde(default)]
    limits: LimitsDraft,
    #[serde(default)]
    quirks: Vec<String>,
    echo: Option<String>,
    #[serde(default)]
    errors: BTreeMap<Box<str>, String>,
    source: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsDraft {
    limit_requests: Option<Box<str>>,
    remaining_requests: Option<Box<str>>,
    reset_requests: Option<Box<str>>,
    limit_tokens: Option<Box<str>>,
    remaining_tokens: Option<Box<str>>,
    reset_tokens: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelDraft {
    pub id: String,
    name: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    context: Option<u32>,
    output: Option<u32>,
    #[serde(default, rename = "in")]
    takes: Vec<String>,
    #[serde(default, rename = "out")]
    gives: Vec<String>,
    tools: Option<bool>,
    schema: Option<bool>,
    reasoning: Option<bool>,
    sampling: Option<bool>,
    thinking: Option<String>,
    #[serde(default)]
    efforts: Vec<String>,
    #[serde(default)]
    signatures: bool,
    echo: Option<String>,
    #[serde(default)]
    protocols: Vec<String>,
    base_url: Option<String>,
    tokenizer: Option<String>,
    released: Option<String>,
    retires: Option<String>,
    #[serde(default)]
    deprecated: bool,
    #[serde(default)]
    fee: bool,
    #[serde(default)]
    free: bool,
    #[serde(default)]
    prices: Vec<BTreeMap<String, PriceDraft>>,
    source: String,
    as_of: Option<String>,
}

/// Prices are text, so that no digit is lost; only a threshold is a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum PriceDraft {
    Threshold(u32),
    Text(String),
}

impl ProviderDraft {
    /// The provider. The error says which word is not understood.
    pub(super) fn provider(self) -> Result<Provider, String> {
        let LimitsDraft { limit_requests, remaining_requests, reset_requests, .. } = self.limits;
        let LimitsDraft { limit_tokens, remaining_tokens, reset_tokens, .. } = self.limits;
        let protocols = words(&self.protocols, "protocol", protocol)?;
        if protocols.is_empty() {
            return Err("no protocol".to_owned());
        }
        let base_urls = self
            .base_urls
            .iter()
            .map(|(word, url)| Ok((known(word, "protocol", protocol)?, checked_url(url)?.into())));
        let errors =
            self.errors.into_iter().map(|(code, word)| Ok((code, known(&word, "meaning", Meaning::of)?)));
        Ok(Provider {
            name: self.name.as_deref().unwrap_or(&self.id).into(),
            id: checked_name(&self.id)?.into(),
            is_maker: self.maker,
            protocols: protocols.into(),
            base_url: self.base_url.as_deref().map(checked_url).transpose()?.map(Into::into),
            base_urls: base_urls.collect::<Result<_, String>>()?,
            auth: known(&self.auth, "auth", Auth::of)?,
            quirks: words(&self.quirks, "quirk", Quirk::of)?
                .into_iter()
                .fold(Quirks::default(), Quirks::with),
            echo: self.echo.map_or(Ok(ThinkingEcho::None), |word| known(&word, "echo", echo))?,
            limits: LimitHeaders {
                limit_requests,
                remaining_requests,
                reset_requests,
                limit_tokens,
                remaining_tokens,
                reset_tokens,
            },
            errors: errors.collect::<Result<_, String>>()?,
            env: self.env.into(),
            doc: self.doc,
            source: self.source,
        })
    }
}

impl ModelDraft {
    /// The facts. The error says which word is not understood.
    pub(super) fn facts(self) -> Result<Facts, String> {
        let day = |text: Option<String>| text.map(|text| known(&text, "day", Day::parse)).transpose();
        let thinking_of = |word: String| known(&word, "thinking", thinking);
        let tokenizer_of = |word: String| known(&word, "tokenizer", Tokenizer::of);
        let prices = self.prices.iter().map(rates).collect::<Result<Vec<_>, _>>()?;
        let prices =
            if prices.is_empty() { prices } else { price::checked(prices).map_err(|e| e.to_string())? };
        if self.free && !prices.is_empty() {
            return Err("free, and priced".to_owned());
        }
        // `none` is a word of its own: no effort, but not the least of them.
        let (off, efforts): (Vec<_>, Vec<_>) = self.efforts.into_iter().partition(|word| word == "none");
        for alias in &self.aliases {
            checked_name(alias)?;
        }
        Ok(Facts {
            id: checked_name(&self.id)?.to_owned(),
            name: self.name,
            aliases: self.aliases,
            context: self.context,
            output: self.output,
            takes: words(&self.takes, "modality", Modality::of)?,
            gives: words(&self.gives, "modality", Modality::of)?,
            tools: self.tools,
            schema: self.schema,
            reasoning: self.reasoning,
            sampling: self.sampling,
            thinking: self.thinking.map(thinking_of).transpose()?,
            efforts: words(&efforts, "effort", Effort::of)?,
            has_no_effort: !off.is_empty(),
            echo: self.echo.map(|word| known(&word, "echo", echo)).transpose()?,
            has_signatures: self.signatures,
            is_deprecated: self.deprecated,
            is_free: self.free,
            has_fee: self.fee,
            protocols: words(&self.protocols, "protocol", protocol)?,
            base_url: self.base_url.map(|url| checked_url(&url).map(str::to_owned)).transpose()?,
            tokenizer: self.tokenizer.map(tokenizer_of).transpose()?,
            released: day(self.released)?,
            retires: day(self.retires)?,
            prices,
            source: self.source,
            as_of: day(self.as_of)?,
        })
    }
}

fn rates(draft: &BTreeMap<String, PriceDraft>) -> Result<Rates, String> {
    let mut service = Service::Standard;
    let mut above = 0;
    for (key, value) in draft {
        match (key.as_str(), value) {
            ("service", PriceDraft::Text(word)) => {
                service =
                    known(word, "service", |word| Service::ALL.into_iter().find(|one| one.as_str() == word))?;
            }
            ("above", PriceDraft::Threshold(tokens)) => above = *tokens,
            (_, PriceDraft::Text(_)) => {}
            (key, PriceDraft::Threshold(_)) => return Err(format!("the price of `{key}` must be text")),
        }
    }
    let mut rates = Rates::new(service, above);
    for (key, value) in draft {
        if let PriceDraft::Text(text) = value
            && key != "service"
        {
            rates.set(known(key, "class", class)?, text).map_err(|error| error.to_string())?;
        }
    }
    Ok(rates)
}

fn class(word: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.as_str() == word)
}

pub(super) fn thinking(word: &str) -> Option<ThinkingStyle> {
    Some(match word {
        "none" => ThinkingStyle::None,
        "budget" => ThinkingStyle::Budget,
        "effort" => ThinkingStyle::Effort,
        _ => return None,
    })
}

fn echo(word: &str) -> Option<ThinkingEcho> {
    Some(match word {
        "none" => ThinkingEcho::None,
        "reasoning_content" => ThinkingEcho::ReasoningContent,
        "reasoning_details" => ThinkingEcho::ReasoningDetails,
        _ => return None,
    })
}

fn protocol(word: &str) -> Option<Protocol> {
    Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == word)
}

fn known<T>(word: &str, what: &str, of: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    of(word).ok_or_else(|| format!("unknown {what} `{}`", word.escape_default()))
}

fn words<T>(list: &[String], what: &str, of: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    list.iter().map(|word| known(word, what, &of)).collect()
}

/// Names become headers, labels and lines of tables.
pub(super) fn checked_name(name: &str) -> Result<&str, String> {
    let is_plain =
        !name.is_empty() && name.len() <= 256 && !name.chars().any(|c| c.is_control() || c.is_whitespace());
    if is_plain { Ok(name) } else { Err(format!("`{}` cannot be a name", name.escape_default())) }
}

fn checked_url(url: &str) -> Result<&str, String> {
    let is_url = url.starts_with("https://") || url.starts_with("http://");
    let is_plain = url.bytes().all(|b| b.is_ascii_graphic()) && !url.ends_with('/');
    if is_url && is_plain { Ok(url) } else { Err(format!("`{}` cannot be a base URL", url.escape_default())) }
}
