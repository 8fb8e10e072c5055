//! A response as it is kept: its text, what was asked, and what it goes on from.
//!
//! Responses that go on from one another share what came before; nothing is copied. Who deletes one
//! that others go on from takes its id away, not what they were built on.

use super::weight::{Scale, Weight};
use std::ops::Range;
use std::sync::Arc;

/// What an entry costs beside its texts: maps, ids, allocations.
pub(super) const ENTRY_BYTES: usize = 512;
/// What an item costs beside its texts.
const ITEM_BYTES: usize = 96;

/// An item of an input or a conversation.
#[derive(Debug)]
pub struct Item {
    pub id: String,
    /// The whole object, its id included.
    pub json: String,
    weight: Weight,
}

/// An item that is not weighed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    pub id: String,
    pub json: String,
}

/// A response to be kept.
#[derive(Debug)]
pub struct NewResponse {
    pub id: String,
    /// The response object.
    pub json: String,
    /// Where the elements of its `output` stand in it, brackets left out.
    pub output: Range<usize>,
    /// How many they are.
    pub outputs: usize,
    pub input: Vec<Arc<Item>>,
    pub before: Before,
}

/// What stood before a response's own input.
#[derive(Clone, Debug, Default)]
pub enum Before {
    #[default]
    Nothing,
    /// It goes on from this one.
    Response(Arc<Response>),
    /// It was made in a conversation that held these then.
    Items(Arc<[Arc<Item>]>),
}

/// A kept response.
#[derive(Debug)]
pub struct Response {
    new: NewResponse,
    _weight: Weight,
    /// Bytes of this one, its input and all that came before.
    whole_bytes: usize,
}

/// What a model is told before a call's own input.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct History<'r> {
    /// Elements of an `input`, in order: each text is one item, or several with commas between.
    pub texts: Vec<&'r str>,
    /// Items in all of them.
    pub items: usize,
}

impl Item {
    pub(super) fn new(scale: &Scale, new: NewItem) -> Arc<Self> {
        let weight = scale.weigh(ITEM_BYTES + new.id.len() + new.json.len());
        Arc::new(Self { id: new.id, json: new.json, weight })
    }

    pub(super) fn bytes(&self) -> usize {
        self.weight.bytes()
    }
}

impl NewResponse {
    pub(super) fn own_bytes(&self) -> usize {
        let pointers = match &self.before {
            Before::Items(items) => items.len() * size_of::<Arc<Item>>(),
            _ => 0,
        };
        ENTRY_BYTES + self.id.len() + self.json.len() + pointers
    }

    /// Bytes of all it would hold.
    pub(super) fn whole_bytes(&self) -> usize {
        let of = |items: &[Arc<Item>]| items.iter().map(|item| item.bytes()).sum::<usize>();
        let before = match &self.before {
            Before::Nothing => 0,
            Before::Response(response) => response.whole_bytes,
            Before::Items(items) => of(items),
        };
        before + of(&self.input) + self.own_bytes()
    }
}

impl Response {
    pub(super) fn new(scale: &Scale, new: NewResponse) -> Arc<Self> {
        let (weight, whole_bytes) = (scale.weigh(new.own_bytes()), new.whole_bytes());
        Arc::new(Self { new, _weight: weight, whole_bytes })
    }

    pub fn id(&self) -> &str {
        &self.new.id
    }

    pub(super) fn before(&self) -> &Before {
        &self.new.before
    }

    pub(super) fn input(&self) -> &[Arc<Item>] {
        &self.new.input
    }

    /// The response object.
    pub fn json(&self) -> &str {
        &self.new.json
    }

    /// All that was said up to the end of this response.
    pub fn history(&self) -> History<'_> {
        let mut history = self.asked();
        history.add(self.output(), self.new.outputs);
        history
    }

    /// All that was said before the model answered: what came before, and its own input.
    pub fn asked(&self) -> History<'_> {
        let mut chain = vec![self];
        let mut oldest = self;
        while let Before::Response(before) = &oldest.new.before {
            chain.push(before);
            oldest = before;
        }
        let mut history = match &oldest.new.before {
            Before::Items(items) => History::of(items),
            _ => History::default(),
        };
        for (at, response) in chain.iter().enumerate().rev() {
            response.new.input.iter().for_each(|item| history.add(&item.json, 1));
            if at > 0 {
                history.add(response.output(), response.new.outputs);
            }
        }
        history
    }

    fn output(&self) -> &str {
        self.new.json.get(self.new.output.clone()).unwrap_or_default()
    }
}

/// A chain is let go link by link: dropped one inside the other, a long one would overflow the stack.
impl Drop for Response {
    fn drop(&mut self) {
        let mut next = std::mem::take(&mut self.new.before);
        while let Before::Response(before) = next {
            next = match Arc::into_inner(before) {
                Some(mut last) => std::mem::take(&mut last.new.before),
                None => Before::Nothing,
            };
        }
    }
}

impl<'r> History<'r> {
    /// What items say, in order.
    pub fn of(items: &'r [Arc<Item>]) -> Self {
        let texts: Vec<&str> = items.iter().map(|item| item.json.as_str()).collect();
        Self { items: texts.len(), texts }
    }

    fn add(&mut self, text: &'r str, items: usize) {
        if items > 0 {
            self.texts.push(text);
            self.items += items;
        }
    }

    /// Bytes of the texts.
    pub fn bytes(&self) -> usize {
        self.texts.iter().map(|text| text.len() + 1).sum()
    }
}
