//! Requests of other protocols' clients, written for Responses upstreams.

use super::testing::{lines, node, target, thinker};
use super::{carry, decode_request, encode_request};
use crate::chat::{
    At, Block, BlockKind, Carry, Effort, Feature, Losses, Media, OutputFormat, Raw, Reasoning, Request, Role,
    Setting, Signature, Source, Target, Thinking, ThinkingEcho, ThinkingStyle, Tool, ToolChoice, ToolKind,
    ToolResult, ToolUse, Turn, Vendor,
};
use crate::dialect::codec::Called;
use crate::types::Protocol;
use serde_json::Value;

fn decoded(json: &str) -> Request<'_> {
    decode_request(&node(json), Called::default()).unwrap_or_else(|e| panic!("{e}: {json}"))
}

fn encoded_for(request: &Request<'_>, target: &Target) -> (String, Vec<Feature>) {
    let mut losses = Losses::default();
    let mut out = Vec::new();
    encode_request(request, target, &mut losses, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), losses.all().iter().map(|loss| loss.feature).collect())
}

fn encoded(request: &Request<'_>) -> (String, Vec<Feature>) {
    encoded_for(request, &target())
}

fn input(json: &str) -> Value {
    serde_json::from_str::<Value>(json).unwrap()["input"].clone()
}

/// A conversation that an Anthropic client had with several vendors.
fn foreign() -> Request<'static> {
    let mut request = Request::new(Protocol::Messages, "claude");
    request.system = vec![Block::text("one"), Block::text("two")];
    let thinking = |text: &'static str, signature| {
        Block::new(BlockKind::Thinking(Thinking {
            text: text.into(),
            signature,
            is_summary: false,
            item_id: None,
        }))
    };
    let call = |id: &'static str, arguments: &'static str, is_custom| {
        Block::new(BlockKind::ToolUse(ToolUse {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            is_custom,
            signature: Some(Signature::new(Vendor::Gemini, "sig")),
        }))
    };
    let result = |id: &'static str, content, is_error| {
        let result =
            ToolResult { id: id.into(), name: Some("f".into()), content, is_error, is_custom: false };
        Block::new(BlockKind::ToolResult(result))
    };
    let image = Block::new(BlockKind::Image(Media {
        source: Source::Base64("iVBO".into()),
        mime: Some("image/png".into()),
        name: None,
        detail: None,
    }));
    request.turns = vec![
        Turn::new(Role::User, vec![Block::text("go")]),
        Turn::new(
            Role::Assistant,
            vec![
                thinking("own", Some(Signature::new(Vendor::OpenAi, "gAAA"))),
                thinking("theirs", Some(Signature::new(Vendor::Anthropic, "EqQB"))),
                thinking("nobody's", None),
                Block::new(BlockKind::Redacted(Signature::new(Vendor::OpenAi, "gBBB"))),
                Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "R"))),
                Block::text("hm"),
                call("", "", false),
                call("toolu_1", "{\"a\":", false),
                call("toolu_2", "*** text", true),
            ],
        ),
        Turn::new(
            Role::User,
            vec![
                result("", vec![Block::text("1"), image], true),
                result("toolu_1", vec![Block::text("2")], false),
                result("toolu_2", vec![], false),
                Block::text("and?"),
            ],
        ),
    ];
    request
}

#[test]
fn a_strangers_request_is_valid_here() {
    let mut request = foreign();
    request.max_output = Some(1);
    request.reasoning = Some(Reasoning { budget: Some(9000), is_shown: Some(true), ..Default::default() });
    request.tools = vec![
        Tool::new(ToolKind::Function { name: "f".into(), description: None, schema: None, strict: None }),
        Tool::new(ToolKind::Custom { name: "g".into(), description: None, format: None }),
        Tool::new(ToolKind::Hosted { of: Protocol::Messages, kind: "bash".into(), json: Raw("{}".into()) }),
    ];
    request.tool_choice = Some(ToolChoice::Tool("g".into()));
    let long = format!("\"{}\"", "u".repeat(65));
    let setting = |feature, value: &str| Setting {
        feature,
        at: Default::default(),
        value: Raw(value.to_owned().into()),
    };
    request.settings = vec![
        setting(Feature::User, &long),
        setting(Feature::TopK, "5"),
        setting(Feature::ServiceTier, r#""standard_only""#),
    ];
    request.stop = vec!["END".into()];
    let (json, losses) = encoded_for(&request, &thinker());
    assert_eq!(
        losses,
        [
            Feature::TopK,
            Feature::Stop,
            Feature::HostedTools,
            Feature::ToolResultError,
            Feature::ForeignThinking,
            Feature::MaxOutput,
            Feature::User
        ]
    );
    insta::assert_snapshot!(lines(&json), @r##"
    model: "gpt-x"
    input:
      {"type":"message","role":"system","content":[{"type":"input_text","text":"one"},{"type":"input_text","text":"two"}]}
      {"type":"message","role":"user","content":[{"type":"input_text","text":"go"}]}
      {"type":"reasoning","summary":[{"type":"summary_text","text":"own"}],"encrypted_content":"gAAA"}
      {"type":"reasoning","summary":[],"encrypted_content":"gBBB"}
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"hm"}]}
      {"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"}
      {"type":"function_call","call_id":"toolu_1","name":"f","arguments":"{\"a\":"}
      {"type":"custom_tool_call","call_id":"toolu_2","name":"f","input":"*** text"}
      {"type":"function_call_output","call_id":"call_1","output":[{"type":"input_text","text":"1"},{"type":"input_image","image_url":"data:image/png;base64,iVBO"}]}
      {"type":"function_call_output","call_id":"toolu_1","output":"2"}
      {"type":"custom_tool_call_output","call_id":"toolu_2","output":""}
      {"type":"message","role":"user","content":[{"type":"input_text","text":"and?"}]}
    tools:
      {"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}
      {"type":"custom","name":"g"}
    tool_choice: {"type":"custom","name":"g"}
    max_output_tokens: 16
    reasoning: {"effort":"medium","summary":"auto"}
    service_tier: "default"
    store: false
    include: ["reasoning.encrypted_content"]
    stream: false
    "##);
}

