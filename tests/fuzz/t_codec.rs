//! Every protocol's codec: requests, answers, streams, the schemas in them, the proofs they carry.

use crate::input::{BYTES_MAX, Input, each_input};
use crate::json::{self, is_json};
use crate::made::{self, Made, Manner, Piece};
use serde_json::json;
use tidegate::chat::{At, Event, Losses, Request, Signature, Target, Vendor, pack_id, unpack_id};
use tidegate::dialect::codec::{self, Called, Owed, Translator, places, schema};
use tidegate::dialect::tap::EventClass;
use tidegate::framing::eventstream::EventStreamScanner;
use tidegate::framing::json::{Duplicates, parse, parse_bytes};
use tidegate::framing::lines::LineScanner;
use tidegate::framing::sse::SseScanner;
use tidegate::types::Protocol;

/// What stands in bodies of all protocols, to change one into what it is not.
const WORDS: [&str; 44] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-1",
    "1e99",
    "\"user\"",
    "\"assistant\"",
    "\"tool\"",
    "\"model\"",
    "\"text\"",
    "\"tool_use\"",
    "\"tool_result\"",
    "\"thinking\"",
    "\"image_url\"",
    "\"function_call\"",
    "\"reasoning\"",
    "\"type\":",
    "\"role\":",
    "\"content\":",
    "\"parts\":",
    "\"id\":",
    "\"name\":",
    "\"arguments\":",
    "\"tool_calls\":",
    "\"functionCall\":",
    "\"toolUse\":",
    "\"index\":",
    "\"delta\":",
    "\"choices\":",
    "\"usage\":",
    "\"signature\":",
    "\"tg1.a.c2ln\"",
    "\"call_1-tg1-gc2ln\"",
    "\"tg1.u.\"",
    "\"f__tgfreeform\"",
    "\"json_tidegate_output\"",
    ",",
    "}",
    "]",
    "\"",
    "\\ud800",
];
const KEYS: [&str; 28] = [
    "\"messages\"",
    "\"contents\"",
    "\"input\"",
    "\"role\"",
    "\"content\"",
    "\"parts\"",
    "\"type\"",
    "\"text\"",
    "\"tools\"",
    "\"function\"",
    "\"name\"",
    "\"parameters\"",
    "\"input_schema\"",
    "\"tool_calls\"",
    "\"tool_call_id\"",
    "\"arguments\"",
    "\"system\"",
    "\"thinking\"",
    "\"reasoning\"",
    "\"stop\"",
    "\"response_format\"",
    "\"choices\"",
    "\"delta\"",
    "\"output\"",
    "\"message\"",
    "\"usage\"",
    "\"candidates\"",
    "\"functionResponse\"",
];

fn owed() -> Owed {
    Owed {
        model: "asked".into(),
        token: "0123456789abcdef0123".into(),
        created: 1_760_000_000,
        wants_usage: true,
        is_array: false,
        echo: String::new(),
    }
}

/// A conversation with everything in it, as `protocol` says it: made by translating one of them.
fn conversation(protocol: Protocol) -> Vec<u8> {
    let body = json!({
        "model": "m", "max_tokens": 64, "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hé 😀"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, 2.50]}}, {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "see"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "no"}, {"type": "text", "text": "go on"},
            ]},
        ],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}, "required": ["a"]}}, {"name": "g", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}, "temperature": 0.5, "stop_sequences": ["x"], "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"x": {"$ref": "#/$defs/X"}}, "required": ["x"], "additionalProperties": false, "$defs": {"X": {"enum": ["a", 1, null]}}}}},
    });
    let body = body.to_string();
    let root = parse(&body, Duplicates::Refuse).unwrap();
    let request = codec::decode_request(Protocol::Messages, &root, called()).unwrap();
    let mut out = Vec::new();
    codec::encode_request(protocol, &request, &Target::new("m"), &mut Losses::default(), &mut out).unwrap();
    out
}

