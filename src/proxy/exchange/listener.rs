//! Listens to a streamed answer and lets whole events through.
//!
//! The unit that goes down is the event, never half of one: bytes of an event are held only until
//! it is whole. So a keepalive always falls between two events, a stream that breaks never shows
//! half an event, and an upstream's error event can be replaced. Bytes are not changed.

use crate::dialect::anthropic;
use crate::dialect::keepalive::{KeepaliveState, OpenBlock};
use crate::dialect::tap::{ArrayScanner, EventClass, StreamFault, StreamTap};
use crate::framing::inflate::{ContentCoding, StreamInflater};
use crate::framing::sse::{SseEvent, SseScanner};
use crate::meter::OutputCounter;
use crate::telemetry::LocalHistogram;
use crate::types::{Endpoint, Ticks, Usage, bounds};
use bytes::{Bytes, BytesMut};

/// What a compressed chunk may inflate to.
const INFLATED_CHUNK_MAX: usize = 4 * 1024 * 1024;

/// How the stream is cut into events.
enum Splitter {
    Sse(SseScanner),
    Array(ArrayScanner),
}

pub struct Listener {
    splitter: Splitter,
    inflater: Option<StreamInflater>,
    pub tap: StreamTap,
    output: OutputCounter,
    hides_usage: bool,
    /// Bytes of an event that is not whole yet.
    held: BytesMut,
    gaps: LocalHistogram,
    last_content: Option<Ticks>,
    /// Events seen: the next `sequence_number` of a Responses stream.
    pub events: u64,
    pub endpoint: Endpoint,
    is_array: bool,
    open_block: Option<OpenBlock>,
}

/// What a chunk came to.
#[derive(Default)]
pub struct Heard {
    /// Whole events to pass on, in order.
    pub pieces: Pieces,
    /// The stream said it failed; `pieces` ends before that event.
    pub fault: Option<StreamFault>,
    pub has_content: bool,
}

/// Bytes to pass on: nearly always one piece, the chunk itself.
#[derive(Default)]
pub enum Pieces {
    #[default]
    None,
    One(Bytes),
    Many(Vec<Bytes>),
}

/// The stream broke a bound or its encoding.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ListenError(String);

impl Pieces {
    fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        *self = match std::mem::take(self) {
            Pieces::None => Pieces::One(piece),
            Pieces::One(first) => Pieces::Many(vec![first, piece]),
            Pieces::Many(mut all) => {
                all.push(piece);
                Pieces::Many(all)
            }
        };
    }

    /// All of it in one piece.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self {
            Pieces::None => None,
            Pieces::One(piece) => Some(piece),
            Pieces::Many(all) => Some(Bytes::from(all.concat())),
        }
    }
}

/// What the events of one chunk decided about its bytes.
struct Cuts {
    /// End of the last whole event seen.
    event_end: usize,
    /// Start of what is to be passed on and has not been cut off yet.
    from: usize,
    /// What was held belongs to an event that is not passed on.
    drops_held: bool,
    segments: Vec<(usize, usize)>,
    fault: Option<StreamFault>,
    has_content: bool,
}

impl Listener {
    pub fn new(endpoint: Endpoint, is_array: bool, coding: ContentCoding, output: OutputCounter) -> Self {
        let splitter = if is_array {
            Splitter::Array(ArrayScanner::new())
        } else {
            Splitter::Sse(SseScanner::new(bounds::SSE_EVENT_BYTES_MAX))
        };
        let inflater = (coding != ContentCoding::Identity).then(|| StreamInflater::new(coding));
        Self {
            splitter,
            inflater,
            tap: StreamTap::new(endpoint),
            output,
            hides_usage: false,
            held: BytesMut::new(),
            gaps: LocalHistogram::default(),
            last_content: None,
            events: 0,
            endpoint,
            is_array,
            open_block: None,
        }
    }

    /// What may be sent now to keep the stream alive.
    pub fn keepalive_state(&self) -> KeepaliveState {
        if self.is_array {
            KeepaliveState::JsonArray
        } else if self.events == 0 {
            KeepaliveState::BeforeFirstEvent
        } else {
            KeepaliveState::BetweenEvents { open_block: self.open_block }
        }
    }

    /// Leaves out events that only report usage: the client did not ask for them, we did.
    pub fn hide_usage(&mut self) {
        self.hides_usage = true;
    }

    /// Takes a chunk as it came.
    ///
    /// # Errors
    /// [`ListenError`] where an event is too long or the compression is corrupt.
    pub fn hear(&mut self, chunk: Bytes, now: Ticks) -> Result<Heard, ListenError> {
        let chunk = match &mut self.inflater {
            None => chunk,
            Some(inflater) => {
                let mut plain = Vec::new();
                inflater
                    .feed(&chunk, &mut plain, INFLATED_CHUNK_MAX)
                    .map_err(|e| ListenError(e.to_string()))?;
                Bytes::from(plain)
            }
        };
        let (cuts, whole_to) = self.scan(&chunk)?;
        if cuts.has_content {
            self.note_gap(now);
        }
        Ok(self.pass(chunk, cuts, whole_to))
    }

