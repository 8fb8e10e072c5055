//! Floor 1: the nouns everything else is built from. No tokio, no Pingora, no I/O.

pub mod bounds;
pub mod cidr;
pub mod claim;
pub mod clock;
pub mod dialect;
pub mod endpoint;
pub mod failure;
pub mod glob;
pub mod hex;
pub mod ids;
pub mod mix;
pub mod money;
pub mod percent;
pub mod priority;
pub mod protocol;
pub mod proxy_url;
pub mod public_ip;
#[cfg(test)]
pub mod recordings;
pub mod reject;
pub mod secret;
pub mod url_rule;
pub mod usage;
pub mod utc;
pub mod web_url;

pub use claim::{Claim, Claims};
pub use clock::{Clock, ManualClock, Ticks};
pub use dialect::Dialect;
pub use endpoint::Endpoint;
pub use failure::FailureClass;
pub use glob::Glob;
pub use hex::hex;
pub use ids::RequestId;
pub use mix::mix;
pub use money::{Money, MoneyError};
pub use priority::Priority;
pub use protocol::Protocol;
pub use proxy_url::{Direct, ProxyUrl};
pub use reject::{Origin, Reason, Reject};
pub use secret::Secret;
pub use url_rule::UrlRule;
pub use usage::Usage;
pub use web_url::WebUrl;
