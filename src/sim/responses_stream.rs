//! The events of a streamed OpenAI response, in the order the API documents.

use super::errors;
use super::event::{Event, EventSource, Kind, fragments};
use super::json::{Put, Quoted, put};
use super::responses::{Draft, Stage};
use super::text::Prose;

/// Characters of a tool call's arguments in one delta.
const FRAGMENT_CHARS: usize = 6;

/// The answer in events.
pub struct ResponseStream {
    draft: Draft,
    prose: Prose,
    fragments: Vec<String>,
    at: usize,
}

impl ResponseStream {
    pub fn new(draft: Draft) -> Self {
        let call = draft.job.call.as_ref();
        let fragments = call.map(|call| fragments(&call.arguments, FRAGMENT_CHARS)).unwrap_or_default();
        Self { prose: draft.job.prose(0), fragments, draft, at: 0 }
    }

    fn is_call(&self) -> bool {
        self.draft.job.call.is_some()
    }

    /// Type and sequence number, as every event begins.
    fn begin(&self, name: &str, data: &mut String) {
        put!(data, r#"{"type":""#, name, r#"","sequence_number":"#, self.at.saturating_sub(1));
    }

    fn whole_event(&self, name: &'static str, stage: Stage, kind: Kind, data: &mut String) -> Event {
        self.begin(name, data);
        data.push_str(r#","response":"#);
        self.draft.put(stage, data);
        data.push('}');
        Event::new(kind, name)
    }

    fn item_event(&self, name: &'static str, stage: Stage, kind: Kind, data: &mut String) -> Event {
        self.begin(name, data);
        data.push_str(r#","output_index":0,"item":"#);
        self.draft.put_item(stage, data);
        data.push('}');
        Event::new(kind, name)
    }

    /// Begins an event about the item's content and leaves it open.
    fn begin_within(&self, name: &str, data: &mut String) {
        self.begin(name, data);
        let prefix = if self.is_call() { "fc_" } else { "msg_" };
        put!(data, r#","item_id":""#, prefix);
        self.draft.job.id.put(data);
        data.push_str(r#"","output_index":0"#);
        if !self.is_call() {
            data.push_str(r#","content_index":0"#);
        }
    }

    fn part_event(&self, name: &'static str, text: &str, kind: Kind, data: &mut String) -> Event {
        self.begin_within(name, data);
        data.push_str(r#","part":"#);
        self.draft.put_part(text, data);
        data.push('}');
        Event::new(kind, name)
    }

    fn delta(&mut self, number: usize, data: &mut String) -> Event {
        if let Some(piece) = self.fragments.get(number) {
            let name = "response.function_call_arguments.delta";
            self.begin_within(name, data);
            put!(data, r#","delta":"#, Quoted(piece), "}");
            return Event::new(Kind::Content, name);
        }
        let name = "response.output_text.delta";
        self.begin_within(name, data);
        data.push_str(r#","delta":""#);
        self.prose.push_next(data);
        data.push_str(r#"","logprobs":[]}"#);
        Event::new(Kind::Content, name)
    }

    fn end(&self, place: usize, data: &mut String) -> Option<Event> {
        // A call has no content part, so its second event is left out.
        let step = if self.is_call() && place > 0 { place + 1 } else { place };
        let text = || self.draft.job.text(0);
        Some(match step {
            0 if self.is_call() => {
                let name = "response.function_call_arguments.done";
                let arguments = self.draft.job.call.as_ref().map_or("", |call| call.arguments.as_str());
                self.begin_within(name, data);
                put!(data, r#","arguments":"#, Quoted(arguments), "}");
                Event::new(Kind::Closing, name)
            }
            0 => {
                let name = "response.output_text.done";
                self.begin_within(name, data);
                put!(data, r#","text":""#, text(), r#"","logprobs":[]}"#);
                Event::new(Kind::Closing, name)
            }
            1 => self.part_event("response.content_part.done", &text(), Kind::Closing, data),
            2 => self.item_event("response.output_item.done", Stage::Ended, Kind::Closing, data),
            3 => {
                let is_cut = self.draft.end_status() == "incomplete";
                let name = if is_cut { "response.incomplete" } else { "response.completed" };
                self.whole_event(name, Stage::Ended, Kind::Terminal, data)
            }
            _ => return None,
        })
    }
}

impl EventSource for ResponseStream {
    fn next(&mut self, data: &mut String) -> Option<Event> {
        let at = self.at;
        self.at += 1;
        let preamble = if self.is_call() { 3 } else { 4 };
        let contents = if self.is_call() { self.fragments.len() } else { self.draft.job.words };
        match at {
            0 => Some(self.whole_event("response.created", Stage::InProgress, Kind::Preamble, data)),
            1 => Some(self.whole_event("response.in_progress", Stage::InProgress, Kind::Preamble, data)),
            2 => Some(self.item_event("response.output_item.added", Stage::InProgress, Kind::Preamble, data)),
            3 if !self.is_call() => {
                Some(self.part_event("response.content_part.added", "", Kind::Preamble, data))
            }
            _ if at < preamble + contents => Some(self.delta(at.saturating_sub(preamble), data)),
            _ => self.end(at.saturating_sub(preamble + contents), data),
        }
    }

    fn fail(&mut self, data: &mut String) -> &'static str {
        self.begin("error", data);
        data.push_str(r#","error":{"type":"server_error","code":"server_error","message":"#);
        put!(data, Quoted(errors::STREAM_MESSAGE), r#","param":null}}"#);
        "error"
    }
}
