//! Usage objects of OpenAI's shape, as OpenAI and all who copy it write them: chat and Responses
//! names, details objects, and the vendors' own fields beside them.
//!
//! Rules. Every number is optional and may be wrong ([`tokens`](super::tokens)). Parts never
//! exceed their total. An object with no count above zero is no report. Where `total_tokens` is
//! more than prompt and completion, the rest was generated out of sight: xAI leaves reasoning out
//! of `completion_tokens`, Gemini's OpenAI endpoint leaves thoughts out of everything but the
//! total.

use crate::types::Usage;

use super::cursor::{Cursor, Read};
use super::tokens::{raise, raise_given};

/// The numbers as they stand in the object.
#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cache_miss: u64,
    /// The parts only; `input` and `output` stay zero until resolved.
    parts: Usage,
}

/// Consumes one value and reads it as OpenAI-shaped usage.
pub(crate) fn read(c: &mut Cursor<'_>) -> Read<Option<Usage>> {
    let mut counts = Counts::default();
    if !c.enter(b'{')? {
        return Ok(None);
    }
    while let Some(key) = c.key()? {
        counts.member(key, c)?;
    }
    Ok(counts.resolve())
}

impl Counts {
    fn member(&mut self, key: &[u8], c: &mut Cursor<'_>) -> Read<()> {
        match key {
            b"prompt_tokens" | b"input_tokens" => raise_given(&mut self.prompt, c),
            b"completion_tokens" | b"output_tokens" => raise_given(&mut self.completion, c),
            b"total_tokens" => raise_given(&mut self.total, c),
            b"prompt_tokens_details"
            | b"prompt_token_details"
            | b"input_tokens_details"
            | b"input_token_details" => self.input_details(c),
            b"completion_tokens_details" | b"output_tokens_details" | b"output_token_details" => {
                self.output_details(c)
            }
            b"cached_tokens"
            | b"num_cached_tokens"
            | b"prompt_cache_hit_tokens"
            | b"cache_read_input_tokens" => raise(&mut self.parts.cache_read, c),
            b"prompt_cache_miss_tokens" => raise(&mut self.cache_miss, c),
            b"cache_write_tokens" | b"cache_creation_input_tokens" => {
                raise(&mut self.parts.cache_write_5m, c)
            }
            b"audio_prompt_tokens" => raise(&mut self.parts.audio_input, c),
            b"reasoning_tokens" => raise(&mut self.parts.reasoning, c),
            _ => c.skip(),
        }
    }

