//! Free-form tools at models that know only functions.
//!
//! OpenAI's custom tools take bare text (Codex's `apply_patch`). Elsewhere such a tool is offered as a
//! function with one string, under a marked name; a call of that name is turned back into a custom
//! call with the bare text. Nothing is stored: the mark says it all.

use super::text::Text;
use crate::framing::json::{Duplicates, JsonWriter, parse};
use std::borrow::Cow;

/// Behind the tool's own name.
const MARK: &str = "__tgfreeform";
/// The function's one parameter.
const PARAMETER: &str = "input";

/// JSON Schema of the function that stands for a custom tool.
pub const SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The tool's input: free text."}},"required":["input"],"additionalProperties":false}"#;

/// The name such a tool is offered under.
pub fn wrap_name(name: &str) -> String {
    format!("{name}{MARK}")
}

/// The tool's own name, where `name` is a marked one.
pub fn unwrap_name(name: &str) -> Option<&str> {
    name.strip_suffix(MARK).filter(|own| !own.is_empty())
}

/// The function's description: the tool's own, and the grammar of its input, which only the model can
/// keep to.
pub fn wrap_description<'d>(description: Option<&'d str>, format: Option<&str>) -> Option<Text<'d>> {
    let description = description.filter(|words| !words.is_empty());
    match (description, format) {
        (words, None) => words.map(Cow::Borrowed),
        (None, Some(format)) => Some(Cow::Owned(format!("Format of the input: {format}"))),
        (Some(words), Some(format)) => Some(Cow::Owned(format!("{words}\n\nFormat of the input: {format}"))),
    }
}

/// The function's arguments for a custom call's text.
pub fn wrap_input(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    JsonWriter::new(&mut out).object(|w| w.field_str(PARAMETER, text));
    String::from_utf8(out).unwrap_or_default()
}

/// The bare text of whole arguments; what is no such object is the text itself.
pub fn unwrap_input(arguments: &str) -> Text<'_> {
    let Ok(node) = parse(arguments, Duplicates::LastCounts) else { return Cow::Borrowed(arguments) };
    node.text_of(PARAMETER).unwrap_or(Cow::Borrowed(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_form_call_comes_back_as_it_went() {
        assert_eq!(unwrap_name(&wrap_name("apply_patch")), Some("apply_patch"));
        assert_eq!((unwrap_name("apply_patch"), unwrap_name(MARK)), (None, None));
        let text = "*** Begin Patch\n\"é\\\"";
        assert_eq!(unwrap_input(&wrap_input(text)), text);
        assert_eq!(unwrap_input("{\"input\":"), "{\"input\":");
        assert!(parse(SCHEMA, Duplicates::Refuse).is_ok());
    }
}
