//! The elements of a streamed answer, read.
//!
//! There is no last word: an answer is done where the bytes end and every candidate gave its reason.
//! Early models give the reason with every chunk, so a stop is told at the end only.

use super::grounding::{self, Found};
use super::names::{get, list, text};
use super::part_in::{self, Part, Piece};
use super::partial::Arguments;
use super::response_in::{self, Ids};
use super::signature::Slot;
use super::usage::Count;
use super::{logprobs, stop};
use crate::chat::{
    BlockKind, BlockStart, Delta, Event, Signature, Stop, StopReason, Text, freeform, unpack_id,
};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::{Usage, utc};

/// Candidates of one answer; Gemini gives eight at most.
const CANDIDATES_MAX: usize = 32;

/// Reads one stream.
#[derive(Default)]
pub struct Decoder {
    has_started: bool,
    id: String,
    blocks: u32,
    candidates: Vec<Candidate>,
    count: Count,
    told: Option<Usage>,
    blocked: Option<String>,
    unknown: u64,
}

/// What is known of one candidate.
struct Candidate {
    open: Open,
    ids: Ids,
    has_calls: bool,
    finish: Option<String>,
    /// Bytes of its text so far, and whether each was a character: spans count those.
    text_bytes: u64,
    is_ascii: bool,
}

enum Open {
    Nothing,
    Text(u32),
    Thinking(u32),
    /// A call whose arguments come in pieces.
    Call {
        block: u32,
        is_custom: bool,
        arguments: Arguments,
    },
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn element(&mut self, root: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        if !self.has_started {
            self.has_started = true;
            self.id = text(root, "responseId").unwrap_or_default().into_owned();
            sink(Event::Start {
                id: self.id.as_str().into(),
                model: text(root, "modelVersion").unwrap_or_default(),
                created: text(root, "createTime").as_deref().and_then(utc::unix_s),
            });
        }
        let candidates = get(root, "candidates").map(list).transpose().map_err(|e| garbled(&e.message))?;
        for (at, node) in candidates.unwrap_or_default().into_iter().enumerate() {
            self.candidate(node, at, sink)?;
        }
        if let Some(word) = response_in::blocked(root) {
            self.blocked.get_or_insert(word);
        }
        if let Some(metadata) = get(root, "usageMetadata") {
            self.count.add(metadata);
            let usage = self.count.usage();
            if let Some(usage) = usage.filter(|usage| Some(*usage) != self.told) {
                self.told = Some(usage);
                sink(Event::Usage(usage));
            }
        }
        Ok(())
    }

    fn candidate(&mut self, node: &Node<'_>, at: usize, sink: Sink<'_>) -> Result<(), StreamFault> {
        let index = response_in::index(node, at);
        let known = self.candidates.iter().position(|candidate| candidate.ids.index == index);
        if known.is_none() {
            if self.candidates.len() >= CANDIDATES_MAX {
                return Err(garbled("the answer has too many candidates"));
            }
            self.candidates.push(Candidate::new(index));
        }
        let at = known.unwrap_or(self.candidates.len().saturating_sub(1));
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(()) };
        let mut way = Way { choice: index, blocks: &mut self.blocks, id: &self.id, sink };
        for node in response_in::parts(node).map_err(|e| garbled(&e.0))? {
            candidate.part(node, &mut way)?;
        }
        candidate.cite(node, &mut way);
        if let Some(json) = get(node, "logprobsResult").and_then(logprobs::from_gemini) {
            (way.sink)(Event::Logprobs { choice: index, json });
        }
        if let Some(word) = get(node, "finishReason").and_then(stop::word) {
            candidate.finish = Some(word);
        }
        Ok(())
    }
}

/// Whether an element is part of an answer; others are news of later versions.
fn is_answer(root: &Node<'_>) -> bool {
    ["candidates", "promptFeedback", "usageMetadata", "responseId", "modelVersion"]
        .iter()
        .any(|name| get(root, name).is_some())
}

