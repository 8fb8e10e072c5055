//! T20: an upstream that goes silent before it has answered is given up at its deadline, not later
//! and not earlier, and the next target answers.

use crate::harness::{Config, Gateway, PATIENCE, Request, Sim, Wire, own_ip, sse_bytes, until};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tidegate::sim::{ScriptEnd, ScriptFraming, ScriptedReply, Split};

const SHORT: Duration = Duration::from_millis(800);
/// What a deadline may be off.
const SLACK: Duration = Duration::from_millis(250);

const HEADER_SHORT: &str = "timeouts = { connect = \"2s\", header = \"800ms\", first_token = \"9s\", idle = \"9s\", total = \"60s\" }";
const FIRST_TOKEN_SHORT: &str = "timeouts = { connect = \"2s\", header = \"9s\", first_token = \"800ms\", idle = \"9s\", total = \"60s\" }";

fn gateway(wire: Wire, a: std::net::SocketAddr, b: &Sim, timeouts: &str) -> Gateway {
    let config = Config::new().provider("a", wire, a).provider("b", wire, b.addr());
    Gateway::start(config.model("m", &["a", "b"]).set(timeouts))
}

/// B's answer, and that it came about when A's deadline passed.
fn hold_b_answers(gateway: &Gateway, request: &Request, failed: &str, what: &str) {
    let begun = Instant::now();
    let mut answer = gateway.send(request);
    let took = answer.head_at - begun;
    let body = answer.body();
    assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&body));
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"), "{what}");
    assert_eq!(answer.header("x-tidegate-failures"), Some(format!("a:{failed}").as_str()), "{what}");
    assert!(took + SLACK >= SHORT && took <= SHORT + SLACK, "{what}: B answered after {took:?}");
    assert_eq!(gateway.log_of(&answer)["failures"][0]["class"], failed, "{what}");
}

#[test]
fn t20_an_upstream_that_reads_and_says_nothing_is_left_at_the_header_deadline() {
    for wire in Wire::ALL {
        for is_stream in [false, true] {
            let what = format!("{wire:?} stream {is_stream}");
            let (a, b) = (Sim::with_fault("black-hole"), Sim::start());
            let gateway = gateway(wire, a.addr(), &b, HEADER_SHORT);
            hold_b_answers(&gateway, &wire.request("m", is_stream), "header_timeout", &what);
            assert_eq!((a.calls(), b.calls()), (1, 1), "{what}");
            until("A's call is cancelled", PATIENCE, || a.stats().in_flight == 0);
        }
    }
}

#[test]
fn t20_an_upstream_that_only_completes_the_connection_is_left_at_the_header_deadline() {
    // Nobody accepts: the system completes the handshake and keeps what is sent.
    let a = TcpListener::bind((own_ip(), 0)).unwrap();
    let b = Sim::start();
    let gateway = gateway(Wire::Chat, a.local_addr().unwrap(), &b, HEADER_SHORT);
    hold_b_answers(&gateway, &Wire::Chat.request("m", true), "header_timeout", "no one accepts");
    assert_eq!(b.calls(), 1);
}

#[test]
fn t20_half_a_head_is_no_head() {
    for wire in [Wire::Chat, Wire::Messages] {
        let (a, b) = (Sim::with_fault("slow-header:30000"), Sim::start());
        let gateway = gateway(wire, a.addr(), &b, HEADER_SHORT);
        hold_b_answers(&gateway, &wire.request("m", true), "header_timeout", "half a status line");
        assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}");
    }
}

#[test]
fn t20_a_head_without_a_body_is_left_at_the_first_token_deadline() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        a.answer_next(ScriptedReply { end: ScriptEnd::Hold, ..ScriptedReply::sse("") });
        let gateway = gateway(wire, a.addr(), &b, FIRST_TOKEN_SHORT);
        let what = format!("{wire:?}");
        hold_b_answers(&gateway, &wire.request("m", true), "first_token_timeout", &what);
        assert_eq!((a.calls(), b.calls()), (1, 1), "{what}");
        until("A's call is cancelled", PATIENCE, || a.stats().in_flight == 0);
    }
}

