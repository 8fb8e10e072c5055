//! How much Claude shall think, in the words of the model that is asked.
//!
//! Facts (platform.claude.com/docs/en/build-with-claude/{extended-thinking,adaptive-thinking,effort}):
//! a budget is at least 1024 and below `max_tokens`; with a budget, a turn that answers tool calls needs
//! the thinking that led to them; thinking and a forced tool exclude each other; newer models show no
//! thinking unless told to.
//!
//! Decisions. A client of this protocol is taken at its word. For the others, a forced tool call wins
//! over thinking: it is what the program waits for. A budget is at most three quarters of the limit, or
//! no words would be left for the answer. With a budget, history without thinking switches it
//! off. Whatever is switched off is a declared loss.

use crate::chat::{BlockKind, Effort, Reasoning, Request, Role, Target, ThinkingStyle, ToolChoice, Vendor};
use crate::types::Protocol;

pub(super) const BUDGET_MIN: u64 = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing is said.
    Unsaid,
    Off,
    Budget(u64),
    Adaptive,
}

/// What the request will say about thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thinking {
    pub(super) mode: Mode,
    pub(super) effort: Option<Effort>,
    /// `display`: whether the thinking is to be seen.
    pub(super) is_shown: Option<bool>,
    /// Why it was asked for and is not said, if so.
    pub(super) lost: Option<&'static str>,
}

impl Thinking {
    const UNSAID: Thinking = Thinking { mode: Mode::Unsaid, effort: None, is_shown: None, lost: None };

    pub(super) fn is_on(&self) -> bool {
        matches!(self.mode, Mode::Budget(_) | Mode::Adaptive)
    }

    fn lost(why: &'static str) -> Self {
        Self { lost: Some(why), ..Self::UNSAID }
    }
}

/// Decides. `limit`: the most the answer may have, if the client said so or the model says so.
pub(super) fn decide(request: &Request<'_>, target: &Target, limit: Option<u64>) -> Thinking {
    let Some(asked) = &request.reasoning else { return Thinking::UNSAID };
    if target.thinking == ThinkingStyle::None {
        let is_asked = asked.effort.is_some() || asked.budget.is_some();
        return if is_asked {
            Thinking::lost("this Claude model cannot be told to think")
        } else {
            Thinking::UNSAID
        };
    }
    if request.from == Protocol::Messages {
        return verbatim(asked);
    }
    match target.thinking {
        ThinkingStyle::Budget => by_budget(request, asked, limit),
        _ => by_effort(request, asked, target),
    }
}

fn verbatim(asked: &Reasoning<'_>) -> Thinking {
    let mode = match asked.budget {
        _ if asked.is_off => Mode::Off,
        Some(budget) => Mode::Budget(budget),
        None if asked.is_adaptive => Mode::Adaptive,
        None => Mode::Unsaid,
    };
    Thinking { mode, effort: asked.effort, is_shown: asked.is_shown, lost: None }
}

fn by_budget(request: &Request<'_>, asked: &Reasoning<'_>, limit: Option<u64>) -> Thinking {
    let wanted = asked.budget.or(asked.effort.map(Effort::budget));
    let Some(wanted) = wanted.or(asked.is_adaptive.then(|| Effort::Medium.budget())) else {
        return Thinking::UNSAID;
    };
    if asked.is_off {
        return Thinking::UNSAID;
    }
    if is_forced(request) {
        return Thinking::lost("Claude does not think when a tool call is forced");
    }
    if answers_unthought_calls(request) {
        return Thinking::lost("Claude does not think on after tool calls whose thinking is not there");
    }
    // A quarter at least is left for the answer itself.
    let most = limit.map_or(u64::MAX, |limit| limit - limit.div_ceil(4));
    if most < BUDGET_MIN {
        return Thinking::lost("Claude thinks with at least 1024 tokens, and the answer's limit is too low");
    }
    let budget = wanted.clamp(BUDGET_MIN, most);
    Thinking { mode: Mode::Budget(budget), is_shown: None, effort: None, lost: None }
}

fn by_effort(request: &Request<'_>, asked: &Reasoning<'_>, target: &Target) -> Thinking {
    if asked.is_off {
        return Thinking { mode: Mode::Off, ..Thinking::UNSAID };
    }
    let wanted = asked.effort.or(asked.budget.map(Effort::of_budget));
    // Anthropic's lowest is `low`.
    let effort = wanted.map(|effort| target.effort(effort).max(Effort::Low));
    if effort.is_none() && !asked.is_adaptive && asked.is_shown != Some(true) {
        return Thinking::UNSAID;
    }
    if is_forced(request) {
        return Thinking { effort, ..Thinking::UNSAID };
    }
    Thinking { mode: Mode::Adaptive, effort, is_shown: Some(asked.is_shown.unwrap_or(true)), lost: None }
}

fn is_forced(request: &Request<'_>) -> bool {
    matches!(
        request.tool_choice,
        Some(ToolChoice::Any | ToolChoice::Tool(_) | ToolChoice::Allowed { must_call: true, .. })
    )
}

