//! Cohere v2: chat whole and in events, embed. (Rerank has one shape for all: `openai_misc`.)

use super::errors;
use super::event::{Event, EventSource, Kind, fragments};
use super::job::Job;
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// Characters of a tool call's arguments in one delta.
const FRAGMENT_CHARS: usize = 6;
/// What it says before it calls.
const PLAN: &str = "I will use the tool.";

/// The answer of `/v2/chat` in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(320 + job.words * 7);
    put!(&mut out, r#"{"id":""#, job.id, r#"","message":{"role":"assistant","#);
    match &job.call {
        None => put!(&mut out, r#""content":[{"type":"text","text":""#, job.text(0), r#""}]"#),
        Some(call) => {
            put!(&mut out, r#""tool_plan":"#, Quoted(PLAN), r#","tool_calls":[{"id":""#, job.id);
            put!(&mut out, r#"","type":"function","function":{"name":"#, Quoted(&call.name));
            put!(&mut out, r#","arguments":"#, Quoted(&call.arguments), "}}]");
        }
    }
    put!(&mut out, r#"},"finish_reason":""#, finish(job), "\"");
    put_usage(job, &mut out);
    out.push('}');
    Whole { words: job.words, ..Whole::json(out) }
}

fn finish(job: &Job) -> &'static str {
    match (&job.call, job.is_cut) {
        (Some(_), _) => "TOOL_CALL",
        (None, true) => "MAX_TOKENS",
        (None, false) => "COMPLETE",
    }
}

fn put_usage(job: &Job, out: &mut String) {
    if !job.has_usage {
        return;
    }
    put!(out, r#","usage":{"billed_units":{"input_tokens":"#, job.prompt_tokens, r#","output_tokens":"#);
    put!(out, job.output_tokens(), r#"},"tokens":{"input_tokens":"#, job.prompt_tokens);
    put!(out, r#","output_tokens":"#, job.output_tokens(), "}}");
}

/// The answer of `/v2/chat` in events.
pub struct CohereStream {
    job: Job,
    prose: Prose,
    fragments: Vec<String>,
    at: usize,
}

impl CohereStream {
    pub fn new(job: Job) -> Self {
        let call = job.call.as_ref();
        let fragments = call.map(|call| fragments(&call.arguments, FRAGMENT_CHARS)).unwrap_or_default();
        Self { prose: job.prose(0), fragments, job, at: 0 }
    }

    fn put_start(&self, at: usize, data: &mut String) -> Option<&'static str> {
        match (at, &self.job.call) {
            (0, _) => {
                put!(data, r#"{"id":""#, self.job.id, r#"","type":"message-start","delta":{"message":"#);
                data.push_str(
                    r#"{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
                );
                Some("message-start")
            }
            (1, None) => {
                data.push_str(r#"{"type":"content-start","index":0,"delta":{"message":{"content":"#);
                data.push_str(r#"{"type":"text","text":""}}}}"#);
                Some("content-start")
            }
            (1, Some(_)) => {
                put!(
                    data,
                    r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"#,
                    Quoted(PLAN),
                    "}}}"
                );
                Some("tool-plan-delta")
            }
            (2, Some(call)) => {
                data.push_str(r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":"#);
                put!(data, r#"{"id":""#, self.job.id, r#"","type":"function","function":{"name":"#);
                put!(data, Quoted(&call.name), r#","arguments":""}}}}}"#);
                Some("tool-call-start")
            }
            _ => None,
        }
    }

    fn put_content(&mut self, number: usize, data: &mut String) -> &'static str {
        match self.fragments.get(number) {
            Some(piece) => {
                data.push_str(r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":"#);
                put!(data, r#"{"function":{"arguments":"#, Quoted(piece), "}}}}}");
                "tool-call-delta"
            }
            None => {
                data.push_str(r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":""#);
                self.prose.push_next(data);
                data.push_str(r#""}}}}"#);
                "content-delta"
            }
        }
    }

    fn put_end(&self, place: usize, data: &mut String) -> Option<Event> {
        match place {
            0 => {
                let kind = if self.job.call.is_some() { "tool-call-end" } else { "content-end" };
                put!(data, r#"{"type":""#, kind, r#"","index":0}"#);
                Some(Event::new(Kind::Closing, kind))
            }
            1 => {
                put!(data, r#"{"type":"message-end","delta":{"finish_reason":""#, finish(&self.job), "\"");
                put_usage(&self.job, data);
                data.push_str("}}");
                Some(Event::new(Kind::Verdict, "message-end"))
            }
            2 => {
                data.push_str("[DONE]");
                Some(Event::new(Kind::Terminal, ""))
            }
            _ => None,
        }
    }
}

impl EventSource for CohereStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        if let Some(name) = self.put_start(at, data) {
            return Some(Event::new(Kind::Preamble, name));
        }
        let content = at.saturating_sub(if self.job.call.is_some() { 3 } else { 2 });
        let contents = if self.job.call.is_some() { self.fragments.len() } else { self.job.words };
        match content.checked_sub(contents) {
            None => {
                let name = self.put_content(content, data);
                Some(Event::new(Kind::Content, name))
            }
            Some(place) => self.put_end(place, data),
        }
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        put!(data, r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"#);
        put!(data, Quoted(errors::STREAM_MESSAGE), "}}");
        "message-end"
    }
}
