//! Requests both ways: goldens, pairing, signatures, refusals.

use super::*;
use crate::chat::*;
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, parse};
use crate::types::Protocol;

const CALLED: Called<'static> = Called { model: Some("gemini-3-flash"), is_stream: Some(true) };

pub(super) fn decode(json: &str) -> Result<Request<'_>, Refused> {
    decode_request(&parse(json, Duplicates::Refuse).unwrap(), CALLED)
}

pub(super) fn gemini3() -> Target {
    Target { needs_signatures: true, ..Target::new("gemini-3-flash") }
}

pub(super) fn encode(request: &Request<'_>, target: &Target) -> (Result<String, Refused>, Losses) {
    let (mut losses, mut out) = (Losses::default(), Vec::new());
    let written = encode_request(request, target, &mut losses, &mut out);
    assert!(written.is_ok() || out.is_empty());
    (written.map(|()| String::from_utf8(out).unwrap()), losses)
}

fn again(json: &str) -> String {
    encode(&decode(json).unwrap(), &gemini3()).0.unwrap()
}

pub(super) fn names(losses: &Losses) -> Vec<String> {
    let name = |loss: &Loss| {
        format!("{:?}{}", loss.feature, loss.name.as_deref().map(|n| format!(":{n}")).unwrap_or_default())
    };
    losses.all().iter().map(name).collect()
}

pub(super) fn call(id: &str, name: &str, signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::ToolUse(ToolUse {
        id: id.to_owned().into(),
        name: name.to_owned().into(),
        arguments: "{\"a\":1.0}".into(),
        is_custom: false,
        signature,
    }))
}

pub(super) fn result(id: &str, text: &str, is_error: bool) -> Block<'static> {
    Block::new(BlockKind::ToolResult(ToolResult {
        id: id.to_owned().into(),
        name: None,
        content: vec![Block::text(text.to_owned())],
        is_error,
        is_custom: false,
    }))
}

pub(super) fn thinking(text: &str, signature: Option<Signature<'static>>) -> Block<'static> {
    Block::new(BlockKind::Thinking(Thinking {
        text: text.to_owned().into(),
        signature,
        is_summary: false,
        item_id: None,
    }))
}

pub(super) fn foreign(turns: Vec<Turn<'static>>) -> Request<'static> {
    Request { turns, ..Request::new(Protocol::Chat, "m") }
}

pub(super) fn user(text: &str) -> Turn<'static> {
    Turn::new(Role::User, vec![Block::text(text.to_owned())])
}

const FULL: &str = r#"{
 "system_instruction":{"parts":{"text":"Be brief."}},
 "contents":[
  {"parts":[{"text":"Look"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},
    {"file_data":{"file_uri":"gs://b/v.mp4","mime_type":"video/mp4"},"videoMetadata":{"fps":1}},
    {"fileData":{"fileUri":"https://example.com/a.pdf","mimeType":"application/pdf"}}]},
  {"role":"model","parts":[{"text":"Hm.","thought":true},{"functionCall":{"name":"f","args":{"x":1.50,"y":[ ]}},"thoughtSignature":"CiQB9/8="},
    {"functionCall":{"id":"own","name":"g"}}]},
  {"role":"user","parts":[{"functionResponse":{"id":"own","name":"g","response":{"error":"no"}}},
    {"functionResponse":{"name":"f","response":{"output":"x"},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}],"scheduling":"SILENT"}}]},
  {"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"},"thoughtSignature":"AA=="},{"text":"Done","thoughtSignature":"BB=="}]},
  {"role":"user","parts":[{"text":"Go on"}]}],
 "tools":[{"functionDeclarations":[
    {"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"x":{"type":"NUMBER","nullable":true}},"required":["x"]},"behavior":"BLOCKING"},
    {"name":"g","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}}}]},
  {"google_search":{},"codeExecution":{}}],
 "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"],"streamFunctionCallArguments":true},"retrievalConfig":{"languageCode":"en"}},
 "generationConfig":{"temperature":0.50,"topP":1,"top_k":40,"candidateCount":2,"maxOutputTokens":"100","stopSequences":["a","b"],"seed":7,
   "presencePenalty":-0.5,"frequencyPenalty":1e-1,"responseLogprobs":true,"logprobs":3,"responseMimeType":"application/json",
   "responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}},"responseModalities":["TEXT","AUDIO"],
   "thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"},"mediaResolution":"MEDIA_RESOLUTION_LOW",
   "speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}},"imageConfig":{"aspectRatio":"1:1"}},
 "safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],
 "cachedContent":"cachedContents/1","labels":{"team":"x"},"serviceTier":"flex","store":false}"#;

