//! Where in a body stands what the model reads, in the order it is read.
//!
//! Not here: what it weighs (`meter`), and what stands in it. Invariant: a conversation that went on for
//! another turn begins with all the bytes of [`PromptSpans::parts`] that it had before.

use std::ops::Range;

use super::fields::{Fields, names};
use super::value::Value;
use super::walk::Walk;

/// Turns looked through for the first one that is the user's.
const OPENING_TURNS_MAX: usize = 8;

/// Places of tools, instructions and turns; empty where a body has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptSpans {
    pub(super) tools: Range<usize>,
    pub(super) system: Range<usize>,
    pub(super) turns: Range<usize>,
}

names!(Turn in "messages[]." { Role = "role" });

impl PromptSpans {
    /// The places of these values, those that are there.
    pub(super) fn of([tools, system, turns]: [Option<Value<'_>>; 3]) -> Self {
        let span = |value: Option<Value<'_>>| value.map(|value| value.span()).unwrap_or_default();
        Self { tools: span(tools), system: span(system), turns: span(turns) }
    }

    /// What the model reads, the first first: tools and instructions are rendered before the turns.
    /// Without the bracket that ends the list of turns, where a next one would stand.
    pub fn parts<'b>(&self, body: &'b [u8]) -> [&'b [u8]; 3] {
        let [tools, system, turns] = self.raw(body);
        [tools, system, turns.strip_suffix(b"]").unwrap_or(turns)]
    }

    /// The same up to the end of the user's first turn: what stays as it is while a conversation goes on,
    /// and differs from other conversations.
    pub fn opening<'b>(&self, body: &'b [u8]) -> [&'b [u8]; 3] {
        let [tools, system, turns] = self.raw(body);
        let end = std::str::from_utf8(turns).map_or(turns.len(), opening_end);
        [tools, system, turns.get(..end).unwrap_or(turns)]
    }

    fn raw<'b>(&self, body: &'b [u8]) -> [&'b [u8]; 3] {
        [&self.tools, &self.system, &self.turns].map(|span| body.get(span.clone()).unwrap_or_default())
    }
}

/// Where the user's first turn ends. Turns that are no list are one turn.
fn opening_end(turns: &str) -> usize {
    let mut walk = Walk::new(turns);
    if !walk.take(b'[') {
        return turns.len();
    }
    for _ in 0..OPENING_TURNS_MAX {
        let is_before = walk.value(1).is_ok_and(is_instruction);
        if !is_before || !walk.take(b',') {
            break;
        }
    }
    walk.at()
}

fn is_instruction(turn: &str) -> bool {
    let fields = Fields::<Turn>::inside(Value { body: turn, raw: turn });
    let role = fields.ok().and_then(|fields| fields.get(Turn::Role)).map(|role| role.raw);
    matches!(role, Some("\"system\"" | "\"developer\""))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::types::Endpoint;

    fn parts(endpoint: Endpoint, body: &str) -> [String; 3] {
        let head = parse(endpoint, None, body.as_bytes()).unwrap();
        head.prompt.parts(body.as_bytes()).map(|part| String::from_utf8(part.to_vec()).unwrap())
    }

    fn opening(body: &str) -> String {
        let head = parse(Endpoint::ChatCompletions, None, body.as_bytes()).unwrap();
        String::from_utf8(head.prompt.opening(body.as_bytes()).concat()).unwrap()
    }

    #[test]
    fn tools_and_instructions_come_first_wherever_they_stand() {
        let body = r#"{"messages":[1, 2],"model":"m","tools":[3],"system":"s"}"#;
        assert_eq!(parts(Endpoint::Messages, body), ["[3]", "\"s\"", "[1, 2"]);
        let body = r#"{"input":"hi","instructions":"be kind","model":"m"}"#;
        assert_eq!(parts(Endpoint::Responses, body), ["", "\"be kind\"", "\"hi\""]);
        let body = r#"{"contents":[{"parts":[]}],"system_instruction":{"parts":[]}}"#;
        assert_eq!(parts(Endpoint::GenerateContent, body), ["", r#"{"parts":[]}"#, r#"[{"parts":[]}"#]);
        assert_eq!(parts(Endpoint::Completions, r#"{"model":"m","prompt":"p"}"#), ["", "", "\"p\""]);
        assert_eq!(parts(Endpoint::Embeddings, r#"{"model":"m"}"#), ["", "", ""]);
    }

    #[test]
    fn a_longer_conversation_begins_with_the_shorter_one() {
        let one = r#"{"model":"m","messages":[{"role":"user","content":"a"}],"stream":true}"#;
        let two =
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#;
        let [one, two] = [one, two].map(|body| parts(Endpoint::ChatCompletions, body).concat());
        assert!(two.starts_with(&one) && two.len() > one.len());
    }

    #[test]
    fn the_opening_ends_with_the_users_first_turn() {
        let system = r#"{"role":"system","content":"s"}"#;
        let developer = r#"{"role" : "developer","content":"d"}"#;
        let user = r#"{"role":"user","content":"u"}"#;
        let rest = r#"{"role":"assistant","content":"x"}"#;
        let of = |turns: &str| opening(&format!(r#"{{"model":"m","messages":{turns}}}"#));
        assert_eq!(
            of(&format!("[{system},{developer}, {user},{rest}]")),
            format!("[{system},{developer}, {user}")
        );
        assert_eq!(of(&format!("[{user},{user}]")), format!("[{user}"));
        assert_eq!(of("[1,2]"), "[1");
        assert_eq!(of("[]"), "[");
        assert_eq!(of("\"text\""), "\"text\"");
        let many = vec![system; 100].join(",");
        assert!(of(&format!("[{many}]")).len() < 9 * (system.len() + 1), "bounded");
    }
}
