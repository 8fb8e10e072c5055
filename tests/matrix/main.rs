//! The translation matrix: every recorded answer and request of the shared corpus, for every other
//! protocol, checked by readers written apart from the codecs (`serde_json::Value` walked by hand).
//!
//! Not here: sockets, heads, policies. What may differ is in [`declared`] and [`excuses`], with the
//! reason; what differs and may not is in [`known`], and that list fails when it is out of date.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panicking"
)]

mod answers;
mod ask;
mod asked;
mod corpus;
mod declared;
mod docs;
mod excuses;
mod facts;
mod frames;
mod grid;
mod known;
mod made;
mod requests;
mod twins;
mod vector_docs;
mod walk;
