//! The label sets of the metrics. Every one is a closed enum.
//!
//! Not here: provider names, which come from the configuration (see `provider`). Invariant: two
//! values with one index have one label text, and `ALL` is in index order.

use crate::catalog::Unpriced;
use crate::types::{Endpoint, FailureClass, Reason};

/// A closed label set, so that the series of a metric can all be resolved before the first request.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// One value for each label text, in index order.
    const ALL: &'static [Self];
    /// Position in [`Label::ALL`].
    fn index(self) -> usize;
    /// The label's text.
    fn text(self) -> &'static str;
}

/// The first digit of the status a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusClass {
    /// The client left, or its connection broke, before a status was sent.
    None,
    Informational,
    Success,
    Redirect,
    ClientError,
    ServerError,
}

/// How one attempt at one target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    Ok,
    /// Given up by us: the client left or the process drained.
    Cancelled,
    Failed(FailureClass),
}

/// What kind of tokens. `Input` and `Output` are totals; the others are parts of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenClass {
    Input,
    CacheRead,
    CacheWrite5m,
    CacheWrite1h,
    AudioInput,
    ImageInput,
    Output,
    Reasoning,
    AudioOutput,
    ImageOutput,
}

/// Which stage of counting decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountKind {
    /// The cheap upper bound.
    Bound,
    /// The tokenizer.
    Exact,
}

/// What became of a configuration reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    Applied,
    /// The new file has errors; the old configuration serves on.
    Refused,
}

/// How a fetch of a credential ended, its tries taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefresh {
    Ok,
    Failed,
}

/// Whether a call that failed was tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    Taken,
    /// Too many calls of the model were tried again already.
    Refused,
}

/// What came of asking a second target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeOutcome {
    /// The second one was the answer.
    Won,
    /// The first one was, after all.
    Lost,
    /// Both failed, or the client left.
    Neither,
}

/// What became of a stream that broke and might be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// A target went on with it.
    Continued,
    /// What was said cannot be the beginning of an answer.
    Unfit,
    /// No target of the same model takes a beginning, or none could be asked.
    NoTarget,
    /// Others broke too, or there was no money for it.
    Failed,
}

/// What became of a call that may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoalesceOutcome {
    /// It was given the answer of another one.
    Joined,
    /// Its client was too slow for what is kept of the answer.
    Behind,
}

/// How a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    Ready,
    /// Back from an outage, with less than its share.
    Warming,
    /// Left alone after failures.
    Cooling,
    /// Left alone for as long as its provider has said.
    Limited,
    /// It does not answer probes.
    Unhealthy,
    /// Too many calls wait there, by its own count.
    Crowded,
    /// With as many calls as it takes at once.
    Full,
    /// Out of service by hand.
    Drained,
}

/// What came of asking a provider how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedOutcome {
    Ok,
    Failed,
}

/// Whether a part of a prompt was taken to be in the cache of the target that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheLookup {
    Hit,
    Miss,
}

// === impl Label ===

impl Label for AskedOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Ok, Self::Failed];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            AskedOutcome::Ok => "ok",
            AskedOutcome::Failed => "failed",
        }
    }
}

impl Label for CacheLookup {
    const NAME: &'static str = "lookup";
    const ALL: &'static [Self] = &[Self::Hit, Self::Miss];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            CacheLookup::Hit => "hit",
            CacheLookup::Miss => "miss",
        }
    }
}

impl Label for HedgeOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Won, Self::Lost, Self::Neither];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            HedgeOutcome::Won => "won",
            HedgeOutcome::Lost => "lost",
            HedgeOutcome::Neither => "neither",
        }
    }
}

impl Label for RecoveryOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Continued, Self::Unfit, Self::NoTarget, Self::Failed];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            RecoveryOutcome::Continued => "continued",
            RecoveryOutcome::Unfit => "unfit",
            RecoveryOutcome::NoTarget => "no_target",
            RecoveryOutcome::Failed => "failed",
        }
    }
}

impl Label for CoalesceOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Joined, Self::Behind];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            CoalesceOutcome::Joined => "joined",
            CoalesceOutcome::Behind => "behind",
        }
    }
}

impl Label for TargetHealth {
    const NAME: &'static str = "state";
    const ALL: &'static [Self] = &[
        Self::Ready,
        Self::Warming,
        Self::Cooling,
        Self::Limited,
        Self::Unhealthy,
        Self::Crowded,
        Self::Full,
        Self::Drained,
    ];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            TargetHealth::Ready => "ready",
            TargetHealth::Warming => "warming",
            TargetHealth::Cooling => "cooling",
            TargetHealth::Limited => "limited",
            TargetHealth::Unhealthy => "unhealthy",
            TargetHealth::Crowded => "crowded",
            TargetHealth::Full => "full",
            TargetHealth::Drained => "drained",
        }
    }
}

impl Label for RetryOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &[Self::Taken, Self::Refused];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            RetryOutcome::Taken => "taken",
            RetryOutcome::Refused => "refused",
        }
    }
}

impl Label for CredentialRefresh {
    const NAME: &'static str = "refresh";
    const ALL: &'static [Self] = &[Self::Ok, Self::Failed];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            CredentialRefresh::Ok => "ok",
            CredentialRefresh::Failed => "failed",
        }
    }
}

