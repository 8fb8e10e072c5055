//! Requests: what is read, and what Claude gets.

use super::*;
use crate::chat::{
    At, Block, BlockKind, Effort, Feature, Losses, OutputFormat, Raw, Reasoning, Refused, Request, Role,
    Setting, Signature, Target, Thinking, ThinkingStyle, Tool, ToolChoice, ToolKind, ToolResult, ToolUse,
    Turn, Vendor,
};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse, path_at};
use crate::types::Protocol;

/// What Claude Code 2.1 sends, shortened, and everything else a client may send.
pub(super) const FULL: &str = r#"{"model":"claude-sonnet-4-6","max_tokens":32000,"stream":true,
"system":[{"type":"text","text":"billing","cache_control":{"type":"ephemeral","ttl":"1h","scope":"global"}}],
"messages":[
 {"role":"user","content":[{"type":"text","text":"hi \u00e9","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"transformations":[1]},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"},"title":"t","context":"c","citations":{"enabled":true}},{"type":"document","source":{"type":"content","content":"x"}},{"type":"search_result","source":"s","title":"t","content":[]},{"type":"container_upload","file_id":"file_1"}]},
 {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"Em"},{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"query":1.50}},{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[{"type":"web_search_result","encrypted_content":"E"}]},{"type":"text","text":"so","citations":[{"type":"web_search_result_location","url":"u","title":"t","cited_text":"q","encrypted_index":"Eo"}]},{"type":"thinking","thinking":"","signature":"sig-only"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0,"b":9007199254740993},"caller":{"type":"direct"}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"tool_reference","tool_name":"g"}]},{"type":"text","text":"go on"}]},
 {"role":"system","content":"be brief"}],
"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{}},"strict":true,"eager_input_streaming":true,"cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"web_search_20250305","name":"web_search","max_uses":3}],
"tool_choice":{"type":"auto","disable_parallel_tool_use":true},
"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}},"task_budget":{"total":9}},
"metadata":{"user_id":"u_1","other":1},"context_management":{"edits":[]},"mcp_servers":[{"name":"x"}],"stop_sequences":["A"],"top_k":5,"service_tier":"auto","new_field":1e400}"#;

pub(super) fn decode(json: &str) -> Request<'_> {
    let root = parse(json, Duplicates::Refuse).unwrap();
    // The tree dies here, the text does not: what is borrowed is the body's.
    decode_request(&root, Called::default()).unwrap_or_else(|e| panic!("{e}: {json}"))
}

pub(super) fn encode(request: &Request<'_>, target: &Target) -> (String, Losses) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, target, &mut losses, &mut out).unwrap_or_else(|e| panic!("{e}"));
    (String::from_utf8(out).unwrap(), losses)
}

pub(super) fn refused(request: &Request<'_>, target: &Target) -> Refused {
    encode_request(request, target, &mut Losses::default(), &mut Vec::new()).expect_err("it is refused")
}

pub(super) fn features(losses: &Losses) -> Vec<Feature> {
    losses.all().iter().map(|loss| loss.feature).collect()
}

/// A line for each member, and for each element of arrays of objects.
fn lines(json: &str) -> String {
    let root = parse(json, Duplicates::Refuse).unwrap();
    let mut out = Vec::new();
    for (key, value) in root.entries() {
        if value.items().iter().any(|item| item.is_object()) {
            out.extend(value.items().iter().map(|item| format!("{key}[] {}", item.raw())));
        } else {
            out.push(format!("{key} {}", value.raw()));
        }
    }
    out.join("\n")
}

