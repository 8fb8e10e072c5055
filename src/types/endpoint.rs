//! Which endpoint a URL names. Decided once, on the path as it will be dispatched; everything
//! else asks the value, never the path.

use super::{Dialect, Protocol};

/// An endpoint of the exchange lane, of the local answers, or of the forward lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    ChatCompletions,
    Completions,
    Responses,
    /// GET, DELETE and the sub-resources of one stored response: follows the account that made it.
    ResponseById,
    /// `/v1/responses/input_tokens`: the tokens of a Responses call's prompt.
    ResponseTokens,
    /// `/v1/conversations` and what is below it: answered here.
    Conversations,
    Embeddings,
    Moderations,
    /// `/v1/images/generations` and the multipart `edits`, `variations`.
    Images,
    /// `/v1/audio/speech` (JSON in, audio out).
    Speech,
    /// `/v1/audio/transcriptions` and `translations` (multipart in).
    Transcriptions,
    /// `/v1/rerank`, as Jina and Voyage have it.
    Rerank,
    Messages,
    CountTokens,
    GenerateContent,
    StreamGenerateContent,
    GeminiCountTokens,
    /// Gemini `:embedContent`.
    EmbedContent,
    /// Gemini `:batchEmbedContents`.
    BatchEmbedContents,
    /// Vertex `:predict` of a text embedding model.
    Predict,
    /// Bedrock `/model/{id}/converse`.
    Converse,
    /// Bedrock `/model/{id}/converse-stream`.
    ConverseStream,
    /// Bedrock `/model/{id}/count-tokens`.
    BedrockCountTokens,
    /// Bedrock `/model/{id}/invoke` of an embedding or rerank model.
    Invoke,
    /// Cohere `/v2/chat`.
    CohereChat,
    /// Cohere `/v1/tokenize`: the tokens themselves, which only their own vendor knows.
    CohereTokenize,
    /// Cohere `/v2/embed`.
    CohereEmbed,
    /// Cohere `/v2/rerank`.
    CohereRerank,
    /// Ollama `/api/chat`.
    OllamaChat,
    /// Ollama `/api/embed`.
    OllamaEmbed,
    /// Ollama `/api/embeddings`: one text, the form of before.
    OllamaEmbeddings,
    /// `/v1/models`: answered here.
    Models,
    /// `/v1/models/{id}`: answered here.
    ModelById,
    /// Forward lane: files, uploads, batches, realtime.
    Opaque,
}

impl Endpoint {
    pub const ALL: [Endpoint; 34] = [
        Endpoint::ChatCompletions,
        Endpoint::Completions,
        Endpoint::Responses,
        Endpoint::ResponseById,
        Endpoint::ResponseTokens,
        Endpoint::Conversations,
        Endpoint::Embeddings,
        Endpoint::Moderations,
        Endpoint::Images,
        Endpoint::Speech,
        Endpoint::Transcriptions,
        Endpoint::Rerank,
        Endpoint::Messages,
        Endpoint::CountTokens,
        Endpoint::GenerateContent,
        Endpoint::StreamGenerateContent,
        Endpoint::GeminiCountTokens,
        Endpoint::EmbedContent,
        Endpoint::BatchEmbedContents,
        Endpoint::Predict,
        Endpoint::Converse,
        Endpoint::ConverseStream,
        Endpoint::BedrockCountTokens,
        Endpoint::Invoke,
        Endpoint::CohereChat,
        Endpoint::CohereTokenize,
        Endpoint::CohereEmbed,
        Endpoint::CohereRerank,
        Endpoint::OllamaChat,
        Endpoint::OllamaEmbed,
        Endpoint::OllamaEmbeddings,
        Endpoint::Models,
        Endpoint::ModelById,
        Endpoint::Opaque,
    ];