fn garbled(what: &str) -> StreamFault {
    StreamFault::nonsense(what)
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let Ok(root) = parse_bytes(data, Duplicates::LastCounts) else {
            let told = (name == Some(b"error")).then(|| StreamFault::unstructured(data));
            return Err(told.unwrap_or_else(|| garbled("the provider's stream holds no JSON")));
        };
        let may_fail = name == Some(b"error") || root.get("error").is_some();
        if may_fail && let Some(fault) = fault::read_document(data) {
            return Err(fault);
        }
        if !root.is_object() {
            return Err(garbled("an element of the provider's stream is no object"));
        }
        if !is_answer(&root) {
            self.unknown += 1;
            return Ok(());
        }
        self.element(&root, sink)
    }

    fn on_end(&mut self, sink: Sink<'_>) {
        let is_done = self.candidates.iter().all(|candidate| candidate.finish.is_some());
        let is_blocked = self.candidates.is_empty() && self.blocked.is_some();
        if !self.has_started || !is_done || self.candidates.is_empty() && !is_blocked {
            return;
        }
        if let Some(word) = self.blocked.take().filter(|_| is_blocked) {
            sink(Event::Stop { choice: 0, stop: Stop::native(StopReason::ContentFilter, word) });
        }
        for candidate in &mut self.candidates {
            let choice = candidate.ids.index;
            candidate.close(&mut Way { choice, blocks: &mut self.blocks, id: &self.id, sink });
            let word = candidate.finish.take().unwrap_or_default();
            sink(Event::Stop { choice, stop: stop::stop(word, candidate.has_calls) });
        }
        sink(Event::End);
    }

    fn unknown(&self) -> u64 {
        self.unknown
    }
}

/// Where a candidate's events go.
struct Way<'w, 's> {
    choice: u32,
    blocks: &'w mut u32,
    id: &'w str,
    sink: Sink<'s>,
}

impl Way<'_, '_> {
    fn start(&mut self, start: BlockStart<'_>) -> u32 {
        let block = *self.blocks;
        *self.blocks = block.saturating_add(1);
        (self.sink)(Event::BlockStart { choice: self.choice, block, start });
        block
    }

    fn delta(&mut self, block: u32, delta: Delta<'_>) {
        (self.sink)(Event::Delta { choice: self.choice, block, delta });
    }

    fn stop(&mut self, block: u32) {
        (self.sink)(Event::BlockStop { choice: self.choice, block });
    }
}

impl Candidate {
    fn new(index: u32) -> Self {
        let ids = Ids { index, calls: 0 };
        Self { open: Open::Nothing, ids, has_calls: false, finish: None, text_bytes: 0, is_ascii: true }
    }

    fn part(&mut self, node: &Node<'_>, way: &mut Way<'_, '_>) -> Result<(), StreamFault> {
        let Part { piece, slot, .. } = part_in::part(node).map_err(|e| garbled(&e.message))?;
        match piece {
            Piece::Call(call) => {
                let signature =
                    slot.map(|(Slot::Signature(signature) | Slot::Redacted(signature))| signature);
                self.call(call, signature, node, way)?;
            }
            Piece::Thought(words) => self.thought(&words, slot, way),
            Piece::Text(words) => {
                self.proof(slot, way);
                self.text(&words, way);
            }
            Piece::Whole(kind) => {
                self.proof(slot, way);
                self.close(way);
                self.whole(kind, way);
            }
            Piece::Nothing => self.proof(slot, way),
            // Only users say what tools said.
            Piece::Result { .. } => {}
        }
        Ok(())
    }

    fn whole(&mut self, kind: BlockKind<'_>, way: &mut Way<'_, '_>) {
        let block = way.start(BlockStart::Whole(Box::new(kind)));
        way.stop(block);
    }

