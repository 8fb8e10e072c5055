//! One generation, decided: which words or which tool call, how long, at what usage. The dialects
//! only put it into their shape.

use super::ask::Ask;
use super::document;
use super::ids::Id;
use super::json::{Put, Quoted, put};
use super::prefill;
use super::shared::Shared;
use super::stats::Stats;
use super::text::{Prose, hash};
use super::tools::{self, Call};

/// The longest answer.
const WORDS_MAX: usize = 8192;
/// Words where the request says nothing.
const WORDS_UNASKED: usize = 16;
/// Words where the request's limit is only a ceiling.
const WORDS_UNDER_CEILING: usize = 64;
/// Choices of one answer.
const CHOICES_MAX: u64 = 8;

/// What to answer.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Id,
    /// Seconds since 1970.
    pub created: u64,
    pub model: String,
    pub seed: u64,
    /// Words of each choice.
    pub words: usize,
    /// Whether the limit ended the answer.
    pub is_cut: bool,
    pub choices: usize,
    /// Instead of words.
    pub call: Option<Call>,
    /// Instead of words: the JSON that was asked for, in pieces as they stand between quotes.
    pub document: Option<Vec<String>>,
    pub prompt_tokens: u64,
    /// Of these, what an engine had in its cache.
    pub cached_tokens: u64,
    /// Whether usage is reported at all.
    pub has_usage: bool,
    /// The service tier that the answer says it had: the one asked for, where OpenAI knows it.
    pub tier: &'static str,
}

/// How many words, and whether the request's limit was what ended them.
pub fn length(limit: Option<u64>, wished: Option<usize>) -> (usize, bool) {
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    match (wished.map(|words| words.min(WORDS_MAX)), limit) {
        (Some(words), Some(limit)) => (words.min(limit), limit < words),
        (Some(words), None) => (words, false),
        (None, Some(limit)) if limit > WORDS_MAX => (WORDS_UNDER_CEILING, false),
        (None, Some(limit)) => (limit, true),
        (None, None) => (WORDS_UNASKED, false),
    }
}

/// What is left of an answer that was begun: the limit is of what is to come.
fn continued(
    shared: &Shared,
    ask: &Ask<'_>,
    seed: u64,
    wished: Option<usize>,
    begun: &str,
) -> (Option<Vec<String>>, (usize, bool)) {
    let said = begun.split_ascii_whitespace().count() as u64;
    let (whole, is_cut) = length(ask.limit().map(|limit| limit.saturating_add(said)), wished);
    let Some(pieces) = prefill::rest(seed, whole, begun) else {
        Stats::add(&shared.stats.prefills_unknown, 1);
        return (None, length(ask.limit(), wished));
    };
    Stats::add(&shared.stats.prefills, 1);
    let length = pieces.len();
    (Some(pieces), (length, is_cut))
}

impl Job {
    /// Decides the answer to `ask`. `seed` and `wished` come from scenario and headers.
    pub fn new(shared: &Shared, ask: &Ask<'_>, body: &[u8], model: &str, wishes: Wishes) -> Self {
        let call = tools::call(ask);
        let seed = ask.seed().or(wishes.seed).unwrap_or_else(|| hash(ask.conversation().as_bytes()));
        let begun = if call.is_some() { None } else { prefill::begun(ask, body, wishes.is_messages) };
        let (document, (words, is_cut)) = match begun {
            Some(begun) => continued(shared, ask, seed, wishes.tokens, &begun),
            None => {
                let document = if call.is_some() { None } else { document::pieces(ask) };
                let length = document.as_ref().map(|pieces| (pieces.len(), false));
                (document, length.unwrap_or_else(|| self::length(ask.limit(), wishes.tokens)))
            }
        };
        let asked =
            ask.n.or_else(|| ask.generation.as_ref().and_then(|generation| generation.candidate_count));
        Self {
            id: shared.ids.next(),
            created: shared.clock.unix_secs(),
            model: model.to_owned(),
            seed,
            words: if call.is_some() { 0 } else { words },
            is_cut: is_cut && call.is_none(),
            choices: if call.is_some() { 1 } else { asked.unwrap_or(1).clamp(1, CHOICES_MAX) as usize },
            prompt_tokens: shared.tokens.prompt(body),
            cached_tokens: wishes.cached_tokens,
            call,
            document,
            has_usage: wishes.has_usage,
            tier: match ask.service_tier.as_deref() {
                Some("flex") => "flex",
                Some("priority") => "priority",
                _ => "default",
            },
        }
    }

    pub fn prose(&self, choice: usize) -> Prose {
        if let Some(pieces) = &self.document {
            return Prose::decided(pieces.clone());
        }
        Prose::new(self.seed.wrapping_add((choice as u64) << 32))
    }

    /// All of it, as it stands between the quotes of JSON.
    pub fn text(&self, choice: usize) -> String {
        if let Some(pieces) = &self.document {
            return pieces.concat();
        }
        Prose::text(self.seed.wrapping_add((choice as u64) << 32), self.words)
    }

    /// Completion tokens: one a word; of a tool call, a quarter of its bytes.
    pub fn output_tokens(&self) -> u64 {
        match &self.call {
            Some(call) => call.tokens(),
            None => (self.words * self.choices) as u64,
        }
    }

    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.output_tokens())
    }
}

/// What scenario and headers add to a request.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    pub seed: Option<u64>,
    pub tokens: Option<usize>,
    pub has_usage: bool,
    pub cached_tokens: u64,
    /// An assistant's last turn is gone on with by itself.
    pub is_messages: bool,
}

/// The model's name in JSON.
pub struct Model<'a>(pub &'a Job);

impl Put for Model<'_> {
    fn put(&self, out: &mut String) {
        put!(out, Quoted(&self.0.model));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_length_unless_a_shorter_one_is_wished_or_it_is_a_mere_ceiling() {
        assert_eq!(length(None, None), (16, false));
        assert_eq!(length(Some(100), None), (100, true));
        assert_eq!(length(Some(100), Some(20)), (20, false));
        assert_eq!(length(Some(100), Some(200)), (100, true));
        assert_eq!(length(Some(32_000), None), (64, false));
        assert_eq!(length(None, Some(usize::MAX)), (8192, false));
        assert_eq!(length(Some(8192), None), (8192, true));
    }
}
