//! Which beta opens which fields, and who takes it.
//!
//! Rows are facts with a source; where sources disagree the later one counts. Hosts validate strictly
//! ("invalid beta flag", "Extra inputs are not permitted"), so a name nobody vouches for is left out.
//! Sources: [aws] docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages
//! and the pages below it; [ant] platform.claude.com/docs; [cc#n] github.com/anthropics/claude-code
//! issues; [l] the table LiteLLM keeps by trial (anthropic_beta_headers_config.json, October 2026).

use super::super::host::Host;

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The body itself; fields of `output_config` by their full name.
    Body,
    /// An element of `tools`.
    Tool,
    /// A `cache_control` object.
    CacheControl,
}

struct Beta {
    /// The name without its date.
    name: &'static str,
    bedrock: bool,
    vertex: bool,
    /// Fields that are refused without it.
    opens: &'static [(Place, &'static str)],
}

const fn beta(
    name: &'static str,
    bedrock: bool,
    vertex: bool,
    opens: &'static [(Place, &'static str)],
) -> Beta {
    Beta { name, bedrock, vertex, opens }
}

const TABLE: [Beta; 28] = [
    // [ant] context editing: beta on all clouds; [l] both; without the name [cc#21612].
    beta("context-management-", true, true, &[(Place::Body, "context_management")]),
    // [aws] "Compaction"; [l] both.
    beta("compact-", true, true, &[(Place::Body, "context_management")]),
    // [aws]; [cc#49370]: the one name every Claude on Bedrock takes.
    beta("interleaved-thinking-", true, true, &[]),
    // [aws], [l].
    beta("context-1m-", true, true, &[]),
    beta("computer-use-", true, true, &[]),
    beta("tool-search-tool-", true, true, &[(Place::Tool, "defer_loading")]),
    // [aws]; [l] Vertex none.
    beta("token-efficient-tools-", true, false, &[]),
    beta("output-128k-", true, false, &[]),
    beta("dev-full-thinking-", true, false, &[]),
    // [aws] on Bedrock only.
    beta("tool-examples-", true, false, &[(Place::Tool, "input_examples")]),
    // [l] Vertex only.
    beta("web-search-", false, true, &[]),
    // [l].
    beta("thinking-binding-controls-", true, true, &[]),
    beta("thinking-display-updates-", true, true, &[]),
    beta("dangerous-tool-use-", true, true, &[(Place::Body, "safeguards")]),
    beta("per-turn-control-", false, true, &[]),
    beta("mid-conversation-output-config-", true, false, &[]),
    // Anthropic's name for several things; hosts take two of them under names of their own.
    beta(
        "advanced-tool-use-",
        false,
        false,
        &[(Place::Tool, "allowed_callers"), (Place::Tool, "input_examples"), (Place::Tool, "defer_loading")],
    ),
    // github.com/anthropics/claude-agent-sdk-python/issues/694: refused by Bedrock; [l] not on Vertex.
    beta("fine-grained-tool-streaming-", false, false, &[(Place::Tool, "eager_input_streaming")]),
    // [cc#41966], [cc#21612].
    beta("prompt-caching-scope-", false, false, &[(Place::CacheControl, "scope")]),
    // General since February 2026 [ant]: the fields need no name and the hosts no longer know it
    // [cc#49370]. Likewise the lifetime of cached prompts [cc#56595].
    beta("effort-", false, false, &[]),
    beta("structured-outputs-", false, false, &[]),
    beta("extended-cache-ttl-", false, false, &[]),
    // [ant]: on the Claude API only.
    beta("mcp-client-", false, false, &[(Place::Body, "mcp_servers")]),
    beta("skills-", false, false, &[(Place::Body, "container")]),
    beta("code-execution-", false, false, &[(Place::Body, "container")]),
    beta("files-api-", false, false, &[]),
    beta("fast-mode-", false, false, &[(Place::Body, "speed")]),
    beta("task-budgets-", false, false, &[(Place::Body, "output_config.task_budget")]),
];

/// Fields without a beta that only Anthropic itself has [ant]. Automatic caching at the top level:
/// github.com/langchain-ai/langchain-google/issues/1612.
const FIRST_PARTY: [&str; 6] =
    ["cache_control", "diagnostics", "inference_geo", "service_tier", "user_profile_id", "workspace_id"];

/// The name under which hosts let the model look for tools.
const TOOL_SEARCH: &str = "tool-search-tool-2025-10-19";

/// The names `host` takes of those the client gave. `vouched`: names known to be taken beyond the table.
pub fn accepted(host: Host, names: &[&str], searches_tools: bool, vouched: &[&str]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let is_taken = host == Host::Anthropic || vouched.contains(&name) || is_known(host, name);
        let own = match is_taken {
            true => name,
            false if searches_tools && name.starts_with("advanced-tool-use-") => TOOL_SEARCH,
            false => continue,
        };
        if !kept.iter().any(|known| known == own) {
            kept.push(own.to_owned());
        }
    }
    kept
}

fn is_known(host: Host, name: &str) -> bool {
    TABLE.iter().any(|beta| {
        let is_taken = if host == Host::Vertex { beta.vertex } else { beta.bedrock };
        is_taken && name.starts_with(beta.name)
    })
}

/// Whether `host` refuses the field, given the betas it is sent.
pub(in super::super) fn refuses(host: Host, place: Place, field: &str, betas: &[&str]) -> bool {
    if host == Host::Anthropic {
        return false;
    }
    if place == Place::Body && FIRST_PARTY.contains(&field) {
        return true;
    }
    let mut opening = TABLE.iter().filter(|beta| beta.opens.contains(&(place, field))).peekable();
    opening.peek().is_some() && !opening.any(|beta| betas.iter().any(|name| name.starts_with(beta.name)))
}