    /// The upstream ended. Gives a last event that lacked its blank line, if it is one.
    pub fn end(&mut self) -> Heard {
        let mut heard = Heard::default();
        let Splitter::Sse(scanner) = &mut self.splitter else { return heard };
        let (tap, output) = (&mut self.tap, &mut self.output);
        let was_terminated = tap.is_terminated();
        let mut is_terminal = false;
        scanner.finish(|event: SseEvent<'_>| {
            let class = tap.on_event(event.name, event.data, &mut |text| output.push(text));
            match class {
                EventClass::Fault(fault) => heard.fault = Some(fault),
                EventClass::UsageOnly if self.hides_usage => {}
                EventClass::Terminal => is_terminal = true,
                class => heard.has_content |= matches!(class, EventClass::Content),
            }
        });
        // Half an event must not be shown; one that ends the stream is whole, whatever it lacks.
        if is_terminal || (!was_terminated && self.tap.is_terminated()) {
            heard.pieces.push(self.held.split().freeze());
        }
        heard
    }

    /// Whether the stream has reached the end it should reach.
    pub fn is_terminated(&self) -> bool {
        match &self.splitter {
            Splitter::Sse(_) => self.tap.is_terminated(),
            Splitter::Array(array) => array.is_closed() && self.tap.is_terminated(),
        }
    }

    /// Whether the upstream has not said what the prompt came to.
    pub fn lacks_input(&self) -> bool {
        self.tap.usage().is_none_or(|usage| usage.input == 0)
    }

    /// Usage as the upstream reported it, or counted here from what was seen. `input` is the
    /// prompt's count where the upstream [lacks it](Self::lacks_input).
    pub fn usage(&self, input: u64) -> Usage {
        let reported = self.tap.usage();
        let Some(mut usage) = reported else {
            let output = self.output.total();
            return Usage { input, output, is_estimated: true, ..Usage::default() };
        };
        // A stream cut short may have reported its prompt (Anthropic does, at the start) and not
        // its output: that part is counted here.
        if !self.tap.has_final_usage() {
            usage.output = usage.output.max(self.output.total());
            usage.is_estimated = true;
        }
        if usage.input == 0 {
            usage.input = input;
            usage.is_estimated = true;
        }
        usage
    }

    pub fn gaps(&mut self) -> &mut LocalHistogram {
        &mut self.gaps
    }

    fn note_gap(&mut self, now: Ticks) {
        if let Some(last) = self.last_content.replace(now) {
            self.gaps.observe(now.since(last));
        }
    }

    /// Hands every event that `chunk` completes to the tap. Gives what to cut, and the offset up
    /// to which the chunk consists of whole events.
    fn scan(&mut self, chunk: &[u8]) -> Result<(Cuts, usize), ListenError> {
        let mut cuts = Cuts::new();
        let (tap, output, hides) = (&mut self.tap, &mut self.output, self.hides_usage);
        let (events, open_block) = (&mut self.events, &mut self.open_block);
        let has_blocks = self.endpoint == Endpoint::Messages;
        let mut on_event = |name: Option<&[u8]>, data: &[u8], end: usize| {
            if cuts.fault.is_none() {
                *events += 1;
                if has_blocks {
                    anthropic::track_block(open_block, name, data);
                }
                let class = tap.on_event(name, data, &mut |text| output.push(text));
                cuts.take(class, end, hides);
            }
        };
        let is_whole = match &mut self.splitter {
            Splitter::Sse(scanner) => {
                scanner
                    .feed(chunk, |event, end| on_event(event.name, event.data, end))
                    .map_err(|e| ListenError(e.to_string()))?;
                scanner.is_at_boundary()
            }
            Splitter::Array(array) => {
                array
                    .feed(chunk, |element, end| on_event(None, element, end))
                    .map_err(|e| ListenError(e.to_string()))?;
                // An array that closes before its last word is a broken stream: its bracket is not
                // passed on, so that the failure can still be told inside.
                array.is_between_elements() || (array.is_closed() && tap.is_terminated())
            }
        };
        let whole_to = if is_whole { chunk.len() } else { cuts.event_end };
        Ok((cuts, whole_to))
    }

    fn pass(&mut self, chunk: Bytes, mut cuts: Cuts, whole_to: usize) -> Heard {
        let mut pieces = Pieces::None;
        let held = self.held.split();
        let fault = cuts.fault.take();
        if whole_to == 0 && fault.is_none() {
            // Nothing became whole: all of it is still held.
            self.held = held;
            self.held.extend_from_slice(&chunk);
            return Heard { pieces, fault, has_content: cuts.has_content };
        }
        if !cuts.drops_held {
            pieces.push(held.freeze());
        }
        for (from, to) in cuts.segments {
            pieces.push(chunk.slice(from..to));
        }
        if fault.is_none() {
            if cuts.from < whole_to {
                pieces.push(chunk.slice(cuts.from..whole_to));
            }
            if whole_to < chunk.len() {
                self.held.extend_from_slice(&chunk.slice(whole_to..));
            }
        }
        Heard { pieces, fault, has_content: cuts.has_content }
    }
}

impl Cuts {
    fn new() -> Self {
        Self {
            event_end: 0,
            from: 0,
            drops_held: false,
            segments: Vec::new(),
            fault: None,
            has_content: false,
        }
    }

    fn take(&mut self, class: EventClass, end: usize, hides_usage: bool) {
        let start = self.event_end;
        self.event_end = end;
        match class {
            EventClass::Fault(fault) => {
                self.leave_out(start, end);
                self.fault = Some(fault);
            }
            EventClass::UsageOnly if hides_usage => self.leave_out(start, end),
            EventClass::Content => self.has_content = true,
            _ => {}
        }
    }

    fn leave_out(&mut self, start: usize, end: usize) {
        // The chunk's first event may have begun in earlier chunks, whose bytes are held.
        self.drops_held |= start == 0;
        if self.from < start {
            self.segments.push((self.from, start));
        }
        self.from = end;
    }
}
