//! The outline of a request body: which of its values hold messages, tools and prompts.
//!
//! Not the weighing itself. One pass finds the values as slices of the body; a message that was weighed
//! before is not even decoded. Invariant: fields that are not shown to the model are not counted.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::types::Endpoint;

/// Which outline a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyShape {
    Chat,
    Completions,
    Responses,
    Embeddings,
    Messages,
    Gemini,
    /// Text in `input`, `prompt`, `query`, `documents`, `texts`, `inputs` or `inputText`.
    Other,
}

/// One value of a body, with what it is to the model.
pub(super) enum Piece<'a> {
    /// Framed by the chat template; the slice of the whole message.
    Message(&'a str),
    /// Text or parts outside any message.
    Text(&'a str),
    /// Declarations of tools.
    Tools(&'a str),
    /// A schema for the answer.
    Schema(&'a str),
    /// A history or document kept by the provider: unknown here.
    Elsewhere,
}

/// All shapes' fields at once: they don't collide, and one reader serves for all.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    messages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    contents: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow, default)]
    query: Option<&'a RawValue>,
    #[serde(borrow, default)]
    documents: Option<&'a RawValue>,
    #[serde(borrow, default)]
    texts: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "inputText")]
    input_text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instructions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    system: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "system_instruction")]
    #[serde(rename = "systemInstruction")]
    system_instruction: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    requests: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    instances: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default, rename = "generateContentRequest", alias = "generate_content_request")]
    generate_content_request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    functions: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_format: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_config: Option<&'a RawValue>,
    #[serde(borrow, default)]
    previous_response_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "cachedContent", alias = "cached_content")]
    cached_content: Option<&'a RawValue>,
}

impl From<Endpoint> for BodyShape {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ChatCompletions => BodyShape::Chat,
            Endpoint::Completions => BodyShape::Completions,
            Endpoint::Responses | Endpoint::ResponseTokens => BodyShape::Responses,
            Endpoint::Embeddings => BodyShape::Embeddings,
            Endpoint::Messages | Endpoint::CountTokens => BodyShape::Messages,
            Endpoint::GenerateContent
            | Endpoint::StreamGenerateContent
            | Endpoint::GeminiCountTokens
            | Endpoint::EmbedContent
            | Endpoint::BatchEmbedContents
            | Endpoint::Predict => BodyShape::Gemini,
            _ => BodyShape::Other,
        }
    }
}

impl BodyShape {
    /// Calls `visit` with every piece of the body, in no particular order.
    pub(super) fn pieces<'a, E: From<serde_json::Error>>(
        self,
        body: &'a [u8],
        visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = std::str::from_utf8(body).map_err(|_| not_utf8())?;
        if !text.trim_start().starts_with('{') {
            return Err(not_an_object().into()); // A derived reader would take an array for one.
        }
        let outline: Outline<'a> = serde_json::from_str(text)?;
        match self {
            BodyShape::Chat => outline.chat(visit),
            BodyShape::Responses => outline.responses(visit),
            BodyShape::Messages => outline.anthropic(visit),
            BodyShape::Gemini => outline.gemini(visit),
            BodyShape::Completions | BodyShape::Embeddings | BodyShape::Other => {
                let texts = [outline.input, outline.prompt, outline.query, outline.documents];
                let more = [outline.texts, outline.inputs, outline.input_text];
                texts.into_iter().chain(more).flatten().try_for_each(|text| visit(Piece::Text(text.get())))
            }
        }
    }
}

impl<'a> Outline<'a> {
    fn chat<E>(self, visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>) -> Result<(), E> {
        let messages = self.messages.into_iter().flatten().map(|message| Piece::Message(message.get()));
        let tools = self.tools.into_iter().chain(self.functions).map(|tools| Piece::Tools(tools.get()));
        let schema = self.response_format.filter(has_schema).map(|schema| Piece::Schema(schema.get()));
        messages.chain(tools).chain(schema).try_for_each(visit)
    }

