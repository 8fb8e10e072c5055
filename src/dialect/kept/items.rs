//! The items of an `input` as they are stored: each whole, with a type and an id.

use crate::chat::{At, Refused};
use crate::framing::json::{JsonWriter, Node};

/// Most items one call may add to a conversation (OpenAI's bound).
pub const ITEMS_MAX: usize = 20;

/// An item and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedItem {
    pub id: String,
    /// The whole object, its id included.
    pub json: String,
}

/// The items that `input` holds: a text is one message of the user's. Ids that are missing are made
/// of `token`.
///
/// # Errors
/// [`Refused`] at the first that is no item.
pub fn input_items(input: Option<&Node<'_>>, token: &str) -> Result<Vec<NamedItem>, Refused> {
    let Some(input) = input else { return Ok(Vec::new()) };
    if input.is_string() {
        let id = format!("msg_{token}_i1");
        let json = written(|w| {
            w.field_str("id", &id);
            message_head(w, "user");
            w.field_array("content", |w| text_part(w, input.raw(), false));
        });
        return Ok(vec![NamedItem { id, json }]);
    }
    if !input.is_array() {
        let message = format!("this must be a string or an array of items, not {}", input.kind());
        return Err(Refused::new(At::of(input), message));
    }
    input.items().iter().enumerate().map(|(at, node)| item(node, token, at + 1)).collect()
}

fn item(node: &Node<'_>, token: &str, number: usize) -> Result<NamedItem, Refused> {
    let kind = match node.text_of("type") {
        Some(kind) => kind,
        None if node.get("role").is_some() => "message".into(),
        None => return Err(Refused::new(At::of(node), "an item needs a `type` or a `role`")),
    };
    let given = node.text_of("id").filter(|id| !id.is_empty());
    let id = given.map_or_else(|| format!("{}_{token}_i{number}", prefix(&kind)), Into::into);
    let is_message = kind == "message";
    let json = written(|w| {
        w.field_str("id", &id);
        if is_message {
            let role = node.text_of("role").unwrap_or_default();
            message_head(w, &role);
            content(w, node, role == "assistant");
        } else {
            w.field_str("type", &kind);
            if has_status(&kind) && node.get("status").is_none() {
                w.field_str("status", "completed");
            }
        }
        let written = ["id", "type", "role", "content"];
        for (name, value) in node.entries() {
            let is_written = match name.as_ref() {
                "id" | "type" => true,
                "status" => is_message || value.is_null(),
                name => is_message && written.contains(&name),
            };
            if !is_written {
                w.field_raw(name, value.raw());
            }
        }
    });
    Ok(NamedItem { id, json })
}

fn written(members: impl FnOnce(&mut JsonWriter<'_>)) -> String {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).object(members);
    String::from_utf8(out).unwrap_or_default()
}

fn message_head(w: &mut JsonWriter<'_>, role: &str) {
    w.field_str("type", "message");
    w.field_str("status", "completed");
    w.field_str("role", role);
}

/// Content is shown as parts, also where it was written as a text.
fn content(w: &mut JsonWriter<'_>, node: &Node<'_>, is_assistant: bool) {
    match node.get("content") {
        None => w.field_array("content", |_| {}),
        Some(text) if text.is_string() => {
            w.field_array("content", |w| text_part(w, text.raw(), is_assistant));
        }
        Some(parts) => w.field_raw("content", parts.raw()),
    }
}

/// `quoted` is a JSON string.
fn text_part(w: &mut JsonWriter<'_>, quoted: &str, is_assistant: bool) {
    w.object(|w| {
        w.field_str("type", if is_assistant { "output_text" } else { "input_text" });
        w.field_raw("text", quoted);
        if is_assistant {
            w.field_array("annotations", |_| {});
        }
    });
}

fn has_status(kind: &str) -> bool {
    matches!(kind, "function_call" | "function_call_output")
}

fn prefix(kind: &str) -> &str {
    match kind {
        "message" => "msg",
        "function_call" => "fc",
        "function_call_output" => "fco",
        "custom_tool_call" => "ctc",
        "custom_tool_call_output" => "ctco",
        "reasoning" => "rs",
        _ => "item",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};

    fn items(json: &str) -> Result<Vec<NamedItem>, Refused> {
        input_items(Some(&parse(json, Duplicates::Refuse).unwrap()), "t")
    }

    fn shown(json: &str) -> Vec<String> {
        items(json).unwrap().into_iter().map(|item| item.json).collect()
    }

    #[test]
    fn a_text_is_a_message_of_the_users() {
        let made = items(r#""Hi \"you\"""#).unwrap();
        let json = r#"{"id":"msg_t_i1","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"Hi \"you\""}]}"#;
        assert_eq!(made, [NamedItem { id: "msg_t_i1".into(), json: json.into() }]);
        assert_eq!(input_items(None, "t").unwrap(), []);
    }

    #[test]
    fn every_item_has_a_type_an_id_and_all_that_was_said() {
        let list = r#"[
            {"role":"assistant","content":"a","phase":"x"},
            {"type":"message","id":"msg_mine","role":"system","content":[{"type":"input_text","text":"b"}],"status":null},
            {"type":"function_call","call_id":"c","name":"f","arguments":"{ \"n\": 1.10 }"},
            {"type":"function_call_output","call_id":"c","output":"o","status":"incomplete"},
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"tg1.a.x"},
            {"type":"shell_call","id":"","action":{"b":[1, 2]}}
        ]"#;
        let expected = [
            r#"{"id":"msg_t_i1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[]}],"phase":"x"}"#,
            r#"{"id":"msg_mine","type":"message","status":"completed","role":"system","content":[{"type":"input_text","text":"b"}]}"#,
            r#"{"id":"fc_t_i3","type":"function_call","status":"completed","call_id":"c","name":"f","arguments":"{ \"n\": 1.10 }"}"#,
            r#"{"id":"fco_t_i4","type":"function_call_output","call_id":"c","output":"o","status":"incomplete"}"#,
            r#"{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"tg1.a.x"}"#,
            r#"{"id":"item_t_i6","type":"shell_call","action":{"b":[1, 2]}}"#,
        ];
        assert_eq!(shown(list), expected);
    }

    #[test]
    fn what_is_no_item_is_refused_where_it_stands() {
        for (json, at) in [("7", 0), ("[{}]", 1), (r#"[{"role":"user"}, 3]"#, 18)] {
            assert_eq!(items(json).unwrap_err().at.offset(), Some(at), "{json}");
        }
    }
}