fn called() -> Called<'static> {
    Called { model: Some("m"), is_stream: Some(false) }
}

fn pick(input: Input<'_>) -> Protocol {
    Protocol::ALL[input.choice % Protocol::ALL.len()]
}

/// Targets of all sorts.
fn target(choice: usize) -> Target {
    let is = |bit: usize| choice >> bit & 1 == 1;
    Target {
        takes_schema: is(0),
        needs_signatures: is(1),
        takes_sampling: is(2),
        takes_custom_tools: is(3),
        fetches_urls: is(4),
        has_short_tool_ids: is(5),
        takes_text_lists: !is(6),
        output_max: is(7).then_some(100),
        ..Target::new(if is(2) { "us.anthropic.claude-sonnet-4-5" } else { "m" })
    }
}

fn check_request(protocol: Protocol, choice: usize, bytes: &[u8]) {
    codec::holds_foreign(protocol, bytes);
    let Ok(root) = parse_bytes(bytes, Duplicates::Refuse) else { return };
    let request: Request<'_> = match codec::decode_request(protocol, &root, called()) {
        Ok(request) => request,
        Err(refused) => {
            assert!(!refused.message.is_empty());
            places::of_refusal(bytes, &refused);
            return;
        }
    };
    for to in Protocol::ALL {
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        match codec::encode_request(to, &request, &target(choice), &mut losses, &mut out) {
            Ok(()) => {
                assert!(is_json(&out), "{protocol:?} to {to:?}: {}", String::from_utf8_lossy(&out));
            }
            Err(refused) => {
                assert!(!refused.message.is_empty());
                places::of_refusal(bytes, &refused);
            }
        }
        assert_eq!(places::of_losses(bytes, &losses).is_empty(), losses.is_empty());
    }
}

#[test]
fn codec_requests_become_json_of_every_other_protocol_or_are_refused() {
    let bases: Vec<Vec<u8>> = Protocol::ALL.into_iter().map(conversation).collect();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let protocol = pick(input);
        let base = &bases[input.choice % bases.len()];
        check_request(protocol, input.choice.wrapping_mul(31), &input.changed(base, &WORDS));
        check_request(protocol, input.choice, json::object(input.bytes, &KEYS).as_bytes());
    });
}

fn answer(protocol: Protocol) -> Made {
    let pieces = vec![
        Piece::Think("hm"),
        Piece::Text("So, é 😀."),
        Piece::Call("call_a", "f", "{\"a\":[1.50,\"\\u00e9\"]}"),
        Piece::Call("call_b", "g__tgfreeform", "{\"input\":\"x\\ny\"}"),
        Piece::Text("Done."),
    ];
    let usage = crate::facts::Counts { input: 30, cache_read: 9, cache_write: 3, output: 12, reasoning: 4 };
    Made { name: "all", pieces, stop: made::end_word(protocol, true), usage }.fit(protocol)
}

fn check_answer(protocol: Protocol, bytes: &[u8]) {
    let Ok(root) = parse_bytes(bytes, Duplicates::LastCounts) else { return };
    let Ok(response) = codec::decode_response(protocol, &root) else { return };
    for client in Protocol::ALL {
        let mut out = Vec::new();
        codec::encode_response(client, &response, &owed(), &mut out);
        assert!(
            out.starts_with(b"{") && is_json(&out),
            "{protocol:?} to {client:?}: {}",
            String::from_utf8_lossy(&out)
        );
    }
}

#[test]
fn codec_answers_become_json_of_every_other_protocol_or_are_garbled() {
    let bases: Vec<String> =
        Protocol::ALL.into_iter().map(|p| made::whole(p, &answer(p)).to_string()).collect();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let base = &bases[input.choice % bases.len()];
        check_answer(pick(input), &input.changed(base.as_bytes(), &WORDS));
        check_answer(pick(input), json::object(input.bytes, &KEYS).as_bytes());
    });
}

