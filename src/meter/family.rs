//! Which tokenizer a model has, as far as it is known.
//!
//! Not a model catalog: it looks at names only. Invariant: a name it does not know is [`Family::Other`],
//! and a Claude it can't date is the newer tokenizer, which counts more.

use super::tokenizer::Encoding;
use std::cell::RefCell;

thread_local! {
    /// The name last asked for: requests that follow each other often name the same model. Names are
    /// bounded where they come in.
    static LAST: RefCell<(String, Family)> = const { RefCell::new((String::new(), Family::Other)) };
}

/// A tokenizer family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// GPT-4o, 4.1, 5 and later, the o-series, gpt-oss: counted exactly.
    O200k,
    /// GPT-4, GPT-3.5, the third-generation embeddings: counted exactly.
    Cl100k,
    /// Claude up to 4.6. No public tokenizer.
    ClaudeOld,
    /// Claude Opus 4.7 and later, Sonnet 5, Fable. No public tokenizer.
    ClaudeNew,
    Gemini,
    Mistral,
    Other,
}

/// How a family's counts relate to o200k's on the same text, in parts per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors {
    /// For a count as close as can be had.
    pub estimate: u32,
    /// For a count that was never exceeded in the measured samples.
    pub bound: u32,
}

/// [`Factors`] by family; the configuration may override any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorTable {
    factors: [Factors; Family::ALL.len()],
}

impl Family {
    pub const ALL: [Family; 7] = [
        Family::O200k,
        Family::Cl100k,
        Family::ClaudeOld,
        Family::ClaudeNew,
        Family::Gemini,
        Family::Mistral,
        Family::Other,
    ];

    /// The family of a model by its name: dated, prefixed (`openai/…`, `models/…`, `us.anthropic.…`),
    /// fine-tuned (`ft:…`) and versioned (`…-v1:0`) names included.
    pub fn of(model: &str) -> Family {
        LAST.with_borrow_mut(|(known, family)| {
            if known != model || model.is_empty() {
                *family = Self::of_unknown(model);
                known.clear();
                known.push_str(model);
            }
            *family
        })
    }

    fn of_unknown(model: &str) -> Family {
        let name = base_name(model);
        if let Some((_, after)) = name.split_once("claude") {
            return if claude_version(after) >= (4, 7) { Family::ClaudeNew } else { Family::ClaudeOld };
        }
        if let Some(family) = openai(&name) {
            return family;
        }
        const MISTRAL: [&str; 8] =
            ["mistral", "mixtral", "ministral", "codestral", "magistral", "pixtral", "devstral", "voxtral"];
        if name.contains("gemini") || name.contains("gemma") {
            Family::Gemini
        } else if MISTRAL.iter().any(|word| name.contains(word)) {
            Family::Mistral
        } else {
            Family::Other
        }
    }

    /// The name in the configuration and in metrics labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::O200k => "o200k",
            Family::Cl100k => "cl100k",
            Family::ClaudeOld => "claude_old",
            Family::ClaudeNew => "claude_new",
            Family::Gemini => "gemini",
            Family::Mistral => "mistral",
            Family::Other => "other",
        }
    }

    /// The family of [`as_str`](Self::as_str)'s name.
    pub fn from_name(name: &str) -> Option<Family> {
        Self::ALL.into_iter().find(|family| family.as_str() == name)
    }

    /// The vocabulary its text is counted with: its own, or the yardstick.
    pub fn encoding(self) -> Encoding {
        match self {
            Family::Cl100k => Encoding::Cl100k,
            _ => Encoding::O200k,
        }
    }

    /// Whether [`encoding`](Self::encoding) is the model's own.
    pub fn is_exact(self) -> bool {
        matches!(self, Family::O200k | Family::Cl100k)
    }
}

impl Factors {
    /// The family's likely count for `tokens` of the yardstick, rounded up.
    pub fn estimate(self, tokens: u64) -> u64 {
        scale(tokens, self.estimate)
    }

    /// The family's highest plausible count for `tokens` of the yardstick, rounded up.
    pub fn upper(self, tokens: u64) -> u64 {
        scale(tokens, self.bound.max(self.estimate))
    }
}

impl FactorTable {
    pub fn get(&self, family: Family) -> Factors {
        self.factors.get(family as usize).copied().unwrap_or(Factors { estimate: 1000, bound: 1000 })
    }

    #[must_use]
    pub fn with(mut self, family: Family, factors: Factors) -> Self {
        if let Some(place) = self.factors.get_mut(family as usize) {
            *place = factors;
        }
        self
    }
}

/// Measured on recorded responses, mostly English: median and maximum, rounded up.
impl Default for FactorTable {
    fn default() -> Self {
        let factors = Family::ALL.map(|family| match family {
            Family::O200k | Family::Cl100k => Factors { estimate: 1000, bound: 1000 },
            Family::ClaudeOld => Factors { estimate: 1150, bound: 1200 },
            Family::ClaudeNew => Factors { estimate: 1450, bound: 1650 },
            Family::Gemini => Factors { estimate: 1050, bound: 1550 },
            Family::Mistral => Factors { estimate: 1080, bound: 1350 },
            Family::Other => Factors { estimate: 1050, bound: 1100 },
        });
        Self { factors }
    }
}

/// Whether the model thinks before it answers, as far as OpenAI's names tell: its prompts are one token
/// shorter.
pub(super) fn is_openai_reasoning(model: &str) -> bool {
    let name = base_name(model);
    is_o_series(&name) || (gpt_version(&name).is_some_and(|v| v >= (5, 0)) && !name.contains("chat"))
}

