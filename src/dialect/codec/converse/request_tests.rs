//! Requests, both ways.

use super::{decode_request, encode_request};
use crate::chat::*;
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse};
use crate::types::Protocol;

pub(super) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";

fn decode(json: &str) -> Result<Request<'_>, Refused> {
    // Leaked: a test's tree may live as long as the test.
    let root = Box::leak(Box::new(parse(json, Duplicates::Refuse).unwrap()));
    decode_request(root, Called { model: Some(CLAUDE), is_stream: Some(true) })
}

pub(super) fn budget() -> Target {
    Target { thinking: ThinkingStyle::Budget, ..Target::new(CLAUDE) }
}

pub(super) fn encode_for(request: &Request<'_>, target: &Target) -> (Result<String, Refused>, Vec<Loss>) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    let done = encode_request(request, target, &mut losses, &mut out);
    (done.map(|()| String::from_utf8(out).unwrap()), losses.all().to_vec())
}

pub(super) fn encode(request: &Request<'_>) -> String {
    let (written, losses) = encode_for(request, &Target::new(CLAUDE));
    assert_eq!(losses, []);
    written.unwrap()
}

pub(super) fn lost(request: &Request<'_>, target: &Target) -> Vec<Feature> {
    let (written, losses) = encode_for(request, target);
    written.unwrap();
    losses.into_iter().map(|loss| loss.feature).collect()
}

pub(super) fn asks(text: &'static str) -> Request<'static> {
    let mut request = Request::new(Protocol::Chat, "m");
    request.turns.push(Turn::new(Role::User, vec![Block::text(text)]));
    request
}

pub(super) fn call(id: &'static str, arguments: &'static str) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        is_custom: false,
        signature: None,
    }))
}

pub(super) fn result(id: &'static str, content: Vec<Block<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolResult(ToolResult {
        id: id.into(),
        name: None,
        content,
        is_error: false,
        is_custom: false,
    }))
}

pub(super) fn setting(feature: Feature, value: &'static str) -> Setting<'static> {
    Setting { feature, at: At::NOWHERE, value: Raw(value.into()) }
}

const FULL: &str = r#"{"messages":[
{"role":"user","content":[{"text":"Hi"},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}},
 {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/kiwi.jpg"}}}},
 {"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/kiwi.jpg","bucketOwner":"123456789012"}}}},
 {"document":{"name":"Document 1","format":"txt","source":{"bytes":"aGk="},"context":"c","citations":{"enabled":true}}},
 {"document":{"name":"Plain","format":"md","source":{"text":"words"}}},
 {"guardContent":{"text":{"text":"guarded","qualifiers":["query"]}}},
 {"cachePoint":{"type":"default","ttl":"1h"}}]},
{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},
 {"reasoningContent":{"redactedContent":"RXRrRUNrZ0k="}},
 {"citationsContent":{"content":[{"text":"said"}],"citations":[{"title":"T","location":{"web":{"url":"https://e.org"}},"sourceContent":[{"text":"q"}]}]}},
 {"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"n":1.50}}},
 {"toolUse":{"toolUseId":"tooluse_s","name":"nova_code_interpreter","input":{},"type":"server_tool_use"}},
 {"toolResult":{"toolUseId":"tooluse_s","content":[{"json":{"out":""}}],"type":"nova_code_interpreter_result"}}]},
{"role":"user","content":[{"toolResult":{"toolUseId":"tooluse_1","content":[{"text":"ok"},{"json":{"a":1}},
 {"image":{"format":"gif","source":{"bytes":"R0lGOD"}}}],"status":"error"}}]}],
"system":[{"text":"be good"},{"cachePoint":{"type":"default"}}],
"inferenceConfig":{"maxTokens":4096,"temperature":1,"topP":0.95,"stopSequences":["END"]},
"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","properties":{"n":{"type":"number"}}}},"strict":true}},
 {"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_code_interpreter"}}],"toolChoice":{"auto":{}}},
"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"},"anthropic_beta":["b"]},
"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\"}","name":"N","description":"D"}}}},
"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"DRAFT","trace":"enabled"},
"serviceTier":{"type":"flex"},"requestMetadata":{"team":"a"},"performanceConfig":{"latency":"optimized"},
"promptVariables":{"x":{"text":"y"}},"additionalModelResponseFieldPaths":["/stop_sequence"],"brandNew":[1.0]}"#;