type Frame = (Option<Vec<u8>>, Vec<u8>);

/// The frames of a stream in pieces, up to what cannot be read.
fn frames(protocol: Protocol, pieces: &[&[u8]]) -> Vec<Frame> {
    let mut all: Vec<Frame> = Vec::new();
    let (mut sse, mut lines, mut binary) =
        (SseScanner::new(1 << 20), LineScanner::new(1 << 20), EventStreamScanner::new());
    for piece in pieces {
        let is_read = match protocol {
            Protocol::Converse => {
                binary.feed(piece, |m, _| all.push((Some(m.name.to_vec()), m.payload.to_vec()))).is_ok()
            }
            Protocol::Ollama => lines.feed(piece, |line, _| all.push((None, line.to_vec()))).is_ok(),
            _ => sse
                .feed(piece, |event, _| all.push((event.name.map(<[u8]>::to_vec), event.data.to_vec())))
                .is_ok(),
        };
        if !is_read {
            return all;
        }
    }
    all
}

/// The events of frames in words, and whether the decoder found a fault.
fn events(protocol: Protocol, frames: &[Frame]) -> (Vec<String>, bool) {
    let (mut decoder, mut all, mut order) = (codec::decoder(protocol), Vec::new(), Order::default());
    for (name, data) in frames {
        let fed = decoder.on_frame(name.as_deref(), data, &mut |event| {
            order.take(&event);
            all.push(format!("{event:?}"));
        });
        if fed.is_err() {
            return (all, true);
        }
    }
    decoder.on_end(&mut |event| {
        order.take(&event);
        all.push(format!("{event:?}"));
    });
    (all, false)
}

/// What a decoder promises whatever comes in.
#[derive(Default)]
struct Order {
    is_started: bool,
    is_ended: bool,
    open: Vec<(u32, u32)>,
    used: Vec<u32>,
    stopped: Vec<u32>,
}

impl Order {
    fn take(&mut self, event: &Event<'_>) {
        assert!(!self.is_ended, "{event:?} behind the end");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut self.is_started, true), "started twice"),
            Event::BlockStart { choice, block, .. } => {
                assert!(self.is_started && !self.used.contains(block), "{event:?}");
                assert!(!self.stopped.contains(choice), "{event:?} behind the stop");
                self.used.push(*block);
                self.open.push((*choice, *block));
            }
            Event::Delta { choice, block, .. } => {
                assert!(self.open.contains(&(*choice, *block)), "{event:?}")
            }
            Event::BlockStop { choice, block } => {
                let at = self.open.iter().position(|open| open == &(*choice, *block));
                self.open.remove(at.unwrap_or_else(|| panic!("{event:?} of no open block")));
            }
            Event::Stop { choice, .. } => {
                assert!(!self.stopped.contains(choice), "stopped twice");
                assert!(!self.open.iter().any(|(of, _)| of == choice), "stopped with a block open");
                self.stopped.push(*choice);
            }
            Event::Logprobs { .. } | Event::Usage(_) => {}
            Event::End => {
                assert!(self.open.is_empty(), "ended with a block open");
                self.is_ended = true;
            }
        }
    }
}

fn check_stream(input: Input<'_>, protocol: Protocol, stream: &[u8]) {
    let whole = frames(protocol, &[stream]);
    let cut = frames(protocol, &input.pieces(stream));
    assert_eq!(events(protocol, &cut), events(protocol, &whole), "{:?}", String::from_utf8_lossy(stream));
    for client in Protocol::ALL {
        let mut translator = Translator::new(codec::decoder(protocol), codec::encoder(client, owed()));
        let mut out = Vec::new();
        let mut has_failed = false;
        for (name, data) in &whole {
            let class = translator.on_frame(name.as_deref(), data, &mut out, &mut |_| {});
            has_failed = matches!(class, EventClass::Fault(_));
            if has_failed {
                break;
            }
        }
        if !has_failed {
            translator.on_end(&mut out, &mut |_| {});
        }
        // What was written is whole frames, whatever came in.
        for (_, data) in frames(client, &[&out]) {
            let is_read = data == b"[DONE]" || is_json(&data);
            assert!(is_read, "{protocol:?} to {client:?}: {}", String::from_utf8_lossy(&data));
        }
    }
}

