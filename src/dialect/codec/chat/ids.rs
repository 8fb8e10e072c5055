//! Ids of tool calls as an upstream takes them.
//!
//! Most keep theirs. Made anew are those that are empty (Gemini gives none), longer than OpenAI takes,
//! or not of the form Mistral demands; what is made depends on the id alone, or on its place, so a
//! call and its result agree, and the next turn says the same. Invariant: every result answers a call
//! before it, and every call that turns follow is answered.

use crate::chat::{At, Block, BlockKind, Refused, Request, ToolResult};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};

/// OpenAI: `string_above_max_length` beyond it.
const ID_BYTES_MAX: usize = 40;
/// Mistral: nine letters or digits.
const SHORT_ID_BYTES: usize = 9;

/// What ids an upstream takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenRouter: thinking that goes back names the calls by the ids they had.
    Any,
    /// OpenAI, and so everybody of whom nothing is known.
    Bounded,
    /// Mistral.
    Short,
}

/// The ids that differ from what the request says, by turn and block.
#[derive(Default)]
pub(super) struct Ids {
    changed: HashMap<(usize, usize), String>,
}

impl Ids {
    /// Walks the request once.
    ///
    /// # Errors
    /// [`Refused`] at a result without a call or a call without a result.
    pub(super) fn plan(request: &Request<'_>, form: Form) -> Result<Self, Refused> {
        let mut plan =
            Plan { form, ids: Ids::default(), calls: HashMap::new(), nameless: VecDeque::new(), made: 0 };
        for (turn, said) in request.turns.iter().enumerate() {
            for (block, content) in said.blocks.iter().enumerate() {
                plan.block(content, (turn, block))?;
            }
        }
        plan.check_answered(request.turns.len())?;
        Ok(plan.ids)
    }

    pub(super) fn get<'i>(&'i self, place: (usize, usize), own: &'i str) -> &'i str {
        self.changed.get(&place).map_or(own, String::as_str)
    }
}

struct Plan<'r> {
    form: Form,
    ids: Ids,
    /// The latest call of each id, until it is answered and after.
    calls: HashMap<&'r str, Call>,
    /// Unanswered calls without an id of their own, with the one made for them.
    nameless: VecDeque<(&'r str, String, Call)>,
    made: usize,
}

#[derive(Clone, Copy)]
struct Call {
    is_answered: bool,
    turn: usize,
    at: At,
}

impl<'r> Plan<'r> {
    fn block(&mut self, block: &'r Block<'_>, place: (usize, usize)) -> Result<(), Refused> {
        let fresh = Call { is_answered: false, turn: place.0, at: block.at };
        match &block.kind {
            BlockKind::ToolUse(call) if call.id.is_empty() => {
                let counted = format!("call_{}", self.made);
                let made = self.fit(&counted).unwrap_or(counted);
                self.made += 1;
                self.nameless.push_back((&call.name, made.clone(), fresh));
                self.ids.changed.insert(place, made);
            }
            BlockKind::ToolUse(call) => {
                self.calls.insert(&call.id, fresh);
                self.ids.changed.extend(self.fit(&call.id).map(|fitted| (place, fitted)));
            }
            BlockKind::ToolResult(result) if result.id.is_empty() => {
                let made = self.answer(result).ok_or_else(|| no_call(block.at))?;
                self.ids.changed.insert(place, made);
            }
            BlockKind::ToolResult(result) => {
                let Some(call) = self.calls.get_mut(result.id.as_ref()) else {
                    return Err(no_call(block.at));
                };
                call.is_answered = true;
                self.ids.changed.extend(self.fit(&result.id).map(|fitted| (place, fitted)));
            }
            _ => {}
        }
        Ok(())
    }

    /// The call a result without an id answers: the earliest of its name, or the earliest of all.
    fn answer(&mut self, result: &ToolResult<'_>) -> Option<String> {
        let wanted = result.name.as_deref();
        let at = self.nameless.iter().position(|(name, ..)| wanted.is_none_or(|wanted| wanted == *name))?;
        self.nameless.remove(at).map(|(_, id, _)| id)
    }

    /// The id in the upstream's form, where its own is not.
    fn fit(&self, id: &str) -> Option<String> {
        let is_short = id.len() == SHORT_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match self.form {
            Form::Any => None,
            Form::Bounded => (id.len() > ID_BYTES_MAX).then(|| format!("call_{}", digest(id, 24))),
            Form::Short => (!is_short).then(|| digest(id, SHORT_ID_BYTES)),
        }
    }

