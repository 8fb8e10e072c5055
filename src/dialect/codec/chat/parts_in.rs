//! Parts of a message's content.

use crate::chat::{
    At, Block, BlockKind, CacheHint, Citation, Extra, Media, Raw, Refused, Source, Text, Thinking,
};
use crate::framing::json::Node;
use crate::types::Protocol;

use super::{extra, media};

/// Reads `content`: a string, a list of parts, or nothing.
pub(super) fn read<'a>(content: Option<&Node<'a>>) -> Result<Vec<Block<'a>>, Refused> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = content.text() {
        let block = Block::text(text).at(At::of(content));
        return Ok(if block.as_text() == Some("") { Vec::new() } else { vec![block] });
    }
    if !content.is_array() {
        let message = format!("`content` must be a string or a list of parts, not {}", content.kind());
        return Err(Refused::new(At::of(content), message));
    }
    let mut blocks = Vec::with_capacity(content.items().len());
    for part in content.items() {
        let block = read_part(part)?;
        // An empty text says nothing, and most providers refuse it.
        if block.as_text() != Some("") || block.cache.is_some() {
            blocks.push(block);
        }
    }
    Ok(blocks)
}

/// Reads one part. One of an unknown type is kept whole.
pub(super) fn read_part<'a>(part: &Node<'a>) -> Result<Block<'a>, Refused> {
    let at = At::of(part);
    if let Some(text) = part.text() {
        return Ok(Block::text(text).at(at));
    }
    let Some(kind) = part.text_of("type") else {
        return Err(Refused::new(at, "a part must be an object with a `type`"));
    };
    let (kind, rest) = match kind.as_ref() {
        "text" | "input_text" | "output_text" => text(part)?,
        "image_url" | "input_image" => image(part)?,
        "input_audio" | "audio_url" => audio(part, &kind)?,
        "file" | "input_file" => file(part)?,
        "video_url" | "document_url" => linked(part, &kind)?,
        "refusal" => {
            let refusal = required(part, "refusal")?;
            (BlockKind::Refusal(refusal), extra::of(part, &["type", "refusal"]))
        }
        "thinking" if part.get("thinking").is_some() => thinking(part),
        _ => {
            let kind = BlockKind::Opaque { of: Protocol::Chat, kind, json: Raw::of(part) };
            return Ok(Block::new(kind).at(at));
        }
    };
    let (cache, rest) = cache(part, rest);
    Ok(Block { at, kind, cache, extra: rest })
}

type Read<'a> = Result<(BlockKind<'a>, Extra<'a>), Refused>;

fn required<'a>(node: &Node<'a>, key: &str) -> Result<Text<'a>, Refused> {
    let found = node.get(key);
    found.and_then(Node::text).ok_or_else(|| {
        Refused::new(At::of(found.unwrap_or(node)), format!("this part needs a string `{key}`"))
    })
}

fn text<'a>(part: &Node<'a>) -> Read<'a> {
    let kind = BlockKind::Text { text: required(part, "text")?, citations: Vec::<Citation<'_>>::new() };
    Ok((kind, extra::of(part, &["type", "text", "annotations"])))
}

fn image<'a>(part: &Node<'a>) -> Read<'a> {
    let mut rest = extra::of(part, &["type", "image_url", "detail"]);
    let Some(node) = part.get("image_url") else {
        return Err(Refused::new(At::of(part), "this part needs `image_url`"));
    };
    // OpenAI nests the URL; Mistral and Responses do not.
    let (url, outer) = match node.text() {
        Some(url) => (url, part),
        None => (required(node, "url")?, node),
    };
    if node.is_object() {
        extra::add_inner(&mut rest, "image_url", node, &["url", "detail"]);
    }
    let image = media::of_url(url, At::of(node))?;
    Ok((BlockKind::Image(Media { detail: outer.text_of("detail"), ..image }), rest))
}

fn audio<'a>(part: &Node<'a>, key: &str) -> Read<'a> {
    let mut rest = extra::of(part, &["type", key]);
    let Some(node) = part.get(key) else {
        return Err(Refused::new(At::of(part), format!("this part needs `{key}`")));
    };
    if !node.is_object() || node.get("url").is_some() {
        let url = node.text().or_else(|| node.text_of("url")).unwrap_or_default();
        let sound = match media::of_url(url.clone(), At::of(node)) {
            Ok(sound) => sound,
            // Mistral: the base64 itself.
            Err(_) if !url.is_empty() && !url.contains(':') => of_source(Source::Base64(url)),
            Err(refused) => return Err(refused),
        };
        return Ok((BlockKind::Audio(sound), rest));
    }
    extra::add_inner(&mut rest, key, node, &["data", "format"]);
    let mime = node.text_of("format").map(media::audio_mime);
    let sound = Media { mime, ..of_source(Source::Base64(required(node, "data")?)) };
    Ok((BlockKind::Audio(sound), rest))
}