/// JSON over lines, so that a golden can be read.
fn lines(json: &str) -> String {
    let root = parse(json, Duplicates::Refuse).unwrap();
    let mut all = Vec::new();
    for (key, value) in root.entries() {
        if value.is_array() {
            all.extend(
                value.items().iter().enumerate().map(|(at, one)| format!("{key}[{at}]: {}", one.raw())),
            );
        } else {
            all.push(format!("{key}: {}", value.raw()));
        }
    }
    all.join("\n")
}

#[test]
fn a_full_request_is_read() {
    let request = decode(FULL).unwrap();
    assert_eq!(
        (request.model.as_ref(), request.is_stream, request.wants_usage),
        ("gemini-3-flash", true, true)
    );
    insta::assert_snapshot!(lines_of(&request), @r#"
system Text { text: "Be brief.", citations: [] }
User Text { text: "Look", citations: [] }
User Image(Media { source: Base64("iVBORw0KGgo="), mime: ("image/png"), name: None, detail: None })
User Video(Media { source: File { of: Generate, id: "gs://b/v.mp4" }, mime: ("video/mp4"), name: None, detail: None }) + videoMetadata={"fps":1}
User Document(Media { source: Url("https://example.com/a.pdf"), mime: ("application/pdf"), name: None, detail: None })
Assistant Thinking(Thinking { text: "Hm.", signature: None, is_summary: false, item_id: None })
Assistant ToolUse(ToolUse { id: "call_2_0", name: "f", arguments: "{\"x\":1.50,\"y\":[ ]}", is_custom: false, signature: (Signature { vendor: Gemini, data: "CiQB9/8=" }) })
Assistant ToolUse(ToolUse { id: "own", name: "g", arguments: "", is_custom: false, signature: None })
User ToolResult(ToolResult { id: "own", name: ("g"), content: [Block { kind: Text { text: "no", citations: [] }, cache: None, extra: Extra { of: None, fields: [] } }], is_error: true, is_custom: false })
User ToolResult(ToolResult { id: "call_2_0", name: ("f"), content: [Block { kind: Text { text: "{\"output\":\"x\"}", citations: [] }, cache: None, extra: Extra { of: None, fields: [] } }, Block { kind: Image(Media { source: Base64("iVBORw0KGgo="), mime: ("image/png"), name: None, detail: None }), cache: None, extra: Extra { of: None, fields: [] } }], is_error: false, is_custom: false }) + functionResponse.scheduling="SILENT"
Assistant Opaque { of: Generate, kind: "executableCode", json: Raw("{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"},\"thoughtSignature\":\"AA==\"}") }
Assistant Thinking(Thinking { text: "", signature: (Signature { vendor: Gemini, data: "BB==" }), is_summary: false, item_id: None })
Assistant Text { text: "Done", citations: [] }
User Text { text: "Go on", citations: [] }
tool Function { name: "f", description: Some("d"), schema: Some(Raw("{\"type\":\"object\",\"properties\":{\"x\":{\"type\":[\"number\",\"null\"]}},\"required\":[\"x\"]}")), strict: None } +1
tool Function { name: "g", description: None, schema: Some(Raw("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}")), strict: None } +0
tool Hosted { of: Generate, kind: "googleSearch", json: Raw("{}") } +0
tool Hosted { of: Generate, kind: "codeExecution", json: Raw("{}") } +0
choice Some(Allowed { names: ["f", "g"], must_call: true })
output Some(Schema { name: None, description: None, schema: Raw("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"), strict: None })
reasoning Some((Some(Low), None, Some(true)))
max Some(100) stop ["a", "b"]
Temperature = 0.50
TopP = 1
TopK = 40
Seed = 7
PresencePenalty = -0.5
FrequencyPenalty = 1e-1
TopLogprobs = 3
Choices = 2
Logprobs = true
Modalities = ["TEXT","AUDIO"]
AudioOutput = {"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}}
SafetySettings = [{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]
ServiceTier = "flex"
Store = false
extra toolConfig.retrievalConfig = {"languageCode":"en"}
extra toolConfig.functionCallingConfig.streamFunctionCallArguments = true
extra generationConfig.mediaResolution = "MEDIA_RESOLUTION_LOW"
extra generationConfig.imageConfig = {"aspectRatio":"1:1"}
extra cachedContent = "cachedContents/1"
extra labels = {"team":"x"}
"#);
}

/// Debug text without the places things stood at.
pub(super) fn unplaced(text: &str) -> String {
    let mut parts = text.split("at: At(");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once("), ").map_or(part, |(_, rest)| rest));
    }
    out
}