    /// A call in the last turn waits for its answer; any other has had its chance.
    fn check_answered(&self, turns: usize) -> Result<(), Refused> {
        let all = self.calls.values().chain(self.nameless.iter().map(|(.., call)| call));
        let missing =
            all.filter(|call| !call.is_answered && call.turn + 1 < turns).min_by_key(|call| call.turn);
        missing.map_or(Ok(()), |call| {
            Err(Refused::new(call.at, "this tool call has no result: add one, or leave the call out"))
        })
    }
}

fn no_call(at: At) -> Refused {
    Refused::new(at, "this tool result answers no tool call before it")
}

/// Letters and digits that stand for `id`.
fn digest(id: &str, len: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().map_or('0', char::from);
    Sha256::digest(id.as_bytes()).iter().take(len).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Role, ToolUse, Turn};
    use crate::types::Protocol;

    fn call(id: &'static str, name: &'static str) -> Block<'static> {
        Block::new(BlockKind::ToolUse(ToolUse {
            id: id.into(),
            name: name.into(),
            arguments: "{}".into(),
            is_custom: false,
            signature: None,
        }))
    }

    fn result(id: &'static str, name: Option<&'static str>) -> Block<'static> {
        Block::new(BlockKind::ToolResult(ToolResult {
            id: id.into(),
            name: name.map(Into::into),
            content: Vec::new(),
            is_error: false,
            is_custom: false,
        }))
    }

    fn plan(
        calls: Vec<Block<'static>>,
        results: Vec<Block<'static>>,
        form: Form,
    ) -> Result<Vec<String>, Refused> {
        let mut request = Request::new(Protocol::Generate, "m");
        request.turns = vec![Turn::new(Role::Assistant, calls), Turn::new(Role::User, results)];
        let ids = Ids::plan(&request, form)?;
        let own = |block: &Block<'_>| match &block.kind {
            BlockKind::ToolUse(call) => call.id.to_string(),
            BlockKind::ToolResult(result) => result.id.to_string(),
            _ => String::new(),
        };
        let of_turn = |(turn, said): (usize, &Turn<'_>)| -> Vec<String> {
            said.blocks
                .iter()
                .enumerate()
                .map(|(at, block)| ids.get((turn, at), &own(block)).to_owned())
                .collect()
        };
        Ok(request.turns.iter().enumerate().flat_map(of_turn).collect())
    }

    #[test]
    fn calls_without_ids_are_paired_by_name_then_by_order() {
        let ids = plan(
            vec![call("", "a"), call("", "b"), call("", "a")],
            vec![result("", Some("b")), result("", Some("a")), result("", None)],
            Form::Bounded,
        );
        assert_eq!(ids.unwrap(), ["call_0", "call_1", "call_2", "call_1", "call_0", "call_2"]);
    }

    #[test]
    fn mistral_gets_nine_letters_or_digits_the_same_for_call_and_result() {
        let ids = plan(
            vec![call("toolu_01AbC", "a"), call("D681PevKs", "b"), call("", "c")],
            vec![result("toolu_01AbC", None), result("D681PevKs", None), result("", None)],
            Form::Short,
        )
        .unwrap();
        assert!(
            ids.iter().all(|id| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric())),
            "{ids:?}"
        );
        assert_eq!(ids[..3], ids[3..]);
        assert_eq!(ids[1], "D681PevKs");
        assert_ne!(ids[0], ids[2]);
    }

    #[test]
    fn an_id_too_long_for_openai_is_shortened() {
        let long = "fc_0f0e50a1476a6c35006912c58dc9f8819192c25864eb16f07f";
        let ids = plan(vec![call(long, "a")], vec![result(long, None)], Form::Bounded).unwrap();
        assert_eq!(ids[0], ids[1]);
        assert!(ids[0].len() <= 40 && ids[0].starts_with("call_"));
        let forty = "call_0123456789012345678901234567890123_";
        assert_eq!(plan(vec![call(long, "a")], vec![result(long, None)], Form::Any).unwrap(), [long, long]);
        assert_eq!(
            plan(vec![call(forty, "a")], vec![result(forty, None)], Form::Bounded).unwrap(),
            [forty, forty]
        );
    }

    #[test]
    fn a_call_and_its_result_need_each_other() {
        assert!(plan(vec![call("x", "a")], vec![result("y", None)], Form::Bounded).is_err());
        assert!(plan(vec![], vec![result("", None)], Form::Bounded).is_err());
        assert!(plan(vec![call("", "a")], vec![result("", Some("b"))], Form::Bounded).is_err());
        assert!(plan(vec![call("x", "a")], vec![Block::text("no")], Form::Bounded).is_err());
        assert!(
            plan(vec![Block::text("hi")], vec![call("x", "a")], Form::Bounded).is_ok(),
            "it waits for its answer"
        );
    }
}
