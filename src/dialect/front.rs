//! Where a protocol is answered by somebody other than its own vendor: which models, on which paths.
//!
//! Sources: Google, "Vertex AI REST reference" and "Claude on Vertex AI"; AWS, "InvokeModel" and
//! "Converse"; Microsoft, "Azure OpenAI REST API reference". Not here: the dress of bodies
//! (`codec::messages::betas`, [`invoke`](super::invoke)), credentials, base URLs. Invariant: no path
//! holds a part of a client's URL but the verb it names.

use super::paths::{encode_model, encode_segment};
use crate::types::{Endpoint, Protocol};

/// Whose paths a protocol is asked on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Front {
    /// The protocol's own vendor's, and those of everybody who copies them.
    #[default]
    Plain,
    /// Azure's classic ones: the deployment is in the path. Below `/openai`.
    Deployments { api_version: String },
    /// Google Vertex AI's: below `/v1/projects/…`.
    Vertex { project: String, location: String },
    /// Bedrock's `/model/{id}/invoke`: Anthropic's bodies in Amazon's dress.
    Invoke,
}

/// Makers with an API of their own at Vertex, by how their models' names begin.
const PUBLISHERS: [(&str, &str); 5] = [
    ("mistral", "mistralai"),
    ("codestral", "mistralai"),
    ("ministral", "mistralai"),
    ("magistral", "mistralai"),
    ("jamba", "ai21"),
];

impl Front {
    /// Whether `model` is asked in `protocol` there. A host of several makers' models has one protocol
    /// for each; others have what they have for all.
    pub fn serves(&self, protocol: Protocol, model: &str) -> bool {
        match self {
            Front::Plain | Front::Deployments { .. } => true,
            Front::Invoke => model.contains("anthropic.") || model.contains("claude"),
            Front::Vertex { .. } => protocol == vertex_protocol(model),
        }
    }

    /// Whether it has this endpoint at all, apart from the protocol.
    pub fn has(&self, endpoint: Endpoint) -> bool {
        match self {
            Front::Plain => true,
            Front::Invoke => matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens),
            Front::Deployments { .. } => !matches!(
                endpoint,
                Endpoint::Responses
                    | Endpoint::ResponseById
                    | Endpoint::ResponseTokens
                    | Endpoint::Moderations
                    | Endpoint::Rerank
            ),
            Front::Vertex { .. } => matches!(
                endpoint,
                Endpoint::ChatCompletions
                    | Endpoint::Messages
                    | Endpoint::CountTokens
                    | Endpoint::GenerateContent
                    | Endpoint::StreamGenerateContent
                    | Endpoint::GeminiCountTokens
                    | Endpoint::EmbedContent
                    | Endpoint::Predict
            ),
        }
    }

    /// Whether it makes vectors, for a client of whichever shape.
    pub fn embeds(&self, protocol: Protocol) -> bool {
        match self {
            Front::Plain | Front::Deployments { .. } => protocol != Protocol::Messages,
            Front::Invoke => false,
            Front::Vertex { .. } => protocol == Protocol::Generate,
        }
    }

    /// Whether a call for vectors that is in its own dialect goes there as it came.
    pub fn embeds_as_asked(&self, endpoint: Endpoint, model: &str) -> bool {
        match self {
            Front::Plain | Front::Deployments { .. } => endpoint != Endpoint::Predict,
            Front::Invoke => false,
            Front::Vertex { .. } => match endpoint {
                Endpoint::Predict => is_predicted(model),
                Endpoint::EmbedContent => !is_predicted(model),
                _ => false,
            },
        }
    }

    /// Whether bodies go there in another form than to the protocol's own vendor.
    pub fn has_dress(&self, protocol: Protocol) -> bool {
        protocol == Protocol::Messages && matches!(self, Front::Vertex { .. } | Front::Invoke)
    }

    /// Whether its errors are written in a form of its own.
    pub fn has_own_errors(&self, protocol: Protocol) -> bool {
        match self {
            Front::Plain | Front::Deployments { .. } => false,
            Front::Invoke => true,
            Front::Vertex { .. } => protocol != Protocol::Generate,
        }
    }

    /// The path of a call below the base URL, where it is another one than at the protocol's own
    /// vendor; None where it is not. `plain`: that one, without its query.
    pub fn path(&self, endpoint: Endpoint, model: &str, is_stream: bool, plain: &str) -> Option<String> {
        match self {
            Front::Plain => None,
            // The deployment's name is the model's.
            Front::Deployments { .. } => Some(format!("/deployments/{}{plain}", encode_segment(model))),
            Front::Invoke => {
                let action = match (endpoint, is_stream) {
                    (Endpoint::CountTokens, _) => "count-tokens",
                    (_, true) => "invoke-with-response-stream",
                    (_, false) => "invoke",
                };
                // Only the model itself counts, not its profile over regions.
                let model = if endpoint == Endpoint::CountTokens { without_region(model) } else { model };
                Some(format!("/model/{}/{action}", encode_segment(model)))
            }
            Front::Vertex { project, location } => {
                let place = format!("/v1/projects/{project}/locations/{location}");
                Some(format!("{place}/{}", vertex_path(endpoint, model, is_stream, plain)))
            }
        }
    }

    /// What its queries must hold.
    pub fn query(&self) -> Option<String> {
        match self {
            Front::Deployments { api_version } => Some(format!("api-version={api_version}")),
            _ => None,
        }
    }
}

