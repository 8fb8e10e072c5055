//! A `GenerateContentResponse`, read.

use super::grounding;
use super::names::{add_extra, extra_of, get, list, text};
use super::part_in::{self, Part, Piece};
use super::usage::Count;
use super::{logprobs, stop};
use crate::chat::{Block, BlockKind, Choice, Extra, Response, Stop, StopReason, Text, ToolUse, freeform};
use crate::dialect::codec::Garbled;
use crate::framing::json::Node;
use crate::types::{Protocol, utc};

const KNOWN: [&str; 6] = ["candidates", "usageMetadata", "modelVersion", "responseId", "createTime", "error"];
const KNOWN_CANDIDATE: [&str; 3] = ["content", "finishReason", "index"];
/// Members of `usageMetadata` the canonical usage stands for.
const KNOWN_USAGE: [&str; 11] = [
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "totalTokenCount",
    "promptTokensDetails",
    "candidatesTokensDetails",
    "toolUsePromptTokensDetails",
    "cacheTokensDetails",
    "serviceTier",
];

/// Reads a whole answer.
///
/// # Errors
/// [`Garbled`] where it is none: another shape, an error, parts that are no parts.
pub fn decode_response<'a>(root: &Node<'a>) -> Result<Response<'a>, Garbled> {
    if !root.is_object() {
        return Err(Garbled(format!("an answer of generateContent is an object, not {}", root.kind())));
    }
    if root.get("error").is_some() {
        return Err(Garbled("the answer is an error".to_owned()));
    }
    if !["candidates", "promptFeedback", "usageMetadata"].iter().any(|name| get(root, name).is_some()) {
        return Err(Garbled("the answer has no candidates".to_owned()));
    }
    let mut response = Response::new(Protocol::Generate);
    response.id = text(root, "responseId").unwrap_or_default();
    response.model = text(root, "modelVersion").unwrap_or_default();
    response.created = text(root, "createTime").as_deref().and_then(utc::unix_s);
    response.extra = extra_of(root, &KNOWN);
    if let Some(metadata) = get(root, "usageMetadata") {
        let mut count = Count::default();
        count.add(metadata);
        response.usage = count.usage();
        response.service_tier = text(metadata, "serviceTier");
        add_extra(&mut response.extra, metadata, &KNOWN_USAGE, "usageMetadata");
    }
    let candidates = get(root, "candidates").map(list).transpose().map_err(|e| Garbled(e.message))?;
    for (at, candidate) in candidates.unwrap_or_default().into_iter().enumerate() {
        let choice = choice(candidate, at, &response.id)?;
        response.choices.push(choice);
    }
    response.choices.sort_by_key(|choice| choice.index);
    if response.choices.is_empty() {
        response.choices.push(empty_choice(root));
    }
    Ok(response)
}

/// The prompt was blocked, or nothing came at all: an answer without words.
fn empty_choice(root: &Node<'_>) -> Choice<'static> {
    let stop = match blocked(root) {
        Some(word) => Stop::native(StopReason::ContentFilter, word),
        None => Stop::new(StopReason::Error),
    };
    Choice { index: 0, blocks: Vec::new(), stop, logprobs: None, extra: Extra::none() }
}

/// Why the prompt was blocked.
pub(super) fn blocked(root: &Node<'_>) -> Option<String> {
    let reason = get(get(root, "promptFeedback")?, "blockReason")?;
    let word = reason.text().map_or_else(|| format!("BLOCKED_{}", reason.raw()), Text::into_owned);
    let is_set = !word.is_empty() && !word.ends_with("_UNSPECIFIED") && word != "BLOCKED_0";
    is_set.then(|| word.get(..word.floor_char_boundary(64)).unwrap_or_default().to_owned())
}

/// The index of a candidate, by default its place.
pub(super) fn index(candidate: &Node<'_>, at: usize) -> u32 {
    let given = get(candidate, "index").and_then(Node::as_u64).unwrap_or(at as u64);
    u32::try_from(given).unwrap_or(u32::MAX)
}

fn choice<'a>(candidate: &Node<'a>, at: usize, response_id: &str) -> Result<Choice<'a>, Garbled> {
    if !candidate.is_object() {
        return Err(Garbled(format!("a candidate is an object, not {}", candidate.kind())));
    }
    let index = index(candidate, at);
    let mut blocks = Vec::new();
    let mut places = Vec::new();
    let mut ids = Ids { index, calls: 0 };
    for node in parts(candidate)? {
        let part = part_in::part(node).map_err(|e| Garbled(e.message))?;
        places.push(push(part, node, response_id, &mut ids, &mut blocks));
    }
    grounding::attach(grounding::citations(candidate), &places, &mut blocks);
    let has_calls = blocks.iter().any(|block| matches!(block.kind, BlockKind::ToolUse(_)));
    let word = get(candidate, "finishReason").and_then(stop::word);
    let stop = match word {
        Some(word) => stop::stop(word, has_calls),
        None if has_calls => Stop::new(StopReason::ToolUse),
        None => Stop::new(StopReason::End),
    };
    let logprobs = get(candidate, "logprobsResult").and_then(logprobs::from_gemini);
    Ok(Choice { index, blocks, stop, logprobs, extra: extra_of(candidate, &KNOWN_CANDIDATE) })
}

/// The parts of a candidate's content.
pub(super) fn parts<'n, 'a>(candidate: &'n Node<'a>) -> Result<Vec<&'n Node<'a>>, Garbled> {
    let parts = get(candidate, "content").and_then(|content| get(content, "parts"));
    parts.map(list).transpose().map(Option::unwrap_or_default).map_err(|e| Garbled(e.message))
}

/// Makes ids for calls that have none.
pub(super) struct Ids {
    pub index: u32,
    pub calls: u32,
}

impl Ids {
    /// The same for the same place in the same answer; no two answers share one.
    pub(super) fn next<'a>(
        &mut self,
        own: Option<&Text<'a>>,
        response_id: &str,
        part: &Node<'_>,
    ) -> Text<'a> {
        let (index, call) = (self.index, self.calls);
        self.calls += 1;
        if let Some(id) = own {
            return id.clone();
        }
        let is_safe = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        let answer: String = response_id.chars().filter(is_safe).take(40).collect();
        let answer = if answer.is_empty() { format!("{:016x}", hash(part.raw())) } else { answer };
        format!("call_{answer}_{index}_{call}").into()
    }
}

/// FNV-1a: tells answers without an id apart by what they ask.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Adds a part's blocks; where its text went.
fn push<'a>(
    part: Part<'a>,
    node: &Node<'a>,
    response_id: &str,
    ids: &mut Ids,
    blocks: &mut Vec<Block<'a>>,
) -> Option<usize> {
    if part.goes_on_with(blocks, false) {
        return None;
    }
    let id = match &part.piece {
        Piece::Call(call) => ids.next(call.id.as_ref(), response_id, node),
        Piece::Result { id, .. } => id.clone().unwrap_or_default(),
        _ => Text::Borrowed(""),
    };
    part.push_to(id, blocks);
    let last = blocks.len().checked_sub(1)?;
    if let Some(Block { kind: BlockKind::ToolUse(call), .. }) = blocks.last_mut() {
        restore_custom(call);
    }
    Some(last)
}

/// A call of the function that stood for a custom tool is that tool's again.
fn restore_custom(call: &mut ToolUse<'_>) {
    if let Some(name) = freeform::unwrap_name(&call.name) {
        call.arguments = freeform::unwrap_input(&call.arguments).into_owned().into();
        call.name = name.to_owned().into();
        call.is_custom = true;
    }
}
