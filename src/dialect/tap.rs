//! Listening to what an upstream answers, without touching a byte: what an event is, what it cost,
//! whether the stream ended, whether it failed.
//!
//! Not the framing (events come in whole) and not the decision what to do about a fault. Invariant:
//! no input panics or makes a tap grow; numbers follow the rule of [`Usage`].

use crate::catalog::Service;
use crate::types::{Endpoint, Usage};

use super::anthropic::{self, event::MessagesTap};
use super::gemini::{self, event::GenerateTap};
use super::generic::{self, cursor::Read, events::TypedTap, progress::Progress};
use super::openai_chat::{self, chunk::ChatTap};
use super::openai_responses::{self, event::ResponsesTap};
use super::tier::service_of;

pub use super::gemini::array::{ArrayError, ArrayScanner};
pub use super::generic::fault::StreamFault;

/// What one event of a stream is to the one who relays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// Nothing a client shows or stores: a role-only chunk, `message_start`, `response.created`, a
    /// ping, an empty frame or delta. Another upstream could still answer in its place.
    Preamble,
    /// Anything a client shows or stores: text, tool calls, reasoning, refusal, sound, images, and
    /// the reason a choice finished.
    Content,
    /// OpenAI's usage chunk with empty choices: may be hidden from a client that did not ask.
    UsageOnly,
    /// The end, with no content in it.
    Terminal,
    /// The upstream says that it failed.
    Fault(StreamFault),
    /// Unknown, to be passed on.
    Other,
}

/// Listens to one stream: fixed in size, no heap.
pub struct StreamTap(Reader);

enum Reader {
    Chat(ChatTap),
    Responses(ResponsesTap),
    Messages(MessagesTap),
    Generate(GenerateTap),
    Typed(TypedTap),
}

impl StreamTap {
    /// A tap for the stream that `endpoint` answers.
    pub fn new(endpoint: Endpoint) -> Self {
        Self(match endpoint {
            Endpoint::ChatCompletions | Endpoint::Completions => Reader::Chat(ChatTap::default()),
            Endpoint::Responses | Endpoint::ResponseById => Reader::Responses(ResponsesTap::default()),
            Endpoint::Messages | Endpoint::CountTokens => Reader::Messages(MessagesTap::default()),
            Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::GeminiCountTokens
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::Predict => Reader::Generate(GenerateTap::default()),
            Endpoint::ResponseTokens
            | Endpoint::Conversations
            | Endpoint::Embeddings
            | Endpoint::Moderations
            | Endpoint::Images
            | Endpoint::Speech
            | Endpoint::Transcriptions
            | Endpoint::Rerank
            | Endpoint::Converse
            | Endpoint::ConverseStream
            | Endpoint::BedrockCountTokens
            | Endpoint::Invoke
            | Endpoint::CohereChat
            | Endpoint::CohereTokenize
            | Endpoint::CohereEmbed
            | Endpoint::CohereRerank
            | Endpoint::OllamaChat
            | Endpoint::OllamaEmbed
            | Endpoint::OllamaEmbeddings
            | Endpoint::Models
            | Endpoint::ModelById
            | Endpoint::Opaque => Reader::Typed(TypedTap::default()),
        })
    }

    /// Takes one SSE event (its `event:` name and joined data) or one element of a Gemini array.
    /// Generated text goes to `text` as it is seen, in order, in pieces of any size.
    pub fn on_event(&mut self, name: Option<&[u8]>, data: &[u8], text: &mut dyn FnMut(&str)) -> EventClass {
        match &mut self.0 {
            Reader::Chat(tap) => tap.on_event(name, data, text),
            Reader::Responses(tap) => tap.on_event(name, data, text),
            Reader::Messages(tap) => tap.on_event(name, data, text),
            Reader::Generate(tap) => tap.on_event(name, data, text),
            Reader::Typed(tap) => tap.on_event(name, data, text),
        }
    }

