//! What a translated answer must hold and the upstream cannot know.

/// What the client is owed, whoever answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The model as the client named it: shown where the provider names none.
    pub model: String,
    /// A token unique to this call, letters and digits, at least 16: ids are made of it where the
    /// provider gives none, or none of the client's form (`chatcmpl-…`, `msg_…`, `resp_…`).
    pub token: String,
    /// Unix seconds: shown where the provider gives no time.
    pub created: u64,
    /// Chat streams: whether the client asked for the usage chunk.
    pub wants_usage: bool,
    /// Gemini without `alt=sse`: the stream is one JSON array.
    pub is_array: bool,
    /// Responses: fields of the request that the answer repeats, as JSON members without braces
    /// (`"temperature":1,"tools":[]`); empty for others.
    pub echo: String,
}
