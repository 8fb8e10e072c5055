//! Tests of the log line: hostile input, completeness, and the document about it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::entry::{Entry, FAILURES_MAX, FailedAttempt, PATH_BYTES_MAX, TEXT_BYTES_MAX};
use super::labels::Label;
use super::timestamp::Stamp;
use crate::catalog::{Cost, Unpriced};
use crate::routing::Told;
use crate::types::ids::RequestIds;
use crate::types::reject::Origin;
use crate::types::{Endpoint, FailureClass, Money, Reason, Usage};

const USAGE: Usage = Usage {
    input: 100,
    cache_read: 40,
    cache_write_5m: 3,
    cache_write_1h: 4,
    audio_input: 0,
    image_input: 0,
    output: 9,
    reasoning: 5,
    audio_output: 0,
    image_output: 0,
    searches: 2,
    is_estimated: false,
};

fn line(entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    entry.write(&mut out, &mut Stamp::default());
    String::from_utf8(out).unwrap()
}

fn parsed(entry: &Entry<'_>) -> serde_json::Value {
    let line = line(entry);
    assert_eq!(line.matches('\n').count(), 1, "one line: {line}");
    assert!(line.ends_with('\n'));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
}

fn full<'a>(failures: &'a [FailedAttempt<'a>]) -> Entry<'a> {
    Entry {
        key: Some("team-a"),
        endpoint: Some(Endpoint::ChatCompletions),
        method: b"POST",
        path: b"/v1/chat/completions?key=sk-canary",
        model: Some("gpt-5"),
        provider: Some("openai"),
        upstream_model: Some("gpt-5-2026"),
        status: 502,
        reason: Some(Reason::UpstreamTruncated),
        origin: Some(Origin::Provider),
        attempts: 3,
        continued: 1,
        coalesced: Some(RequestIds::new(2).next()),
        route: Some(Box::leak(Box::new(Told { ready: 1, all: 2, ..Told::default() }))),
        decision: Some(r#"{"model":"gpt-5"}"#),
        is_stream: true,
        bytes_in: 2048,
        bytes_out: 70_000,
        usage: Some(&USAGE),
        counted_input: Some(104),
        first_token: Some(Duration::from_micros(412_300)),
        queued: Some(Duration::from_micros(21_500)),
        duration: Duration::from_micros(2_000_007),
        overhead: Some(Duration::from_micros(23)),
        client: Some("10.1.2.3".parse().unwrap()),
        user_agent: Some(b"openai-python/2"),
        is_client_aborted: true,
        finish_reason: Some("length"),
        failures,
        ..Entry::new(RequestIds::new(7).next(), 1_763_698_000_123)
    }
}

#[test]
fn a_full_entry_says_everything_in_one_line() {
    let failures = [
        FailedAttempt { provider: "azure", class: FailureClass::Status(429) },
        FailedAttempt { provider: "east", class: FailureClass::Connect },
    ];
    let got = parsed(&full(&failures));
    let expected = serde_json::json!({
        "ts": "2025-11-21T04:06:40.123Z",
        "request_id": RequestIds::new(7).next().to_string(),
        "key": "team-a", "endpoint": "chat_completions", "method": "POST",
        "path": "/v1/chat/completions", "model": "gpt-5", "provider": "openai",
        "upstream_model": "gpt-5-2026", "status": 502, "reason": "upstream_truncated",
        "origin": "provider", "attempts": 3, "continued": 1,
        "coalesced": "req_000000020000000000000004", "stream": true, "bytes_in": 2048, "bytes_out": 70000,
        "input_tokens": 100, "cache_read": 40, "cache_write": 7, "output_tokens": 9,
        "reasoning_tokens": 5, "searches": 2, "estimated": false, "counted_input": 104, "first_token_ms": 412.3,
        "queue_ms": 21.5,
        "duration_ms": 2000.007, "overhead_us": 23, "client": "10.1.2.3",
        "user_agent": "openai-python/2", "client_aborted": true, "finish_reason": "length",
        "route": "weighted; candidates=1/2", "decision": {"model": "gpt-5"},
        "failures": [{"provider": "azure", "class": "status_429"}, {"provider": "east", "class": "connect"}],
    });
    assert_eq!(got, expected);
}

#[test]
fn an_empty_entry_leaves_out_what_is_not_known() {
    let got = parsed(&Entry::new(RequestIds::new(1).next(), 0));
    assert_eq!(got["status"], 0);
    assert!(got.get("usage").is_none() && got.get("key").is_none() && got.get("failures").is_none());
}

#[test]
fn a_query_is_not_logged_because_some_clients_put_their_key_there() {
    assert!(!line(&full(&[])).contains("canary"));
}

#[test]
fn hostile_input_is_still_one_bounded_line_of_json() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let nasty = ["\u{1b}[2J", "\"", "\\", "\n", "\u{2028}", "\u{202e}", "🦀", "\u{9b}", "\0", "é", "x"];
    for round in 0..1_500 {
        let size = if round % 500 == 0 { 1 << 20 } else { next() as usize % 700 };
        let bytes: Vec<u8> = (0..size).map(|_| (next() >> 32) as u8).collect();
        let text: String = (0..size % 900).map(|_| nasty[next() as usize % nasty.len()]).collect();
        let failed = FailedAttempt { provider: &text, class: FailureClass::Dns };
        let failures = vec![failed; next() as usize % 64];
        let entry = Entry {
            method: &bytes,
            path: &bytes,
            user_agent: Some(&bytes),
            model: Some(&text),
            provider: Some(&text),
            finish_reason: Some(&text),
            key: Some(&text),
            ..full(&failures)
        };
        let written = line(&entry);
        let steering = |c: char| c != '\n' && c.is_control() || matches!(c, '\u{2028}'..='\u{202e}');
        assert!(!written.contains(steering), "{written}");
        assert!(written.len() < 6 * (PATH_BYTES_MAX + (8 + FAILURES_MAX) * TEXT_BYTES_MAX) + 2048);
        let got = parsed(&entry);
        assert!(got["failures"].as_array().is_none_or(|listed| listed.len() <= FAILURES_MAX));
        assert_eq!(got["bytes_out"], 70_000, "fields behind the hostile ones stand");
        // What is valid and short comes back as it went in.
        if text.len() <= TEXT_BYTES_MAX {
            assert_eq!(got["model"], text.as_str());
        } else {
            assert!(got["model"].as_str().unwrap().ends_with('…'));
        }
    }
}

#[test]
fn reasons_endpoints_and_classes_need_no_escaping() {
    let endpoints = Endpoint::ALL.iter().map(|label| label.text());
    let reasons = Reason::ALL.iter().map(|label| label.text());
    let classes = <FailureClass as Label>::ALL.iter().map(|label| label.text());
    for text in endpoints.chain(reasons).chain(classes) {
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{text}");
    }
}

#[test]
fn a_charge_is_told_where_it_is_not_the_cost() {
    let cost = |pico| Some(Cost::Priced { money: Money::from_pico(pico), is_partial: false });
    let of = |charged| {
        let charged = Some(Money::from_pico(charged));
        let entry = Entry { cost: cost(7_000_000_000), charged, ..full(&[]) };
        let line = parsed(&entry);
        (line["cost_usd"].to_string(), line["charged_usd"].to_string())
    };
    assert_eq!(of(7_000_000_000), ("0.007".to_owned(), "null".to_owned()));
    assert_eq!(of(8_050_000_000), ("0.007".to_owned(), "0.00805".to_owned()));
}

#[test]
fn the_document_lists_exactly_the_fields_of_a_line() {
    let document = include_str!("../../docs/access-log.md");
    let documented: BTreeSet<String> = document
        .lines()
        .filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    let failures = [FailedAttempt { provider: "p", class: FailureClass::Dns }];
    let dropped = ["seed".to_owned()];
    let money = Money::from_pico;
    let priced = Entry {
        cost: Some(Cost::Priced { money: money(7), is_partial: false }),
        charged: Some(money(9)),
        dropped: &dropped,
        ..full(&failures)
    };
    let unpriced = Entry { cost: Some(Cost::Unpriced(Unpriced::NoModel)), ..full(&failures) };
    let fields = |entry| parsed(entry).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let written: BTreeSet<String> = [&priced, &unpriced].into_iter().flat_map(fields).collect();
    assert_eq!(written, documented);
    let got = parsed(&priced);
    assert_eq!(got["route"], "weighted; candidates=1/2");
    assert_eq!(got["decision"]["model"], "gpt-5");
}
