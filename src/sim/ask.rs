//! The parts of a request body the simulator looks at, of all dialects in one struct. Everything
//! else is skipped without being built.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A JSON request body. Raw parts are read only where an answer needs them.
#[derive(Debug, Default, Deserialize)]
pub struct Ask<'a> {
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub stream: Option<bool>,
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    #[serde(default)]
    pub seed: Option<i64>,
    #[serde(default)]
    pub n: Option<u64>,
    #[serde(default)]
    pub max_tokens: Option<u64>,
    #[serde(default)]
    pub max_completion_tokens: Option<u64>,
    #[serde(default)]
    pub max_output_tokens: Option<u64>,
    #[serde(default, alias = "generation_config", rename = "generationConfig", borrow)]
    pub generation: Option<Generation<'a>>,
    /// Bedrock's `inferenceConfig`.
    #[serde(default, rename = "inferenceConfig")]
    pub inference: Option<Inference>,
    /// Ollama's `options`.
    #[serde(default)]
    pub options: Option<Options>,
    #[serde(default)]
    pub store: Option<bool>,
    #[serde(default)]
    pub service_tier: Option<String>,
    #[serde(default, borrow)]
    pub response_format: Option<&'a RawValue>,
    /// Anthropic's.
    #[serde(default, borrow)]
    pub output_config: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub output_format: Option<&'a RawValue>,
    /// Bedrock's.
    #[serde(default, borrow, rename = "outputConfig")]
    pub text_format: Option<&'a RawValue>,
    /// Ollama's.
    #[serde(default, borrow)]
    pub format: Option<&'a RawValue>,
    /// Cohere's, of `/v2/embed`.
    #[serde(default, borrow)]
    pub texts: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub inputs: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub messages: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub input: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub prompt: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub contents: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub requests: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub tools: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub tool_choice: Option<&'a RawValue>,
    #[serde(default, borrow, alias = "tool_config", rename = "toolConfig")]
    pub tool_config: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub instructions: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub metadata: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub previous_response_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub temperature: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub top_p: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub parallel_tool_calls: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// Gemini's `generationConfig`.
#[derive(Debug, Default, Deserialize)]
pub struct Generation<'a> {
    #[serde(default, borrow, alias = "response_schema", rename = "responseSchema")]
    pub response_schema: Option<&'a RawValue>,
    #[serde(default, borrow, alias = "response_json_schema", rename = "responseJsonSchema")]
    pub response_json_schema: Option<&'a RawValue>,
    #[serde(default, alias = "response_mime_type", rename = "responseMimeType")]
    pub response_mime_type: Option<String>,
    #[serde(default, alias = "max_output_tokens", rename = "maxOutputTokens")]
    pub max_output_tokens: Option<u64>,
    #[serde(default)]
    pub seed: Option<i64>,
    #[serde(default, alias = "candidate_count", rename = "candidateCount")]
    pub candidate_count: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Inference {
    #[serde(default, rename = "maxTokens")]
    pub max_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub struct Options {
    /// Below nothing: no limit.
    #[serde(default)]
    pub num_predict: Option<i64>,
    #[serde(default)]
    pub seed: Option<i64>,
}

impl<'a> Ask<'a> {
    /// Reads a body; the message names line and column.
    pub fn read(body: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|e| format!("the body is not valid: {e}"))
    }

    /// The limit on the answer's length, by whatever name.
    pub fn limit(&self) -> Option<u64> {
        self.max_completion_tokens
            .or(self.max_output_tokens)
            .or(self.max_tokens)
            .or_else(|| self.generation.as_ref().and_then(|generation| generation.max_output_tokens))
            .or_else(|| self.inference.as_ref().and_then(|inference| inference.max_tokens))
            .or_else(|| self.options.as_ref()?.num_predict.and_then(|limit| u64::try_from(limit).ok()))
    }

    pub fn seed(&self) -> Option<u64> {
        let seed = self.seed.or_else(|| self.generation.as_ref().and_then(|generation| generation.seed));
        let seed = seed.or_else(|| self.options.as_ref().and_then(|options| options.seed));
        seed.map(i64::cast_unsigned)
    }

    /// What is talked about: of this the default seed is made.
    pub fn conversation(&self) -> &'a str {
        let parts = [
            self.messages,
            self.input,
            self.prompt,
            self.contents,
            self.content,
            self.requests,
            self.texts,
            self.inputs,
        ];
        parts.into_iter().flatten().next().map_or("", RawValue::get)
    }

    pub fn wants_usage_in_stream(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_found_under_each_name() {
        for body in [
            r#"{"max_tokens":7}"#,
            r#"{"max_completion_tokens":7,"max_tokens":9}"#,
            r#"{"max_output_tokens":7}"#,
            r#"{"generationConfig":{"maxOutputTokens":7}}"#,
            r#"{"generation_config":{"max_output_tokens":7}}"#,
            r#"{"inferenceConfig":{"maxTokens":7}}"#,
            r#"{"options":{"num_predict":7}}"#,
        ] {
            assert_eq!(Ask::read(body.as_bytes()).unwrap().limit(), Some(7), "{body}");
        }
    }

    #[test]
    fn nulls_are_absent_and_a_broken_body_names_its_place() {
        let ask = Ask::read(br#"{"model":"m","stream":null,"tools":null,"max_tokens":null}"#).unwrap();
        assert!(ask.tools.is_none() && ask.limit().is_none() && ask.stream.is_none());
        assert!(Ask::read(b"{\"model\":").unwrap_err().contains("line 1"));
    }
}
