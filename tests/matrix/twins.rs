//! One answer told twice: whole, and streamed in every manner. A client of any protocol must read the
//! same of both, and that must be what the upstream said.

use crate::answers::{FEATURES, difference, owed};
use crate::declared::RULES;
use crate::facts::{Answer, Counts};
use crate::frames::Frame;
use crate::made::{self, Made, Manner, Piece};
use crate::walk;
use tidegate::dialect::codec::{self, Translator};
use tidegate::dialect::tap::EventClass;
use tidegate::framing::json::{Duplicates, parse_bytes};
use tidegate::types::Protocol;

/// Quotes, backslashes, controls, characters of two to four bytes, joined ones, and what other
/// formats take for an end.
const NASTY: &str = "a\"b\\c\nd\te\u{1}é世界😀👩‍👩‍👧 \u{2028}</script>\r\n\r\ndata: [DONE]\n\nx";
const ARGUMENTS: &str = "{\"ort\":\"Köln 😀 \\\"q\\\" \\\\ \\u00e9\\n\",\"n\":1.50,\"big\":9007199254740993,\"l\":[true,null,{}]}";

const USAGE: Counts = Counts { input: 120, cache_read: 30, cache_write: 10, output: 50, reasoning: 20 };

pub fn answers(protocol: Protocol) -> Vec<Made> {
    use Piece::{Call, Refusal, Text, Think};
    let end = |has_calls| made::end_word(protocol, has_calls);
    let case = |name, pieces: Vec<Piece>| {
        let has_calls = pieces.iter().any(|piece| matches!(piece, Call(..)));
        Made { name, pieces, stop: end(has_calls), usage: USAGE }
    };
    let three = [
        Call("call_a", "get_weather", ARGUMENTS),
        Call("call_b", "get_time", "{\"zone\":\"Europe/Köln\"}"),
        Call("call_c", "get_weather", "{\"ort\":\"世界\"}"),
    ];
    let mut all = vec![
        case("text", vec![Text("Hello there, how are you?")]),
        case("nasty text", vec![Text(NASTY)]),
        case("one character", vec![Text("😀")]),
        case("thinking and text", vec![Think("Let me\nthink — 世界."), Text(NASTY)]),
        case("three calls", three.to_vec()),
        case("text and three calls", [vec![Text("Looking.")], three.to_vec()].concat()),
        case("thinking and calls", [vec![Think("hm")], three.to_vec()].concat()),
        case("an empty object", vec![Call("call_a", "now", "{}"), Call("call_b", "now", "{}")]),
        case("only thinking", vec![Think("nothing to say")]),
        case("refusal", vec![Refusal("I can't help with that.")]),
        case("text and refusal", vec![Text("Well. "), Refusal("No.")]),
        Made { usage: Counts { input: 7, output: 1, ..Counts::default() }, ..case("nothing", vec![]) },
        case(
            "interleaved",
            vec![
                Think("first"),
                Text("One."),
                three[0].clone(),
                Think("second"),
                Text("Two."),
                three[1].clone(),
                three[2].clone(),
                Text("Three."),
            ],
        ),
        case("two texts", vec![Text("One."), Text("Two.")]),
        case("two thoughts", vec![Think("One."), Think("Two."), Text("Three.")]),
    ];
    let cut: Option<&str> = match protocol {
        Protocol::Chat => Some("length"),
        Protocol::Responses => Some("max_output_tokens"),
        Protocol::Messages | Protocol::Converse => Some("max_tokens"),
        Protocol::Generate | Protocol::Cohere => Some("MAX_TOKENS"),
        Protocol::Ollama => Some("length"),
    };
    all.extend(cut.map(|stop| Made { stop, ..case("cut for length", vec![Text("and then")]) }));
    // Where a whole answer has arguments as text, a cut call's are half.
    if matches!(protocol, Protocol::Chat | Protocol::Responses | Protocol::Cohere) {
        let half = Call("call_a", "write", "{\"text\":\"half a wor");
        all.extend(cut.map(|stop| Made { stop, ..case("a call cut for length", vec![half]) }));
        all.push(case("no arguments", vec![Call("call_a", "now", ""), Call("call_b", "then", "")]));
    }
    all.into_iter().map(|made| made.fit(protocol)).collect()
}

fn told_whole(upstream: Protocol, client: Protocol, made: &Made) -> Vec<u8> {
    let body = made::whole(upstream, made).to_string();
    let root = parse_bytes(body.as_bytes(), Duplicates::LastCounts).unwrap();
    let response = codec::decode_response(upstream, &root).unwrap_or_else(|e| panic!("{e}: {body}"));
    let mut out = Vec::new();
    codec::encode_response(client, &response, &owed(), &mut out);
    out
}

