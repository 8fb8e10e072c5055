//! Small objects of the API, and its refusals in OpenAI's words.

use crate::framing::json::{JsonWriter, Node};
use crate::types::{Reason, Reject};

/// OpenAI's bounds of metadata: pairs, bytes of a key, bytes of a value.
const PAIRS_MAX: usize = 16;
const KEY_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 512;
/// An id as it is repeated in a message.
const SHOWN_CHARS: usize = 80;

/// The conversation object.
pub fn conversation(id: &str, created: u64, metadata: &str) -> String {
    written(|w| {
        w.field_str("id", id);
        w.field_str("object", "conversation");
        w.field_u64("created_at", created);
        w.field_raw("metadata", metadata);
    })
}

/// What a DELETE answers; `object` is `response` or `conversation.deleted`.
pub fn deleted(id: &str, object: &str) -> String {
    written(|w| {
        w.field_str("id", id);
        w.field_str("object", object);
        w.field_bool("deleted", true);
    })
}

/// The `metadata` of a body, `{}` where it has none.
///
/// # Errors
/// 400 where it is no metadata.
pub fn metadata(root: &Node<'_>) -> Result<String, Reject> {
    let Some(node) = root.get("metadata") else { return Ok("{}".to_owned()) };
    let refuse = |message: String| Err(Reject::new(Reason::InvalidRequest, message).with_param("metadata"));
    if !node.is_object() {
        return refuse(format!("`metadata` must be an object, not {}", node.kind()));
    }
    if node.entries().len() > PAIRS_MAX {
        return refuse(format!("`metadata` has more than {PAIRS_MAX} pairs"));
    }
    for (key, value) in node.entries() {
        match value.text() {
            Some(text) if key.len() <= KEY_BYTES_MAX && text.len() <= VALUE_BYTES_MAX => {}
            _ => {
                return refuse(format!(
                    "in `metadata` keys have at most {KEY_BYTES_MAX} bytes, and values are strings of at most {VALUE_BYTES_MAX}"
                ));
            }
        }
    }
    Ok(written(|w| {
        for (key, value) in node.entries() {
            w.field_raw(key, value.raw());
        }
    }))
}

/// 404: there is no such thing, or it is not this caller's. `what` is `Response` or `Conversation`.
pub fn not_found(what: &str, id: &str) -> Reject {
    Reject::new(Reason::NotFound, format!("{what} with id '{}' not found.", shown(id)))
}

/// 404: a conversation has no such item.
pub fn item_not_found(item: &str, conversation: &str) -> Reject {
    let (item, conversation) = (shown(item), shown(conversation));
    let message = format!("Item with id '{item}' not found in conversation with id '{conversation}'.");
    Reject::new(Reason::NotFound, message)
}

/// What a call is told that goes on from a response nobody knows: OpenAI's 400, whose code its clients
/// look for to begin anew.
pub fn previous_not_found(id: &str) -> Reject {
    let message = format!("Previous response with id '{}' not found.", shown(id));
    Reject::new(Reason::PreviousResponseNotFound, message).with_param("previous_response_id")
}

/// Nothing kept here runs in the background.
pub fn cannot_cancel() -> Reject {
    Reject::new(Reason::InvalidRequest, "Cannot cancel a synchronous response.")
}

fn shown(id: &str) -> String {
    id.chars().filter(|character| !character.is_control()).take(SHOWN_CHARS).collect()
}

fn written(members: impl FnOnce(&mut JsonWriter<'_>)) -> String {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(members);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn read(json: &str) -> Result<String, Reject> {
        metadata(&parse(json, Duplicates::Refuse).unwrap())
    }

    #[test]
    fn objects_have_openais_form() {
        let made = conversation("conv_1", 7, r#"{"a":"b"}"#);
        assert_eq!(made, r#"{"id":"conv_1","object":"conversation","created_at":7,"metadata":{"a":"b"}}"#);
        assert_eq!(deleted("resp_1", "response"), r#"{"id":"resp_1","object":"response","deleted":true}"#);
    }

    #[test]
    fn metadata_is_strings_within_their_bounds() {
        assert_eq!(read("{}").unwrap(), "{}");
        assert_eq!(read(r#"{"metadata":null}"#).unwrap(), "{}");
        assert_eq!(read(r#"{"metadata":{"a":"b"}}"#).unwrap(), r#"{"a":"b"}"#);
        let pairs = |count: usize| {
            let pairs: Vec<String> = (0..count).map(|n| format!(r#""k{n}":"v""#)).collect();
            format!(r#"{{"metadata":{{{}}}}}"#, pairs.join(","))
        };
        assert!(read(&pairs(16)).is_ok() && read(&pairs(17)).is_err());
        let sized = |key: usize, value: usize| {
            format!(r#"{{"metadata":{{"{}":"{}"}}}}"#, "k".repeat(key), "v".repeat(value))
        };
        assert!(read(&sized(64, 512)).is_ok());
        for wrong in
            [sized(65, 1), sized(1, 513), r#"{"metadata":[]}"#.into(), r#"{"metadata":{"a":1}}"#.into()]
        {
            assert_eq!(read(&wrong).unwrap_err().param.as_deref(), Some("metadata"), "{wrong}");
        }
    }

    #[test]
    fn a_long_or_wild_id_is_not_repeated_whole() {
        let told = not_found("Response", &format!("resp_\n{}", "x".repeat(500)));
        assert!(told.message.len() < 130 && !told.message.contains('\n'), "{}", told.message);
        assert_eq!(told.status, 404);
        let previous = previous_not_found("resp_1");
        assert_eq!((previous.status, previous.reason.as_str()), (400, "previous_response_not_found"));
    }
}
