//! How streams of a model are kept from breaking, or gone on with when they do.

use super::replays::Resume;
use super::{Lane, Provider};
use crate::catalog;
use crate::chat::PrefillStyle;
use std::time::Duration;

/// Text of a stream that is kept to be gone on with; a longer one ends where it breaks.
pub const CONTINUED_BYTES_MAX: usize = 256 * 1024;

/// The streams of one model.
#[derive(Clone, Debug, Default)]
pub struct StreamPolicy {
    /// None: a stream begins with its first content.
    pub hold: Option<Hold>,
    /// How often one stream may be gone on with; 0: a break is told.
    pub continuations: u8,
    /// How much is kept of a stream for who lost it; None: nothing is.
    pub resume: Option<Resume>,
    /// By target.
    pub targets: Vec<StreamTarget>,
}

/// How much of a stream's content is kept back at most before the client gets any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub tokens: u64,
    /// From the first content on.
    pub time: Duration,
    pub bytes_max: usize,
}

/// What the configuration says of a target, over what the catalogue knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamTarget {
    pub prefill: Prefill,
    /// Targets of one family give the same model.
    pub family: Option<Box<str>>,
}

/// Whether a target takes the beginning of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefill {
    /// As the catalogue says.
    #[default]
    Known,
    /// As the catalogue says; the plain way where it says nothing.
    Yes,
    No,
    As(PrefillStyle),
}

impl StreamPolicy {
    /// How a target takes the beginning of its answer on this lane; None where it does not.
    pub fn prefill(
        &self,
        target: usize,
        provider: &Provider,
        lane: Lane<'_>,
        model: &str,
    ) -> Option<PrefillStyle> {
        let (Lane::Same(way) | Lane::Translated(way)) = lane;
        let known = || catalog::prefill(&provider.facts, way.protocol, &way.base_path, model);
        match self.targets.get(target).map(|target| target.prefill).unwrap_or_default() {
            Prefill::Known => known(),
            Prefill::Yes => known().or(Some(PrefillStyle::Plain)),
            Prefill::No => None,
            Prefill::As(style) => Some(style),
        }
    }

    /// The family of a target that is asked for `model`.
    pub fn family(&self, target: usize, model: &str) -> String {
        let stated = self.targets.get(target).and_then(|target| target.family.as_deref());
        stated.map_or_else(|| catalog::family(model), str::to_owned)
    }
}
