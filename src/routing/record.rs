//! A decision as it is kept: what was known of the request and of each target, so that it can be made
//! again, with the same configuration or another.
//!
//! Bounded: texts are cut, and of headers and claims only those are in it that a condition names. Never a
//! credential; a session is a hash.

use super::live::Measured;
use super::look::{Look, Verdict};
use super::vital::Load;
use crate::types::Claim;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of every text.
pub const TEXT_BYTES_MAX: usize = 128;
/// Bytes of a whole record; a longer one is not kept.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;

/// One decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recorded {
    pub model: String,
    pub endpoint: String,
    pub stream: bool,
    pub turn: u64,
    pub random: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Tokens of the prompt, and the most of the answer.
    pub input: u64,
    pub output: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub team: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub app: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    pub zdr: bool,
    pub unix: u64,
    pub budget_spent: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Those a condition names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, Claim>,
    pub targets: Vec<Seen>,
    /// The target that was first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
}

/// A target as it was then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// `provider/model`.
    pub name: String,
    /// Whatever the request: `ready`, `cooling`, `limited`, `unhealthy`, `crowded`, `full` or `drained`.
    pub state: String,
    pub busy: u32,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<f32>,
    pub errors: f32,
    /// Share of prompts read from the cache, and tokens of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<(f32, f32)>,
    pub headroom: f32,
    pub warmth: f32,
    /// The part of the prompt it was taken to have in its cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<f32>,
    /// What its server said of its load: calls of others, calls that wait, the used part of the KV cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<(u32, u32, Option<f32>)>,
}

impl Default for Seen {
    fn default() -> Self {
        Self::of(String::new(), "ready", &Measured { headroom: 1.0, ..Measured::default() }, 1.0)
    }
}

impl Seen {
    pub fn of(name: String, state: &str, measured: &Measured, warmth: f32) -> Self {
        Self {
            name,
            state: state.to_owned(),
            busy: measured.busy,
            first: measured.first,
            whole: measured.whole,
            token: measured.token,
            errors: measured.errors,
            mix: measured.mix,
            headroom: measured.headroom,
            warmth,
            cached: None,
            load: None,
        }
    }

    /// Gives a look what is known besides the measured.
    pub fn add_to(&self, look: &mut Look) {
        look.cached = self.cached.unwrap_or_default();
        if let Some((elsewhere, waiting, kv)) = self.load {
            look.take_in(&Load { running: 0, waiting, elsewhere, kv });
        }
    }

    pub fn measured(&self) -> Measured {
        Measured {
            busy: self.busy,
            first: self.first,
            whole: self.whole,
            token: self.token,
            errors: self.errors,
            mix: self.mix,
            headroom: self.headroom,
        }
    }

    /// Its health then.
    pub fn verdict(&self) -> Verdict {
        match self.state.as_str() {
            "cooling" => Verdict::Cooling,
            "limited" => Verdict::Limited,
            "unhealthy" => Verdict::Unhealthy,
            "crowded" => Verdict::Crowded,
            "full" => Verdict::Full,
            "drained" => Verdict::Drained,
            _ => Verdict::Ready,
        }
    }
}

/// A text as it is kept.
pub fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

impl Recorded {
    /// As one line of JSON; None where it is too long to be kept.
    pub fn line(&self) -> Option<String> {
        serde_json::to_string(self).ok().filter(|line| line.len() <= RECORD_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_as_it_was_and_short_where_nothing_is_known() {
        let seen = Seen::of(
            "a/x".into(),
            "limited",
            &Measured { busy: 3, first: Some(0.25), headroom: 0.5, ..Measured::default() },
            0.1,
        );
        let record = Recorded {
            model: "m".into(),
            session: Some(u64::MAX),
            turn: 7,
            headers: [("x-plan".to_owned(), "gold".to_owned())].into(),
            targets: vec![seen.clone(), Seen::default()],
            ..Recorded::default()
        };
        let line = record.line().unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&line).unwrap(), record);
        assert_eq!((seen.verdict(), seen.measured().first), (Verdict::Limited, Some(0.25)));
        assert!(Recorded::default().line().unwrap().len() < 200);
    }

    #[test]
    fn records_and_their_texts_are_bounded() {
        assert_eq!(cut(&"é".repeat(100)).len(), TEXT_BYTES_MAX);
        let many = Recorded { targets: vec![Seen::default(); 1000], ..Recorded::default() };
        assert_eq!(many.line(), None);
        let full = Recorded { targets: vec![Seen { name: "n".repeat(60), ..Seen::default() }; 64], ..many };
        assert!(full.line().is_some());
    }
}
