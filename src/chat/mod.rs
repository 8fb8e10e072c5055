//! Floor 2: the canonical form of a generation call. Every codec reads into it and writes out of it,
//! so there are N and N of them and not N times N.
//!
//! Not here: any wire format, any I/O. Invariants: text is borrowed from the body it was read from
//! where that is possible; numbers, schemas and tool arguments keep the bytes they were written with;
//! what a vendor wrote and this form has no word for is kept beside it ([`Extra`]) with the protocol
//! it belongs to, and is either written back to that protocol or reported as lost, never forgotten.

#[cfg(test)]
pub mod arbitrary;
pub mod block;
pub mod carry;
pub mod collect;
pub mod event;
pub mod freeform;
pub mod loss;
mod owned;
mod owned_event;
pub mod play;
pub mod prefill;
pub mod progress;
pub mod remote;
pub mod request;
pub mod response;
pub mod signature;
pub mod survey;
pub mod target;
pub mod text;
pub mod tool;

pub use block::{Block, BlockKind, CacheHint, Citation, Media, Source, Thinking, ToolResult, ToolUse};
pub use carry::{Carry, Feature};
pub use collect::Collector;
pub use event::{BlockStart, Delta, Event};
pub use loss::{Loss, Losses, Refused};
pub use play::play;
pub use prefill::PrefillStyle;
pub use progress::{Progress, Seam};
pub use remote::RemoteKind;
pub use request::{Effort, OutputFormat, Reasoning, Request, Role, Setting, Turn};
pub use response::{Choice, Response, Stop, StopReason};
pub use signature::{Signature, Vendor, pack_id, unpack_id};
pub use survey::Survey;
pub use target::{Target, ThinkingEcho, ThinkingStyle};
pub use text::{At, Extra, Field, Raw, Text};
pub use tool::{Tool, ToolChoice, ToolKind};
