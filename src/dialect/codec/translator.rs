//! One stream's way from the provider's protocol to the client's.

use super::continued::Adding;
use super::witness::Witness;
use super::{DecodeStream, EncodeStream};
use crate::chat::{Delta, Event, Progress, Stop, StopReason};
use crate::dialect::tap::EventClass;
use crate::types::Usage;

/// Decodes frames, listens, and encodes what they say.
pub struct Translator {
    pub witness: Witness,
    encoder: Box<dyn EncodeStream>,
    open: Open,
    /// Set where another target may have to go on with the stream.
    pub progress: Option<Box<Progress>>,
}

/// What has begun and not ended.
#[derive(Default)]
struct Open {
    has_started: bool,
    /// (choice, block)
    blocks: Vec<(u32, u32)>,
    choices: Vec<u32>,
    stopped: Vec<u32>,
}

impl Translator {
    pub fn new(decoder: Box<dyn DecodeStream>, encoder: Box<dyn EncodeStream>) -> Self {
        Self { witness: Witness::new(decoder), encoder, open: Open::default(), progress: None }
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
        let (encoder, open, progress) = (&mut self.encoder, &mut self.open, &mut self.progress);
        self.witness.on_frame(name, data, &mut |event| {
            generated_text(&event, text);
            open.note(&event);
            if let Some(progress) = progress {
                progress.note(&event);
            }
            encoder.write(&event, out);
        })
    }

    /// The provider's bytes ended.
    pub fn on_end(&mut self, out: &mut Vec<u8>, text: &mut dyn FnMut(&str)) {
        let (encoder, progress) = (&mut self.encoder, &mut self.progress);
        self.witness.on_end(&mut |event| {
            generated_text(&event, text);
            if let Some(progress) = progress {
                progress.note(&event);
            }
            encoder.write(&event, out);
        });
    }

    /// Ends the client's stream here, as if the model had reached its most tokens; appends what the
    /// client is sent for it.
    pub fn cut(&mut self, usage: Usage, out: &mut Vec<u8>) {
        let Open { has_started, blocks, mut choices, stopped } = std::mem::take(&mut self.open);
        let mut write = |event: Event<'_>| self.encoder.write(&event, out);
        if !has_started {
            write(Event::Start { id: "".into(), model: "".into(), created: None });
        }
        for (choice, block) in blocks {
            write(Event::BlockStop { choice, block });
        }
        if choices.is_empty() {
            choices.push(0);
        }
        for choice in choices.into_iter().filter(|choice| !stopped.contains(choice)) {
            write(Event::Stop { choice, stop: Stop::new(StopReason::Length) });
        }
        write(Event::Usage(usage));
        write(Event::End);
    }

    /// Goes on with what another target says; `earlier`: what was used before it.
    pub fn go_on(self, witness: Witness, earlier: Usage) -> Self {
        Self { witness, encoder: Box::new(Adding::new(self.encoder, earlier)), ..self }
    }

    /// Takes events that were read already; appends what the client is sent for them.
    pub fn catch_up(&mut self, events: &[Event<'_>], out: &mut Vec<u8>) {
        for event in events {
            self.open.note(event);
            if let Some(progress) = &mut self.progress {
                progress.note(event);
            }
            self.encoder.write(event, out);
        }
    }

    pub fn encoder(&self) -> &dyn EncodeStream {
        &*self.encoder
    }
}

impl Open {
    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { .. } => self.has_started = true,
            Event::BlockStart { choice, block, .. } => {
                self.blocks.push((*choice, *block));
                if !self.choices.contains(choice) {
                    self.choices.push(*choice);
                }
            }
            Event::BlockStop { choice, block } => self.blocks.retain(|open| open != &(*choice, *block)),
            Event::Stop { choice, .. } => self.stopped.push(*choice),
            Event::Delta { .. } | Event::Logprobs { .. } | Event::Usage(_) | Event::End => {}
        }
    }
}

/// Hands the text the model made in `event` on.
pub fn generated_text(event: &Event<'_>, text: &mut dyn FnMut(&str)) {
    if let Event::Delta { delta: Delta::Text(piece) | Delta::Arguments(piece), .. } = event {
        text(piece);
    }
}
