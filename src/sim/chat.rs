//! OpenAI chat completions.

use super::errors;
use super::event::{Event, EventSource, Kind, fragments};
use super::job::{Job, Model};
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// Characters of a tool call's arguments in one chunk.
const FRAGMENT_CHARS: usize = 6;

/// What DeepSeek's models think before a call, and want back with it.
const THOUGHT: &str = "The tool knows that.";

fn thinks(job: &Job) -> bool {
    job.call.is_some() && job.model.starts_with("deepseek")
}

/// The answer in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(640 + job.words * 7);
    put!(&mut out, r#"{"id":"chatcmpl-"#, job.id, r#"","object":"chat.completion","created":"#, job.created);
    put!(&mut out, r#","model":"#, Model(job), r#","choices":["#);
    for choice in 0..job.choices {
        put!(&mut out, if choice > 0 { "," } else { "" }, r#"{"index":"#, choice);
        put!(&mut out, r#","message":{"role":"assistant","#);
        if thinks(job) {
            put!(&mut out, r#""reasoning_content":"#, Quoted(THOUGHT), ",");
        }
        out.push_str(r#""content":"#);
        match &job.call {
            None => put!(&mut out, "\"", job.text(choice), "\""),
            Some(call) => {
                put!(
                    &mut out,
                    r#"null,"tool_calls":[{"id":"call_"#,
                    job.id,
                    r#"","type":"function","function":{"name":"#
                );
                put!(&mut out, Quoted(&call.name), r#","arguments":"#, Quoted(&call.arguments), "}}]");
            }
        }
        put!(
            &mut out,
            r#","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":""#,
            finish(job),
            r#""}"#
        );
    }
    out.push(']');
    if job.has_usage {
        put_usage(job, &mut out);
    }
    put!(&mut out, r#","service_tier":""#, job.tier, r#"","system_fingerprint":"fp_sim"}"#);
    Whole { words: job.words, ..Whole::json(out) }
}

fn finish(job: &Job) -> &'static str {
    match (&job.call, job.is_cut) {
        (Some(_), _) => "tool_calls",
        (None, true) => "length",
        (None, false) => "stop",
    }
}

fn put_usage(job: &Job, out: &mut String) {
    put!(
        out,
        r#","usage":{"prompt_tokens":"#,
        job.prompt_tokens,
        r#","completion_tokens":"#,
        job.output_tokens()
    );
    put!(out, r#","total_tokens":"#, job.total_tokens());
    put!(
        out,
        r#","prompt_tokens_details":{"cached_tokens":"#,
        job.cached_tokens.min(job.prompt_tokens),
        r#","audio_tokens":0},"completion_tokens_details":"#
    );
    put!(out, r#"{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"#);
    put!(out, r#""rejected_prediction_tokens":0}}"#);
}

/// The answer in chunks.
pub struct ChatStream {
    job: Job,
    /// All of a chunk up to its `choices`.
    prefix: String,
    /// What ends a chunk with choices.
    suffix: &'static str,
    has_usage_chunk: bool,
    prose: Vec<Prose>,
    fragments: Vec<String>,
    at: usize,
}

impl ChatStream {
    /// `wants_usage` as in `stream_options.include_usage`.
    pub fn new(job: Job, wants_usage: bool) -> Self {
        let mut prefix = String::new();
        put!(&mut prefix, r#"{"id":"chatcmpl-"#, job.id, r#"","object":"chat.completion.chunk","created":"#);
        put!(&mut prefix, job.created, r#","model":"#, Model(&job));
        put!(&mut prefix, r#","service_tier":""#, job.tier, r#"","system_fingerprint":"fp_sim","choices":["#);
        let has_usage_chunk = wants_usage && job.has_usage;
        Self {
            prefix,
            suffix: if has_usage_chunk { r#"}],"usage":null}"# } else { "}]}" },
            has_usage_chunk,
            prose: (0..job.choices).map(|choice| job.prose(choice)).collect(),
            fragments: job
                .call
                .as_ref()
                .map(|call| fragments(&call.arguments, FRAGMENT_CHARS))
                .unwrap_or_default(),
            job,
            at: 0,
        }
    }

    fn content_events(&self) -> usize {
        if self.job.call.is_some() { 1 + self.fragments.len() } else { self.job.words * self.job.choices }
    }

    fn put_content(&mut self, number: usize, data: &mut String) {
        let choices = self.job.choices.max(1);
        let choice = number % choices;
        put!(data, self.prefix, r#"{"index":"#, choice, r#","delta":{"#);
        match (&self.job.call, number.checked_sub(1).and_then(|place| self.fragments.get(place))) {
            (Some(call), None) => {
                put!(data, r#""tool_calls":[{"index":0,"id":"call_"#, self.job.id, r#"","type":"function","#);
                put!(data, r#""function":{"name":"#, Quoted(&call.name), r#","arguments":""}}]"#);
            }
            (Some(_), Some(piece)) => {
                put!(data, r#""tool_calls":[{"index":0,"function":{"arguments":"#, Quoted(piece), "}}]");
            }
            (None, _) => {
                data.push_str(r#""content":""#);
                if let Some(prose) = self.prose.get_mut(choice) {
                    prose.push_next(data);
                }
                data.push('"');
            }
        }
        put!(data, r#"},"logprobs":null,"finish_reason":null"#, self.suffix);
    }

    fn put_end(&self, place: usize, data: &mut String) -> Option<Kind> {
        let usage_at = self.job.choices;
        let done_at = usage_at + usize::from(self.has_usage_chunk);
        if place < usage_at {
            put!(
                data,
                self.prefix,
                r#"{"index":"#,
                place,
                r#","delta":{},"logprobs":null,"finish_reason":""#
            );
            put!(data, finish(&self.job), "\"", self.suffix);
            return Some(Kind::Verdict);
        }
        if place < done_at {
            put!(data, self.prefix, "]");
            put_usage(&self.job, data);
            data.push('}');
            return Some(Kind::Verdict);
        }
        data.push_str("[DONE]");
        (place == done_at).then_some(Kind::Terminal)
    }
}

impl EventSource for ChatStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        let Some(content) = at.checked_sub(self.job.choices) else {
            let empty = if self.job.call.is_some() { "null" } else { r#""""# };
            put!(data, self.prefix, r#"{"index":"#, at, r#","delta":{"role":"assistant","content":"#, empty);
            if thinks(&self.job) {
                put!(data, r#","reasoning_content":"#, Quoted(THOUGHT));
            }
            put!(data, r#","refusal":null},"logprobs":null,"finish_reason":null"#, self.suffix);
            return Some(Event::new(Kind::Preamble, ""));
        };
        let kind = match content.checked_sub(self.content_events()) {
            None => {
                self.put_content(content, data);
                Kind::Content
            }
            Some(place) => self.put_end(place, data)?,
        };
        Some(Event::new(kind, ""))
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::openai(500, errors::STREAM_MESSAGE));
        ""
    }
}
