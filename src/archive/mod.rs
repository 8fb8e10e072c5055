//! What the gateway keeps for its clients between calls: responses of models whose provider keeps
//! none, and conversations.
//!
//! On floor 4, beside `upstream` and `config`, although nothing here does I/O yet: this is state, not a
//! policy. What outlives the process is told to a [`Journal`], and put back by [`Archive::restore`]; the
//! proxy knows the archive's few verbs only. Not here: what the texts mean (`dialect::kept`), where a response lives that a provider keeps
//! (`routing::pins`). Invariants: nothing is given to another owner than the one who put it; all
//! that is held is weighed, and never more than the bounds say.

mod conversation;
mod journal;
mod keep;
mod response;
mod shelf;
#[cfg(test)]
mod tests;
mod weight;

pub use conversation::Conversation;
pub use journal::{Entry, Journal};
pub use keep::{Archive, Bounds, NotKept};
pub use response::{Before, History, Item, NewItem, NewResponse, Response};
