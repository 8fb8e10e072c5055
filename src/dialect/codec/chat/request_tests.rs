//! Requests, read and written.

use super::*;
use crate::chat::{Feature, Losses, Refused, Request, Target, ThinkingEcho, Tool, ToolChoice};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse};

/// One member a line, list elements too.
pub(super) fn lines(json: &str) -> String {
    let root = parse(json, Duplicates::Refuse).unwrap();
    let mut out = String::new();
    for (key, value) in root.entries() {
        if value.items().is_empty() {
            out.push_str(&format!("{key}: {}\n", value.raw()));
            continue;
        }
        out.push_str(&format!("{key}:\n"));
        value.items().iter().for_each(|item| out.push_str(&format!("  {}\n", item.raw())));
    }
    out
}

pub(super) fn read(json: &str) -> Result<Request<'_>, Refused> {
    let root = parse(json, Duplicates::Refuse).unwrap();
    decode_request(&root, Called::default())
}

pub(super) fn written(request: &Request<'_>, target: &Target) -> (String, Vec<Feature>) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    encode_request(request, target, &mut losses, &mut out).unwrap();
    let lost = losses.all().iter().map(|loss| loss.feature).collect();
    (lines(std::str::from_utf8(&out).unwrap()), lost)
}

/// What is wrong with a request, and at which text of it.
fn refused(json: &str) -> (String, String) {
    let refused = read(json).unwrap_err();
    let at = refused.at.offset().unwrap() as usize;
    (crate::framing::json::path_at(json.as_bytes(), at as u32).unwrap_or_default(), refused.message)
}

pub(super) fn openai() -> Target {
    let mut target = Target::new("gpt-6");
    target.has_developer_role = true;
    target.has_completion_limit = true;
    target.takes_custom_tools = true;
    target
}