/// The canonical form, a line a block and a part.
fn lines_of(request: &Request<'_>) -> String {
    let mut all = Vec::new();
    let show = |block: &Block<'_>| {
        let mut text = format!("{:?}", block.kind);
        if !block.extra.is_empty() {
            let extra = block.extra.fields.iter().map(|f| format!("{}={}", f.name, f.value.as_str()));
            text.push_str(&format!(" + {}", extra.collect::<Vec<_>>().join(" ")));
        }
        unplaced(&text).replace("Some(", "(")
    };
    all.extend(request.system.iter().map(|block| format!("system {}", show(block))));
    for turn in &request.turns {
        all.extend(turn.blocks.iter().map(|block| format!("{:?} {}", turn.role, show(block))));
    }
    all.extend(request.tools.iter().map(|tool| format!("tool {:?} +{}", tool.kind, tool.extra.fields.len())));
    all.push(format!("choice {:?}", request.tool_choice));
    all.push(format!("output {:?}", request.output));
    all.push(format!("reasoning {:?}", request.reasoning.as_ref().map(|r| (r.effort, r.budget, r.is_shown))));
    all.push(format!("max {:?} stop {:?}", request.max_output, request.stop));
    all.extend(request.settings.iter().map(|set| format!("{:?} = {}", set.feature, set.value.as_str())));
    all.extend(request.extra.fields.iter().map(|f| format!("extra {} = {}", f.name, f.value.as_str())));
    all.join("\n")
}

