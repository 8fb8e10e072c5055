//! The head of a request body: the few fields a gateway needs, with the places of those it may
//! change. Read in one pass that also checks the whole body's syntax; no tree is built.
//!
//! Not here: counting tokens, judging values that only the upstream understands. Invariant: spans
//! lie in the body that was parsed, on field and value boundaries; a field read here stands in the
//! body at most once, so the upstream cannot read another value than we did.

use std::ops::Range;

use crate::types::bounds::MODEL_NAME_BYTES_MAX;
use crate::types::{Endpoint, Reason, Reject};

mod error;
mod fields;
mod gemini;
mod multipart;
mod prompt;
#[cfg(test)]
mod tests;
mod value;
mod walk;

pub use error::{HeadError, HeadErrorKind};
pub use prompt::PromptSpans;

use fields::{Fields, names};
use value::Value;

/// A model's name in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// Decoded.
    pub name: String,
    /// The value's bytes: with its quotes in JSON, the bare field value in multipart.
    pub span: Range<usize>,
}

/// `stream_options` of OpenAI's chat and completions; `Absent` on every other endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamOptions {
    #[default]
    Absent,
    /// `"stream_options": null`, which is an absent one that takes up the name.
    Null { span: Range<usize> },
    Present {
        /// The value of `include_usage`; `None` when absent or `null`.
        include_usage: Option<bool>,
        /// Where that value stands, `null` included.
        include_usage_span: Option<Range<usize>>,
        /// The whole object, braces included.
        span: Range<usize>,
        is_empty: bool,
    },
}

/// How the body is written, so how it may be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyForm {
    Json,
    /// `multipart/form-data`, with its boundary (without the leading dashes).
    Multipart {
        boundary: String,
    },
}

/// What a request says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    pub endpoint: Endpoint,
    pub form: BodyForm,
    pub model: Option<ModelField>,
    /// Other places that must name the same model: Gemini's `generateContentRequest.model` and
    /// `requests[].model`.
    pub inner_models: Vec<ModelField>,
    pub stream: bool,
    pub stream_options: StreamOptions,
    /// The most output tokens one choice may have, where the client says so as a number.
    pub max_output: Option<u64>,
    /// Choices asked for (`n`, `best_of`, `candidateCount`), at least 1.
    pub n: u64,
    /// `previous_response_id` of Responses: the call must go to the account that holds it.
    pub previous_response: Option<String>,
    /// The id of the `conversation` of Responses.
    pub conversation: Option<String>,
    /// What OpenAI's clients tell their sessions apart by.
    pub prompt_cache_key: Option<String>,
    /// Where that stands which the model reads.
    pub prompt: PromptSpans,
    /// Where a field may be inserted: just after the opening brace; in multipart, at the first
    /// delimiter.
    pub insert_at: usize,
    pub is_empty_object: bool,
}

impl RequestHead {
    fn new(endpoint: Endpoint, form: BodyForm) -> Self {
        Self {
            endpoint,
            form,
            model: None,
            inner_models: Vec::new(),
            stream: false,
            stream_options: StreamOptions::Absent,
            max_output: None,
            n: 1,
            previous_response: None,
            conversation: None,
            prompt_cache_key: None,
            prompt: PromptSpans::default(),
            insert_at: 0,
            is_empty_object: false,
        }
    }

    /// Whether the client asked for the usage chunk itself (otherwise one we asked for is hidden).
    pub fn client_wants_usage(&self) -> bool {
        matches!(self.stream_options, StreamOptions::Present { include_usage: Some(true), .. })
    }

    /// The model asked for: the one the URL names, else the body's.
    pub fn model_or<'a>(&'a self, from_path: Option<&'a str>) -> Result<&'a str, Reject> {
        from_path.or(self.model.as_ref().map(|model| model.name.as_str())).ok_or_else(|| {
            Reject::new(Reason::InvalidRequest, "you must name a model in the field `model`")
                .with_param("model")
        })
    }
}

/// Reads the head of a body sent to `endpoint`. `content_type` matters only where an endpoint takes
/// forms as well as JSON.
pub fn parse(endpoint: Endpoint, content_type: Option<&str>, body: &[u8]) -> Result<RequestHead, HeadError> {
    let may_be_form = matches!(endpoint, Endpoint::Images | Endpoint::Transcriptions);
    if let Some(content_type) = content_type.filter(|value| may_be_form && multipart::is_multipart(value)) {
        return multipart::parse(endpoint, content_type, body);
    }
    let text = error::utf8(body)?;
    match endpoint {
        Endpoint::GenerateContent
        | Endpoint::StreamGenerateContent
        | Endpoint::GeminiCountTokens
        | Endpoint::EmbedContent
        | Endpoint::BatchEmbedContents
        | Endpoint::Predict => gemini::parse(endpoint, text),
        _ => parse_json(endpoint, text),
    }
}

