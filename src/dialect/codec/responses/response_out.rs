//! From the canonical form to a client's response object.

use super::stop::{self, Ended};
use super::{citations, output, reasoning};
use crate::chat::{Block, BlockKind, Choice, Extra, Response, Thinking, ToolUse};
use crate::dialect::codec::Owed;
use crate::framing::json::JsonWriter;
use crate::types::Protocol;

/// Writes a whole answer. Of several choices the first: nobody can ask for more in this protocol.
pub fn encode_response(response: &Response<'_>, owed: &Owed, out: &mut Vec<u8>) {
    let choice = response.choices.first();
    let id = output::response_id(&owed.token);
    let model = if response.model.is_empty() { &owed.model } else { response.model.as_ref() };
    let mut shell = output::shell(response, &id, model, owed.created, &owed.echo);
    // No choice at all: the prompt itself was blocked.
    let ended = choice.map_or(Ended::Incomplete("content_filter"), ending);
    shell.ended = Some(ended);
    shell.write(&mut JsonWriter::new(out), |w| {
        if let Some(choice) = choice {
            items(w, response, choice, owed, ended);
        }
    });
}

fn ending(choice: &Choice<'_>) -> Ended {
    let has_refusal = choice.blocks.iter().any(|block| matches!(block.kind, BlockKind::Refusal(_)));
    stop::ended(choice.stop.reason, has_refusal)
}

fn items(w: &mut JsonWriter<'_>, response: &Response<'_>, choice: &Choice<'_>, owed: &Owed, ended: Ended) {
    let logprobs = choice.logprobs.as_ref().map(|json| output::logprob_elements(json.as_str()));
    let mut writer = Writer {
        token: &owed.token,
        is_own: response.from == Protocol::Responses,
        number: 0,
        logprobs: logprobs.unwrap_or_default(),
        status: "completed",
    };
    let mut rest = choice.blocks.as_slice();
    while let Some((first, after)) = rest.split_first() {
        // Only the last item can be the one that was cut off.
        let is_last = |count: usize| rest.len() == count;
        let count = if is_said(first) {
            let run = rest.iter().take_while(|block| is_said(block)).count();
            let (run, _) = rest.split_at_checked(run).unwrap_or((rest, &[]));
            writer.status = if is_last(run.len()) { ended.item_status() } else { "completed" };
            writer.message(w, run);
            run.len()
        } else {
            writer.status = if is_last(1) { ended.item_status() } else { "completed" };
            writer.item(w, first, after)
        };
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// Whether it is a part of a message.
fn is_said(block: &Block<'_>) -> bool {
    matches!(block.kind, BlockKind::Text { .. } | BlockKind::Refusal(_))
}

struct Writer<'w> {
    token: &'w str,
    is_own: bool,
    /// Items written.
    number: u64,
    /// Elements for the first text.
    logprobs: String,
    status: &'static str,
}

impl Writer<'_> {
    fn id(&mut self, prefix: &str) -> String {
        self.number += 1;
        output::item_id(prefix, self.token, self.number)
    }

    fn message(&mut self, w: &mut JsonWriter<'_>, blocks: &[Block<'_>]) {
        let id = self.id("msg");
        let none = Extra::none();
        let extra = blocks.first().map_or(&none, |first| &first.extra);
        output::message(w, &id, self.status, extra, |w| {
            for block in blocks {
                match &block.kind {
                    BlockKind::Text { text, citations } => {
                        let logprobs = std::mem::take(&mut self.logprobs);
                        output::text_part(w, text, |w| citations::write(w, citations), &logprobs);
                    }
                    BlockKind::Refusal(words) => output::refusal_part(w, words),
                    _ => {}
                }
            }
        });
    }

    /// Gives the number of blocks the item took.
    fn item(&mut self, w: &mut JsonWriter<'_>, first: &Block<'_>, after: &[Block<'_>]) -> usize {
        match &first.kind {
            BlockKind::Thinking(thinking) => {
                let next = after.first().and_then(|block| match &block.kind {
                    BlockKind::Thinking(next) => Some(next),
                    _ => None,
                });
                return self.thinking(w, thinking, next);
            }
            BlockKind::ToolUse(call) => {
                let id = self.id(if call.is_custom { "ctc" } else { "fc" });
                let call_id = output::call_id(call, self.token, self.number);
                let arguments = if call.is_custom { &call.arguments } else { or_empty(call) };
                let call = ToolUse { arguments: arguments.into(), ..call.clone() };
                output::call(w, &id, &call_id, &call, self.status, &first.extra);
            }
            kind => {
                if output::whole(w, kind, self.token, self.number + 1) {
                    self.number += 1;
                }
            }
        }
        1
    }

    fn thinking(
        &mut self,
        w: &mut JsonWriter<'_>,
        first: &Thinking<'_>,
        next: Option<&Thinking<'_>>,
    ) -> usize {
        let made = self.id("rs");
        // A summary and the thinking itself of one item.
        let second = next.filter(|next| {
            let is_of_item = next.item_id.is_some() && next.item_id == first.item_id;
            is_of_item && first.signature.is_none() && first.is_summary && !next.is_summary
        });
        let signature = second.map_or(first.signature.as_ref(), |second| second.signature.as_ref());
        let is_vendors = self.is_own && signature.is_none();
        let slot = (!is_vendors).then(|| reasoning::slot_for_client(signature));
        let id = first.item_id.as_deref().unwrap_or(&made);
        let mut item = reasoning::Item { id: Some(id), encrypted: slot.as_deref(), ..Default::default() };
        for thinking in [Some(first), second].into_iter().flatten().filter(|one| !one.text.is_empty()) {
            // Clients show summaries; the thinking of other vendors is shown as one.
            let is_summary = thinking.is_summary || !self.is_own;
            let place = if is_summary { &mut item.summary } else { &mut item.content };
            *place = Some(&thinking.text);
        }
        if second.is_none() && reasoning::signs_nothing_shown(&first.text, signature) {
            item.summary = Some("");
        }
        item.write(w);
        1 + usize::from(second.is_some())
    }
}

/// Arguments as the JSON text clients parse.
fn or_empty<'c>(call: &'c ToolUse<'_>) -> &'c str {
    super::items_out::or_empty_object(&call.arguments)
}
