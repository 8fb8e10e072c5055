//! What the declaration of tools adds to a prompt.
//!
//! Not public anywhere, so every number here is an estimate and marked as one. OpenAI models see the
//! functions as TypeScript declarations; that rendering is rebuilt and counted. For the others the JSON
//! is counted as written, and a constant stands for the instructions that come with tools.

use std::fmt::Write as _;

use serde_json::Value;

use super::family::Family;
use super::weight::{Scale, Weight};

/// Tokens of the instructions that come with tools: Anthropic's (340 for Claude 3, 600 for Claude 4), and
/// those of the templates of open models (30 to 300).
const CLAUDE_TOOLS_TOKENS: u64 = 560;
const OTHER_TOOLS_TOKENS: u64 = 150;
const HEAD: &str = "# Tools\n\n## functions\n\nnamespace functions {\n\n";
const TAIL: &str = "} // namespace functions";
/// Deeper schemas are cut: nothing real is.
const DEPTH_MAX: usize = 16;

/// The weight of a `tools` or `functions` value.
pub(super) fn weigh(scale: Scale, family: Family, raw: &str) -> Result<Weight, serde_json::Error> {
    let value: Value = serde_json::from_str(raw)?;
    let none = value.as_array().is_none_or(Vec::is_empty);
    let weight = match family {
        _ if none => Weight::default(),
        Family::O200k | Family::Cl100k => {
            let text = format!("{HEAD}{}{TAIL}", render(&value));
            Weight { text: scale.tokenizer.count(&text), fixed: 0, is_estimated: true }
        }
        // Reports about what the declarations cost, less than the JSON.
        Family::Gemini => {
            Weight { text: scale.tokenizer.count(&render(&value)), fixed: 0, is_estimated: true }
        }
        Family::ClaudeOld | Family::ClaudeNew => Weight {
            text: scale.tokenizer.count(&value.to_string()),
            fixed: CLAUDE_TOOLS_TOKENS,
            is_estimated: true,
        },
        Family::Mistral => {
            Weight { text: scale.tokenizer.count(&value.to_string()), fixed: 0, is_estimated: true }
        }
        Family::Other => Weight {
            text: scale.tokenizer.count(&value.to_string()),
            fixed: OTHER_TOOLS_TOKENS,
            is_estimated: true,
        },
    };
    Ok(weight)
}

/// The weight of a schema for the answer, found anywhere in `raw`.
pub(super) fn weigh_schema(scale: Scale, raw: &str) -> Result<Weight, serde_json::Error> {
    let value: Value = serde_json::from_str(raw)?;
    let text = scale.tokenizer.count(&value.to_string());
    Ok(Weight { text, fixed: 0, is_estimated: true })
}

/// Functions as TypeScript declarations; other tools by their JSON.
fn render(tools: &Value) -> String {
    let mut out = String::new();
    for tool in functions(tools) {
        let function = tool.get("function").unwrap_or(tool);
        let Some(name) = function.get("name").and_then(Value::as_str) else {
            let _ = writeln!(out, "{tool}");
            continue;
        };
        comment(&mut out, function);
        let schema = ["parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema"]
            .iter()
            .find_map(|key| function.get(key));
        let properties = schema.and_then(|s| s.get("properties")).and_then(Value::as_object);
        match (properties, schema) {
            (Some(properties), Some(schema)) if !properties.is_empty() => {
                let _ = writeln!(out, "type {name} = (_: {{");
                members(&mut out, schema, 0);
                out.push_str("}) => any;\n\n");
            }
            _ => {
                let _ = writeln!(out, "type {name} = () => any;\n");
            }
        }
    }
    out
}

/// The tools of a list; Gemini's lists hold lists of functions.
fn functions(tools: &Value) -> impl Iterator<Item = &Value> {
    tools.as_array().into_iter().flatten().flat_map(|tool| {
        let nested = tool.get("functionDeclarations").or_else(|| tool.get("function_declarations"));
        nested.and_then(Value::as_array).map_or(std::slice::from_ref(tool), Vec::as_slice)
    })
}

fn comment(out: &mut String, schema: &Value) {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    for line in text.lines() {
        let _ = writeln!(out, "// {line}");
    }
}

fn members(out: &mut String, schema: &Value, depth: usize) {
    let required = schema.get("required").and_then(Value::as_array);
    for (name, member) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        comment(out, member);
        let is_required = required.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)));
        let _ = write!(out, "{name}{}: ", if is_required { "" } else { "?" });
        type_of(out, member, depth);
        out.push_str(",\n");
    }
}

fn type_of(out: &mut String, schema: &Value, depth: usize) {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        for (at, value) in values.iter().enumerate() {
            let _ = write!(out, "{}{value}", if at == 0 { "" } else { " | " });
        }
        return;
    }
    let kind = schema.get("type").and_then(Value::as_str);
    match kind {
        _ if depth > DEPTH_MAX => out.push_str("any"),
        Some("object") if schema.get("properties").is_some() => {
            out.push_str("{\n");
            members(out, schema, depth + 1);
            out.push('}');
        }
        Some("array") => {
            match schema.get("items") {
                Some(items) => type_of(out, items, depth + 1),
                None => out.push_str("any"),
            }
            out.push_str("[]");
        }
        Some("integer") => out.push_str("number"),
        Some(name) => out.push_str(name),
        None => {
            let _ = write!(out, "{schema}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_rendered_as_declarations() {
        let tools = serde_json::json!([{"type": "function", "function": {
            "name": "weather", "description": "Get it.",
            "parameters": {"type": "object", "required": ["city"], "properties": {
                "city": {"type": "string", "description": "Where."},
                "days": {"type": "array", "items": {"type": "integer"}},
                "unit": {"enum": ["c", "f"]}
            }}
        }}, {"type": "function", "name": "now", "parameters": null}]);
        let text = render(&tools);
        for line in [
            "// Get it.\ntype weather = (_: {\n",
            "// Where.\ncity: string,\n",
            "days?: number[],\n",
            "unit?: \"c\" | \"f\",\n}) => any;\n",
            "type now = () => any;\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn an_empty_list_of_tools_weighs_nothing() {
        let scale = Scale {
            tokenizer: Family::O200k.encoding().tokenizer(),
            images: super::super::images::ImageRule::Flat { tokens: 0 },
            has_token_ids: false,
        };
        assert_eq!(weigh(scale, Family::ClaudeOld, "[]").unwrap(), Weight::default());
        assert!(weigh(scale, Family::O200k, r#"[{"name":"f"}]"#).unwrap().is_estimated);
    }
}