    /// The name in metrics labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Endpoint::ChatCompletions => "chat_completions",
            Endpoint::Completions => "completions",
            Endpoint::Responses => "responses",
            Endpoint::ResponseById => "response_by_id",
            Endpoint::ResponseTokens => "response_tokens",
            Endpoint::Conversations => "conversations",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Moderations => "moderations",
            Endpoint::Images => "images",
            Endpoint::Speech => "speech",
            Endpoint::Transcriptions => "transcriptions",
            Endpoint::Rerank => "rerank",
            Endpoint::Messages => "messages",
            Endpoint::CountTokens => "count_tokens",
            Endpoint::GenerateContent => "generate_content",
            Endpoint::StreamGenerateContent => "stream_generate_content",
            Endpoint::GeminiCountTokens => "gemini_count_tokens",
            Endpoint::EmbedContent => "embed_content",
            Endpoint::BatchEmbedContents => "batch_embed_contents",
            Endpoint::Predict => "predict",
            Endpoint::Converse => "converse",
            Endpoint::ConverseStream => "converse_stream",
            Endpoint::BedrockCountTokens => "bedrock_count_tokens",
            Endpoint::Invoke => "invoke",
            Endpoint::CohereChat => "cohere_chat",
            Endpoint::CohereTokenize => "cohere_tokenize",
            Endpoint::CohereEmbed => "cohere_embed",
            Endpoint::CohereRerank => "cohere_rerank",
            Endpoint::OllamaChat => "ollama_chat",
            Endpoint::OllamaEmbed => "ollama_embed",
            Endpoint::OllamaEmbeddings => "ollama_embeddings",
            Endpoint::Models => "models",
            Endpoint::ModelById => "model_by_id",
            Endpoint::Opaque => "opaque",
        }
    }

    /// Whether a call of it is work that somebody bills: looking at what is stored, listing and counting
    /// are not.
    pub fn is_charged(self) -> bool {
        !matches!(
            self,
            Endpoint::ResponseById
                | Endpoint::CountTokens
                | Endpoint::GeminiCountTokens
                | Endpoint::BedrockCountTokens
                | Endpoint::ResponseTokens
                | Endpoint::CohereTokenize
                | Endpoint::Models
                | Endpoint::ModelById
        )
    }

    /// Whether the answer is tokens made by a model.
    pub fn generates(self) -> bool {
        matches!(
            self,
            Endpoint::ChatCompletions
                | Endpoint::Completions
                | Endpoint::Responses
                | Endpoint::Images
                | Endpoint::Speech
                | Endpoint::Transcriptions
                | Endpoint::Messages
                | Endpoint::GenerateContent
                | Endpoint::StreamGenerateContent
                | Endpoint::Converse
                | Endpoint::ConverseStream
                | Endpoint::CohereChat
                | Endpoint::OllamaChat
        )
    }

    /// The shape an error or a stream on this endpoint has.
    pub fn dialect(self) -> Dialect {
        match self {
            Endpoint::Messages | Endpoint::CountTokens => Dialect::Anthropic,
            Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::GeminiCountTokens
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::Predict => Dialect::Gemini,
            Endpoint::Converse
            | Endpoint::ConverseStream
            | Endpoint::BedrockCountTokens
            | Endpoint::Invoke => Dialect::Bedrock,
            Endpoint::CohereChat
            | Endpoint::CohereTokenize
            | Endpoint::CohereEmbed
            | Endpoint::CohereRerank => Dialect::Cohere,
            Endpoint::OllamaChat | Endpoint::OllamaEmbed | Endpoint::OllamaEmbeddings => Dialect::Ollama,
            _ => Dialect::OpenAi,
        }
    }

    /// Whether an answer on this endpoint can be a stream of model output with usage in it.
    pub fn may_stream(self) -> bool {
        matches!(
            self,
            Endpoint::ChatCompletions
                | Endpoint::Completions
                | Endpoint::Responses
                | Endpoint::Messages
                | Endpoint::StreamGenerateContent
                | Endpoint::ConverseStream
                | Endpoint::CohereChat
                | Endpoint::OllamaChat
        )
    }

    /// The message protocol of a generation call; None where there is nothing to translate.
    pub fn protocol(self) -> Option<Protocol> {
        Some(match self {
            Endpoint::ChatCompletions => Protocol::Chat,
            Endpoint::Responses => Protocol::Responses,
            Endpoint::Messages => Protocol::Messages,
            Endpoint::GenerateContent | Endpoint::StreamGenerateContent => Protocol::Generate,
            Endpoint::Converse | Endpoint::ConverseStream => Protocol::Converse,
            Endpoint::CohereChat => Protocol::Cohere,
            Endpoint::OllamaChat => Protocol::Ollama,
            _ => return None,
        })
    }

    /// Whether it asks for the tokens of a prompt and for nothing else.
    pub fn is_count(self) -> bool {
        matches!(
            self,
            Endpoint::CountTokens
                | Endpoint::GeminiCountTokens
                | Endpoint::BedrockCountTokens
                | Endpoint::ResponseTokens
        )
    }

    /// Whether it makes vectors or rankings, which have shapes of their own to translate between.
    pub fn is_embed_or_rerank(self) -> bool {
        self.embeds() || matches!(self, Endpoint::Rerank | Endpoint::CohereRerank)
    }

    /// Whether it makes vectors. Bedrock's `invoke` may do either; its body tells.
    pub fn embeds(self) -> bool {
        matches!(
            self,
            Endpoint::Embeddings
                | Endpoint::EmbedContent
                | Endpoint::BatchEmbedContents
                | Endpoint::Predict
                | Endpoint::Invoke
                | Endpoint::CohereEmbed
                | Endpoint::OllamaEmbed
                | Endpoint::OllamaEmbeddings
        )
    }

    /// Whether the URL names the model and the body does not.
    pub fn has_model_in_path(self) -> bool {
        matches!(self.dialect(), Dialect::Gemini | Dialect::Bedrock)
    }
}
