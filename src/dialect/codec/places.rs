//! Where in the client's own body a loss or a fault is, in words a programmer knows again:
//! `tools[2].function.parameters.properties.age.multipleOf`.
//!
//! Codecs note the byte where a thing was read. What has no one byte (a schema's word, a choice, a limit)
//! is looked for in the body here, under the names that clients' protocols have for it. Invariant: what is
//! told is part of the body, or the feature's name in the documentation.

use crate::chat::{Feature, Loss, Losses, Refused};
use crate::framing::json::{Duplicates, Node, parse_bytes, value_at};

/// Longest path that is told; its end says most.
const PATH_BYTES_MAX: usize = 240;

/// Where a tool has its schema.
const OF_TOOL: [&str; 6] = [
    "function.parameters",
    "function.input_schema",
    "toolSpec.inputSchema.json",
    "input_schema",
    "parametersJsonSchema",
    "parameters",
];

/// Where a request has the schema of its answer.
const OF_OUTPUT: [&str; 12] = [
    "response_format.json_schema.schema",
    "response_format.schema",
    "response_format.json_schema",
    "text.format.json_schema.schema",
    "text.format.schema",
    "output_config.format.schema",
    "output_format.schema",
    "generationConfig.responseJsonSchema",
    "generationConfig.responseSchema",
    "generation_config.response_schema",
    "outputConfig.textFormat.structure.jsonSchema.schema",
    "format",
];

/// What of a request was left out, by its places in `body`.
pub fn of_losses(body: &[u8], losses: &Losses) -> Vec<String> {
    let root = parse_bytes(body, Duplicates::LastCounts).ok();
    let mut paths: Vec<String> = Vec::new();
    for loss in losses.all() {
        let path = of_loss(root.as_ref(), loss);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Where in `body` the fault is. None for one that is nowhere in it.
pub fn of_refusal(body: &[u8], refused: &Refused) -> Option<String> {
    let root = parse_bytes(body, Duplicates::LastCounts).ok()?;
    let place = refused.at.offset().and_then(|at| value_at(&root, at));
    match &refused.in_schema {
        None => place.map(|(path, _)| cut(path)),
        Some(within) => Some(cut(in_schema(&root, place, within))),
    }
}

fn of_loss(root: Option<&Node<'_>>, loss: &Loss) -> String {
    let place = loss.at.offset().and_then(|at| value_at(root?, at));
    let path = match (place, &loss.name, root) {
        (place, Some(within), Some(root)) if loss.feature == Feature::SchemaConstraint => {
            in_schema(root, place, within)
        }
        (Some((path, node)), ..) => match members(loss.feature).iter().find(|name| has(node, name)) {
            Some(member) => format!("{path}.{member}"),
            None => path,
        },
        (None, Some(name), _) => name.clone(),
        (None, None, _) => {
            let found = root.and_then(|root| names(loss.feature).iter().find(|name| has(root, name)));
            (*found.unwrap_or(&loss.feature.as_str())).to_owned()
        }
    };
    cut(path)
}

/// A path in the schema of the tool at `place`, or of the answer where there is none.
fn in_schema(root: &Node<'_>, place: Option<(String, &Node<'_>)>, within: &str) -> String {
    let (around, node, names) = match place {
        Some((path, node)) => (path, node, &OF_TOOL[..]),
        None => (String::new(), root, &OF_OUTPUT[..]),
    };
    let own = names.iter().find(|name| has(node, name)).copied().unwrap_or_default();
    let steps = [around.as_str(), own, within];
    let steps: Vec<&str> = steps.into_iter().filter(|step| !step.is_empty()).collect();
    steps.join(".")
}

/// What clients call a feature that is a member of the block, turn or tool it was met at.
fn members(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::CacheHints => &["cache_control", "prompt_cache_breakpoint", "cachePoint"],
        Feature::ParticipantName => &["name"],
        Feature::ToolResultError => &["is_error", "toolResult.status"],
        Feature::StrictTools => &["function.strict", "toolSpec.strict", "strict"],
        Feature::Citations => &["citations", "annotations"],
        _ => &[],
    }
}

