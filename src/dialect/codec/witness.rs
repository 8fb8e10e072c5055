//! Listens to a stream through its decoder: what each frame is, what the stream cost, how it ended.
//!
//! The counterpart of [`StreamTap`](crate::dialect::tap::StreamTap) for streams that are decoded
//! anyway, because they are translated or because their framing is no SSE. It gives the same answers.

use super::{DecodeStream, Sink};
use crate::chat::{BlockStart, Delta, Event, StopReason};
use crate::dialect::coverage::Coverage;
use crate::dialect::tap::EventClass;
use crate::types::Usage;

/// Longest native stop word kept.
const STOP_WORD_BYTES_MAX: usize = 32;

pub struct Witness {
    decoder: Box<dyn DecodeStream>,
    facts: Facts,
}

#[derive(Default)]
struct Facts {
    usage: Option<Usage>,
    has_content: bool,
    is_stopped: bool,
    is_ended: bool,
    coverage: Coverage,
    /// The provider's word, or ours where it has none.
    stop: Option<String>,
}

/// What the events of one frame come to.
#[derive(Default)]
struct Sum {
    has_content: bool,
    is_terminal: bool,
    has_usage: bool,
    /// Content beyond the word that it is over.
    has_output: bool,
    has_any: bool,
}

impl Witness {
    pub fn new(decoder: Box<dyn DecodeStream>) -> Self {
        Self { decoder, facts: Facts::default() }
    }

    /// Takes one frame and hands its events on.
    pub fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> EventClass {
        let mut sum = Sum::default();
        let facts = &mut self.facts;
        let read = self.decoder.on_frame(name, data, &mut |event| {
            facts.note(&event, &mut sum);
            sink(event);
        });
        facts.coverage.note(sum.has_usage, sum.has_output);
        match read {
            Err(fault) => EventClass::Fault(fault),
            Ok(()) => sum.class(),
        }
    }

    /// The upstream's bytes ended.
    pub fn on_end(&mut self, sink: Sink<'_>) {
        let mut sum = Sum::default();
        let facts = &mut self.facts;
        self.decoder.on_end(&mut |event| {
            facts.note(&event, &mut sum);
            sink(event);
        });
        facts.coverage.note(sum.has_usage, sum.has_output);
    }

    pub fn usage(&self) -> Option<Usage> {
        self.facts.usage
    }

    /// Whether the usage covers the output: what was told at a beginning, or before more came, does not.
    pub fn has_final_usage(&self) -> bool {
        self.facts.coverage.is_whole() && (self.facts.is_stopped || self.facts.is_ended)
    }

    /// Whether the stream has been ended by its own last word.
    pub fn is_terminated(&self) -> bool {
        self.facts.is_ended
    }

    /// Frames that the protocol is not known to have, skipped.
    pub fn unknown(&self) -> u64 {
        self.decoder.unknown()
    }

    pub fn has_content(&self) -> bool {
        self.facts.has_content
    }

    pub fn finish_reason(&self) -> Option<&str> {
        self.facts.stop.as_deref()
    }
}

impl Facts {
    fn note(&mut self, event: &Event<'_>, sum: &mut Sum) {
        sum.has_any = true;
        match event {
            Event::Start { .. } | Event::BlockStop { .. } | Event::Logprobs { .. } => {}
            Event::BlockStart { start, .. } => {
                sum.has_output |= matches!(start, BlockStart::ToolUse { .. } | BlockStart::Whole(_));
            }
            Event::Delta { delta, .. } => {
                sum.has_output |= match delta {
                    Delta::Text(text) | Delta::Arguments(text) => !text.is_empty(),
                    Delta::Signature(_) | Delta::Citation(_) => true,
                };
            }
            Event::Stop { stop, .. } => {
                self.is_stopped = true;
                sum.has_content = true;
                let word = stop.native.as_deref().unwrap_or(our_word(stop.reason));
                let end = word.floor_char_boundary(STOP_WORD_BYTES_MAX);
                self.stop = Some(word.get(..end).unwrap_or_default().to_owned());
            }
            Event::Usage(usage) => {
                sum.has_usage = true;
                self.usage = Some(*usage);
            }
            Event::End => {
                sum.is_terminal = true;
                self.is_ended = true;
            }
        }
        sum.has_content |= sum.has_output;
        self.has_content |= sum.has_content;
    }
}

impl Sum {
    fn class(&self) -> EventClass {
        match self {
            Sum { has_content: true, .. } => EventClass::Content,
            Sum { is_terminal: true, .. } => EventClass::Terminal,
            Sum { has_usage: true, .. } => EventClass::UsageOnly,
            Sum { has_any: true, .. } => EventClass::Preamble,
            _ => EventClass::Other,
        }
    }
}

fn our_word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::End => "stop",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Length => "length",
        StopReason::ContextWindow => "context_window",
        StopReason::ToolUse => "tool_use",
        StopReason::ContentFilter => "content_filter",
        StopReason::Refusal => "refusal",
        StopReason::Pause => "pause",
        StopReason::Error => "error",
    }
}
