//! Parameters, tools, media and hosts of requests.

use super::request_tests::{
    FULL, chat, decode, encode, features, function, refused, result, setting, target, user,
};
use super::*;
use crate::chat::{
    Block, BlockKind, CacheHint, Effort, Extra, Feature, Losses, Media, OutputFormat, Raw, Reasoning,
    Request, Role, Source, Target, ThinkingStyle, Tool, ToolChoice, ToolKind, ToolUse, Turn,
};
use crate::types::Protocol;

#[test]
fn effort_and_budget_are_said_in_the_models_words() {
    let ask = |reasoning| Request { reasoning: Some(reasoning), ..chat(vec![user("x")]) };
    let effort = || Reasoning { effort: Some(Effort::High), ..Reasoning::default() };
    let (json, losses) = encode(&ask(effort()), &target());
    assert!(
        json.ends_with(
            r#""thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"high"}}"#
        ),
        "{json}"
    );
    assert!(losses.is_empty());
    let older = Target { thinking: ThinkingStyle::Budget, ..target() };
    let mut request = ask(effort());
    request.settings = vec![setting(Feature::Temperature, "0.5"), setting(Feature::TopK, "3")];
    let (json, losses) = encode(&request, &older);
    assert!(
        json.contains(r#""max_tokens":24576"#)
            && json.ends_with(r#""thinking":{"type":"enabled","budget_tokens":16384}}"#),
        "{json}"
    );
    assert_eq!(features(&losses), [Feature::Temperature, Feature::TopK]);
    let none = Target { thinking: ThinkingStyle::None, ..target() };
    assert_eq!(features(&encode(&ask(effort()), &none).1), [Feature::ReasoningEffort]);
}

#[test]
fn sampling_is_left_out_where_the_model_takes_none() {
    let mut request = chat(vec![user("x")]);
    request.settings = vec![
        setting(Feature::Temperature, "0.2"),
        setting(Feature::TopP, "0.9"),
        setting(Feature::TopK, "3"),
    ];
    let newest = Target { takes_sampling: false, ..target() };
    let (json, losses) = encode(&request, &newest);
    assert!(!json.contains("temperature") && !json.contains("top_"));
    assert_eq!(features(&losses), [Feature::Temperature, Feature::TopP, Feature::TopK]);
    let (json, losses) = encode(&request, &target());
    assert!(json.ends_with(r#""temperature":0.2,"top_k":3}"#), "{json}");
    assert_eq!(features(&losses), [Feature::TopP]);
    request.settings = vec![setting(Feature::Temperature, "1"), setting(Feature::TopP, "0.9")];
    let (json, losses) = encode(&request, &target());
    assert!(json.ends_with(r#""top_p":0.9}"#) && losses.is_empty(), "{json}");
}

#[test]
fn a_schema_goes_natively_or_as_a_forced_tool() {
    let schema = Raw(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#.into());
    let format = OutputFormat::Schema { name: Some("dog".into()), description: None, schema, strict: None };
    let mut request = Request { output: Some(format), ..chat(vec![user("x")]) };
    let (json, _) = encode(&request, &target());
    assert!(json.ends_with(r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}}}}"#), "{json}");
    let older = Target { takes_schema: false, thinking: ThinkingStyle::Budget, ..target() };
    let (json, losses) = encode(&request, &older);
    assert!(json.contains(r#""tools":[{"name":"json_tidegate_output","description":"Takes the final answer, a dog.","input_schema":{"type":"object","properties":{"a":{"type":"integer"}}}}],"tool_choice":{"type":"tool","name":"json_tidegate_output","disable_parallel_tool_use":true}"#), "{json}");
    assert!(losses.is_empty());
    request.tools = vec![function("f")];
    assert!(encode(&request, &older).0.contains(r#""tool_choice":{"type":"any"}"#));
    request.reasoning = Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() });
    let (json, _) = encode(&request, &older);
    assert!(
        json.contains(r#""tool_choice":{"type":"auto"},"system":"Give your final answer only by calling"#),
        "{json}"
    );
    request.output = Some(OutputFormat::Json);
    assert!(encode(&request, &older).0.contains(r#""system":"Answer with one JSON object"#));
}

#[test]
fn a_recursive_schema_or_a_map_takes_the_tool() {
    for schema in [
        r##"{"type":"object","properties":{"child":{"$ref":"#"}}}"##,
        r#"{"type":"object","additionalProperties":{"type":"number"}}"#,
    ] {
        let schema = Raw(schema.into());
        let format = OutputFormat::Schema { name: None, description: None, schema, strict: None };
        let request = Request { output: Some(format), ..chat(vec![user("x")]) };
        assert!(encode(&request, &target()).0.contains(r#""name":"json_tidegate_output""#));
    }
}

#[test]
fn free_form_tools_are_offered_as_functions() {
    let patch = Tool::new(ToolKind::Custom {
        name: "apply_patch".into(),
        description: Some("Patches.".into()),
        format: Some(Raw(r#"{"type":"grammar"}"#.into())),
    });
    let mut request = chat(vec![
        user("x"),
        Turn::new(
            Role::Assistant,
            vec![Block::new(BlockKind::ToolUse(ToolUse {
                id: "c".into(),
                name: "apply_patch".into(),
                arguments: "*** \"x\"\n".into(),
                is_custom: true,
                signature: None,
            }))],
        ),
        Turn::new(Role::User, vec![result("c", "done")]),
    ]);
    request.tools = vec![patch];
    request.tool_choice = Some(ToolChoice::Tool("apply_patch".into()));
    let (json, losses) = encode(&request, &target());
    assert!(json.contains(r#"{"name":"apply_patch__tgfreeform","description":"Patches.\n\nFormat of the input: {\"type\":\"grammar\"}","input_schema":{"type":"object","properties":{"input""#), "{json}");
    assert!(json.contains(r#""tool_choice":{"type":"tool","name":"apply_patch__tgfreeform"}"#), "{json}");
    assert!(json.contains(r#""name":"apply_patch__tgfreeform","input":{"input":"*** \"x\"\n"}"#), "{json}");
    assert!(losses.is_empty());
}

#[test]
fn of_the_allowed_tools_only_those_are_offered() {
    let mut request = chat(vec![user("x")]);
    request.tools = vec![
        function("f"),
        function("g"),
        Tool::new(ToolKind::Hosted {
            of: Protocol::Responses,
            kind: "web_search".into(),
            json: Raw("{}".into()),
        }),
    ];
    request.tool_choice = Some(ToolChoice::Allowed { names: vec!["g".into()], must_call: true });
    let (json, losses) = encode(&request, &target());
    assert!(
        json.contains(r#""tools":[{"name":"g""#) && json.contains(r#""tool_choice":{"type":"any"}"#),
        "{json}"
    );
    assert_eq!(features(&losses), [Feature::HostedTools]);
    request.tools = vec![function("a.b")];
    request.tool_choice = None;
    assert!(refused(&request, &target()).message.contains("tool names"));
}

#[test]
fn media_is_what_claude_reads_or_is_refused() {
    let media = |source, mime: Option<&'static str>| Media {
        source,
        mime: mime.map(Into::into),
        name: Some("n".into()),
        detail: None,
    };
    let base64 = |data: &'static str| Source::Base64(data.into());
    let ask = |kind| chat(vec![Turn::new(Role::User, vec![Block::new(kind)])]);
    for (kind, expected) in [
        (
            BlockKind::Image(media(base64("/9j/4AA"), None)),
            r#"{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"/9j/4AA"}}"#,
        ),
        (
            BlockKind::Image(media(Source::Url("https://x/y.png".into()), None)),
            r#"{"type":"image","source":{"type":"url","url":"https://x/y.png"}}"#,
        ),
        (
            BlockKind::Document(media(base64("aGkgw6k="), Some("text/csv; charset=utf-8"))),
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hi é"},"title":"n"}"#,
        ),
        (
            BlockKind::Document(media(base64("JVBERi0x"), None)),
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0x"},"title":"n"}"#,
        ),
    ] {
        let (json, _) = encode(&ask(kind), &target());
        assert!(json.contains(expected), "{json}");
    }
    let no_fetch = Target { fetches_urls: false, ..target() };
    for (kind, target, word) in [
        (BlockKind::Image(media(base64("AA=="), Some("image/bmp"))), &target(), "not image/bmp"),
        (
            BlockKind::Document(media(base64("AA=="), Some("application/msword"))),
            &target(),
            "not application/msword",
        ),
        (BlockKind::Image(media(Source::Url("https://x".into()), None)), &no_fetch, "base64"),
        (BlockKind::Audio(media(base64("AA=="), None)), &target(), "sound"),
        (
            BlockKind::Image(media(Source::File { of: Protocol::Chat, id: "file-1".into() }, None)),
            &target(),
            "another vendor",
        ),
    ] {
        let refused = refused(&ask(kind), target);
        assert!(refused.message.contains(word), "{} lacks {word}", refused.message);
    }
}

#[test]
fn of_too_many_cache_hints_the_last_four_stay() {
    let hint = |text: &'static str, ttl_s| Block {
        cache: Some(CacheHint { ttl_s, extra: Extra::none() }),
        ..Block::text(text)
    };
    let blocks = vec![
        hint("a", None),
        hint("b", Some(3600)),
        hint("c", Some(1800)),
        hint("d", None),
        hint("e", None),
        hint("f", None),
    ];
    let (json, losses) = encode(&chat(vec![Turn::new(Role::User, blocks)]), &target());
    assert_eq!(json.matches("cache_control").count(), 4);
    assert!(json.contains(r#"{"type":"text","text":"b"},{"type":"text","text":"c","cache_control":{"type":"ephemeral","ttl":"5m"}}"#), "{json}");
    assert_eq!(features(&losses), [Feature::CacheHints]);
}

#[test]
fn hosts_get_their_dress_and_not_what_they_refuse() {
    let request = decode(FULL);
    let write = |host, betas: &[&str]| {
        let (mut losses, mut out) = (Losses::default(), Vec::new());
        encode_request_for(host, betas, &request, &target(), &mut losses, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), losses)
    };
    let (bedrock, losses) = write(Host::BedrockInvoke, &["context-management-2025-06-27"]);
    assert!(bedrock.starts_with(r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-management-2025-06-27"],"max_tokens""#), "{bedrock}");
    assert!(bedrock.contains(r#""context_management":{"edits":[]}"#));
    for refused in [
        "\"model\"",
        "\"stream\"",
        "scope",
        "eager_input",
        "mcp_servers",
        "task_budget",
        "service_tier",
        "\"role\":\"system\"",
    ] {
        assert!(!bedrock.contains(refused), "{refused}: {bedrock}");
    }
    let names: Vec<&str> = losses.all().iter().filter_map(|loss| loss.name.as_deref()).collect();
    assert_eq!(names, ["eager_input_streaming", "scope", "output_config.task_budget", "mcp_servers"]);
    let (vertex, _) = write(Host::Vertex, &[]);
    assert!(
        vertex.starts_with(r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":32000,"stream":true"#)
    );
    assert!(!vertex.contains("\"model\"") && !vertex.contains("context_management"));
}

#[test]
fn a_choice_at_the_root_of_a_tools_schema_is_merged_and_told() {
    let mut request = chat(vec![user("x")]);
    request.tools = vec![Tool::new(ToolKind::Function {
        name: "f".into(),
        description: None,
        schema: Some(Raw(
            r#"{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"string"}},"required":["b"]}]}"#
                .into(),
        )),
        strict: None,
    })];
    let (json, losses) = encode(&request, &target());
    assert!(json.contains(r#""input_schema":{"type":"object","properties":{"a":"#), "{json}");
    assert_eq!(features(&losses), [Feature::SchemaConstraint]);
    assert_eq!(losses.all()[0].name.as_deref(), Some("anyOf"));
}

#[test]
fn a_user_who_says_nothing_is_refused_by_place() {
    let places = crate::framing::json::parse("[0,1,2]", crate::framing::json::Duplicates::Refuse).unwrap();
    let at =
        |turn: Turn<'static>, place: usize| Turn { at: crate::chat::At::of(&places.items()[place]), ..turn };
    let said = |role, text: &'static str| Turn::new(role, vec![Block::text(text)]);
    let only = chat(vec![at(Turn::new(Role::User, vec![]), 1)]);
    assert_eq!(refused(&only, &target()).at, only.turns[0].at);
    let first = chat(vec![at(user(" "), 0), said(Role::Assistant, "hello"), user("hi")]);
    assert_eq!(refused(&first, &target()).at, first.turns[0].at);
    // Left out, it would leave the assistant's words for Claude to go on with.
    let last = chat(vec![user("hi"), said(Role::Assistant, "hello"), at(user(""), 2)]);
    assert_eq!(refused(&last, &target()).at, last.turns[2].at);
}
