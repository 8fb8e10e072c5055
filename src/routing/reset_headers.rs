//! How long a rate limit lasts, by the headers that report its state.
//!
//! A reset tells when the whole limit is back, so it is believed only of a limit that is used up.

use super::spans::{decimal, go_duration};
use crate::types::utc;
use std::time::{Duration, SystemTime};

/// Remaining and reset, by vendor: OpenAI and those like it, then Anthropic.
const PAIRS: [(&str, &str); 6] = [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
];
/// A bare number beyond this is a date in some epoch, not a span.
const SECONDS_MAX: Duration = Duration::from_secs(1_000_000);

/// The longest reset of the limits that are used up. Where no limit says what remains, the shortest
/// reset. `None` when everything reported still has room.
pub(super) fn until_reset<'h>(
    headers: &impl Fn(&str) -> Option<&'h str>,
    wall: SystemTime,
) -> Option<Duration> {
    let reported = PAIRS.iter().filter_map(|(remaining, reset)| {
        let span = span(headers(reset)?.trim(), wall)?;
        Some((headers(remaining).map(str::trim), span))
    });
    let used_up = reported.clone().filter(|(remaining, _)| *remaining == Some("0"));
    let unsaid = reported.filter(|(remaining, _)| remaining.is_none());
    used_up.map(|(_, span)| span).max().or_else(|| unsaid.map(|(_, span)| span).min())
}

pub(super) fn span(text: &str, wall: SystemTime) -> Option<Duration> {
    let moment = || (SystemTime::UNIX_EPOCH + utc::since_1970(text)?).duration_since(wall).ok();
    let seconds = || decimal(text, 1.0).filter(|span| *span <= SECONDS_MAX);
    go_duration(text).or_else(moment).or_else(seconds).filter(|span| !span.is_zero())
}
