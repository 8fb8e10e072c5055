//! Whose request and answer is meant.

use crate::dialect::front::is_predicted;
use crate::dialect::paths::{encode_segment, gemini_path};
use crate::framing::json::Node;
use crate::types::{Endpoint, Protocol};

/// One vendor's form of an embeddings call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `/v1/embeddings`, and everybody who copies it.
    OpenAi,
    /// Gemini `:embedContent`.
    GeminiOne,
    /// Gemini `:batchEmbedContents`.
    GeminiMany,
    /// Cohere `/v2/embed`.
    Cohere,
    /// Voyage `/v1/embeddings`.
    Voyage,
    /// Ollama `/api/embed`.
    Ollama,
    /// Ollama `/api/embeddings`: one text, the form of before.
    OllamaOne,
    /// Bedrock `/model/{id}/invoke` of Amazon's Titan embedding models.
    BedrockTitan,
    /// Bedrock `/model/{id}/invoke` of Cohere's embedding models.
    BedrockCohere,
    /// Vertex AI `:predict` of Google's text embedding models.
    VertexPredict,
}

/// Whose form of a protocol's embeddings a provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum House {
    /// The protocol's own vendor's.
    Own,
    /// Voyage's, beside OpenAI's other paths.
    Voyage,
    /// Vertex AI's: some models by `:predict`, and no batches.
    Vertex,
}

/// Most inputs of one `:predict` ("Text embeddings API"), and of Gemini's embedding models there.
const PREDICTED_MAX: usize = 250;

impl Shape {
    pub const ALL: [Shape; 10] = [
        Shape::OpenAi,
        Shape::GeminiOne,
        Shape::GeminiMany,
        Shape::Cohere,
        Shape::Voyage,
        Shape::Ollama,
        Shape::OllamaOne,
        Shape::BedrockTitan,
        Shape::BedrockCohere,
        Shape::VertexPredict,
    ];

