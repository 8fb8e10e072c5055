//! An error that an upstream tells inside a 200, brought to a status.
//!
//! Not the rendering of errors to clients: message and code are the upstream's own words, bounded
//! but not cleaned.

use super::cursor::{Cursor, Read};
use super::text::{Text, emit_lossy};

const MESSAGE_BYTES_MAX: usize = 2048;
const CODE_BYTES_MAX: usize = 128;

/// What a provider would have answered as an HTTP error, had it known before the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFault {
    /// 400 to 599: the provider's own number where it gave one, else by the table below; 500 where
    /// nothing is known.
    pub status: u16,
    /// The provider's code, or its error type where it has no code; at most 128 bytes.
    pub code: String,
    /// At most 2 KiB, cut at a character boundary.
    pub message: String,
}

/// The code of a stream that cannot be understood: not the provider's word for it, ours.
const NONSENSE: &str = "tidegate_nonsense";

impl StreamFault {
    /// The provider says nothing that its protocol has.
    pub fn nonsense(why: impl Into<String>) -> Self {
        Self { status: 502, code: NONSENSE.to_owned(), message: why.into() }
    }

    /// Whether it is what was found here, and not what the provider said of itself.
    pub fn is_nonsense(&self) -> bool {
        self.code == NONSENSE
    }
}

/// The fields of an error object, wherever it stands.
#[derive(Clone, Copy, Default)]
pub(crate) struct ErrorFields<'a> {
    code: Option<Text<'a>>,
    kind: Option<Text<'a>>,
    status: Option<Text<'a>>,
    number: Option<u16>,
    message: Option<Text<'a>>,
}

impl<'a> ErrorFields<'a> {
    /// Consumes the value of `key`, keeping it when it belongs to an error.
    pub(crate) fn member(&mut self, key: &[u8], c: &mut Cursor<'a>) -> Read<()> {
        match key {
            b"message" | b"detail" | b"error_message" => self.message = message(c)?.or(self.message),
            b"code" => self.code = self.text_or_number(c)?.or(self.code),
            b"type" => self.kind = c.string()?.or(self.kind),
            b"status" | b"status_code" | b"http_code" => {
                self.status = self.text_or_number(c)?.or(self.status)
            }
            _ => c.skip()?,
        }
        Ok(())
    }

    /// Whether it says anything a person could read.
    pub(crate) fn has_message(&self) -> bool {
        self.message.is_some()
    }

    fn text_or_number(&mut self, c: &mut Cursor<'a>) -> Read<Option<Text<'a>>> {
        let text = match c.peek() {
            Some(b'"') => c.string()?,
            Some(b'0'..=b'9') => Some(Text::new(c.scalar()?, false)),
            _ => c.skip().map(|()| None)?,
        };
        let number = text.and_then(|t| std::str::from_utf8(t.raw()).ok()?.parse().ok());
        self.number = number.filter(|n| (400..600).contains(n)).or(self.number);
        Ok(text.filter(|t| !t.is_empty()))
    }

    pub(crate) fn fault(&self) -> StreamFault {
        let words = [self.code, self.kind, self.status];
        let by_word = || words.iter().flatten().find_map(|word| status_of(word.raw()));
        // The type is the better name where the code is only the status in digits.
        let is_name = |t: &Text<'_>| !t.raw().iter().all(u8::is_ascii_digit);
        let name = words.into_iter().flatten().find(is_name).or(self.code);
        StreamFault {
            status: self.number.or_else(by_word).unwrap_or(500),
            code: name.map_or_else(|| "error".to_owned(), |t| t.to_string_bounded(CODE_BYTES_MAX)),
            message: self.message.map(|t| t.to_string_bounded(MESSAGE_BYTES_MAX)).unwrap_or_default(),
        }
    }
}

impl StreamFault {
    /// A fault the upstream only named.
    pub(crate) fn named(name: &[u8]) -> Self {
        ErrorFields { code: Some(Text::new(name, false)), ..ErrorFields::default() }.fault()
    }

    /// A fault told in words that are not JSON.
    pub(crate) fn unstructured(words: &[u8]) -> Self {
        let mut fault = Self::named(b"error");
        emit_lossy(words.get(..words.len().min(MESSAGE_BYTES_MAX)).unwrap_or_default(), &mut |piece| {
            fault.message.push_str(piece);
        });
        fault
    }
}

/// Consumes the value of an `error` key: an object or, with some, a string. `None` when there is
/// no error in it (null, false, "", {}).
pub(crate) fn read<'a>(c: &mut Cursor<'a>) -> Read<Option<StreamFault>> {
    match c.peek() {
        Some(b'{') => {
            let mut fields = ErrorFields::default();
            let mut is_empty = true;
            c.enter(b'{')?;
            while let Some(key) = c.key()? {
                is_empty = false;
                fields.member(key, c)?;
            }
            Ok((!is_empty).then(|| fields.fault()))
        }
        Some(b'"') => {
            let message = c.string()?.filter(|text| !text.is_empty());
            Ok(message.map(|_| ErrorFields { message, ..ErrorFields::default() }.fault()))
        }
        _ => c.skip().map(|()| None),
    }
}

