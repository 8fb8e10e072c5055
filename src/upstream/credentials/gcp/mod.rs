//! Google: access tokens for Vertex.

mod external;
mod jwt;
mod key_file;
mod metadata;
mod source;

pub use source::GcpSource;
