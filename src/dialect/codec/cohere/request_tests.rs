//! Requests, both ways.

use super::*;
use crate::chat::{
    Block, BlockKind, Effort, Feature, Losses, OutputFormat, Raw, Reasoning, Request, Role, Source, Target,
    ThinkingStyle, Tool, ToolChoice, ToolKind, ToolResult, ToolUse, Turn,
};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse, path_at};
use crate::types::Protocol;

const FULL: &str = r#"{"model":"command-a-03-2025","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm."},{"type":"text","text":"I look."}],"tool_plan":"Use f.","tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}}]},{"role":"tool","tool_call_id":"f_1","content":[{"type":"text","text":"one"},{"type":"document","document":{"data":{"k":1},"id":"d"}}]},{"role":"assistant","content":"It is a cat.","citations":[{"start":8,"end":11,"text":"cat","sources":[]}]},{"role":"system","content":"Now in French."},{"role":"user","content":"Again?"}],"documents":["plain",{"data":{"title":"T","text":"W"}},{"data":{"x":1},"id":"doc-3"}],"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]}}}],"tool_choice":"REQUIRED","strict_tools":true,"response_format":{"type":"json_object","json_schema":{"type":"object"}},"thinking":{"type":"enabled","token_budget":512},"max_tokens":100,"stop_sequences":["END"],"temperature":0.30,"p":0.9,"k":40,"frequency_penalty":0.1,"presence_penalty":0.2,"seed":7,"stream":true,"safety_mode":"STRICT","citation_options":{"mode":"FAST"},"priority":5}"#;

fn decode(json: &str) -> Request<'_> {
    let node = parse(json, Duplicates::Refuse).unwrap();
    decode_request(&node, Called::default()).unwrap()
}

fn encode(request: &Request<'_>, target: &Target) -> (String, Losses) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, target, &mut losses, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), losses)
}

fn lost(losses: &Losses) -> Vec<Feature> {
    losses.all().iter().map(|loss| loss.feature).collect()
}

#[test]
fn a_full_request_is_written_as_it_was_read() {
    let request = decode(FULL);
    let (text, losses) = encode(&request, &Target::new("command-a-03-2025"));
    assert_eq!(text, FULL);
    assert!(losses.is_empty(), "{losses:?}");
    assert!(request.is_stream && request.wants_usage);
    assert_eq!(request.system, [Block::text("Be brief.")]);
    assert_eq!(request.turns.len(), 6);
    assert_eq!(request.turns[4].role, Role::System);
    let BlockKind::Document(media) = &request.turns[5].blocks[1].kind else { panic!() };
    assert_eq!((&media.source, media.name.as_deref()), (&Source::Text("W".into()), Some("T")));
    assert_eq!(request.reasoning.as_ref().unwrap().budget, Some(512));
    assert_eq!(request.extra.fields.len(), 3);
}

#[test]
fn a_minimal_request_stays_minimal() {
    let json = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let request = decode(json);
    assert!(!request.is_stream);
    assert_eq!(encode(&request, &Target::new("m")).0, json);
}

fn tool(name: &'static str, strict: Option<bool>) -> Tool<'static> {
    Tool::new(ToolKind::Function { name: name.into(), description: None, schema: None, strict })
}

#[test]
fn a_request_of_another_protocol_is_made_cohere_s() {
    let mut request = Request::new(Protocol::Chat, "m");
    request.turns = vec![Turn::new(Role::User, vec![Block::text("Hi")])];
    request.tools = vec![
        tool("a", Some(true)),
        tool("b", None),
        Tool::new(ToolKind::Custom { name: "patch".into(), description: None, format: None }),
    ];
    request.tool_choice =
        Some(ToolChoice::Allowed { names: vec!["b".into(), "patch".into()], must_call: true });
    request.output = Some(OutputFormat::Json);
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    request.max_output = Some(1000);
    request.parallel_tools = Some(false);
    let (text, losses) = encode(&request, &Target::new("up"));
    insta::assert_snapshot!(text, @r#"{"model":"up","messages":[{"role":"system","content":"Answer with one JSON object and nothing else."},{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"b","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"patch__tgfreeform","parameters":{"type":"object","properties":{"input":{"type":"string","description":"The tool's input: free text."}},"required":["input"],"additionalProperties":false}}}],"tool_choice":"REQUIRED","thinking":{"type":"enabled","token_budget":500},"max_tokens":1000}"#);
    assert_eq!(lost(&losses), [Feature::ParallelTools, Feature::JsonOutput]);
}

#[test]
fn one_tool_of_several_that_is_strict_is_told_as_lost() {
    let mut request = decode(r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#);
    request.from = Protocol::Chat;
    request.tools = vec![tool("a", Some(true)), tool("b", None)];
    let (text, losses) = encode(&request, &Target::new("m"));
    assert!(!text.contains("strict_tools"), "{text}");
    assert_eq!(lost(&losses), [Feature::StrictTools]);
    request.tools.pop();
    assert!(encode(&request, &Target::new("m")).0.contains(r#""strict_tools":true"#));
}

fn call(id: &'static str, name: &'static str) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: name.into(),
        arguments: "{}".into(),
        is_custom: false,
        signature: None,
    }))
}

fn result(id: &'static str, name: Option<&'static str>) -> Block<'static> {
    Block::new(BlockKind::ToolResult(ToolResult {
        id: id.into(),
        name: name.map(Into::into),
        content: vec![Block::text("r")],
        is_error: false,
        is_custom: false,
    }))
}

