//! Stored responses and conversations as OpenAI's API shows them: what a URL names of them, their items,
//! lists and objects, and a request with its history put in.
//!
//! Not here: where they are stored (`store`), nor what they mean to a model (`codec::responses`). Pure.
//! Source: platform.openai.com/docs/api-reference/{responses,conversations}, and OpenAI's SDKs.

mod items;
mod objects;
mod page;
mod replay;
mod resource;

pub use items::{ITEMS_MAX, NamedItem, input_items};
pub use objects::{
    cannot_cancel, conversation, deleted, item_not_found, metadata, not_found, previous_not_found,
};
pub use page::page;
pub use replay::{client_path, reference, response_of_item, with_history, with_items};
pub use resource::{Resource, resource};
