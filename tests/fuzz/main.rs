//! Fuzz targets: everything that reads somebody else's bytes, held to properties that hold for any
//! bytes. One test a target; `scripts/fuzz --seconds N` runs them longer than the moment each gets
//! here, `cargo bolero test --test fuzz NAME` (where it is installed) with coverage to guide it.
//!
//! A failure prints its input and a `BOLERO_RANDOM_SEED` that replays it; with `TIDEGATE_FUZZ_SEED` a run
//! has the same inputs every time. Inputs worth keeping become named tests beside the code they broke.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "targets fail by panicking"
)]

#[expect(
    dead_code,
    reason = "what makes answers is shared with the translation matrix, which uses all of it"
)]
#[path = "../matrix/facts.rs"]
mod facts;
#[expect(
    dead_code,
    reason = "what makes answers is shared with the translation matrix, which uses all of it"
)]
#[path = "../matrix/frames.rs"]
mod frames;
mod input;
mod json;
#[expect(
    dead_code,
    reason = "what makes answers is shared with the translation matrix, which uses all of it"
)]
#[path = "../matrix/made/mod.rs"]
mod made;
mod sequence;

mod t_client_head;
mod t_codec;
mod t_config;
mod t_embed_catalog;
mod t_exposition;
mod t_frames;
mod t_gemini_array;
mod t_http1_body;
mod t_http1_head;
mod t_inflate;
mod t_meter;
mod t_paths;
mod t_request_form;
mod t_request_head;
mod t_retry_after;
mod t_sse;
mod t_strict_head;
mod t_tap;
mod t_web_url;
