//! What a request can ask for, feature by feature, and what becomes of it in another protocol.
//!
//! Each dialect has one function `carry(Feature) -> Carry` with no wildcard arm: a new feature does
//! not compile until every dialect has said what becomes of it. The docs' loss table is rendered from
//! these functions.

/// Everything a request may hold that some protocol lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    // Flat parameters: these are `Request::settings`.
    Temperature,
    TopP,
    TopK,
    MinP,
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    Seed,
    LogitBias,
    Logprobs,
    TopLogprobs,
    /// `n`, `candidateCount`: more than one answer. One is never a setting.
    Choices,
    /// The end user, for the provider's abuse checks (`user`, `metadata.user_id`, `safety_identifier`).
    User,
    /// Key-value pairs kept with the call.
    Metadata,
    ServiceTier,
    Verbosity,
    /// Whether the provider keeps the answer.
    Store,
    PromptCacheKey,
    PromptCacheRetention,
    /// OpenAI's predicted output.
    Prediction,
    /// Kinds of output other than text (`modalities`, `responseModalities`).
    Modalities,
    /// The voice and format of spoken output.
    AudioOutput,
    WebSearchOptions,
    SafetySettings,
    /// `truncation`, `context_management`.
    ContextManagement,
    // Parts of the request with a type of their own.
    MaxOutput,
    Stop,
    JsonOutput,
    SchemaOutput,
    /// A constraint of a JSON schema that the target's subset has no word for.
    SchemaConstraint,
    ReasoningEffort,
    ReasoningBudget,
    ReasoningSummary,
    ParallelTools,
    ToolChoiceAny,
    ToolChoiceNone,
    ToolChoiceTool,
    ToolChoiceAllowed,
    StrictTools,
    CustomTools,
    HostedTools,
    CacheHints,
    // What turns hold.
    MidSystem,
    ParticipantName,
    ImageBase64,
    ImageUrl,
    ImageFile,
    DocumentBase64,
    DocumentUrl,
    DocumentFile,
    DocumentText,
    AudioInput,
    VideoInput,
    ToolResultMedia,
    ToolResultError,
    /// Thinking of the target's own vendor.
    OwnThinking,
    /// Thinking that another vendor signed, or nobody.
    ForeignThinking,
    Citations,
    RefusalBlock,
    /// A block, or a tool choice, of another protocol only.
    OpaqueBlock,
    /// A field this gateway has no word for, written for another protocol.
    Unknown,
}