/// Whether the conversation ends in tool results and the turn that called does not begin with Claude's
/// own thinking.
fn answers_unthought_calls(request: &Request<'_>) -> bool {
    let is_result = |kind: &BlockKind<'_>| matches!(kind, BlockKind::ToolResult(_));
    let mut turns = request.turns.iter().rev().peekable();
    let mut has_results = false;
    while let Some(turn) = turns.next_if(|turn| turn.role != Role::Assistant) {
        has_results |= turn.blocks.iter().any(|block| is_result(&block.kind));
    }
    if !has_results {
        return false;
    }
    let mut first = None;
    while let Some(turn) = turns.next_if(|turn| turn.role == Role::Assistant) {
        first = turn.blocks.first().or(first);
    }
    !first.is_some_and(|block| match &block.kind {
        BlockKind::Thinking(thinking) => {
            thinking.signature.as_ref().is_some_and(|proof| proof.vendor == Vendor::Anthropic)
        }
        BlockKind::Redacted(proof) => proof.vendor == Vendor::Anthropic,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Block, ToolResult, ToolUse, Turn};

    fn request(reasoning: Reasoning<'static>) -> Request<'static> {
        let mut request = Request::new(Protocol::Chat, "m");
        request.turns = vec![Turn::new(Role::User, vec![Block::text("hi")])];
        request.reasoning = Some(reasoning);
        request
    }

    fn budget_target() -> Target {
        Target { thinking: ThinkingStyle::Budget, ..Target::new("m") }
    }

    fn effort(effort: Effort) -> Reasoning<'static> {
        Reasoning { effort: Some(effort), ..Reasoning::default() }
    }

    #[test]
    fn a_budget_stays_between_its_bounds() {
        let mode = |reasoning, limit| decide(&request(reasoning), &budget_target(), limit).mode;
        let tokens = |budget| Reasoning { budget: Some(budget), ..Reasoning::default() };
        assert_eq!(mode(effort(Effort::High), None), Mode::Budget(16384));
        assert_eq!(mode(effort(Effort::High), Some(4000)), Mode::Budget(3000));
        assert_eq!(mode(tokens(1), Some(4000)), Mode::Budget(1024));
        assert_eq!(mode(tokens(5000), Some(1366)), Mode::Budget(1024));
        assert_eq!(mode(tokens(5000), Some(1365)), Mode::Unsaid);
        let short = decide(&request(effort(Effort::High)), &budget_target(), Some(1100));
        assert!(short.mode == Mode::Unsaid && short.lost.is_some(), "an answer needs room too: {short:?}");
        let off = Reasoning { is_off: true, ..effort(Effort::High) };
        assert_eq!(mode(off, None), Mode::Unsaid);
    }

    #[test]
    fn an_effort_is_one_the_model_knows() {
        let known = Target { efforts: vec![Effort::Low, Effort::Medium, Effort::High], ..Target::new("m") };
        for (asked, said) in
            [(Effort::Minimal, Effort::Low), (Effort::Medium, Effort::Medium), (Effort::Max, Effort::High)]
        {
            let thinking = decide(&request(effort(asked)), &known, None);
            assert_eq!((thinking.mode, thinking.effort), (Mode::Adaptive, Some(said)));
        }
        let any = decide(&request(effort(Effort::Minimal)), &Target::new("m"), None);
        assert_eq!(any.effort, Some(Effort::Low));
        let off = Reasoning { is_off: true, ..Reasoning::default() };
        assert_eq!(decide(&request(off), &known, None).mode, Mode::Off);
    }

    #[test]
    fn a_forced_tool_wins_over_thinking_and_effort_stays() {
        let mut forced = request(effort(Effort::High));
        forced.tool_choice = Some(ToolChoice::Any);
        assert!(decide(&forced, &budget_target(), None).lost.is_some());
        let thinking = decide(&forced, &Target::new("m"), None);
        assert_eq!((thinking.mode, thinking.effort, thinking.lost), (Mode::Unsaid, Some(Effort::High), None));
    }

    #[test]
    fn a_budget_needs_the_thinking_that_led_to_the_calls() {
        let call = ToolUse {
            id: "c".into(),
            name: "f".into(),
            arguments: "{}".into(),
            is_custom: false,
            signature: None,
        };
        let result =
            ToolResult { id: "c".into(), name: None, content: vec![], is_error: false, is_custom: false };
        let mut request = request(effort(Effort::High));
        request.turns.push(Turn::new(Role::Assistant, vec![Block::new(BlockKind::ToolUse(call))]));
        request.turns.push(Turn::new(Role::User, vec![Block::new(BlockKind::ToolResult(result))]));
        assert!(decide(&request, &budget_target(), None).lost.is_some());
        assert_eq!(decide(&request, &Target::new("m"), None).mode, Mode::Adaptive);
        let own = crate::chat::Signature::new(Vendor::Anthropic, "x");
        request.turns[1].blocks.insert(0, Block::new(BlockKind::Redacted(own)));
        assert_eq!(decide(&request, &budget_target(), None).mode, Mode::Budget(16384));
    }
}
