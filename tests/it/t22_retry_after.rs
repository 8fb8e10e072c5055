//! T22: an upstream that says when to come back is left alone until then, in whatever words it says
//! it; when all are left alone the client is told when, at once.

use crate::harness::{Answer, Config, Connection, Gateway, PATIENCE, Sim, Wire};
use std::time::{Duration, Instant};
use tidegate::sim::{Behaviour, ScriptedReply};

/// The first call gets 429 and these words, every later one an answer.
fn limited_once(retry_after: &str) -> Behaviour {
    Behaviour {
        fault: "status:429".parse().unwrap(),
        retry_after: Some(retry_after.to_owned()),
        fault_first: Some(1),
        ..Behaviour::default()
    }
}

fn limited(retry_after: &str) -> Behaviour {
    Behaviour { fault_first: None, ..limited_once(retry_after) }
}

fn two(wire: Wire, a: &Sim, b: &Sim) -> Gateway {
    let config = Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr());
    Gateway::start(config.model("m", &["a", "b"]))
}

fn one(wire: Wire, a: &Sim) -> Gateway {
    Gateway::start(Config::new().provider("a", wire, a.addr()).model("m", &["a"]))
}

/// Calls until A is asked a second time; gives how long after its refusal that was.
fn away_for(wire: Wire, gateway: &Gateway, a: &Sim, what: &str) -> Duration {
    let answer = gateway.send(&wire.request("m", false));
    let refused = Instant::now();
    assert_eq!(answer.status, 200, "{what}");
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"), "{what}");
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:status_429"), "{what}");
    while refused.elapsed() < PATIENCE {
        let sent = Instant::now();
        let answer = gateway.send(&wire.request("m", false));
        assert_eq!(answer.status, 200, "{what}");
        if a.calls() > 1 {
            assert_eq!(answer.header("x-tidegate-provider"), Some("a"), "{what}");
            return sent - refused;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{what}: A is never asked again");
}

fn hold_away(wire: Wire, scripted: Option<ScriptedReply>, stated: &str, span: Duration) {
    let (a, b) = (Sim::start(), Sim::start());
    let what = format!("{wire:?} {stated}");
    match scripted {
        Some(reply) => a.answer_next(reply),
        None => a.behave(limited_once(stated)),
    }
    let gateway = two(wire, &a, &b);
    let away = away_for(wire, &gateway, &a, &what);
    // A date has whole seconds; the refusal was read a little before its answer.
    let early = Duration::from_millis(if stated.starts_with("date") { 1050 } else { 150 });
    assert!(away + early >= span, "{what}: asked again after {away:?}");
    assert!(away <= span + Duration::from_secs(2), "{what}: asked again after {away:?} only");
}

#[test]
fn t22_seconds_dates_and_milliseconds_are_all_kept_to() {
    std::thread::scope(|scope| {
        for (wire, stated, span) in [
            (Wire::Chat, "2", Duration::from_secs(2)),
            (Wire::Messages, "date:3", Duration::from_secs(3)),
            (Wire::Responses, "ms:1500", Duration::from_millis(1500)),
            (Wire::Gemini, "2", Duration::from_secs(2)),
        ] {
            scope.spawn(move || hold_away(wire, None, stated, span));
        }
    });
}

#[test]
fn t22_reset_headers_count_where_nothing_else_is_said() {
    let openai = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1.5s")];
    let reply =
        ScriptedReply::json(429, r#"{"error":{"message":"slow down","type":"requests","code":null}}"#);
    let headers = openai.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let headers = reply.headers.iter().cloned().chain(headers).collect();
    let reply = ScriptedReply { headers, ..reply };
    hold_away(Wire::Chat, Some(reply), "reset headers", Duration::from_millis(1500));
}

#[test]
fn t22_a_googles_retry_info_in_the_body_counts() {
    let body = r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s"}]}}"#;
    let reply = ScriptedReply::json(429, body);
    hold_away(Wire::Gemini, Some(reply), "retryDelay", Duration::from_millis(1500));
}

#[track_caller]
fn seconds_of(answer: &Answer) -> u64 {
    answer.header("retry-after").unwrap_or_else(|| panic!("{:?}", answer.headers)).parse().unwrap()
}

#[test]
fn t22_without_another_target_the_client_gets_the_429_and_when_to_come_back() {
    for wire in Wire::ALL {
        let a = Sim::start();
        a.behave(limited("7"));
        let gateway = one(wire, &a);
        let mut answer = gateway.send(&wire.request("m", true));
        let body = answer.json();
        assert_eq!(answer.status, 429, "{wire:?}: {body}");
        assert!(wire.is_error_body(&body), "{wire:?}: {body}");
        assert_eq!(seconds_of(&answer), 7, "{wire:?}");
        assert_eq!(answer.header("x-tidegate-origin"), Some("provider"), "{wire:?}");
        assert_eq!(answer.header("x-tidegate-attempts"), Some("1"), "{wire:?}");
        assert_eq!(a.calls(), 1, "{wire:?}");
    }
}

#[test]
fn t22_of_several_refusals_the_latest_is_told() {
    let (a, b) = (Sim::start(), Sim::start());
    a.behave(limited("30"));
    b.behave(limited("9"));
    let gateway = two(Wire::Chat, &a, &b);
    let answer = gateway.send(&Wire::Chat.request("m", false));
    assert_eq!((answer.status, seconds_of(&answer)), (429, 9));
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:status_429,b:status_429"));
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[test]
fn t22_while_all_cool_the_soonest_end_is_told_and_nobody_is_called() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        a.behave(limited("50"));
        b.behave(limited("20"));
        let gateway = two(wire, &a, &b);
        assert_eq!(gateway.send(&wire.request("m", false)).status, 429, "{wire:?}");
        for is_stream in [false, true] {
            let mut answer = gateway.send(&wire.request("m", is_stream));
            let body = answer.json();
            assert_eq!(answer.status, 429, "{wire:?}: {body}");
            assert!(wire.is_error_body(&body), "{wire:?}: {body}");
            assert!((17..=22).contains(&seconds_of(&answer)), "{wire:?}: {:?}", answer.headers);
            let millis: u64 = answer.header("retry-after-ms").unwrap().parse().unwrap();
            assert!((17_000..=22_000).contains(&millis), "{wire:?}: {millis}");
            assert_eq!(answer.header("x-tidegate-reason"), Some("all_targets_cooling"), "{wire:?}");
            assert_eq!(answer.header("x-tidegate-origin"), Some("gateway"), "{wire:?}");
        }
        assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}: 0 upstream calls while all cool");
    }
}

#[test]
fn t22_while_all_cool_the_answer_comes_within_5_ms() {
    let a = Sim::start();
    a.behave(limited("30"));
    let gateway = one(Wire::Chat, &a);
    assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 429);
    let mut connection = Connection::open(gateway.addr());
    let mut took = Vec::new();
    for _ in 0..30 {
        let begun = Instant::now();
        connection.send(&Wire::Chat.request("m", false));
        let mut answer = connection.answer();
        took.push(answer.head_at - begun);
        assert_eq!(answer.header("x-tidegate-reason"), Some("all_targets_cooling"));
        answer.body();
        connection = answer.into_connection();
    }
    took.sort();
    // The median: a loaded machine may hold up a few.
    assert!(took[took.len() / 2] < Duration::from_millis(5), "{took:?}");
    assert_eq!(a.calls(), 1);
}