names!(Known {
    Model = "model",
    Stream = "stream",
    StreamOptions = "stream_options",
    MaxTokens = "max_tokens",
    MaxCompletionTokens = "max_completion_tokens",
    MaxOutputTokens = "max_output_tokens",
    N = "n",
    BestOf = "best_of",
    PreviousResponse = "previous_response_id",
    Conversation = "conversation",
    PromptCacheKey = "prompt_cache_key",
    // Read by others (counting, guarding): they too may stand only once.
    Messages = "messages",
    Input = "input",
    Prompt = "prompt",
    System = "system",
    Instructions = "instructions",
    Tools = "tools",
    Documents = "documents",
    Query = "query",
    Texts = "texts",
    Inputs = "inputs",
    InputText = "inputText",
});

names!(Options in "stream_options." { IncludeUsage = "include_usage" });
names!(ConversationFields in "conversation." { Id = "id" });

fn parse_json(endpoint: Endpoint, text: &str) -> Result<RequestHead, HeadError> {
    let fields = Fields::<Known>::read(text)?;
    let mut head = RequestHead::new(endpoint, BodyForm::Json);
    head.insert_at = opening_brace_end(text);
    head.is_empty_object = fields.is_empty;
    head.model = fields.get(Known::Model).map(|value| model(value, "model")).transpose()?;
    head.stream = fields
        .get(Known::Stream)
        .map(|value| value.flag("stream"))
        .transpose()?
        .flatten()
        .unwrap_or(endpoint == Endpoint::OllamaChat);
    let takes_options = matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions);
    if let Some(value) = fields.get(Known::StreamOptions).filter(|_| takes_options) {
        head.stream_options = stream_options(value)?;
    }
    head.max_output = match endpoint {
        Endpoint::Responses => fields.number(Known::MaxOutputTokens),
        _ => fields.number(Known::MaxCompletionTokens).max(fields.number(Known::MaxTokens)),
    };
    head.n = fields.number(Known::N).max(fields.number(Known::BestOf)).unwrap_or(1).max(1);
    let may_go_on = matches!(endpoint, Endpoint::Responses | Endpoint::ResponseTokens);
    if let Some(value) = fields.get(Known::PreviousResponse).filter(|_| may_go_on) {
        head.previous_response = value.text("previous_response_id")?;
    }
    if let Some(value) = fields.get(Known::Conversation).filter(|_| may_go_on) {
        head.conversation = conversation(value)?;
    }
    // Of a wrong type it is the upstream's to refuse.
    let cache_key = fields.get(Known::PromptCacheKey).map(|value| value.text("prompt_cache_key"));
    head.prompt_cache_key = cache_key.and_then(Result::ok).flatten();
    let first = |names: [Known; 3]| names.into_iter().find_map(|name| fields.get(name));
    let system = fields.get(Known::System).or_else(|| fields.get(Known::Instructions));
    let turns = first([Known::Messages, Known::Input, Known::Prompt]);
    head.prompt = PromptSpans::of([fields.get(Known::Tools), system, turns]);
    Ok(head)
}

/// Where the first field of the object that `text` is may stand.
fn opening_brace_end(text: &str) -> usize {
    memchr::memchr(b'{', text.as_bytes()).map_or(0, |brace| brace + 1)
}

/// A model's name: a string of a length that can be one.
fn model(value: Value<'_>, field: &'static str) -> Result<ModelField, HeadError> {
    match value.text(field)? {
        Some(name) if name.len() <= MODEL_NAME_BYTES_MAX => Ok(ModelField { name, span: value.span() }),
        Some(_) => Err(value.error(HeadErrorKind::TooLong(field))),
        None => Err(value.error(HeadErrorKind::WrongType(field))),
    }
}

/// An id, alone or in an object.
fn conversation(value: Value<'_>) -> Result<Option<String>, HeadError> {
    if !value.is_object() {
        return value.text("conversation");
    }
    let id = Fields::<ConversationFields>::inside(value)?.get(ConversationFields::Id);
    let id = id.map(|id| id.text("conversation.id")).transpose()?.flatten();
    id.map(Some).ok_or_else(|| value.error(HeadErrorKind::WrongType("conversation")))
}

fn stream_options(value: Value<'_>) -> Result<StreamOptions, HeadError> {
    if value.is_null() {
        return Ok(StreamOptions::Null { span: value.span() });
    }
    if !value.is_object() {
        return Err(value.error(HeadErrorKind::WrongType("stream_options")));
    }
    let fields = Fields::<Options>::inside(value)?;
    let wish = fields.get(Options::IncludeUsage);
    Ok(StreamOptions::Present {
        include_usage: wish.map(|wish| wish.flag("stream_options.include_usage")).transpose()?.flatten(),
        include_usage_span: wish.map(|wish| wish.span()),
        span: value.span(),
        is_empty: fields.is_empty,
    })
}