    /// What the upstream reported so far; `None` when it reported nothing above zero.
    pub fn usage(&self) -> Option<Usage> {
        match &self.0 {
            Reader::Messages(tap) => tap.told.usage(),
            Reader::Generate(tap) => tap.told.usage(),
            _ => self.progress().has_usage.then_some(self.progress().usage),
        }
    }

    /// Whether [`usage`](Self::usage) covers the output. When a stream breaks off, the output of a
    /// report that is not final (Anthropic's first, Gemini's before the end) is too low.
    pub fn has_final_usage(&self) -> bool {
        self.progress().is_usage_final
    }

    /// Whether an end of the connection now would be a clean end: chat, `[DONE]` or a finish reason
    /// on every choice seen; Responses, `completed`, `incomplete` or `cancelled`; Anthropic,
    /// `message_stop`; Gemini, a finish reason on every candidate seen or a blocked prompt.
    pub fn is_terminated(&self) -> bool {
        match &self.0 {
            Reader::Chat(tap) => tap.is_terminated(),
            Reader::Responses(tap) => tap.is_terminated(),
            Reader::Messages(tap) => tap.is_terminated(),
            Reader::Generate(tap) => tap.is_terminated(),
            Reader::Typed(tap) => tap.is_terminated(),
        }
    }

    /// Whether an event of class [`EventClass::Content`] was seen.
    pub fn has_content(&self) -> bool {
        self.progress().has_content
    }

    /// Why generation stopped, in the upstream's own word, cut to 32 bytes.
    pub fn finish_reason(&self) -> Option<&str> {
        self.progress().finish.as_str()
    }

    /// The id of a Responses stream; `None` when it has none or one longer than 120 bytes.
    pub fn response_id(&self) -> Option<&str> {
        match &self.0 {
            Reader::Responses(tap) => tap.response_id.as_str(),
            _ => None,
        }
    }

    fn progress(&self) -> &Progress {
        match &self.0 {
            Reader::Chat(tap) => &tap.progress,
            Reader::Responses(tap) => &tap.progress,
            Reader::Messages(tap) => &tap.progress,
            Reader::Generate(tap) => &tap.progress,
            Reader::Typed(tap) => &tap.progress,
        }
    }
}

/// What the body of a 200 says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyReading {
    /// As the upstream reported it. A stored response fetched again (`ResponseById`) repeats the
    /// usage of the call that made it: charge it once.
    pub usage: Option<Usage>,
    /// The upstream says that it failed.
    pub fault: Option<StreamFault>,
    /// Complete JSON (as far as brackets show) of the kind the endpoint promises. False for an
    /// empty body, HTML, JSON cut short, JSON of another kind.
    pub is_expected_shape: bool,
    /// Responses only: the id by which it is fetched later, at most 256 bytes.
    pub response_id: Option<String>,
    /// The answer of a token count. Nothing was consumed.
    pub counted: Option<u64>,
    /// The service it says it gave.
    pub service: Option<Service>,
}

/// Reads a whole 200 body that is not a stream.
pub fn read_body(endpoint: Endpoint, body: &[u8]) -> BodyReading {
    let mut reading = BodyReading { service: service_of(body), ..BodyReading::default() };
    let read = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => openai_chat::body::read(body, &mut reading),
        Endpoint::Responses => openai_responses::body::read(body, false, &mut reading),
        Endpoint::ResponseById => openai_responses::body::read(body, true, &mut reading),
        Endpoint::Messages => anthropic::body::read(body, &mut reading),
        Endpoint::CountTokens | Endpoint::ResponseTokens => anthropic::body::read_count(body, &mut reading),
        Endpoint::GeminiCountTokens => gemini::body::read_count(body, &mut reading),
        Endpoint::GenerateContent
        | Endpoint::StreamGenerateContent
        | Endpoint::EmbedContent
        | Endpoint::BatchEmbedContents
        | Endpoint::Predict => gemini::body::read(body, &mut reading),
        Endpoint::Speech | Endpoint::Transcriptions if !starts_as_json(body) => {
            reading.is_expected_shape = !body.is_empty() && !starts_as_html(body);
            Ok(())
        }
        _ => generic::body::read(endpoint, body, &mut reading),
    };
    reading.is_expected_shape &= read.is_ok() && reading.fault.is_none();
    if endpoint == Endpoint::Opaque {
        reading.is_expected_shape = true;
    }
    reading
}