#[test]
fn t22_an_absurd_retry_after_is_kept_to_the_configured_longest() {
    for stated in ["1000000000", "date:900000"] {
        let a = Sim::start();
        a.behave(limited(stated));
        let config = Config::new().provider("a", Wire::Chat, a.addr());
        let config = config.set("cooldown = { base = \"1s\", max = \"40s\" }");
        let gateway = Gateway::start(config.model("m", &["a"]));
        assert_eq!(gateway.send(&Wire::Chat.request("m", false)).status, 429, "{stated}");
        let answer = gateway.send(&Wire::Chat.request("m", false));
        assert_eq!(answer.header("x-tidegate-reason"), Some("all_targets_cooling"), "{stated}");
        assert!((37..=44).contains(&seconds_of(&answer)), "{stated}: {:?}", answer.headers);
        assert_eq!(a.calls(), 1, "{stated}");
    }
}

#[test]
fn t22_nonsense_in_retry_after_still_cools_for_the_base_and_harms_nothing() {
    for stated in ["soon", "-5", "0"] {
        let (a, b) = (Sim::start(), Sim::start());
        a.behave(limited_once(stated));
        let gateway = two(Wire::Chat, &a, &b);
        let away = away_for(Wire::Chat, &gateway, &a, stated);
        let bounds = Duration::from_millis(850)..Duration::from_secs(3);
        assert!(bounds.contains(&away), "{stated}: asked again after {away:?}");
    }
}
