use super::*;
use crate::framing::json::{Duplicates, parse};

const CLAUDE_CODE: &str = r#"{ "model" : "claude-sonnet-4-6", "max_tokens":32000,
 "system":[{"type":"text","text":"x-anthropic-billing-header: a","cache_control":{"type":"ephemeral","scope":"global"}},{"type":"text","text":"é\u00e9","cache_control":{"type":"ephemeral","ttl":"1h"}}],
 "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","cache_control":{"scope":"x","type":"ephemeral"}}]}]},{"role":"system","content":"now"}],
 "tools":[{"name":"Bash","eager_input_streaming":true,"input_schema":{"type":"object"},"input_examples":[{}]},{"defer_loading":true,"name":"B","input_schema":{"cache_control":{"scope":1}}}],
 "metadata":{"user_id":"u"}, "context_management":{"edits":[]},"output_config":{"effort":"high","task_budget":{"total":1}}, "diagnostics":{}, "stream":true , "unknown":1e400 }"#;

const BETAS: [&str; 7] = [
    "claude-code-20250219",
    "context-management-2025-06-27",
    "prompt-caching-scope-2026-01-05",
    "advanced-tool-use-2025-11-20",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "task-budgets-2026-03-13",
];

fn adapted(host: Host, names: &[&str], vouched: &[&str], body: &str) -> (Adapted, String) {
    let root = parse(body, Duplicates::Refuse).unwrap();
    let (adapted, body) = adapt_body(host, names, vouched, &root);
    let body = String::from_utf8(body).unwrap();
    parse(&body, Duplicates::Refuse).unwrap_or_else(|e| panic!("{e}: {body}"));
    (adapted, body)
}

#[test]
fn bedrock_gets_claude_code_without_what_it_refuses() {
    let (adapted, body) = adapted(Host::BedrockInvoke, &BETAS, &[], CLAUDE_CODE);
    assert_eq!(adapted.betas, ["context-management-2025-06-27", "tool-search-tool-2025-10-19"]);
    insta::assert_snapshot!(body, @r#"
    {"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-management-2025-06-27","tool-search-tool-2025-10-19"], "max_tokens":32000,
     "system":[{"type":"text","text":"x-anthropic-billing-header: a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"é\u00e9","cache_control":{"type":"ephemeral","ttl":"1h"}}],
     "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]},{"role":"user","content":"now"}],
     "tools":[{"name":"Bash","input_schema":{"type":"object"}},{"defer_loading":true,"name":"B","input_schema":{"cache_control":{"scope":1}}}],
     "metadata":{"user_id":"u"}, "context_management":{"edits":[]},"output_config":{"effort":"high"} , "unknown":1e400 }
    "#);
    assert_eq!(
        adapted.removed,
        [
            "claude-code-20250219",
            "prompt-caching-scope-2026-01-05",
            "advanced-tool-use-2025-11-20",
            "effort-2025-11-24",
            "fine-grained-tool-streaming-2025-05-14",
            "task-budgets-2026-03-13",
            "diagnostics",
            "output_config.task_budget",
            "tools[].eager_input_streaming",
            "tools[].input_examples",
            "cache_control.scope",
            "messages[].role=system",
        ]
    );
}

#[test]
fn a_field_without_its_beta_goes_as_the_beta_without_its_host_does() {
    let body = r#"{"model":"m","context_management":{"edits":[]},"mcp_servers":[],"tools":[{"defer_loading":true,"name":"B"}],"stream":true}"#;
    let (adapted_vertex, vertex) = adapted(Host::Vertex, &["mcp-client-2025-11-20"], &[], body);
    assert_eq!(vertex, r#"{"anthropic_version":"vertex-2023-10-16","tools":[{"name":"B"}],"stream":true}"#);
    assert_eq!(
        adapted_vertex.removed,
        ["mcp-client-2025-11-20", "context_management", "mcp_servers", "tools[].defer_loading"]
    );
    let (vouched, kept) = adapted(Host::Vertex, &["mcp-client-2025-11-20"], &["mcp-client-2025-11-20"], body);
    assert_eq!(vouched.betas, ["mcp-client-2025-11-20"]);
    assert!(kept.contains("mcp_servers"));
}

#[test]
fn the_older_word_for_a_schema_is_the_newer_one() {
    for (body, expected) in [
        (
            r#"{"model":"m","output_format":{"type":"json_schema"}}"#,
            r#"{"anthropic_version":"vertex-2023-10-16","output_config":{"format":{"type":"json_schema"}}}"#,
        ),
        (
            r#"{"output_config":{"effort":"low"},"output_format":{"a":1},"x":1}"#,
            r#"{"anthropic_version":"vertex-2023-10-16","output_config":{"format":{"a":1},"effort":"low"},"x":1}"#,
        ),
        (
            r#"{"output_config":{"format":{"b":1}},"output_format":{"a":1}}"#,
            r#"{"anthropic_version":"vertex-2023-10-16","output_config":{"format":{"b":1}}}"#,
        ),
        ("{}", r#"{"anthropic_version":"vertex-2023-10-16"}"#),
    ] {
        assert_eq!(adapted(Host::Vertex, &["structured-outputs-2025-11-13"], &[], body).1, expected);
    }
}

#[test]
fn anthropic_gets_everything() {
    let (adapted, body) = adapted(Host::Anthropic, &BETAS, &[], CLAUDE_CODE);
    assert_eq!(body, CLAUDE_CODE);
    assert_eq!((adapted.betas.len(), adapted.removed.len()), (BETAS.len(), 0));
}

#[test]
fn members_are_cut_wherever_they_stand() {
    for (json, cut, rest) in [
        (r#"{"a":1,"b":2,"c":3}"#, "a", r#"{"b":2,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "b", r#"{"a":1,"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "c", r#"{"a":1,"b":2}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "ab", r#"{"c":3}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "bc", r#"{"a":1}"#),
        (r#"{"a":1,"b":2,"c":3}"#, "ac", r#"{"b":2}"#),
        (r#"{ "a" : 1 , "b" : 2 }"#, "ab", "{ }"),
        (r#"{ "a" : 1 , "b" : 2 }"#, "a", r#"{ "b" : 2 }"#),
    ] {
        let node = parse(json, Duplicates::Refuse).unwrap();
        let changes = remove_members(&node, |key| cut.contains(key));
        assert_eq!(apply(json.as_bytes(), &changes), rest.as_bytes(), "{json} without {cut}");
    }
}
