//! What is open in an upstream's stream: items by their place, and the one block that talks.

use crate::chat::{BlockStart, Text};
use crate::framing::json::Node;

/// Items open at once. More than any answer has; what is beyond is read from the events that hold
/// items whole.
const OPEN_MAX: usize = 1024;
/// Arguments of one free-form call that are held.
pub(super) const WRAPPED_BYTES_MAX: usize = 1024 * 1024;

/// Where an event belongs: by `output_index`, or by `item_id` where a vendor leaves that out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    index: Option<u64>,
    id: String,
}

/// An item of which parts came.
#[derive(Debug)]
pub(super) struct Item {
    place: Place,
    /// One bit for each part that was told already: `content` and `summary`.
    told: [u64; 2],
    /// Of a call.
    pub(super) call: Option<Call>,
}

/// A call that was begun.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) block: u32,
    pub(super) has_arguments: bool,
    /// Of a function that stands for a free-form tool: its arguments so far. The text in them can be
    /// told when they are whole.
    pub(super) wrapped: Option<String>,
}

/// Which list of an item a part is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Content,
    Summary,
}

/// What the talking block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talking {
    Text,
    Refusal,
    Thinking(List),
}

/// The text, refusal or thinking block that is open.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) block: u32,
    pub(super) kind: Talking,
    pub(super) place: Place,
    pub(super) part: u64,
    pub(super) citations: usize,
    /// Something was said, and the next words are of another part.
    pub(super) needs_gap: bool,
    pub(super) has_text: bool,
}

/// The open items.
#[derive(Debug, Default)]
pub(super) struct Items(Vec<Item>);

impl Place {
    /// Of an event, or of an `output_item` event, whose item has its own id.
    pub(super) fn of(event: &Node<'_>) -> Self {
        let id = event.text_of("item_id").or_else(|| event.get("item")?.text_of("id"));
        Self {
            index: event.get("output_index").and_then(Node::as_u64),
            id: id.map(Text::into_owned).unwrap_or_default(),
        }
    }

    /// Of the `index`th item of a whole output.
    pub(super) fn in_output(index: usize, item: &Node<'_>) -> Self {
        let id = item.text_of("id").map(Text::into_owned).unwrap_or_default();
        Self { index: Some(index as u64), id }
    }

    pub(super) fn is_same(&self, other: &Place) -> bool {
        match (self.index, other.index) {
            (Some(mine), Some(its)) => mine == its,
            _ => !self.id.is_empty() && self.id == other.id,
        }
    }
}

impl Items {
    /// The item at `place`, made where it is new. None where there are too many.
    pub(super) fn at(&mut self, place: &Place) -> Option<&mut Item> {
        let found = self.0.iter().position(|item| item.place.is_same(place));
        let at = match found {
            Some(at) => at,
            None if self.0.len() >= OPEN_MAX => return None,
            None => {
                self.0.push(Item { place: place.clone(), told: [0; 2], call: None });
                self.0.len() - 1
            }
        };
        self.0.get_mut(at)
    }

    pub(super) fn find(&mut self, place: &Place) -> Option<&mut Item> {
        self.0.iter_mut().find(|item| item.place.is_same(place))
    }

    pub(super) fn take(&mut self, place: &Place) -> Option<Item> {
        let at = self.0.iter().position(|item| item.place.is_same(place))?;
        Some(self.0.remove(at))
    }

    /// The calls that are still open, oldest first.
    pub(super) fn drain_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.0).into_iter().filter_map(|item| item.call).collect()
    }
}

impl Item {
    /// Notes that a part is told; true where it was before. Parts past the 64th share one bit.
    pub(super) fn tell(&mut self, list: List, part: u64) -> bool {
        let bit = 1u64 << part.min(63);
        let [content, summary] = &mut self.told;
        let told = if list == List::Content { content } else { summary };
        let was_told = *told & bit != 0;
        *told |= bit;
        was_told
    }

    pub(super) fn is_told(&self, list: List, part: u64) -> bool {
        let [content, summary] = self.told;
        let told = if list == List::Content { content } else { summary };
        told & (1u64 << part.min(63)) != 0
    }

    pub(super) fn is_untold(&self) -> bool {
        self.told == [0; 2]
    }
}

impl Talk {
    pub(super) fn new(block: u32, kind: Talking, place: Place, part: u64) -> Self {
        Self { block, kind, place, part, citations: 0, needs_gap: false, has_text: false }
    }

    /// Whether the words of a part belong to it: its own, or more thinking of the same item.
    pub(super) fn goes_on(&self, place: &Place, part: u64, kind: Talking) -> bool {
        let is_thinking = matches!(kind, Talking::Thinking(_));
        self.kind == kind && self.place.is_same(place) && (self.part == part || is_thinking)
    }
}

impl Talking {
    /// The block it opens.
    pub(super) fn start(self, place: &Place) -> BlockStart<'static> {
        match self {
            Talking::Text => BlockStart::Text,
            Talking::Refusal => BlockStart::Refusal,
            Talking::Thinking(list) => BlockStart::Thinking {
                is_summary: list == List::Summary,
                item_id: (!place.id.is_empty()).then(|| Text::Owned(place.id.clone())),
            },
        }
    }

    /// The list its parts stand in.
    pub(super) fn list(self) -> List {
        match self {
            Talking::Text | Talking::Refusal => List::Content,
            Talking::Thinking(list) => list,
        }
    }
}