pub(super) const FULL: &str = r#"{"model":"alias","messages":[
 {"role":"developer","content":"Be brief."},
 {"role":"user","name":"ann","content":[{"type":"text","text":"Look:"},
   {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K","detail":"low"}},
   {"type":"image_url","image_url":{"url":"https://x/y.jpg"}},
   {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"mp3"}},
   {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},
   {"type":"file","file":{"file_id":"file-1"}},
   {"type":"new_thing","x":[1]}]},
 {"role":"assistant","content":null,"reasoning_content":"Hm.","tool_calls":[
   {"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"q\": 1.0}"}},
   {"id":"call_2","type":"custom","custom":{"name":"patch","input":"*** Begin"}}]},
 {"role":"tool","tool_call_id":"call_1","content":"seen"},
 {"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"done"}]},
 {"role":"user","content":"Go on."},
 {"role":"system","content":"New rule."}],
 "tools":[{"type":"function","function":{"name":"look","description":"Looks","parameters":{"type":"object","properties":{"q":{"type":"number"}}},"strict":true}},
  {"type":"function","function":{"name":"none"}},
  {"type":"custom","custom":{"name":"patch","description":"Patches","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"a"}}}},
  {"type":"web_search"}],
 "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"look"}},{"type":"custom","custom":{"name":"patch"}}]}},
 "parallel_tool_calls":false,
 "response_format":{"type":"json_schema","json_schema":{"name":"out","description":"d","schema":{"type":"object"},"strict":true}},
 "reasoning_effort":"high","max_completion_tokens":100,"stop":["a","b"],"temperature":0.50,"top_p":1,"frequency_penalty":0,
 "presence_penalty":0.1,"seed":9007199254740993,"logit_bias":{"50256":-100},"logprobs":true,"top_logprobs":2,"n":2,
 "user":"u1","safety_identifier":"s1","metadata":{"a":"b"},"service_tier":"flex","verbosity":"low","store":true,
 "prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{"mode":"implicit"},
 "prediction":{"type":"content","content":"p"},"modalities":["text","audio"],"audio":{"voice":"alloy","format":"mp3"},
 "web_search_options":{},"moderation":{"model":"x"},"stream":true,
 "stream_options":{"include_usage":true,"include_obfuscation":false},"a_new_field":{"deep":[1e400]}}"#;

#[test]
fn a_full_request_comes_back_as_it_was() {
    let request = read(FULL).unwrap();
    assert_eq!(request.turns.len(), 4, "results and the words behind them are one turn");
    assert!(request.is_stream && request.wants_usage);
    let mut target = openai();
    target.echo = ThinkingEcho::ReasoningDetails;
    let (json, lost) = written(&request, &target);
    assert_eq!(lost, []);
    insta::assert_snapshot!(json, @r#"
model: "gpt-6"
messages:
  {"role":"developer","content":"Be brief."}
  {"role":"user","name":"ann","content":[{"type":"text","text":"Look:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x/y.jpg"}},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"mp3"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"file","file":{"file_id":"file-1"}},{"type":"new_thing","x":[1]}]}
  {"role":"assistant","content":null,"reasoning_details":[{"type":"reasoning.text","text":"Hm.","format":"unknown","index":0}],"tool_calls":[{"id":"call_1","type":"function","function":{"name":"look","arguments":"{\"q\": 1.0}"}},{"id":"call_2","type":"custom","custom":{"name":"patch","input":"*** Begin"}}]}
  {"role":"tool","tool_call_id":"call_1","content":"seen"}
  {"role":"tool","tool_call_id":"call_2","content":"done"}
  {"role":"user","content":"Go on."}
  {"role":"developer","content":"New rule."}
tools:
  {"type":"function","function":{"name":"look","description":"Looks","parameters":{"type":"object","properties":{"q":{"type":"number"}}},"strict":true}}
  {"type":"function","function":{"name":"none","parameters":{"type":"object","properties":{}}}}
  {"type":"custom","custom":{"name":"patch","description":"Patches","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"a"}}}}
  {"type":"web_search"}
tool_choice: {"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"look"}},{"type":"custom","custom":{"name":"patch"}}]}}
parallel_tool_calls: false
response_format: {"type":"json_schema","json_schema":{"name":"out","description":"d","schema":{"type":"object"},"strict":true}}
reasoning: {"effort":"high"}
max_completion_tokens: 100
stop:
  "a"
  "b"
temperature: 0.50
top_p: 1
frequency_penalty: 0
presence_penalty: 0.1
seed: 9007199254740993
logit_bias: {"50256":-100}
logprobs: true
top_logprobs: 2
n: 2
user: "u1"
metadata: {"a":"b"}
service_tier: "flex"
verbosity: "low"
store: true
prompt_cache_key: "k"
prompt_cache_retention: "24h"
prediction: {"type":"content","content":"p"}
modalities:
  "text"
  "audio"
audio: {"voice":"alloy","format":"mp3"}
web_search_options: {}
stream: true
stream_options: {"include_usage":true}
prompt_cache_options: {"mode":"implicit"}
moderation: {"model":"x"}
a_new_field: {"deep":[1e400]}
safety_identifier: "s1"
"#);
}

#[test]
fn a_minimal_request_stays_minimal() {
    let request = read(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"n":1,"logprobs":false,"temperature":null,"tools":null,"response_format":{"type":"text"}}"#).unwrap();
    assert_eq!(request.settings, []);
    assert!(request.extra.is_empty() && request.output.is_none());
    insta::assert_snapshot!(written(&request, &Target::new("up")).0, @r#"
model: "up"
messages:
  {"role":"user","content":"hi"}
"#);
}

#[test]
fn deprecated_functions_are_tools() {
    let request = read(
        r#"{"model":"m","functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"messages":[
        {"role":"user","content":"hi"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},
        {"role":"function","name":"f","content":"1"}]}"#,
    )
    .unwrap();
    insta::assert_snapshot!(written(&request, &Target::new("up")).0, @r#"
model: "up"
messages:
  {"role":"user","content":"hi"}
  {"role":"assistant","content":null,"tool_calls":[{"id":"call_function_0","type":"function","function":{"name":"f","arguments":"{}"}}]}
  {"role":"tool","tool_call_id":"call_function_0","name":"f","content":"1"}
tools:
  {"type":"function","function":{"name":"f","parameters":{"type":"object"}}}
tool_choice: {"type":"function","function":{"name":"f"}}
"#);
}

#[test]
fn choices_are_read_in_every_form_clients_send() {
    for auto in [r#""auto""#, r#"{"type":"auto"}"#] {
        let json =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tool_choice":{auto}}}"#);
        assert_eq!(read(&json).unwrap().tool_choice, Some(ToolChoice::Auto));
    }
    let tool = |json: &str| {
        let json =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tool_choice":{json}}}"#);
        let request = read(&json).unwrap();
        matches!(request.tool_choice, Some(ToolChoice::Tool(name)) if name == "t")
    };
    for named in [
        r#"{"type":"function","function":{"name":"t"}}"#,
        r#"{"type":"function","name":"t"}"#,
        r#"{"type":"custom","custom":{"name":"t"}}"#,
        r#"{"type":"tool","name":"t"}"#,
        r#"{"name":"t"}"#,
    ] {
        assert!(tool(named), "{named}");
    }
    let flat = r#"{"model":"m","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"}},{"name":"g","input_schema":{"type":"object"}}],
        "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}}"#;
    let request = read(flat).unwrap();
    let names: Vec<_> = request.tools.iter().filter_map(Tool::name).collect();
    assert_eq!(names, ["f", "g"]);
    assert!(request.tools.iter().all(|tool| tool.extra.is_empty()));
    assert_eq!(request.tool_choice, Some(ToolChoice::Allowed { names: vec!["f".into()], must_call: false }));
}

#[test]
fn what_is_wrong_is_named_where_it_stands() {
    for (json, path, words) in [
        (r#"{"messages":[]}"#, "", "`model` is missing"),
        (r#"{"model":"m"}"#, "", "`messages` is missing"),
        (r#"{"model":"m","messages":[]}"#, "messages", "at least one"),
        (r#"{"model":"m","messages":[{"role":"root","content":"x"}]}"#, "messages[0].role", "unknown role"),
        (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, "messages[0].content", "not a number"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x.png"}}]}]}"#,
            "messages[0].content[0].image_url",
            "neither an http URL",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            "messages[0].content[0]",
            "`type`",
        ),
        (r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#, "messages[0]", "`tool_call_id`"),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function"}]}]}"#,
            "messages[0].tool_calls[0]",
            "object `function`",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#,
            "temperature",
            "a number",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"stop":[1]}"#,
            "stop[0]",
            "list of strings",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}"#,
            "tools[0]",
            "`name`",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":1.5}"#,
            "max_tokens",
            "whole number",
        ),
    ] {
        let (at, message) = refused(json);
        assert_eq!(at, path, "{json}");
        assert!(message.contains(words), "{message}");
    }
}