fn told_stream(upstream: Protocol, client: Protocol, frames: &[Frame]) -> Vec<u8> {
    let mut translator = Translator::new(codec::decoder(upstream), codec::encoder(client, owed()));
    let mut out = Vec::new();
    for frame in frames {
        let name = frame.name.as_deref().map(str::as_bytes);
        let class = translator.on_frame(name, frame.data.as_bytes(), &mut out, &mut |_| {});
        assert!(!matches!(class, EventClass::Fault(_)), "{class:?}: {frame:?}");
    }
    translator.on_end(&mut out, &mut |_| {});
    let news = frames.iter().filter(|frame| frame.data.contains("nobody knows this")).count();
    assert_eq!(translator.witness.unknown(), news as u64, "events nobody knows are counted");
    out
}

/// What a client may be told of `source`, by the declared rules.
pub fn expected(source: &Answer, client: Protocol, told: &Answer) -> (Answer, Answer) {
    let (mut expected, mut sorted) = (source.clone(), told.clone());
    for rule in RULES.iter().filter(|rule| rule.clients.contains(&client)) {
        (rule.apply)(&mut expected, told);
        if rule.feature == "order" {
            (rule.apply)(&mut sorted, told);
        }
    }
    (expected, sorted)
}

/// Arguments that are half, where a protocol has objects only, stand in one as their text.
fn unwrapped(mut answer: Answer) -> Answer {
    for call in answer.choices.iter_mut().flat_map(|facts| &mut facts.calls) {
        let half = call.parsed()["INVALID_JSON"].as_str().map(str::to_owned);
        call.arguments = half.unwrap_or(std::mem::take(&mut call.arguments));
    }
    answer
}

/// The differences between two readings of a client, kinds apart.
pub fn differences(expected: &Answer, told: &Answer) -> Vec<String> {
    let (expected, told) = (&unwrapped(expected.clone()), &unwrapped(told.clone()));
    let found =
        |feature: &&str| difference(feature, expected, told).map(|what| format!("[{feature}] {what}"));
    FEATURES.iter().filter_map(found).collect()
}

#[test]
fn a_streamed_answer_says_what_the_whole_one_says_to_clients_of_every_other_protocol() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for upstream in Protocol::ALL {
        for made in answers(upstream) {
            let source = walk::whole(upstream, &made::whole(upstream, &made));
            for client in Protocol::ALL.into_iter().filter(|client| *client != upstream) {
                let mut note = |what: String, manner: Option<Manner>| {
                    let (upstream, client) = (upstream.as_str(), client.as_str());
                    wrong.push(format!("{upstream} → {client} `{}` {manner:?}: {what}", made.name));
                };
                let body = serde_json::from_slice(&told_whole(upstream, client, &made)).unwrap();
                let whole = walk::whole(client, &body);
                walk::whole_faults(client, &body).into_iter().for_each(|fault| note(fault, None));
                let (wanted, sorted) = expected(&source, client, &whole);
                differences(&wanted, &sorted).into_iter().for_each(|what| note(what, None));
                for manner in Manner::ALL {
                    let frames = made::stream(upstream, &made, manner);
                    assert_eq!(walk::cut(upstream, &made::bytes(upstream, &frames).0), frames);
                    let own = walk::stream(upstream, &frames);
                    assert_eq!(
                        differences(&source, &own),
                        [""; 0],
                        "{upstream:?} `{}` {manner:?}",
                        made.name
                    );
                    let bytes = told_stream(upstream, client, &frames);
                    let cut = walk::cut(client, &bytes);
                    let told = walk::stream(client, &cut);
                    count += 1;
                    let faults = walk::faults(client, &bytes, &cut);
                    faults.into_iter().for_each(|fault| note(fault, Some(manner)));
                    let (wanted, sorted) = expected(&source, client, &told);
                    let mut all = differences(&wanted, &sorted);
                    all.extend(
                        differences(&expected(&whole, client, &whole).1, &sorted)
                            .into_iter()
                            .map(|w| format!("stream against whole: {w}")),
                    );
                    all.into_iter().for_each(|what| note(what, Some(manner)));
                }
            }
        }
    }
    eprintln!("{count} streams");
    wrong.iter().take(60).for_each(|wrong| eprintln!("{wrong}"));
    assert!(wrong.is_empty(), "{} differences in {count} streams", wrong.len());
}
