//! T19: what moves on to the next target and what never does, the same on every endpoint.

use crate::harness::{Config, Gateway, Request, Sim, Wire, free_addr};
use serde_json::json;

const MOVES_ON: [u16; 9] = [401, 403, 408, 429, 500, 502, 503, 504, 529];
const STAYS: [u16; 6] = [400, 404, 409, 413, 415, 422];

/// The endpoints of the table.
#[derive(Clone, Copy, Debug)]
enum Call {
    Talk(Wire, bool),
    Embeddings,
}

impl Call {
    const ALL: [Call; 9] = [
        Call::Talk(Wire::Chat, false),
        Call::Talk(Wire::Chat, true),
        Call::Talk(Wire::Responses, false),
        Call::Talk(Wire::Responses, true),
        Call::Talk(Wire::Messages, false),
        Call::Talk(Wire::Messages, true),
        Call::Talk(Wire::Gemini, false),
        Call::Talk(Wire::Gemini, true),
        Call::Embeddings,
    ];

    fn wire(self) -> Wire {
        match self {
            Call::Talk(wire, _) => wire,
            Call::Embeddings => Wire::Chat,
        }
    }

    fn request(self, model: &str) -> Request {
        match self {
            Call::Talk(wire, is_stream) => wire.request(model, is_stream),
            Call::Embeddings => Request::post(
                "/v1/embeddings",
                json!({"model": model, "input": "Say something."}).to_string(),
            ),
        }
    }

    /// Whether an answer is what the endpoint promises.
    #[track_caller]
    fn hold_answer(self, body: &[u8], what: &str) {
        let text = String::from_utf8_lossy(body);
        match self {
            Call::Talk(wire, true) => {
                let events = crate::harness::events_of(body);
                assert!(events.iter().any(|event| wire.is_terminal(event)), "{what}: {text}");
            }
            Call::Talk(wire, false) => {
                let body = serde_json::from_slice(body).unwrap();
                assert!(!wire.text_of_body(&body).is_empty(), "{what}: {text}");
            }
            Call::Embeddings => {
                let body: serde_json::Value = serde_json::from_slice(body).unwrap();
                assert!(!body["data"][0]["embedding"].is_null(), "{what}: {text}");
            }
        }
    }
}

/// A model for each case, so that what one case does cannot cool the next.
fn with_models(mut config: Config, names: impl Iterator<Item = String>, more: &[&str]) -> Gateway {
    for name in names {
        config = config.model(&name, &["a", "b"]);
        for line in more {
            config = config.set(line);
        }
    }
    Gateway::start(config)
}

fn two(wire: Wire, a: &Sim, b: &Sim) -> Config {
    Config::new().provider("a", wire, a.addr()).provider("b", wire, b.addr())
}

/// The name under which a failed status is told in headers and log.
fn class(status: u16) -> &'static str {
    match status {
        401 | 403 => "status_auth",
        408 => "status_408",
        429 => "status_429",
        529 => "status_529",
        _ => "status_5xx",
    }
}

fn hold_second_answered(gateway: &Gateway, call: Call, model: &str, failed: &[&str], what: &str) {
    let mut answer = gateway.send(&call.request(model));
    let body = answer.body();
    assert_eq!(answer.status, 200, "{what}: {}", String::from_utf8_lossy(&body));
    call.hold_answer(&body, what);
    assert_eq!(answer.header("x-tidegate-provider"), Some("b"), "{what}");
    assert_eq!(answer.header("x-tidegate-attempts"), Some("2"), "{what}");
    let told = answer.header("x-tidegate-failures").unwrap().strip_prefix("a:").unwrap();
    assert!(failed.contains(&told), "{what}: {told}");
    let line = gateway.log_of(&answer);
    assert_eq!(line["failures"][0]["class"], told, "{what}: {line}");
}

#[test]
fn t19_statuses_that_another_target_may_do_better_move_on_at_every_endpoint() {
    for call in Call::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let names = MOVES_ON.iter().map(|status| format!("m{status}"));
        let gateway = with_models(two(call.wire(), &a, &b), names, &[]);
        for status in MOVES_ON {
            let what = format!("{call:?} {status}");
            a.reset();
            b.reset();
            a.fault(&format!("status:{status}"));
            hold_second_answered(&gateway, call, &format!("m{status}"), &[class(status)], &what);
            assert_eq!((a.calls(), b.calls()), (1, 1), "{what}");
        }
    }
}

