//! An upstream's stream of chunks.
//!
//! A choice's stop is told at the end of the stream, not with its finish reason: vendors repeat the
//! reason, go on after it, or fail after it. The end is `[DONE]`, or the end of the bytes once every
//! choice seen has given a reason.

use crate::chat::{Event, Text};
use crate::dialect::codec::{DecodeStream, Sink};
use crate::dialect::generic::cursor::Cursor;
use crate::dialect::generic::fault;
use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};
use crate::types::Usage;

use super::stream_choice::ChoiceState;
use super::stream_tools::Stage;
use super::{citation, stop, usage};

/// Choices of one stream; OpenAI gives at most 128.
const CHOICES_MAX: usize = 128;

/// Reads the chunks of one stream.
#[derive(Default)]
pub struct Decoder {
    is_started: bool,
    is_ended: bool,
    /// The number of the next block.
    next: u32,
    choices: Vec<ChoiceState>,
    usage: Option<Usage>,
    /// How many of Perplexity's citations were told.
    cited: usize,
    unknown: u64,
}

/// A frame no provider should send.
pub(super) fn nonsense(message: &str) -> StreamFault {
    StreamFault::nonsense(message)
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    fn chunk(&mut self, root: &Node<'_>, sink: Sink<'_>) -> Result<(), StreamFault> {
        self.start(root, sink);
        for choice in root.get("choices").map(Node::items).unwrap_or_default() {
            let index = choice.get("index").and_then(Node::as_u64).unwrap_or(0);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let at = self.choices.iter().position(|state| state.index == index);
            if at.is_none() {
                if self.choices.len() >= CHOICES_MAX {
                    return Err(nonsense("the upstream answers with more choices than can be asked for"));
                }
                self.choices.push(ChoiceState::new(index));
            }
            let state = match at {
                Some(at) => self.choices.get_mut(at),
                None => self.choices.last_mut(),
            };
            if let Some(state) = state {
                state.take(choice, &mut self.next, sink)?;
            }
        }
        self.cite(root, sink);
        self.count(root, sink);
        Ok(())
    }

    /// Azure's first chunk has no id, no model and no choices: it starts nothing.
    fn start(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        let has_choices = root.get("choices").is_some_and(|choices| !choices.items().is_empty());
        let id = root.text_of("id").unwrap_or_default();
        if self.is_started || (!has_choices && id.is_empty() && root.get("usage").is_none()) {
            return;
        }
        self.is_started = true;
        let created = root.get("created").and_then(Node::as_u64).filter(|seconds| *seconds > 0);
        sink(Event::Start { id, model: root.text_of("model").unwrap_or_default(), created });
    }

    /// Perplexity repeats its whole list in every chunk.
    fn cite(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        let list = citation::list(root);
        let Some(first) = self.choices.first_mut().filter(|first| first.is_speaking()) else { return };
        let new = list.get(self.cited..).unwrap_or_default();
        self.cited = self.cited.max(list.len());
        for cited in new.iter().filter_map(citation::of_list) {
            first.cite(cited, &mut Stage { choice: first.index, next: &mut self.next, sink });
        }
    }

    fn count(&mut self, root: &Node<'_>, sink: Sink<'_>) {
        let Some(told) = usage::read(root) else { return };
        let mut merged = self.usage.unwrap_or_default();
        merged.merge_max(&told);
        if self.usage != Some(merged) {
            self.usage = Some(merged);
            sink(Event::Usage(merged));
        }
    }

    fn end(&mut self, sink: Sink<'_>) {
        if !self.is_started {
            self.is_started = true;
            sink(Event::Start { id: Text::default(), model: Text::default(), created: None });
        }
        // A `[DONE]` behind nothing at all ends a stream that has said nothing, and no answer.
        let is_answer = self.next > 0 || self.choices.iter().any(ChoiceState::is_finished);
        for choice in self.choices.iter_mut().filter(|_| is_answer) {
            choice.end(&mut self.next, sink);
        }
        self.is_ended = true;
        sink(Event::End);
    }
}

impl DecodeStream for Decoder {
    fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], sink: Sink<'_>) -> Result<(), StreamFault> {
        let data = data.trim_ascii();
        if data.is_empty() || self.is_ended {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.end(sink);
            return Ok(());
        }
        if name == Some(b"error") {
            return Err(fault::read_document(data).unwrap_or_else(|| StreamFault::unstructured(data)));
        }
        let root = parse_bytes(data, Duplicates::LastCounts)
            .map_err(|_| nonsense("the upstream sent an event that is not JSON"))?;
        if let Some(fault) = failure(&root, data) {
            return Err(fault);
        }
        if root.get("choices").is_none() && root.get("usage").is_none() {
            self.unknown += 1;
            return Ok(());
        }
        self.chunk(&root, sink)
    }

    fn on_end(&mut self, sink: Sink<'_>) {
        let is_over = !self.choices.is_empty() && self.choices.iter().all(ChoiceState::is_finished);
        if is_over && !self.is_ended {
            self.end(sink);
        }
    }

    fn unknown(&self) -> u64 {
        self.unknown
    }
}

/// What an event says went wrong, in any of the guises vendors have for it.
fn failure(root: &Node<'_>, data: &[u8]) -> Option<StreamFault> {
    let read = |node: &Node<'_>| fault::read(&mut Cursor::new(node.raw().as_bytes())).ok().flatten();
    let choices = root.get("choices").map(Node::items).unwrap_or_default();
    let told = root
        .get("error")
        .and_then(read)
        .or_else(|| root.get("x_groq")?.get("error").and_then(read))
        .or_else(|| choices.iter().find_map(|choice| choice.get("error").and_then(read)));
    if told.is_some() {
        return told;
    }
    // vLLM and Mistral send the error object bare.
    let is_chunk = root.get("choices").is_some() || root.get("usage").is_some();
    if !is_chunk || root.get("object").is_some_and(|object| object.is("error")) {
        return fault::read_document(data);
    }
    choices.iter().find_map(|choice| {
        let word = choice.text_of("finish_reason").filter(|word| stop::is_failure(word))?;
        Some(StreamFault::named(word.as_bytes()))
    })
}
