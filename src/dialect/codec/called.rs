//! What a call's URL says that other protocols say in the body.

/// Gemini and Bedrock name the model in the path, and whether to stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Called<'u> {
    pub model: Option<&'u str>,
    pub is_stream: Option<bool>,
}
