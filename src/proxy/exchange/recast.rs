//! An answer in the other form than was asked for: a whole one where events were to come, events where
//! a whole one was. The client gets the form it asked for.
//!
//! Pure. Not here: reading the answer (`entire`). Invariant: what is gathered is bounded, and a stream
//! that did not end as it should is no answer.

use super::splitter::Splitter;
use super::translate::endpoint_of;
use crate::chat::{self, Collector, Response};
use crate::dialect::codec::{self, DecodeStream, Garbled, Owed, Translator};
use crate::dialect::invoke::Unwrapper;
use crate::dialect::tap::{EventClass, StreamFault};
use crate::framing::inflate::{ContentCoding, StreamInflater};
use crate::framing::json::{Duplicates, parse_bytes};
use crate::types::{Protocol, Usage};
use bytes::Bytes;

/// What a stream may come to that is gathered, its coding undone.
pub const GATHERED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A whole answer as a stream.
pub struct Restreamed {
    pub body: Bytes,
    /// The answer as the client's protocol has it whole: a Responses object as it stands in the stream's
    /// last event, and any answer whose tokens nobody told.
    pub whole: Option<Bytes>,
    pub usage: Option<Usage>,
}

/// Writes the events of a whole answer of `upstream`'s as `client` reads them.
///
/// # Errors
/// What is wrong with the provider's answer.
pub fn restream(
    upstream: Protocol,
    client: Protocol,
    mut owed: Owed,
    body: &[u8],
) -> Result<Restreamed, Garbled> {
    if upstream == Protocol::Generate && body.trim_ascii_start().starts_with(b"[") {
        return elements(client, owed, body);
    }
    let root = parse_bytes(body, Duplicates::LastCounts).map_err(|e| Garbled(e.to_string()))?;
    let response = codec::decode_response(upstream, &root)?;
    keep_id(upstream, client, &response, &mut owed);
    let mut encoder = codec::encoder(client, owed.clone());
    let mut out = Vec::with_capacity(body.len() * 2 + 1024);
    chat::play(&response, &mut |event| encoder.write(&event, &mut out));
    let whole = match encoder.finished() {
        Some(finished) => Some(Bytes::from(finished.to_owned())),
        None if response.usage.is_none() => {
            let mut whole = Vec::with_capacity(body.len() + 256);
            codec::encode_response(client, &response, &owed, &mut whole);
            Some(Bytes::from(whole))
        }
        None => None,
    };
    Ok(Restreamed { body: Bytes::from(out), whole, usage: response.usage })
}

/// A response that its provider keeps is asked for by the id that the client was told.
fn keep_id(upstream: Protocol, client: Protocol, response: &Response<'_>, owed: &mut Owed) {
    let is_kept = upstream == Protocol::Responses && client == Protocol::Responses;
    if let Some(token) = response.id.strip_prefix("resp_").filter(|_| is_kept) {
        owed.token = token.to_owned();
    }
}

/// Gemini's growing array where events were asked for.
fn elements(client: Protocol, owed: Owed, body: &[u8]) -> Result<Restreamed, Garbled> {
    let mut translator = Translator::new(codec::decoder(Protocol::Generate), codec::encoder(client, owed));
    let (mut out, mut fault) = (Vec::with_capacity(body.len() * 2), None);
    let mut splitter = Splitter::of(endpoint_of(Protocol::Generate, true), true);
    let fed = splitter.feed(body, |name, data, _| {
        if fault.is_none()
            && let EventClass::Fault(told) = translator.on_frame(name, data, &mut out, &mut |_| {})
        {
            fault = Some(told.message);
        }
    });
    fed.map_err(Garbled)?;
    translator.on_end(&mut out, &mut |_| {});
    match fault {
        Some(fault) => Err(Garbled(fault)),
        None if !translator.witness.is_terminated() => {
            Err(Garbled("the answer ended before its end".to_owned()))
        }
        None => {
            let whole = translator.encoder().finished().map(|json| Bytes::from(json.to_owned()));
            Ok(Restreamed { body: Bytes::from(out), whole, usage: translator.witness.usage() })
        }
    }
}

