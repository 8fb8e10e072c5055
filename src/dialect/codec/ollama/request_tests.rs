//! Requests, both ways.

use super::*;
use crate::chat::{
    Block, BlockKind, Effort, Feature, Losses, Media, Reasoning, Request, Role, Source, Target,
    ThinkingStyle, Tool, ToolChoice, ToolKind, ToolResult, ToolUse, Turn,
};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse, path_at};
use crate::types::Protocol;

const FULL: &str = r#"{"model":"qwen3","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is it?","images":["iVBO"]},{"role":"assistant","content":"I look.","thinking":"Hm.","tool_calls":[{"id":"call_a","function":{"index":0,"name":"f","arguments":{"a":1.0}}}]},{"role":"tool","content":"a cat","tool_name":"f","tool_call_id":"call_a"},{"role":"system","content":"In French."},{"role":"user","content":"Again?"}],"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object","properties":{"a":{"type":"number"}}}}}],"format":{"type":"object"},"options":{"temperature":0.30,"top_p":0.9,"top_k":40,"min_p":0.05,"seed":7,"repeat_penalty":1.1,"presence_penalty":0.2,"frequency_penalty":0.1,"num_predict":100,"stop":["END"],"num_ctx":8192},"logprobs":true,"top_logprobs":2,"think":"high","stream":true,"keep_alive":"5m"}"#;

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
    let (text, losses) = encode(&request, &Target::new("qwen3"));
    assert_eq!(text, FULL);
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(request.reasoning.as_ref().unwrap().effort, Some(Effort::High));
    assert_eq!((request.max_output, request.stop.len(), request.settings.len()), (Some(100), 1, 10));
    assert_eq!(request.extra.fields.len(), 2);
}

#[test]
fn a_minimal_request_streams() {
    let request = decode(r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#);
    assert!(request.is_stream && request.wants_usage);
    insta::assert_snapshot!(encode(&request, &Target::new("m")).0, @r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}"#);
    let quiet =
        decode(r#"{"model":"m","messages":[],"stream":false,"format":"","options":{},"keep_alive":null}"#);
    assert!(!quiet.is_stream && quiet.output.is_none() && quiet.extra.is_empty());
}

/// Ids and names of calls and results, in order.
fn pairs(request: &Request<'_>) -> Vec<String> {
    let blocks = request.turns.iter().flat_map(|turn| &turn.blocks);
    blocks
        .filter_map(|block| match &block.kind {
            BlockKind::ToolUse(call) => Some(format!("{} {}", call.id, call.name)),
            BlockKind::ToolResult(result) => {
                Some(format!("{} {} = {}", result.id, result.name.as_deref().unwrap(), result.joined_text()))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn results_without_ids_find_their_calls_by_name_and_by_order() {
    let request = decode(
        r#"{"model":"m","messages":[
            {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}},{"function":{"name":"g","arguments":{}}},{"function":{"name":"f","arguments":{"n":2}}}]},
            {"role":"tool","content":"of g","tool_name":"g"},
            {"role":"tool","content":"of f"},
            {"role":"tool","content":"of f too","tool_name":"f"},
            {"role":"assistant","tool_calls":[{"id":"own","function":{"name":"f","arguments":{}}}]},
            {"role":"tool","content":"last","tool_call_id":"own"}]}"#,
    );
    assert_eq!(
        pairs(&request),
        [
            "call_0 f",
            "call_1 g",
            "call_2 f",
            "call_1 g = of g",
            "call_0 f = of f",
            "call_2 f = of f too",
            "own f",
            "own f = last"
        ]
    );
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        is_custom: false,
        signature: None,
    }))
}