fn of_source(source: Source<'_>) -> Media<'_> {
    Media { source, mime: None, name: None, detail: None }
}

fn file<'a>(part: &Node<'a>) -> Read<'a> {
    // OpenAI nests; Responses does not.
    let inner = part.get("file").filter(|file| file.is_object());
    let file = inner.unwrap_or(part);
    const KNOWN: [&str; 6] = ["type", "file", "file_id", "file_data", "file_url", "filename"];
    let mut rest = extra::of(part, &KNOWN);
    if let Some(inner) = inner {
        extra::add_inner(
            &mut rest,
            "file",
            inner,
            &["file_id", "file_data", "file_url", "filename", "format"],
        );
    }
    let data = file.get("file_data").or_else(|| file.get("file_url"));
    let document = if let Some(id) = file.text_of("file_id") {
        of_source(Source::File { of: Protocol::Chat, id })
    } else if let Some((node, data)) = data.and_then(|node| Some((node, node.text()?))) {
        match media::of_url(data.clone(), At::of(node)) {
            Ok(document) => document,
            Err(_) if !data.is_empty() && !data.contains(':') => of_source(Source::Base64(data)),
            Err(refused) => return Err(refused),
        }
    } else {
        return Err(Refused::new(At::of(file), "a file needs `file_data` (a data URL) or `file_id`"));
    };
    let mime = document.mime.clone().or_else(|| inner?.text_of("format"));
    let name = file.text_of("filename");
    Ok((BlockKind::Document(Media { name, mime, ..document }), rest))
}

/// Parts that are a link: vLLM's and OpenRouter's films, Mistral's documents.
fn linked<'a>(part: &Node<'a>, key: &str) -> Read<'a> {
    let mut rest = extra::of(part, &["type", key, "document_name"]);
    let Some(node) = part.get(key) else {
        return Err(Refused::new(At::of(part), format!("this part needs `{key}`")));
    };
    if node.is_object() {
        extra::add_inner(&mut rest, key, node, &["url"]);
    }
    let url = node.text().or_else(|| node.text_of("url")).unwrap_or_default();
    let linked = media::of_url(url, At::of(node))?;
    if key == "video_url" {
        return Ok((BlockKind::Video(linked), rest));
    }
    Ok((BlockKind::Document(Media { name: part.text_of("document_name"), ..linked }), rest))
}

/// Mistral: `{type:"thinking",thinking:[{type:"text",text}],closed}`.
fn thinking<'a>(part: &Node<'a>) -> (BlockKind<'a>, Extra<'a>) {
    let node = part.get("thinking");
    let mut pieces = node.map(Node::items).unwrap_or_default().iter().filter_map(|p| p.text_of("text"));
    let first = node.and_then(Node::text).or_else(|| pieces.next()).unwrap_or_default();
    let text = pieces.fold(first, |mut all, piece| {
        all.to_mut().push_str(&piece);
        all
    });
    let thinking = Thinking { text, signature: None, is_summary: false, item_id: None };
    (BlockKind::Thinking(thinking), extra::of(part, &["type", "thinking", "closed"]))
}

/// OpenRouter's `cache_control` and OpenAI's `prompt_cache_breakpoint`.
pub(super) fn cache<'a>(node: &Node<'a>, mut rest: Extra<'a>) -> (Option<CacheHint<'a>>, Extra<'a>) {
    const KEYS: [&str; 2] = ["cache_control", "prompt_cache_breakpoint"];
    let Some((key, hint)) = KEYS.iter().find_map(|key| Some((*key, node.get(key)?))) else {
        return (None, rest);
    };
    if !hint.is_object() {
        return (None, rest);
    }
    rest.fields.retain(|field| field.name != key);
    if rest.fields.is_empty() {
        rest.of = None;
    }
    let hint = CacheHint { ttl_s: hint.get("ttl").and_then(ttl), extra: extra::of(hint, &["type", "ttl"]) };
    (Some(hint), rest)
}

/// `5m`, `1h`, `30m` …
fn ttl(node: &Node<'_>) -> Option<u32> {
    let text = node.text()?;
    let number = |digits: &str| digits.parse::<u32>().ok();
    match text.split_at_checked(text.len().checked_sub(1)?)? {
        (digits, "s") => number(digits),
        (digits, "m") => number(digits)?.checked_mul(60),
        (digits, "h") => number(digits)?.checked_mul(3600),
        _ => None,
    }
}
