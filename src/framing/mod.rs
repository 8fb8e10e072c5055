//! Floor 2: bytes into frames and back. Pure and incremental: no I/O, no tokio, no clock.
//!
//! Everything here is fed by somebody else's network bytes. The invariant of the folder: whatever the
//! bytes are, work is linear in them, memory has a stated bound, and the answer does not depend on
//! where the network cut them.

pub mod client_head;
pub mod coding;
pub mod eventstream;
pub mod exposition;
pub mod field_lines;
pub mod gzip;
pub mod http1_answer;
pub mod http1_body;
pub mod http1_head;
pub mod inflate;
pub mod json;
pub mod lines;
pub mod sse;
pub mod sse_ids;
pub mod strict_head;

pub use client_head::ClientHead;
pub use coding::{ContentCoding, Unsupported};
pub use field_lines::FieldLines;
pub use http1_body::{BodyDecoder, BodyError, Piece};
pub use http1_head::{BodyFraming, HeadError, HeadProgress, ResponseHead, parse_head};
pub use inflate::{InflateError, StreamInflater, inflate_all};
pub use sse::{SseError, SseEvent, SseScanner};