    fn responses<E>(self, visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<serde_json::Error>,
    {
        if let Some(instructions) = self.instructions {
            visit(Piece::Message(instructions.get()))?;
        }
        if let Some(input) = self.input {
            messages(input, visit)?;
        }
        if self.previous_response_id.is_some()
            || self.conversation.is_some()
            || self.prompt.is_some_and(|prompt| prompt.get().starts_with('{'))
        {
            visit(Piece::Elsewhere)?;
        }
        let schema = self.text.filter(has_schema).map(|schema| Piece::Schema(schema.get()));
        self.tools.map(|tools| Piece::Tools(tools.get())).into_iter().chain(schema).try_for_each(visit)
    }

    fn anthropic<E>(self, visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>) -> Result<(), E> {
        let messages = self.messages.into_iter().flatten().map(|message| Piece::Message(message.get()));
        let system = self.system.map(|system| Piece::Text(system.get()));
        let tools = self.tools.map(|tools| Piece::Tools(tools.get()));
        let formats = [self.output_format, self.output_config].into_iter().flatten().filter(has_schema);
        let schemas = formats.map(|schema| Piece::Schema(schema.get()));
        messages.chain(system).chain(tools).chain(schemas).try_for_each(visit)
    }

    fn gemini<E>(self, visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>) -> Result<(), E>
    where
        E: From<serde_json::Error>,
    {
        let several = self.requests.into_iter().chain(self.instances).flatten();
        for inner in several.chain(self.generate_content_request) {
            let inner: Outline<'a> = serde_json::from_str(inner.get())?;
            // One level: an inner request's own inner requests are not a thing.
            Outline { requests: None, instances: None, generate_content_request: None, ..inner }
                .gemini(visit)?;
        }
        if let Some(contents) = self.contents {
            messages(contents, visit)?;
        }
        if self.cached_content.is_some() {
            visit(Piece::Elsewhere)?;
        }
        let texts = self.system_instruction.into_iter().chain(self.content);
        let tools = self.tools.map(|tools| Piece::Tools(tools.get()));
        texts.map(|text| Piece::Text(text.get())).chain(tools).try_for_each(visit)
    }
}

/// An array of messages, or a single text or message.
fn messages<'a, E: From<serde_json::Error>>(
    raw: &'a RawValue,
    visit: &mut dyn FnMut(Piece<'a>) -> Result<(), E>,
) -> Result<(), E> {
    if !raw.get().starts_with('[') {
        return visit(Piece::Message(raw.get()));
    }
    let items: Vec<&'a RawValue> = serde_json::from_str(raw.get())?;
    items.into_iter().try_for_each(|item| visit(Piece::Message(item.get())))
}

fn has_schema(format: &&RawValue) -> bool {
    format.get().contains("schema")
}

fn not_an_object() -> serde_json::Error {
    serde::de::Error::custom("the body is not a JSON object")
}

fn not_utf8() -> serde_json::Error {
    serde::de::Error::custom("the body is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(shape: BodyShape, body: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut visit = |piece: Piece<'_>| -> Result<(), serde_json::Error> {
            found.push(match piece {
                Piece::Message(raw) => format!("m{raw}"),
                Piece::Text(raw) => format!("t{raw}"),
                Piece::Tools(raw) => format!("f{raw}"),
                Piece::Schema(raw) => format!("s{raw}"),
                Piece::Elsewhere => "?".to_owned(),
            });
            Ok(())
        };
        shape.pieces(body.as_bytes(), &mut visit).unwrap();
        found
    }

    #[test]
    fn each_shape_yields_its_own_pieces_and_no_parameters() {
        let all = r#"{"model":"m","temperature":1,"messages":[1,2],"system":3,"tools":[4],"stream":true}"#;
        assert_eq!(pieces(BodyShape::Chat, all), ["m1", "m2", "f[4]"]);
        assert_eq!(pieces(BodyShape::Messages, all), ["m1", "m2", "t3", "f[4]"]);
        let responses = r#"{"input":[{"a":1}, "b"],"instructions":"i","previous_response_id":"r","text":{"format":{"schema":{}}}}"#;
        let found = ["m\"i\"", "m{\"a\":1}", "m\"b\"", "?", "s{\"format\":{\"schema\":{}}}"];
        assert_eq!(pieces(BodyShape::Responses, responses), found);
        assert_eq!(pieces(BodyShape::Embeddings, r#"{"input":[1,2],"dimensions":3}"#), ["t[1,2]"]);
        let vendors = r#"{"texts":["a"],"inputText":"b","inputs":[{}],"input_type":"x","truncate":"END"}"#;
        assert_eq!(pieces(BodyShape::Other, vendors), ["t[\"a\"]", "t[{}]", "t\"b\""]);
    }

    #[test]
    fn gemini_requests_are_found_bare_nested_and_batched() {
        let bare = r#"{"contents":[1],"systemInstruction":2,"cachedContent":"c"}"#;
        assert_eq!(pieces(BodyShape::Gemini, bare), ["m1", "?", "t2"]);
        let nested = format!(r#"{{"generateContentRequest":{bare}}}"#);
        assert_eq!(pieces(BodyShape::Gemini, &nested), ["m1", "?", "t2"]);
        assert_eq!(pieces(BodyShape::Gemini, r#"{"requests":[{"content":1},{"content":2}]}"#), ["t1", "t2"]);
        assert_eq!(
            pieces(BodyShape::Gemini, r#"{"instances":[{"content":"a"},{"content":"b"}]}"#),
            ["t\"a\"", "t\"b\""]
        );
    }

    #[test]
    fn what_is_not_json_or_not_text_is_an_error() {
        for body in [&b"{"[..], b"\xff", b"[]", b"{\"messages\":1}", b"{\"messages\":[],\"messages\":[]}"] {
            let mut visit = |_: Piece<'_>| -> Result<(), serde_json::Error> { Ok(()) };
            assert!(BodyShape::Chat.pieces(body, &mut visit).is_err(), "{body:?}");
        }
    }
}