#[test]
fn a_full_request_is_written_back() {
    insta::assert_snapshot!(lines(&again(FULL)), @r#"
systemInstruction: {"parts":[{"text":"Be brief."}]}
contents[0]: {"role":"user","parts":[{"text":"Look"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},{"fileData":{"mimeType":"video/mp4","fileUri":"gs://b/v.mp4"},"videoMetadata":{"fps":1}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a.pdf"}}]}
contents[1]: {"role":"model","parts":[{"text":"Hm.","thought":true},{"functionCall":{"id":"call_2_0","name":"f","args":{"x":1.50,"y":[ ]}},"thoughtSignature":"CiQB9/8="},{"functionCall":{"id":"own","name":"g","args":{}}}]}
contents[2]: {"role":"user","parts":[{"functionResponse":{"id":"call_2_0","name":"f","response":{"output":"x"},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}],"scheduling":"SILENT"}},{"functionResponse":{"id":"own","name":"g","response":{"error":"no"}}}]}
contents[3]: {"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"},"thoughtSignature":"AA=="},{"text":"Done","thoughtSignature":"BB=="}]}
contents[4]: {"role":"user","parts":[{"text":"Go on"}]}
tools[0]: {"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","properties":{"x":{"type":["number","null"]}},"required":["x"]},"behavior":"BLOCKING"},{"name":"g","parametersJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}}}]}
tools[1]: {"googleSearch":{}}
tools[2]: {"codeExecution":{}}
toolConfig: {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"],"streamFunctionCallArguments":true},"retrievalConfig":{"languageCode":"en"}}
generationConfig: {"temperature":0.50,"topP":1,"topK":40,"seed":7,"presencePenalty":-0.5,"frequencyPenalty":1e-1,"logprobs":3,"candidateCount":2,"responseLogprobs":true,"responseModalities":["TEXT","AUDIO"],"speechConfig":{"voiceConfig":{"prebuiltVoiceConfig":{"voiceName":"Kore"}}},"maxOutputTokens":100,"stopSequences":["a","b"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"type":"string"}}},"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"},"mediaResolution":"MEDIA_RESOLUTION_LOW","imageConfig":{"aspectRatio":"1:1"}}
safetySettings[0]: {"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}
store: false
serviceTier: "flex"
cachedContent: "cachedContents/1"
labels: {"team":"x"}
"#);
    let once = again(FULL);
    assert_eq!(decode(&once).unwrap(), decode(&again(&once)).unwrap());
}

#[test]
fn what_geminis_own_client_wrote_is_no_loss_at_gemini() {
    let (_, losses) = encode(&decode(FULL).unwrap(), &gemini3());
    assert_eq!(names(&losses), Vec::<String>::new());
}

