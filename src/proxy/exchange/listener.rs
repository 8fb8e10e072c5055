//! Listens to a streamed answer and lets whole events through.
//!
//! The unit that goes down is the event, never half of one: bytes of an event are held only until
//! it is whole. So a keepalive always falls between two events, a stream that breaks never shows
//! half an event, and an upstream's error event can be replaced. Bytes are not changed.

use super::closing::Closing;
use super::cuts::{Cuts, Pieces};
use super::following::Shadow;
use super::hearing::Hearing;
use super::splitter::Splitter;
use crate::catalog::Service;
use crate::chat::{Event, Progress};
use crate::dialect::anthropic;
use crate::dialect::codec::Translator;
use crate::dialect::invoke::Unwrapper;
use crate::dialect::keepalive::{KeepaliveState, OpenBlock};
use crate::dialect::tap::{EventClass, StreamFault};
use crate::dialect::tier::TierTap;
use crate::framing::inflate::{ContentCoding, StreamInflater};
use crate::meter::OutputCounter;
use crate::telemetry::LocalHistogram;
use crate::types::{Endpoint, Ticks, Usage};
use bytes::{Bytes, BytesMut};

/// What a compressed chunk may inflate to.
const INFLATED_CHUNK_MAX: usize = 4 * 1024 * 1024;

pub struct Listener {
    splitter: Splitter,
    inflater: Option<StreamInflater>,
    /// Bedrock's wrapping of Anthropic's events, undone before anything else.
    unwrapper: Option<Unwrapper>,
    hearing: Hearing,
    output: OutputCounter,
    hides_usage: bool,
    /// Bytes of an event that is not whole yet.
    held: BytesMut,
    gaps: LocalHistogram,
    first_content: Option<Ticks>,
    last_content: Option<Ticks>,
    events: u64,
    /// The client's endpoint.
    pub endpoint: Endpoint,
    /// Whether the client reads one growing JSON array.
    is_array: bool,
    open_block: Option<OpenBlock>,
    tier: TierTap,
    /// Where the stream may have to be cut.
    closing: Option<Closing>,
    /// Where bytes pass as they are and another target may have to go on with the stream.
    shadow: Option<Box<Shadow>>,
    /// Output tokens of the streams that this one goes on with, and what their prompts are worth.
    before: u64,
    /// Bytes of generated text, and how many there were when their tokens were counted last.
    text_bytes: u64,
    counted: (u64, u64),
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

/// The stream broke a bound or its encoding.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ListenError(String);

impl Listener {
    /// For a stream whose bytes pass as they are.
    pub fn new(endpoint: Endpoint, is_array: bool, coding: ContentCoding, output: OutputCounter) -> Self {
        let splitter = Splitter::of(endpoint, is_array);
        Self::with(endpoint, is_array, coding, output, splitter, Hearing::of(endpoint))
    }

    /// For a stream of `upstream`'s that the client gets in its own protocol.
    pub fn translating(
        upstream: Endpoint,
        translator: Translator,
        client: (Endpoint, bool),
        coding: ContentCoding,
        output: OutputCounter,
    ) -> Self {
        let splitter = Splitter::of(upstream, false);
        let hearing = Hearing::translated(translator);
        let listener = Self::with(client.0, client.1, coding, output, splitter, hearing);
        Self { tier: TierTap::new(upstream), ..listener }
    }

    fn with(
        endpoint: Endpoint,
        is_array: bool,
        coding: ContentCoding,
        output: OutputCounter,
        splitter: Splitter,
        hearing: Hearing,
    ) -> Self {
        Self {
            splitter,
            inflater: (coding != ContentCoding::Identity).then(|| StreamInflater::new(coding)),
            unwrapper: None,
            hearing,
            output,
            hides_usage: false,
            held: BytesMut::new(),
            gaps: LocalHistogram::default(),
            first_content: None,
            last_content: None,
            events: 0,
            endpoint,
            is_array,
            open_block: None,
            tier: TierTap::new(endpoint),
            closing: None,
            shadow: None,
            before: 0,
            text_bytes: 0,
            counted: (0, 0),
        }
    }

    /// The service the provider says it gave.
    pub fn service(&self) -> Option<Service> {
        self.tier.service()
    }

    /// What may be sent now to keep the stream alive.
    pub fn keepalive_state(&self) -> KeepaliveState {
        if self.is_array {
            KeepaliveState::JsonArray
        } else if self.events == 0 {
            KeepaliveState::BeforeFirstEvent
        } else {
            let open_block = match &self.hearing {
                Hearing::Translate(t) => t.translator.encoder().open_block(),
                _ => self.open_block,
            };
            KeepaliveState::BetweenEvents { open_block }
        }
    }

