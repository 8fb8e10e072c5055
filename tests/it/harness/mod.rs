//! What the tests are written with.
//!
//! ```ignore
//! let sim = Sim::start();
//! let gateway = Gateway::start(Config::new().provider("a", Wire::Chat, sim.addr()).model("m", &["a"]));
//! let mut answer = gateway.send(&Wire::Chat.request("m", true));
//! while let Some(event) = answer.event() { /* event.data, event.at */ }
//! assert_eq!(sim.calls(), 1);
//! assert_eq!(gateway.log_of(&answer)["output_tokens"], 16);
//! ```
//!
//! - [`Config`] writes the file: short timeouts, one worker, a key that [`Wire::request`] sends. The
//!   targets of a model are tried in the order they are named. `.set("line")` writes into the section
//!   added last, `.table("server.limits").set(…)` into another; a later line replaces an earlier one.
//! - [`Gateway`] is the binary, on an address of this process's own, killed when dropped; its stderr
//!   is shown when the test fails. Logs and metrics are read with [`Gateway::log_of`],
//!   [`Gateway::log_where`], [`Gateway::metric`].
//! - [`Sim`] is `tidegate::sim` with capture on: `fault("error-after:5")` for all its models, `script`
//!   for bytes of your own, `stats()` and `requests()` for what it saw. Faults can also be asked for
//!   by a request's `x-sim-*` headers.
//! - [`Wire`] is the table of dialects: a small request, a scripted stream, what is content, what ends
//!   a stream, what is an error.
//! - [`Request`], [`Connection`], [`Answer`] are an HTTP/1.1 client that hides nothing: raw bytes in
//!   and out, bodies in chunks of any size, events with the moment they came. [`Http2`] is the other.
//! - [`until`] and [`eventually`] wait for a condition, with an end. Nothing sleeps to be in time.
//! - [`corpus::cases`] reads recorded traffic, or says that it is absent.
//!
//! A wait that is over its bound fails the test; bounds are generous ([`PATIENCE`]), the timeouts of
//! the gateway under test short. To fail well, assert on what the client got *and* on what the
//! simulator counted.

mod address;
mod answer;
mod config;
mod connection;
pub mod corpus;
pub mod echo;
mod gateway;
pub mod governed;
mod http2;
pub mod lanes;
mod metrics;
pub mod postgres;
pub mod redis;
mod request;
mod sim;
mod sse;
mod tls;
mod wait;
mod wire;

pub use address::{free_addr, own_ip};
pub use answer::{Answer, Broken};
pub use config::{Config, KEY};
pub use connection::Connection;
pub use gateway::Gateway;
pub use http2::{Http2, block_on};
pub use request::Request;
pub use sim::Sim;
pub use sse::{Event, events_of};
pub use tls::{Ca, Holder, SERVER_NAME};
pub use wait::{PATIENCE, eventually, until};
pub use wire::{Scripted, Wire, sse_bytes};

use sha2::{Digest, Sha256};

/// Lowercase hex, as the simulator's capture writes it.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