fn image(source: Source<'static>) -> Block<'static> {
    Block::new(BlockKind::Image(Media { source, mime: None, name: None, detail: None }))
}

#[test]
fn a_request_of_another_protocol_is_made_ollama_s() {
    let mut request = Request::new(Protocol::Messages, "m");
    request.system = vec![Block::text("one"), Block::text("two")];
    let result = ToolResult {
        id: "t1".into(),
        name: None,
        content: vec![Block::text("r"), image(Source::Base64("AAAA".into()))],
        is_error: true,
        is_custom: false,
    };
    let document = Media { source: Source::Text("doc".into()), mime: None, name: None, detail: None };
    request.turns = vec![
        Turn::new(Role::User, vec![Block::text("Hi"), Block::new(BlockKind::Document(document))]),
        Turn::new(Role::Assistant, vec![Block::text("a"), Block::text("b"), call("t1", "f", "")]),
        Turn::new(Role::User, vec![Block::new(BlockKind::ToolResult(result)), Block::text("and?")]),
    ];
    request.tools = vec![
        Tool::new(ToolKind::Function {
            name: "f".into(),
            description: None,
            schema: None,
            strict: Some(true),
        }),
        Tool::new(ToolKind::Custom { name: "patch".into(), description: Some("p".into()), format: None }),
    ];
    request.tool_choice = Some(ToolChoice::Tool("patch".into()));
    request.reasoning = Some(Reasoning { budget: Some(2048), ..Reasoning::default() });
    let (text, losses) = encode(&request, &Target::new("up"));
    insta::assert_snapshot!(text, @r#"{"model":"up","messages":[{"role":"system","content":"one\n\ntwo"},{"role":"user","content":"Hi\n\ndoc"},{"role":"assistant","content":"ab","tool_calls":[{"id":"t1","function":{"index":0,"name":"f","arguments":{}}}]},{"role":"tool","content":"r","tool_name":"f","tool_call_id":"t1"},{"role":"user","content":"and?","images":["AAAA"]}],"tools":[{"type":"function","function":{"name":"patch__tgfreeform","description":"p","parameters":{"type":"object","properties":{"input":{"type":"string","description":"The tool's input: free text."}},"required":["input"],"additionalProperties":false}}}],"think":"low","stream":false}"#);
    assert_eq!(lost(&losses), [Feature::StrictTools, Feature::ToolChoiceTool, Feature::ToolResultError]);
}

#[test]
fn thinking_is_asked_for_as_the_model_takes_it() {
    let mut request = decode(r#"{"model":"m","messages":[],"think":true}"#);
    let mut target = Target::new("m");
    let think = |request: &Request<'_>, target: &Target| {
        let (text, losses) = encode(request, target);
        let node: serde_json::Value = serde_json::from_str(&text).unwrap();
        (node["think"].to_string(), lost(&losses))
    };
    assert_eq!(think(&request, &target), ("true".into(), vec![]));
    request.reasoning = Some(Reasoning { is_off: true, ..Reasoning::default() });
    assert_eq!(think(&request, &target), ("false".into(), vec![]));
    request.reasoning = Some(Reasoning { effort: Some(Effort::Max), ..Reasoning::default() });
    assert_eq!(think(&request, &target), ("\"high\"".into(), vec![]));
    target.thinking = ThinkingStyle::None;
    assert_eq!(think(&request, &target), ("null".into(), vec![Feature::ReasoningEffort]));
}

#[test]
fn what_only_ollama_means_by_a_limit_stays_its_own() {
    let json = r#"{"model":"m","messages":[],"options":{"num_predict":-2},"stream":true}"#;
    let request = decode(json);
    assert_eq!(request.max_output, None);
    assert_eq!(encode(&request, &Target::new("m")).0, json);
}

#[test]
fn pictures_by_address_are_refused() {
    let mut request = Request::new(Protocol::Chat, "m");
    request.turns = vec![Turn::new(Role::User, vec![image(Source::Url("https://x".into()))])];
    let refused = encode_request(&request, &Target::new("m"), &mut Losses::default(), &mut Vec::new());
    assert!(refused.unwrap_err().message.contains("send the image as base64"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let message = |inner: &str| format!(r#"{{"model":"m","messages":[{inner}]}}"#);
    for (json, place, words) in [
        ("[]".to_owned(), None, "JSON object"),
        (r#"{"messages":[]}"#.to_owned(), None, "`model` is missing"),
        (r#"{"model":"m"}"#.to_owned(), None, "`messages` is missing"),
        (message(r#"{"role":"alien"}"#), Some("messages[0].role"), "unknown role"),
        (message(r#"{"role":"user","content":[{"type":"text"}]}"#), Some("messages[0].content"), "a string"),
        (message(r#"{"role":"user","images":[1]}"#), Some("messages[0].images[0]"), "base64"),
        (message(r#"{"role":"tool","content":"x"}"#), Some("messages[0]"), "answers no call"),
        (
            message(r#"{"role":"assistant","tool_calls":[{"function":{}}]}"#),
            Some("messages[0].tool_calls[0].function"),
            "`name`",
        ),
        (r#"{"model":"m","messages":[],"format":"xml"}"#.to_owned(), Some("format"), "`format`"),
        (r#"{"model":"m","messages":[],"think":3}"#.to_owned(), Some("think"), "`think`"),
        (
            r#"{"model":"m","messages":[],"options":{"top_k":"x"}}"#.to_owned(),
            Some("options.top_k"),
            "a number",
        ),
        (r#"{"model":"m","messages":[],"stream":"no"}"#.to_owned(), Some("stream"), "true or false"),
    ] {
        let node = parse(&json, Duplicates::Refuse).unwrap();
        let refused = decode_request(&node, Called::default()).unwrap_err();
        assert!(refused.message.contains(words), "{json}: {refused}");
        let path = refused.at.offset().and_then(|at| path_at(json.as_bytes(), at));
        assert_eq!(path.as_deref(), place, "{json}");
    }
}
