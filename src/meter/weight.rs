//! Weighs one JSON value of a request body: a message, a content part, a system prompt.
//!
//! Not the body's outline (that is `body`). Text is counted while the JSON is read, without building a
//! tree. Invariant: a part it does not know still weighs something, and marks the weight as estimated.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::images::ImageRule;
use super::media::{Media, MediaSeed};
use super::tokenizer::Tokenizer;

/// Tokens of a part of a body, before the family's factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Tokens of text in the counting vocabulary; the family's factor applies.
    pub text: u64,
    /// Tokens that are the same for every vocabulary of the model: frames, images.
    pub fixed: u64,
    /// Whether any of it is not exact.
    pub is_estimated: bool,
}

/// What weighing needs to know.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub tokenizer: &'static dyn Tokenizer,
    pub images: ImageRule,
    /// Whether a bare number is a token id, as in embeddings and completions.
    pub has_token_ids: bool,
}

/// What a key of an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Text, or parts that hold text.
    Text,
    /// The author's name in an OpenAI message: one token besides its text.
    Name,
    /// Parts of a tool call: rendered by a template that is not public.
    Call,
    /// Free JSON: weighed as written.
    Json,
    /// An image, document or recording, inline or by reference.
    Media,
    /// OpenAI's `detail`, beside or inside an image.
    Detail,
    /// Encrypted by the provider: its length says little.
    Sealed,
    /// Not shown to the model.
    Skip,
    Unknown,
}

/// Deserializes a value into a weight.
pub(super) struct Walk<'w> {
    pub scale: Scale,
    pub weight: &'w mut Weight,
    /// Whether this is a message itself: `name` is its author, not a tool.
    pub is_message: bool,
}

struct Key;

impl Weight {
    pub(super) fn add(&mut self, other: Weight) {
        self.text = self.text.saturating_add(other.text);
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.is_estimated |= other.is_estimated;
    }
}

impl Scale {
    /// The weight of one value; the error tells where the JSON is not what it should be.
    pub(super) fn weigh(self, raw: &str, is_message: bool) -> Result<Weight, serde_json::Error> {
        let mut weight = Weight::default();
        let mut json = serde_json::Deserializer::from_str(raw);
        Walk { scale: self, weight: &mut weight, is_message }.deserialize(&mut json)?;
        json.end()?;
        Ok(weight)
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or content parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.weight.text += self.scale.tokenizer.count(text);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_u64(0)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_u64(0)
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.weight.fixed += u64::from(self.scale.has_token_ids);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        let (scale, weight) = (self.scale, self.weight);
        while parts.next_element_seed(Walk { scale, weight, is_message: false })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let (scale, weight) = (self.scale, self.weight);
        let (mut pictures, mut is_low) = (None::<Media>, false);
        while let Some(part) = object.next_key_seed(Key)? {
            match part {
                Part::Skip => drop(object.next_value::<IgnoredAny>()?),
                Part::Text => object.next_value_seed(Walk { scale, weight, is_message: false })?,
                Part::Name => {
                    weight.fixed += u64::from(self.is_message);
                    object.next_value_seed(Walk { scale, weight, is_message: false })?;
                }
                Part::Call => {
                    weight.is_estimated = true;
                    object.next_value_seed(Walk { scale, weight, is_message: false })?;
                }
                Part::Json | Part::Unknown => {
                    weight.is_estimated = true;
                    let raw = object.next_value::<&RawValue>()?.get();
                    weight.text += scale.tokenizer.count(raw);
                }
                Part::Sealed => {
                    let raw = object.next_value::<&RawValue>()?.get();
                    weight.add(Weight { text: 0, fixed: raw.len() as u64 / 64 + 1, is_estimated: true });
                }
                Part::Detail => is_low = object.next_value_seed(IsLow)?,
                Part::Media => {
                    let media =
                        object.next_value_seed(MediaSeed(Walk { scale, weight, is_message: false }))?;
                    if let Some(before) = pictures.replace(media) {
                        before.weigh(scale, is_low, weight);
                    }
                }
            }
        }
        if let Some(media) = pictures {
            media.weigh(scale, is_low, weight);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Part, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Part, E> {
        Ok(match key {
            "content" | "text" | "parts" | "thinking" | "reasoning" | "reasoning_content" | "refusal"
            | "title" | "context" | "output" | "summary" | "stdout" | "stderr" | "code" | "result"
            | "contents" | "input_text" | "query" | "documents" | "prompt" => Part::Text,
            "name" => Part::Name,
            "tool_calls"
            | "function_call"
            | "functionCall"
            | "functionResponse"
            | "function_response"
            | "function"
            | "arguments"
            | "executableCode"
            | "executable_code"
            | "codeExecutionResult"
            | "code_execution_result"
            | "tool_references"
            | "tool_name" => Part::Call,
            "input" | "args" | "response" | "action" | "actions" | "results" | "tools" => Part::Json,
            "image_url" | "source" | "inlineData" | "inline_data" | "fileData" | "file_data" | "file"
            | "file_id" | "file_url" | "document_url" | "input_audio" | "audio" | "video_url" => Part::Media,
            "data" | "encrypted_content" | "reasoning_details" => Part::Sealed,
            "detail" => Part::Detail,
            "role"
            | "type"
            | "id"
            | "call_id"
            | "tool_call_id"
            | "tool_use_id"
            | "status"
            | "index"
            | "cache_control"
            | "prompt_cache_breakpoint"
            | "signature"
            | "thoughtSignature"
            | "thought_signature"
            | "thought"
            | "annotations"
            | "citations"
            | "logprobs"
            | "phase"
            | "is_error"
            | "filename"
            | "mimeType"
            | "mime_type"
            | "media_type"
            | "prefix"
            | "partial"
            | "videoMetadata"
            | "video_metadata"
            | "willContinue"
            | "return_code" => Part::Skip,
            _ => Part::Unknown,
        })
    }
}

/// Whether OpenAI's `detail` is `low`.
pub(super) struct IsLow;

impl<'de> DeserializeSeed<'de> for IsLow {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        let raw: &RawValue = serde::Deserialize::deserialize(json).map_err(D::Error::custom)?;
        Ok(raw.get() == "\"low\"")
    }
}

#[cfg(test)]
mod tests {
    use super::super::family::Family;
    use super::super::tokenizer::Encoding;
    use super::*;

