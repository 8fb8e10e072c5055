//! What a provider's error body says, and whether a client may see it.
//!
//! Policy. A client's own fault is best told by the provider: those bodies pass as they came
//! ([`may_pass_through`]), unless they hold an upstream's host or a credential, or are about *our*
//! credential. Everything else (401, 402, 403, 407, 408, 429, 5xx) is rewritten: it is about the
//! gateway's account or the provider's state. The status stays.

use std::borrow::Cow;

use serde_json::Value;

use crate::types::bounds::ERROR_BODY_BYTES_MAX;
use crate::types::{Reason, Reject};

/// Longest message taken out of a body.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;

/// Whether an upstream's status says that the client's request is at fault, and nothing of ours.
pub fn is_client_fault(status: u16) -> bool {
    matches!(status, 400 | 404 | 405 | 409 | 410 | 413 | 415 | 416 | 422)
}

/// Whether the error is about the credential we sent. Gemini and xAI answer 400 for a bad key.
pub fn is_credential_fault(status: u16, body: &[u8]) -> bool {
    const SIGNS: [&[u8]; 4] =
        [b"API_KEY_INVALID", b"API key not valid", b"Incorrect API key provided", b"invalid_api_key"];
    matches!(status, 401 | 403 | 407) || (status == 400 && leaks(body, &SIGNS))
}

/// Whether the body may go to a client of the same dialect as it came. `needles`: hosts and
/// credentials of the upstream.
pub fn may_pass_through(status: u16, body: &[u8], needles: &[&[u8]]) -> bool {
    is_client_fault(status)
        && body.len() <= ERROR_BODY_BYTES_MAX
        && !is_credential_fault(status, body)
        && !leaks(body, needles)
}

/// Whether any of `needles` stands in `body`, whatever its case. Empty needles are in nothing.
pub fn leaks(body: &[u8], needles: &[&[u8]]) -> bool {
    needles.iter().any(|needle| {
        needle.first().is_some_and(|first| {
            let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
            memchr::memchr2_iter(lower, upper, body).any(|at| {
                body.get(at..at + needle.len()).is_some_and(|found| found.eq_ignore_ascii_case(needle))
            })
        })
    })
}

/// The refusal a client gets in place of a provider's error. The status is the provider's; its
/// words are kept where they are not about our credentials and hold none of `needles` and no URL.
pub fn provider_reject(status: u16, body: &[u8], needles: &[&[u8]]) -> Reject {
    let is_private = is_credential_fault(status, body) || status == 402;
    let said = provider_message(body)
        .filter(|message| !is_private && !leaks(message.as_bytes(), needles))
        .filter(|message| !leaks(message.as_bytes(), &[b"://"]));
    let message: Cow<'static, str> = match (status, said) {
        (_, Some(said)) => said.into(),
        (402, None) => {
            "the provider refused the call: the account the gateway uses has no credit left".into()
        }
        (_, None) if is_private => "the provider refused the credential the gateway uses".into(),
        (429, None) => "the provider limits the rate of calls".into(),
        (408 | 504, None) => "the provider took too long".into(),
        (500.., None) => "the provider failed".into(),
        _ => "the provider refused the request".into(),
    };
    Reject::new(Reason::UpstreamError, message).with_status(status).from_provider()
}

/// The human message in a provider's error body, whatever its shape: at most 2 KiB, without control
/// characters. `None` where there is none (an empty body, a page of HTML).
pub fn provider_message(body: &[u8]) -> Option<String> {
    let body = body.get(..body.len().min(ERROR_BODY_BYTES_MAX))?;
    let message = match serde_json::from_slice::<Value>(body) {
        Ok(value) => from_value(&value)?,
        Err(_) => plain_text(body)?,
    };
    let message = clean(&message);
    (!message.is_empty()).then_some(message)
}

/// The fields messages are found in, in the order of how much they say. Values may be strings,
/// objects or lists that hold the message deeper down.
const FIELDS: [&str; 7] = ["error", "message", "Message", "detail", "errors", "error_description", "msg"];
/// Levels of such nesting.
const NESTING_MAX: usize = 6;

fn from_value(value: &Value) -> Option<String> {
    fn find(value: &Value, levels: usize) -> Option<&str> {
        let levels = levels.checked_sub(1)?;
        match value {
            Value::String(text) => Some(text.as_str()).filter(|text| !text.trim().is_empty()),
            Value::Array(items) => items.iter().find_map(|item| find(item, levels)),
            Value::Object(fields) => {
                FIELDS.iter().find_map(|field| fields.get(*field).and_then(|value| find(value, levels)))
            }
            _ => None,
        }
    }
    find(value, NESTING_MAX).map(str::to_owned)
}

/// A body that is no JSON, where it reads like a message.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let is_document = text.starts_with(['<', '{', '[']) || text.contains('\u{fffd}');
    (!is_document).then(|| text.to_owned())
}

/// Control characters become spaces; the end is cut at a character.
fn clean(message: &str) -> String {
    let mut cleaned = String::with_capacity(message.len().min(MESSAGE_BYTES_MAX));
    for character in message.trim().chars() {
        let character = if character.is_control() { ' ' } else { character };
        if cleaned.len() + character.len_utf8() > MESSAGE_BYTES_MAX {
            break;
        }
        cleaned.push(character);
    }
    cleaned
}
