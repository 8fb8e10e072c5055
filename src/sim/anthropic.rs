//! Anthropic messages.

use super::errors;
use super::event::{Event, EventSource, Kind, fragments};
use super::job::{Job, Model};
use super::json::{Quoted, put};
use super::reply::Whole;
use super::text::Prose;

/// Characters of a tool call's input in one delta.
const FRAGMENT_CHARS: usize = 6;

/// The answer in one piece.
pub fn whole(job: &Job) -> Whole {
    let mut out = String::with_capacity(640 + job.words * 7);
    put!(&mut out, r#"{"model":"#, Model(job), r#","id":"msg_"#, job.id);
    put!(&mut out, r#"","type":"message","role":"assistant","content":["#);
    match &job.call {
        None => put!(&mut out, r#"{"type":"text","text":""#, job.text(0), r#""}"#),
        Some(call) => {
            put!(&mut out, r#"{"type":"tool_use","id":"toolu_"#, job.id, r#"","name":"#, Quoted(&call.name));
            put!(&mut out, r#","input":"#, call.arguments, "}");
        }
    }
    put!(&mut out, r#"],"stop_reason":""#, stop_reason(job), r#"","stop_sequence":null,"stop_details":null"#);
    if job.has_usage {
        out.push(',');
        put_usage(job, job.output_tokens(), &mut out);
    }
    out.push('}');
    Whole { words: job.words, ..Whole::json(out) }
}

/// The answer of `count_tokens`.
pub fn count(prompt_tokens: u64) -> Whole {
    Whole::json(format!(r#"{{"input_tokens":{prompt_tokens}}}"#))
}

fn stop_reason(job: &Job) -> &'static str {
    match (&job.call, job.is_cut) {
        (Some(_), _) => "tool_use",
        (None, true) => "max_tokens",
        (None, false) => "end_turn",
    }
}

fn put_usage(job: &Job, output: u64, out: &mut String) {
    put!(out, r#""usage":{"input_tokens":"#, job.prompt_tokens, r#","cache_creation_input_tokens":0,"#);
    put!(out, r#""cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"#);
    put!(out, r#""ephemeral_1h_input_tokens":0},"output_tokens":"#, output);
    put!(out, r#","service_tier":"standard","inference_geo":"global"}"#);
}

/// The answer in events.
pub struct MessageStream {
    job: Job,
    prose: Prose,
    fragments: Vec<String>,
    at: usize,
}

impl MessageStream {
    pub fn new(job: Job) -> Self {
        let fragments = match &job.call {
            // Providers begin with an empty piece.
            Some(call) => {
                [String::new()].into_iter().chain(fragments(&call.arguments, FRAGMENT_CHARS)).collect()
            }
            None => Vec::new(),
        };
        Self { prose: job.prose(0), fragments, job, at: 0 }
    }

    fn put_start(&self, data: &mut String) {
        put!(
            data,
            r#"{"type":"message_start","message":{"model":"#,
            Model(&self.job),
            r#","id":"msg_"#,
            self.job.id
        );
        put!(data, r#"","type":"message","role":"assistant","content":[],"stop_reason":null,"#);
        put!(data, r#""stop_sequence":null,"stop_details":null"#);
        if self.job.has_usage {
            data.push(',');
            put_usage(&self.job, 1, data);
        }
        data.push_str("}}");
    }

    fn put_block_start(&self, data: &mut String) {
        data.push_str(r#"{"type":"content_block_start","index":0,"content_block":"#);
        match &self.job.call {
            None => data.push_str(r#"{"type":"text","text":""}}"#),
            Some(call) => {
                put!(
                    data,
                    r#"{"type":"tool_use","id":"toolu_"#,
                    self.job.id,
                    r#"","name":"#,
                    Quoted(&call.name)
                );
                data.push_str(r#","input":{}}}"#);
            }
        }
    }

    fn put_content(&mut self, number: usize, data: &mut String) {
        data.push_str(r#"{"type":"content_block_delta","index":0,"delta":{"type":""#);
        match self.fragments.get(number) {
            Some(piece) => put!(data, r#"input_json_delta","partial_json":"#, Quoted(piece)),
            None => {
                data.push_str(r#"text_delta","text":""#);
                self.prose.push_next(data);
                data.push('"');
            }
        }
        data.push_str("}}");
    }

    fn put_end(&self, place: usize, data: &mut String) -> Option<Event> {
        match place {
            0 => {
                data.push_str(r#"{"type":"content_block_stop","index":0}"#);
                Some(Event::new(Kind::Closing, "content_block_stop"))
            }
            1 => {
                put!(data, r#"{"type":"message_delta","delta":{"stop_reason":""#, stop_reason(&self.job));
                data.push_str(r#"","stop_sequence":null,"stop_details":null}"#);
                if self.job.has_usage {
                    put!(data, r#","usage":{"input_tokens":"#, self.job.prompt_tokens);
                    put!(
                        data,
                        r#","cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":"#
                    );
                    put!(data, self.job.output_tokens(), "}");
                }
                data.push('}');
                Some(Event::new(Kind::Verdict, "message_delta"))
            }
            2 => {
                data.push_str(r#"{"type":"message_stop"}"#);
                Some(Event::new(Kind::Terminal, "message_stop"))
            }
            _ => None,
        }
    }
}

impl EventSource for MessageStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        let Some(content) = at.checked_sub(3) else {
            return Some(match at {
                0 => {
                    self.put_start(data);
                    Event::new(Kind::Preamble, "message_start")
                }
                1 => {
                    self.put_block_start(data);
                    Event::new(Kind::Preamble, "content_block_start")
                }
                _ => {
                    data.push_str(r#"{"type":"ping"}"#);
                    Event::new(Kind::Preamble, "ping")
                }
            });
        };
        let contents = if self.job.call.is_some() { self.fragments.len() } else { self.job.words };
        match content.checked_sub(contents) {
            None => {
                self.put_content(content, data);
                Some(Event::new(Kind::Content, "content_block_delta"))
            }
            Some(place) => self.put_end(place, data),
        }
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        data.push_str(&errors::anthropic(529, errors::STREAM_MESSAGE, self.job.id));
        "error"
    }
}
