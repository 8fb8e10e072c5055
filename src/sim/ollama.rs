//! Ollama's own API: chat whole and as lines of JSON, embed.

use super::errors;
use super::event::{Event, EventSource, Kind};
use super::job::{Job, Model};
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// The moment every answer claims to be made: nothing depends on it.
const CREATED: &str = "2026-01-02T03:04:05.678901Z";

/// The answer of `/api/chat` in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(320 + job.words * 7);
    put_head(job, &mut out);
    if job.call.is_some() {
        put_call(job, &mut out);
    } else {
        put!(&mut out, "\"", job.text(0), "\"");
    }
    put_tail(job, &mut out);
    Whole { words: job.words, ..Whole::json(out) }
}

/// All up to the text.
fn put_head(job: &Job, out: &mut String) {
    put!(out, r#"{"model":"#, Model(job), r#","created_at":""#, CREATED);
    out.push_str(r#"","message":{"role":"assistant","content":"#);
}

/// No text, and the call. Arguments are an object, and the id is a recent addition.
fn put_call(job: &Job, out: &mut String) {
    let Some(call) = &job.call else { return };
    put!(out, r#""","tool_calls":[{"id":"call_"#, job.id, r#"","function":{"index":0,"name":"#);
    put!(out, Quoted(&call.name), r#","arguments":"#, call.arguments, "}}]");
}

/// What the last line has behind its message.
fn put_tail(job: &Job, out: &mut String) {
    // Calls end with "stop" too.
    let reason = if job.is_cut { "length" } else { "stop" };
    put!(out, r#"},"done":true,"done_reason":""#, reason, r#"","total_duration":482007750"#);
    put!(out, r#","load_duration":52719542"#);
    if job.has_usage {
        put!(out, r#","prompt_eval_count":"#, job.prompt_tokens, r#","prompt_eval_duration":44457208"#);
        put!(out, r#","eval_count":"#, job.output_tokens(), r#","eval_duration":384438167"#);
    }
    out.push('}');
}

/// The answer of `/api/chat` in lines; a call comes whole in one.
pub struct LineStream {
    job: Job,
    prose: Prose,
    at: usize,
}

impl LineStream {
    pub fn new(job: Job) -> Self {
        Self { prose: job.prose(0), job, at: 0 }
    }
}

impl EventSource for LineStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        let contents = if self.job.call.is_some() { 1 } else { self.job.words };
        if at > contents {
            return None;
        }
        put_head(&self.job, data);
        if at == contents {
            data.push_str("\"\"");
            put_tail(&self.job, data);
            return Some(Event::new(Kind::Terminal, ""));
        }
        if self.job.call.is_some() {
            put_call(&self.job, data);
        } else {
            data.push('"');
            self.prose.push_next(data);
            data.push('"');
        }
        data.push_str(r#"},"done":false}"#);
        Some(Event::new(Kind::Content, ""))
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::ollama(errors::STREAM_MESSAGE));
        ""
    }
}
