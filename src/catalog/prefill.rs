//! Which targets take the beginning of their answer, and which models are one and the same.
//!
//! By the vendors' documents: Claude takes an assistant's last turn up to 4.5
//! (platform.claude.com/docs/en/build-with-claude/prefill-claudes-response: newer models refuse it),
//! vLLM and SGLang take `continue_final_message`, Mistral and DeepSeek (below `/beta`) take `prefix`,
//! Moonshot takes `partial`. Others answer such a turn anew or refuse it. Invariant: what is not known
//! takes none; the configuration knows better.

use super::Provider;
use crate::chat::PrefillStyle;
use crate::types::Protocol;

/// How `model` at `provider` takes a beginning in `protocol`; `base_path`: where that is answered.
pub fn prefill(
    provider: &Provider,
    protocol: Protocol,
    base_path: &str,
    model: &str,
) -> Option<PrefillStyle> {
    match (protocol, &*provider.id) {
        (Protocol::Messages | Protocol::Converse, _) => is_early_claude(model).then_some(PrefillStyle::Plain),
        (Protocol::Chat, "vllm" | "sglang") => Some(PrefillStyle::ContinueFinalMessage),
        (Protocol::Chat, "mistral") => Some(PrefillStyle::Prefix),
        (Protocol::Chat, "deepseek") if base_path.contains("/beta") => Some(PrefillStyle::Prefix),
        (Protocol::Chat, "moonshotai" | "moonshotai-cn") => Some(PrefillStyle::Partial),
        _ => None,
    }
}

/// Claude before 4.6.
fn is_early_claude(model: &str) -> bool {
    let name = family(model);
    let Some((_, rest)) = name.split_once("claude") else { return false };
    // `claude-3-5-sonnet`, `claude-opus-4-1`, `claude-instant-1.2`: one or two digits are a version's.
    let parts = rest.split(|c: char| !c.is_ascii_alphanumeric());
    let mut numbers = parts.filter(|part| part.len() <= 2).filter_map(|part| part.parse::<u8>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), minor) => (major, minor.unwrap_or(0)) < (4, 6),
        (None, _) => false,
    }
}

/// The model behind a name, however its host writes it: without the host's regions and paths, dates and
/// revisions. Two targets with one family give the same model.
pub fn family(name: &str) -> String {
    let name = name.rsplit(['/']).next().unwrap_or(name).to_ascii_lowercase();
    let name = name.split(['@', ':']).next().unwrap_or_default();
    let regions = ["us.", "eu.", "apac.", "global.", "jp.", "au."];
    let name = regions.iter().find_map(|region| name.strip_prefix(region)).unwrap_or(name);
    let makers = ["anthropic.", "meta.", "mistral.", "deepseek.", "qwen.", "openai."];
    let name = makers.iter().find_map(|maker| name.strip_prefix(maker)).unwrap_or(name);
    let name = name.strip_suffix("-latest").unwrap_or(name);
    let name = ["-v1", "-v2", "-v3"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    super::find::without_date(name).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_the_same_under_the_names_of_its_hosts() {
        let names = [
            "claude-sonnet-4-5",
            "claude-sonnet-4-5-20250929",
            "claude-sonnet-4-5@20250929",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic/claude-sonnet-4-5",
        ];
        for name in names {
            assert_eq!(family(name), "claude-sonnet-4-5", "{name}");
        }
        assert_eq!(family("Qwen/Qwen3-32B"), "qwen3-32b");
        assert_ne!(family("qwen3-32b"), family("qwen3-32b-awq"), "another quantisation is another model");
        assert_ne!(family("claude-sonnet-4-5"), family("claude-opus-4-5"));
    }

    #[test]
    fn claude_takes_a_beginning_up_to_4_5_and_others_only_where_they_say_so() {
        let at = |id: &str, protocol, base, model| prefill(&Provider::unknown(id), protocol, base, model);
        let messages = |model| at("anthropic", Protocol::Messages, "", model);
        for model in
            ["claude-3-5-haiku-20241022", "claude-opus-4-20250514", "claude-opus-4-1", "claude-haiku-4-5"]
        {
            assert_eq!(messages(model), Some(PrefillStyle::Plain), "{model}");
        }
        for model in
            ["claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-5", "claude-mythos-preview", "glm-4.5"]
        {
            assert_eq!(messages(model), None, "{model}");
        }
        let bedrock = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
        assert_eq!(at("amazon-bedrock", Protocol::Converse, "", bedrock), Some(PrefillStyle::Plain));
        let chat = |id, base| at(id, Protocol::Chat, base, "m");
        assert_eq!(chat("vllm", "/v1"), Some(PrefillStyle::ContinueFinalMessage));
        assert_eq!(chat("mistral", "/v1"), Some(PrefillStyle::Prefix));
        assert_eq!((chat("deepseek", ""), chat("deepseek", "/beta")), (None, Some(PrefillStyle::Prefix)));
        for id in ["openai", "google", "openai-compatible", "azure"] {
            assert_eq!(chat(id, "/v1"), None, "{id}");
        }
    }
}
