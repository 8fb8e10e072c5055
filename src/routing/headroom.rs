//! What is left of a provider's rate limits, by the headers of its answers.
//!
//! Vendors tell it on every answer: OpenAI and those like it (`x-ratelimit-*`), Anthropic
//! (`anthropic-ratelimit-*`). Not here: refusals (`retry_after`).

use super::reset_headers::span;
use std::time::{Duration, SystemTime};

/// Limit, remaining and reset.
const TRIPLES: [[&str; 3]; 6] = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
    [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ],
];
/// How long it is believed at least and at most, and where nobody says.
const SPAN_MIN: Duration = Duration::from_secs(1);
const SPAN_MAX: Duration = Duration::from_secs(3600);
const SPAN_UNSAID: Duration = Duration::from_secs(60);

/// The share (0 to 1) that is left of the limit that has least left, and until when that holds. None
/// where no limit is told whole.
pub fn headroom<'h>(headers: impl Fn(&str) -> Option<&'h str>, wall: SystemTime) -> Option<(f32, Duration)> {
    let number =
        |name: &str| headers(name)?.trim().parse::<f32>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    let told = TRIPLES.iter().filter_map(|[limit, remaining, reset]| {
        let limit = number(limit).filter(|limit| *limit > 0.0)?;
        let left = (number(remaining)? / limit).min(1.0);
        let until = headers(reset).and_then(|text| span(text.trim(), wall)).unwrap_or(SPAN_UNSAID);
        Some((left, until.clamp(SPAN_MIN, SPAN_MAX)))
    });
    told.min_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Option<(f32, Duration)> {
        let headers = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        headroom(headers, SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_234_740))
    }

    #[test]
    fn the_limit_with_least_left_counts() {
        let openai = [
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-remaining-requests", "900"),
            ("x-ratelimit-reset-requests", "6s"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "50000"),
            ("x-ratelimit-reset-tokens", "45s"),
        ];
        assert_eq!(read(&openai), Some((0.25, Duration::from_secs(45))));
        let anthropic = [
            ("anthropic-ratelimit-input-tokens-limit", "100"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-21T04:19:09Z"),
        ];
        assert_eq!(read(&anthropic), Some((0.0, Duration::from_secs(9))));
    }

    #[test]
    fn what_is_not_told_whole_says_nothing() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[("x-ratelimit-remaining-requests", "9")]), None);
        let limit = ("x-ratelimit-limit-requests", "10");
        for left in ["-1", "NaN", "inf", "", "many"] {
            assert_eq!(read(&[limit, ("x-ratelimit-remaining-requests", left)]), None, "{left}");
        }
        assert_eq!(
            read(&[("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")]),
            None
        );
        let more = [limit, ("x-ratelimit-remaining-requests", "20"), ("x-ratelimit-reset-requests", "999h")];
        assert_eq!(read(&more), Some((1.0, SPAN_MAX)));
    }
}
