//! Clients' requests: read, written again, refused.

use super::testing::{lines, node, target};
use super::{Stored, decode_request, echo, echo_stored, encode_request, stored};
use crate::chat::{Block, Losses, Refused, Request, Role, ToolChoice};
use crate::dialect::codec::Called;
use crate::framing::json::path_at;

const FULL: &str = r#"{
  "model": "gpt-x", "instructions": "Be brief.", "stream": true, "max_output_tokens": 99,
  "input": [
    {"role": "developer", "content": "Speak Latin."},
    {"role": "user", "content": "Hi"},
    {"type": "message", "role": "user", "content": [
      {"type": "input_text", "text": "See:", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
      {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"},
      {"type": "input_image", "file_id": "file-1"},
      {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
      {"type": "input_file", "file_url": "https://x.test/a.pdf"},
      {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}], "encrypted_content": "gAAA"},
    {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "phase": "commentary", "content": [
      {"type": "output_text", "text": "Look", "annotations": [{"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 4}]},
      {"type": "refusal", "refusal": "no"}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get", "arguments": "{\"n\":1.0}", "namespace": "ns"},
    {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "*** \"x\""},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
    {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    {"type": "custom_tool_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "done"}, {"type": "input_image", "image_url": "https://x.test/i.png"}]},
    {"type": "item_reference", "id": "msg_0"},
    {"role": "system", "content": "Now English."}
  ],
  "tools": [
    {"type": "function", "name": "get", "description": "gets", "parameters": {"type": "object", "properties": {"n": {"type": "number"}}}, "strict": true, "defer_loading": true},
    {"type": "function", "function": {"name": "nested", "parameters": {"type": "object"}}},
    {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
    {"type": "web_search", "search_context_size": "low"}, {"type": "local_shell"}
  ],
  "tool_choice": {"type": "function", "name": "get"}, "parallel_tool_calls": false,
  "reasoning": {"effort": "low", "summary": "auto", "context": "all_turns"},
  "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": true}, "verbosity": "low", "new": 1},
  "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"],
  "store": false, "temperature": 0.50, "top_p": 1, "top_logprobs": 2, "truncation": "auto",
  "metadata": {"k": "v"}, "service_tier": "flex", "safety_identifier": "u", "user": "v",
  "prompt_cache_key": "p", "background": true, "max_tool_calls": 3, "prompt": {"id": "pmpt_1"},
  "previous_response_id": "resp_1"
}"#;

fn decoded(json: &str) -> Request<'_> {
    decode_request(&node(json), Called::default()).unwrap_or_else(|e| panic!("{e}: {json}"))
}

fn refused(json: &str) -> (String, String) {
    let refused: Refused = decode_request(&node(json), Called::default()).unwrap_err();
    let path = refused.at.offset().and_then(|at| path_at(json.as_bytes(), at));
    (path.unwrap_or_default(), refused.message)
}

fn encoded(request: &Request<'_>) -> (String, Losses) {
    let mut losses = Losses::default();
    let mut out = Vec::new();
    encode_request(request, &target(), &mut losses, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), losses)
}

#[test]
fn a_full_request_is_written_again() {
    let request = decoded(FULL);
    let (json, losses) = encoded(&request);
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(decoded(&json), request);
    insta::assert_snapshot!(lines(&json), @r##"
    model: "gpt-x"
    input:
      {"type":"message","role":"system","content":[{"type":"input_text","text":"Be brief."},{"type":"input_text","text":"Speak Latin."}]}
      {"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_text","text":"See:","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}},{"type":"input_image","image_url":"data:image/png;base64,iVBO","detail":"low"},{"type":"input_image","file_id":"file-1"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"},{"type":"input_file","file_url":"https://x.test/a.pdf"},{"type":"input_audio","input_audio":{"data":"UklG","format":"mp3"}}]}
      {"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a\n\nb"}],"encrypted_content":"gAAA"}
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Look","annotations":[{"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 4}]},{"type":"refusal","refusal":"no"}],"phase":"commentary"}
      {"type":"function_call","call_id":"call_1","name":"get","arguments":"{\"n\":1.0}","namespace":"ns"}
      {"type":"custom_tool_call","call_id":"call_2","name":"patch","input":"*** \"x\""}
      {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
      {"type":"function_call_output","call_id":"call_1","output":"1"}
      {"type":"custom_tool_call_output","call_id":"call_2","output":[{"type":"input_text","text":"done"},{"type":"input_image","image_url":"https://x.test/i.png"}]}
      {"type": "item_reference", "id": "msg_0"}
      {"type":"message","role":"system","content":[{"type":"input_text","text":"Now English."}]}
    tools:
      {"type":"function","name":"get","description":"gets","parameters":{"type": "object", "properties": {"n": {"type": "number"}}},"strict":true,"defer_loading":true}
      {"type":"function","name":"nested","parameters":{"type": "object"}}
      {"type":"custom","name":"patch","format":{"type": "grammar", "syntax": "lark", "definition": "start: x"}}
      {"type": "web_search", "search_context_size": "low"}
      {"type": "local_shell"}
    tool_choice: {"type":"function","name":"get"}
    parallel_tool_calls: false
    max_output_tokens: 99
    reasoning: {"effort":"low","summary":"auto","context":"all_turns"}
    temperature: 0.50
    top_p: 1
    top_logprobs: 2
    metadata: {"k": "v"}
    service_tier: "flex"
    prompt_cache_key: "p"
    safety_identifier: "u"
    truncation: "auto"
    store: false
    text: {"format":{"type":"json_schema","name":"a","schema":{"type": "object"},"strict":true},"verbosity":"low","new":1}
    include:
      "reasoning.encrypted_content"
      "message.output_text.logprobs"
      "file_search_call.results"
    stream: true
    max_tool_calls: 3
    prompt: {"id": "pmpt_1"}
    previous_response_id: "resp_1"
    user: "v"
    background: true
    "##);
}

