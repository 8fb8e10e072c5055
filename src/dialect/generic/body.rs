//! Whole answers of the endpoints that have no dialect of their own: embeddings, rerank,
//! moderations, images, transcriptions, and what passes unread.
//!
//! Usage: OpenAI's `usage`, or the `meta` of Cohere (`tokens` before `billed_units`). Cohere's search
//! units are searches, no tokens; a duration gives no usage.

use crate::dialect::tap::BodyReading;
use crate::types::{Endpoint, Usage};

use super::cursor::{Cursor, Read};
use super::fault::{self, ErrorFields};
use super::text::{Listener, texts};
use super::tokens::{raise, raise_given};
use super::usage;

/// Reads one JSON answer. Any of the endpoint's own keys makes it the expected shape.
pub(crate) fn read(endpoint: Endpoint, body: &[u8], reading: &mut BodyReading) -> Read<()> {
    let mut c = Cursor::new(body);
    let mut top = ErrorFields::default();
    let mut has_expected = expected_keys(endpoint).is_empty();
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        has_expected |= expected_keys(endpoint).contains(&key);
        match key {
            b"usage" => reading.usage = usage::read(&mut c)?.or(reading.usage),
            b"meta" => reading.usage = reading.usage.or(cohere_meta(&mut c)?),
            // Ollama's and Titan's counts of what was embedded.
            b"prompt_eval_count" | b"inputTextTokenCount" => {
                let mut input = None;
                raise_given(&mut input, &mut c)?;
                let counted = input.filter(|input| *input > 0);
                let counted = counted.map(|input| Usage { input, ..Usage::default() });
                reading.usage = reading.usage.or(counted);
            }
            b"error" if c.peek() == Some(b'"') => top.member(b"message", &mut c)?,
            b"error" => reading.fault = fault::read(&mut c)?.or(reading.fault.take()),
            b"message" | b"detail" | b"code" | b"type" => top.member(key, &mut c)?,
            _ => c.skip()?,
        }
    }
    if let (Endpoint::Images, Some(usage)) = (endpoint, &mut reading.usage) {
        // What an image endpoint generates is images, said or not.
        usage.image_output = if usage.image_output == 0 { usage.output } else { usage.image_output };
    }
    if !has_expected && reading.fault.is_none() && top.has_message() {
        reading.fault = Some(top.fault());
    }
    reading.is_expected_shape = has_expected;
    Ok(())
}

/// Any one of these makes an answer; none are asked where answers vary.
fn expected_keys(endpoint: Endpoint) -> &'static [&'static [u8]] {
    match endpoint {
        Endpoint::Embeddings => &[b"data", b"embeddings", b"embedding"],
        Endpoint::Rerank | Endpoint::CohereRerank => &[b"results", b"data"],
        Endpoint::CohereEmbed | Endpoint::OllamaEmbed => &[b"embeddings"],
        Endpoint::OllamaEmbeddings => &[b"embedding"],
        Endpoint::CohereTokenize => &[b"tokens"],
        Endpoint::Invoke => &[b"embedding", b"embeddings", b"embeddingsByType", b"results"],
        Endpoint::Moderations => &[b"results"],
        Endpoint::Images => &[b"data", b"images"],
        Endpoint::Transcriptions => &[b"text", b"segments"],
        _ => &[],
    }
}

fn cohere_meta(c: &mut Cursor<'_>) -> Read<Option<Usage>> {
    let (mut counted, mut billed, mut searches) = (None, None, 0);
    if !c.enter(b'{')? {
        return Ok(None);
    }
    while let Some(key) = c.key()? {
        match key {
            b"tokens" => counted = usage::read(c)?,
            b"billed_units" => {
                let units = c.raw()?;
                billed = usage::read(&mut Cursor::new(units))?;
                searches = search_units(&mut Cursor::new(units))?;
            }
            _ => c.skip()?,
        }
    }
    let tokens = counted.or(billed);
    if searches == 0 {
        return Ok(tokens);
    }
    Ok(Some(Usage { searches, ..tokens.unwrap_or_default() }))
}

fn search_units(c: &mut Cursor<'_>) -> Read<u64> {
    let mut searches = 0;
    if !c.enter(b'{')? {
        return Ok(0);
    }
    while let Some(key) = c.key()? {
        match key {
            b"search_units" => raise(&mut searches, c)?,
            _ => c.skip()?,
        }
    }
    Ok(searches)
}

/// Hands on the text of a transcription; no other answer here is generated text.
pub(crate) fn output_texts(body: &[u8], listener: Listener<'_>) -> Read<()> {
    let mut c = Cursor::new(body);
    if !c.enter(b'{')? {
        return Ok(());
    }
    while let Some(key) = c.key()? {
        match key {
            b"text" => texts(&mut c, listener).map(|_| ())?,
            _ => c.skip()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::tap::read_body;

    #[test]
    fn usage_is_found_where_each_endpoint_keeps_it() {
        for (endpoint, json, input, output) in [
            (
                Endpoint::Embeddings,
                r#"{"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
                8,
                0,
            ),
            (Endpoint::Rerank, r#"{"data":[],"usage":{"total_tokens":43}}"#, 43, 0),
            (Endpoint::OllamaEmbed, r#"{"model":"m","embeddings":[[1]],"prompt_eval_count":7}"#, 7, 0),
            (Endpoint::Invoke, r#"{"embedding":[1],"inputTextTokenCount":6}"#, 6, 0),
            (
                Endpoint::CohereEmbed,
                r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":5}}}"#,
                5,
                0,
            ),
            (
                Endpoint::Rerank,
                r#"{"results":[],"meta":{"billed_units":{"input_tokens":9.0},"tokens":{"input_tokens":11,"output_tokens":2}}}"#,
                11,
                2,
            ),
            (
                Endpoint::Transcriptions,
                r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"audio_tokens":14},"output_tokens":4,"total_tokens":18}}"#,
                14,
                4,
            ),
            (
                Endpoint::Images,
                r#"{"data":[],"usage":{"input_tokens":50,"input_tokens_details":{"image_tokens":40},"output_tokens":90,"total_tokens":140}}"#,
                50,
                90,
            ),
        ] {
            let reading = read_body(endpoint, json.as_bytes());
            let usage = reading.usage.expect(json);
            assert_eq!(
                (usage.input, usage.output, reading.is_expected_shape),
                (input, output, true),
                "{json}"
            );
        }
    }

    #[test]
    fn durations_are_no_usage_and_search_units_no_tokens() {
        let duration =
            read_body(Endpoint::Transcriptions, br#"{"text":"x","usage":{"type":"duration","seconds":37}}"#);
        let units =
            read_body(Endpoint::Rerank, br#"{"results":[],"meta":{"billed_units":{"search_units":1}}}"#);
        assert_eq!(duration.usage, None);
        assert_eq!(units.usage, Some(Usage { searches: 1, ..Usage::default() }));
        let both = read_body(
            Endpoint::CohereRerank,
            br#"{"results":[],"meta":{"tokens":{"input_tokens":9},"billed_units":{"search_units":2}}}"#,
        );
        assert_eq!(both.usage, Some(Usage { input: 9, searches: 2, ..Usage::default() }));
    }

    #[test]
    fn image_tokens_are_what_an_image_endpoint_generates() {
        let reading =
            read_body(Endpoint::Images, br#"{"data":[],"usage":{"input_tokens":5,"output_tokens":90}}"#);
        assert_eq!(reading.usage.unwrap().image_output, 90);
    }
}