#[test]
fn t20_a_whole_answers_head_without_a_body_is_left_at_the_first_token_deadline_too() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let framing = ScriptFraming::Chunked;
        a.answer_next(ScriptedReply { end: ScriptEnd::Hold, framing, ..ScriptedReply::json(200, "") });
        let gateway = gateway(wire, a.addr(), &b, &FIRST_TOKEN_SHORT.replace("60s", "9s"));
        hold_b_answers(&gateway, &wire.request("m", false), "first_token_timeout", &format!("{wire:?}"));
        assert_eq!((a.calls(), b.calls()), (1, 1), "{wire:?}");
    }
}

#[test]
fn t20_pings_and_preambles_are_no_content() {
    let wire = Wire::Messages;
    let (a, b) = (Sim::start(), Sim::start());
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let mut body = sse_bytes(&wire.stream(&["never"], 1, 1)[..wire.first_content()]);
    let mut cuts = vec![body.len()];
    for _ in 0..50 {
        body.extend_from_slice(ping.as_bytes());
        cuts.push(body.len());
    }
    let (split, gap) = (Split::At(cuts), Duration::from_millis(100));
    a.answer_next(ScriptedReply { split, gap, end: ScriptEnd::Hold, ..ScriptedReply::sse(body) });
    let gateway = gateway(wire, a.addr(), &b, FIRST_TOKEN_SHORT);
    hold_b_answers(&gateway, &wire.request("m", true), "first_token_timeout", "pings only");
    assert_eq!((a.calls(), b.calls()), (1, 1));
}

#[test]
fn t20_the_first_token_has_its_time_from_the_head_on_as_documented() {
    // Neither wait is over its own bound; together they are over either.
    let (a, b) = (Sim::start(), Sim::start());
    let timeouts = "timeouts = { connect = \"2s\", header = \"2s\", first_token = \"1s\", idle = \"9s\", total = \"60s\" }";
    let gateway = gateway(Wire::Chat, a.addr(), &b, timeouts);
    let half = "HTTP/1.1 200 ";
    let head = format!("{half}OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n");
    let mut body = head.clone().into_bytes();
    body.extend(sse_bytes(&Wire::Chat.stream(&["one"], 1, 1)));
    let (split, gap) = (Split::At(vec![half.len(), head.len()]), Duration::from_millis(700));
    let (framing, end) = (ScriptFraming::Raw, ScriptEnd::Close);
    a.answer_next(ScriptedReply { body, split, gap, framing, end, ..ScriptedReply::default() });
    let mut answer = gateway.send(&Wire::Chat.request("m", true));
    let events = answer.events();
    assert!(events.iter().any(|event| Wire::Chat.is_terminal(event)), "{events:?}");
    assert_eq!(answer.header("x-tidegate-provider"), Some("a"), "{:?}", answer.headers);
    assert_eq!((a.calls(), b.calls()), (1, 0));
}

#[test]
fn t20_when_all_are_silent_the_client_is_told_so_with_504() {
    for wire in Wire::ALL {
        let (a, b) = (Sim::with_fault("black-hole"), Sim::with_fault("black-hole"));
        let gateway = gateway(wire, a.addr(), &b, &HEADER_SHORT.replace("800ms", "300ms"));
        let mut answer = gateway.send(&wire.request("m", true));
        let body = answer.json();
        assert_eq!(answer.status, 504, "{wire:?}: {body}");
        assert!(wire.is_error_body(&body), "{wire:?}: {body}");
        assert_eq!(answer.header("x-tidegate-reason"), Some("upstream_timeout"), "{wire:?}");
        assert_eq!(answer.header("x-tidegate-attempts"), Some("3"), "{wire:?}");
        assert_eq!((a.calls(), b.calls()), (2, 1), "{wire:?}");
    }
}