/// What a protocol does with a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// Carried as it is.
    Kept,
    /// Carried under this name or in this form.
    Renamed(&'static str),
    /// Left out, and said so; the reason in a few words.
    Drop(&'static str),
    /// Cannot be answered without it: refused, whatever the policy.
    Reject(&'static str),
}

impl Feature {
    pub const ALL: [Feature; 61] = [
        Feature::Temperature,
        Feature::TopP,
        Feature::TopK,
        Feature::MinP,
        Feature::FrequencyPenalty,
        Feature::PresencePenalty,
        Feature::RepetitionPenalty,
        Feature::Seed,
        Feature::LogitBias,
        Feature::Logprobs,
        Feature::TopLogprobs,
        Feature::Choices,
        Feature::User,
        Feature::Metadata,
        Feature::ServiceTier,
        Feature::Verbosity,
        Feature::Store,
        Feature::PromptCacheKey,
        Feature::PromptCacheRetention,
        Feature::Prediction,
        Feature::Modalities,
        Feature::AudioOutput,
        Feature::WebSearchOptions,
        Feature::SafetySettings,
        Feature::ContextManagement,
        Feature::MaxOutput,
        Feature::Stop,
        Feature::JsonOutput,
        Feature::SchemaOutput,
        Feature::SchemaConstraint,
        Feature::ReasoningEffort,
        Feature::ReasoningBudget,
        Feature::ReasoningSummary,
        Feature::ParallelTools,
        Feature::ToolChoiceAny,
        Feature::ToolChoiceNone,
        Feature::ToolChoiceTool,
        Feature::ToolChoiceAllowed,
        Feature::StrictTools,
        Feature::CustomTools,
        Feature::HostedTools,
        Feature::CacheHints,
        Feature::MidSystem,
        Feature::ParticipantName,
        Feature::ImageBase64,
        Feature::ImageUrl,
        Feature::ImageFile,
        Feature::DocumentBase64,
        Feature::DocumentUrl,
        Feature::DocumentFile,
        Feature::DocumentText,
        Feature::AudioInput,
        Feature::VideoInput,
        Feature::ToolResultMedia,
        Feature::ToolResultError,
        Feature::OwnThinking,
        Feature::ForeignThinking,
        Feature::Citations,
        Feature::RefusalBlock,
        Feature::OpaqueBlock,
        Feature::Unknown,
    ];

    /// The name in docs, and in headers where a place has no path.
    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Temperature => "temperature",
            Feature::TopP => "top_p",
            Feature::TopK => "top_k",
            Feature::MinP => "min_p",
            Feature::FrequencyPenalty => "frequency_penalty",
            Feature::PresencePenalty => "presence_penalty",
            Feature::RepetitionPenalty => "repetition_penalty",
            Feature::Seed => "seed",
            Feature::LogitBias => "logit_bias",
            Feature::Logprobs => "logprobs",
            Feature::TopLogprobs => "top_logprobs",
            Feature::Choices => "choices",
            Feature::User => "user",
            Feature::Metadata => "metadata",
            Feature::ServiceTier => "service_tier",
            Feature::Verbosity => "verbosity",
            Feature::Store => "store",
            Feature::PromptCacheKey => "prompt_cache_key",
            Feature::PromptCacheRetention => "prompt_cache_retention",
            Feature::Prediction => "prediction",
            Feature::Modalities => "modalities",
            Feature::AudioOutput => "audio_output",
            Feature::WebSearchOptions => "web_search_options",
            Feature::SafetySettings => "safety_settings",
            Feature::ContextManagement => "context_management",
            Feature::MaxOutput => "max_output",
            Feature::Stop => "stop",
            Feature::JsonOutput => "json_output",
            Feature::SchemaOutput => "schema_output",
            Feature::SchemaConstraint => "schema_constraint",
            Feature::ReasoningEffort => "reasoning_effort",
            Feature::ReasoningBudget => "reasoning_budget",
            Feature::ReasoningSummary => "reasoning_summary",
            Feature::ParallelTools => "parallel_tools",
            Feature::ToolChoiceAny => "tool_choice_any",
            Feature::ToolChoiceNone => "tool_choice_none",
            Feature::ToolChoiceTool => "tool_choice_tool",
            Feature::ToolChoiceAllowed => "tool_choice_allowed",
            Feature::StrictTools => "strict_tools",
            Feature::CustomTools => "custom_tools",
            Feature::HostedTools => "hosted_tools",
            Feature::CacheHints => "cache_hints",
            Feature::MidSystem => "mid_system",
            Feature::ParticipantName => "participant_name",
            Feature::ImageBase64 => "image_base64",
            Feature::ImageUrl => "image_url",
            Feature::ImageFile => "image_file",
            Feature::DocumentBase64 => "document_base64",
            Feature::DocumentUrl => "document_url",
            Feature::DocumentFile => "document_file",
            Feature::DocumentText => "document_text",
            Feature::AudioInput => "audio_input",
            Feature::VideoInput => "video_input",
            Feature::ToolResultMedia => "tool_result_media",
            Feature::ToolResultError => "tool_result_error",
            Feature::OwnThinking => "own_thinking",
            Feature::ForeignThinking => "foreign_thinking",
            Feature::Citations => "citations",
            Feature::RefusalBlock => "refusal_block",
            Feature::OpaqueBlock => "opaque_block",
            Feature::Unknown => "unknown",
        }
    }
}
