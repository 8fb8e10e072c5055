//! Tools that Claude is only to find by its tool search.
//!
//! Claude Code sends placeholders of that kind. Where there is no tool search they would be tools as any
//! other, so they are left out. Not here: Anthropic's own hosts, which take them as they are.
//! Invariants: whatever is left out is told; a request never loses its last tool that way.

use crate::chat::{BlockKind, Feature, Losses, Request, Tool, ToolChoice};
use crate::types::Protocol;

/// Leaves the deferred tools of a Messages client out, for a target of another protocol. Those stay that
/// the conversation has called or found, the one that is to be called, and all of them where there is no
/// other.
pub fn leave_out_deferred(request: &mut Request<'_>, losses: &mut Losses) {
    let is_callable = |tool: &&Tool<'_>| tool.name().is_some();
    if request.from != Protocol::Messages || request.tools.iter().filter(is_callable).all(is_deferred) {
        return;
    }
    let is_left =
        |tool: &Tool<'_>| is_deferred(tool) && !tool.name().is_some_and(|name| is_used(request, name));
    let stays: Vec<bool> = request.tools.iter().map(|tool| !is_left(tool)).collect();
    let mut stays = stays.into_iter();
    request.tools.retain(|tool| {
        let stays = stays.next().unwrap_or(true);
        if !stays {
            losses.push(Feature::Unknown, tool.at);
        }
        stays
    });
}

fn is_deferred(tool: &Tool<'_>) -> bool {
    tool.extra.get("defer_loading").is_some_and(|flag| flag.value.as_str() == "true")
}

/// Whether the conversation knows the tool already, or must use it.
fn is_used(request: &Request<'_>, name: &str) -> bool {
    if matches!(&request.tool_choice, Some(ToolChoice::Tool(chosen)) if chosen == name) {
        return true;
    }
    let quoted = format!("\"{name}\"");
    let knows = |kind: &BlockKind<'_>| match kind {
        BlockKind::ToolUse(call) => call.name == name,
        // The results of a search: `tool_reference`, alone or within them.
        BlockKind::Opaque { json, .. } => json.as_str().contains(&quoted),
        _ => false,
    };
    request.turns.iter().flat_map(|turn| &turn.blocks).any(|block| match &block.kind {
        BlockKind::ToolResult(result) => result.content.iter().any(|inner| knows(&inner.kind)),
        kind => knows(kind),
    })
}

#[cfg(test)]
mod tests {
    use super::super::request_tests::decode;
    use super::*;

    fn left(tools: &str, more: &str) -> (Vec<String>, usize) {
        let json = format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}}{more}],"tools":[{tools}]}}"#
        );
        let mut request = decode(&json);
        let mut losses = Losses::default();
        leave_out_deferred(&mut request, &mut losses);
        let names = request.tools.iter().filter_map(Tool::name).map(str::to_owned).collect();
        assert!(losses.all().iter().all(|loss| loss.feature == Feature::Unknown && loss.name.is_none()));
        (names, losses.all().len())
    }

    const F: &str = r#"{"name":"f","input_schema":{"type":"object"}}"#;
    const G: &str = r#"{"name":"g","input_schema":{"type":"object"},"defer_loading":true}"#;

    #[test]
    fn a_deferred_tool_is_left_out_and_told() {
        assert_eq!(left(&format!("{G},{F}"), ""), (vec!["f".to_owned()], 1));
        let loaded = G.replace("true", "false");
        assert_eq!(left(&format!("{loaded},{F}"), "").1, 0);
    }

    #[test]
    fn the_last_tools_stay_though_they_are_deferred() {
        assert_eq!(left(G, ""), (vec!["g".to_owned()], 0));
        let search = r#"{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}"#;
        assert_eq!(left(&format!("{G},{search}"), ""), (vec!["g".to_owned()], 0));
    }

    #[test]
    fn a_tool_that_was_called_or_found_stays() {
        let both = format!("{F},{G}");
        let called =
            r#",{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"g","input":{}}]}"#;
        assert_eq!(left(&both, called).1, 0);
        let found = r#",{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"g"}]}]}"#;
        assert_eq!(left(&both, found).1, 0);
        let other = found.replace("\"g\"", "\"h\"");
        assert_eq!(left(&both, &other).1, 1);
    }
}
