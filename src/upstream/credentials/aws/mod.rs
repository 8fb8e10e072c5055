//! AWS: keys, where they come from, and what is signed with them.

mod imds;
mod keys;
mod profile;
mod sign;
mod web_identity;

pub(super) use keys::read_token;
pub use keys::{AwsKeys, AwsSource};
pub use sign::{Scope, sign};
