//! One choice of a stream.

use crate::chat::{
    Block, BlockKind, BlockStart, Delta, Event, Raw, Signature, Stop, StopReason, Text, Thinking, Vendor,
};
use crate::dialect::codec::Sink;
use crate::dialect::tap::StreamFault;
use crate::framing::json::Node;

use super::details::Detail;
use super::stream_tools::{CallDelta, Stage, Tools};
use super::{audio, citation, response_in, stop};

/// Longest stop word or sequence kept.
const WORD_BYTES_MAX: usize = 256;

/// What of one choice is open, and how it will stop.
pub(super) struct ChoiceState {
    pub(super) index: u32,
    open: Option<Open>,
    tools: Tools,
    finish: Option<Finish>,
    has_refusal: bool,
}

struct Open {
    block: u32,
    kind: OpenKind,
}

enum OpenKind {
    Text,
    Refusal,
    Thinking(OpenThought),
}

struct OpenThought {
    /// Index and kind of the element of `reasoning_details` it is, if it is one.
    element: Option<(u64, bool)>,
    /// OpenRouter's fields of the element, its proof where no signature comes.
    rest: Option<String>,
    is_signed: bool,
}

/// The last words of a choice, kept until the stream ends: vendors say them twice, or go on.
struct Finish {
    word: String,
    native: Option<String>,
    sequence: Option<String>,
}