/// Why a stream is not gathered.
#[derive(Debug)]
pub enum Ungathered {
    /// It said so itself.
    Fault(StreamFault),
    /// Its framing or coding is broken, or it is too long.
    Broken(String),
}

/// Takes the events of a stream.
pub struct Gatherer {
    protocol: Protocol,
    splitter: Splitter,
    inflater: Option<StreamInflater>,
    unwrapper: Option<Unwrapper>,
    decoder: Box<dyn DecodeStream>,
    collector: Collector,
    room: usize,
}

impl Gatherer {
    /// For a stream of `protocol`'s; `is_wrapped` as Bedrock's `invoke` wraps it.
    pub fn new(protocol: Protocol, coding: ContentCoding, is_wrapped: bool) -> Self {
        Self {
            protocol,
            splitter: Splitter::of(endpoint_of(protocol, true), false),
            inflater: (coding != ContentCoding::Identity).then(|| StreamInflater::new(coding)),
            unwrapper: is_wrapped.then(Unwrapper::new),
            decoder: codec::decoder(protocol),
            collector: Collector::new(protocol),
            room: GATHERED_BYTES_MAX,
        }
    }

    /// Takes a chunk as it came.
    ///
    /// # Errors
    /// [`Ungathered`]; nothing more is to be fed.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Ungathered> {
        let mut plain = Vec::new();
        let mut bytes = chunk;
        if let Some(inflater) = &mut self.inflater {
            let fed = inflater.feed(bytes, &mut plain, self.room);
            fed.map_err(|e| Ungathered::Broken(e.to_string()))?;
            bytes = &plain;
        }
        let left = self.room.checked_sub(bytes.len());
        self.room = left.ok_or_else(|| Ungathered::Broken("the stream is too long to gather".to_owned()))?;
        let mut unwrapped = Vec::new();
        if let Some(unwrapper) = &mut self.unwrapper {
            unwrapper.feed(bytes, &mut unwrapped).map_err(Ungathered::Broken)?;
            bytes = &unwrapped;
        }
        let (decoder, collector, mut fault) = (&mut self.decoder, &mut self.collector, None);
        let fed = self.splitter.feed(bytes, |name, data, _| {
            if fault.is_none() {
                fault = decoder.on_frame(name, data, &mut |event| collector.take(&event)).err();
            }
        });
        match (fault, fed) {
            (Some(fault), _) => Err(Ungathered::Fault(fault)),
            (None, fed) => fed.map_err(Ungathered::Broken),
        }
    }

    /// The stream ended: the answer as `client` reads it whole, and what it used.
    ///
    /// # Errors
    /// [`Ungathered`] where it did not end as it should.
    pub fn finish(mut self, client: Protocol, mut owed: Owed) -> Result<Gathered, Ungathered> {
        let (decoder, collector, mut fault) = (&mut self.decoder, &mut self.collector, None);
        self.splitter.finish(|name, data| {
            fault = decoder.on_frame(name, data, &mut |event| collector.take(&event)).err();
        });
        if let Some(fault) = fault {
            return Err(Ungathered::Fault(fault));
        }
        decoder.on_end(&mut |event| collector.take(&event));
        let unknown = decoder.unknown();
        let (response, is_ended) = self.collector.finish();
        if !is_ended {
            return Err(Ungathered::Broken("the stream ended without its last event".to_owned()));
        }
        keep_id(self.protocol, client, &response, &mut owed);
        let mut out = Vec::with_capacity(1024);
        codec::encode_response(client, &response, &owed, &mut out);
        Ok(Gathered { body: Bytes::from(out), usage: response.usage, unknown })
    }
}

/// A stream as the whole answer that it came to.
pub struct Gathered {
    pub body: Bytes,
    pub usage: Option<Usage>,
    /// Events that the protocol is not known to have.
    pub unknown: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const WHOLE: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hé"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

    fn owed() -> Owed {
        Owed {
            model: "asked".to_owned(),
            token: "0123456789abcdef".to_owned(),
            created: 1,
            wants_usage: true,
            is_array: false,
            echo: String::new(),
        }
    }