    fn input_details(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"cached_tokens" => raise(&mut self.parts.cache_read, c)?,
                b"cache_write_tokens" => raise(&mut self.parts.cache_write_5m, c)?,
                b"audio_tokens" => raise(&mut self.parts.audio_input, c)?,
                b"image_tokens" => raise(&mut self.parts.image_input, c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn output_details(&mut self, c: &mut Cursor<'_>) -> Read<()> {
        if !c.enter(b'{')? {
            return Ok(());
        }
        while let Some(key) = c.key()? {
            match key {
                b"reasoning_tokens" => raise(&mut self.parts.reasoning, c)?,
                b"audio_tokens" => raise(&mut self.parts.audio_output, c)?,
                b"image_tokens" => raise(&mut self.parts.image_output, c)?,
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    fn resolve(self) -> Option<Usage> {
        let mut usage = self.parts;
        let completion = self.completion.unwrap_or(0);
        let cached_and_missed = match self.cache_miss {
            0 => None,
            missed => Some(missed + usage.cache_read),
        };
        usage.output = completion;
        usage.input = self
            .prompt
            .or(cached_and_missed)
            .unwrap_or_else(|| self.total.unwrap_or(0).saturating_sub(completion));
        let unseen = self.total.unwrap_or(0).saturating_sub(usage.input + completion);
        match self.total {
            Some(_) => usage.output += unseen,
            // More reasoning than completion can only lie beside it.
            None if usage.reasoning > completion => usage.output += usage.reasoning,
            None => {}
        }
        usage.reasoning = usage.reasoning.max(unseen);
        fit_parts(&mut usage);
        (usage.total() > 0).then_some(usage)
    }
}

/// Cuts parts down to their totals, so that no subtraction of a part can go below zero.
pub(crate) fn fit_parts(usage: &mut Usage) {
    let mut left = usage.input;
    for part in [&mut usage.cache_read, &mut usage.cache_write_1h, &mut usage.cache_write_5m] {
        *part = (*part).min(left);
        left -= *part;
    }
    usage.audio_input = usage.audio_input.min(usage.input);
    usage.image_input = usage.image_input.min(usage.input);
    usage.reasoning = usage.reasoning.min(usage.output);
    usage.audio_output = usage.audio_output.min(usage.output);
    usage.image_output = usage.image_output.min(usage.output);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(json: &str) -> Option<Usage> {
        read(&mut Cursor::new(json.as_bytes())).unwrap()
    }

    #[test]
    fn details_are_parts_of_the_totals() {
        let json = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
            "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,"audio_tokens":5,"image_tokens":6},
            "completion_tokens_details":{"reasoning_tokens":8,"audio_tokens":3}}"#;
        let expected = Usage {
            input: 100,
            cache_read: 60,
            cache_write_5m: 30,
            audio_input: 5,
            image_input: 6,
            output: 20,
            reasoning: 8,
            audio_output: 3,
            ..Usage::default()
        };
        assert_eq!(usage(json), Some(expected));
    }

    #[test]
    fn reasoning_left_out_of_the_completion_is_added_when_the_total_says_so() {
        let json = r#"{"prompt_tokens":12,"completion_tokens":1,"total_tokens":303,
            "completion_tokens_details":{"reasoning_tokens":290}}"#;
        assert_eq!(usage(json).unwrap().output, 291);
        let json = r#"{"prompt_tokens":66,"completion_tokens":6,"total_tokens":100}"#;
        let hidden = usage(json).unwrap();
        assert_eq!((hidden.output, hidden.reasoning), (34, 28));
    }

    #[test]
    fn a_total_that_adds_up_is_believed_over_the_reasoning() {
        let details = r#""completion_tokens_details":{"reasoning_tokens":11}"#;
        let sum =
            usage(&format!(r#"{{"prompt_tokens":43,"completion_tokens":10,"total_tokens":53,{details}}}"#));
        assert_eq!(sum.map(|u| (u.output, u.reasoning)), Some((10, 10)));
        let no_sum = usage(&format!(r#"{{"prompt_tokens":43,"completion_tokens":10,{details}}}"#));
        assert_eq!(no_sum.map(|u| (u.output, u.reasoning)), Some((21, 11)));
    }

    #[test]
    fn deepseek_hit_and_miss_make_up_the_prompt() {
        let json = r#"{"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":10,"completion_tokens":5,"total_tokens":79}"#;
        let usage = usage(json).unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (74, 64, 5));
    }

    #[test]
    fn a_total_alone_is_the_input() {
        assert_eq!(usage(r#"{"total_tokens":18}"#), Some(Usage { input: 18, ..Usage::default() }));
    }

    #[test]
    fn parts_larger_than_their_total_are_cut() {
        let json = r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":99,"cache_write_tokens":5,"audio_tokens":44}}"#;
        let usage = usage(json).unwrap();
        assert_eq!((usage.cache_read, usage.cache_write_5m, usage.audio_input), (10, 0, 10));
    }

    #[test]
    fn nothing_and_zeros_are_no_report() {
        for json in ["{}", "null", "[]", "\"12\"", r#"{"prompt_tokens":0,"completion_tokens":0}"#] {
            assert_eq!(usage(json), None, "{json}");
        }
        assert_eq!(usage(r#"{"prompt_tokens":-5,"completion_tokens":1e400,"total_tokens":"x"}"#), None);
    }
}
