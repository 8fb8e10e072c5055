//! Tokens of one call, by class.

/// Token counts of one call.
///
/// One rule for every dialect: `input` and `output` are **totals**; every other field is a
/// **part** of one of them. Providers disagree (Anthropic's `input_tokens` leaves cached tokens
/// out, OpenAI's leaves them in; Gemini's `candidatesTokenCount` leaves thoughts out): each
/// dialect's reader brings its numbers into this form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens, cached ones and cache writes included.
    pub input: u64,
    /// Prompt tokens read from the provider's cache (part of `input`).
    pub cache_read: u64,
    /// Prompt tokens written to a five-minute cache, or to one with no stated lifetime (part of `input`).
    pub cache_write_5m: u64,
    /// Prompt tokens written to a one-hour cache (part of `input`).
    pub cache_write_1h: u64,
    /// Audio tokens of the prompt (part of `input`).
    pub audio_input: u64,
    /// Image tokens of the prompt (part of `input`).
    pub image_input: u64,
    /// All generated tokens, reasoning included.
    pub output: u64,
    /// Reasoning tokens (part of `output`).
    pub reasoning: u64,
    /// Audio tokens generated (part of `output`).
    pub audio_output: u64,
    /// Image tokens generated (part of `output`).
    pub image_output: u64,
    /// Searches that the provider bills in place of tokens (Cohere's `search_units`). No tokens.
    pub searches: u64,
    /// True where a number was counted here because the upstream gave none.
    pub is_estimated: bool,
}

impl Usage {
    /// `input + output`, saturating.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// What two calls used together.
    #[must_use]
    pub fn plus(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            image_input: self.image_input.saturating_add(other.image_input),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_output: self.audio_output.saturating_add(other.audio_output),
            image_output: self.image_output.saturating_add(other.image_output),
            searches: self.searches.saturating_add(other.searches),
            is_estimated: self.is_estimated || other.is_estimated,
        }
    }

    /// Takes the larger of each class. Streams report cumulative numbers in several places
    /// (Anthropic's `message_start` and `message_delta`, Gemini's every chunk): adding would
    /// count twice.
    pub fn merge_max(&mut self, other: &Usage) {
        self.input = self.input.max(other.input);
        self.cache_read = self.cache_read.max(other.cache_read);
        self.cache_write_5m = self.cache_write_5m.max(other.cache_write_5m);
        self.cache_write_1h = self.cache_write_1h.max(other.cache_write_1h);
        self.audio_input = self.audio_input.max(other.audio_input);
        self.image_input = self.image_input.max(other.image_input);
        self.output = self.output.max(other.output);
        self.reasoning = self.reasoning.max(other.reasoning);
        self.audio_output = self.audio_output.max(other.audio_output);
        self.image_output = self.image_output.max(other.image_output);
        self.searches = self.searches.max(other.searches);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cumulative_reports_are_merged_by_maximum_not_added() {
        let mut usage = Usage { input: 10, output: 1, ..Usage::default() };
        usage.merge_max(&Usage { input: 10, output: 7, cache_read: 4, ..Usage::default() });
        assert_eq!(usage, Usage { input: 10, output: 7, cache_read: 4, ..Usage::default() });
        assert_eq!(usage.total(), 17);
    }
}