/// Hands every generated text of a whole body to `text`, for an estimate where usage is absent.
pub fn for_each_output_text(endpoint: Endpoint, body: &[u8], text: &mut dyn FnMut(&str)) {
    let read: Read<()> = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => openai_chat::body::output_texts(body, text),
        Endpoint::Responses | Endpoint::ResponseById => openai_responses::body::output_texts(body, text),
        Endpoint::Messages => anthropic::body::output_texts(body, text),
        Endpoint::GenerateContent | Endpoint::StreamGenerateContent => gemini::body::output_texts(body, text),
        Endpoint::Transcriptions => generic::body::output_texts(body, text),
        _ => Ok(()),
    };
    // A body cut short has given what it had.
    read.unwrap_or_default();
}

fn starts_as_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

fn starts_as_html(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    [&b"<!doctype"[..], b"<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_is_small_whatever_it_listens_to() {
        assert!(size_of::<StreamTap>() <= 300, "{} bytes", size_of::<StreamTap>());
    }

    #[test]
    fn what_is_no_answer_has_not_the_expected_shape() {
        for endpoint in Endpoint::ALL {
            if endpoint == Endpoint::Opaque {
                continue;
            }
            for body in ["", " \n", "<html>busy</html>", "<!DOCTYPE html>", "[", "{", "{\"a\":"] {
                let is_expected = read_body(endpoint, body.as_bytes()).is_expected_shape;
                let is_plain_text =
                    body == " \n" && matches!(endpoint, Endpoint::Speech | Endpoint::Transcriptions);
                assert_eq!(is_expected, is_plain_text, "{endpoint:?} {body}");
            }
        }
    }

    #[test]
    fn a_transcription_may_be_plain_text() {
        assert!(read_body(Endpoint::Transcriptions, b"1\n00:00 --> 00:01\nhi").is_expected_shape);
    }

    #[test]
    fn a_failed_response_is_a_fault_and_keeps_its_id() {
        let body = br#"{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#;
        let reading = read_body(Endpoint::Responses, body);
        assert_eq!(reading.fault.map(|f| (f.status, f.code)), Some((500, "server_error".into())));
        assert_eq!(reading.response_id.as_deref(), Some("resp_1"));
        assert!(!reading.is_expected_shape);
    }

    #[test]
    fn an_incomplete_response_is_an_answer() {
        let body = br#"{"id":"r","object":"response","status":"incomplete","error":null,"output":[]}"#;
        let reading = read_body(Endpoint::Responses, body);
        assert!(reading.fault.is_none() && reading.is_expected_shape);
    }

    #[test]
    fn errors_in_a_200_are_faults_on_every_endpoint_of_json() {
        let body = br#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#;
        for endpoint in Endpoint::ALL {
            let fault = read_body(endpoint, body).fault;
            assert_eq!(fault.map(|f| f.status), Some(429), "{endpoint:?}");
        }
    }

    #[test]
    fn counting_tokens_consumes_none() {
        let anthropic = read_body(Endpoint::CountTokens, br#"{"input_tokens":671}"#);
        let gemini = read_body(Endpoint::GeminiCountTokens, br#"{"totalTokens":12}"#);
        assert_eq!((anthropic.counted, anthropic.usage), (Some(671), None));
        assert_eq!((gemini.counted, gemini.usage), (Some(12), None));
    }

    #[test]
    fn an_anthropic_error_of_a_body_is_a_fault() {
        let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(read_body(Endpoint::Messages, body).fault.map(|f| f.status), Some(529));
    }
}
