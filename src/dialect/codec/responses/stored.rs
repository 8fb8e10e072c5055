//! What a request refers to instead of saying it.

use crate::chat::Text;
use crate::framing::json::Node;

/// The references of a request, for a store in front of the codec, which puts what they stand for
/// into `input`. The codec itself knows no earlier answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    pub previous_response_id: Option<Text<'a>>,
    /// Its id, whether written alone or in an object.
    pub conversation: Option<Text<'a>>,
    /// Whether the answer is to be kept; true unless the request says no.
    pub store: bool,
}

/// Reads the references. What has a wrong type is taken as absent; `decode_request` refuses it.
pub fn stored<'a>(root: &Node<'a>) -> Stored<'a> {
    let conversation = root.get("conversation");
    Stored {
        previous_response_id: root.text_of("previous_response_id"),
        conversation: conversation.and_then(|node| node.text().or_else(|| node.text_of("id"))),
        store: root.get("store").and_then(Node::as_bool).unwrap_or(true),
    }
}

impl Stored<'_> {
    /// Nothing is referred to, and the answer is kept.
    pub const NONE: Stored<'static> = Stored { previous_response_id: None, conversation: None, store: true };
}
