//! Bedrock Converse: whole, and as events of a binary stream.

use super::errors;
use super::event::{Event, EventSource, Kind, fragments};
use super::job::Job;
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// Characters of a tool call's input in one delta.
const FRAGMENT_CHARS: usize = 6;

/// The answer in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(320 + job.words * 7);
    out.push_str(r#"{"metrics":{"latencyMs":1},"output":{"message":{"content":["#);
    match &job.call {
        None => put!(&mut out, r#"{"text":""#, job.text(0), r#""}"#),
        Some(call) => {
            put!(&mut out, r#"{"toolUse":{"input":"#, call.arguments, r#","name":"#, Quoted(&call.name));
            put!(&mut out, r#","toolUseId":"tooluse_"#, job.id, r#""}}"#);
        }
    }
    put!(&mut out, r#"],"role":"assistant"}},"stopReason":""#, stop_reason(job), "\"");
    if job.has_usage {
        out.push(',');
        put_usage(job, &mut out);
    }
    out.push('}');
    Whole { words: job.words, ..Whole::json(out) }
}

fn stop_reason(job: &Job) -> &'static str {
    match (&job.call, job.is_cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn put_usage(job: &Job, out: &mut String) {
    put!(out, r#""usage":{"inputTokens":"#, job.prompt_tokens, r#","outputTokens":"#, job.output_tokens());
    put!(out, r#","serverToolUsage":{},"totalTokens":"#, job.total_tokens(), "}");
}

/// The answer in events. Text has no `contentBlockStart`; usage comes after `messageStop`.
pub struct ConverseStream {
    job: Job,
    prose: Prose,
    fragments: Vec<String>,
    at: usize,
}

impl ConverseStream {
    pub fn new(job: Job) -> Self {
        let call = job.call.as_ref();
        let fragments = call.map(|call| fragments(&call.arguments, FRAGMENT_CHARS)).unwrap_or_default();
        Self { prose: job.prose(0), fragments, job, at: 0 }
    }

    fn put_start(&self, at: usize, data: &mut String) -> Option<&'static str> {
        match (at, &self.job.call) {
            (0, _) => {
                data.push_str(r#"{"p":"abcdef","role":"assistant"}"#);
                Some("messageStart")
            }
            (1, Some(call)) => {
                put!(
                    data,
                    r#"{"contentBlockIndex":0,"p":"abc","start":{"toolUse":{"name":"#,
                    Quoted(&call.name)
                );
                put!(data, r#","toolUseId":"tooluse_"#, self.job.id, r#""}}}"#);
                Some("contentBlockStart")
            }
            _ => None,
        }
    }

    fn put_content(&mut self, number: usize, data: &mut String) {
        data.push_str(r#"{"contentBlockIndex":0,"delta":{"#);
        match self.fragments.get(number) {
            Some(piece) => put!(data, r#""toolUse":{"input":"#, Quoted(piece), "}"),
            None => {
                data.push_str(r#""text":""#);
                self.prose.push_next(data);
                data.push('"');
            }
        }
        data.push_str(r#"},"p":"abcdefghijk"}"#);
    }

    fn put_end(&self, place: usize, data: &mut String) -> Option<Event> {
        match place {
            0 => {
                data.push_str(r#"{"contentBlockIndex":0,"p":"ab"}"#);
                Some(Event::new(Kind::Closing, "contentBlockStop"))
            }
            1 => {
                put!(data, r#"{"p":"abcd","stopReason":""#, stop_reason(&self.job), r#""}"#);
                Some(Event::new(Kind::Verdict, "messageStop"))
            }
            2 => {
                data.push_str(r#"{"metrics":{"latencyMs":1},"p":"abcdefg""#);
                if self.job.has_usage {
                    data.push(',');
                    put_usage(&self.job, data);
                }
                data.push('}');
                Some(Event::new(Kind::Terminal, "metadata"))
            }
            _ => None,
        }
    }
}

impl EventSource for ConverseStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        if let Some(name) = self.put_start(at, data) {
            return Some(Event::new(Kind::Preamble, name));
        }
        let content = at.saturating_sub(if self.job.call.is_some() { 2 } else { 1 });
        let contents = if self.job.call.is_some() { self.fragments.len() } else { self.job.words };
        match content.checked_sub(contents) {
            None => {
                self.put_content(content, data);
                Some(Event::new(Kind::Content, "contentBlockDelta"))
            }
            Some(place) => self.put_end(place, data),
        }
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::bare(errors::STREAM_MESSAGE));
        "modelStreamErrorException"
    }
}