#[test]
fn t19_a_refusal_of_the_request_itself_never_moves_on_at_any_endpoint() {
    for call in Call::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        let gateway = with_models(two(call.wire(), &a, &b), ["m".to_owned()].into_iter(), &[]);
        for status in STAYS {
            let what = format!("{call:?} {status}");
            a.reset();
            a.fault(&format!("status:{status}"));
            let mut answer = gateway.send(&call.request("m"));
            let body = answer.json();
            assert_eq!(answer.status, status, "{what}: {body}");
            assert!(call.wire().is_error_body(&body), "{what}: {body}");
            let said = body["error"]["message"].as_str().unwrap();
            assert!(said.contains("asked for this status"), "{what}: the provider's own words: {body}");
            assert_eq!(answer.header("x-tidegate-provider"), Some("a"), "{what}");
            assert_eq!(answer.header("x-tidegate-attempts"), Some("1"), "{what}");
            assert_eq!((a.calls(), b.calls()), (1, 0), "{what}");
        }
    }
}

#[test]
fn t19_statuses_move_on_where_they_are_named_and_only_those() {
    let (a, b) = (Sim::start(), Sim::start());
    let on = "failover = { attempts = 3, on = [\"status:400,503\"] }";
    let names = ["m400", "m503", "m500", "m422"].map(str::to_owned).into_iter();
    let gateway = with_models(two(Wire::Chat, &a, &b), names, &[on]);
    for (status, moves) in [(400, true), (503, true), (500, false), (422, false)] {
        a.reset();
        b.reset();
        a.fault(&format!("status:{status}"));
        let answer = gateway.send(&Wire::Chat.request(&format!("m{status}"), false));
        assert_eq!(answer.status, if moves { 200 } else { status }, "{status}");
        assert_eq!((a.calls(), b.calls()), (1, u64::from(moves)), "{status}");
    }
}

#[test]
fn t19_a_target_that_cannot_be_reached_is_passed_over_at_every_endpoint() {
    for call in Call::ALL {
        let wire = call.wire();
        let b = Sim::start();
        let config = Config::new().provider("a", wire, free_addr()).provider("b", wire, b.addr());
        let gateway = with_models(config, ["m".to_owned()].into_iter(), &[]);
        hold_second_answered(&gateway, call, "m", &["connect"], &format!("{call:?} refused"));
        assert_eq!(b.calls(), 1, "{call:?}");
    }
}

#[test]
fn t19_a_connection_reset_as_it_opens_is_passed_over_at_every_endpoint() {
    for call in Call::ALL {
        let (a, b) = (Sim::start(), Sim::start());
        a.fault("refuse");
        let gateway = with_models(two(call.wire(), &a, &b), ["m".to_owned()].into_iter(), &[]);
        hold_second_answered(&gateway, call, "m", &["connect", "protocol"], &format!("{call:?} reset"));
        assert_eq!((a.calls(), b.calls()), (0, 1), "{call:?}");
    }
}

#[test]
fn t19_a_target_without_tls_or_without_an_address_is_passed_over() {
    for (what, failed, url) in [
        ("no TLS there", &["tls", "connect"][..], None),
        ("no such name", &["dns", "connect"][..], Some("http://no-such-host.invalid/v1".to_owned())),
    ] {
        let (a, b) = (Sim::start(), Sim::start());
        let url = url.unwrap_or_else(|| format!("https://{}/v1", a.addr()));
        let config = Config::new()
            .provider("a", Wire::Chat, a.addr())
            .set(&format!("base_url = \"{url}\""))
            .provider("b", Wire::Chat, b.addr());
        let gateway = with_models(config, ["m".to_owned()].into_iter(), &[]);
        hold_second_answered(&gateway, Call::Talk(Wire::Chat, true), "m", failed, what);
        assert_eq!((a.calls(), b.calls()), (0, 1), "{what}");
    }
}

#[test]
fn t19_only_one_failing_is_asked_before_the_one_that_answers() {
    let (a, b, c) = (Sim::with_fault("status:503"), Sim::with_fault("status:429"), Sim::start());
    let config = two(Wire::Messages, &a, &b).provider("c", Wire::Messages, c.addr());
    let gateway = Gateway::start(config.model("m", &["a", "b", "c"]));
    let answer = gateway.send(&Wire::Messages.request("m", true));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-tidegate-provider"), Some("c"));
    assert_eq!(answer.header("x-tidegate-failures"), Some("a:status_5xx,b:status_429"));
    assert_eq!((a.calls(), b.calls(), c.calls()), (1, 1, 1));
}