#[test]
fn a_full_request_is_read_into_its_parts() {
    let request = decode(FULL).unwrap();
    assert_eq!((request.model.as_ref(), request.is_stream), (CLAUDE, true));
    assert_eq!(request.system.len(), 1);
    assert!(request.system[0].cache.is_some());
    let user = &request.turns[0].blocks;
    assert_eq!(user.len(), 7, "the cache point is no block of its own");
    assert_eq!(user[6].cache.as_ref().unwrap().ttl_s, Some(3600));
    assert_eq!(user[6].as_text(), Some("guarded"), "what is marked for a guardrail is said all the same");
    assert_eq!(user[6].extra.fields[0].name, "guardContent");
    assert!(
        matches!(&user[2].kind, BlockKind::Image(media) if matches!(&media.source, Source::File { of: Protocol::Converse, id } if id == "s3://bucket/kiwi.jpg"))
    );
    assert!(matches!(&user[3].kind, BlockKind::Opaque { kind, .. } if kind == "image"), "another's bucket");
    assert!(
        matches!(&user[4].kind, BlockKind::Document(media) if media.mime.as_deref() == Some("text/plain") && media.name.as_deref() == Some("Document 1"))
    );
    assert_eq!(user[4].extra.fields.len(), 2);
    let said = &request.turns[1].blocks;
    assert!(
        matches!(&said[0].kind, BlockKind::Thinking(t) if t.text == "hm" && t.signature == Some(Signature::new(Vendor::Anthropic, "c2ln")))
    );
    // The blob is Anthropic's `data` once more in base64.
    assert_eq!(said[1].kind, BlockKind::Redacted(Signature::new(Vendor::Anthropic, "EtkECkgI")));
    assert!(
        matches!(&said[2].kind, BlockKind::Text { text, citations } if text == "said" && citations[0].url.as_deref() == Some("https://e.org") && citations[0].quote.as_deref() == Some("q"))
    );
    assert!(matches!(&said[3].kind, BlockKind::ToolUse(call) if call.arguments == r#"{"n":1.50}"#));
    assert!(matches!(&said[4].kind, BlockKind::Opaque { kind, .. } if kind == "toolUse"));
    assert!(matches!(&said[5].kind, BlockKind::Opaque { kind, .. } if kind == "toolResult"));
    let BlockKind::ToolResult(answer) = &request.turns[2].blocks[0].kind else { panic!() };
    assert!(answer.is_error && answer.joined_text() == "ok\n{\"a\":1}" && answer.content.len() == 3);
    let reasoning = request.reasoning.as_ref().unwrap();
    assert_eq!((reasoning.budget, reasoning.extra.fields[0].name.as_ref()), (Some(2000), "display"));
    assert!(
        matches!(&request.tools[1].kind, ToolKind::Hosted { kind, .. } if kind == "nova_code_interpreter")
    );
    assert!(request.tools[0].cache.is_some() && request.tool_choice == Some(ToolChoice::Auto));
    let names: Vec<&str> = request.extra.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(
        names,
        [
            "guardrailConfig",
            "performanceConfig",
            "promptVariables",
            "additionalModelResponseFieldPaths",
            "brandNew",
            "additionalModelRequestFields.anthropic_beta"
        ]
    );
    assert_eq!(request.setting(Feature::ServiceTier).unwrap().value.as_str(), "\"flex\"");
}

#[test]
fn a_full_request_written_again_keeps_its_meaning_and_every_unknown_field() {
    let request = decode(FULL).unwrap();
    let (written, losses) = encode_for(&request, &budget());
    assert_eq!(losses, []);
    let written = written.unwrap();
    assert_eq!(decode(&written).unwrap(), request);
    for kept in [
        r#""bucketOwner":"123456789012""#,
        r#"{"cachePoint":{"type":"default","ttl":"1h"}}"#,
        r#""redactedContent":"RXRrRUNrZ0k=""#,
        r#""thinking":{"type":"enabled","budget_tokens":2000,"display":"omitted"}"#,
        r#""anthropic_beta":["b"]"#,
        r#""brandNew":[1.0]"#,
        r#""input":{"n":1.50}"#,
        r#""schema":"{\"type\":\"object\"}""#,
        r#""source":{"text":"words"}"#,
        r#"{"guardContent":{"text":{"text":"guarded","qualifiers":["query"]}}}"#,
    ] {
        assert!(written.contains(kept), "{kept} in {written}");
    }
}

#[test]
fn a_minimal_request_is_minimal_again() {
    let json = r#"{"messages":[{"role":"user","content":[{"text":"Hello!"}]}]}"#;
    let request = decode(json).unwrap();
    assert_eq!(encode(&request), json);
    assert!(request.extra.is_empty() && request.tool_choice.is_none() && request.reasoning.is_none());
}

#[test]
fn a_request_of_another_protocol_comes_out_in_bedrocks_form() {
    let mut request = asks("What is 2+2?");
    request.system.push(Block::text("be brief"));
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![Block::text("Let me see."), call("call_1", "{\"a\":2}")]));
    request.turns.push(Turn::new(Role::User, vec![result("call_1", vec![Block::text("4")])]));
    request.turns.push(Turn::new(Role::User, vec![Block::text("and now?"), Block::text("")]));
    request.tools.push(Tool::new(ToolKind::Function {
        name: "f".into(),
        description: Some("adds".into()),
        schema: None,
        strict: None,
    }));
    request.tool_choice = Some(ToolChoice::Any);
    request.max_output = Some(100);
    request.stop = vec!["\n\n".into(), "".into()];
    request.settings = vec![setting(Feature::Temperature, "0.50"), setting(Feature::TopK, "40")];
    insta::assert_snapshot!(encode(&request), @r#"{"messages":[{"role":"user","content":[{"text":"What is 2+2?"}]},{"role":"assistant","content":[{"text":"Let me see."},{"toolUse":{"toolUseId":"call_1","name":"f","input":{"a":2}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"4"}]}},{"text":"and now?"}]}],"system":[{"text":"be brief"}],"inferenceConfig":{"maxTokens":100,"temperature":0.50,"stopSequences":["\n\n"]},"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"adds","inputSchema":{"json":{"type":"object","properties":{}}}}}],"toolChoice":{"any":{}}},"additionalModelRequestFields":{"top_k":40}}"#);
}

#[test]
fn parallel_results_are_merged_and_stand_first() {
    let mut request = asks("go");
    request.turns.push(Turn::new(Role::Assistant, vec![call("a", ""), call("b", "{}")]));
    request.turns.push(Turn::new(Role::User, vec![Block::text("so:"), result("b", vec![Block::text("2")])]));
    request.turns.push(Turn::new(Role::User, vec![result("a", vec![Block::text("1")])]));
    let written = encode(&request);
    let end = written.split(r#"{"role":"user","content":[{"toolResult"#).nth(1).unwrap();
    assert!(end.starts_with(r#"":{"toolUseId":"b","content":[{"text":"2"}]}},{"toolResult":{"toolUseId":"a","content":[{"text":"1"}]}},{"text":"so:"}]}]"#), "{end}");
}

#[test]
fn broken_pairs_are_refused_where_they_stand() {
    let at = |offset: &str| At::of(&parse(offset, Duplicates::Refuse).unwrap());
    let refusal = |turns: Vec<Turn<'static>>| {
        let mut request = asks("go");
        request.turns.extend(turns);
        encode_for(&request, &Target::new(CLAUDE)).0.unwrap_err().message
    };
    let assistant = |blocks| Turn::new(Role::Assistant, blocks);
    let user = |blocks| Turn::new(Role::User, blocks);
    let open = vec![assistant(vec![call("a", "").at(at("1"))])];
    assert!(refusal(open).contains("has no result"));
    let other = vec![assistant(vec![call("a", "")]), user(vec![Block::text("no")])];
    assert!(refusal(other).contains("has no result"));
    let stray = vec![user(vec![result("x", vec![])])];
    assert!(refusal(stray).contains("answers no open tool call"));
    let twice = vec![assistant(vec![call("a", "")]), user(vec![result("a", vec![]), result("a", vec![])])];
    assert!(refusal(twice).contains("answers no open tool call"));
    let same = vec![assistant(vec![call("a", ""), call("a", "")])];
    assert!(refusal(same).contains("same id"));
    let late = vec![
        assistant(vec![call("a", "")]),
        user(vec![result("a", vec![])]),
        assistant(vec![Block::text("k")]),
        user(vec![result("a", vec![])]),
    ];
    assert!(refusal(late).contains("answers no open tool call"));
}

#[test]
fn the_place_of_a_broken_pair_is_told() {
    let body = r#"{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":{}}}]},{"role":"user","content":[{"text":"y"}]}]}"#;
    let refused = encode_for(&decode(body).unwrap(), &Target::new(CLAUDE)).0.unwrap_err();
    let path = crate::framing::json::path_at(body.as_bytes(), refused.at.offset().unwrap());
    assert_eq!(path.as_deref(), Some("messages[1].content[0]"));
}

#[test]
fn ids_that_are_missing_or_foreign_are_made_fit_on_both_sides() {
    let mut request = asks("go");
    let long: &'static str = Box::leak("x".repeat(80).into_boxed_str());
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![call("", ""), call("", ""), call(long, ""), call("a|b", "")]));
    let results = ["", "", long, "a|b"].map(|id| result(id, vec![Block::text("r")]));
    request.turns.push(Turn::new(Role::User, results.to_vec()));
    let written = encode(&request);
    let root: serde_json::Value = serde_json::from_str(&written).unwrap();
    let ids = |message: usize, member: &str| -> Vec<String> {
        let content = root["messages"][message]["content"].as_array().unwrap();
        content.iter().map(|block| block[member]["toolUseId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(1, "toolUse"), ids(2, "toolResult"));
    assert_eq!(&ids(1, "toolUse")[..2], ["tooluse_1_0", "tooluse_1_1"]);
    for id in ids(1, "toolUse") {
        assert!(
            id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)),
            "{id}"
        );
    }
    assert_eq!(encode(&request), written, "the same conversation has the same ids again");
}

#[test]
fn a_failed_tool_is_told_and_never_without_a_word() {
    let mut request = asks("go");
    request.turns.push(Turn::new(Role::Assistant, vec![call("a", "")]));
    let mut failed = result("a", vec![Block::text("")]);
    if let BlockKind::ToolResult(result) = &mut failed.kind {
        result.is_error = true;
    }
    request.turns.push(Turn::new(Role::User, vec![failed]));
    assert!(encode(&request).contains(r#""content":[{"text":"error"}],"status":"error""#));
}

#[test]
fn media_are_bytes_of_known_formats_or_refused() {
    let media = |source, mime: Option<&'static str>, name: Option<&'static str>| Media {
        source,
        mime: mime.map(Text::from),
        name: name.map(Text::from),
        detail: None,
    };
    let with = |kind: BlockKind<'static>| {
        let mut request = asks("look");
        request.turns[0].blocks.push(Block::new(kind));
        encode_for(&request, &Target::new(CLAUDE)).0
    };
    let bytes = || Source::Base64("QUJD".into());
    let jpg = with(BlockKind::Image(media(bytes(), Some("image/jpg"), None))).unwrap();
    assert!(jpg.contains(r#"{"image":{"format":"jpeg","source":{"bytes":"QUJD"}}}"#));
    let url = || Source::Url("https://e.org/x.png".into());
    for refused in [
        BlockKind::Image(media(url(), None, None)),
        BlockKind::Document(media(url(), None, None)),
        BlockKind::Audio(media(url(), Some("audio/wav"), None)),
        BlockKind::Video(media(url(), Some("video/mp4"), None)),
        BlockKind::Image(media(bytes(), Some("image/svg+xml"), None)),
        BlockKind::Document(media(bytes(), Some("application/zip"), None)),
        BlockKind::Image(media(Source::File { of: Protocol::Chat, id: "file-1".into() }, None, None)),
    ] {
        let message = with(refused).unwrap_err().message;
        assert!(message.contains("Bedrock") || message.contains("another vendor"), "{message}");
    }
    let named =
        with(BlockKind::Document(media(bytes(), Some("application/pdf"), Some("Q3_report v2.pdf")))).unwrap();
    assert!(
        named.contains(r#"{"document":{"format":"pdf","name":"Q3-report v2","source":{"bytes":"QUJD"}}}"#),
        "{named}"
    );
    let plain = with(BlockKind::Document(media(Source::Text("hi".into()), None, None))).unwrap();
    assert!(
        plain.contains(r#"{"document":{"format":"txt","name":"Document 1","source":{"bytes":"aGk="}}}"#),
        "{plain}"
    );
    let mut alone = asks("");
    alone.turns[0].blocks.push(Block::new(BlockKind::Document(media(bytes(), Some("text/csv"), None))));
    assert!(encode(&alone).contains(r#"}}},{"text":"."}]"#), "a document needs a text beside it");
}

#[test]
fn instructions_in_the_middle_stay_where_they_are() {
    let mut request = Request::new(Protocol::Chat, "m");
    for (role, text) in [
        (Role::System, "first"),
        (Role::User, "hi"),
        (Role::System, "now in French"),
        (Role::Assistant, "oui"),
    ] {
        request.turns.push(Turn::new(role, vec![Block::text(text)]));
    }
    request.turns.push(Turn::new(Role::User, vec![Block::text("more")]));
    let written = encode(&request);
    assert!(written.contains(r#""system":[{"text":"first"}]"#));
    assert!(
        written.contains(r#"{"role":"user","content":[{"text":"hi"},{"text":"now in French"}]}"#),
        "{written}"
    );
}

#[test]
fn nothing_to_answer_is_refused() {
    for blocks in [vec![], vec![Block::text("")], vec![Block::text(" \n")]] {
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns.push(Turn::new(Role::User, blocks));
        let refused = encode_for(&request, &Target::new(CLAUDE)).0.unwrap_err();
        assert_eq!(refused.message, "the conversation holds nothing to answer");
    }
}

#[test]
fn wrong_types_are_refused_with_their_place() {
    for (json, path) in [
        (r#"{"messages":[{"role":"user","content":"hi"}]}"#, "messages[0].content"),
        (r#"{"messages":[{"role":"tool","content":[]}]}"#, "messages[0].role"),
        (r#"{"messages":[{"role":"user","content":[{"text":1}]}]}"#, "messages[0].content[0].text"),
        (r#"{"messages":[{"role":"user","content":[{}]}]}"#, "messages[0].content[0]"),
        (r#"{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}"#, "messages[0].content[0]"),
        (r#"{"messages":[],"inferenceConfig":{"temperature":"1"}}"#, "inferenceConfig.temperature"),
        (r#"{"messages":[],"inferenceConfig":{"maxTokens":1.5}}"#, "inferenceConfig.maxTokens"),
        (r#"{"messages":[],"toolConfig":{"tools":{}}}"#, "toolConfig.tools"),
        (
            r#"{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":1}}]}}"#,
            "toolConfig.tools[0].toolSpec.name",
        ),
        (r#"{"messages":[],"system":"hi"}"#, "system"),
    ] {
        let refused = decode(json).unwrap_err();
        let at = refused.at.offset().unwrap();
        assert_eq!(crate::framing::json::path_at(json.as_bytes(), at).as_deref(), Some(path), "{json}");
    }
    assert!(decode("[]").is_err() && decode("{}").is_err());
}

#[test]
fn guarded_content_is_said_to_others_and_only_its_mark_is_lost() {
    let json = r#"{"messages":[{"role":"user","content":[
        {"guardContent":{"text":{"text":"Who?","qualifiers":["query"]}}},
        {"guardContent":{"image":{"format":"png","source":{"bytes":"iVBO"}}}},
        {"guardContent":{"text":"odd"}}]}],"system":[{"guardContent":{"text":{"text":"be good"}}}]}"#;
    let request = decode(json).unwrap();
    let blocks = &request.turns[0].blocks;
    assert_eq!((blocks[0].as_text(), request.system[0].as_text()), (Some("Who?"), Some("be good")));
    assert!(matches!(&blocks[1].kind, BlockKind::Image(_)));
    assert!(matches!(&blocks[2].kind, BlockKind::Opaque { .. }));
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    let target = Target::new("claude");
    super::super::messages::encode_request(&request, &target, &mut losses, &mut out).unwrap();
    let written = String::from_utf8(out).unwrap();
    assert!(written.contains(r#"{"type":"text","text":"Who?"}"#), "{written}");
    assert!(losses.all().iter().any(|loss| loss.feature == Feature::Unknown));
    let again = encode_for(&request, &Target::new(CLAUDE)).0.unwrap();
    assert!(again.contains(r#"{"guardContent":{"text":{"text":"Who?","qualifiers":["query"]}}}"#), "{again}");
    assert!(again.contains(r#""system":[{"guardContent":{"text":{"text":"be good"}}}]"#), "{again}");
    assert_eq!(decode(&again).unwrap().turns, request.turns);
}

#[test]
fn the_user_speaks_first_whoever_the_model_is_of() {
    for model in [CLAUDE, "amazon.nova-pro-v1:0"] {
        let mut request = asks("go");
        request.turns.insert(0, Turn::new(Role::Assistant, vec![Block::text("hello")]));
        let written = encode_for(&request, &Target::new(model)).0.unwrap();
        let first = r#"{"messages":[{"role":"user","content":[{"text":"(The conversation starts here, without a message of the user.)"}]},{"role":"assistant","#;
        assert!(written.starts_with(first), "{written}");
    }
}
