//! `logprobsResult`, to and from OpenAI's `logprobs`, which is the canonical form of them.

use super::names::{get, text};
use crate::chat::Raw;
use crate::framing::json::{Duplicates, JsonWriter, Node, parse};

/// Gemini's as OpenAI's: `{"content":[{token, logprob, bytes, top_logprobs}]}`.
pub(super) fn from_gemini(result: &Node<'_>) -> Option<Raw<'static>> {
    let chosen = get(result, "chosenCandidates")?.items();
    let tops = get(result, "topCandidates").map(Node::items).unwrap_or_default();
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(|w| {
        w.field_array("content", |w| {
            for (at, token) in chosen.iter().enumerate() {
                w.object(|w| {
                    openai_token(w, token);
                    w.field_array("top_logprobs", |w| {
                        let top = tops.get(at).and_then(|top| get(top, "candidates"));
                        let top = top.map(Node::items).unwrap_or_default();
                        top.iter().for_each(|token| w.object(|w| openai_token(w, token)));
                    });
                });
            }
        });
        w.field_null("refusal");
    });
    String::from_utf8(out).ok().map(|json| Raw(json.into()))
}

fn openai_token(w: &mut JsonWriter<'_>, token: &Node<'_>) {
    let word = text(token, "token").unwrap_or_default();
    w.field_str("token", &word);
    w.field_raw("logprob", number(get(token, "logProbability")));
    w.field_array("bytes", |w| word.bytes().for_each(|byte| w.number(u64::from(byte))));
}

fn number<'a>(node: Option<&Node<'a>>) -> &'a str {
    node.filter(|node| node.is_number()).map_or("0", Node::raw)
}

/// Writes the member `logprobsResult` of OpenAI's `logprobs`.
pub(super) fn write(w: &mut JsonWriter<'_>, logprobs: &Raw<'_>) {
    let Ok(root) = parse(logprobs.as_str(), Duplicates::LastCounts) else { return };
    let tokens = root.get("content").map(Node::items).unwrap_or_default();
    if tokens.is_empty() {
        return;
    }
    w.field_object("logprobsResult", |w| {
        w.field_array("chosenCandidates", |w| tokens.iter().for_each(|token| gemini_token(w, token)));
        w.field_array("topCandidates", |w| {
            for token in tokens {
                w.object(|w| {
                    let top = token.get("top_logprobs").map(Node::items).unwrap_or_default();
                    w.field_array("candidates", |w| top.iter().for_each(|token| gemini_token(w, token)));
                });
            }
        });
    });
}

fn gemini_token(w: &mut JsonWriter<'_>, token: &Node<'_>) {
    w.object(|w| {
        w.field_str("token", &token.text_of("token").unwrap_or_default());
        w.field_raw("logProbability", number(token.get("logprob")));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_keep_their_digits_both_ways() {
        let json = r#"{"chosenCandidates":[{"logProbability":-2.3844768e-07,"token":"é","tokenId":7}],
            "topCandidates":[{"candidates":[{"logProbability":-0.50,"token":"\n"}]}]}"#;
        let openai = from_gemini(&parse(json, Duplicates::Refuse).unwrap()).unwrap();
        assert_eq!(
            openai.as_str(),
            r#"{"content":[{"token":"é","logprob":-2.3844768e-07,"bytes":[195,169],"top_logprobs":[{"token":"\n","logprob":-0.50,"bytes":[10]}]}],"refusal":null}"#
        );
        let mut out = Vec::new();
        JsonWriter::new(&mut out).object(|w| write(w, &openai));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"logprobsResult":{"chosenCandidates":[{"token":"é","logProbability":-2.3844768e-07}],"topCandidates":[{"candidates":[{"token":"\n","logProbability":-0.50}]}]}}"#
        );
    }
}
