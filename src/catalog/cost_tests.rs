//! Costs worked out by hand, for usage objects as five protocols write them. The readers here walk the
//! raw JSON on their own, by each vendor's own words for what contains what.

use super::price::checked;
use super::{Class, Cost, Rates, Service, Unpriced, cost};
use crate::types::{Money, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

fn rates(service: Service, above: u32, prices: &[(Class, &str)]) -> Rates {
    let mut rates = Rates::new(service, above);
    for (class, price) in prices {
        rates.set(*class, price).unwrap();
    }
    rates
}

/// Dollars per million tokens.
fn list() -> Vec<Rates> {
    use Class::*;
    let standard = [
        (Input, "3"),
        (Output, "15"),
        (CacheRead, "0.3"),
        (CacheWrite, "3.75"),
        (CacheWrite1h, "6"),
        (Reasoning, "20"),
        (AudioInput, "32"),
        (AudioOutput, "64"),
        (ImageInput, "5"),
        (ImageOutput, "40"),
    ];
    let long = [(Input, "6"), (Output, "22.5"), (CacheRead, "0.6"), (CacheWrite, "7.5")];
    let batch = [(Input, "1.5"), (Output, "7.5")];
    checked(vec![
        rates(Service::Standard, 0, &standard),
        rates(Service::Standard, 200_000, &long),
        rates(Service::Batch, 0, &batch),
    ])
    .unwrap()
}

fn at(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// Chat: totals, with details that are parts of them.
fn chat(u: &Value) -> Usage {
    Usage {
        input: at(u, "/prompt_tokens"),
        cache_read: at(u, "/prompt_tokens_details/cached_tokens"),
        cache_write_5m: at(u, "/prompt_tokens_details/cache_write_tokens"),
        audio_input: at(u, "/prompt_tokens_details/audio_tokens"),
        image_input: at(u, "/prompt_tokens_details/image_tokens"),
        output: at(u, "/completion_tokens"),
        reasoning: at(u, "/completion_tokens_details/reasoning_tokens"),
        audio_output: at(u, "/completion_tokens_details/audio_tokens"),
        ..Usage::default()
    }
}

/// Responses: as chat, by other names.
fn responses(u: &Value) -> Usage {
    Usage {
        input: at(u, "/input_tokens"),
        cache_read: at(u, "/input_tokens_details/cached_tokens"),
        cache_write_5m: at(u, "/input_tokens_details/cache_write_tokens"),
        output: at(u, "/output_tokens"),
        reasoning: at(u, "/output_tokens_details/reasoning_tokens"),
        ..Usage::default()
    }
}

/// Messages: `input_tokens` leaves cached and written tokens out; a split that is null is five minutes.
fn messages(u: &Value) -> Usage {
    let (read, written) = (at(u, "/cache_read_input_tokens"), at(u, "/cache_creation_input_tokens"));
    let hour = at(u, "/cache_creation/ephemeral_1h_input_tokens");
    Usage {
        input: at(u, "/input_tokens") + read + written,
        cache_read: read,
        cache_write_5m: written - hour,
        cache_write_1h: hour,
        output: at(u, "/output_tokens"),
        reasoning: at(u, "/output_tokens_details/thinking_tokens"),
        ..Usage::default()
    }
}

/// Gemini: the prompt holds cached tokens; candidates leave thoughts out.
fn gemini(u: &Value) -> Usage {
    let part = |list: &str, modality: &str| {
        let parts = u.get(list).and_then(Value::as_array).into_iter().flatten();
        parts.filter(|part| part["modality"] == modality).map(|part| at(part, "/tokenCount")).sum()
    };
    Usage {
        input: at(u, "/promptTokenCount"),
        cache_read: at(u, "/cachedContentTokenCount"),
        audio_input: part("promptTokensDetails", "AUDIO"),
        image_input: part("promptTokensDetails", "IMAGE"),
        output: at(u, "/candidatesTokenCount") + at(u, "/thoughtsTokenCount"),
        reasoning: at(u, "/thoughtsTokenCount"),
        audio_output: part("candidatesTokensDetails", "AUDIO"),
        image_output: part("candidatesTokensDetails", "IMAGE"),
        ..Usage::default()
    }
}

/// Converse: `inputTokens` leaves cached and written tokens out.
fn converse(u: &Value) -> Usage {
    let (read, written) = (at(u, "/cacheReadInputTokens"), at(u, "/cacheWriteInputTokens"));
    let details = u.get("cacheDetails").and_then(Value::as_array).into_iter().flatten();
    let hour: u64 = details.filter(|part| part["ttl"] == "1h").map(|part| at(part, "/inputTokens")).sum();
    Usage {
        input: at(u, "/inputTokens") + read + written,
        cache_read: read,
        cache_write_5m: written - hour,
        cache_write_1h: hour,
        output: at(u, "/outputTokens"),
        ..Usage::default()
    }
}

fn check(case: &str, dollars: &str, usages: &[Usage]) {
    for usage in usages {
        assert_eq!(
            cost(&list(), usage, Service::Standard),
            Ok(Money::parse(dollars).unwrap()),
            "{case}: {usage:?}"
        );
    }
}

#[test]
fn plain_calls_cost_the_same_in_every_dialect() {
    // 1000 × 3 + 100 × 15 = 3000 + 1500 = 4500 per million = 0.0045
    check(
        "plain",
        "0.0045",
        &[
            chat(&json!({"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100})),
            responses(&json!({"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100})),
            messages(&json!({"input_tokens": 1000, "output_tokens": 100})),
            gemini(&json!({"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100})),
            converse(&json!({"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100})),
        ],
    );
}

#[test]
fn cached_tokens_are_billed_once_and_at_their_own_price() {
    // 1000 of the prompt, 600 of them read from the cache:
    // 400 × 3 + 600 × 0.3 + 100 × 15 = 1200 + 180 + 1500 = 2880 per million = 0.00288
    check(
        "cache read",
        "0.00288",
        &[
            chat(
                &json!({"prompt_tokens": 1000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 600}}),
            ),
            responses(
                &json!({"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 600}}),
            ),
            messages(&json!({"input_tokens": 400, "cache_read_input_tokens": 600, "output_tokens": 100})),
            gemini(
                &json!({"promptTokenCount": 1000, "cachedContentTokenCount": 600, "candidatesTokenCount": 100}),
            ),
            converse(&json!({"inputTokens": 400, "cacheReadInputTokens": 600, "outputTokens": 100})),
        ],
    );
}

#[test]
fn cache_writes_of_five_minutes_and_without_a_split_are_billed_as_writes() {
    // 1000 of the prompt, 600 read, 200 written:
    // 200 × 3 + 600 × 0.3 + 200 × 3.75 + 100 × 15 = 600 + 180 + 750 + 1500 = 3030 per million = 0.00303
    let split = json!({"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 0});
    let with = |split: Value| {
        messages(
            &json!({"input_tokens": 200, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 200,
            "cache_creation": split, "output_tokens": 100}),
        )
    };
    check(
        "write 5m",
        "0.00303",
        &[
            chat(&json!({"prompt_tokens": 1000, "completion_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 200}})),
            responses(&json!({"input_tokens": 1000, "output_tokens": 100,
                "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 200}})),
            with(split),
            with(Value::Null),
            converse(
                &json!({"inputTokens": 200, "cacheReadInputTokens": 600, "cacheWriteInputTokens": 200, "outputTokens": 100}),
            ),
        ],
    );
}

#[test]
fn cache_writes_of_an_hour_have_a_price_of_their_own() {
    // 200 written, 150 of them for an hour:
    // 200 × 3 + 600 × 0.3 + 50 × 3.75 + 150 × 6 + 100 × 15 = 600 + 180 + 187.5 + 900 + 1500
    // = 3367.5 per million = 0.0033675
    check(
        "write 1h",
        "0.0033675",
        &[
            messages(
                &json!({"input_tokens": 200, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 200,
                "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150}, "output_tokens": 100}),
            ),
            converse(
                &json!({"inputTokens": 200, "cacheReadInputTokens": 600, "cacheWriteInputTokens": 200, "outputTokens": 100,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 50}, {"ttl": "1h", "inputTokens": 150}]}),
            ),
        ],
    );
}

#[test]
fn audio_tokens_are_billed_as_audio() {
    // 300 of 1000 and 40 of 100 are audio:
    // 700 × 3 + 300 × 32 + 60 × 15 + 40 × 64 = 2100 + 9600 + 900 + 2560 = 15160 per million = 0.01516
    check(
        "audio",
        "0.01516",
        &[
            chat(&json!({"prompt_tokens": 1000, "prompt_tokens_details": {"audio_tokens": 300},
                "completion_tokens": 100, "completion_tokens_details": {"audio_tokens": 40}})),
            gemini(&json!({"promptTokenCount": 1000, "candidatesTokenCount": 100,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700}, {"modality": "AUDIO", "tokenCount": 300}],
                "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 40}]})),
        ],
    );
}

#[test]
fn image_tokens_are_billed_as_images() {
    // 500 of 1000 are images: 500 × 3 + 500 × 5 + 100 × 15 = 1500 + 2500 + 1500 = 5500 per million = 0.0055
    let usage = json!({"prompt_tokens": 1000, "prompt_tokens_details": {"image_tokens": 500}, "completion_tokens": 100});
    check("image in", "0.0055", &[chat(&usage)]);
    // and 50 of the 100 generated: 1500 + 2500 + 50 × 15 + 50 × 40 = 4000 + 750 + 2000 = 6750 = 0.00675
    let usage = json!({"promptTokenCount": 1000, "candidatesTokenCount": 100,
        "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 500}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 50}]});
    check("image out", "0.00675", &[gemini(&usage)]);
}

#[test]
fn reasoning_is_billed_once_whether_the_output_holds_it_or_not() {
    // 80 of 100 generated are reasoning: 1000 × 3 + 20 × 15 + 80 × 20 = 3000 + 300 + 1600 = 4900 = 0.0049
    check(
        "reasoning",
        "0.0049",
        &[
            chat(
                &json!({"prompt_tokens": 1000, "completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 80}}),
            ),
            responses(
                &json!({"input_tokens": 1000, "output_tokens": 100, "output_tokens_details": {"reasoning_tokens": 80}}),
            ),
            messages(
                &json!({"input_tokens": 1000, "output_tokens": 100, "output_tokens_details": {"thinking_tokens": 80}}),
            ),
            gemini(&json!({"promptTokenCount": 1000, "candidatesTokenCount": 20, "thoughtsTokenCount": 80})),
        ],
    );
}

#[test]
fn beyond_the_threshold_every_token_has_the_higher_price() {
    // 200,001 of the prompt, 100,001 of them cached, and none more than the threshold without them:
    // 100000 × 6 + 100001 × 0.6 + 100 × 22.5 = 600000 + 60000.6 + 2250 = 662250.6 = 0.6622506
    check(
        "tiered",
        "0.6622506",
        &[
            chat(
                &json!({"prompt_tokens": 200_001, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 100_001}}),
            ),
            responses(
                &json!({"input_tokens": 200_001, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 100_001}}),
            ),
            messages(
                &json!({"input_tokens": 100_000, "cache_read_input_tokens": 100_001, "output_tokens": 100}),
            ),
            gemini(
                &json!({"promptTokenCount": 200_001, "cachedContentTokenCount": 100_001, "candidatesTokenCount": 100}),
            ),
            converse(&json!({"inputTokens": 100_000, "cacheReadInputTokens": 100_001, "outputTokens": 100})),
        ],
    );
    // One token less: 99999 × 3 + 100001 × 0.3 + 100 × 15 = 299997 + 30000.3 + 1500 = 331497.3 = 0.3314973
    let usage = json!({"input_tokens": 99_999, "cache_read_input_tokens": 100_001, "output_tokens": 100});
    check("at the threshold", "0.3314973", &[messages(&usage)]);
    // Classes the long list leaves out: 200001 × 6 (10 of them audio) + 100 × 22.5 (all reasoning)
    // = 1200006 + 2250 = 1202256 = 1.202256
    let usage = Usage { input: 200_001, audio_input: 10, output: 100, reasoning: 100, ..Usage::default() };
    check("long, other classes", "1.202256", &[usage]);
}

#[test]
fn the_service_that_was_given_decides() {
    let usage = messages(&json!({"input_tokens": 400, "cache_read_input_tokens": 600, "output_tokens": 100}));
    let dollars = |text| Ok(Money::parse(text).unwrap());
    // Batch states no price of cached tokens: 1000 × 1.5 + 100 × 7.5 = 1500 + 750 = 2250 = 0.00225
    assert_eq!(cost(&list(), &usage, Service::Batch), dollars("0.00225"));
    // No flex price is stated, so no discount is given.
    assert_eq!(cost(&list(), &usage, Service::Flex), dollars("0.00288"));
    // A premium nobody states is not the standard price.
    assert_eq!(cost(&list(), &usage, Service::Priority), Err(Unpriced::NoServicePrice));
}

#[test]
fn what_has_no_price_has_no_cost() {
    let usage = Usage { input: 10, output: 1, ..Usage::default() };
    assert_eq!(cost(&[], &usage, Service::Standard), Err(Unpriced::NoPrice));
    let embedding = [rates(Service::Standard, 0, &[(Class::Input, "0.02")])];
    assert_eq!(cost(&embedding, &usage, Service::Standard), Err(Unpriced::NoOutputPrice));
    // 1000000 × 0.02 = 0.02
    let usage = Usage { input: 1_000_000, ..Usage::default() };
    assert_eq!(cost(&embedding, &usage, Service::Standard), Ok(Money::parse("0.02").unwrap()));
    let absurd = Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() };
    assert_eq!(cost(&list(), &absurd, Service::Standard), Err(Unpriced::TooLarge));
    assert_eq!(Cost::Unpriced(Unpriced::NoPrice).money(), None);
}

#[test]
fn parts_larger_than_their_total_are_not_billed_twice() {
    // Cached audio: 100 of the prompt, 80 audio, 60 cached: 60 × 0.3 + 40 × 32 = 18 + 1280 = 1298
    let usage = Usage { input: 100, cache_read: 60, audio_input: 80, ..Usage::default() };
    check("cached audio", "0.001298", &[usage]);
    // A total that leaves the cache out by mistake: 60 × 0.3 = 18
    check("total too small", "0.000018", &[Usage { input: 10, cache_read: 60, ..Usage::default() }]);
}

#[test]
fn searches_are_billed_in_place_of_tokens() {
    // Two dollars a thousand: 3 × 0.002.
    let rerank = [rates(Service::Standard, 0, &[(Class::Search, "2000")])];
    let usage = Usage { input: 500, searches: 3, ..Usage::default() };
    assert_eq!(cost(&rerank, &usage, Service::Standard), Ok(Money::parse("0.006").unwrap()));
    let tokens = Usage { input: 500, ..Usage::default() };
    assert_eq!(cost(&rerank, &tokens, Service::Standard), Err(Unpriced::NoPrice));
    assert_eq!(cost(&list(), &usage, Service::Standard), Err(Unpriced::NoSearchPrice));
}

proptest! {
    #[test]
    fn every_token_is_billed_exactly_once(
        counts in proptest::array::uniform10(0_u64..1_000_000),
    ) {
        let [input, cache_read, cache_write_5m, cache_write_1h, audio_input, image_input, output, reasoning, audio_output, image_output] = counts;
        let usage = Usage { input, cache_read, cache_write_5m, cache_write_1h, audio_input, image_input, searches: 0, output, reasoning, audio_output, image_output, is_estimated: false };
        let flat = [rates(Service::Standard, 0, &Class::ALL.map(|class| (class, "1")))];
        let tokens = input.max(cache_read + cache_write_5m + cache_write_1h) + output;
        prop_assert_eq!(cost(&flat, &usage, Service::Standard), Ok(Money::from_pico(tokens * 1_000_000)));
    }
}