    fn gather(protocol: Protocol, client: Protocol, pieces: &[&[u8]]) -> Result<Gathered, Ungathered> {
        let mut gatherer = Gatherer::new(protocol, ContentCoding::Identity, false);
        for piece in pieces {
            gatherer.feed(piece)?;
        }
        gatherer.finish(client, owed())
    }

    /// Every client's stream of an answer, gathered again.
    #[test]
    fn an_answer_becomes_every_clients_stream_and_a_stream_the_answer_again() {
        for client in Protocol::ALL {
            let made = restream(Protocol::Chat, client, owed(), WHOLE.as_bytes()).unwrap();
            assert_eq!(made.usage.map(|usage| (usage.input, usage.output)), Some((3, 2)), "{client:?}");
            assert_eq!(made.whole.is_some(), client == Protocol::Responses, "{client:?}");
            for cut in [0, made.body.len() / 3, made.body.len() / 2, made.body.len()] {
                let (one, two) = made.body.split_at(cut);
                let gathered = gather(client, Protocol::Chat, &[one, two]).unwrap();
                let body: Value = serde_json::from_slice(&gathered.body).unwrap();
                let choice = &body["choices"][0];
                assert_eq!(choice["message"]["content"], json!("Hé"), "{client:?} {cut}");
                assert_eq!(choice["finish_reason"], json!("stop"), "{client:?}");
                assert_eq!(body["usage"]["total_tokens"], json!(5), "{client:?}");
            }
        }
    }

    #[test]
    fn a_response_keeps_the_id_its_provider_knows_it_by() {
        let response = json!({
            "id": "resp_abc", "object": "response", "created_at": 1, "status": "completed", "model": "m",
            "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
        });
        let body = response.to_string();
        let made = restream(Protocol::Responses, Protocol::Responses, owed(), body.as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&made.whole.unwrap()).unwrap();
        assert_eq!(whole["id"], "resp_abc");
        let gathered = gather(Protocol::Responses, Protocol::Responses, &[&made.body]).unwrap();
        let whole: Value = serde_json::from_slice(&gathered.body).unwrap();
        assert_eq!((&whole["id"], &whole["status"]), (&json!("resp_abc"), &json!("completed")));
    }

    #[test]
    fn geminis_array_becomes_events_too() {
        let one = |text: &str, more: Value| {
            let mut chunk = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}]});
            if let Some(reason) = more.as_str() {
                chunk["candidates"][0]["finishReason"] = json!(reason);
                chunk["usageMetadata"] =
                    json!({"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3});
            }
            chunk
        };
        let body = json!([one("a", Value::Null), one("b", json!("STOP"))]).to_string();
        let made = restream(Protocol::Generate, Protocol::Messages, owed(), body.as_bytes()).unwrap();
        let text = String::from_utf8(made.body.to_vec()).unwrap();
        assert!(text.contains("event: message_stop") && text.matches("text_delta").count() == 2, "{text}");
        let cut = json!([one("a", Value::Null)]).to_string();
        assert!(restream(Protocol::Generate, Protocol::Chat, owed(), cut.as_bytes()).is_err());
    }

    #[test]
    fn what_ends_early_fails_or_is_too_long_is_no_answer() {
        let made = restream(Protocol::Chat, Protocol::Messages, owed(), WHOLE.as_bytes()).unwrap();
        let early = made.body.len() - 40;
        let gathered = gather(Protocol::Messages, Protocol::Chat, &[&made.body[..early]]);
        assert!(matches!(gathered, Err(Ungathered::Broken(_))));
        let error = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n";
        let gathered = gather(Protocol::Messages, Protocol::Chat, &[error]);
        assert!(matches!(gathered, Err(Ungathered::Fault(fault)) if fault.status == 529));
        let mut gatherer = Gatherer::new(Protocol::Chat, ContentCoding::Identity, false);
        let comment = [b": ".as_slice(), &vec![b'x'; 512 * 1024 - 4], b"\n\n"].concat();
        for _ in 0..GATHERED_BYTES_MAX / comment.len() {
            gatherer.feed(&comment).unwrap();
        }
        assert!(matches!(gatherer.feed(&comment), Err(Ungathered::Broken(why)) if why.contains("too long")));
    }
}
