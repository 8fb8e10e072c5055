//! What a call is expected to cost at a target, before it is made.

/// Prices from one prompt length on, in 1e-12 dollars a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceTag {
    /// They hold for prompts of more tokens than this.
    pub above: u32,
    pub input: u64,
    /// Of tokens the provider has in its cache.
    pub cache_read: u64,
    pub output: u64,
}

/// The expected cost of a call with a prompt of `prompt` tokens and an answer of `output`, of whose
/// prompt the provider will have the share `cached`, 0 to 1. None without a price for that length.
pub fn effective(tags: &[PriceTag], prompt: u64, output: f32, cached: f32) -> Option<f32> {
    let holds = tags.iter().filter(|tag| prompt > u64::from(tag.above) || tag.above == 0);
    let tag = holds.max_by_key(|tag| tag.above)?;
    let cached = cached.clamp(0.0, 1.0);
    // A provider that states no price for what it has cached charges it in full.
    let read = if tag.cache_read == 0 { tag.input } else { tag.cache_read };
    let token = tag.input as f32 * (1.0 - cached) + read as f32 * cached;
    Some(prompt as f32 * token + output.max(0.0) * tag.output as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: PriceTag = PriceTag { above: 0, input: 1000, cache_read: 100, output: 4000 };

    #[test]
    fn what_is_cached_and_what_is_answered_decide_between_two_prices() {
        let dear_but_caching = [TAG];
        let cheap = [PriceTag { input: 600, cache_read: 0, ..TAG }];
        let cost = |tags: &[PriceTag], cached| effective(tags, 10_000, 100.0, cached).unwrap();
        assert!(cost(&cheap, 0.0) < cost(&dear_but_caching, 0.0));
        assert!(cost(&dear_but_caching, 0.9) < cost(&cheap, 0.9));
        assert_eq!(cost(&dear_but_caching, 0.0), 10_400_000.0);
        assert!((cost(&dear_but_caching, 0.9) - 2_300_000.0).abs() < 10.0);
    }

    #[test]
    fn a_long_prompt_has_the_price_of_long_prompts() {
        let tags = [TAG, PriceTag { above: 200_000, input: 2000, ..TAG }];
        assert_eq!(effective(&tags, 200_000, 0.0, 0.0), Some(200_000_000.0));
        assert_eq!(effective(&tags, 200_001, 0.0, 0.0), Some(400_002_000.0));
        assert_eq!(effective(&[], 1, 1.0, 0.0), None);
    }
}