#[test]
fn codec_streams_keep_their_promises_whatever_comes_in() {
    let stream = |protocol| {
        made::bytes(
            protocol,
            &made::stream(
                protocol,
                &answer(protocol),
                Manner { every: 4, interleaves: true, pads: true, ..Manner::PLAIN },
            ),
        )
        .0
    };
    let bases: Vec<Vec<u8>> = Protocol::ALL.into_iter().map(stream).collect();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let protocol = pick(input);
        if protocol == Protocol::Converse {
            // Changed bytes fail their checksum: the payloads are changed instead, and written anew.
            let whole = frames(protocol, &[&bases[input.choice % bases.len()]]);
            let mut stream = Vec::new();
            for (at, (name, data)) in whole.iter().enumerate() {
                let is_changed = at % 7 == input.bytes.first().map_or(0, |b| usize::from(*b) % 7);
                let data = if is_changed { input.changed(data, &WORDS) } else { data.clone() };
                let name = String::from_utf8_lossy(name.as_deref().unwrap_or_default()).into_owned();
                stream.extend(made::message(&name, &data));
            }
            return check_stream(input, protocol, &stream);
        }
        check_stream(input, protocol, &input.changed(&bases[input.choice % bases.len()], &WORDS));
    });
}

/// Whole events, left out, told twice, in another order: decoders see every stream there may be.
#[test]
fn codec_streams_of_shuffled_events_keep_their_promises() {
    let stream = |protocol| {
        made::stream(protocol, &answer(protocol), Manner { every: 4, interleaves: true, ..Manner::PLAIN })
    };
    let bases: Vec<_> = Protocol::ALL.into_iter().map(stream).collect();
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let protocol = pick(input);
        let base = &bases[input.choice % bases.len()];
        let mut shuffled = base.clone();
        for change in input.bytes.chunks_exact(2).take(24) {
            let (at, to) =
                (usize::from(change[0]) % shuffled.len(), usize::from(change[1] & 0x3F) % shuffled.len());
            match change[1] >> 6 {
                0 => shuffled.swap(at, to),
                1 => shuffled.insert(to, base[at % base.len()].clone()),
                2 if shuffled.len() > 1 => drop(shuffled.remove(at)),
                _ => shuffled.truncate(at.max(1)),
            }
        }
        check_stream(input, protocol, &made::bytes(protocol, &shuffled).0);
    });
}

const SCHEMA_KEYS: [&str; 26] = [
    "\"type\"",
    "\"properties\"",
    "\"required\"",
    "\"items\"",
    "\"anyOf\"",
    "\"oneOf\"",
    "\"allOf\"",
    "\"$ref\"",
    "\"$defs\"",
    "\"enum\"",
    "\"const\"",
    "\"additionalProperties\"",
    "\"format\"",
    "\"minimum\"",
    "\"nullable\"",
    "\"a\"",
    "\"not\"",
    "\"prefixItems\"",
    "\"default\"",
    "\"title\"",
    "\"pattern\"",
    "\"minItems\"",
    "\"definitions\"",
    "\"if\"",
    "\"patternProperties\"",
    "\"description\"",
];
const SCHEMA_WORDS: [&str; 22] = [
    "\"object\"",
    "\"string\"",
    "\"array\"",
    "[\"string\",\"null\"]",
    "\"null\"",
    "\"#/$defs/a\"",
    "\"#\"",
    "\"#/properties/a\"",
    "\"$ref\":",
    "\"anyOf\":",
    "\"allOf\":",
    "[{}]",
    "true",
    "false",
    "null",
    "7",
    "{\"$ref\":\"#\"}",
    "\"type\":",
    "\"enum\":",
    "[]",
    "{}",
    ",",
];

