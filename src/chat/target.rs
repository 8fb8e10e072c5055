//! What an encoder must know of the model it writes for. Facts of the catalogue, not of the code.

use super::request::Effort;

/// One upstream model, as far as the shape of its requests depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The upstream's name for the model.
    pub model: String,
    /// Whether `temperature`, `top_p`, `top_k` are taken.
    pub takes_sampling: bool,
    /// What to ask for where a protocol needs a limit and the client gave none, and the most that may
    /// be asked for.
    pub output_max: Option<u64>,
    /// How thinking is asked for.
    pub thinking: ThinkingStyle,
    /// The efforts it knows, lowest first; empty: none is refused.
    pub efforts: Vec<Effort>,
    /// Whether the effort `none` is a word it knows.
    pub takes_no_effort: bool,
    /// Whether a JSON schema can be asked for; else a forced tool or an instruction stands in.
    pub takes_schema: bool,
    /// Messages only: instructions in the middle of a conversation stay where they are.
    pub takes_mid_system: bool,
    /// Chat only: `max_completion_tokens` (true) or `max_tokens`.
    pub has_completion_limit: bool,
    /// Chat only: the system turn is `developer`.
    pub has_developer_role: bool,
    /// Chat only: `stream_options` is understood.
    pub takes_stream_options: bool,
    /// Chat only: content may be a list of text parts; else they are joined.
    pub takes_text_lists: bool,
    /// Chat only: free-form tools are understood.
    pub takes_custom_tools: bool,
    /// Chat only: how earlier thinking goes back.
    pub echo: ThinkingEcho,
    /// Chat only: tool call ids are nine letters or digits (Mistral).
    pub has_short_tool_ids: bool,
    /// Chat only: `tool_choice` says `any` where others say `required` (Mistral).
    pub says_any: bool,
    /// Gemini only: function calls need their signature back.
    pub needs_signatures: bool,
    /// Gemini only: JSON mode and schemas are taken beside functions.
    pub takes_form_beside_tools: bool,
    /// An `http` URL of an image or document may go up: the provider fetches it.
    pub fetches_urls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingStyle {
    /// It does not think, or cannot be told to.
    None,
    /// By a number of tokens.
    Budget,
    /// By a level or effort.
    Effort,
}

/// The slot in an assistant's message in which chat targets take thinking back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingEcho {
    /// They do not: it is left out.
    None,
    /// `reasoning_content` (DeepSeek, Moonshot, vLLM …).
    ReasoningContent,
    /// `reasoning` and `reasoning_details` (OpenRouter).
    ReasoningDetails,
}

impl Target {
    /// A model of which nothing is known: what most of its kind take.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            takes_sampling: true,
            output_max: None,
            thinking: ThinkingStyle::Effort,
            efforts: Vec::new(),
            takes_no_effort: false,
            takes_schema: true,
            takes_mid_system: false,
            has_completion_limit: false,
            has_developer_role: false,
            takes_stream_options: true,
            takes_text_lists: true,
            takes_custom_tools: false,
            echo: ThinkingEcho::None,
            has_short_tool_ids: false,
            says_any: false,
            needs_signatures: false,
            takes_form_beside_tools: true,
            fetches_urls: true,
        }
    }

    /// The nearest effort the model knows: the highest not above, else its lowest.
    pub fn effort(&self, wanted: Effort) -> Effort {
        let known = self.efforts.iter().copied();
        known.clone().filter(|effort| *effort <= wanted).max().or(known.min()).unwrap_or(wanted)
    }
}