pub(super) fn chat(turns: Vec<Turn<'static>>) -> Request<'static> {
    Request { turns, ..Request::new(Protocol::Chat, "gpt") }
}

pub(super) fn user(text: &'static str) -> Turn<'static> {
    Turn::new(Role::User, vec![Block::text(text)])
}

fn assistant(text: &'static str) -> Turn<'static> {
    Turn::new(Role::Assistant, vec![Block::text(text)])
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

pub(super) fn result(id: &'static str, text: &'static str) -> Block<'static> {
    Block::new(BlockKind::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        content: vec![Block::text(text)],
        is_error: false,
        is_custom: false,
    }))
}

pub(super) fn function(name: &'static str) -> Tool<'static> {
    Tool::new(ToolKind::Function {
        name: name.into(),
        description: None,
        schema: Some(Raw(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#.into())),
        strict: None,
    })
}

pub(super) fn setting(feature: Feature, value: &'static str) -> Setting<'static> {
    Setting { feature, at: At::NOWHERE, value: Raw(value.into()) }
}

pub(super) fn target() -> Target {
    Target::new("claude-opus-5")
}

#[test]
fn everything_a_client_sends_is_read() {
    let request = decode(FULL);
    assert_eq!((request.max_output, request.is_stream, request.wants_usage), (Some(32000), true, true));
    assert_eq!(request.system[0].cache.as_ref().unwrap().ttl_s, Some(3600));
    assert_eq!(
        request.system[0].cache.as_ref().unwrap().extra.get("scope").unwrap().value.as_str(),
        "\"global\""
    );
    let kinds: Vec<&str> = request.turns[0]
        .blocks
        .iter()
        .map(|block| match &block.kind {
            BlockKind::Text { .. } => "text",
            BlockKind::Image(_) => "image",
            BlockKind::Document(_) => "document",
            BlockKind::Opaque { kind, .. } => kind,
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["text", "image", "document", "document", "search_result", "container_upload"]);
    assert!(matches!(&request.turns[0].blocks[0].kind, BlockKind::Text { text, .. } if text == "hi é"));
    assert!(matches!(&request.tools[1].kind, ToolKind::Hosted { kind, .. } if kind == "web_search_20250305"));
    assert_eq!((request.tool_choice, request.parallel_tools), (Some(ToolChoice::Auto), Some(false)));
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        (reasoning.is_adaptive, reasoning.is_shown, reasoning.effort),
        (true, Some(true), Some(Effort::High))
    );
    assert!(matches!(request.output, Some(OutputFormat::Schema { .. })));
    let extra: Vec<&str> = request.extra.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(
        extra,
        ["context_management", "mcp_servers", "new_field", "metadata.other", "output_config.task_budget"]
    );
}

#[test]
fn what_a_messages_client_wrote_goes_up_as_it_was() {
    let request = decode(FULL);
    let (json, losses) = encode(&request, &target());
    assert!(losses.is_empty(), "{losses:?}");
    insta::assert_snapshot!(lines(&json), @r#"
    model "claude-opus-5"
    max_tokens 32000
    stream true
    tools[] {"name":"f","description":"d","input_schema":{"type":"object","properties":{}},"strict":true,"cache_control":{"type":"ephemeral","ttl":"5m"},"eager_input_streaming":true}
    tools[] {"type":"web_search_20250305","name":"web_search","max_uses":3}
    tool_choice {"type":"auto","disable_parallel_tool_use":true}
    system[] {"type":"text","text":"billing","cache_control":{"type":"ephemeral","ttl":"1h","scope":"global"}}
    messages[] {"role":"user","content":[{"type":"text","text":"hi é","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="},"transformations":[1]},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"},"title":"t","context":"c","citations":{"enabled":true}},{"type":"document","source":{"type":"content","content":"x"}},{"type":"search_result","source":"s","title":"t","content":[]},{"type":"container_upload","file_id":"file_1"}]}
    messages[] {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"Em"},{"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"query":1.50}},{"type":"web_search_tool_result","tool_use_id":"srv_1","content":[{"type":"web_search_result","encrypted_content":"E"}]},{"type":"text","text":"so","citations":[{"type":"web_search_result_location","url":"u","title":"t","cited_text":"q","encrypted_index":"Eo"}]},{"type":"thinking","thinking":"","signature":"sig-only"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1.0,"b":9007199254740993},"caller":{"type":"direct"}}]}
    messages[] {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"no"},{"type":"tool_reference","tool_name":"g"}],"is_error":true},{"type":"text","text":"go on"}]}
    messages[] {"role":"system","content":[{"type":"text","text":"be brief"}]}
    thinking {"type":"adaptive","display":"summarized"}
    output_config {"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}},"task_budget":{"total":9}}
    top_k 5
    stop_sequences ["A"]
    metadata {"user_id":"u_1","other":1}
    service_tier "auto"
    context_management {"edits":[]}
    mcp_servers[] {"name":"x"}
    new_field 1e400
    "#);
    let back = decode(&json);
    assert_eq!(Request { model: request.model.clone(), ..back }, request);
}

#[test]
fn the_kinds_of_thinking_are_read_and_written_back() {
    let body = |thinking: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9000,"messages":[{{"role":"user","content":"a"}}],"thinking":{thinking}}}"#
        )
    };
    for (thinking, check) in [
        (
            r#"{"type":"enabled","budget_tokens":2048}"#,
            Reasoning { budget: Some(2048), ..Reasoning::default() },
        ),
        (r#"{"type":"disabled"}"#, Reasoning { is_off: true, ..Reasoning::default() }),
        (
            r#"{"type":"adaptive","display":"omitted"}"#,
            Reasoning { is_adaptive: true, is_shown: Some(false), ..Reasoning::default() },
        ),
    ] {
        let json = body(thinking);
        let request = decode(&json);
        assert_eq!(request.reasoning, Some(check), "{thinking}");
        assert!(encode(&request, &target()).0.contains(&format!("\"thinking\":{thinking}")), "{thinking}");
    }
    let json = body(r#"{"type":"between_tools","x":[1]}"#);
    let request = decode(&json);
    assert!(request.reasoning.as_ref().unwrap().is_adaptive);
    assert!(encode(&request, &target()).0.contains(r#""thinking":{"type":"between_tools","x":[1]}"#));
    let cannot = Target { thinking: ThinkingStyle::None, ..target() };
    let json = body(r#"{"type":"enabled","budget_tokens":2048}"#);
    let (json, losses) = encode(&decode(&json), &cannot);
    assert!(!json.contains("thinking"));
    assert_eq!(features(&losses), [Feature::ReasoningBudget]);
}

#[test]
fn a_count_needs_no_limit_and_a_call_does() {
    let json = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
    let root = parse(json, Duplicates::Refuse).unwrap();
    assert_eq!(decode_count(&root, Called::default()).unwrap().max_output, None);
    let refused = decode_request(&root, Called::default()).unwrap_err();
    assert!(refused.message.contains("max_tokens"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (body, path, word) in [
        (r#"{"messages":[]}"#, None, "`model`"),
        (r#"{"model":"m","max_tokens":"7","messages":[]}"#, Some("max_tokens"), "whole number"),
        (r#"{"model":"m","max_tokens":1,"messages":{}}"#, Some("messages"), "array"),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"tool","content":""}]}"#,
            Some("messages[0].role"),
            "tool",
        ),
        (r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}"#, Some("messages[0]"), "`content`"),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}"#,
            Some("messages[0].content[0]"),
            "`source`",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":7}]}]}"#,
            Some("messages[0].content[0].text"),
            "a number",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[],"tools":[{"name":"f"}]}"#,
            Some("tools[0]"),
            "`input_schema`",
        ),
        (
            r#"{"model":"m","max_tokens":1,"messages":[],"temperature":"hot"}"#,
            Some("temperature"),
            "a number",
        ),
    ] {
        let root = parse(body, Duplicates::Refuse).unwrap();
        let refused = decode_request(&root, Called::default()).expect_err(body);
        let at = refused.at.offset().and_then(|at| path_at(body.as_bytes(), at));
        assert_eq!(at.as_deref(), path, "{body}");
        assert!(refused.message.contains(word), "{}", refused.message);
    }
}

#[test]
fn a_chat_of_another_protocol_becomes_claudes() {
    let mut request = chat(vec![
        user("Weather?"),
        Turn::new(
            Role::Assistant,
            vec![
                Block::text(""),
                call("functions.f:0", "f", r#"{"a":1.0}"#),
                call("c2", "f", ""),
                call("", "f", "{\"a\":"),
            ],
        ),
        Turn::new(Role::User, vec![result("functions.f:0", "21°")]),
        Turn::new(Role::User, vec![Block::text("quick!"), result("c2", "")]),
        Turn::new(Role::System, vec![Block::text("Be kind.")]),
        Turn::new(Role::User, vec![result("", "late")]),
        assistant("It is 21°. \n"),
    ]);
    request.system = vec![Block::text("You help.")];
    request.tools = vec![function("f")];
    request.tool_choice = Some(ToolChoice::Auto);
    request.parallel_tools = Some(false);
    request.stop = vec!["END".into(), " \n".into()];
    request.settings = vec![
        setting(Feature::Temperature, "1.7"),
        setting(Feature::Seed, "7"),
        setting(Feature::User, "\"u\""),
        setting(Feature::ServiceTier, "\"default\""),
    ];
    let (json, losses) = encode(&request, &target());
    insta::assert_snapshot!(lines(&json), @r#"
    model "claude-opus-5"
    max_tokens 8192
    tools[] {"name":"f","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}
    tool_choice {"type":"auto","disable_parallel_tool_use":true}
    system "You help."
    messages[] {"role":"user","content":[{"type":"text","text":"Weather?"}]}
    messages[] {"role":"assistant","content":[{"type":"tool_use","id":"functions_2ef_3a0","name":"f","input":{"a":1.0}},{"type":"tool_use","id":"c2","name":"f","input":{}},{"type":"tool_use","id":"toolu_tg","name":"f","input":{"INVALID_JSON":"{\"a\":"}}]}
    messages[] {"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_2ef_3a0","content":"21°"},{"type":"tool_result","tool_use_id":"c2"},{"type":"tool_result","tool_use_id":"toolu_tg","content":"late"},{"type":"text","text":"quick!"},{"type":"text","text":"<system>\nBe kind.\n</system>"}]}
    messages[] {"role":"assistant","content":[{"type":"text","text":"It is 21°."}]}
    temperature 1
    stop_sequences ["END"]
    metadata {"user_id":"u"}
    service_tier "standard_only"
    "#);
    assert_eq!(features(&losses), [Feature::Seed, Feature::Stop, Feature::Temperature]);
}

#[test]
fn the_smallest_request_gets_a_limit() {
    let request = chat(vec![user("hi")]);
    let (json, losses) = encode(&request, &target());
    assert_eq!(
        json,
        r#"{"model":"claude-opus-5","max_tokens":8192,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
    );
    assert!(losses.is_empty());
    let known = Target { output_max: Some(64000), ..target() };
    assert!(encode(&request, &known).0.contains(r#""max_tokens":64000"#));
    let (json, losses) = encode(&Request { max_output: Some(100_000), ..request }, &known);
    assert!(json.contains(r#""max_tokens":64000"#));
    assert_eq!(features(&losses), [Feature::MaxOutput]);
}

#[test]
fn calls_and_results_must_be_paired() {
    let asks =
        || Turn::new(Role::Assistant, vec![call("a", "f", "{}"), call("b", "f", "{}").at(At::NOWHERE)]);
    for (turns, word) in [
        (vec![user("x"), asks(), Turn::new(Role::User, vec![result("a", "1")])], "\"b\" has no result"),
        (vec![user("x"), asks()], "\"a\" has no result"),
        (vec![user("x"), Turn::new(Role::User, vec![result("z", "1")])], "\"z\" answers no open tool call"),
        (
            vec![
                user("x"),
                asks(),
                Turn::new(Role::User, vec![result("a", "1"), result("b", "1"), result("a", "2")]),
            ],
            "\"a\" answers no open tool call",
        ),
        (
            vec![user("x"), asks(), user("y"), assistant("z"), Turn::new(Role::User, vec![result("a", "")])],
            "no result",
        ),
        (
            vec![user("x"), Turn::new(Role::Assistant, vec![result("a", "1")])],
            "belongs into a turn of the user",
        ),
        (vec![Turn::new(Role::User, vec![call("a", "f", "{}")])], "belongs into a turn of the assistant"),
    ] {
        let refused = refused(&chat(turns), &target());
        assert!(refused.message.contains(word), "{} lacks {word}", refused.message);
    }
}

#[test]
fn an_id_used_twice_stays_paired() {
    let round = |answer| {
        [
            Turn::new(Role::Assistant, vec![call("call_0", "f", "{}")]),
            Turn::new(Role::User, vec![result("call_0", answer)]),
        ]
    };
    let mut turns = vec![user("x")];
    turns.extend(round("one"));
    turns.extend(round("two"));
    let (json, _) = encode(&chat(turns), &target());
    for (id, answer) in [("call_0", "one"), ("call_0_2", "two")] {
        assert!(json.contains(&format!(r#"{{"type":"tool_use","id":"{id}""#)), "{json}");
        assert!(json.contains(&format!(r#""tool_use_id":"{id}","content":"{answer}""#)), "{json}");
    }
    // No tools were offered any more: those that were called stand in, and may not be called.
    assert!(json.contains(
        r#""tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}"#
    ));
}

#[test]
fn a_conversation_begins_with_the_user_and_no_text_is_blank() {
    let (json, _) = encode(&chat(vec![assistant("Hello!"), user(""), assistant(" "), user("hi")]), &target());
    insta::assert_snapshot!(lines(&json), @r#"
    model "claude-opus-5"
    max_tokens 8192
    messages[] {"role":"user","content":[{"type":"text","text":"(The conversation starts here, without a message of the user.)"}]}
    messages[] {"role":"assistant","content":[{"type":"text","text":"Hello!"}]}
    messages[] {"role":"user","content":[{"type":"text","text":"hi"}]}
    "#);
    let (json, _) = encode(&chat(vec![]), &target());
    assert!(json.contains("without a message of the user"));
}

#[test]
fn thinking_of_its_own_is_kept_and_others_is_a_loss() {
    let thinking = |signature| {
        Block::new(BlockKind::Thinking(Thinking {
            text: "hm".into(),
            signature,
            is_summary: false,
            item_id: None,
        }))
    };
    let turn = Turn::new(
        Role::Assistant,
        vec![
            thinking(Some(Signature::new(Vendor::Anthropic, "A+/="))),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "R"))),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::OpenAi, "O"))),
            thinking(Some(Signature::new(Vendor::Gemini, "G"))),
            thinking(None),
            Block::text("so"),
        ],
    );
    let (json, losses) = encode(&chat(vec![user("x"), turn, user("y")]), &target());
    assert!(json.contains(r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"A+/="},{"type":"redacted_thinking","data":"R"},{"type":"text","text":"so"}]}"#), "{json}");
    assert_eq!(features(&losses), [Feature::ForeignThinking]);
}

#[test]
fn every_feature_has_a_word_and_reasons_are_short() {
    use crate::chat::Carry;
    for feature in Feature::ALL {
        if let Carry::Drop(why) | Carry::Reject(why) | Carry::Renamed(why) = carry(feature) {
            assert!(!why.is_empty() && why.len() <= 80 && !why.ends_with('.'), "{feature:?}: {why}");
        }
    }
}