    /// Events the client was sent: the next `sequence_number` of a Responses stream.
    pub fn events(&self) -> u64 {
        match &self.hearing {
            Hearing::Translate(t) => t.translator.encoder().next_sequence(),
            _ => self.events,
        }
    }

    /// The upstream wraps its events as Bedrock's `invoke` does.
    pub fn unwrap_events(&mut self) {
        self.unwrapper = Some(Unwrapper::new());
    }

    /// Leaves out events that only report usage: the client did not ask for them, we did.
    pub fn hide_usage(&mut self) {
        self.hides_usage = true;
    }

    /// Keeps what is needed to end the stream properly before its upstream does.
    pub fn prepare_closing(&mut self, closing: Closing) {
        self.closing = Some(closing);
    }

    pub fn take_closing(&mut self) -> Option<Closing> {
        self.closing.take()
    }

    /// Ends a translated stream; writes nothing for another.
    pub fn cut_translated(&mut self, usage: Usage, out: &mut Vec<u8>) {
        if let Hearing::Translate(translation) = &mut self.hearing {
            translation.translator.cut(usage, out);
        }
    }

    /// Whether the client's form of the stream has comments.
    pub fn has_comments(&self) -> bool {
        let is_sse = !matches!(self.endpoint, Endpoint::ConverseStream | Endpoint::OllamaChat);
        is_sse && !self.is_array
    }

    /// Anthropic: the block that is open.
    pub fn open_index(&self) -> Option<u64> {
        self.open_block.map(|block| block.index)
    }

    /// Output tokens so far, at most: between two counts a token has at least two bytes.
    pub fn output_bound(&self) -> u64 {
        let (tokens, at_bytes) = self.counted;
        self.before + tokens + (self.text_bytes - at_bytes).div_ceil(2)
    }

    /// Output tokens so far, counted.
    pub fn output_counted(&mut self) -> u64 {
        self.counted = (self.output.total(), self.text_bytes);
        self.before + self.counted.0
    }

    /// What the stream is charged with before it says anything.
    pub fn output_before(&self) -> u64 {
        self.before
    }

    /// Follows what is said, so that another target can go on with it.
    pub fn follow(&mut self, progress: Progress, shadow: impl FnOnce() -> Shadow) {
        let progress = Some(Box::new(progress));
        match &mut self.hearing {
            Hearing::Translate(translation) => translation.translator.progress = progress,
            _ => {
                let mut shadow = shadow();
                shadow.translator.progress = progress;
                self.shadow = Some(Box::new(shadow));
            }
        }
    }

    /// What was heard last was not passed on: nothing goes on with that.
    fn forget(&mut self) {
        self.shadow = None;
        if let Hearing::Translate(translation) = &mut self.hearing {
            translation.translator.progress = None;
        }
    }

    /// What was said so far, where it is followed.
    pub fn progress(&self) -> Option<&Progress> {
        match &self.hearing {
            Hearing::Translate(translation) => translation.translator.progress.as_deref(),
            _ => self.shadow.as_ref()?.translator.progress.as_deref(),
        }
    }