#[test]
fn calls_without_ids_get_some_that_their_results_repeat() {
    let mut request = Request::new(Protocol::Generate, "m");
    request.turns = vec![
        Turn::new(Role::User, vec![Block::text("Hi")]),
        Turn::new(Role::Assistant, vec![call("", "f"), call("", "g")]),
        Turn::new(Role::User, vec![result("", Some("g")), result("", Some("f"))]),
    ];
    let (text, _) = encode(&request, &Target::new("m"));
    assert!(text.contains(r#"{"role":"tool","tool_call_id":"call_1_1","content":"r"},{"role":"tool","tool_call_id":"call_1_0""#), "{text}");
}

#[test]
fn calls_and_results_must_pair() {
    let refused = |turns: Vec<Turn<'static>>| {
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns = turns;
        encode_request(&request, &Target::new("m"), &mut Losses::default(), &mut Vec::new())
            .unwrap_err()
            .message
    };
    let lone = refused(vec![Turn::new(Role::User, vec![result("x", None)])]);
    assert_eq!(lone, "this tool result answers no call before it");
    let open = refused(vec![
        Turn::new(Role::Assistant, vec![call("x", "f")]),
        Turn::new(Role::User, vec![Block::text("?")]),
    ]);
    assert_eq!(open, "this tool call is answered by no result");
}

#[test]
fn thinking_goes_back_only_to_models_that_think() {
    let json = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"b"}],"tool_plan":"p"},{"role":"user","content":"c"}]}"#;
    let request = decode(json);
    let mut target = Target::new("m");
    assert_eq!(encode(&request, &target).0, json);
    target.thinking = ThinkingStyle::None;
    let (text, losses) = encode(&request, &target);
    assert_eq!(
        text,
        json.replace(r#"[{"type":"thinking","thinking":"t"},{"type":"text","text":"b"}]"#, r#""b""#)
    );
    assert_eq!(lost(&losses), [Feature::OwnThinking]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let message = |inner: &str| format!(r#"{{"model":"m","messages":[{inner}]}}"#);
    for (json, place, words) in [
        ("[]".to_owned(), None, "JSON object"),
        (r#"{"messages":[]}"#.to_owned(), None, "`model` is missing"),
        (r#"{"model":"m"}"#.to_owned(), None, "`messages` is missing"),
        (message(r#"{"role":"alien"}"#), Some("messages[0].role"), "unknown role"),
        (
            message(r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}"#),
            Some("messages[0].content[0].image_url.url"),
            "data URL",
        ),
        (message(r#"{"role":"tool","content":"x"}"#), Some("messages[0]"), "`tool_call_id`"),
        (message(r#"{"role":"user","content":7}"#), Some("messages[0].content"), "must be a string"),
        (
            r#"{"model":"m","messages":[{"role":"user"}],"tool_choice":"auto"}"#.to_owned(),
            Some("tool_choice"),
            "REQUIRED",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user"}],"documents":[3]}"#.to_owned(),
            Some("documents[0]"),
            "a document",
        ),
        (r#"{"model":"m","messages":[{"role":"user"}],"p":"x"}"#.to_owned(), Some("p"), "a number"),
        (
            r#"{"model":"m","messages":[{"role":"user"}],"stream":1}"#.to_owned(),
            Some("stream"),
            "true or false",
        ),
    ] {
        let node = parse(&json, Duplicates::Refuse).unwrap();
        let refused = decode_request(&node, Called::default()).unwrap_err();
        assert!(refused.message.contains(words), "{json}: {refused}");
        let path = refused.at.offset().and_then(|at| path_at(json.as_bytes(), at));
        assert_eq!(path.as_deref(), place, "{json}");
    }
}

#[test]
fn documents_of_files_and_sound_are_refused() {
    for kind in ["application/pdf", "audio"] {
        let media = crate::chat::Media {
            source: Source::Base64("AAAA".into()),
            mime: None,
            name: None,
            detail: None,
        };
        let block = if kind == "audio" { BlockKind::Audio(media) } else { BlockKind::Document(media) };
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns = vec![Turn::new(Role::User, vec![Block::new(block)])];
        let refused = encode_request(&request, &Target::new("m"), &mut Losses::default(), &mut Vec::new());
        assert!(refused.unwrap_err().message.starts_with("Cohere takes"));
    }
}

#[test]
fn a_schema_beside_tools_is_said_in_words() {
    let mut request = Request::new(Protocol::Chat, "m");
    request.turns = vec![Turn::new(Role::User, vec![Block::text("Hi")])];
    request.output = Some(OutputFormat::Schema {
        name: Some("x".into()),
        description: None,
        schema: Raw(r#"{"type":"object"}"#.into()),
        strict: Some(true),
    });
    let (text, losses) = encode(&request, &Target::new("m"));
    assert!(
        text.contains(r#""response_format":{"type":"json_object","json_schema":{"type":"object"}}"#),
        "{text}"
    );
    assert!(losses.is_empty());
    request.tools = vec![tool("a", None)];
    let (text, losses) = encode(&request, &Target::new("m"));
    assert!(!text.contains("response_format") && text.contains("JSON schema"), "{text}");
    assert_eq!(lost(&losses), [Feature::SchemaOutput]);
}
