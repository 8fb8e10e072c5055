//! Calls to providers in our own verbs: open, send, head, chunk, finish; dropping a call cancels it.
//!
//! HTTP/1.1 is our own (`http1`), over connections that wait in a pool of our own (`idle`); TLS is
//! Pingora's. HTTP/2 is Pingora's session (`http2`) behind the same verbs. Nothing here retries, chooses a
//! target or knows a dialect: an error says what broke and whether the request can have been
//! processed, and the caller decides.

pub mod ask;
pub mod call;
pub mod credentials;
pub mod dial;
pub mod dns;
pub mod egress;
pub mod error;
pub mod http1;
pub mod http2;
pub mod idle;
pub mod link;
mod negotiated;
pub mod origin;
pub mod plain;
pub mod private_key;
pub mod remote;
pub mod request;
pub mod scratch;
pub mod several;
pub mod transport;

pub use ask::{ask, connect};
pub use call::{Call, Head};
pub use egress::{Egress, Proxy};
pub use error::UpstreamError;
pub use link::Link;
pub use origin::{Http2Mode, Origin};
pub use remote::{Page, Remote, RemoteError, RemotePolicy};
pub use request::UpstreamRequest;
pub use several::several;
pub use transport::{Transport, Transports, Trust, TrustError};
