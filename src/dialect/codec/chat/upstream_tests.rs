//! Requests as upstreams of every kind get them.

use super::request_tests::*;
use super::*;
use crate::chat::{
    Block, BlockKind, CacheHint, Effort, Extra, Feature, Losses, Media, OutputFormat, Raw, Reasoning,
    Request, Role, Setting, Signature, Source, Target, Thinking, ThinkingEcho, ThinkingStyle, Tool,
    ToolChoice, ToolKind, ToolResult, ToolUse, Turn, Vendor,
};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, Node, parse};
use crate::types::Protocol;

fn mistral() -> Target {
    let mut target = Target::new("mistral-large-latest");
    target.says_any = true;
    target.has_short_tool_ids = true;
    target.takes_stream_options = false;
    target
}

fn echoing(echo: ThinkingEcho) -> Target {
    let mut target = Target::new("m");
    target.echo = echo;
    target
}

fn call(id: &'static str, signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.into(),
        name: "look".into(),
        arguments: "".into(),
        is_custom: false,
        signature,
    }))
}

fn result(id: &'static str, content: Vec<Block<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolResult(ToolResult {
        id: id.into(),
        name: Some("look".into()),
        content,
        is_error: false,
        is_custom: false,
    }))
}

fn thinking(text: &'static str, signature: Option<Signature<'static>>) -> Block<'static> {
    let thinking = Thinking { text: text.into(), signature, is_summary: false, item_id: None };
    Block::new(BlockKind::Thinking(thinking))
}

fn picture() -> Block<'static> {
    Block::new(BlockKind::Image(Media {
        source: Source::Base64("/9j/4AA".into()),
        mime: None,
        name: None,
        detail: None,
    }))
}

/// A conversation as a Messages client has it.
fn claude() -> Request<'static> {
    let mut request = Request::new(Protocol::Messages, "claude");
    request.system = vec![Block::text("One."), Block::text("Two.")];
    if let Some(first) = request.system.first_mut() {
        first.cache = Some(CacheHint { ttl_s: Some(3600), extra: Extra::none() });
    }
    request.turns = vec![
        Turn::new(Role::User, vec![Block::text("a"), Block::text("b")]),
        Turn::new(
            Role::Assistant,
            vec![
                thinking("Hm.", Some(Signature::new(Vendor::Anthropic, "EqQ="))),
                Block::text("Let me."),
                call("toolu_1", None),
                call("toolu_2", None),
            ],
        ),
        Turn::new(
            Role::User,
            vec![
                result("toolu_1", vec![Block::text("x"), picture()]),
                result("toolu_2", vec![Block::text("y"), Block::text("z")]),
                Block::text("And?"),
            ],
        ),
    ];
    request.tools = vec![Tool::new(ToolKind::Function {
        name: "look".into(),
        description: None,
        schema: None,
        strict: None,
    })];
    request.tool_choice = Some(ToolChoice::Any);
    request.max_output = Some(64_000);
    request.settings =
        vec![Setting { feature: Feature::TopK, at: crate::chat::At::NOWHERE, value: Raw("5".into()) }];
    request.is_stream = true;
    request
}