#[test]
fn a_minimal_request_is_written_again() {
    let request = decoded(r#"{"model":"m","input":"Hi"}"#);
    let (json, losses) = encoded(&request);
    assert!(losses.is_empty(), "{losses:?}");
    insta::assert_snapshot!(json, @r##"{"model":"gpt-x","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}],"stream":false}"##);
}

#[test]
fn a_full_request_has_its_turns() {
    let request = decoded(FULL);
    let roles: Vec<(Role, usize)> = request.turns.iter().map(|turn| (turn.role, turn.blocks.len())).collect();
    assert_eq!(
        roles,
        [(Role::User, 7), (Role::Assistant, 6), (Role::User, 2), (Role::Assistant, 1), (Role::System, 1)]
    );
    let system: Vec<&str> = request.system.iter().filter_map(Block::as_text).collect();
    assert_eq!(system, ["Be brief.", "Speak Latin."]);
    let names: Vec<&str> = request.extra.fields.iter().map(|field| field.name.as_ref()).collect();
    assert_eq!(
        names,
        ["max_tool_calls", "prompt", "previous_response_id", "user", "text.new", "include", "background"]
    );
    assert!(request.is_stream && request.wants_usage);
    assert_eq!(request.turns[0].blocks[1].cache.as_ref().unwrap().ttl_s, Some(1800));
}

#[test]
fn what_codex_sends_every_time_is_nothing_unknown() {
    let request = decoded(
        r#"{"model":"gpt-x","instructions":"You are Codex","input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"x"}]},{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}],"tools":[{"type":"function","name":"exec_command","description":"d","strict":false,"parameters":{"type":"object","properties":{}}},{"type":"custom","name":"apply_patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"start: a"}},{"type":"web_search","external_web_access":false}],"tool_choice":"auto","parallel_tool_calls":false,"reasoning":{"effort":"medium","summary":"auto"},"store":false,"stream":true,"include":["reasoning.encrypted_content"],"prompt_cache_key":"k","text":{"verbosity":"low"},"stream_options":{"include_obfuscation":false}}"#,
    );
    assert!(request.extra.is_empty(), "{:?}", request.extra);
    assert!(request.turns.iter().all(|turn| turn.extra.is_empty()));
}

#[test]
fn references_are_shown_to_a_store_and_go_on_to_who_speaks_responses() {
    let json = r#"{"model":"m","input":[],"previous_response_id":"resp_1","conversation":{"id":"conv_1"},"store":false}"#;
    let stored = stored(&node(json));
    assert_eq!(stored.previous_response_id.as_deref(), Some("resp_1"));
    assert_eq!(stored.conversation.as_deref(), Some("conv_1"));
    assert!(!stored.store);
    let (written, losses) = encoded(&decoded(json));
    assert!(losses.is_empty());
    assert!(
        written.contains(r#""previous_response_id":"resp_1","conversation":{"id":"conv_1"}"#),
        "{written}"
    );
    assert_eq!(super::stored(&node(r#"{"conversation":"conv_2"}"#)).conversation.as_deref(), Some("conv_2"));
    assert_eq!(super::stored(&node("{}")), Stored::NONE);
}

#[test]
fn tool_choices_are_understood_flat_and_nested() {
    let choice = |json: &str| {
        let body = format!(r#"{{"model":"m","input":"x","tool_choice":{json}}}"#);
        decoded(&body).tool_choice.map(|choice| format!("{choice:?}")).unwrap_or_default()
    };
    let said = |choice: ToolChoice<'_>| format!("{choice:?}");
    for word in ["auto", r#"{"type":"auto"}"#] {
        let word = if word.starts_with('{') { word.to_owned() } else { format!("\"{word}\"") };
        assert_eq!(choice(&word), said(ToolChoice::Auto));
    }
    assert_eq!(choice(r#""none""#), said(ToolChoice::None));
    for any in [r#""required""#, r#"{"type":"required"}"#, r#"{"type":"any"}"#] {
        assert_eq!(choice(any), said(ToolChoice::Any));
    }
    for one in [
        r#"{"type":"function","name":"f"}"#,
        r#"{"type":"function","function":{"name":"f"}}"#,
        r#"{"type":"custom","custom":{"name":"f"}}"#,
        r#"{"type":"tool","name":"f"}"#,
    ] {
        assert!(choice(one).starts_with("Tool("), "{one}");
    }
    for some in [
        r#"{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"}]}"#,
        r#"{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}}"#,
    ] {
        assert_eq!(choice(some), said(ToolChoice::Allowed { names: vec!["f".into()], must_call: true }));
    }
    assert!(choice(r#"{"type":"web_search"}"#).starts_with("Opaque"));
    assert!(choice(r#"{"type":"allowed_tools","tools":[{"type":"mcp"}]}"#).starts_with("Opaque"));
}

#[test]
fn wrong_requests_are_refused_where_they_are_wrong() {
    for (json, path, message) in [
        (r#"{"input":"x"}"#, "", "`model` is missing here"),
        (r#"{"model":1,"input":"x"}"#, "model", "this must be a string, not a number"),
        (r#"{"model":"m","input":7}"#, "input", "this must be a string or an array of items, not a number"),
        (
            r#"{"model":"m","input":[{"role":"robot","content":""}]}"#,
            "input[0].role",
            "a role is one of user, assistant, system, developer",
        ),
        (r#"{"model":"m","input":[{"content":"x"}]}"#, "input[0]", "an item needs a `type` or a `role`"),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}"#,
            "input[0].content[0]",
            "an image needs `image_url` or `file_id`",
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"ftp://x"}]}]}"#,
            "input[0].content[0].image_url",
            "this must be an http, https or data URL",
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}"#,
            "input[0].content[0]",
            "`text` is missing here",
        ),
        (
            r#"{"model":"m","input":[{"type":"function_call","name":"f"}]}"#,
            "input[0]",
            "`call_id` is missing here",
        ),
        (r#"{"model":"m","input":"x","tools":{}}"#, "tools", "this must be an array, not an object"),
        (r#"{"model":"m","input":"x","tools":[{"type":"function"}]}"#, "tools[0]", "`name` is missing here"),
        (
            r#"{"model":"m","input":"x","tool_choice":"maybe"}"#,
            "tool_choice",
            "a tool choice is one of auto, none, required, or an object",
        ),
        (
            r#"{"model":"m","input":"x","reasoning":{"effort":"huge"}}"#,
            "reasoning.effort",
            "an effort is one of none, minimal, low, medium, high, xhigh, max",
        ),
        (
            r#"{"model":"m","input":"x","temperature":"warm"}"#,
            "temperature",
            "this must be a number, not a string",
        ),
        (
            r#"{"model":"m","input":"x","text":{"format":{"type":"json_schema"}}}"#,
            "text.format",
            "`schema` is missing here",
        ),
        (
            r#"{"model":"m","input":"x","max_output_tokens":-1}"#,
            "max_output_tokens",
            "this must be a whole number, not a number",
        ),
    ] {
        assert_eq!(refused(json), (path.to_owned(), message.to_owned()), "{json}");
    }
}

#[test]
fn an_answer_repeats_the_request() {
    let request = decoded(FULL);
    let stored = stored(&node(FULL));
    let json = format!("{{{}}}", echo_stored(&request, &stored));
    insta::assert_snapshot!(lines(&json), @r##"
    instructions: "Be brief."
    max_output_tokens: 99
    metadata: {"k": "v"}
    parallel_tool_calls: false
    previous_response_id: "resp_1"
    reasoning: {"effort":"low","summary":"auto"}
    store: false
    temperature: 0.50
    text: {"format":{"type":"json_schema","name":"a","schema":{"type": "object"},"strict":true},"verbosity":"low"}
    tool_choice: {"type":"function","name":"get"}
    tools:
      {"type":"function","name":"get","description":"gets","parameters":{"type": "object", "properties": {"n": {"type": "number"}}},"strict":true,"defer_loading":true}
      {"type":"function","name":"nested","parameters":{"type": "object"}}
      {"type":"custom","name":"patch","format":{"type": "grammar", "syntax": "lark", "definition": "start: x"}}
      {"type": "web_search", "search_context_size": "low"}
      {"type": "local_shell"}
    top_p: 1
    truncation: "auto"
    top_logprobs: 2
    prompt_cache_key: "p"
    safety_identifier: "u"
    "##);
    let least = format!("{{{}}}", echo(&decoded(r#"{"model":"m","input":"x"}"#)));
    insta::assert_snapshot!(least, @r##"{"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":true,"temperature":1,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_p":1,"truncation":"disabled"}"##);
}