    /// The name in docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::OpenAi => "openai",
            Shape::GeminiOne => "gemini",
            Shape::GeminiMany => "gemini batch",
            Shape::Cohere => "cohere",
            Shape::Voyage => "voyage",
            Shape::Ollama => "ollama",
            Shape::OllamaOne => "ollama, one",
            Shape::BedrockTitan => "titan",
            Shape::BedrockCohere => "bedrock cohere",
            Shape::VertexPredict => "vertex predict",
        }
    }

    /// The shape a client's body has; None where `endpoint` or body is none of embeddings.
    pub fn of_client(endpoint: Endpoint, root: &Node<'_>) -> Option<Self> {
        let has = |keys: &[&str]| keys.iter().any(|key| root.get(key).is_some());
        Some(match endpoint {
            // One path, two vendors: these fields are Voyage's alone.
            Endpoint::Embeddings if has(&["output_dimension", "output_dtype", "truncation"]) => Shape::Voyage,
            Endpoint::Embeddings => Shape::OpenAi,
            Endpoint::EmbedContent => Shape::GeminiOne,
            Endpoint::BatchEmbedContents => Shape::GeminiMany,
            Endpoint::Predict => Shape::VertexPredict,
            Endpoint::CohereEmbed => Shape::Cohere,
            Endpoint::OllamaEmbed => Shape::Ollama,
            Endpoint::OllamaEmbeddings => Shape::OllamaOne,
            Endpoint::Invoke if has(&["inputText", "inputImage"]) => Shape::BedrockTitan,
            Endpoint::Invoke if has(&["texts", "images", "inputs"]) => Shape::BedrockCohere,
            _ => return None,
        })
    }

    /// The shape in which a provider that speaks `protocol` embeds `count` inputs by `model`. None
    /// where it embeds nothing, or where only the model's name could tell and does not.
    pub fn of_provider(protocol: Protocol, house: House, model: &str, count: usize) -> Option<Self> {
        Some(match protocol {
            Protocol::Chat | Protocol::Responses if house == House::Voyage => Shape::Voyage,
            Protocol::Chat | Protocol::Responses => Shape::OpenAi,
            Protocol::Generate if house == House::Vertex && is_predicted(model) => Shape::VertexPredict,
            // Vertex has no batches; one input is asked for in the same way there and at AI Studio.
            Protocol::Generate if count <= 1 || house == House::Vertex => Shape::GeminiOne,
            Protocol::Generate => Shape::GeminiMany,
            Protocol::Cohere => Shape::Cohere,
            Protocol::Ollama => Shape::Ollama,
            Protocol::Converse if model.contains("titan-embed") => Shape::BedrockTitan,
            Protocol::Converse if model.contains("cohere.embed") => Shape::BedrockCohere,
            Protocol::Converse | Protocol::Messages => return None,
        })
    }

    /// Below the base path of a provider of this shape.
    pub fn path(self, model: &str) -> String {
        match self {
            Shape::OpenAi | Shape::Voyage => "/embeddings".to_owned(),
            Shape::GeminiOne => gemini_path(model, "embedContent"),
            Shape::GeminiMany => gemini_path(model, "batchEmbedContents"),
            Shape::VertexPredict => gemini_path(model, "predict"),
            Shape::Cohere => "/v2/embed".to_owned(),
            Shape::Ollama => "/api/embed".to_owned(),
            Shape::OllamaOne => "/api/embeddings".to_owned(),
            Shape::BedrockTitan | Shape::BedrockCohere => format!("/model/{}/invoke", encode_segment(model)),
        }
    }

    /// How many inputs one call may have: the form's room, or the vendor's limit (OpenAI, Gemini and
    /// Cohere: API references of `embeddings`, `batchEmbedContents`, `embed`; Voyage: embeddings API).
    pub fn inputs_max(self) -> usize {
        match self {
            Shape::GeminiOne | Shape::BedrockTitan | Shape::OllamaOne => 1,
            Shape::Cohere | Shape::BedrockCohere => 96,
            Shape::GeminiMany => 100,
            Shape::VertexPredict => PREDICTED_MAX,
            Shape::Voyage => 1000,
            Shape::OpenAi => 2048,
            Shape::Ollama => usize::MAX,
        }
    }

    /// The same of one model: Gemini's embed one text a call at Vertex.
    pub fn inputs_max_of(self, model: &str) -> usize {
        match self {
            Shape::VertexPredict if model.starts_with("gemini-") => 1,
            _ => self.inputs_max(),
        }
    }

    /// Whether a field of `other` means the same here.
    pub(super) fn is_kin(self, other: Shape) -> bool {
        let family = |shape: Shape| match shape {
            Shape::GeminiMany => Shape::GeminiOne,
            Shape::BedrockCohere => Shape::Cohere,
            Shape::OllamaOne => Shape::Ollama,
            other => other,
        };
        family(self) == family(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    #[test]
    fn the_body_tells_where_a_path_is_shared() {
        for (endpoint, body, shape) in [
            (Endpoint::Embeddings, r#"{"input":"a"}"#, Some(Shape::OpenAi)),
            (Endpoint::Embeddings, r#"{"input":"a","output_dtype":"int8"}"#, Some(Shape::Voyage)),
            (Endpoint::Invoke, r#"{"inputText":"a"}"#, Some(Shape::BedrockTitan)),
            (Endpoint::Invoke, r#"{"texts":["a"]}"#, Some(Shape::BedrockCohere)),
            (Endpoint::Invoke, r#"{"messages":[]}"#, None),
            (Endpoint::Rerank, r#"{"query":"a"}"#, None),
        ] {
            let root = parse(body, Duplicates::Refuse).unwrap();
            assert_eq!(Shape::of_client(endpoint, &root), shape, "{body}");
        }
    }

    #[test]
    fn a_provider_has_one_shape_for_a_model_and_a_number_of_inputs() {
        let of = |protocol, model, count| Shape::of_provider(protocol, House::Own, model, count);
        assert_eq!(of(Protocol::Generate, "g", 1), Some(Shape::GeminiOne));
        assert_eq!(of(Protocol::Generate, "g", 2), Some(Shape::GeminiMany));
        assert_eq!(of(Protocol::Converse, "amazon.titan-embed-text-v2:0", 1), Some(Shape::BedrockTitan));
        assert_eq!(of(Protocol::Converse, "us.cohere.embed-v4:0", 9), Some(Shape::BedrockCohere));
        assert_eq!(of(Protocol::Converse, "us.anthropic.claude", 1), None);
        assert_eq!(of(Protocol::Messages, "claude", 1), None);
        assert_eq!(Shape::of_provider(Protocol::Chat, House::Voyage, "voyage-4", 3), Some(Shape::Voyage));
        let vertex = |model, count| Shape::of_provider(Protocol::Generate, House::Vertex, model, count);
        assert_eq!(vertex("text-embedding-005", 9), Some(Shape::VertexPredict));
        assert_eq!(vertex("gemini-embedding-001", 1), Some(Shape::VertexPredict));
        assert_eq!(vertex("gemini-embedding-2", 9), Some(Shape::GeminiOne));
        assert_eq!(Shape::VertexPredict.inputs_max_of("text-multilingual-embedding-002"), 250);
        assert_eq!(Shape::VertexPredict.inputs_max_of("gemini-embedding-001"), 1);
        assert_eq!(Shape::VertexPredict.path("t"), "/v1beta/models/t:predict");
        assert_eq!(Shape::BedrockTitan.path("a:0"), "/model/a%3A0/invoke");
        assert_eq!(Shape::GeminiMany.path("g"), "/v1beta/models/g:batchEmbedContents");
    }
}
