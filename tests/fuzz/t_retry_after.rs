//! What an upstream says about when to come back.

use crate::input::{BYTES_MAX, Input, each_input};
use std::time::{Duration, SystemTime};
use tidegate::routing::retry_after;
use tidegate::routing::retry_after::RETRY_AFTER_MAX;

const HEADERS: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset-requests",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-requests",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-input-tokens-reset",
];
const WORDS: [&str; 34] = [
    "0",
    "1",
    "7",
    "59",
    "1795234747",
    "99999999999999999999",
    ".5",
    "-",
    "+",
    "e",
    "1e400",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "Sat, 21 Nov 2026 04:19:07 GMT",
    "Saturday, 21-Nov-26 04:19:07 GMT",
    "2026-11-21T04:19:07Z",
    "2026-11-21",
    "T",
    ":",
    "Z",
    " ",
    ",",
    "\u{b5}s",
    "nan",
    "inf",
    "6m0s",
    "1h2m3.5s",
    "\u{e9}",
    "2026-02-30T25:61:61+99:99",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:60Z",
];
const BODIES: [&str; 3] = [
    r#"{"error":{"code":429,"details":[{"@type":"a"},{"retryDelay":"7.5s"}]}}"#,
    r#"[{"error":{"details":[{"retryDelay":"1m"}]}}]"#,
    "{}",
];

#[test]
fn retry_after_is_some_time_and_never_too_long() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_234_740);
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let said = input.spelt(&WORDS);
        let said = String::from_utf8_lossy(&said);
        // Each part of the input is one header's value.
        let values: Vec<&str> = said.split(',').collect();
        let headers = |name: &str| {
            let index = HEADERS.iter().position(|known| *known == name)?;
            values.get((index + input.choice) % HEADERS.len()).copied()
        };
        let body = input.changed(BODIES[input.choice % BODIES.len()].as_bytes(), &WORDS);
        for body in [input.bytes, body.as_slice(), b""] {
            if let Some(span) = retry_after(headers, body, wall) {
                assert!(!span.is_zero() && span <= RETRY_AFTER_MAX, "{span:?}");
            }
        }
    });
}
