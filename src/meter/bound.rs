//! An upper bound for the tokens of a request body, from bytes and keys alone.
//!
//! Not a count: it is 3 to 6 times too high on prose, and nearly free. Why it is never too low:
//! every token of every family covers at least one byte of the text; a text in JSON is never shorter
//! than the text; and the JSON around it (`{"role":"user","content":""},`) is longer in bytes than any
//! chat template's frame in tokens. What costs tokens without bytes is added: instructions that come
//! with tools, pictures, and what the provider keeps (histories, files, caches), which has no bound but
//! the largest context. Not in it: what a provider's own tools fetch during the call.

use memchr::memchr_iter;

use super::body::BodyShape;
use super::family::Family;
use super::images::ImageRule;

/// What starts an answer, and the largest system frame a template adds on its own.
const FRAME_TOKENS: u64 = 128;
/// The most that declared tools add to what their JSON has in bytes: instructions of the provider, its
/// own tools' descriptions included.
const TOOLS_TOKENS: u64 = 8192;
/// The largest context window on offer: nothing referred to can count more in one call.
const CONTEXT_TOKENS: u64 = 1 << 21;

/// What a key of the body says about tokens that are not in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hidden {
    Nothing,
    /// An image, or where the body speaks of documents perhaps one of those: its pages cost more
    /// tokens than they may have bytes.
    Image,
    Tools,
    /// Of unknown size, up to a whole context.
    Unbounded,
}

/// Never less than what `body` counts as input; `u64::MAX` never occurs.
pub(super) fn of_body(shape: BodyShape, family: Family, body: &[u8]) -> u64 {
    let mut bound = body.len() as u64 + FRAME_TOKENS;
    let mut image = None; // Found out at most once: it takes a search of the whole body.
    for colon in memchr_iter(b':', body) {
        let hidden = key_before(body, colon).map_or(Hidden::Nothing, |key| hidden(shape, key));
        bound += match hidden {
            Hidden::Nothing => continue,
            Hidden::Tools => TOOLS_TOKENS,
            Hidden::Image => *image.get_or_insert_with(|| image_tokens(family, body)),
            Hidden::Unbounded => CONTEXT_TOKENS,
        };
    }
    bound
}

/// The key that ends before the colon, without its quotes. `None` when that colon is inside a string:
/// there a quote before it is escaped.
fn key_before(body: &[u8], colon: usize) -> Option<&[u8]> {
    let before = body.get(..colon)?.trim_ascii_end();
    let key = before.strip_suffix(b"\"")?;
    if key.last() == Some(&b'\\') {
        return None;
    }
    /// No key of interest is longer.
    const KEY_BYTES_MAX: usize = 26;
    let reach = key.get(key.len().saturating_sub(KEY_BYTES_MAX + 1)..)?;
    let start = reach.iter().rposition(|byte| *byte == b'"');
    let Some(start) = start else {
        // Too long to be one of them, unless it is spelled with escapes.
        return reach.contains(&b'\\').then_some(&b"\\"[..]);
    };
    if start > 0 && reach.get(start - 1) == Some(&b'\\') {
        return Some(b"\\"); // The quote is part of the key.
    }
    reach.get(start + 1..)
}

/// The most an image part of this body can cost; without bound if it may be a document instead. An
/// escape could spell either word.
fn image_tokens(family: Family, body: &[u8]) -> u64 {
    let is_in_body = |word: &&[u8]| memchr::memmem::find(body, word).is_some();
    let may_be_document = [&b"document"[..], b"pdf", b"\\u00"].iter().any(is_in_body);
    if may_be_document { CONTEXT_TOKENS } else { ImageRule::family_max(family) }
}

fn hidden(shape: BodyShape, key: &[u8]) -> Hidden {
    match key {
        b"image_url" | b"inlineData" | b"inline_data" | b"input_image" | b"image" | b"images" | b"source"
        | b"audio" => Hidden::Image,
        b"tools"
        | b"functions"
        | b"toolConfig"
        | b"tool_config"
        | b"mcp_servers"
        | b"container"
        | b"web_search_options"
        | b"response_format"
        | b"output_config"
        | b"output_format"
        | b"responseSchema"
        | b"response_schema"
        | b"responseJsonSchema" => Hidden::Tools,
        b"file"
        | b"file_id"
        | b"file_url"
        | b"file_data"
        | b"document_url"
        | b"video_url"
        | b"fileData"
        | b"fileUri"
        | b"file_uri"
        | b"input_audio"
        | b"cachedContent"
        | b"cached_content"
        | b"previous_response_id"
        | b"conversation"
        | b"fileSearch"
        | b"file_search" => Hidden::Unbounded,
        // A stored prompt; elsewhere `prompt` is the text itself.
        b"prompt" if shape == BodyShape::Responses => Hidden::Unbounded,
        _ if key.contains(&b'\\') => Hidden::Unbounded,
        _ => Hidden::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chat(body: &str) -> u64 {
        of_body(BodyShape::Chat, Family::O200k, body.as_bytes())
    }

    #[test]
    fn text_that_talks_about_images_is_not_taken_for_one() {
        let body =
            r#"{"messages":[{"role":"user","content":"an \"image_url\": \"x\" and tools: file_id:"}]}"#;
        assert_eq!(chat(body), body.len() as u64 + FRAME_TOKENS);
    }

    #[test]
    fn what_costs_tokens_without_bytes_is_added() {
        let image = ImageRule::family_max(Family::O200k);
        for (body, more) in [
            (r#"{"image_url":{"url":"x"}}"#, image),
            (r#"{"image_url" : 1, "image_url":2}"#, 2 * image),
            (r#"{"source":{"type":"base64"}}"#, image),
            (r#"{"type":"document","source":{}}"#, CONTEXT_TOKENS),
            (r#"{"inlineData":{"mimeType":"application/p\u0064f"}}"#, CONTEXT_TOKENS),
            (r#"{"tools":[]}"#, TOOLS_TOKENS),
            (r#"{"previous_response_id":"r"}"#, CONTEXT_TOKENS),
            (r#"{"\u0066ile_id":"r"}"#, CONTEXT_TOKENS),
            (r#"{"\u0066\u0069\u006c\u0065\u005f\u0069\u0064":"r"}"#, CONTEXT_TOKENS),
            (r#"{"a\"":"r"}"#, CONTEXT_TOKENS),
            (r#"{"temperature":1,"a_key_that_is_longer_than_any_that_matters":2}"#, 0),
        ] {
            assert_eq!(chat(body), body.len() as u64 + FRAME_TOKENS + more, "{body}");
        }
        // A search of the body for each of these would take minutes.
        let many = r#""image_url":1,"#.repeat(80_000);
        assert_eq!(chat(&many), many.len() as u64 + FRAME_TOKENS + 80_000 * image);
        assert!(chat(r#"{"prompt":{"id":"p"}}"#) < CONTEXT_TOKENS);
        assert!(of_body(BodyShape::Responses, Family::O200k, br#"{"prompt":{"id":"p"}}"#) > CONTEXT_TOKENS);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_or_fall_below_their_number(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(of_body(BodyShape::Chat, Family::Other, &body) >= body.len() as u64);
        }
    }
}
