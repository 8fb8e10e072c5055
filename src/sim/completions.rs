//! OpenAI's legacy text completions.

use super::errors;
use super::event::{Event, EventSource, Kind};
use super::job::{Job, Model};
use super::json::put;
use super::reply::Whole;
use super::text::Prose;

/// The answer in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(320 + job.words * 7);
    put!(&mut out, r#"{"id":"cmpl-"#, job.id, r#"","object":"text_completion","created":"#, job.created);
    put!(&mut out, r#","model":"#, Model(job), r#","choices":["#);
    for choice in 0..job.choices {
        put!(
            &mut out,
            if choice > 0 { "," } else { "" },
            r#"{"text":""#,
            job.text(choice),
            r#"","index":"#,
            choice
        );
        put!(&mut out, r#","logprobs":null,"finish_reason":""#, finish(job), r#""}"#);
    }
    out.push(']');
    if job.has_usage {
        put_usage(job, &mut out);
    }
    out.push('}');
    Whole { words: job.words, ..Whole::json(out) }
}

fn finish(job: &Job) -> &'static str {
    if job.is_cut { "length" } else { "stop" }
}

fn put_usage(job: &Job, out: &mut String) {
    put!(
        out,
        r#","usage":{"prompt_tokens":"#,
        job.prompt_tokens,
        r#","completion_tokens":"#,
        job.output_tokens()
    );
    put!(out, r#","total_tokens":"#, job.total_tokens(), "}");
}

/// The answer in chunks.
pub struct CompletionStream {
    job: Job,
    prefix: String,
    has_usage_chunk: bool,
    prose: Vec<Prose>,
    at: usize,
}

impl CompletionStream {
    /// `wants_usage` as in `stream_options.include_usage`.
    pub fn new(job: Job, wants_usage: bool) -> Self {
        let mut prefix = String::new();
        put!(
            &mut prefix,
            r#"{"id":"cmpl-"#,
            job.id,
            r#"","object":"text_completion","created":"#,
            job.created
        );
        put!(&mut prefix, r#","model":"#, Model(&job), r#","choices":["#);
        let prose = (0..job.choices).map(|choice| job.prose(choice)).collect();
        Self { prefix, has_usage_chunk: wants_usage && job.has_usage, prose, job, at: 0 }
    }

    fn put_tail(&self, data: &mut String) {
        data.push_str(if self.has_usage_chunk { r#"}],"usage":null}"# } else { "}]}" });
    }
}

impl EventSource for CompletionStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let (at, choices) = (self.at, self.job.choices.max(1));
        self.at += 1;
        let Some(place) = at.checked_sub(self.job.words * choices) else {
            let choice = at % choices;
            put!(data, self.prefix, r#"{"text":""#);
            if let Some(prose) = self.prose.get_mut(choice) {
                prose.push_next(data);
            }
            put!(data, r#"","index":"#, choice, r#","logprobs":null,"finish_reason":null"#);
            self.put_tail(data);
            return Some(Event::new(Kind::Content, ""));
        };
        if place < choices {
            put!(data, self.prefix, r#"{"text":"","index":"#, place, r#","logprobs":null,"finish_reason":""#);
            put!(data, finish(&self.job), "\"");
            self.put_tail(data);
            return Some(Event::new(Kind::Verdict, ""));
        }
        if self.has_usage_chunk && place == choices {
            put!(data, self.prefix, "]");
            put_usage(&self.job, data);
            data.push('}');
            return Some(Event::new(Kind::Verdict, ""));
        }
        data.push_str("[DONE]");
        (place == choices + usize::from(self.has_usage_chunk)).then_some(Event::new(Kind::Terminal, ""))
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::openai(500, errors::STREAM_MESSAGE));
        ""
    }
}
