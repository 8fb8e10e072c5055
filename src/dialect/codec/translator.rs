//! One stream's way from the provider's protocol to the client's.

use super::witness::Witness;
use super::{DecodeStream, EncodeStream};
use crate::chat::{Delta, Event};
use crate::dialect::tap::EventClass;

/// Decodes frames, listens, and encodes what they say.
pub struct Translator {
    pub witness: Witness,
    encoder: Box<dyn EncodeStream>,
}

impl Translator {
    pub fn new(decoder: Box<dyn DecodeStream>, encoder: Box<dyn EncodeStream>) -> Self {
        Self { witness: Witness::new(decoder), encoder }
    }

    /// Takes one frame of the provider; appends what the client is sent for it. Generated text goes
    /// to `text` as well.
    pub fn on_frame(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<u8>,
        text: &mut dyn FnMut(&str),
    ) -> EventClass {
        let encoder = &mut self.encoder;
        self.witness.on_frame(name, data, &mut |event| {
            generated_text(&event, text);
            encoder.write(&event, out);
        })
    }

    /// The provider's bytes ended.
    pub fn on_end(&mut self, out: &mut Vec<u8>, text: &mut dyn FnMut(&str)) {
        let encoder = &mut self.encoder;
        self.witness.on_end(&mut |event| {
            generated_text(&event, text);
            encoder.write(&event, out);
        });
    }

    pub fn encoder(&self) -> &dyn EncodeStream {
        &*self.encoder
    }
}

/// Hands the text the model made in `event` on.
pub fn generated_text(event: &Event<'_>, text: &mut dyn FnMut(&str)) {
    if let Event::Delta { delta: Delta::Text(piece) | Delta::Arguments(piece), .. } = event {
        text(piece);
    }
}
