//! Gemini: generate, stream, count.

use super::errors;
use super::event::{Event, EventSource, Kind};
use super::job::{Job, Model};
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// What Gemini 3 puts on its calls and wants back with them.
pub const SIGNATURE: &str = "c2ltLXRob3VnaHQtc2lnbmF0dXJl";

/// The answer in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(512 + job.words * 7);
    out.push_str(r#"{"candidates":["#);
    for choice in 0..job.choices {
        put!(&mut out, if choice > 0 { "," } else { "" }, r#"{"content":{"parts":["#);
        match &job.call {
            None => put!(&mut out, r#"{"text":""#, job.text(choice), r#""}"#),
            Some(_) => put_call(job, &mut out),
        }
        put!(&mut out, r#"],"role":"model"},"finishReason":""#, finish(job), r#"","index":"#, choice, "}");
    }
    out.push(']');
    put_tail(job, job.output_tokens(), &mut out);
    Whole { words: job.words, ..Whole::json(out) }
}

/// The answer of `:countTokens`.
pub fn count(prompt_tokens: u64) -> Whole {
    let mut out = String::new();
    put!(
        &mut out,
        r#"{"totalTokens":"#,
        prompt_tokens,
        r#","promptTokensDetails":[{"modality":"TEXT","tokenCount":"#
    );
    put!(&mut out, prompt_tokens, "}]}");
    Whole::json(out)
}

fn finish(job: &Job) -> &'static str {
    if job.is_cut { "MAX_TOKENS" } else { "STOP" }
}

fn put_call(job: &Job, out: &mut String) {
    if let Some(call) = &job.call {
        put!(out, r#"{"functionCall":{"name":"#, Quoted(&call.name), r#","args":"#, call.arguments, "}");
        if job.model.contains("gemini-3") {
            put!(out, r#","thoughtSignature":""#, SIGNATURE, "\"");
        }
        out.push('}');
    }
}

/// Usage so far, model and id: every chunk ends with them.
fn put_tail(job: &Job, output: u64, out: &mut String) {
    if job.has_usage {
        put!(
            out,
            r#","usageMetadata":{"promptTokenCount":"#,
            job.prompt_tokens,
            r#","candidatesTokenCount":"#,
            output
        );
        put!(out, r#","totalTokenCount":"#, job.prompt_tokens.saturating_add(output));
        put!(out, r#","promptTokensDetails":[{"modality":"TEXT","tokenCount":"#, job.prompt_tokens, "}]}");
    }
    put!(out, r#","modelVersion":"#, Model(job), r#","responseId":""#, job.id, r#""}"#);
}

/// The answer in chunks; one candidate.
pub struct GenerateStream {
    job: Job,
    prose: Prose,
    at: usize,
}

impl GenerateStream {
    pub fn new(mut job: Job) -> Self {
        job.choices = 1;
        Self { prose: job.prose(0), job, at: 0 }
    }
}

impl EventSource for GenerateStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        let contents = if self.job.call.is_some() { 1 } else { self.job.words };
        data.push_str(r#"{"candidates":[{"content":{"parts":["#);
        if at < contents {
            if self.job.call.is_some() {
                put_call(&self.job, data);
            } else {
                data.push_str(r#"{"text":""#);
                self.prose.push_next(data);
                data.push_str(r#""}"#);
            }
            data.push_str(r#"],"role":"model"},"index":0}]"#);
            let output = if self.job.call.is_some() { self.job.output_tokens() } else { at as u64 + 1 };
            put_tail(&self.job, output, data);
            return Some(Event::new(Kind::Content, ""));
        }
        put!(data, r#"{"text":""}],"role":"model"},"finishReason":""#, finish(&self.job), r#"","index":0}]"#);
        put_tail(&self.job, self.job.output_tokens(), data);
        (at == contents).then_some(Event::new(Kind::Terminal, ""))
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::gemini(503, errors::STREAM_MESSAGE, None));
        ""
    }
}
