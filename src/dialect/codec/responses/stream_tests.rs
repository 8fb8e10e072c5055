//! Streams both ways: goldens, and vendors' oddities.

use super::testing::{Frame, Order, decode, encode, lifecycle, owed, split};
use super::{Decoder, Encoder};
use crate::chat::{
    BlockKind, BlockStart, Citation, Delta, Event, Raw, Response, Signature, Stop, StopReason, Vendor,
};
use crate::dialect::codec::{DecodeStream, EncodeStream};
use crate::types::{Protocol, Usage};
use serde_json::Value;

/// Events of a stream as `type` and the other members.
fn frames(events: &[(&str, &str)]) -> Vec<Frame> {
    let data = |(kind, rest): &(&str, &str)| {
        let comma = if rest.is_empty() { "" } else { "," };
        (None, format!(r#"{{"type":"response.{kind}"{comma}{rest}}}"#))
    };
    events.iter().map(data).collect()
}

const CREATED: (&str, &str) = ("created", r#""response":{"id":"resp_1","model":"m","created_at":7}"#);
const COMPLETED: (&str, &str) = ("completed", r#""response":{"status":"completed","output":[]}"#);

fn well(events: &[(&str, &str)]) -> (Vec<String>, Response<'static>) {
    let (told, response, is_ended, fault) = decode(&frames(events));
    assert!(is_ended && fault.is_none(), "{fault:?}");
    (told, response)
}

fn calls(response: &Response<'_>) -> Vec<(String, String, String)> {
    let call = |kind: &BlockKind<'_>| match kind {
        BlockKind::ToolUse(call) => {
            Some((call.id.to_string(), call.name.to_string(), call.arguments.to_string()))
        }
        _ => None,
    };
    response.choices[0].blocks.iter().filter_map(|block| call(&block.kind)).collect()
}

fn text(response: &Response<'_>) -> String {
    response.choices[0].blocks.iter().filter_map(|block| block.as_text()).collect()
}

/// Every kind of event a stream of one turn has.
const ONE_TURN: &[(&str, &str)] = &[
    CREATED,
    ("in_progress", r#""response":{"id":"resp_1"}"#),
    (
        "output_item.added",
        r#""output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"early"}"#,
    ),
    (
        "reasoning_summary_part.added",
        r#""item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}"#,
    ),
    (
        "reasoning_summary_text.delta",
        r#""item_id":"rs_1","output_index":0,"summary_index":0,"delta":"a","obfuscation":"x""#,
    ),
    ("reasoning_summary_text.done", r#""item_id":"rs_1","output_index":0,"summary_index":0,"text":"a""#),
    (
        "reasoning_summary_part.added",
        r#""item_id":"rs_1","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}"#,
    ),
    ("reasoning_summary_text.delta", r#""item_id":"rs_1","output_index":0,"summary_index":1,"delta":"b""#),
    (
        "output_item.done",
        r#""output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"late"}"#,
    ),
    ("output_item.added", r#""output_index":1,"item":{"id":"ws_1","type":"web_search_call"}"#),
    ("web_search_call.searching", r#""output_index":1,"item_id":"ws_1""#),
    (
        "output_item.done",
        r#""output_index":1,"item":{"id":"ws_1","type":"web_search_call","status":"completed"}"#,
    ),
    (
        "output_item.added",
        r#""output_index":2,"item":{"id":"msg_1","type":"message","content":[],"role":"assistant"}"#,
    ),
    (
        "content_part.added",
        r#""item_id":"msg_1","output_index":2,"content_index":0,"part":{"type":"output_text","text":""}"#,
    ),
    (
        "output_text.delta",
        r#""item_id":"msg_1","output_index":2,"content_index":0,"delta":"h\u00e9","logprobs":[{"token":"h","logprob":-1}]"#,
    ),
    (
        "output_text.annotation.added",
        r#""item_id":"msg_1","output_index":2,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u","start_index":1,"end_index":2}"#,
    ),
    ("output_text.done", r#""item_id":"msg_1","output_index":2,"content_index":0,"text":"h\u00e9""#),
    (
        "content_part.done",
        r#""item_id":"msg_1","output_index":2,"content_index":0,"part":{"type":"output_text","text":"h\u00e9","annotations":[{"type":"url_citation","url":"u"},{"type":"file_path","file_id":"f"}]}"#,
    ),
    (
        "output_item.done",
        r#""output_index":2,"item":{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"h\u00e9"}]}"#,
    ),
    ("something.new", r#""x":1"#),
    (
        "completed",
        r#""response":{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"#,
    ),
];

#[test]
fn a_stream_is_told_as_it_comes() {
    let (told, _) = well(ONE_TURN);
    insta::assert_snapshot!(told.join("\n"), @r##"
    Start { id: "resp_1", model: "m", created: Some(7) }
    BlockStart { choice: 0, block: 0, start: Thinking { is_summary: true, item_id: Some("rs_1") } }
    Delta { choice: 0, block: 0, delta: Text("a") }
    Delta { choice: 0, block: 0, delta: Text("\n\n") }
    Delta { choice: 0, block: 0, delta: Text("b") }
    Delta { choice: 0, block: 0, delta: Signature(Signature { vendor: OpenAi, data: "late" }) }
    BlockStop { choice: 0, block: 0 }
    BlockStart { choice: 0, block: 1, start: Whole(Opaque { of: Responses, kind: "web_search_call", json: Raw("{\"id\":\"ws_1\",\"type\":\"web_search_call\",\"status\":\"completed\"}") }) }
    BlockStop { choice: 0, block: 1 }
    BlockStart { choice: 0, block: 2, start: Text }
    Delta { choice: 0, block: 2, delta: Text("hé") }
    Logprobs { choice: 0, json: Raw("{\"content\":[{\"token\":\"h\",\"logprob\":-1}],\"refusal\":null}") }
    Delta { choice: 0, block: 2, delta: Citation(Citation { url: Some("u"), title: None, quote: None, span: Some((1, 2)), of: Responses, json: Raw("{\"type\":\"url_citation\",\"url\":\"u\",\"start_index\":1,\"end_index\":2}") }) }
    Delta { choice: 0, block: 2, delta: Citation(Citation { url: None, title: None, quote: None, span: None, of: Responses, json: Raw("{\"type\":\"file_path\",\"file_id\":\"f\"}") }) }
    BlockStop { choice: 0, block: 2 }
    Usage(Usage { input: 1, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, audio_input: 0, image_input: 0, output: 2, reasoning: 0, audio_output: 0, image_output: 0, searches: 0, is_estimated: false })
    Stop { choice: 0, stop: Stop { reason: End, sequence: None, native: Some("completed") } }
    End
    "##);
}

#[test]
fn arguments_are_told_once_wherever_they_stand() {
    let added = (
        "output_item.added",
        r#""output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":""}"#,
    );
    let full = (
        "output_item.added",
        r#""output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{1}"}"#,
    );
    let delta = ("function_call_arguments.delta", r#""item_id":"fc_1","output_index":0,"delta":"{1}""#);
    let done = ("function_call_arguments.done", r#""item_id":"fc_1","output_index":0,"arguments":"{1}""#);
    let item = (
        "output_item.done",
        r#""output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{1}"}"#,
    );
    let nameless = ("output_item.added", r#""output_index":0,"item":{"id":"fc_1","type":"function_call"}"#);
    let last = (
        "completed",
        r#""response":{"output":[{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{1}"}]}"#,
    );
    for events in [
        vec![added, delta, done, item, last],
        vec![added, delta, COMPLETED],
        vec![added, done, item, COMPLETED],
        vec![added, done, COMPLETED],
        vec![full, item, COMPLETED],
        vec![item, COMPLETED],
        vec![nameless, delta, done, item, COMPLETED],
        vec![added, last],
        vec![full, last],
        vec![last],
    ] {
        let events: Vec<_> = [vec![CREATED], events].concat();
        let (_, response) = well(&events);
        assert_eq!(calls(&response), [("c".into(), "f".into(), "{1}".into())], "{events:?}");
        assert_eq!(response.choices[0].stop.reason, StopReason::ToolUse);
    }
}

#[test]
fn text_is_told_once_wherever_it_stands() {
    let place = r#""item_id":"msg_1","output_index":0,"content_index":0"#;
    let delta = format!(r#"{place},"delta":"hi""#);
    let done = format!(r#"{place},"text":"hi""#);
    let part = format!(r#"{place},"part":{{"type":"output_text","text":"hi"}}"#);
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}"#;
    let item = format!(r#""output_index":0,"item":{message}"#);
    let last = format!(r#""response":{{"output":[{message}]}}"#);
    let (delta, done) = (("output_text.delta", delta.as_str()), ("output_text.done", done.as_str()));
    let (part, item) = (("content_part.done", part.as_str()), ("output_item.done", item.as_str()));
    let last = ("completed", last.as_str());
    for events in [
        vec![delta, done, part, item, last],
        vec![delta, last],
        vec![delta, item, last],
        vec![done, part, item, last],
        vec![part, item, last],
        vec![item, last],
        vec![last],
    ] {
        let (_, response) = well(&events);
        assert_eq!(text(&response), "hi", "{events:?}");
        assert_eq!(response.choices[0].blocks.len(), 1);
    }
}

#[test]
fn interleaved_items_keep_to_themselves() {
    let call = |index: u32| {
        format!(
            r#""output_index":{index},"item":{{"id":"fc_{index}","type":"function_call","call_id":"c{index}","name":"f","arguments":""}}"#
        )
    };
    let delta = |index: u32, piece: &str| {
        format!(r#""item_id":"fc_{index}","output_index":{index},"delta":"{piece}""#)
    };
    let say = r#""item_id":"msg_9","output_index":9,"content_index":0,"delta":"t""#;
    let (c0, c1) = (call(0), call(1));
    let pieces = [delta(0, "{"), delta(1, "["), delta(0, "}"), delta(1, "]")];
    let mut events =
        vec![CREATED, ("output_text.delta", say), ("output_item.added", &c0), ("output_item.added", &c1)];
    events.push(("output_text.delta", say));
    events.extend(pieces.iter().map(|piece| ("function_call_arguments.delta", piece.as_str())));
    events.push(COMPLETED);
    let (_, response) = well(&events);
    assert_eq!(
        calls(&response),
        [("c0".into(), "f".into(), "{}".into()), ("c1".into(), "f".into(), "[]".into())]
    );
    assert_eq!(text(&response), "tt");
}

#[test]
fn a_free_form_call_in_disguise_is_told_bare_and_whole() {
    let (_, response) = well(&[
        (
            "output_item.added",
            r#""output_index":0,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"patch__tgfreeform","arguments":""}"#,
        ),
        ("function_call_arguments.delta", r#""output_index":0,"delta":"{\"input\":""#),
        ("function_call_arguments.delta", r#""output_index":0,"delta":"\"*** x\"}""#),
        ("function_call_arguments.done", r#""output_index":0,"arguments":"{\"input\":\"*** x\"}""#),
        COMPLETED,
    ]);
    assert_eq!(calls(&response), [("c".into(), "patch".into(), "*** x".into())]);
    let BlockKind::ToolUse(call) = &response.choices[0].blocks[0].kind else { panic!() };
    assert!(call.is_custom);
}

#[test]
fn failures_are_faults_and_silence_is_no_end() {
    let fault = |events: &[(&str, &str)]| decode(&frames(events)).3.map(|fault| (fault.status, fault.code));
    let failed = r#""response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}"#;
    assert_eq!(fault(&[CREATED, ("failed", failed)]), Some((429, "rate_limit_exceeded".into())));
    assert_eq!(fault(&[("failed", r#""response":{}"#)]), Some((500, "server_error".into())));
    let raw = |name: Option<&str>, data: &str| {
        let (_, _, is_ended, fault) = decode(&[(name.map(str::to_owned), data.to_owned())]);
        assert!(!is_ended);
        fault.map(|fault| (fault.status, fault.code))
    };
    let error = r#"{"type":"error","code":"server_error","message":"x","param":null}"#;
    assert_eq!(raw(None, error), Some((500, "server_error".into())));
    assert_eq!(raw(Some("error"), "busy"), Some((500, "error".into())));
    assert_eq!(raw(None, r#"{"error":{"message":"no","code":429}}"#), Some((429, "429".into())));
    for nonsense in ["<html>", "[1]", "{\"type\":"] {
        assert_eq!(raw(None, nonsense), Some((502, "tidegate_nonsense".into())));
    }
    for harmless in ["", "[DONE]", "{}", r#"{"type":"ping"}"#] {
        assert_eq!(raw(None, harmless), None);
    }
    let (_, _, is_ended, fault) = decode(&frames(&[CREATED]));
    assert!(!is_ended && fault.is_none());
}

#[test]
fn nothing_is_heard_after_the_end() {
    let mut events = vec![CREATED, COMPLETED];
    let (once, _) = well(&events);
    events.extend([CREATED, ("output_text.delta", r#""delta":"x""#), COMPLETED]);
    assert_eq!(well(&events).0, once);
}

fn start() -> Event<'static> {
    Event::Start { id: "msg_up".into(), model: "claude".into(), created: None }
}

fn open(block: u32, start: BlockStart<'static>) -> Event<'static> {
    Event::BlockStart { choice: 0, block, start }
}

fn delta(block: u32, delta: Delta<'static>) -> Event<'static> {
    Event::Delta { choice: 0, block, delta }
}

fn close(block: u32) -> Event<'static> {
    Event::BlockStop { choice: 0, block }
}

fn ended(reason: StopReason) -> [Event<'static>; 3] {
    let usage = Usage { input: 5, output: 6, ..Usage::default() };
    [Event::Stop { choice: 0, stop: Stop::new(reason) }, Event::Usage(usage), Event::End]
}

fn call(id: &'static str, is_custom: bool, signature: Option<Signature<'static>>) -> BlockStart<'static> {
    BlockStart::ToolUse { id: id.into(), name: "f".into(), is_custom, signature }
}

const LOGPROBS: &str =
    r#"{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}],"refusal":null}"#;

fn conversation() -> Vec<Event<'static>> {
    let citation = |url: Option<&'static str>| {
        Delta::Citation(Citation {
            url: url.map(Into::into),
            title: None,
            quote: None,
            span: Some((0, 2)),
            of: Protocol::Messages,
            json: Raw("{}".into()),
        })
    };
    let hidden = BlockKind::Redacted(Signature::new(Vendor::Anthropic, "R"));
    let mut events = vec![
        start(),
        open(0, BlockStart::Thinking { is_summary: false, item_id: None }),
        delta(0, Delta::Text("hm".into())),
        delta(0, Delta::Signature(Signature::new(Vendor::Anthropic, "EqQB"))),
        close(0),
        open(1, BlockStart::Whole(Box::new(hidden))),
        close(1),
        open(2, BlockStart::Text),
        delta(2, Delta::Text("a\n".into())),
        Event::Logprobs { choice: 0, json: Raw(LOGPROBS.into()) },
        delta(2, citation(Some("https://x.test"))),
        delta(2, citation(None)),
        close(2),
        open(3, BlockStart::Refusal),
        delta(3, Delta::Text("no".into())),
        close(3),
        open(4, call("toolu_1", false, Some(Signature::new(Vendor::Gemini, "sig")))),
        open(5, call("", true, None)),
        delta(4, Delta::Arguments("{\"n\":".into())),
        delta(5, Delta::Arguments("*** \"".into())),
        delta(4, Delta::Arguments("1}".into())),
        close(5),
        open(6, call("toolu_3", false, None)),
        close(6),
        close(4),
    ];
    events.extend(ended(StopReason::ToolUse));
    events
}

#[test]
fn a_client_gets_the_whole_lifecycle() {
    let events = conversation();
    let mut order = Order::default();
    events.iter().for_each(|event| order.check(event));
    let mut encoder = Encoder::new(owed());
    let frames = encode(&mut encoder, &events);
    let last = lifecycle(&frames);
    assert_eq!(EncodeStream::finished(&encoder), Some(last_response(&frames).as_str()));
    assert_eq!(encoder.response_id(), last["id"].as_str());
    assert_eq!(encoder.next_sequence(), frames.len() as u64);
    let told: Vec<String> = frames.iter().map(|(_, data)| data.clone()).collect();
    insta::assert_snapshot!(told.join("\n"), @r##"
    {"type":"response.created","sequence_number":0,"response":{"id":"resp_tok0123456789abcdef","object":"response","created_at":1760000000,"status":"in_progress","background":false,"error":null,"incomplete_details":null,"model":"claude","output":[],"usage":null,"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1,"truncation":"disabled"}}
    {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_tok0123456789abcdef","object":"response","created_at":1760000000,"status":"in_progress","background":false,"error":null,"incomplete_details":null,"model":"claude","output":[],"usage":null,"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1,"truncation":"disabled"}}
    {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"rs_tok0123456789abcdef_1","type":"reasoning","summary":[]}}
    {"type":"response.reasoning_summary_part.added","sequence_number":3,"item_id":"rs_tok0123456789abcdef_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}
    {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_tok0123456789abcdef_1","output_index":0,"summary_index":0,"delta":"hm"}
    {"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_tok0123456789abcdef_1","output_index":0,"summary_index":0,"text":"hm"}
    {"type":"response.reasoning_summary_part.done","sequence_number":6,"item_id":"rs_tok0123456789abcdef_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"hm"}}
    {"type":"response.output_item.done","sequence_number":7,"output_index":0,"item":{"id":"rs_tok0123456789abcdef_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"tg1.a.RXFRQg"}}
    {"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":{"id":"rs_tok0123456789abcdef_2","type":"reasoning","summary":[],"encrypted_content":"tg1.a.Ug"}}
    {"type":"response.output_item.done","sequence_number":9,"output_index":1,"item":{"id":"rs_tok0123456789abcdef_2","type":"reasoning","summary":[],"encrypted_content":"tg1.a.Ug"}}
    {"type":"response.output_item.added","sequence_number":10,"output_index":2,"item":{"id":"msg_tok0123456789abcdef_3","type":"message","status":"in_progress","role":"assistant","content":[]}}
    {"type":"response.content_part.added","sequence_number":11,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}}
    {"type":"response.output_text.delta","sequence_number":12,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":0,"delta":"a\n","logprobs":[]}
    {"type":"response.output_text.annotation.added","sequence_number":13,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"https://x.test","title":"","start_index":0,"end_index":2}}
    {"type":"response.output_text.done","sequence_number":14,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":0,"text":"a\n","logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]}
    {"type":"response.content_part.done","sequence_number":15,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":0,"part":{"type":"output_text","text":"a\n","annotations":[{"type":"url_citation","url":"https://x.test","title":"","start_index":0,"end_index":2}],"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]}}
    {"type":"response.content_part.added","sequence_number":16,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":1,"part":{"type":"refusal","refusal":""}}
    {"type":"response.refusal.delta","sequence_number":17,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":1,"delta":"no"}
    {"type":"response.refusal.done","sequence_number":18,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":1,"refusal":"no"}
    {"type":"response.content_part.done","sequence_number":19,"item_id":"msg_tok0123456789abcdef_3","output_index":2,"content_index":1,"part":{"type":"refusal","refusal":"no"}}
    {"type":"response.output_item.done","sequence_number":20,"output_index":2,"item":{"id":"msg_tok0123456789abcdef_3","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a\n","annotations":[{"type":"url_citation","url":"https://x.test","title":"","start_index":0,"end_index":2}],"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]},{"type":"refusal","refusal":"no"}]}}
    {"type":"response.output_item.added","sequence_number":21,"output_index":3,"item":{"id":"fc_tok0123456789abcdef_4","type":"function_call","status":"in_progress","arguments":"","call_id":"toolu_1-tg1-gc2ln","name":"f"}}
    {"type":"response.output_item.added","sequence_number":22,"output_index":4,"item":{"id":"ctc_tok0123456789abcdef_5","type":"custom_tool_call","status":"in_progress","input":"","call_id":"call_tok0123456789abcdef_5","name":"f"}}
    {"type":"response.function_call_arguments.delta","sequence_number":23,"item_id":"fc_tok0123456789abcdef_4","output_index":3,"delta":"{\"n\":"}
    {"type":"response.custom_tool_call_input.delta","sequence_number":24,"item_id":"ctc_tok0123456789abcdef_5","output_index":4,"delta":"*** \""}
    {"type":"response.function_call_arguments.delta","sequence_number":25,"item_id":"fc_tok0123456789abcdef_4","output_index":3,"delta":"1}"}
    {"type":"response.custom_tool_call_input.done","sequence_number":26,"item_id":"ctc_tok0123456789abcdef_5","output_index":4,"input":"*** \""}
    {"type":"response.output_item.done","sequence_number":27,"output_index":4,"item":{"id":"ctc_tok0123456789abcdef_5","type":"custom_tool_call","status":"completed","input":"*** \"","call_id":"call_tok0123456789abcdef_5","name":"f"}}
    {"type":"response.output_item.added","sequence_number":28,"output_index":5,"item":{"id":"fc_tok0123456789abcdef_6","type":"function_call","status":"in_progress","arguments":"","call_id":"toolu_3","name":"f"}}
    {"type":"response.function_call_arguments.delta","sequence_number":29,"item_id":"fc_tok0123456789abcdef_6","output_index":5,"delta":"{}"}
    {"type":"response.function_call_arguments.done","sequence_number":30,"item_id":"fc_tok0123456789abcdef_6","output_index":5,"name":"f","arguments":"{}"}
    {"type":"response.output_item.done","sequence_number":31,"output_index":5,"item":{"id":"fc_tok0123456789abcdef_6","type":"function_call","status":"completed","arguments":"{}","call_id":"toolu_3","name":"f"}}
    {"type":"response.function_call_arguments.done","sequence_number":32,"item_id":"fc_tok0123456789abcdef_4","output_index":3,"name":"f","arguments":"{\"n\":1}"}
    {"type":"response.output_item.done","sequence_number":33,"output_index":3,"item":{"id":"fc_tok0123456789abcdef_4","type":"function_call","status":"completed","arguments":"{\"n\":1}","call_id":"toolu_1-tg1-gc2ln","name":"f"}}
    {"type":"response.completed","sequence_number":34,"response":{"id":"resp_tok0123456789abcdef","object":"response","created_at":1760000000,"status":"completed","background":false,"error":null,"incomplete_details":null,"model":"claude","output":[{"id":"rs_tok0123456789abcdef_1","type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"tg1.a.RXFRQg"},{"id":"rs_tok0123456789abcdef_2","type":"reasoning","summary":[],"encrypted_content":"tg1.a.Ug"},{"id":"msg_tok0123456789abcdef_3","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a\n","annotations":[{"type":"url_citation","url":"https://x.test","title":"","start_index":0,"end_index":2}],"logprobs":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}]},{"type":"refusal","refusal":"no"}]},{"id":"fc_tok0123456789abcdef_4","type":"function_call","status":"completed","arguments":"{\"n\":1}","call_id":"toolu_1-tg1-gc2ln","name":"f"},{"id":"ctc_tok0123456789abcdef_5","type":"custom_tool_call","status":"completed","input":"*** \"","call_id":"call_tok0123456789abcdef_5","name":"f"},{"id":"fc_tok0123456789abcdef_6","type":"function_call","status":"completed","arguments":"{}","call_id":"toolu_3","name":"f"}],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11},"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1,"truncation":"disabled"}}
    "##);
}

/// The bytes of `response` in the last event.
fn last_response(frames: &[Frame]) -> String {
    let (_, data) = frames.last().unwrap();
    super::testing::node(data).get("response").unwrap().raw().to_owned()
}

#[test]
fn streams_end_as_they_ended() {
    for (reason, kind) in [
        (StopReason::End, "response.completed"),
        (StopReason::Pause, "response.completed"),
        (StopReason::Length, "response.incomplete"),
        (StopReason::ContentFilter, "response.incomplete"),
        (StopReason::Error, "response.failed"),
    ] {
        let mut events =
            vec![start(), open(0, BlockStart::Text), delta(0, Delta::Text("x".into())), close(0)];
        events.extend(ended(reason));
        let frames = encode(&mut Encoder::new(owed()), &events);
        lifecycle(&frames);
        let last: Value = serde_json::from_str(&frames.last().unwrap().1).unwrap();
        assert_eq!(last["type"], kind);
        assert_eq!(last["response"]["usage"]["total_tokens"], 11);
    }
}

#[test]
fn a_stream_that_breaks_has_no_last_event() {
    let events = vec![start(), open(0, BlockStart::Text), delta(0, Delta::Text("x".into()))];
    let mut encoder = Encoder::new(owed());
    let frames = encode(&mut encoder, &events);
    assert_eq!(frames.last().unwrap().0.as_deref(), Some("response.output_text.delta"));
    assert_eq!(encoder.next_sequence(), frames.len() as u64);
    assert!(encoder.finished().is_none() && encoder.response_id().is_some());
}

#[test]
fn what_is_kept_is_bounded_and_deltas_flow_on() {
    let mut encoder = Encoder::with_room(owed(), 4 * 1024);
    let mut events = vec![start(), open(0, BlockStart::Text)];
    events.extend((0..100).map(|_| delta(0, Delta::Text("0123456789\n\"0123456789".repeat(10).into()))));
    events.push(close(0));
    for block in 1..50 {
        events.extend([
            open(block, call("c", false, None)),
            delta(block, Delta::Arguments("{}".into())),
            close(block),
        ]);
    }
    events.extend(ended(StopReason::ToolUse));
    let frames = encode(&mut encoder, &events);
    let said = |kind: &str| frames.iter().filter(|(name, _)| name.as_deref() == Some(kind)).count();
    assert_eq!(said("response.output_text.delta"), 100);
    assert_eq!(said("response.output_item.done"), 50);
    let last: Value = serde_json::from_str(&frames.last().unwrap().1).unwrap();
    let json = &last["response"];
    let text = json["output"][0]["content"][0]["text"].as_str().unwrap();
    assert!(text.len() > 1024 && text.starts_with("0123456789\n\"0"), "the beginning is kept");
    assert!(json.to_string().len() < 6 * 1024, "{json}");
    assert!(encoder.finished().is_none(), "a part is not the whole");
}

#[test]
fn line_ends_in_what_others_wrote_end_no_event() {
    let mut owed = owed();
    owed.echo = "\"tools\":[{\n\r\"a\":1}]".into();
    let mut events = vec![start()];
    events.extend(ended(StopReason::End));
    let mut out = Vec::new();
    let mut encoder = Encoder::new(owed);
    events.iter().for_each(|event| encoder.write(event, &mut out));
    let frames = split([out.as_slice()].into_iter());
    assert_eq!(lifecycle(&frames)["tools"][0]["a"], 1);
}

#[test]
fn other_choices_than_the_first_are_not_told() {
    let mut events = vec![start()];
    events.push(Event::BlockStart { choice: 1, block: 0, start: BlockStart::Text });
    events.push(Event::BlockStop { choice: 1, block: 0 });
    events.push(Event::Stop { choice: 1, stop: Stop::new(StopReason::Length) });
    events.extend(ended(StopReason::End));
    let last = lifecycle(&encode(&mut Encoder::new(owed()), &events));
    assert_eq!((&last["status"], last["output"].as_array().unwrap().len()), (&"completed".into(), 0));
}

#[test]
fn a_decoder_holds_no_text() {
    let mut decoder = Decoder::new();
    let delta =
        format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{}"}}"#, "x".repeat(1000));
    let mut bytes = 0;
    for _ in 0..1000 {
        decoder.on_frame(None, delta.as_bytes(), &mut |event| bytes += format!("{event:?}").len()).unwrap();
    }
    assert!(bytes > 1_000_000);
    assert!(format!("{decoder:?}").len() < 1000, "its state is small");
}