#[test]
fn a_conversation_with_claude_goes_on_at_openai() {
    let (json, lost) = written(&claude(), &openai());
    assert_eq!(lost, [Feature::TopK, Feature::CacheHints, Feature::ForeignThinking]);
    insta::assert_snapshot!(json, @r#"
model: "gpt-6"
messages:
  {"role":"developer","content":[{"type":"text","text":"One."},{"type":"text","text":"Two."}]}
  {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}
  {"role":"assistant","content":"Let me.","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"toolu_2","type":"function","function":{"name":"look","arguments":"{}"}}]}
  {"role":"tool","tool_call_id":"toolu_1","content":"x"}
  {"role":"tool","tool_call_id":"toolu_2","content":"y\nz"}
  {"role":"user","content":[{"type":"text","text":"Attached by tool call toolu_1:"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA"}},{"type":"text","text":"And?"}]}
tools:
  {"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}
tool_choice: "required"
max_completion_tokens: 64000
stream: true
stream_options: {"include_usage":true}
"#);
}

#[test]
fn it_goes_on_at_mistral() {
    let (json, lost) = written(&claude(), &mistral());
    assert_eq!(lost, [Feature::TopK, Feature::CacheHints, Feature::ForeignThinking]);
    insta::assert_snapshot!(json, @r#"
model: "mistral-large-latest"
messages:
  {"role":"system","content":[{"type":"text","text":"One."},{"type":"text","text":"Two."}]}
  {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}
  {"role":"assistant","content":"Let me.","tool_calls":[{"id":"K4kIUoMjF","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"3q1AeEWja","type":"function","function":{"name":"look","arguments":"{}"}}]}
  {"role":"tool","tool_call_id":"K4kIUoMjF","content":"x"}
  {"role":"tool","tool_call_id":"3q1AeEWja","content":"y\nz"}
  {"role":"assistant","content":"OK"}
  {"role":"user","content":[{"type":"text","text":"Attached by tool call K4kIUoMjF:"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA"}},{"type":"text","text":"And?"}]}
tools:
  {"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}
tool_choice: "any"
max_tokens: 64000
stream: true
"#);
}

#[test]
fn it_goes_on_at_deepseek_which_wants_strings_and_thinking() {
    let mut target = echoing(ThinkingEcho::ReasoningContent);
    target.output_max = Some(8192);
    target.takes_text_lists = false;
    let mut request = claude();
    request.turns[2].blocks.remove(0);
    request.turns[1].blocks.remove(2);
    insta::assert_snapshot!(written(&request, &target).0, @r#"
model: "m"
messages:
  {"role":"system","content":"One.\n\nTwo."}
  {"role":"user","content":"a\n\nb"}
  {"role":"assistant","content":"Let me.","reasoning_content":"Hm.","tool_calls":[{"id":"toolu_2","type":"function","function":{"name":"look","arguments":"{}"}}]}
  {"role":"tool","tool_call_id":"toolu_2","content":"y\nz"}
  {"role":"user","content":"And?"}
tools:
  {"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}
tool_choice: "required"
max_tokens: 8192
stream: true
stream_options: {"include_usage":true}
"#);
    request.turns[1].blocks.remove(0);
    let (json, _) = written(&request, &target);
    assert!(json.contains(r#""reasoning_content":"""#), "a turn with calls always has it: {json}");
}

#[test]
fn it_goes_on_at_openrouter_which_takes_hints_and_its_own_proofs() {
    let mut request = claude();
    let element = r#"{"type":"reasoning.text","signature":"Er+","format":"anthropic-claude-v1","index":0}"#;
    request.turns[1].blocks.insert(1, thinking("Own.", Some(Signature::new(Vendor::OpenRouter, element))));
    request.turns[1].blocks.insert(2, thinking("Plain.", None));
    request.reasoning = Some(Reasoning { budget: Some(2000), ..Reasoning::default() });
    let (json, lost) = written(&request, &echoing(ThinkingEcho::ReasoningDetails));
    assert_eq!(lost, [Feature::TopK, Feature::ForeignThinking]);
    insta::assert_snapshot!(json, @r#"
model: "m"
messages:
  {"role":"system","content":[{"type":"text","text":"One.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Two."}]}
  {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}
  {"role":"assistant","content":"Let me.","reasoning_details":[{"type":"reasoning.text","signature":"Er+","format":"anthropic-claude-v1","index":0,"text":"Own."},{"type":"reasoning.text","text":"Plain.","format":"unknown","index":1}],"tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"look","arguments":"{}"}},{"id":"toolu_2","type":"function","function":{"name":"look","arguments":"{}"}}]}
  {"role":"tool","tool_call_id":"toolu_1","content":"x"}
  {"role":"tool","tool_call_id":"toolu_2","content":"y\nz"}
  {"role":"user","content":[{"type":"text","text":"Attached by tool call toolu_1:"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/4AA"}},{"type":"text","text":"And?"}]}
tools:
  {"type":"function","function":{"name":"look","parameters":{"type":"object","properties":{}}}}
tool_choice: "required"
reasoning: {"max_tokens":2000}
max_tokens: 64000
stream: true
stream_options: {"include_usage":true}
"#);
}

#[test]
fn a_signature_of_gemini_goes_back_where_google_wants_it() {
    let packed = crate::chat::pack_id("call_1", Some(&Signature::new(Vendor::Gemini, "CiQ="))).into_owned();
    let json = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},
        {{"role":"assistant","tool_calls":[{{"id":"{packed}","type":"function","function":{{"name":"t","arguments":"{{}}"}}}},
         {{"id":"call_2","type":"function","function":{{"name":"t","arguments":"{{}}"}},"extra_content":{{"google":{{"thought_signature":"Abc"}}}}}}]}},
        {{"role":"tool","tool_call_id":"{packed}","content":"1"}},{{"role":"tool","tool_call_id":"call_2","content":"2"}}]}}"#
    );
    let request = read(&json).unwrap();
    let mut target = Target::new("gemini-3");
    assert!(!written(&request, &target).0.contains("CiQ="), "to nobody else");
    target.needs_signatures = true;
    insta::assert_snapshot!(written(&request, &target).0, @r#"
model: "gemini-3"
messages:
  {"role":"user","content":"x"}
  {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"t","arguments":"{}"},"extra_content":{"google":{"thought_signature":"CiQ="}}},{"id":"call_2","type":"function","function":{"name":"t","arguments":"{}"},"extra_content":{"google":{"thought_signature":"Abc"}}}]}
  {"role":"tool","tool_call_id":"call_1","content":"1"}
  {"role":"tool","tool_call_id":"call_2","content":"2"}
"#);
}

#[test]
fn a_model_that_does_not_sample_is_not_told_to() {
    let mut target = Target::new("m");
    target.takes_sampling = false;
    let (json, lost) = written(&read(FULL).unwrap(), &target);
    assert!(!json.contains("temperature") && !json.contains("top_p") && !json.contains("logprobs"), "{json}");
    assert!(lost.contains(&Feature::Temperature) && lost.contains(&Feature::TopLogprobs));
}

#[test]
fn thinking_is_asked_for_as_the_target_understands_it() {
    let asked = |reasoning: Reasoning<'static>, target: &Target| {
        let mut request = Request::new(Protocol::Messages, "m");
        request.turns = vec![Turn::new(Role::User, vec![Block::text("x")])];
        request.reasoning = Some(reasoning);
        let (json, lost) = written(&request, target);
        let line = json.lines().find(|line| line.starts_with("reasoning")).unwrap_or_default().to_owned();
        (line, lost)
    };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let off = Reasoning { is_off: true, ..Reasoning::default() };
    let mut target = Target::new("m");
    assert_eq!(asked(effort(Effort::Max), &target).0, r#"reasoning_effort: "max""#);
    let budget = Reasoning { budget: Some(9000), ..Reasoning::default() };
    assert_eq!(asked(budget, &target).0, r#"reasoning_effort: "medium""#);
    assert_eq!(asked(off.clone(), &target), (String::new(), vec![Feature::ReasoningEffort]));
    target.efforts = vec![Effort::Low, Effort::High];
    assert_eq!(asked(effort(Effort::Max), &target).0, r#"reasoning_effort: "high""#);
    assert_eq!(asked(off.clone(), &target).0, r#"reasoning_effort: "low""#);
    target.takes_no_effort = true;
    assert_eq!(asked(off.clone(), &target), (r#"reasoning_effort: "none""#.to_owned(), vec![]));
    target.thinking = ThinkingStyle::None;
    assert_eq!(asked(off, &target), (String::new(), vec![]));
    assert_eq!(asked(effort(Effort::Low), &target), (String::new(), vec![Feature::ReasoningEffort]));
}

#[test]
fn json_is_asked_for_in_words_where_the_field_is_not_enough() {
    let mut request = Request::new(Protocol::Generate, "m");
    request.turns = vec![Turn::new(Role::User, vec![Block::text("x")])];
    request.output = Some(OutputFormat::Json);
    insta::assert_snapshot!(written(&request, &Target::new("m")).0, @r#"
model: "m"
messages:
  {"role":"system","content":"Answer with one JSON object and nothing else."}
  {"role":"user","content":"x"}
response_format: {"type":"json_object"}
"#);
    let schema = Raw(r#"{"type":"object"}"#.into());
    request.output = Some(OutputFormat::Schema { name: None, description: None, schema, strict: None });
    let mut target = Target::new("m");
    insta::assert_snapshot!(written(&request, &target).0, @r#"
model: "m"
messages:
  {"role":"user","content":"x"}
response_format: {"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}
"#);
    target.takes_schema = false;
    insta::assert_snapshot!(written(&request, &target).0, @r#"
model: "m"
messages:
  {"role":"system","content":"Answer with one JSON value that fits this JSON Schema, and nothing else:\n{\"type\":\"object\"}"}
  {"role":"user","content":"x"}
response_format: {"type":"json_object"}
"#);
}

#[test]
fn a_strict_schema_of_another_vendor_is_made_one_of_openais() {
    let mut request = claude();
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"number"}},"required":["a"]}"#;
    let tool = |strict| {
        Tool::new(ToolKind::Function {
            name: "look".into(),
            description: None,
            schema: Some(Raw(schema.into())),
            strict,
        })
    };
    request.tools = vec![tool(Some(true)), tool(None)];
    let (json, _) = written(&request, &openai());
    let tools: Vec<&str> = json.lines().filter(|line| line.contains("\"parameters\"")).collect();
    assert!(
        tools[0].contains("additionalProperties") && tools[0].contains(r#""required":["a","b"]"#),
        "{tools:?}"
    );
    assert!(tools[1].contains(schema), "{tools:?}");
}

#[test]
fn a_free_form_tool_is_a_function_where_there_are_none() {
    let request = read(FULL).unwrap();
    let (json, lost) = written(&request, &Target::new("m"));
    assert_eq!(lost, [Feature::OwnThinking]);
    assert!(!json.contains("\"custom\""), "{json}");
    assert!(
        json.contains(r#""function":{"name":"patch__tgfreeform","arguments":"{\"input\":\"*** Begin\"}"}"#),
        "{json}"
    );
    assert!(json.contains("Format of the input: "), "{json}");
}

#[test]
fn urls_are_refused_where_nobody_would_fetch_them() {
    let request = read(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}"#,
    )
    .unwrap();
    let mut target = Target::new("m");
    target.fetches_urls = false;
    let refused = encode_request(&request, &target, &mut Losses::default(), &mut Vec::new()).unwrap_err();
    assert!(refused.message.contains("base64"), "{refused}");
}

#[test]
fn a_turn_that_cannot_be_paired_is_refused() {
    let mut request = claude();
    request.turns[2].blocks.remove(0);
    let refused = encode_request(&request, &openai(), &mut Losses::default(), &mut Vec::new()).unwrap_err();
    assert!(refused.message.contains("no result"), "{refused}");
}

#[test]
fn text_is_borrowed_from_the_body() {
    let json = r#"{"model":"m","messages":[{"role":"user","content":"plain"}]}"#;
    let root: Node<'_> = parse(json, Duplicates::Refuse).unwrap();
    let request = decode_request(&root, Called::default()).unwrap();
    let BlockKind::Text { text, .. } = &request.turns[0].blocks[0].kind else { panic!() };
    assert!(matches!(text, std::borrow::Cow::Borrowed(_)));
}

#[test]
fn a_tool_loop_begun_elsewhere_has_thinking_at_every_call_for_deepseek() {
    let json = r#"{"model":"m","messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":"1"},
        {"role":"assistant","content":"","tool_calls":[{"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"b","content":"2"}]}"#;
    assert!(lacks_reasoning(json.as_bytes()));
    let root = parse(json, Duplicates::Refuse).unwrap();
    let request = decode_request(&root, Called::default()).unwrap();
    let (json, _) = written(&request, &echoing(ThinkingEcho::ReasoningContent));
    assert_eq!(json.matches(r#""reasoning_content":"","tool_calls""#).count(), 2, "{json}");
    let (json, _) = written(&request, &echoing(ThinkingEcho::None));
    assert!(!json.contains("reasoning_content"), "{json}");
}