/// Whether Vertex embeds by this model through `:predict`; its newer ones take `:embedContent`.
pub fn is_predicted(model: &str) -> bool {
    ["text-embedding-", "textembedding-gecko", "text-multilingual-embedding-", "gemini-embedding-001"]
        .iter()
        .any(|start| model.starts_with(start))
}

/// `us.anthropic.claude-…` without `us.`.
fn without_region(model: &str) -> &str {
    match model.split_once('.') {
        Some((_, rest)) if rest.starts_with("anthropic.") => rest,
        _ => model,
    }
}

/// The protocol of a model at Vertex: Claude has Anthropic's, names with a publisher in front are those
/// of the OpenAI-compatible endpoint, as are those of makers without a protocol here.
fn vertex_protocol(model: &str) -> Protocol {
    if model.starts_with("claude") {
        Protocol::Messages
    } else if model.contains('/') || publisher(model).is_some() {
        Protocol::Chat
    } else {
        Protocol::Generate
    }
}

fn publisher(model: &str) -> Option<&'static str> {
    PUBLISHERS.iter().find(|(start, _)| model.starts_with(start)).map(|(_, publisher)| *publisher)
}

fn vertex_path(endpoint: Endpoint, model: &str, is_stream: bool, plain: &str) -> String {
    let raw = if is_stream { "streamRawPredict" } else { "rawPredict" };
    let name = encode_segment_at(model);
    match endpoint {
        Endpoint::CountTokens => "publishers/anthropic/models/count-tokens:rawPredict".to_owned(),
        Endpoint::Messages => format!("publishers/anthropic/models/{name}:{raw}"),
        Endpoint::ChatCompletions => match publisher(model) {
            Some(publisher) => format!("publishers/{publisher}/models/{name}:{raw}"),
            None => "endpoints/openapi/chat/completions".to_owned(),
        },
        _ => {
            // The verb is the client's, or that of a translated call.
            let verb = plain.rsplit_once(':').map_or("generateContent", |(_, verb)| verb);
            format!("publishers/google/models/{name}:{verb}")
        }
    }
}

