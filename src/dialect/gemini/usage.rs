//! Gemini's `usageMetadata`: thoughts lie outside of the candidates' count, tool results outside of
//! the prompt's, cached tokens inside of the prompt's.
//!
//! Rule: of each field the last number above zero is kept. Reports are cumulative, and the last
//! one may *lower* the prompt (seen in recordings: 169, then 79) or leave fields out.

use crate::dialect::generic::cursor::{Cursor, Read};
use crate::dialect::generic::text::Text;
use crate::dialect::generic::tokens::tokens;
use crate::dialect::generic::usage::fit_parts;
use crate::types::Usage;

/// The last number told, by field.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    prompt: u64,
    tool_use: u64,
    cached: u64,
    candidates: u64,
    thoughts: u64,
    total: u64,
    prompt_media: Media,
    tool_use_media: Media,
    output_media: Media,
}

/// Tokens by modality; text is what is left.
#[derive(Clone, Copy, Default)]
struct Media {
    audio: u64,
    image: u64,
}

impl Told {
    /// Consumes one `usageMetadata` value.
    pub(crate) fn read(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"promptTokenCount" => replace(&mut self.prompt, c)?,
                b"toolUsePromptTokenCount" => replace(&mut self.tool_use, c)?,
                b"cachedContentTokenCount" => replace(&mut self.cached, c)?,
                b"candidatesTokenCount" | b"responseTokenCount" => replace(&mut self.candidates, c)?,
                b"thoughtsTokenCount" => replace(&mut self.thoughts, c)?,
                b"totalTokenCount" => replace(&mut self.total, c)?,
                b"promptTokensDetails" => self.prompt_media.read(c)?,
                b"toolUsePromptTokensDetails" => self.tool_use_media.read(c)?,
                b"candidatesTokensDetails" | b"responseTokensDetails" => self.output_media.read(c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    /// Consumes the count of one text among several.
    pub(crate) fn add_prompt(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        self.prompt = self.prompt.saturating_add(tokens(c)?.unwrap_or(0));
        Ok(())
    }

    /// Totals and parts; `None` while no number above zero was told. A total alone (embeddings) is
    /// the input.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let mut usage = Usage {
            input: self.prompt + self.tool_use,
            cache_read: self.cached,
            audio_input: self.prompt_media.audio + self.tool_use_media.audio,
            image_input: self.prompt_media.image + self.tool_use_media.image,
            output: self.candidates + self.thoughts,
            reasoning: self.thoughts,
            audio_output: self.output_media.audio,
            image_output: self.output_media.image,
            ..Usage::default()
        };
        if usage.total() == 0 {
            usage.input = self.total;
        }
        fit_parts(&mut usage);
        (usage.total() > 0).then_some(usage)
    }
}

impl Media {
    /// Consumes a list of `{modality, tokenCount}`; the modality is a name, or in some Vertex
    /// answers the number of its enum.
    fn read(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'[')? {
            return Ok(());
        }
        let mut media = Media::default();
        while c.element()? {
            let mut modality: &[u8] = b"";
            let mut count = 0;
            if !c.enter(b'{')? {
                continue;
            }
            while let Some(key) = c.key()? {
                match key {
                    b"modality" if c.peek() == Some(b'"') => {
                        modality = c.string()?.map(Text::raw).unwrap_or_default();
                    }
                    b"modality" => modality = c.raw()?,
                    b"tokenCount" => count = tokens(c)?.unwrap_or(0),
                    _ => c.skip()?,
                }
            }
            match modality {
                b"AUDIO" | b"4" => media.audio = media.audio.saturating_add(count),
                b"IMAGE" | b"2" => media.image = media.image.saturating_add(count),
                _ => {}
            }
        }
        *self = media;
        Ok(())
    }
}

fn replace(count: &mut u64, c: &mut Cursor<'_>) -> Read<()> {
    if let Some(told) = tokens(c)?.filter(|n| *n > 0) {
        *count = told;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(objects: &[&str]) -> Option<Usage> {
        let mut told = Told::default();
        for object in objects {
            told.read(&mut Cursor::new(object.as_bytes())).unwrap();
        }
        told.usage()
    }

    #[test]
    fn thoughts_and_tool_results_belong_to_the_totals() {
        let usage = told(&[r#"{"promptTokenCount":100,"toolUsePromptTokenCount":50,"cachedContentTokenCount":80,
            "candidatesTokenCount":10,"thoughtsTokenCount":30,"totalTokenCount":190,
            "promptTokensDetails":[{"modality":"TEXT","tokenCount":40},{"modality":"AUDIO","tokenCount":25},{"modality":2,"tokenCount":35}],
            "candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":9}]}"#])
        .unwrap();
        let expected = Usage {
            input: 150,
            cache_read: 80,
            audio_input: 25,
            image_input: 35,
            output: 40,
            reasoning: 30,
            image_output: 9,
            ..Usage::default()
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn the_last_report_wins_field_by_field() {
        let usage = told(&[
            r#"{"promptTokenCount":169,"totalTokenCount":169}"#,
            r#"{"trafficType":"ON_DEMAND"}"#,
            r#"{"promptTokenCount":79,"candidatesTokenCount":5}"#,
            r#"{"candidatesTokenCount":9,"promptTokenCount":0}"#,
        ]);
        assert_eq!(usage, Some(Usage { input: 79, output: 9, ..Usage::default() }));
    }

    #[test]
    fn no_numbers_are_no_report() {
        assert_eq!(
            told(&[
                r#"{"trafficType":"ON_DEMAND"}"#,
                r#"{"promptTokenCount":-4,"promptTokensDetails":[3,{}]}"#
            ]),
            None
        );
    }
}
