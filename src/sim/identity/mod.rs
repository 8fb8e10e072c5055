//! Who clouds give credentials to, and whether a call carries one of them: token endpoints of Google,
//! Microsoft and AWS, and what their model endpoints check.
//!
//! Not secure in any way: it knows what it gave out, and that is all. Invariant: what it remembers is
//! bounded.

mod answers;
mod issued;
mod sigv4;

pub use answers::answer;
pub use issued::{Identity, TokenBehaviour};

use super::request::Head;
use super::shared::Shared;

/// A Bedrock key and an Azure key that are always good.
const BEDROCK_KEY: &str = "sim-bedrock-key";
const AZURE_KEY: &str = "sim-azure-key";

/// Status and message of a refusal; None where the call carries what its cloud would take, or its path
/// is no cloud's.
pub fn refused(shared: &Shared, head: &Head, body: &[u8]) -> Option<(u16, String)> {
    let path = head.path();
    let now = shared.clock.unix_secs();
    let bearer =
        head.header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let is_issued = bearer.as_deref().is_some_and(|token| shared.identity.is_issued(token, now));
    if path.starts_with("/model/") {
        if bearer.is_some() {
            let is_good = bearer.as_deref() == Some(BEDROCK_KEY);
            return (!is_good)
                .then(|| (403, "Authentication failed: Please make sure your API Key is valid.".into()));
        }
        return sigv4::verify(head, body, now, |id| shared.identity.keys(id, now))
            .err()
            .map(|why| (403, why));
    }
    if path.contains("/projects/") {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token.";
        return (!is_issued).then(|| (401, message.to_owned()));
    }
    if path.starts_with("/openai/") {
        let is_keyed = head.header("api-key").as_deref() == Some(AZURE_KEY);
        let message = "Access denied due to invalid subscription key or wrong API endpoint.";
        return (!is_keyed && !is_issued).then(|| (401, message.to_owned()));
    }
    None
}