/// A name as one segment, in which `@` parts a Claude's version.
fn encode_segment_at(model: &str) -> String {
    let parts: Vec<_> = model.split('@').map(|part| encode_model(part).into_owned()).collect();
    parts.join("@")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex() -> Front {
        Front::Vertex { project: "p-1".into(), location: "us-east5".into() }
    }

    fn path(front: &Front, endpoint: Endpoint, model: &str, is_stream: bool, plain: &str) -> String {
        front.path(endpoint, model, is_stream, plain).unwrap()
    }

    #[test]
    fn vertex_has_a_path_for_each_publisher() {
        let front = vertex();
        for (endpoint, model, is_stream, plain, end) in [
            (
                Endpoint::GenerateContent,
                "gemini-2.5-pro",
                false,
                "/v1beta/models/gemini-2.5-pro:generateContent",
                "publishers/google/models/gemini-2.5-pro:generateContent",
            ),
            (
                Endpoint::StreamGenerateContent,
                "gemini-2.5-pro",
                true,
                "/v1beta/models/x:streamGenerateContent",
                "publishers/google/models/gemini-2.5-pro:streamGenerateContent",
            ),
            (
                Endpoint::GeminiCountTokens,
                "gemini-2.5-pro",
                false,
                "/v1/models/x:countTokens",
                "publishers/google/models/gemini-2.5-pro:countTokens",
            ),
            (
                Endpoint::Messages,
                "claude-sonnet-4-5@20250929",
                false,
                "/v1/messages",
                "publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
            ),
            (
                Endpoint::Messages,
                "claude-opus-4-1",
                true,
                "/v1/messages",
                "publishers/anthropic/models/claude-opus-4-1:streamRawPredict",
            ),
            (
                Endpoint::CountTokens,
                "claude-opus-4-1",
                false,
                "/v1/messages/count_tokens",
                "publishers/anthropic/models/count-tokens:rawPredict",
            ),
            (
                Endpoint::ChatCompletions,
                "meta/llama-3.3-70b-instruct-maas",
                true,
                "/chat/completions",
                "endpoints/openapi/chat/completions",
            ),
            (
                Endpoint::ChatCompletions,
                "mistral-medium-3",
                true,
                "/chat/completions",
                "publishers/mistralai/models/mistral-medium-3:streamRawPredict",
            ),
        ] {
            let expected = format!("/v1/projects/p-1/locations/us-east5/{end}");
            assert_eq!(path(&front, endpoint, model, is_stream, plain), expected);
        }
    }

    #[test]
    fn a_model_has_one_protocol_at_vertex_and_bedrock_invokes_claude_only() {
        for (model, protocol) in [
            ("gemini-2.5-flash", Protocol::Generate),
            ("claude-haiku-4-5@20251001", Protocol::Messages),
            ("meta/llama-4", Protocol::Chat),
            ("google/gemini-2.5-flash", Protocol::Chat),
            ("codestral-2501", Protocol::Chat),
        ] {
            let served = Protocol::ALL.into_iter().filter(|p| vertex().serves(*p, model));
            assert_eq!(served.collect::<Vec<_>>(), [protocol], "{model}");
        }
        let messages = |model| Front::Invoke.serves(Protocol::Messages, model);
        assert!(messages("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"));
        assert!(!messages("meta.llama3-70b-instruct-v1:0"));
    }

    #[test]
    fn azure_and_bedrock_put_the_model_in_the_path_in_one_segment() {
        let azure = Front::Deployments { api_version: "2024-10-21".into() };
        let chat = path(&azure, Endpoint::ChatCompletions, "my gpt/4", true, "/chat/completions");
        assert_eq!(chat, "/deployments/my%20gpt%2F4/chat/completions");
        assert_eq!(azure.query().as_deref(), Some("api-version=2024-10-21"));
        let id = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-v1:0";
        let invoked = path(&Front::Invoke, Endpoint::Messages, id, true, "");
        assert!(invoked.starts_with("/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2F"));
        assert!(invoked.ends_with("/invoke-with-response-stream"));
        let counted = path(&Front::Invoke, Endpoint::CountTokens, "us.anthropic.claude", false, "");
        assert_eq!(counted, "/model/anthropic.claude/count-tokens");
    }
}
