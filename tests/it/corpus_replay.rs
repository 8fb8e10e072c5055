//! Recorded traffic of many providers, through the gateway: the upstream gets the client's bytes, the
//! client the upstream's, and the log the recording's own usage.
//!
//! What is expected is worked out here on JSON trees, not by the gateway's readers. The recordings lie
//! outside of the repository (`TIDEGATE_CORPUS`).

use crate::harness::corpus::{Case, cases};
use crate::harness::{Answer, Config, Gateway, Request, Sim, Wire, events_of, sha256};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use tidegate::sim::ScriptedReply;

/// Fewer pairs than this mean that the recordings are not read as they should be.
const PAIRS_MIN: usize = 150;
/// What a call may be repeated by, if ever.
const ATTEMPTS_MAX: usize = 8;
/// Statuses whose bodies are the client's own fault, and pass.
const PASSED_ON: [u16; 9] = [400, 404, 405, 409, 410, 413, 415, 416, 422];

/// A recording as a call through the gateway.
struct Pair {
    name: String,
    wire: Wire,
    api: String,
    request: Request,
    status: u16,
    is_sse: bool,
    body: Vec<u8>,
}

/// Token counts as the log has them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
}

/// A gateway in front of one simulator, for every model of a dialect.
struct Edge {
    sim: Sim,
    gateway: Gateway,
}

impl Edge {
    fn start(wire: Wire) -> Self {
        let sim = Sim::start();
        let mut config = Config::new().provider("a", wire, sim.addr());
        if matches!(wire, Wire::Messages | Wire::Gemini) {
            config = config.set("count_tokens = \"upstream\"");
        }
        let gateway = Gateway::start(config.model("*", &["a"]));
        Self { sim, gateway }
    }
}

fn endpoint(api: &str, provider: &str) -> Option<(Wire, &'static str)> {
    Some(match (api, provider) {
        ("chat", _) => (Wire::Chat, "chat/completions"),
        ("completions", _) => (Wire::Chat, "completions"),
        ("responses", _) => (Wire::Responses, "responses"),
        ("embeddings", _) => (Wire::Chat, "embeddings"),
        ("rerank", provider) if provider != "bedrock" => (Wire::Chat, "rerank"),
        ("images", _) => (Wire::Chat, "images/generations"),
        ("messages", _) => (Wire::Messages, "messages"),
        ("count-tokens", "anthropic") => (Wire::Messages, "messages/count_tokens"),
        ("generateContent" | "streamGenerateContent" | "countTokens" | "embedContent", _) => {
            (Wire::Gemini, "")
        }
        ("batchEmbedContents", _) => (Wire::Gemini, ""),
        _ => return None,
    })
}

/// The recording as a pair, or why it is none.
fn pair(case: &Case) -> Result<Pair, &'static str> {
    let (api, provider) = (case.about["api"].as_str().unwrap(), case.about["provider"].as_str().unwrap());
    let (wire, path) = endpoint(api, provider).ok_or("no endpoint here")?;
    let sent = case.file("request.json").ok_or("no request recorded")?;
    let (is_sse, body) = match (case.file("stream.sse"), case.file("response.json")) {
        (Some(stream), _) => (true, stream),
        (None, Some(body)) => (false, body),
        (None, None) => return Err("no answer recorded"),
    };
    let about: Value = serde_json::from_slice(&case.file("meta.json").unwrap()).unwrap();
    let url = about["url"].as_str().unwrap_or_default();
    let has_model =
        serde_json::from_slice::<Value>(&sent).map_err(|_| "request is no JSON")?["model"].is_string();
    let target = match wire {
        Wire::Gemini => {
            let (_, tail) = url.rsplit_once("/models/").ok_or("no model in the URL")?;
            format!("/v1beta/models/{tail}")
        }
        _ if url.contains("/openai/deployments/") => {
            format!("/openai{}", url.split_once("/openai").unwrap().1)
        }
        _ if !has_model => return Err("no model in the request"),
        _ => {
            let query = url.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
            format!("/v1/{path}{query}")
        }
    };
    let status = u16::try_from(case.about["status"].as_u64().unwrap()).unwrap();
    let request = Request::post(&target, sent);
    Ok(Pair { name: case.name.clone(), wire, api: api.to_owned(), request, status, is_sse, body })
}