    /// Goes on with the client's stream where `broken` ended. `begun`: what was heard here already;
    /// `earlier`: what was used until now, `before` as [`output_before`](Self::output_before). Gives the
    /// bytes the client is sent first.
    pub fn go_on(
        &mut self,
        broken: Self,
        begun: &[Event<'_>],
        (earlier, before): (Usage, u64),
    ) -> Option<Bytes> {
        let Self { hearing, shadow, gaps, last_content, .. } = broken;
        let old = match (hearing, shadow) {
            (Hearing::Translate(translation), _) => translation.translator,
            (_, Some(shadow)) => shadow.translator,
            _ => return None,
        };
        let was = std::mem::replace(&mut self.hearing, Hearing::of(self.endpoint));
        let Hearing::Translate(new) = was else { return None };
        let mut translator = old.go_on(new.translator.witness, earlier);
        let mut out = Vec::new();
        translator.catch_up(begun, &mut out);
        self.hearing = Hearing::translated(translator);
        (self.gaps, self.last_content, self.before) = (gaps, last_content, before);
        Some(Bytes::from(out))
    }

    pub fn hearing(&self) -> &Hearing {
        &self.hearing
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
        let chunk = match &mut self.unwrapper {
            None => chunk,
            Some(unwrapper) => {
                let mut plain = Vec::new();
                unwrapper.feed(&chunk, &mut plain).map_err(ListenError)?;
                Bytes::from(plain)
            }
        };
        let (cuts, whole_to) = self.scan(&chunk).inspect_err(|_| self.forget())?;
        if cuts.has_content {
            self.note_gap(now);
        }
        match self.translated() {
            Some(pieces) => Ok(Heard { pieces, fault: cuts.fault, has_content: cuts.has_content }),
            None => Ok(self.pass(chunk, cuts, whole_to)),
        }
    }

    /// The upstream ended. Gives a last event that lacked only its end, if it is one.
    pub fn end(&mut self) -> Heard {
        let mut heard = Heard::default();
        let was_terminated = self.hearing.is_terminated();
        let mut is_terminal = false;
        let (hearing, output, hides) = (&mut self.hearing, &mut self.output, self.hides_usage);
        let tier = &mut self.tier;
        self.splitter.finish(|name, data| {
            tier.on_event(data);
            match hearing.on_frame(name, data, &mut |text| output.push(text)) {
                EventClass::Fault(fault) => heard.fault = Some(fault),
                EventClass::UsageOnly if hides => {}
                EventClass::Terminal => is_terminal = true,
                class => heard.has_content |= matches!(class, EventClass::Content),
            }
        });
        if heard.fault.is_none() {
            hearing.on_end(&mut |text| output.push(text));
        }
        if let Some(pieces) = self.translated() {
            heard.pieces = pieces;
        } else if is_terminal || (!was_terminated && self.hearing.is_terminated()) {
            // Half an event must not be shown; one that ends the stream is whole, whatever it lacks.
            heard.pieces.push(self.held.split().freeze());
        }
        heard
    }

    /// What a translator has written.
    fn translated(&mut self) -> Option<Pieces> {
        let Hearing::Translate(translation) = &mut self.hearing else { return None };
        let mut pieces = Pieces::None;
        pieces.push(Bytes::from(std::mem::take(&mut translation.out)));
        Some(pieces)
    }

    /// Whether the stream has reached the end it should reach.
    pub fn is_terminated(&self) -> bool {
        self.splitter.is_closed() && self.hearing.is_terminated()
    }

    /// Whether the upstream has not said what the prompt came to.
    pub fn lacks_input(&self) -> bool {
        self.hearing.usage().is_none_or(|usage| usage.input == 0)
    }

    /// Usage as the upstream reported it, or counted here from what was seen. `input` is the
    /// prompt's count where the upstream [lacks it](Self::lacks_input).
    pub fn usage(&self, input: u64) -> Usage {
        let Some(mut usage) = self.hearing.usage() else {
            let output = self.output.total();
            return Usage { input, output, is_estimated: true, ..Usage::default() };
        };
        // A stream cut short may have reported its prompt (Anthropic does, at the start) and not
        // its output, or a nought beside what it said: that part is counted here.
        let is_silent = usage.output == 0 && self.output.total() > 0;
        if !self.hearing.has_final_usage() || is_silent {
            usage.output = usage.output.max(self.output.total());
            usage.is_estimated = true;
        }
        if usage.input == 0 {
            usage.input = input;
            usage.is_estimated = true;
        }
        usage
    }

    /// When the first content came, if any has.
    pub fn first_content(&self) -> Option<Ticks> {
        self.first_content
    }

    pub fn gaps(&mut self) -> &mut LocalHistogram {
        &mut self.gaps
    }

    fn note_gap(&mut self, now: Ticks) {
        match self.last_content.replace(now) {
            Some(last) => self.gaps.observe(now.since(last)),
            None => self.first_content = Some(now),
        }
    }

    /// Hands every event that `chunk` completes to what listens. Gives what to cut, and the offset up
    /// to which the chunk consists of whole events.
    fn scan(&mut self, chunk: &[u8]) -> Result<(Cuts, usize), ListenError> {
        let mut cuts = Cuts::new();
        let (hearing, output, hides) = (&mut self.hearing, &mut self.output, self.hides_usage);
        let (events, open_block) = (&mut self.events, &mut self.open_block);
        let (closing, text_bytes) = (&mut self.closing, &mut self.text_bytes);
        let shadow = &mut self.shadow;
        let has_blocks = self.endpoint == Endpoint::Messages;
        let tier = &mut self.tier;
        self.splitter
            .feed(chunk, |name, data, end| {
                if cuts.fault.is_some() {
                    return;
                }
                *events += 1;
                tier.on_event(data);
                if has_blocks {
                    anthropic::track_block(open_block, name, data);
                }
                if let Some(closing) = closing {
                    closing.on_frame(name, data);
                }
                if let Some(shadow) = shadow {
                    shadow.on_frame(name, data);
                }
                let class = hearing.on_frame(name, data, &mut |text| {
                    *text_bytes += text.len() as u64;
                    output.push(text);
                });
                cuts.take(class, end, hides);
            })
            .map_err(ListenError)?;
        let is_whole = self.splitter.is_at_boundary(self.hearing.is_terminated());
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
