//! Bedrock's exceptions.

use crate::dialect::tap::StreamFault;
use crate::framing::json::{Duplicates, Node, parse_bytes};

const MESSAGE_BYTES_MAX: usize = 2048;
const CODE_BYTES_MAX: usize = 128;

/// The HTTP status an exception has outside of streams; None for a name that is not known. Also for the
/// name in `x-amzn-errortype`, before its colon. Source: the service's API model.
pub fn exception_status(name: &str) -> Option<u16> {
    let name = name.split([':', '#']).find(|part| part.ends_with("Exception")).unwrap_or(name);
    let known: [(&str, u16); 16] = [
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 400),
        ("ConflictException", 400),
        ("UnrecognizedClientException", 403),
        ("ExpiredTokenException", 403),
        ("InvalidSignatureException", 403),
        ("MissingAuthenticationTokenException", 403),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
        ("ModelTimeoutException", 408),
        ("ModelErrorException", 424),
        ("ModelStreamErrorException", 424),
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    ];
    // The name of a stream's exception begins with a small letter.
    known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, status)| status)
}

/// Whether a message of the stream tells of a failure: by its `:exception-type` or `:error-code`.
pub(super) fn is_fault(name: &str) -> bool {
    name.ends_with("Exception") || name.ends_with("Error") || name.ends_with("Failure")
}

/// The fault that such a message tells.
pub(super) fn fault(name: &str, data: &[u8]) -> StreamFault {
    let root = parse_bytes(data, Duplicates::LastCounts).ok();
    let field = |key: &str| root.as_ref().and_then(|root| root.text_of(key));
    let said = field("message").or_else(|| field("Message")).or_else(|| field("originalMessage"));
    let number = root.as_ref().and_then(|root| root.get("originalStatusCode")).and_then(Node::as_u64);
    let number = number.and_then(|n| u16::try_from(n).ok()).filter(|n| (400..600).contains(n));
    let message = said.unwrap_or_else(|| String::from_utf8_lossy(data));
    StreamFault {
        status: exception_status(name).or(number).unwrap_or(500),
        code: bounded(name, CODE_BYTES_MAX),
        message: bounded(&message, MESSAGE_BYTES_MAX),
    }
}

/// A message that makes no sense.
pub(super) fn nonsense(why: &str) -> StreamFault {
    StreamFault::nonsense(why)
}

fn bounded(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_have_the_status_they_have_outside_of_streams() {
        for (name, status) in [
            ("throttlingException", 429),
            ("modelStreamErrorException", 424),
            ("validationException", 400),
            ("internalServerException", 500),
            ("serviceUnavailableException", 503),
            ("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", 429),
            ("com.amazon.coral.service#UnrecognizedClientException", 403),
        ] {
            assert_eq!(exception_status(name), Some(status), "{name}");
        }
        assert_eq!(exception_status("madeUpException"), None);
    }

    #[test]
    fn a_fault_keeps_the_words_and_bounds_them() {
        let told = fault("throttlingException", br#"{"message":"Too many tokens"}"#);
        assert_eq!((told.status, told.code.as_str()), (429, "throttlingException"));
        assert_eq!(told.message, "Too many tokens");
        let unknown = fault("madeUpException", br#"{"Message":"x","originalStatusCode":418}"#);
        assert_eq!((unknown.status, unknown.message.as_str()), (418, "x"));
        let long = "é".repeat(5000);
        assert_eq!(fault("internalFailure", long.as_bytes()).message.len(), 2048);
    }
}