#[test]
fn thinking_without_a_proof_goes_to_those_who_take_it() {
    let mut target = target();
    target.echo = ThinkingEcho::ReasoningContent;
    let (json, _) = encoded_for(&foreign(), &target);
    let input = input(&json);
    let texts: Vec<&Value> = input
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "reasoning")
        .map(|item| &item["content"][0]["text"])
        .collect();
    assert_eq!(texts, [&Value::Null, &"nobody's".into(), &Value::Null]);
}

#[test]
fn free_form_tools_are_functions_where_there_are_none() {
    let mut request = foreign();
    request.tools =
        vec![Tool::new(ToolKind::Custom { name: "f".into(), description: Some("d".into()), format: None })];
    request.tool_choice = Some(ToolChoice::Tool("f".into()));
    let mut target = target();
    target.takes_custom_tools = false;
    let (json, _) = encoded_for(&request, &target);
    assert!(json.contains(r#"{"type":"function","name":"f__tgfreeform","description":"d","parameters":{"type":"object","properties":{"input""#), "{json}");
    assert!(json.contains(r#""tool_choice":{"type":"function","name":"f__tgfreeform"}"#), "{json}");
    assert!(
        json.contains(r#""call_id":"toolu_2","name":"f__tgfreeform","arguments":"{\"input\":\"*** text\"}""#),
        "{json}"
    );
    assert!(json.contains(r#"{"type":"function_call_output","call_id":"toolu_2""#), "{json}");
}

#[test]
fn encrypted_reasoning_is_asked_for_where_the_vendor_keeps_nothing() {
    let includes = |request: &Request<'_>, target: &Target| {
        encoded_for(request, target).0.contains(r#""include":["reasoning.encrypted_content"]"#)
    };
    let mut request = foreign();
    assert!(includes(&request, &thinker()), "known to think");
    assert!(!includes(&request, &target()), "nobody knows whether it thinks");
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Default::default() });
    assert!(includes(&request, &target()));
    let mut dull = target();
    dull.thinking = ThinkingStyle::None;
    assert!(!includes(&request, &dull));
    let own = decoded(r#"{"model":"m","input":"x","reasoning":{"effort":"low"}}"#);
    assert!(!includes(&own, &thinker()), "it is stored");
}

#[test]
fn what_a_model_does_not_take_is_left_out_and_told() {
    let request = decoded(
        r#"{"model":"m","input":"x","temperature":1,"top_p":1,"reasoning":{"effort":"low","summary":"auto"}}"#,
    );
    let mut target = target();
    target.takes_sampling = false;
    target.thinking = ThinkingStyle::None;
    let (json, losses) = encoded_for(&request, &target);
    assert_eq!(
        losses,
        [Feature::Temperature, Feature::TopP, Feature::ReasoningEffort, Feature::ReasoningSummary]
    );
    assert_eq!(
        json,
        r#"{"model":"gpt-x","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}],"stream":false}"#
    );
}

#[test]
fn thinking_switched_off_is_the_word_none_or_the_least_there_is() {
    let request = decoded(r#"{"model":"m","input":"x","reasoning":{"effort":"none"}}"#);
    assert!(encoded(&request).0.contains(r#""reasoning":{"effort":"none"}"#));
    let (json, losses) = encoded_for(&request, &thinker());
    assert!(json.contains(r#""reasoning":{"effort":"low"}"#), "{json}");
    assert_eq!(losses, [Feature::ReasoningEffort]);
}

#[test]
fn a_schema_that_cannot_be_asked_for_becomes_an_instruction() {
    let mut request = foreign();
    request.output = Some(OutputFormat::Schema {
        name: None,
        description: None,
        schema: Raw(r#"{"type":"object"}"#.into()),
        strict: None,
    });
    let (json, _) = encoded(&request);
    assert!(
        json.contains(
            r#""text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"}}}"#
        )
    );
    let mut target = target();
    target.takes_schema = false;
    let (json, _) = encoded_for(&request, &target);
    assert!(json.contains(r#""text":{"format":{"type":"json_object"}}"#));
    let last = input(&json)[0]["content"][2]["text"].as_str().unwrap().to_owned();
    assert!(last.contains("JSON Schema") && last.ends_with(r#"{"type":"object"}"#), "{last}");
}

#[test]
fn strict_schemas_of_strangers_are_closed() {
    let mut request = foreign();
    request.tools = vec![Tool::new(ToolKind::Function {
        name: "f".into(),
        description: None,
        schema: Some(Raw(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#.into())),
        strict: Some(true),
    })];
    let (json, _) = encoded(&request);
    assert!(json.contains(r#""additionalProperties":false"#) && json.contains(r#""strict":true"#), "{json}");
}

#[test]
fn what_no_item_can_hold_is_refused() {
    let media = |source| Media { source, mime: None, name: None, detail: None };
    for kind in [
        BlockKind::Video(media(Source::Url("https://x.test/v.mp4".into()))),
        BlockKind::Audio(media(Source::Url("https://x.test/a.mp3".into()))),
    ] {
        let mut request = foreign();
        request.turns.push(Turn::new(Role::User, vec![Block::new(kind)]));
        let mut losses = Losses::default();
        assert!(encode_request(&request, &target(), &mut losses, &mut Vec::new()).is_err());
    }
}

#[test]
fn every_feature_has_a_fate_and_reasons_are_short() {
    for feature in Feature::ALL {
        if let Carry::Drop(why) | Carry::Reject(why) | Carry::Renamed(why) = carry(feature) {
            assert!(!why.is_empty() && why.len() < 60, "{feature:?}: {why}");
        }
    }
}

#[test]
fn a_limit_that_is_not_the_one_asked_for_is_told() {
    let told = |asked, most| {
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns = vec![Turn::new(Role::User, vec![Block::text("hi")])];
        request.max_output = asked;
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        let target = Target { output_max: most, ..target() };
        encode_request(&request, &target, &mut losses, &mut out).unwrap();
        let json = String::from_utf8(out).unwrap();
        let limit = node(&json).get("max_output_tokens").and_then(|limit| limit.as_u64());
        (limit, losses.all().iter().any(|loss| loss.feature == Feature::MaxOutput))
    };
    assert_eq!(told(Some(5), None), (Some(16), true));
    assert_eq!(told(Some(16), None), (Some(16), false));
    assert_eq!(told(Some(900), Some(100)), (Some(100), true));
    assert_eq!(told(None, Some(100)), (None, false));
}

#[test]
fn a_user_who_says_nothing_is_refused_by_place() {
    let places = node("[0,1,2]");
    let at = |place: usize| At::of(&places.items()[place]);
    let turn = |role, text: &'static str, place| {
        let blocks = if text.is_empty() { vec![] } else { vec![Block::text(text)] };
        Turn { at: at(place), ..Turn::new(role, blocks) }
    };
    let encode = |turns| {
        let request = Request { turns, ..Request::new(Protocol::Chat, "m") };
        encode_request(&request, &target(), &mut Losses::default(), &mut Vec::new())
    };
    let only = encode(vec![turn(Role::User, "", 2)]);
    assert_eq!(only.unwrap_err().at, at(2));
    let (hi, hello) = (turn(Role::User, "hi", 0), turn(Role::Assistant, "hello", 1));
    let last = encode(vec![hi.clone(), hello.clone(), turn(Role::User, "", 2)]);
    assert_eq!(last.unwrap_err().at, at(2));
    assert!(encode(vec![hi, hello, turn(Role::User, "go on", 2)]).is_ok());
}

#[test]
fn instructions_alone_are_the_first_message_as_no_input_is_answered_without_one() {
    let mut request = Request::new(Protocol::Chat, "gpt");
    request.system = vec![Block::text("Say hi.")];
    let (json, losses) = encoded(&request);
    assert!(losses.is_empty(), "{losses:?}");
    assert!(!json.contains("instructions"), "{json}");
    let message =
        r#"[{"type":"message","role":"system","content":[{"type":"input_text","text":"Say hi."}]}]"#;
    assert_eq!(input(&json), serde_json::from_str::<Value>(message).unwrap());
}
