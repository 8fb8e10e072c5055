//! Token counts, read and written.
//!
//! Bedrock's `inputTokens` leaves cache reads and writes out; `totalTokens` holds them.

use crate::framing::json::{JsonWriter, Node};
use crate::types::Usage;

/// None where there is no count at all.
pub(super) fn read(node: &Node<'_>) -> Option<Usage> {
    let count = |key: &str| node.get(key).and_then(Node::as_u64);
    if count("inputTokens").is_none() && count("outputTokens").is_none() {
        return None;
    }
    let of = |key: &str, older: &str| count(key).or_else(|| count(older)).unwrap_or(0);
    let cache_read = of("cacheReadInputTokens", "cacheReadInputTokenCount");
    let written = of("cacheWriteInputTokens", "cacheWriteInputTokenCount");
    let details = node.get("cacheDetails").map(Node::items).unwrap_or_default();
    let hours = details.iter().filter(|detail| detail.get("ttl").is_some_and(|ttl| ttl.is("1h")));
    let cache_write_1h = hours
        .filter_map(|detail| detail.get("inputTokens")?.as_u64())
        .fold(0, u64::saturating_add)
        .min(written);
    Some(Usage {
        input: count("inputTokens").unwrap_or(0).saturating_add(cache_read).saturating_add(written),
        cache_read,
        cache_write_5m: written - cache_write_1h,
        cache_write_1h,
        output: count("outputTokens").unwrap_or(0),
        ..Usage::default()
    })
}

/// The value of a key `usage`.
pub(super) fn write(usage: &Usage, w: &mut JsonWriter<'_>) {
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    let cached = usage.cache_read.saturating_add(written);
    w.object(|w| {
        w.field_u64("inputTokens", usage.input.saturating_sub(cached));
        w.field_u64("outputTokens", usage.output);
        w.field_u64("totalTokens", usage.total());
        w.field_u64("cacheReadInputTokens", usage.cache_read);
        w.field_u64("cacheWriteInputTokens", written);
        if written > 0 {
            w.field_array("cacheDetails", |w| {
                for (ttl, tokens) in [("1h", usage.cache_write_1h), ("5m", usage.cache_write_5m)] {
                    if tokens > 0 {
                        w.object(|w| {
                            w.field_str("ttl", ttl);
                            w.field_u64("inputTokens", tokens);
                        });
                    }
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn usage(json: &str) -> Option<Usage> {
        read(&parse(json, Duplicates::LastCounts).unwrap())
    }

    #[test]
    fn cache_tokens_are_added_to_the_input_and_split_by_lifetime() {
        let json = r#"{"inputTokens":2,"outputTokens":5,"totalTokens":1329,"cacheReadInputTokens":100,
            "cacheWriteInputTokens":1222,"cacheDetails":[{"ttl":"1h","inputTokens":1000},{"ttl":"5m","inputTokens":222}]}"#;
        let read = usage(json).unwrap();
        assert_eq!((read.input, read.output, read.total()), (1324, 5, 1329));
        assert_eq!((read.cache_read, read.cache_write_5m, read.cache_write_1h), (100, 222, 1000));
        let mut out = Vec::new();
        write(&read, &mut JsonWriter::new(&mut out));
        assert_eq!(usage(std::str::from_utf8(&out).unwrap()), Some(read));
    }

    #[test]
    fn no_counts_are_none_and_not_zero() {
        assert_eq!(usage("{}"), None);
        assert_eq!(usage(r#"{"inputTokens":"x"}"#), None);
        assert_eq!(usage("[]"), None);
    }
}