/// Reads a whole event or body as an error: wrapped in `error`, or an error object itself. `None`
/// when it says neither.
pub(crate) fn read_document(bytes: &[u8]) -> Option<StreamFault> {
    let read = || -> Read<Option<StreamFault>> {
        let mut c = Cursor::new(bytes);
        let mut fields = ErrorFields::default();
        let mut wrapped = None;
        if !c.enter(b'{')? {
            return Ok(None);
        }
        while let Some(key) = c.key()? {
            match key {
                b"error" if c.peek() == Some(b'"') => fields.member(b"message", &mut c)?,
                b"error" => wrapped = self::read(&mut c)?.or(wrapped),
                _ => fields.member(key, &mut c)?,
            }
        }
        Ok(wrapped.or_else(|| fields.has_message().then(|| fields.fault())))
    };
    read().unwrap_or_default()
}

/// A message is a string, or with some (Mistral, FastAPI) a structure that is shown as its JSON.
fn message<'a>(c: &mut Cursor<'a>) -> Read<Option<Text<'a>>> {
    if c.peek() == Some(b'"') {
        return Ok(c.string()?.filter(|text| !text.is_empty()));
    }
    let mut again = *c;
    let is_present = c.presence()?;
    if is_present { again.raw().map(|raw| Some(Text::new(raw, false))) } else { Ok(None) }
}

/// Statuses of the codes and types that providers use.
fn status_of(word: &[u8]) -> Option<u16> {
    Some(match word {
        b"overloaded_error" | b"overloaded" | b"engine_overloaded_error" => 529,
        b"rate_limit_error"
        | b"rate_limit_exceeded"
        | b"rate_limited"
        | b"insufficient_quota"
        | b"tokens"
        | b"requests"
        | b"RESOURCE_EXHAUSTED"
        | b"too_many_requests"
        | b"throttling_error" => 429,
        b"billing_error" | b"insufficient_balance" => 402,
        b"authentication_error" | b"invalid_api_key" | b"UNAUTHENTICATED" | b"unauthorized" => 401,
        b"permission_error" | b"permission_denied" | b"PERMISSION_DENIED" | b"forbidden" => 403,
        b"not_found_error" | b"model_not_found" | b"NOT_FOUND" | b"not_found" => 404,
        b"request_too_large" => 413,
        b"invalid_request_error"
        | b"INVALID_ARGUMENT"
        | b"FAILED_PRECONDITION"
        | b"OUT_OF_RANGE"
        | b"BadRequestError"
        | b"context_length_exceeded"
        | b"tool_use_failed"
        | b"content_filter"
        | b"content_policy_violation"
        | b"json_validate_failed" => 400,
        b"UNAVAILABLE"
        | b"service_unavailable"
        | b"service_unavailable_error"
        | b"server_overloaded"
        | b"slow_down"
        | b"insufficient_system_resource" => 503,
        b"DEADLINE_EXCEEDED" | b"timeout" | b"timeout_error" | b"vector_store_timeout" => 504,
        b"api_error"
        | b"server_error"
        | b"internal_error"
        | b"internal_server_error"
        | b"INTERNAL"
        | b"UNKNOWN" => 500,
        _ if word.starts_with(b"invalid_") || word.starts_with(b"unsupported_") => 400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> StreamFault {
        read_document(json.as_bytes()).expect(json)
    }

    #[test]
    fn the_shapes_of_errors_are_all_understood() {
        for (json, status, code, message) in [
            (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                529,
                "overloaded_error",
                "Overloaded",
            ),
            (
                r#"{"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#,
                429,
                "rate_limit_exceeded",
                "slow",
            ),
            (r#"{"error":{"code":400,"message":"Token limit reached"}}"#, 400, "400", "Token limit reached"),
            (r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#, 503, "UNAVAILABLE", "busy"),
            (r#"{"error":{"code":"429","message":"x"}}"#, 429, "429", "x"),
            (
                r#"{"error":{"type":null,"code":"content_filter","status":400,"message":"no"}}"#,
                400,
                "content_filter",
                "no",
            ),
            (r#"{"code":"bad key","error":"Incorrect API key"}"#, 500, "bad key", "Incorrect API key"),
            (
                r#"{"object":"error","message":{"detail":[1]},"type":"invalid_request_error"}"#,
                400,
                "invalid_request_error",
                r#"{"detail":[1]}"#,
            ),
            (r#"{"detail":"Not Found"}"#, 500, "error", "Not Found"),
            (r#"{"error":{"type":"made_up","message":"?"}}"#, 500, "made_up", "?"),
        ] {
            assert_eq!(
                fault(json),
                StreamFault { status, code: code.into(), message: message.into() },
                "{json}"
            );
        }
    }

    #[test]
    fn what_holds_no_error_is_none() {
        for json in [
            r#"{"error":null}"#,
            r#"{"error":{}}"#,
            r#"{"error":""}"#,
            r#"{"error":false}"#,
            "[]",
            "",
            "<html>",
        ] {
            assert_eq!(read_document(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn words_of_any_length_are_bounded() {
        let long = "é".repeat(100_000);
        let fault = fault(&format!(r#"{{"error":{{"code":"{long}","message":"{long}"}}}}"#));
        assert!(fault.code.len() <= 128 && fault.message.len() == 2048);
        assert_eq!(StreamFault::unstructured(long.as_bytes()).message.len(), 2048);
    }
}
