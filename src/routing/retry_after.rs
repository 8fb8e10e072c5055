//! When an upstream that refused wants to be asked again.
//!
//! The clearest statement wins: `retry-after-ms`, `Retry-After` (seconds or a date), the rate-limit
//! reset headers, the `RetryInfo` in a Gemini error body. Nonsense counts as silence.

use super::reset_headers::until_reset;
use super::spans::{decimal, go_duration};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Nobody is told to stay away longer, whatever an upstream says.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Reads a refusal's header fields (asked by lower-case name) and body. `wall` is the time of day,
/// which dates are relative to. `None` when nothing usable is said; never zero, never above
/// [`RETRY_AFTER_MAX`].
pub fn retry_after<'h>(
    headers: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    wall: SystemTime,
) -> Option<Duration> {
    let is_some_time = |span: &Duration| !span.is_zero();
    let millis = headers("retry-after-ms").and_then(|text| decimal(text.trim(), 1e-3)).filter(is_some_time);
    let stated =
        || headers("retry-after").and_then(|text| seconds_or_date(text.trim(), wall)).filter(is_some_time);
    let reset = || until_reset(&headers, wall);
    let in_body = || retry_info(body).filter(is_some_time);
    millis.or_else(stated).or_else(reset).or_else(in_body).map(|span| span.min(RETRY_AFTER_MAX))
}

/// RFC 9110 §10.2.3; decimals, which some upstreams send, are taken too.
fn seconds_or_date(text: &str, wall: SystemTime) -> Option<Duration> {
    let date = || httpdate::parse_http_date(text).ok()?.duration_since(wall).ok();
    decimal(text, 1.0).or_else(date)
}

/// `error.details[].retryDelay` of a Google error; a stream's error is the same in a list.
fn retry_info(body: &[u8]) -> Option<Duration> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        One(Wrapped),
        Many(Vec<Wrapped>),
    }
    #[derive(Deserialize)]
    struct Wrapped {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        details: Vec<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        #[serde(rename = "retryDelay")]
        retry_delay: Option<String>,
    }
    // Nearly every body ends here, unparsed.
    memchr::memmem::find(body, b"retryDelay")?;
    let errors = match serde_json::from_slice(body).ok()? {
        Body::One(error) => vec![error],
        Body::Many(errors) => errors,
    };
    let mut details = errors.into_iter().flat_map(|wrapped| wrapped.error.details);
    details.find_map(|detail| go_duration(&detail.retry_delay?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21 04:19:00 UTC.
    const WALL: u64 = 1_795_234_740;

    fn read(fields: &[(&str, &str)], body: &str) -> Option<Duration> {
        let headers = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        retry_after(headers, body.as_bytes(), SystemTime::UNIX_EPOCH + Duration::from_secs(WALL))
    }

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn every_form_is_understood() {
        assert_eq!(read(&[("retry-after", "7")], ""), millis(7000));
        assert_eq!(read(&[("retry-after", " 1.5 ")], ""), millis(1500));
        assert_eq!(read(&[("retry-after", "Sat, 21 Nov 2026 04:19:07 GMT")], ""), millis(7000));
        assert_eq!(read(&[("retry-after-ms", "250")], ""), millis(250));
        assert_eq!(read(&[("x-ratelimit-reset-requests", "8.64s")], ""), millis(8640));
        assert_eq!(read(&[("anthropic-ratelimit-tokens-reset", "2026-11-21T04:19:09Z")], ""), millis(9000));
    }

    #[test]
    fn a_gemini_retry_info_is_found_alone_and_in_a_list() {
        let info = r#"{"error":{"code":429,"details":[{"@type":"t/QuotaFailure","violations":[{}]},
            {"@type":"t/RetryInfo","retryDelay":"34.4s"}]}}"#;
        assert_eq!(read(&[], info), millis(34_400));
        assert_eq!(read(&[], &format!("[{info}]")), millis(34_400));
        assert_eq!(read(&[], r#"{"error":{"details":[{"retryDelay":34}]}}"#), None);
        assert_eq!(read(&[], r#"{"error":{"details":[{"retryDelay":"34.4s"}"#), None);
    }

    #[test]
    fn the_clearest_statement_wins_and_nonsense_is_passed_over() {
        let reset = ("x-ratelimit-reset-tokens", "6m0s");
        assert_eq!(read(&[("retry-after-ms", "250"), ("retry-after", "7"), reset], ""), millis(250));
        assert_eq!(read(&[("retry-after-ms", "soon"), ("retry-after", "7"), reset], ""), millis(7000));
        assert_eq!(read(&[("retry-after", "-1"), reset], ""), millis(360_000));
    }

    #[test]
    fn of_several_limits_the_used_up_one_counts() {
        let fields = [
            ("x-ratelimit-remaining-requests", "58"),
            ("x-ratelimit-reset-requests", "1m12s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "330ms"),
        ];
        assert_eq!(read(&fields, ""), millis(330));
        assert_eq!(read(&fields[..2], ""), None);
        assert_eq!(read(&[fields[1], fields[3]], ""), millis(330));
    }

    #[test]
    fn zero_negative_past_and_garbage_say_nothing() {
        for text in ["0", "0.0", "-7", "", "soon", "1e3", "NaN", "Sat, 21 Nov 2026 04:18:00 GMT"] {
            assert_eq!(read(&[("retry-after", text)], ""), None, "{text}");
        }
        assert_eq!(read(&[("anthropic-ratelimit-tokens-reset", "2020-01-01T00:00:00Z")], ""), None);
        assert_eq!(read(&[("x-ratelimit-reset-tokens", "1795234740")], ""), None);
    }

    #[test]
    fn an_absurdly_long_wait_is_capped() {
        assert_eq!(read(&[("retry-after", "1000000000")], ""), Some(RETRY_AFTER_MAX));
        assert_eq!(read(&[("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT")], ""), Some(RETRY_AFTER_MAX));
    }
}
