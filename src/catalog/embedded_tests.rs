//! What a release may not ship: the counts, prices and promises of the catalogue in the binary.

use super::{Auth, Catalog, Class, Quirk, Service};
use crate::types::{Money, Protocol, Usage};
use std::collections::BTreeSet;

#[test]
fn it_knows_a_hundred_providers_and_two_thousand_models() {
    let catalog = Catalog::builtin();
    let models = catalog.models().count();
    let priced = catalog.models().filter(|model| !model.prices().is_empty()).count();
    println!(
        "{} providers, {models} models, {priced} priced, {} KiB in memory",
        catalog.providers().len(),
        catalog.bytes() / 1024
    );
    assert!(catalog.providers().len() >= 100);
    assert!(models >= 2000 && priced >= 2000);
    assert!(catalog.bytes() <= 3 * 1024 * 1024, "{} bytes", catalog.bytes());
}

#[test]
fn no_paid_model_is_free_and_no_free_one_is_priced() {
    let catalog = Catalog::builtin();
    let usage = Usage { input: 1, ..Usage::default() };
    for model in catalog.models() {
        let cost = model.cost(&usage, Service::Standard);
        assert_eq!(cost.money() == Some(Money::ZERO), model.is_free(), "{model:?}");
        assert!(!model.is_free() || model.prices().is_empty(), "{model:?}");
        for rates in model.prices() {
            assert!(rates.rate(Class::Input).is_some_and(|rate| rate > Money::ZERO), "{model:?}");
            // More than any list asks: a price in the wrong unit.
            let dearest = Class::ALL.into_iter().filter_map(|class| rates.per_million(class)).max();
            assert!(dearest.unwrap() <= Money::parse("1000").unwrap(), "{model:?}");
        }
    }
}

#[test]
fn every_row_says_where_it_is_from_and_when() {
    let catalog = Catalog::builtin();
    let known: BTreeSet<&str> = catalog.sources().iter().map(|source| &*source.id).collect();
    for model in catalog.models() {
        assert!(model.source().split('+').all(|source| known.contains(source)), "{model:?}");
        assert!(model.as_of().is_some_and(|day| Some(day) <= catalog.made()), "{model:?}");
    }
    for source in catalog.sources() {
        assert!(["MIT", "Apache-2.0"].contains(&&*source.licence), "{source:?}");
    }
}

#[test]
fn the_providers_of_the_wire_formats_paper_are_all_there() {
    let catalog = Catalog::builtin();
    let wanted = "openai anthropic google google-vertex amazon-bedrock bedrock-mantle azure mistral groq deepseek xai \
        cohere togetherai fireworks-ai openrouter perplexity cerebras moonshotai alibaba zai huggingface deepinfra \
        nebius novita-ai sambanova nvidia snowflake github-models databricks cloudflare-workers-ai voyage jina ollama \
        vllm sglang tgi";
    for id in wanted.split_whitespace() {
        let provider = catalog.provider(id).unwrap_or_else(|| panic!("{id}"));
        assert!(provider.base_url(provider.protocols[0]).is_some(), "{id} has no address");
    }
    let auth = |id: &str| catalog.provider(id).unwrap().auth.clone();
    assert_eq!(auth("anthropic"), Auth::Header("x-api-key".into()));
    assert_eq!(
        (auth("amazon-bedrock"), auth("google-vertex"), auth("azure")),
        (Auth::Aws, Auth::Gcp, Auth::Azure)
    );
}

#[test]
fn addresses_are_as_the_vendors_sdk_takes_them() {
    let catalog = Catalog::builtin();
    for provider in catalog.providers() {
        for protocol in provider.protocols.iter() {
            let Some(url) = provider.base_url(*protocol) else { continue };
            let has_version = url.ends_with("/v1");
            assert!(*protocol != Protocol::Messages || !has_version, "{}: {url}", provider.id);
            assert!(!url.contains('$') && !url.contains("/chat/completions"), "{}: {url}", provider.id);
            for (at, _) in url.match_indices('{') {
                let name = url[at + 1..].split('}').next().unwrap();
                assert!(
                    ["region", "account", "resource", "project", "host"].contains(&name),
                    "{}: {url}",
                    provider.id
                );
            }
        }
    }
}

#[test]
fn facts_of_the_overlay_reach_the_rows() {
    let catalog = Catalog::builtin();
    let model = |provider, id| catalog.find(provider, id).unwrap().model;
    assert_eq!(model("openai", "gpt-4o-2024-05-13").retires().unwrap().to_string(), "2026-10-23");
    assert!(model("openai", "gpt-4o-2024-05-13").is_deprecated());
    assert_eq!(model("anthropic", "claude-opus-4-7").has_sampling(), Some(false));
    assert_eq!(model("anthropic", "claude-opus-4-6").has_sampling(), Some(true));
    assert!(catalog.provider("mistral").unwrap().has(Quirk::ShortToolIds));
    assert_eq!(
        catalog.provider("openai").unwrap().limits.remaining_tokens.as_deref(),
        Some("x-ratelimit-remaining-tokens")
    );
    // An hour's cache write is twice the input where Anthropic's list has no such price.
    for model in catalog.models().filter(|model| &*model.provider().id == "anthropic") {
        for rates in model.prices() {
            assert!(rates.stated(Class::CacheWrite1h).is_some(), "{model:?}");
        }
    }
}
