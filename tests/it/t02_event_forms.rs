//! T2: every way the standard lets an upstream write its events means the same to the client and
//! to the log.

use crate::harness::{Answer, Config, Event, Gateway, Scripted, Sim, Wire, sse_bytes};
use tidegate::sim::ScriptedReply;

const INPUT: u64 = 9;
const OUTPUT: u64 = 4;

/// A way to write a stream.
struct Form {
    name: &'static str,
    body: Vec<u8>,
}

fn write(events: &[Scripted], line_end: &str, colon: &str, has_names: bool) -> Vec<u8> {
    let mut out = String::new();
    for event in events {
        if has_names && !event.name.is_empty() {
            out += &format!("event{colon}{}{line_end}", event.name);
        }
        out += &format!("data{colon}{}{line_end}{line_end}", event.data);
    }
    out.into_bytes()
}

/// The JSON of an event over three `data:` lines, cut where white space may stand.
fn in_lines(events: &[Scripted]) -> Vec<u8> {
    let split = |data: &str| match data.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) => format!("{{\ndata: {inner}\ndata: }}"),
        None => data.to_owned(),
    };
    let lines = events.iter().map(|event| Scripted { name: event.name, data: split(&event.data) });
    sse_bytes(&lines.collect::<Vec<_>>())
}

fn with_comments(events: &[Scripted]) -> Vec<u8> {
    let mut out = b": OPENROUTER PROCESSING\n\n".to_vec();
    for event in events {
        out.extend_from_slice(b":\n: data: {\"choices\":[]}\nid: 7\nretry: 1000\n");
        out.extend_from_slice(&sse_bytes(std::slice::from_ref(event)));
        out.extend_from_slice(b":no space\n\n\n");
    }
    out
}

fn forms(wire: Wire) -> Vec<Form> {
    let events = wire.stream(&["one ", "t\u{e9}", " \u{1f600}"], INPUT, OUTPUT);
    let plain = sse_bytes(&events);
    let mut forms = vec![
        Form { name: "CRLF", body: write(&events, "\r\n", ": ", true) },
        Form { name: "bare CR", body: write(&events, "\r", ": ", true) },
        Form { name: "no space", body: write(&events, "\n", ":", true) },
        Form { name: "comments", body: with_comments(&events) },
        Form { name: "byte order mark", body: [b"\xef\xbb\xbf", plain.as_slice()].concat() },
        Form { name: "data in lines", body: in_lines(&events) },
        Form { name: "no last blank line", body: plain.strip_suffix(b"\n\n").unwrap().to_vec() },
    ];
    // Responses and Anthropic repeat the name in the data, so it can be left out.
    forms.push(Form { name: "no event names", body: write(&events, "\n", ": ", false) });
    forms
}

fn text(wire: Wire, events: &[Event]) -> String {
    events.iter().map(|event| wire.text_of(event)).collect()
}

fn call(gateway: &Gateway, sim: &Sim, wire: Wire, body: &[u8]) -> (Answer, Vec<Event>) {
    sim.answer_next(ScriptedReply::sse(body));
    let mut answer = gateway.send(&wire.request("m", true));
    let events = answer.events();
    (answer, events)
}

fn every_form(wire: Wire) {
    let sim = Sim::start();
    let gateway = Gateway::start(Config::new().provider("a", wire, sim.addr()).model("m", &["a"]));
    let plain = sse_bytes(&wire.stream(&["one ", "t\u{e9}", " \u{1f600}"], INPUT, OUTPUT));
    let (_, usual) = call(&gateway, &sim, wire, &plain);
    assert_eq!(text(wire, &usual), "one t\u{e9} \u{1f600}");
    for form in forms(wire) {
        let what = format!("{wire:?}: {}", form.name);
        let (answer, events) = call(&gateway, &sim, wire, &form.body);
        assert_eq!(answer.status, 200, "{what}");
        assert_eq!(text(wire, &events), text(wire, &usual), "{what}");
        assert_eq!(events.len(), usual.len(), "{what}: comments are no events and none is lost");
        assert!(!events.iter().any(|event| wire.is_error(event)), "{what}");
        // Same dialect: not only the same content but the same bytes.
        assert_eq!(String::from_utf8_lossy(answer.seen()), String::from_utf8_lossy(&form.body), "{what}");
        let line = gateway.log_of(&answer);
        let told = (&line["input_tokens"], &line["output_tokens"], line.get("reason"));
        assert_eq!(told, (&INPUT.into(), &OUTPUT.into(), None), "{what}: {line}");
    }
    assert_eq!(sim.calls(), 1 + forms(wire).len() as u64);
}

#[test]
fn t02_every_form_of_a_chat_stream_means_the_same() {
    every_form(Wire::Chat);
}

#[test]
fn t02_every_form_of_a_responses_stream_means_the_same() {
    every_form(Wire::Responses);
}

#[test]
fn t02_every_form_of_a_messages_stream_means_the_same() {
    every_form(Wire::Messages);
}

#[test]
fn t02_every_form_of_a_gemini_stream_means_the_same() {
    every_form(Wire::Gemini);
}