    fn close(&mut self, way: &mut Way<'_, '_>) {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Text(block) | Open::Thinking(block) => way.stop(block),
            Open::Call { block, is_custom, arguments } => {
                finish_call(block, is_custom, &arguments.finish(), way);
            }
        }
    }

    fn text(&mut self, words: &str, way: &mut Way<'_, '_>) {
        if words.is_empty() {
            return;
        }
        let block = match self.open {
            Open::Text(block) => block,
            _ => {
                self.close(way);
                let block = way.start(BlockStart::Text);
                self.open = Open::Text(block);
                block
            }
        };
        self.text_bytes = self.text_bytes.saturating_add(words.len() as u64);
        self.is_ascii &= words.is_ascii();
        way.delta(block, Delta::Text(words.into()));
    }

    fn thought(&mut self, words: &str, slot: Option<Slot<'_>>, way: &mut Way<'_, '_>) {
        let signature = match slot {
            Some(Slot::Redacted(signature)) if words.is_empty() => {
                self.close(way);
                return self.whole(BlockKind::Redacted(signature), way);
            }
            Some(Slot::Signature(signature) | Slot::Redacted(signature)) => Some(signature),
            None => None,
        };
        if words.is_empty() && signature.is_none() {
            return;
        }
        let block = match self.open {
            Open::Thinking(block) => block,
            _ => self.start_thinking(way),
        };
        if !words.is_empty() {
            way.delta(block, Delta::Text(words.into()));
        }
        if let Some(signature) = signature {
            way.delta(block, Delta::Signature(signature));
            self.close(way);
        }
    }

    fn start_thinking(&mut self, way: &mut Way<'_, '_>) -> u32 {
        self.close(way);
        let block = way.start(BlockStart::Thinking { is_summary: false, item_id: None });
        self.open = Open::Thinking(block);
        block
    }

    /// The signature of a part that has no slot for it elsewhere: thinking without words before it.
    fn proof(&mut self, slot: Option<Slot<'_>>, way: &mut Way<'_, '_>) {
        match slot {
            None => {}
            Some(Slot::Redacted(signature)) => {
                self.close(way);
                self.whole(BlockKind::Redacted(signature), way);
            }
            Some(Slot::Signature(signature)) => {
                let block = self.start_thinking(way);
                way.delta(block, Delta::Signature(signature));
                self.close(way);
            }
        }
    }

    fn call(
        &mut self,
        call: part_in::Call<'_>,
        signature: Option<Signature<'_>>,
        node: &Node<'_>,
        way: &mut Way<'_, '_>,
    ) -> Result<(), StreamFault> {
        let inner = get(node, "functionCall");
        let pieces = inner.and_then(|inner| get(inner, "partialArgs"));
        let goes_on =
            inner.and_then(|inner| get(inner, "willContinue")).and_then(Node::as_bool) == Some(true);
        if call.name.is_empty() {
            return self.go_on(&call.arguments, pieces, goes_on, way);
        }
        self.close(way);
        self.has_calls = true;
        let id = self.ids.next(call.id.as_ref(), way.id, node);
        let (id, packed) = unpack_id(id);
        let custom = freeform::unwrap_name(&call.name);
        let is_custom = custom.is_some();
        let name = Text::Borrowed(custom.unwrap_or(&call.name));
        let block = way.start(BlockStart::ToolUse { id, name, is_custom, signature: signature.or(packed) });
        self.open = Open::Call { block, is_custom, arguments: Arguments::default() };
        if !call.arguments.is_empty() || pieces.is_none() && !goes_on {
            self.open = Open::Nothing;
            finish_call(block, is_custom, &call.arguments, way);
            return Ok(());
        }
        self.go_on("", pieces, goes_on, way)
    }

    /// The next piece of the call that is open.
    fn go_on(
        &mut self,
        whole: &str,
        pieces: Option<&Node<'_>>,
        goes_on: bool,
        way: &mut Way<'_, '_>,
    ) -> Result<(), StreamFault> {
        let Open::Call { block, is_custom, arguments } = &mut self.open else { return Ok(()) };
        let (block, is_custom) = (*block, *is_custom);
        if !whole.is_empty() {
            self.open = Open::Nothing;
            finish_call(block, is_custom, whole, way);
            return Ok(());
        }
        if let Some(pieces) = pieces {
            let added = arguments.add(pieces);
            added.map_err(|_| garbled("the pieces of a call's arguments make no arguments"))?;
        }
        if !goes_on {
            self.close(way);
        }
        Ok(())
    }

    /// Sources come behind what they are of. They stand on the text that is open, or on one of their
    /// own.
    fn cite(&mut self, node: &Node<'_>, way: &mut Way<'_, '_>) {
        for Found { bytes, mut citation, .. } in grounding::citations(node) {
            let block = match self.open {
                Open::Text(block) => block,
                _ => {
                    self.close(way);
                    let block = way.start(BlockStart::Text);
                    self.open = Open::Text(block);
                    block
                }
            };
            let is_within = |(_, to): &(u64, u64)| self.is_ascii && *to <= self.text_bytes;
            citation.span = bytes.filter(is_within);
            way.delta(block, Delta::Citation(citation));
        }
    }
}

/// A call's arguments, whole, and its end.
fn finish_call(block: u32, is_custom: bool, arguments: &str, way: &mut Way<'_, '_>) {
    let words = if is_custom { freeform::unwrap_input(arguments) } else { arguments.into() };
    if !words.is_empty() {
        way.delta(block, Delta::Arguments(words));
    }
    way.stop(block);
}