impl Pair {
    fn documents(&self) -> Vec<Value> {
        if self.is_sse {
            return events_of(&self.body).iter().filter_map(|e| serde_json::from_str(&e.data).ok()).collect();
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Array(elements)) if self.wire == Wire::Gemini => elements,
            Ok(body) => vec![body],
            Err(_) => Vec::new(),
        }
    }

    /// Whether a 200 holds an error of the upstream.
    fn is_faulty(&self) -> bool {
        let fails = |d: &Value| {
            d["error"].is_object() || d["type"] == "error" || d["choices"][0]["finish_reason"] == "error"
        };
        self.documents().iter().any(fails)
    }

    fn reply(&self) -> ScriptedReply {
        if self.is_sse {
            return ScriptedReply::sse(self.body.clone());
        }
        ScriptedReply::json(self.status, self.body.clone())
    }

    fn asked(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap()
    }

    /// Whether the gateway asks for usage in the client's place.
    fn is_spliced(&self) -> bool {
        let asked = self.asked();
        let is_on_demand = ["chat", "completions"].contains(&self.api.as_str());
        is_on_demand && asked["stream"] == true && asked["stream_options"]["include_usage"] != true
    }

    /// What the client must read: all of it, but for a chunk that is there for usage only.
    fn answer(&self) -> Vec<u8> {
        if !(self.is_sse && self.is_spliced()) {
            return self.body.clone();
        }
        blocks(&self.body).into_iter().filter(|block| !is_usage_only(block)).flatten().copied().collect()
    }

    /// The client's bytes. Where the URL names a deployment, that is the model's name in the body too.
    fn upstream_body(&self) -> Vec<u8> {
        let body = self.request.body.clone();
        let deployed = self.request.target.strip_prefix("/openai/deployments/").map(|rest| rest.split('/'));
        let (Some(mut deployed), Value::String(model)) = (deployed, &self.asked()["model"]) else {
            return body;
        };
        let deployment = format!("\"model\": {}", json!(deployed.next().unwrap()));
        let text = String::from_utf8(body).unwrap();
        text.replacen(&format!("\"model\": {}", json!(model)), &deployment, 1).into_bytes()
    }

    fn hold_upstream(&self, sim: &Sim) {
        let (sent, body, what) = (sim.last_request(), &self.upstream_body(), &self.name);
        if !self.is_spliced() {
            assert_eq!(sent.body_bytes, body.len(), "{what}: upstream");
            assert_eq!(sent.body_sha256, sha256(body), "{what}: upstream");
            return;
        }
        assert!(sent.body_bytes > body.len(), "{what}: usage is asked for");
        if sent.body.is_empty() {
            return;
        }
        let text = String::from_utf8(sent.body).unwrap();
        let wishes = [
            (r#""stream_options":{"include_usage":true},"#, ""),
            (r#""include_usage":true,"#, ""),
            (r#""include_usage":true"#, ""),
            ("true", "false"),
            (r#"{"include_usage":true}"#, "null"),
        ];
        let undone = |(wish, before): (&str, &str)| {
            let undo = |(at, _): (usize, &str)| [&text[..at], before, &text[at + wish.len()..]].concat();
            text.match_indices(wish).map(undo).any(|undone| undone.as_bytes() == body)
        };
        assert!(wishes.into_iter().any(undone), "{what}: more than include_usage was spliced: {text}");
    }

    fn hold_client(&self, answer: &mut Answer) {
        let (seen, what) = (answer.body(), &self.name);
        let shown = String::from_utf8_lossy(&seen).into_owned();
        if self.status == 200 && self.is_faulty() {
            let is_told = answer.status >= 400
                || self.is_sse && events_of(&seen).last().is_some_and(|event| event.data.contains("error"));
            assert!(is_told, "{what}: an error inside a 200 is told: {} {shown}", answer.status);
            return;
        }
        assert_eq!(answer.status, self.status, "{what}: {shown}");
        let is_about_us =
            ["API_KEY_INVALID", "API key not valid", "Incorrect API key provided", "invalid_api_key"]
                .iter()
                .any(|sign| String::from_utf8_lossy(&self.body).contains(sign));
        if self.status == 200 || PASSED_ON.contains(&self.status) && !is_about_us {
            let expected = self.answer();
            assert_eq!(shown, String::from_utf8_lossy(&expected), "{what}: client");
            assert_eq!(seen, expected, "{what}: client");
            return;
        }
        let body: Value = serde_json::from_slice(&seen).unwrap_or_else(|e| panic!("{what}: {e}: {shown}"));
        assert!(self.wire.is_error_body(&body), "{what}: {body}");
        assert_eq!(answer.header("x-tidegate-origin"), Some("provider"), "{what}");
    }

    fn hold_log(&self, line: &Value) {
        let what = &self.name;
        if self.status != 200 || self.is_faulty() {
            return;
        }
        assert_eq!(line["attempts"], 1, "{what}: {line}");
        assert_eq!(line.get("reason"), None, "{what}: {line}");
        let documents = self.documents();
        let expected = match self.wire {
            _ if ["countTokens", "count-tokens"].contains(&self.api.as_str()) => return,
            Wire::Chat | Wire::Responses => openai(&documents),
            Wire::Messages => anthropic(&documents),
            Wire::Gemini => gemini(&documents),
        };
        if expected.input + expected.output == 0 {
            // No tokens were reported: what is logged of them must say that it is a guess, unless the call
            // was billed by something else.
            let is_guess = line["estimated"] != false || line["searches"].is_u64();
            assert!(is_guess, "{what}: {line}");
            return;
        }
        // A provider that tells its output only leaves the input to be guessed, and that is said.
        let is_input_told = expected.input > 0;
        let count = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{what}: {field}: {line}"));
        let logged = Counts {
            input: if is_input_told { count("input_tokens") } else { 0 },
            output: count("output_tokens"),
            cache_read: count("cache_read"),
            cache_write: count("cache_write"),
            reasoning: count("reasoning_tokens"),
        };
        assert_eq!(logged, expected, "{what}: {line}");
        assert_eq!(line["estimated"], !is_input_told, "{what}: {line}");
    }
}

/// A stream cut after each blank line; together they are the stream.
fn blocks(stream: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let end_of = |blank: &[u8]| {
            rest.windows(blank.len()).position(|window| window == blank).map(|at| at + blank.len())
        };
        let end = [end_of(b"\n\n"), end_of(b"\r\n\r\n")].into_iter().flatten().min().unwrap_or(rest.len());
        let (block, tail) = rest.split_at(end);
        blocks.push(block);
        rest = tail;
    }
    blocks
}

fn is_usage_only(block: &[u8]) -> bool {
    events_of(block).iter().any(|event| {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        data["usage"].is_object() && data["choices"].as_array().is_some_and(Vec::is_empty)
    })
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_f64().map(|number| number as u64)).unwrap_or(0)
}

/// The largest report; what the total has beyond prompt and completion was generated.
fn openai(documents: &[Value]) -> Counts {
    let places = |d: &Value| {
        [
            &d["usage"],
            &d["x_groq"]["usage"],
            &d["choices"][0]["usage"],
            &d["response"]["usage"],
            &d["meta"]["billed_units"],
        ]
        .map(Value::clone)
    };
    let mut most = Counts::default();
    for report in documents.iter().flat_map(places).filter(Value::is_object) {
        let first = |names: &[&str]| names.iter().map(|name| number(&report[*name])).max().unwrap_or(0);
        let detail =
            |side: [&str; 2], name: &str| side.map(|s| number(&report[s][name])).into_iter().max().unwrap();
        let (ins, outs) = (
            ["prompt_tokens_details", "input_tokens_details"],
            ["completion_tokens_details", "output_tokens_details"],
        );
        let (given, completion) =
            (first(&["prompt_tokens", "input_tokens"]), first(&["completion_tokens", "output_tokens"]));
        let total = number(&report["total_tokens"]);
        let input = if given == 0 { total.saturating_sub(completion) } else { given };
        let unseen = total.saturating_sub(input + completion);
        let cached = first(&["cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens"]);
        most = Counts {
            input: most.input.max(input),
            output: most.output.max(completion + unseen),
            cache_read: most.cache_read.max(detail(ins, "cached_tokens")).max(cached),
            cache_write: most.cache_write.max(detail(ins, "cache_write_tokens")),
            reasoning: most
                .reasoning
                .max(detail(outs, "reasoning_tokens").max(unseen).min(completion + unseen)),
        };
    }
    most
}

/// Cumulative over `message_start` and `message_delta`; cached tokens are input too.
fn anthropic(documents: &[Value]) -> Counts {
    let reports: Vec<&Value> = documents.iter().flat_map(|d| [&d["usage"], &d["message"]["usage"]]).collect();
    let most = |pointer: &str| reports.iter().filter_map(|r| r.pointer(pointer)?.as_u64()).max().unwrap_or(0);
    let (read, written) = (most("/cache_read_input_tokens"), most("/cache_creation_input_tokens"));
    Counts {
        input: most("/input_tokens") + read + written,
        output: most("/output_tokens"),
        cache_read: read,
        cache_write: written,
        reasoning: most("/output_tokens_details/thinking_tokens"),
    }
}

/// The last report counts; thoughts are output.
fn gemini(documents: &[Value]) -> Counts {
    let last = |name: &str| {
        let mut reported = documents.iter().filter_map(|d| d["usageMetadata"][name].as_u64());
        reported.next_back().unwrap_or(0)
    };
    Counts {
        input: last("promptTokenCount") + last("toolUsePromptTokenCount"),
        output: last("candidatesTokenCount") + last("thoughtsTokenCount"),
        cache_read: last("cachedContentTokenCount"),
        cache_write: 0,
        reasoning: last("thoughtsTokenCount"),
    }
}

/// Runs `hold` and gives its failure as words, so that one recording does not hide the others.
fn caught(hold: impl FnOnce()) -> Option<String> {
    let hold = std::panic::AssertUnwindSafe(hold);
    let told = std::panic::catch_unwind(hold).err()?;
    let text = told.downcast_ref::<String>().cloned();
    let text = text.or_else(|| told.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some(text.unwrap_or_default().chars().take(1500).collect())
}

/// Plays pairs through one gateway, each checked in words and then in the log.
fn replay(edge: &Edge, pairs: &[Pair], failures: &mut Vec<String>) {
    let mut ids: HashMap<String, &Pair> = HashMap::new();
    for pair in pairs {
        let count = if pair.status == 200 && !pair.is_faulty() { 1 } else { ATTEMPTS_MAX };
        edge.sim.script(vec![pair.reply(); count]);
        let mut id = None;
        failures.extend(caught(|| {
            let mut answer = edge.gateway.send(&pair.request);
            id = answer.header("x-tidegate-request-id").map(str::to_owned);
            pair.hold_client(&mut answer);
            pair.hold_upstream(&edge.sim);
        }));
        ids.extend(id.map(|id| (id, pair)));
    }
    let lines = edge.gateway.log_when(ids.len());
    for line in &lines {
        if let Some(pair) = ids.remove(line["request_id"].as_str().unwrap()) {
            failures.extend(caught(|| pair.hold_log(line)));
        }
    }
    assert!(ids.is_empty(), "{} calls are not in the log", ids.len());
}

#[test]
fn corpus_replay_of_every_recorded_pair_changes_no_byte_and_counts_what_was_counted() {
    let Some(cases) = cases() else { return };
    let mut skipped: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut pairs = Vec::new();
    for case in &cases {
        match pair(case) {
            Ok(pair) => pairs.push(pair),
            Err(reason) => *skipped.entry(reason).or_default() += 1,
        }
    }
    let count = pairs.len();
    println!("corpus replay: {count} pairs, {} skipped ({})", cases.len() - count, json!(skipped));
    assert!(count >= PAIRS_MIN, "only {count} pairs");
    let mut failures = Vec::new();
    for wire in [Wire::Chat, Wire::Messages, Wire::Gemini] {
        let is_of = |pair: &Pair| pair.wire.kind() == wire.kind();
        let (of_wire, others): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(is_of);
        pairs = others;
        // What fails sets its target aside: each such call gets a gateway of its own.
        let is_well = |pair: &Pair| pair.status == 200 && !pair.is_faulty();
        let (well, ill): (Vec<Pair>, Vec<Pair>) = of_wire.into_iter().partition(is_well);
        println!("  {}: {} answered, {} refused", wire.kind(), well.len(), ill.len());
        replay(&Edge::start(wire), &well, &mut failures);
        for pair in ill {
            replay(&Edge::start(wire), std::slice::from_ref(&pair), &mut failures);
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures in {count} pairs:\n{}",
        failures.len(),
        failures.join("\n---\n")
    );
}
