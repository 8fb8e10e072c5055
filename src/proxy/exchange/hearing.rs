//! What listens to the frames of a stream: a tap where bytes are passed on, a translator where the
//! client speaks another protocol.

use crate::dialect::codec::{self, Translator, Witness};
use crate::dialect::tap::{EventClass, StreamTap};
use crate::types::{Endpoint, Usage};

/// All three answer the same questions.
#[expect(clippy::large_enum_variant, reason = "the largest is the usual one, and lives in a boxed stream")]
pub enum Hearing {
    Tap(StreamTap),
    /// Passed on too; its framing is no SSE, or its events are read with their decoder.
    Witness(Box<Witness>),
    Translate(Box<Translation>),
}

/// A translator, and what it wrote that has not been taken yet.
pub struct Translation {
    pub translator: Translator,
    pub out: Vec<u8>,
}

impl Hearing {
    /// What listens where bytes pass as they are.
    pub fn of(endpoint: Endpoint) -> Self {
        let is_decoded =
            matches!(endpoint, Endpoint::ConverseStream | Endpoint::CohereChat | Endpoint::OllamaChat);
        match endpoint.protocol().filter(|_| is_decoded) {
            Some(protocol) => Hearing::Witness(Box::new(Witness::new(codec::decoder(protocol)))),
            None => Hearing::Tap(StreamTap::new(endpoint)),
        }
    }

    pub fn translated(translator: Translator) -> Self {
        Hearing::Translate(Box::new(Translation { translator, out: Vec::new() }))
    }

    /// Takes one frame; generated text goes to `text`.
    pub fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8], text: &mut dyn FnMut(&str)) -> EventClass {
        match self {
            Hearing::Tap(tap) => tap.on_event(name, data, text),
            Hearing::Witness(witness) => {
                witness.on_frame(name, data, &mut |event| codec::generated_text(&event, text))
            }
            Hearing::Translate(t) => t.translator.on_frame(name, data, &mut t.out, text),
        }
    }

    /// The upstream's bytes ended.
    pub fn on_end(&mut self, text: &mut dyn FnMut(&str)) {
        match self {
            Hearing::Tap(_) => {}
            Hearing::Witness(witness) => witness.on_end(&mut |event| codec::generated_text(&event, text)),
            Hearing::Translate(t) => t.translator.on_end(&mut t.out, text),
        }
    }

    fn witness(&self) -> Result<&Witness, &StreamTap> {
        match self {
            Hearing::Tap(tap) => Err(tap),
            Hearing::Witness(witness) => Ok(witness),
            Hearing::Translate(t) => Ok(&t.translator.witness),
        }
    }

    pub fn usage(&self) -> Option<Usage> {
        self.witness().map_or_else(StreamTap::usage, Witness::usage)
    }

    pub fn has_final_usage(&self) -> bool {
        self.witness().map_or_else(StreamTap::has_final_usage, Witness::has_final_usage)
    }

    pub fn is_terminated(&self) -> bool {
        self.witness().map_or_else(StreamTap::is_terminated, Witness::is_terminated)
    }

    pub fn has_content(&self) -> bool {
        self.witness().map_or_else(StreamTap::has_content, Witness::has_content)
    }

    /// Events that the upstream's protocol is not known to have; where bytes pass as they are nobody looks.
    pub fn unknown(&self) -> u64 {
        self.witness().map_or(0, Witness::unknown)
    }

    pub fn finish_reason(&self) -> Option<&str> {
        match self.witness() {
            Ok(witness) => witness.finish_reason(),
            Err(tap) => tap.finish_reason(),
        }
    }

    /// The id of a Responses stream, as the client was told it.
    pub fn response_id(&self) -> Option<&str> {
        match self {
            Hearing::Tap(tap) => tap.response_id(),
            Hearing::Witness(_) => None,
            Hearing::Translate(t) => t.translator.encoder().response_id(),
        }
    }
    /// Whether the client gets another protocol than the upstream's.
    pub fn is_translated(&self) -> bool {
        matches!(self, Hearing::Translate(_))
    }

    /// The whole answer of a translated Responses stream, once it has ended.
    pub fn finished(&self) -> Option<&str> {
        match self {
            Hearing::Translate(t) => t.translator.encoder().finished(),
            _ => None,
        }
    }
}
