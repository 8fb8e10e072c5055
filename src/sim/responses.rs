//! The OpenAI Responses object: the answer in one piece, and what its stream's events hold of it.

use serde_json::value::RawValue;

use super::ask::Ask;
use super::job::{Job, Model};
use super::json::{Put, Quoted, put};
use super::reply::Whole;

/// A response to be made, with the request's fields that it repeats.
#[derive(Clone, Debug)]
pub struct Draft {
    pub job: Job,
    instructions: String,
    metadata: String,
    tools: String,
    tool_choice: String,
    text: String,
    reasoning: String,
    previous: String,
    temperature: String,
    top_p: String,
    parallel: String,
    limit: String,
    is_stored: bool,
}

/// How far a response is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    InProgress,
    Ended,
}

impl Draft {
    pub fn new(job: Job, ask: &Ask<'_>) -> Self {
        let raw = |field: Option<&RawValue>, absent: &str| field.map_or_else(|| absent.to_owned(), one_line);
        Self {
            job,
            instructions: raw(ask.instructions, "null"),
            metadata: raw(ask.metadata, "{}"),
            tools: raw(ask.tools, "[]"),
            tool_choice: raw(ask.tool_choice, "\"auto\""),
            text: raw(ask.text, r#"{"format":{"type":"text"},"verbosity":"medium"}"#),
            reasoning: raw(ask.reasoning, r#"{"effort":null,"summary":null}"#),
            previous: raw(ask.previous_response_id, "null"),
            temperature: raw(ask.temperature, "1.0"),
            top_p: raw(ask.top_p, "1.0"),
            parallel: raw(ask.parallel_tool_calls, "true"),
            limit: ask.limit().map_or_else(|| "null".to_owned(), |limit| limit.to_string()),
            is_stored: ask.store != Some(false),
        }
    }

    /// The id under which it can be fetched, where it is stored.
    pub fn stored_id(&self) -> Option<String> {
        self.is_stored.then(|| {
            let mut id = "resp_".to_owned();
            self.job.id.put(&mut id);
            id
        })
    }

    pub fn put(&self, stage: Stage, out: &mut String) {
        let job = &self.job;
        let status = match stage {
            Stage::InProgress => "in_progress",
            Stage::Ended => self.end_status(),
        };
        put!(
            out,
            r#"{"id":"resp_"#,
            job.id,
            r#"","object":"response","created_at":"#,
            job.created,
            r#","status":""#
        );
        put!(out, status, r#"","background":false,"error":null,"incomplete_details":"#);
        put!(out, if status == "incomplete" { r#"{"reason":"max_output_tokens"}"# } else { "null" });
        put!(out, r#","instructions":"#, self.instructions, r#","max_output_tokens":"#, self.limit);
        put!(out, r#","max_tool_calls":null,"model":"#, Model(job), r#","output":["#);
        if stage == Stage::Ended {
            self.put_item(stage, out);
        }
        put!(out, r#"],"parallel_tool_calls":"#, self.parallel, r#","previous_response_id":"#, self.previous);
        put!(out, r#","prompt_cache_key":null,"reasoning":"#, self.reasoning, r#","safety_identifier":null"#);
        put!(
            out,
            r#","service_tier":""#,
            job.tier,
            r#"","store":"#,
            if self.is_stored { "true" } else { "false" }
        );
        put!(out, r#","temperature":"#, self.temperature, r#","text":"#, self.text, r#","tool_choice":"#);
        put!(out, self.tool_choice, r#","tools":"#, self.tools, r#","top_logprobs":0,"top_p":"#, self.top_p);
        put!(out, r#","truncation":"disabled","usage":"#);
        if stage == Stage::Ended && job.has_usage {
            put!(
                out,
                r#"{"input_tokens":"#,
                job.prompt_tokens,
                r#","input_tokens_details":{"cached_tokens":0},"#
            );
            put!(out, r#""output_tokens":"#, job.output_tokens(), r#","output_tokens_details":"#);
            put!(out, r#"{"reasoning_tokens":0},"total_tokens":"#, job.total_tokens(), "}");
        } else {
            out.push_str("null");
        }
        put!(out, r#","user":null,"metadata":"#, self.metadata, "}");
    }

    /// `completed`, or `incomplete` where the limit ended it.
    pub fn end_status(&self) -> &'static str {
        if self.job.is_cut { "incomplete" } else { "completed" }
    }

    /// The one output item.
    pub fn put_item(&self, stage: Stage, out: &mut String) {
        let job = &self.job;
        let (status, has_ended) = match stage {
            Stage::InProgress => ("in_progress", false),
            Stage::Ended => (self.end_status(), true),
        };
        if let Some(call) = &job.call {
            put!(
                out,
                r#"{"id":"fc_"#,
                job.id,
                r#"","type":"function_call","status":""#,
                status,
                r#"","arguments":"#
            );
            put!(out, Quoted(if has_ended { &call.arguments } else { "" }), r#","call_id":"call_"#, job.id);
            put!(out, r#"","name":"#, Quoted(&call.name), "}");
            return;
        }
        put!(out, r#"{"id":"msg_"#, job.id, r#"","type":"message","status":""#, status, r#"","content":["#);
        if has_ended {
            self.put_part(&job.text(0), out);
        }
        out.push_str(r#"],"role":"assistant"}"#);
    }

    /// A content part with this text.
    pub fn put_part(&self, text: &str, out: &mut String) {
        put!(out, r#"{"type":"output_text","annotations":[],"logprobs":[],"text":""#, text, r#""}"#);
    }

    /// The answer in one piece.
    pub fn whole(&self) -> Whole {
        let mut out = String::with_capacity(1024 + self.job.words * 7);
        self.put(Stage::Ended, &mut out);
        Whole { words: self.job.words, ..Whole::json(out) }
    }
}

/// A part of the request as it was sent, unless it has line ends: an event's data must be one line.
fn one_line(part: &RawValue) -> String {
    let text = part.get();
    if !text.contains(['\n', '\r']) {
        return text.to_owned();
    }
    serde_json::from_str::<serde_json::Value>(text)
        .map_or_else(|_| "null".to_owned(), |value| value.to_string())
}
