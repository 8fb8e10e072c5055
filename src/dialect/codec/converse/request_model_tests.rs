//! Requests, as far as they hang on the model.

use super::request_tests::{CLAUDE, asks, budget, call, encode, encode_for, lost, result, setting};
use crate::chat::*;

#[test]
fn history_with_tools_has_a_tool_config_even_where_none_are_offered() {
    let mut request = asks("go");
    request.turns.push(Turn::new(Role::Assistant, vec![call("a", "")]));
    request.turns.push(Turn::new(Role::User, vec![result("a", vec![])]));
    assert!(encode(&request).contains(
        r#""toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"A tool of earlier turns.","#
    ));
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(lost(&request, &Target::new(CLAUDE)), [Feature::ToolChoiceNone]);
    request.turns.truncate(1);
    request.tools.push(Tool::new(ToolKind::Function {
        name: "f".into(),
        description: None,
        schema: None,
        strict: None,
    }));
    assert!(!encode(&request).contains("toolConfig"), "no tools is what `none` means");
}

#[test]
fn thinking_goes_back_only_to_those_who_signed_it() {
    let thinking = |signature: Option<Signature<'static>>| {
        Block::new(BlockKind::Thinking(Thinking {
            text: "hm".into(),
            signature,
            is_summary: false,
            item_id: None,
        }))
    };
    let mut request = asks("go");
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![
            thinking(Some(Signature::new(Vendor::Anthropic, "sig"))),
            thinking(Some(Signature::new(Vendor::Gemini, "g"))),
            thinking(None),
            Block::new(BlockKind::Redacted(Signature::new(Vendor::Anthropic, "EtkECkgI"))),
            Block::text("ok"),
        ],
    ));
    request.turns.push(Turn::new(Role::User, vec![Block::text("more")]));
    let (written, losses) = encode_for(&request, &Target::new(CLAUDE));
    let written = written.unwrap();
    assert!(written.contains(r#""content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"reasoningContent":{"redactedContent":"RXRrRUNrZ0k="}},{"text":"ok"}]"#), "{written}");
    assert_eq!(losses.iter().map(|l| l.feature).collect::<Vec<_>>(), [Feature::ForeignThinking]);
    let (written, _) = encode_for(&request, &Target::new("us.amazon.nova-2-lite-v1:0"));
    assert!(!written.unwrap().contains("hm"));
    assert!(lost(&request, &Target::new("us.amazon.nova-2-lite-v1:0")).contains(&Feature::OwnThinking));
}

#[test]
fn each_maker_is_told_to_think_in_its_own_words() {
    let fields = |target: &Target, change: &dyn Fn(&mut Reasoning<'static>)| {
        let mut request = asks("go");
        let mut reasoning = Reasoning::default();
        change(&mut reasoning);
        request.reasoning = Some(reasoning);
        let written = encode_for(&request, target).0.unwrap();
        let start = written.find(r#""additionalModelRequestFields":"#);
        start.map_or(String::new(), |at| written[at + 31..written.len() - 1].to_owned())
    };
    let high = |reasoning: &mut Reasoning<'static>| reasoning.effort = Some(Effort::High);
    let to = Target::new;
    for (target, wanted) in [
        (budget(), r#"{"thinking":{"type":"enabled","budget_tokens":16384}}"#),
        (to(CLAUDE), r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#),
        (
            to("amazon.nova-2-lite-v1:0"),
            r#"{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}"#,
        ),
        (to("openai.gpt-oss-120b-1:0"), r#"{"reasoning_effort":"high"}"#),
        (to("us.openai.gpt-5.2"), r#"{"reasoning":{"effort":"high"}}"#),
        (to("qwen.qwen3-32b-v1:0"), r#"{"reasoning_config":"high"}"#),
        (to("us.meta.llama4-maverick-17b-instruct-v1:0"), ""),
    ] {
        assert_eq!(fields(&target, &high), wanted, "{}", target.model);
    }
    let tokens = |reasoning: &mut Reasoning<'static>| reasoning.budget = Some(3000);
    assert_eq!(fields(&budget(), &tokens), r#"{"thinking":{"type":"enabled","budget_tokens":3000}}"#);
    let off = |reasoning: &mut Reasoning<'static>| reasoning.is_off = true;
    assert_eq!(fields(&to(CLAUDE), &off), r#"{"thinking":{"type":"disabled"}}"#);
    assert_eq!(fields(&to("amazon.nova-2-lite-v1:0"), &off), r#"{"reasoningConfig":{"type":"disabled"}}"#);
    let adaptive = |reasoning: &mut Reasoning<'static>| reasoning.is_adaptive = true;
    assert_eq!(fields(&to(CLAUDE), &adaptive), r#"{"thinking":{"type":"adaptive"}}"#);
}

#[test]
fn what_thinking_excludes_is_a_declared_loss() {
    let mut request = asks("go");
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    request.settings = vec![
        setting(Feature::Temperature, "0.2"),
        setting(Feature::TopP, "0.5"),
        setting(Feature::TopK, "5"),
    ];
    assert_eq!(lost(&request, &budget()), [Feature::Temperature, Feature::TopP, Feature::TopK]);
    request.settings.clear();
    request.max_output = Some(500);
    assert_eq!(lost(&request, &budget()), [Feature::ReasoningEffort], "no room");
    request.max_output = Some(4000);
    let written = encode_for(&request, &budget()).0.unwrap();
    assert!(written.contains(r#""budget_tokens":3000"#), "{written}");
    request.max_output = None;
    request.tool_choice = Some(ToolChoice::Any);
    assert_eq!(lost(&request, &budget()), [Feature::ReasoningEffort], "a forced tool");
    request.tool_choice = None;
    request.turns.push(Turn::new(Role::Assistant, vec![call("a", "")]));
    request.turns.push(Turn::new(Role::User, vec![result("a", vec![])]));
    assert_eq!(lost(&request, &budget()), [Feature::ReasoningEffort], "the call's thinking is gone");
    assert_eq!(lost(&request, &Target::new(CLAUDE)), []);
}

#[test]
fn what_bedrock_lacks_is_reported_and_left_out() {
    let mut request = asks("go");
    request.settings = [
        Feature::Temperature,
        Feature::Seed,
        Feature::LogitBias,
        Feature::Logprobs,
        Feature::Choices,
        Feature::User,
        Feature::PresencePenalty,
    ]
    .map(|feature| setting(feature, "2"))
    .to_vec();
    let all = lost(&request, &Target::new(CLAUDE));
    assert_eq!(all.len(), 7, "{all:?}: also a temperature over one");
    assert_eq!(
        encode_for(&request, &Target::new(CLAUDE)).0.unwrap(),
        r#"{"messages":[{"role":"user","content":[{"text":"go"}]}]}"#
    );
    let mut sampling = asks("go");
    sampling.settings = vec![setting(Feature::Temperature, "1"), setting(Feature::TopP, "1")];
    let strict = Target { takes_sampling: false, ..Target::new(CLAUDE) };
    assert_eq!(lost(&sampling, &strict), [Feature::Temperature, Feature::TopP]);
}

#[test]
fn tiers_metadata_and_parallel_calls_have_bedrocks_words() {
    let mut request = asks("go");
    request.tools.push(Tool::new(ToolKind::Function {
        name: "f".into(),
        description: None,
        schema: None,
        strict: None,
    }));
    request.parallel_tools = Some(false);
    request.settings =
        vec![setting(Feature::ServiceTier, "\"priority\""), setting(Feature::Metadata, r#"{"team":"a b"}"#)];
    let written = encode(&request);
    assert!(
        written.contains(r#""serviceTier":{"type":"priority"},"requestMetadata":{"team":"a b"}"#),
        "{written}"
    );
    assert!(written.contains(r#""tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#));
    request.tool_choice = Some(ToolChoice::Any);
    assert_eq!(lost(&request, &Target::new(CLAUDE)), [Feature::ParallelTools]);
    request.settings =
        vec![setting(Feature::ServiceTier, "\"scale\""), setting(Feature::Metadata, r#"{"a":"(!)"}"#)];
    request.parallel_tools = None;
    assert_eq!(lost(&request, &Target::new(CLAUDE)), [Feature::ServiceTier, Feature::Metadata]);
    request.settings = vec![setting(Feature::ServiceTier, "\"auto\"")];
    assert!(!encode(&request).contains("serviceTier"));
}

#[test]
fn structured_output_is_bedrocks_own_or_a_forced_tool() {
    let schema = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;
    let mut request = asks("go");
    request.output = Some(OutputFormat::Schema {
        name: Some("City".into()),
        description: None,
        schema: Raw(schema.into()),
        strict: Some(true),
    });
    let written = encode(&request);
    assert!(written.contains(r#""outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"],\"additionalProperties\":false}","name":"City"}}}}"#), "{written}");
    let without = Target { takes_schema: false, ..Target::new(CLAUDE) };
    let written = encode_for(&request, &without).0.unwrap();
    assert!(written.contains(r#"{"name":"json_tidegate_output","#) && !written.contains("outputConfig"));
    assert!(written.contains(r#""toolChoice":{"tool":{"name":"json_tidegate_output"}}"#), "{written}");
    request.tools.push(Tool::new(ToolKind::Function {
        name: "f".into(),
        description: None,
        schema: None,
        strict: None,
    }));
    let written = encode_for(&request, &without).0.unwrap();
    assert!(written.contains(r#""toolChoice":{"any":{}}"#), "the tools stay callable: {written}");
    request.output = Some(OutputFormat::Json);
    request.tools.clear();
    assert!(encode(&request).contains(r#""inputSchema":{"json":{"type":"object","properties":{}}}"#));
    let tree =
        r##"{"$ref":"#/$defs/T","$defs":{"T":{"type":"object","properties":{"t":{"$ref":"#/$defs/T"}}}}}"##;
    request.output =
        Some(OutputFormat::Schema { name: None, description: None, schema: Raw(tree.into()), strict: None });
    let written = encode_for(&request, &Target::new(CLAUDE)).0;
    assert!(
        written.is_err() || written.unwrap().contains("json_tidegate_output"),
        "recursion is no strict schema"
    );
}

#[test]
fn free_form_tools_are_functions_under_a_marked_name() {
    let mut request = asks("go");
    request.tools.push(Tool::new(ToolKind::Custom {
        name: "apply_patch".into(),
        description: None,
        format: None,
    }));
    request.tool_choice = Some(ToolChoice::Tool("apply_patch".into()));
    let mut custom = call("a", "*** \"x\"");
    if let BlockKind::ToolUse(call) = &mut custom.kind {
        (call.is_custom, call.name) = (true, "apply_patch".into());
    }
    request.turns.push(Turn::new(Role::Assistant, vec![custom]));
    request.turns.push(Turn::new(Role::User, vec![result("a", vec![])]));
    let written = encode(&request);
    assert!(
        written.contains(
            r#"{"toolUse":{"toolUseId":"a","name":"apply_patch__tgfreeform","input":{"input":"*** \"x\""}}}"#
        ),
        "{written}"
    );
    assert!(written.contains(r#""toolChoice":{"tool":{"name":"apply_patch__tgfreeform"}}"#));
}

#[test]
fn cache_hints_become_points_where_the_model_caches() {
    let hint = |ttl_s| Some(CacheHint { ttl_s, extra: Extra::none() });
    let mut request = asks("go");
    request.turns[0].blocks[0].cache = hint(Some(3600));
    request.system.push(Block { cache: hint(Some(300)), ..Block::text("s") });
    let tool = ToolKind::Function { name: "f".into(), description: None, schema: None, strict: None };
    request.tools.push(Tool { cache: hint(None), ..Tool::new(tool) });
    let written = encode(&request);
    assert!(written.contains(r#"{"text":"go"},{"cachePoint":{"type":"default","ttl":"1h"}}"#));
    assert!(written.contains(r#"{"text":"s"},{"cachePoint":{"type":"default"}}"#), "{written}");
    assert!(written.contains(r#"}},{"cachePoint":{"type":"default"}}]}"#));
    let llama = Target::new("us.meta.llama4-maverick-17b-instruct-v1:0");
    assert!(!encode_for(&request, &llama).0.unwrap().contains("cachePoint"));
    assert_eq!(lost(&request, &llama).len(), 1, "one feature at one place");
    let nova = encode_for(&request, &Target::new("us.amazon.nova-pro-v1:0")).0.unwrap();
    assert_eq!(nova.matches("cachePoint").count(), 2, "Nova takes none among tools");
}

#[test]
fn results_and_unsigned_thinking_go_back_as_each_maker_wants_them() {
    let mut request = asks("go");
    let thinking = Thinking { text: "hm".into(), signature: None, is_summary: false, item_id: None };
    let said = vec![Block::new(BlockKind::Thinking(thinking)), call("a", ""), call("b", "")];
    request.turns.push(Turn::new(Role::Assistant, said));
    let results = vec![result("a", vec![Block::text("{\"x\":1}")]), result("b", vec![Block::text("[1]")])];
    request.turns.push(Turn::new(Role::User, results));
    let to = |model: &str| encode_for(&request, &Target::new(model)).0.unwrap();
    let mistral = to("mistral.mistral-large-2407-v1:0");
    assert!(mistral.contains(r#"[{"json":{"x":1}}]"#) && mistral.contains(r#"[{"json":{"result":"[1]"}}]"#));
    assert!(!mistral.contains("hm"));
    let deepseek = to("us.deepseek.r1-v1:0");
    assert!(deepseek.contains(r#"{"reasoningContent":{"reasoningText":{"text":"hm"}}}"#), "{deepseek}");
    assert!(deepseek.contains(r#"[{"text":"[1]"}]"#));
    assert_eq!(lost(&request, &Target::new("us.deepseek.r1-v1:0")), []);
    assert_eq!(lost(&request, &Target::new("us.deepseek.v3-v1:0")), [Feature::OwnThinking]);
}

#[test]
fn thinking_that_cannot_be_switched_off_is_a_declared_loss() {
    let mut request = asks("go");
    request.reasoning = Some(Reasoning { is_off: true, ..Reasoning::default() });
    assert_eq!(lost(&request, &Target::new("openai.gpt-oss-120b-1:0")), [Feature::ReasoningEffort]);
    assert_eq!(lost(&request, &Target::new(CLAUDE)), []);
}

#[test]
fn a_schema_with_a_map_is_asked_for_with_a_forced_tool() {
    let map =
        r#"{"type":"object","properties":{"m":{"type":"object","additionalProperties":{"type":"string"}}}}"#;
    let mut request = asks("go");
    request.output = Some(OutputFormat::Schema {
        name: None,
        description: None,
        schema: Raw(map.into()),
        strict: Some(true),
    });
    let written = encode(&request);
    assert!(!written.contains("outputConfig") && written.contains(map), "{written}");
    assert!(written.contains(r#""toolChoice":{"tool":{"name":"json_tidegate_output"}}"#), "{written}");
}
