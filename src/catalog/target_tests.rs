//! Targets as encoders get them, for models whose habits are known from recordings.

use super::{Catalog, target};
use crate::chat::{Effort, Target, ThinkingEcho, ThinkingStyle};

fn of(provider: &str, name: &str) -> Target {
    let catalog = Catalog::builtin();
    let model = catalog.find(provider, name).map(|found| found.model);
    target(catalog.provider(provider).unwrap(), name, model)
}

#[test]
fn new_claude_models_take_efforts_and_no_sampling() {
    let old = of("anthropic", "claude-sonnet-4-5");
    assert_eq!((old.takes_sampling, old.thinking), (true, ThinkingStyle::Budget));
    // Recorded: "Supported levels: high, low, max, medium".
    let middle = of("anthropic", "claude-opus-4-6");
    assert_eq!(middle.efforts, [Effort::Low, Effort::Medium, Effort::High, Effort::Max]);
    assert_eq!(middle.effort(Effort::XHigh), Effort::High);
    let new = of("anthropic", "claude-opus-5");
    assert_eq!(
        (new.takes_sampling, new.thinking, new.output_max),
        (false, ThinkingStyle::Effort, Some(128_000))
    );
    let elsewhere = of("openrouter", "anthropic/claude-opus-4.7");
    assert_eq!((elsewhere.takes_sampling, elsewhere.echo), (false, ThinkingEcho::ReasoningDetails));
}

#[test]
fn openai_reasoning_models_differ_from_the_others() {
    let reasoning = of("openai", "gpt-5");
    assert!(!reasoning.takes_sampling && reasoning.has_completion_limit && reasoning.has_developer_role);
    assert_eq!(reasoning.efforts.first(), Some(&Effort::Minimal));
    assert!(!reasoning.takes_no_effort && of("openai", "gpt-5.2").takes_no_effort);
    let plain = of("openai", "gpt-4o");
    assert_eq!((plain.takes_sampling, plain.thinking), (true, ThinkingStyle::None));
    assert!(of("openai", "gpt-5-chat-latest").takes_sampling);
}

#[test]
fn gemini_3_wants_signatures_and_2_5_a_budget() {
    let new = of("google", "gemini-3.5-flash");
    assert_eq!((new.needs_signatures, new.thinking), (true, ThinkingStyle::Effort));
    assert!(new.takes_form_beside_tools);
    let old = of("google", "gemini-2.5-flash");
    assert_eq!((old.needs_signatures, old.thinking, old.fetches_urls), (false, ThinkingStyle::Budget, false));
    assert!(!old.takes_form_beside_tools);
}

#[test]
fn chat_vendors_keep_their_quirks_even_for_models_nobody_knows() {
    let mistral = of("mistral", "mistral-next");
    assert!(mistral.says_any && mistral.has_short_tool_ids && !mistral.has_completion_limit);
    assert_eq!(mistral, Target { says_any: true, has_short_tool_ids: true, ..Target::new("mistral-next") });
    assert_eq!(of("deepseek", "deepseek-reasoner").echo, ThinkingEcho::ReasoningContent);
    assert!(!of("amazon-bedrock", "anthropic.claude-opus-4-7").fetches_urls);
}