#[test]
fn a_minimal_request_stays_minimal() {
    let minimal = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
    assert_eq!(again(minimal), minimal);
    let request = decode(r#"{"contents":{"parts":{"text":"Hi"}}}"#).unwrap();
    assert_eq!(request.turns, vec![user("Hi")]);
    let called = Called { model: None, is_stream: None };
    let body = r#"{"model":"models/gemini-x","contents":[{"parts":[{"text":"Hi"}]}]}"#;
    let request = decode_request(&parse(body, Duplicates::Refuse).unwrap(), called).unwrap();
    assert_eq!((request.model.as_ref(), request.is_stream), ("gemini-x", false));
}

#[test]
fn a_request_of_another_protocol_is_written_and_its_losses_are_named() {
    let mut request = foreign(vec![
        user("Hi"),
        Turn::new(
            Role::Assistant,
            vec![
                thinking("secret", Some(Signature::new(Vendor::Anthropic, "EqQ="))),
                thinking("shown", None),
                Block::text("Hello"),
                Block::new(BlockKind::Refusal("no".into())),
            ],
        ),
        Turn::new(Role::System, vec![Block::text("be quick")]),
        Turn { name: Some("ann".into()), ..user("Go") },
    ]);
    request.system = vec![Block::text("S1"), Block::text(""), Block::text("S2")];
    request.tools = vec![
        Tool::new(ToolKind::Function {
            name: "f".into(),
            description: None,
            schema: Some(Raw(
                r#"{"$schema":"x","type":"object","properties":{"a":{"const":"c","pattern":"^c"}}}"#.into(),
            )),
            strict: Some(true),
        }),
        Tool::new(ToolKind::Custom { name: "patch".into(), description: Some("p".into()), format: None }),
        Tool::new(ToolKind::Hosted {
            of: Protocol::Responses,
            kind: "web_search".into(),
            json: Raw("{}".into()),
        }),
    ];
    request.tool_choice = Some(ToolChoice::Tool("patch".into()));
    request.parallel_tools = Some(false);
    request.output = Some(OutputFormat::Schema {
        name: Some("out".into()),
        description: None,
        schema: Raw(r#"{"type":"object","properties":{}}"#.into()),
        strict: Some(true),
    });
    request.reasoning =
        Some(Reasoning { effort: Some(Effort::Max), is_shown: Some(true), ..Reasoning::default() });
    request.max_output = Some(9);
    request.stop = ["a", "b", "c", "d", "e", "f"].map(Text::from).to_vec();
    for (feature, value) in [
        (Feature::Temperature, "0.70"),
        (Feature::LogitBias, "{}"),
        (Feature::Seed, "4294967296"),
        (Feature::TopLogprobs, "2"),
        (Feature::Modalities, r#"["text","audio"]"#),
        (Feature::ServiceTier, r#""default""#),
        (Feature::AudioOutput, "{}"),
        (Feature::Store, "false"),
    ] {
        request.settings.push(Setting { feature, at: At::NOWHERE, value: Raw(value.into()) });
    }
    let (written, losses) = encode(&request, &gemini3());
    insta::assert_snapshot!(lines(&written.unwrap()), @r#"
systemInstruction: {"parts":[{"text":"S1"},{"text":"S2"}]}
contents[0]: {"role":"user","parts":[{"text":"Hi"}]}
contents[1]: {"role":"model","parts":[{"text":"shown","thought":true},{"text":"Hello"},{"text":"no"}]}
contents[2]: {"role":"user","parts":[{"text":"be quick"},{"text":"Go"}]}
tools[0]: {"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","properties":{"a":{"enum":["c"],"type":"string"}}}},{"name":"patch__tgfreeform","description":"p","parametersJsonSchema":{"type":"object","properties":{"input":{"type":"string","description":"The tool's input: free text."}},"required":["input"],"additionalProperties":false}}]}
toolConfig: {"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["patch__tgfreeform"]}}
generationConfig: {"temperature":0.70,"logprobs":2,"responseModalities":["TEXT","AUDIO"],"responseLogprobs":true,"maxOutputTokens":9,"stopSequences":["a","b","c","d","e"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{}},"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}
serviceTier: "standard"
"#);
    insta::assert_snapshot!(names(&losses).join(" "), @r#"LogitBias AudioOutput ParallelTools HostedTools ParticipantName ForeignThinking SchemaConstraint:properties.a.pattern Seed Stop:f"#);
}

#[test]
fn a_target_without_json_schema_gets_the_openapi_form() {
    let request = decode(FULL).unwrap();
    let target = Target { takes_schema: false, ..gemini3() };
    let written = encode(&request, &target).0.unwrap();
    assert!(written.contains(r#""parameters":{"type":"OBJECT","properties":{"x":{"type":"NUMBER","nullable":true}},"required":["x"]}"#));
    assert!(written.contains(r#""responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}"#));
    let empty = r#"{"contents":[{"parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}]}"#;
    let written = encode(&decode(empty).unwrap(), &target).0.unwrap();
    assert!(written.contains(r#""functionDeclarations":[{"name":"f"}]"#), "{written}");
}

#[test]
fn thinking_is_asked_for_in_the_models_own_way() {
    let ask = |reasoning: Reasoning<'static>, target: &Target| {
        let mut request = foreign(vec![user("Hi")]);
        request.reasoning = Some(reasoning);
        let (written, losses) = encode(&request, target);
        let written = written.unwrap();
        let root = parse(&written, Duplicates::Refuse).unwrap();
        let config = root.get("generationConfig").and_then(|config| config.get("thinkingConfig"));
        (config.map(|config| config.raw().to_owned()).unwrap_or_default(), losses.all().len())
    };
    let budget = Target { thinking: ThinkingStyle::Budget, takes_no_effort: true, ..Target::new("m") };
    let level = Target { efforts: vec![Effort::Low, Effort::High], ..Target::new("m") };
    let none = Target { thinking: ThinkingStyle::None, ..Target::new("m") };
    let effort = |effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let off = Reasoning { is_off: true, is_shown: Some(true), ..Reasoning::default() };
    let tokens = Reasoning { budget: Some(9000), ..Reasoning::default() };
    let adaptive = Reasoning { is_adaptive: true, is_shown: Some(true), ..Reasoning::default() };
    for (asked, target, config, losses) in [
        (effort(Effort::Medium), &budget, r#"{"thinkingBudget":8192}"#, 0),
        (effort(Effort::Medium), &level, r#"{"thinkingLevel":"LOW"}"#, 0),
        (effort(Effort::Max), &level, r#"{"thinkingLevel":"HIGH"}"#, 0),
        (effort(Effort::Low), &none, "", 1),
        (off.clone(), &budget, r#"{"thinkingBudget":0}"#, 0),
        (off, &level, r#"{"thinkingLevel":"LOW"}"#, 1),
        (tokens.clone(), &budget, r#"{"thinkingBudget":9000}"#, 0),
        (tokens, &level, r#"{"thinkingLevel":"LOW"}"#, 0),
        (adaptive.clone(), &budget, r#"{"includeThoughts":true,"thinkingBudget":-1}"#, 0),
        (adaptive, &level, r#"{"includeThoughts":true}"#, 0),
    ] {
        assert_eq!(ask(asked.clone(), target), (config.to_owned(), losses), "{asked:?}");
    }
}

#[test]
fn counting_takes_both_bodies() {
    let count =
        |json: &str| decode_count(&parse(json, Duplicates::Refuse).unwrap(), CALLED).map(|r| r.turns.len());
    assert_eq!(count(r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#), Ok(1));
    let whole = r#"{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hi"}]}]}}"#;
    assert_eq!(count(whole), Ok(2));
    assert!(count("{}").is_err());
}

#[test]
fn a_wrong_type_is_refused_at_its_place() {
    for (json, needle, words) in [
        (r#"{"contents":[{"role":"system","parts":[]}]}"#, "\"system\"", "role is"),
        (r#"{"contents":[{"parts":[{"text":7}]}]}"#, "7", "a string is expected"),
        (r#"{"contents":[{"parts":[{}]}]}"#, "{}", "a part needs"),
        (r#"{"contents":[{"parts":[{"functionCall":{"args":[]}}]}]}"#, "[]", "an object is expected"),
        (r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"a/b"}}]}]}"#, "{\"mimeType", "needs its data"),
        (r#"{"contents":[]}"#, "[]", "at least one turn"),
        (
            r#"{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"maxOutputTokens":-1}}"#,
            "-1",
            "whole number",
        ),
        (
            r#"{"contents":[{"parts":[{"text":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"SOME"}}}"#,
            "\"SOME\"",
            "a mode is",
        ),
        (
            r#"{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{"thinkingConfig":{"thinkingLevel":"huge"}}}"#,
            "\"huge\"",
            "thinkingLevel",
        ),
    ] {
        let refused = decode(json).unwrap_err();
        assert!(refused.message.contains(words), "{}", refused.message);
        assert_eq!(refused.at.offset(), Some(json.find(needle).unwrap() as u32), "{json}");
    }
}

/// Every value of the full request in turn replaced by values of other kinds.
#[test]
fn no_mutation_of_a_request_makes_anything_panic() {
    let mut spans = Vec::new();
    fn collect(node: &crate::framing::json::Node<'_>, spans: &mut Vec<(usize, usize)>) {
        spans.push((node.at() as usize, node.at() as usize + node.raw().len()));
        node.items().iter().for_each(|inner| collect(inner, spans));
        node.entries().iter().for_each(|(_, inner)| collect(inner, spans));
    }
    collect(&parse(FULL, Duplicates::Refuse).unwrap(), &mut spans);
    for (from, to) in spans {
        for other in ["null", "7", "-1.5e3", "\"x\"", "\"\"", "[]", "{}", "true", "[{\"a\":[null]}]"] {
            let mutated = format!("{}{other}{}", &FULL[..from], &FULL[to..]);
            let Ok(root) = parse(&mutated, Duplicates::LastCounts) else { continue };
            if let Ok(request) = decode_request(&root, CALLED) {
                for takes_schema in [true, false] {
                    let _ = encode(&request, &Target { takes_schema, ..gemini3() });
                }
            }
        }
    }
}