impl Label for Endpoint {
    const NAME: &'static str = "endpoint";
    const ALL: &'static [Self] = &Endpoint::ALL;
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        self.as_str()
    }
}

impl Label for Reason {
    const NAME: &'static str = "reason";
    const ALL: &'static [Self] = &Reason::ALL;
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        self.as_str()
    }
}

impl Label for StatusClass {
    const NAME: &'static str = "status_class";
    const ALL: &'static [Self] = &[
        Self::None,
        Self::Informational,
        Self::Success,
        Self::Redirect,
        Self::ClientError,
        Self::ServerError,
    ];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            StatusClass::None => "none",
            StatusClass::Informational => "1xx",
            StatusClass::Success => "2xx",
            StatusClass::Redirect => "3xx",
            StatusClass::ClientError => "4xx",
            StatusClass::ServerError => "5xx",
        }
    }
}

impl StatusClass {
    /// The class of `status`; zero, or anything that is not a status, is [`StatusClass::None`].
    pub fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirect,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }
}

impl Label for FailureClass {
    const NAME: &'static str = "cause";
    // A status is a value of the class, but only six texts exist for it.
    const ALL: &'static [Self] = &[
        FailureClass::Dns,
        FailureClass::Connect,
        FailureClass::Tls,
        FailureClass::Credential,
        FailureClass::HeaderTimeout,
        FailureClass::FirstTokenTimeout,
        FailureClass::IdleTimeout,
        FailureClass::TotalTimeout,
        FailureClass::Protocol,
        FailureClass::StreamError,
        FailureClass::Truncated,
        FailureClass::BadBody,
        FailureClass::Status(401),
        FailureClass::Status(408),
        FailureClass::Status(429),
        FailureClass::Status(529),
        FailureClass::Status(400),
        FailureClass::Status(500),
    ];
    fn index(self) -> usize {
        match self {
            FailureClass::Dns => 0,
            FailureClass::Connect => 1,
            FailureClass::Tls => 2,
            FailureClass::Credential => 3,
            FailureClass::HeaderTimeout => 4,
            FailureClass::FirstTokenTimeout => 5,
            FailureClass::IdleTimeout => 6,
            FailureClass::TotalTimeout => 7,
            FailureClass::Protocol => 8,
            FailureClass::StreamError => 9,
            FailureClass::Truncated => 10,
            FailureClass::BadBody => 11,
            FailureClass::Status(401 | 403) => 12,
            FailureClass::Status(408) => 13,
            FailureClass::Status(429) => 14,
            FailureClass::Status(529) => 15,
            FailureClass::Status(400..=499) => 16,
            FailureClass::Status(_) => 17,
        }
    }
    fn text(self) -> &'static str {
        self.as_str()
    }
}

impl Label for AttemptOutcome {
    const NAME: &'static str = "outcome";
    const ALL: &'static [Self] = &{
        let mut all = [AttemptOutcome::Ok; 2 + <FailureClass as Label>::ALL.len()];
        let [_, second, rest @ ..] = &mut all;
        *second = AttemptOutcome::Cancelled;
        let mut cells: &mut [AttemptOutcome] = rest;
        let mut classes = <FailureClass as Label>::ALL;
        while let ([cell, others @ ..], [class, more @ ..]) = (cells, classes) {
            *cell = AttemptOutcome::Failed(*class);
            (cells, classes) = (others, more);
        }
        all
    };
    fn index(self) -> usize {
        match self {
            AttemptOutcome::Ok => 0,
            AttemptOutcome::Cancelled => 1,
            AttemptOutcome::Failed(class) => 2 + class.index(),
        }
    }
    fn text(self) -> &'static str {
        match self {
            AttemptOutcome::Ok => "ok",
            AttemptOutcome::Cancelled => "cancelled",
            AttemptOutcome::Failed(class) => class.as_str(),
        }
    }
}

impl Label for TokenClass {
    const NAME: &'static str = "class";
    const ALL: &'static [Self] = &[
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::ImageInput,
        Self::Output,
        Self::Reasoning,
        Self::AudioOutput,
        Self::ImageOutput,
    ];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            TokenClass::Input => "input",
            TokenClass::CacheRead => "cache_read",
            TokenClass::CacheWrite5m => "cache_write_5m",
            TokenClass::CacheWrite1h => "cache_write_1h",
            TokenClass::AudioInput => "audio_input",
            TokenClass::ImageInput => "image_input",
            TokenClass::Output => "output",
            TokenClass::Reasoning => "reasoning",
            TokenClass::AudioOutput => "audio_output",
            TokenClass::ImageOutput => "image_output",
        }
    }
}

impl Label for CountKind {
    const NAME: &'static str = "kind";
    const ALL: &'static [Self] = &[Self::Bound, Self::Exact];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            CountKind::Bound => "bound",
            CountKind::Exact => "exact",
        }
    }
}

impl Label for Unpriced {
    const NAME: &'static str = "cause";
    const ALL: &'static [Self] = &Unpriced::ALL;
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        self.as_str()
    }
}

impl Label for ReloadResult {
    const NAME: &'static str = "result";
    const ALL: &'static [Self] = &[Self::Applied, Self::Refused];
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        match self {
            ReloadResult::Applied => "applied",
            ReloadResult::Refused => "refused",
        }
    }
}
