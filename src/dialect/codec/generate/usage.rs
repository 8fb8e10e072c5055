//! `usageMetadata`, read by the same arithmetic as the listening tap, and written.

use super::names::write_extra;
use crate::chat::Extra;
use crate::dialect::gemini::usage::Told;
use crate::dialect::generic::cursor::Cursor;
use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// What a stream or an answer has told so far.
#[derive(Default)]
pub(super) struct Count {
    told: Told,
}

impl Count {
    pub(super) fn add(&mut self, metadata: &Node<'_>) {
        // A value of another shape tells nothing.
        let _ = self.told.read(&mut Cursor::new(metadata.raw().as_bytes()));
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.told.usage()
    }
}

/// Writes the member `usageMetadata`. `tier` is the one that served, `extra` what else Gemini told
/// there.
pub(super) fn write(w: &mut JsonWriter<'_>, usage: &Usage, tier: Option<&str>, extra: &Extra<'_>) {
    w.field_object("usageMetadata", |w| {
        w.field_u64("promptTokenCount", usage.input);
        if usage.cache_read > 0 {
            w.field_u64("cachedContentTokenCount", usage.cache_read);
        }
        w.field_u64("candidatesTokenCount", usage.output.saturating_sub(usage.reasoning));
        if usage.reasoning > 0 {
            w.field_u64("thoughtsTokenCount", usage.reasoning);
        }
        w.field_u64("totalTokenCount", usage.total());
        details(w, "promptTokensDetails", usage.input, usage.audio_input, usage.image_input);
        let said = usage.output.saturating_sub(usage.reasoning);
        details(w, "candidatesTokensDetails", said, usage.audio_output, usage.image_output);
        w.field_opt_str("serviceTier", tier);
        write_extra(w, extra, "usageMetadata");
    });
}

/// Text is what is left of the total.
fn details(w: &mut JsonWriter<'_>, name: &str, total: u64, audio: u64, image: u64) {
    if audio == 0 && image == 0 {
        return;
    }
    let text = total.saturating_sub(audio).saturating_sub(image);
    w.field_array(name, |w| {
        for (modality, count) in [("TEXT", text), ("AUDIO", audio), ("IMAGE", image)] {
            if count > 0 {
                w.object(|w| {
                    w.field_str("modality", modality);
                    w.field_u64("tokenCount", count);
                });
            }
        }
    });
}