fn check_schema(text: &str) {
    let Ok(root) = parse(text, Duplicates::LastCounts) else { return };
    let openapi = schema::from_openapi(&root);
    assert!(is_json(openapi.as_bytes()), "{text}: {openapi}");
    use schema::{Place, Subset};
    for subset in [
        Subset::GeminiOpenApi,
        Subset::GeminiJson,
        Subset::OpenAiStrict,
        Subset::AnthropicStrict,
        Subset::BedrockStrict,
        Subset::Tool,
    ] {
        for place in [Place::Parameters, Place::Output] {
            let Ok(adapted) = schema::adapt(text, At::NOWHERE, subset, place) else { continue };
            let is_object = adapted.json.starts_with('{') && is_json(adapted.json.as_bytes());
            assert!(is_object, "{subset:?}: {text}: {}", adapted.json);
            assert!(adapted.lost.len() <= 32);
            // What was cut to fit is taken the second time.
            if subset != Subset::GeminiOpenApi
                && let Err(error) = schema::adapt(&adapted.json, At::NOWHERE, subset, place)
            {
                panic!("{subset:?} {place:?}: {text} became {}: {error}", adapted.json);
            }
        }
    }
}

#[test]
fn codec_schemas_are_cut_to_every_subset_and_then_fit_it() {
    const BASE: &str = r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/a"},"b":{"anyOf":[{"type":"string","format":"email"},{"type":"null"}]},"c":{"type":["integer","null"],"minimum":1},"d":{"enum":["x",1,null]},"e":{"type":"array","items":{"const":3}}},"required":["a"],"additionalProperties":false,"$defs":{"a":{"type":"object","properties":{"z":{"type":"boolean"}}}}}"##;
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        check_schema(&String::from_utf8_lossy(&input.changed(BASE.as_bytes(), &SCHEMA_WORDS)));
        check_schema(&json::object(input.bytes, &SCHEMA_KEYS));
    });
}

#[test]
fn codec_envelopes_come_back_as_they_went_and_anything_else_is_itself() {
    each_input!(BYTES_MAX, |raw: &[u8]| {
        let input = Input::new(raw);
        let (id, data) = input.bytes.split_at(input.bytes.len() / 3);
        let (id, data) = (String::from_utf8_lossy(id), String::from_utf8_lossy(data));
        let vendors =
            [Vendor::Anthropic, Vendor::Gemini, Vendor::OpenAi, Vendor::OpenRouter, Vendor::Unsigned];
        let vendor = vendors[input.choice % vendors.len()];
        let signature = Signature::new(vendor, data.as_ref());
        for native in vendors {
            // A vendor's own proof that looks like an envelope of ours is one: nobody signs so.
            if vendor == native && data.starts_with("tg1.") {
                continue;
            }
            let slot = signature.to_slot(native).into_owned();
            let read = Signature::from_slot(slot.into(), native);
            assert_eq!((read.vendor, read.data.as_ref()), (vendor, data.as_ref()));
        }
        let packed = pack_id(&id, Some(&signature)).into_owned();
        let (own, read) = unpack_id(packed.into());
        assert_eq!(
            (own.as_ref(), read.map(|read| (read.vendor, read.data.into_owned()))),
            (id.as_ref(), Some((vendor, data.to_string())))
        );
        let odd = String::from_utf8_lossy(
            &input.spelt(&["tg1.", "-tg1-", "a", "g", ".", "c2ln", "-", "=", "é", "u.", ""]),
        )
        .into_owned();
        Signature::from_slot(odd.clone().into(), Vendor::OpenAi);
        unpack_id(odd.into());
    });
}