/// Lower case, without route, vendor and fine-tuning prefixes.
pub(super) fn base_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).trim_start_matches('~').to_ascii_lowercase();
    let name = name.strip_prefix("ft:").unwrap_or(&name);
    name.split_once("openai.").map_or(name, |(_, after)| after).to_owned()
}

fn scale(tokens: u64, permille: u32) -> u64 {
    tokens.saturating_mul(u64::from(permille)).div_ceil(1000)
}

fn openai(name: &str) -> Option<Family> {
    const O200K: [&str; 5] = ["gpt-oss", "chatgpt-", "codex", "computer-use", "omni-moderation"];
    const CL100K: [&str; 4] = ["text-embedding-", "gpt-35", "davinci-002", "babbage-002"];
    if is_o_series(name) || O200K.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(Family::O200k);
    }
    if CL100K.iter().any(|prefix| name.starts_with(prefix)) {
        return Some(Family::Cl100k);
    }
    let version = gpt_version(name)?;
    let is_newer = version > (4, 0) || name.starts_with("gpt-4o");
    Some(if is_newer { Family::O200k } else { Family::Cl100k })
}

/// `o1`, `o3-mini`, … but not `olmo`.
fn is_o_series(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next() == Some(b'o') && bytes.next().is_some_and(|b| b.is_ascii_digit())
}

/// `gpt-4.1-mini` is (4, 1), `gpt-4-0613` is (4, 0).
fn gpt_version(name: &str) -> Option<(u32, u32)> {
    let (major, rest) = number(name.strip_prefix("gpt-")?)?;
    Some((major, rest.strip_prefix('.').and_then(number).map_or(0, |(minor, _)| minor)))
}

/// The version in what follows `claude`: `-3-5-haiku-20241022` is (3, 5), `-opus-4-20250514` is (4, 0).
/// Without one the newest is meant.
fn claude_version(after: &str) -> (u32, u32) {
    let Some((major, rest)) =
        after.find(|c: char| c.is_ascii_digit()).and_then(|at| number(after.get(at..)?))
    else {
        return (u32::MAX, 0);
    };
    if major > 99 {
        return (u32::MAX, 0); // A date without a version.
    }
    let minor = rest.strip_prefix(['-', '.']).and_then(number).map(|(minor, _)| minor).filter(|m| *m < 100);
    (major, minor.unwrap_or(0))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_kind_find_their_family() {
        let families: [(Family, &[&str]); 7] = [
            (
                Family::O200k,
                &[
                    "gpt-4o",
                    "gpt-4o-mini-2024-07-18",
                    "openai/gpt-4.1-nano",
                    "gpt-5.6-sol",
                    "o3-mini",
                    "openai.gpt-5.5",
                    "ft:gpt-4o-mini:acme::x",
                    "openai/gpt-oss-120b",
                    "gpt-oss:20b",
                    "chatgpt-4o-latest",
                    "GPT-5",
                    "gpt-6-astra",
                ],
            ),
            (
                Family::Cl100k,
                &[
                    "gpt-4",
                    "gpt-4-turbo",
                    "gpt-4-0613",
                    "gpt-3.5-turbo",
                    "gpt-35-turbo",
                    "text-embedding-3-large",
                ],
            ),
            (
                Family::ClaudeOld,
                &[
                    "claude-3-5-haiku-20241022",
                    "claude-opus-4-1-20250805",
                    "claude-sonnet-4-20250514",
                    "claude-2.1",
                    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                    "anthropic/claude-sonnet-4.6",
                    "claude-instant-1.2",
                    "claude-sonnet-4@20250514",
                    "claude-haiku-4-5",
                    "anthropic/claude-3.7-sonnet:thinking",
                ],
            ),
            (
                Family::ClaudeNew,
                &[
                    "claude-opus-4-8",
                    "claude-opus-4-7-20260101",
                    "claude-sonnet-5",
                    "claude-fable-5",
                    "~anthropic/claude-opus-latest",
                    "anthropic.claude-opus-4-7-v1:0",
                ],
            ),
            (Family::Gemini, &["models/gemini-2.5-flash", "google/gemini-2.0-flash-exp:free", "gemma3:1b"]),
            (
                Family::Mistral,
                &["mistral-large-latest", "mistralai/Mixtral-8x7B-Instruct-v0.1", "ministral-8b-latest"],
            ),
            (Family::Other, &["deepseek-chat", "olmo-2", "llama3.1-8b", "qwen3:0.6b", "", "gpt-neo", "o"]),
        ];
        for (family, names) in families {
            for name in names {
                assert_eq!(Family::of(name), family, "{name}");
            }
        }
    }

    #[test]
    fn reasoning_models_are_told_from_their_chat_siblings() {
        assert!(is_openai_reasoning("openai/gpt-5-mini") && is_openai_reasoning("o4-mini"));
        assert!(!is_openai_reasoning("gpt-5-chat-latest") && !is_openai_reasoning("gpt-4.1"));
    }

    #[test]
    fn an_overridden_factor_is_used_and_the_bound_never_undercuts_it() {
        let table = FactorTable::default().with(Family::Other, Factors { estimate: 2000, bound: 1500 });
        assert_eq!(table.get(Family::Other).estimate(3), 6);
        assert_eq!(table.get(Family::Other).upper(3), 6);
        assert_eq!(table.get(Family::ClaudeNew).estimate(1), 2);
        assert!(Family::ALL.iter().all(|f| Family::from_name(f.as_str()) == Some(*f)));
        assert!(Family::ALL.iter().enumerate().all(|(at, f)| *f as usize == at));
    }
}