/// What clients call a feature that their request has as a whole.
fn names(feature: Feature) -> &'static [&'static str] {
    match feature {
        Feature::Stop => &[
            "stop",
            "stop_sequences",
            "generationConfig.stopSequences",
            "inferenceConfig.stopSequences",
            "options.stop",
        ],
        Feature::MaxOutput => &[
            "max_completion_tokens",
            "max_tokens",
            "max_output_tokens",
            "generationConfig.maxOutputTokens",
            "inferenceConfig.maxTokens",
            "options.num_predict",
        ],
        Feature::JsonOutput | Feature::SchemaOutput => &[
            "response_format",
            "text.format",
            "output_config.format",
            "output_format",
            "generationConfig.responseMimeType",
            "outputConfig.textFormat",
            "format",
        ],
        Feature::ParallelTools => &["parallel_tool_calls", "tool_choice.disable_parallel_tool_use"],
        Feature::ToolChoiceAny
        | Feature::ToolChoiceNone
        | Feature::ToolChoiceTool
        | Feature::ToolChoiceAllowed => {
            &["tool_choice", "toolConfig.functionCallingConfig", "toolConfig.toolChoice"]
        }
        _ => &[],
    }
}

fn has(root: &Node<'_>, path: &str) -> bool {
    let found = path.split('.').try_fold(root, |node, step| node.get(step));
    found.is_some_and(|node| !node.is_null())
}

fn cut(path: String) -> String {
    if path.len() <= PATH_BYTES_MAX {
        return path;
    }
    let from = path.ceil_char_boundary(path.len() - PATH_BYTES_MAX);
    format!("…{}", path.get(from..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::At;
    use crate::framing::json::parse;

    const BODY: &str = r#"{"model":"m","stop":["x"],"tool_choice":"required","tools":[{"type":"function","function":{"name":"a",
        "parameters":{"type":"object"}}},{"name":"b","input_schema":{"type":"object"}}],
        "response_format":{"type":"json_schema","json_schema":{"schema":{}}}}"#;

    fn told(note: impl FnOnce(&Node<'_>, &mut Losses)) -> Vec<String> {
        let root = parse(BODY, Duplicates::Refuse).unwrap();
        let mut losses = Losses::default();
        note(&root, &mut losses);
        of_losses(BODY.as_bytes(), &losses)
    }

    #[test]
    fn a_word_of_a_schema_has_the_path_of_the_request() {
        let paths = told(|root, losses| {
            for tool in root.get("tools").unwrap().items() {
                let word = "properties.age.multipleOf".into();
                losses.push_named(Feature::SchemaConstraint, At::of(tool), &word);
            }
            losses.push_named(Feature::SchemaConstraint, At::NOWHERE, &"oneOf".into());
        });
        let expected = [
            "tools[0].function.parameters.properties.age.multipleOf",
            "tools[1].input_schema.properties.age.multipleOf",
            "response_format.json_schema.schema.oneOf",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn what_stands_at_no_one_place_has_the_name_the_client_gave_it() {
        let paths = told(|_, losses| {
            for feature in [Feature::Stop, Feature::ToolChoiceAny, Feature::ParallelTools] {
                losses.push(feature, At::NOWHERE);
            }
        });
        assert_eq!(paths, ["stop", "tool_choice", "parallel_tools"]);
    }

    #[test]
    fn a_member_of_a_block_is_named_with_it() {
        let body = r#"{"system":[{"text":"a"},{"text":"b","cache_control":{}}],"messages":[{"name":"ann","content":"x"}]}"#;
        let root = parse(body, Duplicates::Refuse).unwrap();
        let first = |key: &str, place: usize| At::of(&root.get(key).unwrap().items()[place]);
        let mut losses = Losses::default();
        losses.push(Feature::CacheHints, first("system", 1));
        losses.push(Feature::ParticipantName, first("messages", 0));
        losses.push(Feature::CacheHints, first("system", 0));
        let paths = of_losses(body.as_bytes(), &losses);
        assert_eq!(paths, ["system[1].cache_control", "messages[0].name", "system[0]"]);
    }

    #[test]
    fn a_schema_at_fault_is_named_within_the_request() {
        let root = parse(BODY, Duplicates::Refuse).unwrap();
        let second = At::of(&root.get("tools").unwrap().items()[1]);
        let of = |refused: Refused| of_refusal(BODY.as_bytes(), &refused);
        let wrong = Refused::new(second, "a schema is an object").in_schema("properties.a".to_owned());
        assert_eq!(of(wrong).unwrap(), "tools[1].input_schema.properties.a");
        let output = Refused::new(At::NOWHERE, "no").in_schema(String::new());
        assert_eq!(of(output).unwrap(), "response_format.json_schema.schema");
        assert_eq!(of(Refused::new(At::NOWHERE, "no")), None);
    }

    #[test]
    fn a_path_is_bounded() {
        let long = "é".repeat(500);
        let paths = told(|_, losses| losses.push_named(Feature::Unknown, At::NOWHERE, &long.as_str().into()));
        assert!(paths[0].len() <= PATH_BYTES_MAX + 3 && paths[0].starts_with("…é"), "{}", paths[0]);
    }
}
