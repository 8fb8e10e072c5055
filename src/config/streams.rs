//! What a model's section says about its streams: how much is held back before they begin, and what
//! happens when they break.

use super::choice::choice;
use super::collector::Collector;
use super::duration::duration;
use super::near::{self, quoted};
use super::number::integer;
use super::reader::Reader;
use super::size::{KIB, MIB, size};
use super::value::Value;
use crate::chat::PrefillStyle;
use std::time::Duration;
use toml::de::DeValue;

/// `hold`, `recovery` and `continuations` of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams {
    /// None: a stream begins with its first content.
    pub hold: Option<Hold>,
    pub recovery: Recovery,
    /// How often one stream may be gone on with, with [`Recovery::Continue`].
    pub continuations: u8,
    /// None: no stream can be read again.
    pub resume: Option<Resume>,
}

/// `hold`: how much of a stream's content is kept back before the client gets any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub tokens: u64,
    pub time: Duration,
    pub bytes_max: usize,
}

/// `resume`: how much is kept of a stream for a client that lost its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    pub events_max: usize,
    pub bytes_max: usize,
    pub keep: Duration,
}

/// What becomes of a stream that breaks after its client got some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It ends with an error event.
    Error,
    /// A target of the same model is asked to go on with it.
    Continue,
}

/// `prefill` of a target: whether it takes the beginning of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefill {
    Known,
    Yes,
    No,
    As(PrefillStyle),
}

const RECOVERY: &[(&str, Recovery)] = &[("error", Recovery::Error), ("continue", Recovery::Continue)];

impl Streams {
    /// What the table of a model says of its streams.
    pub(super) fn read(reader: &mut Reader<'_, '_, '_>) -> Self {
        Self {
            hold: reader.take("hold", Hold::read),
            recovery: reader.or("recovery", Recovery::Error, choice(RECOVERY, &[])),
            continuations: reader.or("continuations", 1, integer(1..=8)),
            resume: reader.take("resume", Resume::read),
        }
    }
}

impl Hold {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let hold = Self {
            tokens: reader.or("tokens", 16, integer(1..=1000)),
            time: reader.or("time", Duration::from_millis(50), duration),
            bytes_max: reader.or("bytes", 64 * KIB, size(KIB..=256 * KIB)),
        };
        reader.done();
        Some(hold)
    }
}

impl Resume {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let resume = Self {
            events_max: reader.or("events", 4096, integer(1..=65_536)),
            bytes_max: reader.or("bytes", 256 * KIB, size(KIB..=16 * MIB)),
            keep: reader.or("keep", Duration::from_secs(60), duration),
        };
        reader.done();
        Some(resume)
    }
}

/// `true`, `false`, or how.
pub(super) fn prefill(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Prefill> {
    if let DeValue::Boolean(is_taken) = value.node {
        return Some(if *is_taken { Prefill::Yes } else { Prefill::No });
    }
    let word = value.string(collector, "true, false or a style")?;
    let styles = PrefillStyle::ALL.map(PrefillStyle::as_str);
    let style = PrefillStyle::ALL.into_iter().find(|style| style.as_str() == word);
    if style.is_none() {
        let near = near::suffix(word, styles);
        let help = format!("true, false or one of: {}", styles.join(", "));
        value.fail_help(collector, format!("unknown prefill `{}`{near}", quoted(word)), help);
    }
    style.map(Prefill::As)
}
