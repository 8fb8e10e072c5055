//! Whose model an id names. Converse is one shape; what may stand in
//! `additionalModelRequestFields` is not.

/// Makers whose models take fields of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Claude,
    Nova,
    /// gpt-oss: flat `reasoning_effort`.
    GptOss,
    /// Other models of OpenAI: `reasoning.effort`.
    OpenAi,
    Qwen,
    DeepSeek,
    Mistral,
    Cohere,
    Other,
}

impl Family {
    /// By the id. An ARN that names no model (an application inference profile) is taken for Claude's:
    /// that is what most of them stand for, and it loses least.
    pub(super) fn of(model: &str) -> Self {
        let id = model.to_ascii_lowercase();
        let names: [(&str, Family); 13] = [
            ("claude", Family::Claude),
            ("anthropic", Family::Claude),
            ("nova", Family::Nova),
            ("gpt-oss", Family::GptOss),
            ("openai.", Family::OpenAi),
            ("qwen", Family::Qwen),
            ("deepseek", Family::DeepSeek),
            ("mistral", Family::Mistral),
            ("cohere", Family::Cohere),
            ("meta.", Family::Other),
            ("amazon.", Family::Other),
            ("foundation-model/", Family::Other),
            ("imported-model/", Family::Other),
        ];
        let named = names.into_iter().find(|(name, _)| id.contains(name)).map(|(_, family)| family);
        named.unwrap_or(if id.starts_with("arn:") { Family::Claude } else { Family::Other })
    }

    /// Whether prompts may hold cache points.
    pub(super) fn caches(self) -> bool {
        matches!(self, Family::Claude | Family::Nova)
    }

    /// Whether tools may hold cache points.
    pub(super) fn caches_tools(self) -> bool {
        self == Family::Claude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_profiles_and_arns_name_their_maker() {
        for (id, family) in [
            ("anthropic.claude-3-sonnet-20240229-v1:0", Family::Claude),
            ("us.anthropic.claude-sonnet-4-6", Family::Claude),
            ("us.amazon.nova-2-lite-v1:0", Family::Nova),
            ("openai.gpt-oss-120b-1:0", Family::GptOss),
            ("us.openai.gpt-5.2", Family::OpenAi),
            ("qwen.qwen3-32b-v1:0", Family::Qwen),
            ("us.deepseek.r1-v1:0", Family::DeepSeek),
            ("mistral.devstral-2-123b", Family::Mistral),
            ("us.meta.llama4-maverick-17b-instruct-v1:0", Family::Other),
            ("amazon.titan-text-express-v1", Family::Other),
            ("minimax.minimax-m2", Family::Other),
            ("arn:aws:bedrock:us-east-1:012345678901:application-inference-profile/x1", Family::Claude),
            ("arn:aws:bedrock:us-east-1:012345678901:imported-model/x1", Family::Other),
        ] {
            assert_eq!(Family::of(id), family, "{id}");
        }
    }
}