impl ChoiceState {
    pub(super) fn new(index: u32) -> Self {
        Self { index, open: None, tools: Tools::default(), finish: None, has_refusal: false }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes one element of `choices`.
    pub(super) fn take(
        &mut self,
        choice: &Node<'_>,
        next: &mut u32,
        sink: Sink<'_>,
    ) -> Result<(), StreamFault> {
        let mut stage = Stage { choice: self.index, next, sink };
        if let Some(delta) = choice.get("delta").or_else(|| choice.get("message")) {
            self.delta(delta, &mut stage)?;
        }
        if let Some(json) = response_in::logprobs(choice) {
            (stage.sink)(Event::Logprobs { choice: self.index, json: Raw::of(json) });
        }
        let word = |key: &str| choice.text_of(key).filter(|word| !word.is_empty()).map(|word| cut(&word));
        if let Some(reason) = word("finish_reason")
            && self.finish.is_none()
        {
            let (native, sequence) = (word("native_finish_reason"), word("stop_reason"));
            self.finish = Some(Finish { word: reason, native, sequence });
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Node<'_>, stage: &mut Stage<'_, '_>) -> Result<(), StreamFault> {
        self.reasoning(delta, stage);
        self.content(delta, stage);
        if let Some(words) = delta.text_of("refusal") {
            self.say(words, false, stage);
        }
        for node in delta.get("annotations").map(Node::items).unwrap_or_default() {
            if let Some(cited) = citation::read(node) {
                self.cite(cited, stage);
            }
        }
        for image in response_in::images(delta) {
            self.whole(image.kind, stage);
        }
        self.sound(delta, stage);
        self.calls(delta, stage)
    }

    fn reasoning(&mut self, delta: &Node<'_>, stage: &mut Stage<'_, '_>) {
        let elements = delta.get("reasoning_details").map(Node::items).unwrap_or_default();
        for node in elements {
            let number = node.get("index").and_then(Node::as_u64).unwrap_or(0);
            match Detail::read(node) {
                Some(detail) => self.detail(detail, number, stage),
                None => continue,
            }
        }
        if elements.is_empty() {
            let plain = ["reasoning_content", "reasoning"].iter().find_map(|key| delta.text_of(key));
            if let Some(text) = plain.filter(|text| !text.is_empty()) {
                self.think(text, None, false, None, stage);
            }
        }
    }

    fn detail(&mut self, detail: Detail<'_>, number: u64, stage: &mut Stage<'_, '_>) {
        let (text, is_summary, item_id, proof, rest) = match detail {
            Detail::Hidden(signature) => return self.whole(BlockKind::Redacted(signature), stage),
            Detail::Readable { text, is_summary, item_id, proof, rest } => {
                (text, is_summary, item_id, proof, rest)
            }
        };
        if text.is_empty() && proof.is_none() && item_id.is_none() {
            return;
        }
        let element = Some((number, is_summary));
        self.think(text, element, is_summary, item_id, stage);
        if let Some(Open { block, kind: OpenKind::Thinking(thought) }) = &mut self.open {
            thought.rest = rest.or(thought.rest.take());
            if let Some(signature) = proof.filter(|_| !thought.is_signed) {
                thought.is_signed = true;
                stage.delta(*block, Delta::Signature(signature));
            }
        }
    }

    /// Adds to the open thought, or opens one.
    fn think(
        &mut self,
        text: Text<'_>,
        element: Option<(u64, bool)>,
        is_summary: bool,
        item_id: Option<Text<'_>>,
        stage: &mut Stage<'_, '_>,
    ) {
        let is_same = |open: &Open| matches!(&open.kind, OpenKind::Thinking(t) if t.element == element);
        if !self.open.as_ref().is_some_and(is_same) {
            self.close(stage);
            let block = stage.start(BlockStart::Thinking { is_summary, item_id });
            let thought = OpenThought { element, rest: None, is_signed: false };
            self.open = Some(Open { block, kind: OpenKind::Thinking(thought) });
        }
        if let (Some(open), false) = (&self.open, text.is_empty()) {
            stage.delta(open.block, Delta::Text(text));
        }
    }

    fn content(&mut self, delta: &Node<'_>, stage: &mut Stage<'_, '_>) {
        for block in response_in::content(delta) {
            let Block { kind, .. } = block;
            match kind {
                BlockKind::Text { text, .. } => self.say(text, true, stage),
                BlockKind::Refusal(text) => self.say(text, false, stage),
                BlockKind::Thinking(Thinking { text, .. }) => self.think(text, None, false, None, stage),
                other => self.whole(other, stage),
            }
        }
    }

    /// Adds to the open text or refusal, or opens one.
    fn say(&mut self, text: Text<'_>, is_text: bool, stage: &mut Stage<'_, '_>) {
        if text.is_empty() {
            return;
        }
        let block = self.speak(is_text, stage);
        stage.delta(block, Delta::Text(text));
    }

    fn speak(&mut self, is_text: bool, stage: &mut Stage<'_, '_>) -> u32 {
        match &self.open {
            Some(Open { block, kind: OpenKind::Text }) if is_text => return *block,
            Some(Open { block, kind: OpenKind::Refusal }) if !is_text => return *block,
            _ => {}
        }
        self.close(stage);
        self.has_refusal |= !is_text;
        let (start, kind) = match is_text {
            true => (BlockStart::Text, OpenKind::Text),
            false => (BlockStart::Refusal, OpenKind::Refusal),
        };
        let block = stage.start(start);
        self.open = Some(Open { block, kind });
        block
    }

    pub(super) fn cite(&mut self, cited: crate::chat::Citation<'_>, stage: &mut Stage<'_, '_>) {
        let block = self.speak(true, stage);
        stage.delta(block, Delta::Citation(cited));
    }

    /// Whether text of this choice is open, to be cited.
    pub(super) fn is_speaking(&self) -> bool {
        matches!(&self.open, Some(Open { kind: OpenKind::Text, .. }))
    }

    fn whole(&mut self, kind: BlockKind<'_>, stage: &mut Stage<'_, '_>) {
        self.close(stage);
        let block = stage.start(BlockStart::Whole(Box::new(kind)));
        stage.stop(block);
    }

    /// OpenAI speaks in pieces of raw sound, each a block, and of its words as text.
    fn sound(&mut self, delta: &Node<'_>, stage: &mut Stage<'_, '_>) {
        let Some(spoken) = delta.get("audio") else { return };
        if let Some(words) = spoken.text_of("transcript") {
            self.say(words, true, stage);
        }
        if let Some(data) = spoken.text_of("data").filter(|data| !data.is_empty()) {
            self.whole(audio::sound(data), stage);
        }
    }

    fn calls(&mut self, delta: &Node<'_>, stage: &mut Stage<'_, '_>) -> Result<(), StreamFault> {
        let mut message_signature = response_in::message_signature(delta);
        for node in delta.get("tool_calls").map(Node::items).unwrap_or_default() {
            self.call(CallDelta::read(node, message_signature.take()), stage)?;
        }
        if let Some(node) = delta.get("function_call") {
            self.call(CallDelta::read_function(node), stage)?;
        }
        if let Some(signature) = message_signature {
            self.signed_thought(signature, stage);
        }
        Ok(())
    }

    fn call(&mut self, delta: CallDelta<'_>, stage: &mut Stage<'_, '_>) -> Result<(), StreamFault> {
        if delta.is_empty() {
            return Ok(());
        }
        if self.tools.begins(&delta) {
            self.close(stage);
        }
        self.tools.take(delta, stage)
    }

    /// Gemini's signature of a message without calls.
    fn signed_thought(&mut self, signature: Signature<'_>, stage: &mut Stage<'_, '_>) {
        self.close(stage);
        let block = stage.start(BlockStart::Thinking { is_summary: false, item_id: None });
        stage.delta(block, Delta::Signature(signature));
        stage.stop(block);
    }

    /// Closes what is open, and calls that need nothing more.
    fn close(&mut self, stage: &mut Stage<'_, '_>) {
        if let Some(Open { block, kind }) = self.open.take() {
            if let OpenKind::Thinking(OpenThought { rest: Some(rest), is_signed: false, .. }) = kind {
                stage.delta(block, Delta::Signature(Signature::new(Vendor::OpenRouter, rest)));
            }
            stage.stop(block);
        }
        self.tools.close_whole(stage);
    }

    /// The choice is over.
    pub(super) fn end(&mut self, next: &mut u32, sink: Sink<'_>) {
        let mut stage = Stage { choice: self.index, next, sink };
        self.close(&mut stage);
        self.tools.close_all(&mut stage);
        let finish = self.finish.take();
        let word = finish.as_ref().map(|finish| finish.word.as_str());
        let sequence = finish.as_ref().and_then(|finish| finish.sequence.clone());
        let held = stop::Held { has_calls: !self.tools.is_empty(), has_refusal: self.has_refusal };
        let reason = stop::of_word(word, sequence.is_some(), held);
        let native = finish.as_ref().map(|f| f.native.as_deref().unwrap_or(&f.word).to_owned());
        let stop = Stop {
            reason,
            sequence: sequence.filter(|_| reason == StopReason::StopSequence).map(Text::Owned),
            native: native.map(Text::Owned),
        };
        (stage.sink)(Event::Stop { choice: self.index, stop });
    }
}

fn cut(word: &str) -> String {
    word.get(..word.floor_char_boundary(WORD_BYTES_MAX)).unwrap_or_default().to_owned()
}
