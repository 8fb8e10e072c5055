//! The data plane. Only here and in `upstream/` do Pingora's sessions and headers appear.

mod admit;
mod client;
pub mod connection;
mod context;
mod cost;
mod exchange;
mod finish;
mod forward;
mod front;
mod lag;
mod local;
mod patience;
mod phases;
mod row;
mod shed;
mod wire;

pub use cost::price_bound;
pub use front::Front;
pub use phases::Gateway;