    fn weigh(raw: &str) -> Weight {
        let images = ImageRule::of(Family::O200k, "gpt-4o");
        let scale = Scale { tokenizer: Encoding::O200k.tokenizer(), images, has_token_ids: false };
        scale.weigh(raw, true).unwrap()
    }

    #[test]
    fn plain_text_is_exact_however_it_is_wrapped_or_escaped() {
        let exact = Weight { text: 2, ..Weight::default() };
        assert_eq!(weigh(r#"{"role":"user","content":"hello world"}"#), exact);
        assert_eq!(weigh(r#"{"content":[{"type":"text","text":"hello\u0020world"}],"role":"user"}"#), exact);
        assert_eq!(weigh(r#"{"role":"user","parts":[{"text":"hello world"}]}"#), exact);
        assert_eq!(weigh(r#"{"role":"user","content":null}"#), Weight::default());
    }

    #[test]
    fn a_name_costs_a_token_only_as_an_author() {
        assert_eq!(weigh(r#"{"role":"user","name":"Bob"}"#).fixed, 1);
        let call = weigh(r#"{"tool_calls":[{"function":{"name":"Bob","arguments":"{}"}}]}"#);
        assert_eq!((call.fixed, call.is_estimated), (0, true));
    }

    #[test]
    fn every_kind_of_block_weighs_something() {
        for block in [
            r#"{"type":"tool_use","id":"t","name":"f","input":{"city":"Paris"}}"#,
            r#"{"type":"tool_result","tool_use_id":"t","content":"sunny"}"#,
            r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"sunny"}]}"#,
            r#"{"type":"thinking","thinking":"hm, Paris","signature":"x"}"#,
            r#"{"type":"redacted_thinking","data":"EjQ="}"#,
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"words"}}"#,
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
            r#"{"type":"document","source":{"type":"url","url":"https://a/b.pdf"}}"#,
            r#"{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"}]}}"#,
            r#"{"type":"image","source":{"type":"url","url":"https://a/b.png"}}"#,
            r#"{"type":"image_url","image_url":{"url":"https://a/b.png"}}"#,
            r#"{"type":"input_image","image_url":"data:image/png;base64,AAAA"}"#,
            r#"{"type":"input_file","file_id":"f"}"#,
            r#"{"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}}"#,
            r#"{"fileData":{"fileUri":"gs://x"}}"#,
            r#"{"functionCall":{"name":"f","args":{}}}"#,
            r#"{"functionResponse":{"name":"f","response":{"x":1}}}"#,
            r#"{"type":"something_new","payload":{"a":[1,2]}}"#,
        ] {
            let weight = weigh(&format!(r#"{{"role":"user","content":[{block}]}}"#));
            assert!(weight.text + weight.fixed > 0, "{block}");
        }
    }

    #[test]
    fn detail_low_is_honoured_before_and_after_the_image() {
        for body in [
            r#"{"content":[{"type":"input_image","detail":"low","image_url":"data:image/gif;base64,R0lGODlhgALgAQ=="}]}"#,
            r#"{"content":[{"type":"input_image","image_url":"data:image/gif;base64,R0lGODlhgALgAQ==","detail":"low"}]}"#,
            r#"{"content":[{"image_url":{"url":"data:image/gif;base64,R0lGODlhgALgAQ==","detail":"low"}}]}"#,
        ] {
            assert_eq!(weigh(body), Weight { text: 0, fixed: 85, is_estimated: true }, "{body}");
        }
        let high = r#"{"content":[{"image_url":{"url":"data:image/gif;base64,R0lGODlhgALgAQ=="}}]}"#;
        assert_eq!(weigh(high).fixed, 85 + 2 * 170);
    }
}
