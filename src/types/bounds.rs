//! Bounds that no configuration changes. Configurable ones live in `config`, with defaults there.

/// Nesting of a JSON request body. Deeper is refused: recursive parsers behind us would overflow.
pub const JSON_DEPTH_MAX: usize = 128;
/// One server-sent event. A longer one is an upstream failure.
pub const SSE_EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The head of an upstream response, status line and fields together.
pub const UPSTREAM_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields in an upstream response head.
pub const UPSTREAM_HEADERS_MAX: usize = 128;
/// One chunk-size line of an upstream body, its extensions included.
pub const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// Trailer section of an upstream body.
pub const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// An error body of an upstream, kept to be shown or classified. Longer ones are cut.
pub const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
/// Targets one request may be planned over.
pub const TARGETS_MAX: usize = 64;
/// Copies of calls (`mirror`) under way in a process, of all models together.
pub const COPIES_MAX: usize = 1024;
/// What is read of the answer to a copy.
pub const MIRRORED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// A model name as a client may send it.
pub const MODEL_NAME_BYTES_MAX: usize = 256;
/// A body passed on by the forward lane. It is never held, only counted.
pub const UPLOAD_BYTES_MAX: u64 = 1024 * 1024 * 1024;
