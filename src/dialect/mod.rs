//! Floor 2: the wire formats. Which endpoint a URL names, what a request says in its head, how a
//! refusal looks to the client, and what a response stream means.
//!
//! Not here: sockets and policy. Invariant: between two sides of one protocol a body is read where it
//! lies and changed only by byte splices; only [`codec`] writes bodies anew, for the other protocols.

pub mod anthropic;
pub mod codec;
pub(crate) mod coverage;
pub mod errors;
pub mod front;
pub mod gemini;
pub(crate) mod generic;
pub mod head;
pub mod invoke;
pub mod keepalive;
pub mod kept;
pub mod models;
pub mod openai_chat;
pub mod openai_responses;
pub mod paths;
pub mod splice;
pub mod tap;
pub mod tier;
pub mod wants;
