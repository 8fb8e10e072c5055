//! Answers that were begun already: the request's last turn is the assistant's, and says in the way of its
//! vendor that it is to be gone on with.

use super::ask::Ask;
use super::text::Prose;
use serde_json::Value;

/// What is left to say of the text of `words` words that `seed` gives, piece by piece, behind `begun`.
/// None where the text does not begin so.
pub fn rest(seed: u64, words: usize, begun: &str) -> Option<Vec<String>> {
    let text = Prose::text(seed, words);
    let rest = text.strip_prefix(begun)?;
    let mut pieces = Vec::new();
    let mut at = 0;
    for (end, _) in rest.match_indices(' ').filter(|(place, _)| *place > 0).chain([(rest.len(), "")]) {
        pieces.push(rest.get(at..end).unwrap_or_default().to_owned());
        at = end;
    }
    pieces.retain(|piece| !piece.is_empty());
    Some(pieces)
}

/// The beginning that the request asks to go on with. `is_messages`: Anthropic's, where the turn says
/// it all.
pub fn begun(ask: &Ask<'_>, body: &[u8], is_messages: bool) -> Option<String> {
    // Looked for first: nearly no request has one, and reading all of it takes long.
    let raw = ask.messages?.get();
    let last = raw.rfind("\"assistant\"")?;
    if raw.get(last..)?.contains("\"user\"") {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let last = body.get("messages")?.as_array()?.last()?;
    if last.get("role")? != "assistant" {
        return None;
    }
    let said = [last.get("prefix"), last.get("partial"), body.get("continue_final_message")];
    if !is_messages && !said.contains(&Some(&Value::Bool(true))) {
        return None;
    }
    match last.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(blocks) => Some(blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_gone_on_with_wherever_it_was_cut() {
        let whole = Prose::text(7, 12);
        for cut in 0..=whole.len() {
            let pieces = rest(7, 12, &whole[..cut]).unwrap();
            assert_eq!([&whole[..cut], &pieces.concat()].concat(), whole, "{cut}");
            assert!(pieces.iter().all(|piece| piece.trim().split(' ').count() == 1), "{pieces:?}");
        }
        assert_eq!(rest(7, 12, "something else"), None);
    }

    #[test]
    fn only_a_last_turn_that_says_so_is_gone_on_with() {
        let of = |body: &str, is_messages| {
            begun(&Ask::read(body.as_bytes()).unwrap(), body.as_bytes(), is_messages)
        };
        let body = |more: &str, beside: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":"b"{more}}}]{beside}}}"#
            )
        };
        assert_eq!(of(&body("", ""), true).as_deref(), Some("b"));
        assert_eq!(of(&body("", ""), false), None, "a chat goes on only where it is told to");
        assert_eq!(of(&body(r#","prefix":true"#, ""), false).as_deref(), Some("b"));
        assert_eq!(of(&body(r#","partial":true"#, ""), false).as_deref(), Some("b"));
        assert_eq!(of(&body("", r#","continue_final_message":true"#), false).as_deref(), Some("b"));
        assert_eq!(
            of(r#"{"messages":[{"role":"assistant","content":"b"},{"role":"user","content":"a"}]}"#, true),
            None
        );
        let blocks = r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"b"}]}]}"#;
        assert_eq!(of(blocks, true).as_deref(), Some("b"));
    }
}
