//! Whether an answer is a tool call, of which tool, with which arguments.

use serde_json::{Map, Value};

use super::ask::Ask;

/// How deep a schema is followed.
const DEPTH_MAX: usize = 8;
/// Properties of one object.
const PROPERTIES_MAX: usize = 64;

/// A tool call to answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// A JSON object.
    pub arguments: String,
}

impl Call {
    /// Its output tokens, by a rule of thumb: a quarter of its bytes.
    pub fn tokens(&self) -> u64 {
        ((self.name.len() + self.arguments.len()) as u64).div_ceil(4)
    }
}

/// What the request says about calling.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Free,
    Never,
    Any,
    Named(String),
}

/// The call a request gets, if it gets one.
pub fn call(ask: &Ask<'_>) -> Option<Call> {
    let tools: Value = match ask.tools {
        Some(tools) => serde_json::from_str(tools.get()).ok()?,
        None => bedrock_tools(ask)?,
    };
    let declared: Vec<&Value> = tools.as_array()?.iter().flat_map(declarations).collect();
    let wanted = match choice(ask) {
        Choice::Never => return None,
        Choice::Free => {
            let about = last_of_user(ask).filter(|words| words.contains("weather"))?;
            declared
                .iter()
                .filter_map(|tool| name_of(tool))
                .find(|name| about.contains(&name.to_lowercase()))
                .map(str::to_owned)
        }
        Choice::Any => None,
        Choice::Named(name) => Some(name),
    };
    let named = |tool: &&&Value| wanted.as_deref().is_none_or(|wanted| name_of(tool) == Some(wanted));
    let tool = declared.iter().find(named)?;
    let name = name_of(tool)?.to_owned();
    let schema = ["parameters", "parametersJsonSchema", "parameters_json_schema", "input_schema"]
        .into_iter()
        .find_map(|field| tool.get(field))
        .or_else(|| tool.pointer("/inputSchema/json"))
        .unwrap_or(&Value::Null);
    let arguments = match sample(schema, schema, 0) {
        Value::Object(fields) => Value::Object(fields),
        _ => Value::Object(Map::new()),
    };
    Some(Call { name, arguments: arguments.to_string() })
}

/// What Bedrock has beside the choice, in `toolConfig`.
fn bedrock_tools(ask: &Ask<'_>) -> Option<Value> {
    let mut config: Value = serde_json::from_str(ask.tool_config?.get()).ok()?;
    config.get_mut("tools").map(Value::take)
}

/// The function declarations in one entry of `tools`, whatever the dialect.
fn declarations(entry: &Value) -> Vec<&Value> {
    if let Some(function) = entry.get("function").or_else(|| entry.get("toolSpec")) {
        return vec![function];
    }
    let gemini = entry.get("functionDeclarations").or_else(|| entry.get("function_declarations"));
    match gemini.and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        // Hosted tools (web search and the like) cannot be called here.
        None if matches!(entry.get("type").and_then(Value::as_str), None | Some("function" | "custom")) => {
            vec![entry]
        }
        None => Vec::new(),
    }
}

fn name_of(tool: &Value) -> Option<&str> {
    tool.get("name").and_then(Value::as_str)
}

fn choice(ask: &Ask<'_>) -> Choice {
    let gemini = ask.tool_config.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    if let Some(choice) = gemini.as_ref().and_then(|config| config.get("toolChoice")) {
        let named = choice.pointer("/tool/name").and_then(Value::as_str);
        return match named {
            Some(name) => Choice::Named(name.to_owned()),
            None if choice.get("any").is_some() => Choice::Any,
            None => Choice::Free,
        };
    }
    if let Some(config) = gemini {
        let config = config.get("functionCallingConfig").or_else(|| config.get("function_calling_config"));
        let names = |c: &Value| {
            c.get("allowedFunctionNames")
                .or_else(|| c.get("allowed_function_names"))
                .and_then(|n| n.get(0))
                .cloned()
        };
        let first = config.and_then(names).and_then(|name| name.as_str().map(str::to_owned));
        return match config.and_then(|c| c.get("mode")).and_then(Value::as_str) {
            Some("ANY") => first.map_or(Choice::Any, Choice::Named),
            Some("NONE") => Choice::Never,
            _ => Choice::Free,
        };
    }
    let Some(choice) = ask.tool_choice.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok()) else {
        return Choice::Free;
    };
    let word = choice.as_str().or_else(|| choice.get("type").and_then(Value::as_str)).unwrap_or("auto");
    let name =
        choice.get("name").or_else(|| choice.get("function").and_then(|function| function.get("name")));
    // Cohere shouts.
    match (word.to_ascii_lowercase().as_str(), name.and_then(Value::as_str)) {
        (_, Some(name)) => Choice::Named(name.to_owned()),
        ("required" | "any", None) => Choice::Any,
        ("none", None) => Choice::Never,
        _ => Choice::Free,
    }
}

/// The last entry's text in lowercase, where it is the user's. A tool's result comes in a last entry
/// of its own kind and ends the calling; instructions may stand behind what they are about.
fn last_of_user(ask: &Ask<'_>) -> Option<String> {
    let raw = ask.messages.or(ask.input).or(ask.contents)?;
    let conversation: Value = serde_json::from_str(raw.get()).ok()?;
    let mut words = String::new();
    let Some(entries) = conversation.as_array() else {
        put_words(&conversation, &mut words);
        return Some(words);
    };
    let role_of = |entry: &Value| entry.get("role").and_then(Value::as_str).unwrap_or("user").to_owned();
    let last = entries.iter().rfind(|entry| !matches!(role_of(entry).as_str(), "system" | "developer"))?;
    let parts = last.get("content").or_else(|| last.get("parts"))?;
    let is_result = |part: &Value| {
        part.get("type").and_then(Value::as_str) == Some("tool_result")
            || ["functionResponse", "function_response", "toolResult"]
                .iter()
                .any(|name| part.get(name).is_some())
    };
    let has_result = parts.as_array().is_some_and(|parts| parts.iter().any(is_result));
    put_words(parts, &mut words);
    (role_of(last) == "user" && !has_result).then_some(words)
}

fn put_words(content: &Value, out: &mut String) {
    match content {
        Value::String(text) => {
            out.push_str(&text.to_lowercase());
            out.push(' ');
        }
        Value::Array(parts) => parts.iter().for_each(|part| put_words(part.get("text").unwrap_or(part), out)),
        _ => {}
    }
}

/// A value that satisfies a JSON schema (or Gemini's form of one) as far as types, `enum`, `const`,
/// `required` and bounds go.
pub fn sample(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    for fixed in ["const", "default"] {
        if let Some(value) = schema.get(fixed) {
            return value.clone();
        }
    }
    for list in ["enum", "examples"] {
        if let Some(value) = schema.get(list).and_then(|list| list.get(0)) {
            return value.clone();
        }
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or(Value::Null, |found| sample(found, root, depth + 1));
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        let options = schema.get(union).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if let Some(option) = options.iter().find(|option| type_of(option) != "null") {
            return sample(option, root, depth + 1);
        }
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    match type_of(schema).as_str() {
        "string" => Value::from(sample_text(schema)),
        "integer" => Value::from(bound("minimum").unwrap_or(1)),
        "number" => bound("minimum").map_or(Value::from(1.5), Value::from),
        "boolean" => Value::Bool(true),
        "array" => Value::Array(match schema.get("items") {
            Some(items) => vec![sample(items, root, depth + 1)],
            None => Vec::new(),
        }),
        "object" => sample_object(schema, root, depth),
        _ => Value::Null,
    }
}

fn sample_object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut fields = Map::new();
    for name in required.iter().take(PROPERTIES_MAX).filter_map(Value::as_str) {
        let property = schema.get("properties").and_then(|properties| properties.get(name));
        fields.insert(name.to_owned(), sample(property.unwrap_or(&Value::Null), root, depth + 1));
    }
    Value::Object(fields)
}

fn sample_text(schema: &Value) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-02",
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("email") => "someone@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000001",
        _ => "Paris",
    }
}

/// The schema's type in lowercase (Gemini writes `STRING`); the first that is not null of several.
fn type_of(schema: &Value) -> String {
    let named = match schema.get("type") {
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        Some(one) => one.as_str(),
        None => None,
    };
    let guessed = if schema.get("properties").is_some() { "object" } else { "" };
    named.unwrap_or(guessed).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOL: &str = r##"{"name":"get_weather","X":{"type":"object","properties":{
        "city":{"type":"string"},"days":{"type":"integer","minimum":2},"unit":{"enum":["c","f"]},
        "at":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/at"}]},"tags":{"type":["null","array"],"items":{"type":"STRING"}},
        "extra":{"type":"string"}},"required":["city","days","unit","at","tags"],
        "$defs":{"at":{"type":"object","properties":{"lat":{"type":"number"}},"required":["lat"]}}}}"##;
    const ARGUMENTS: &str = r#"{"city":"Paris","days":2,"unit":"c","at":{"lat":1.5},"tags":["Paris"]}"#;

    fn called(body: &str) -> Option<Call> {
        let ask = Ask::read(body.as_bytes()).unwrap();
        super::call(&ask)
    }

    fn same(left: &str, right: &str) {
        assert_eq!(
            serde_json::from_str::<Value>(left).unwrap(),
            serde_json::from_str::<Value>(right).unwrap()
        );
    }

    #[test]
    fn a_forced_call_has_arguments_by_the_schema_in_every_dialect() {
        let chat = TOOL.replace('X', "parameters");
        let messages = TOOL.replace('X', "input_schema");
        for body in [
            format!(r#"{{"tools":[{{"type":"function","function":{chat}}}],"tool_choice":"required"}}"#),
            format!(
                r#"{{"tools":[{{"type":"function","function":{chat}}}],"tool_choice":{{"type":"function","function":{{"name":"get_weather"}}}}}}"#
            ),
            format!(
                r#"{{"tools":[{{"type":"web_search"}},{chat}],"tool_choice":{{"type":"function","name":"get_weather"}}}}"#
            ),
            format!(r#"{{"tools":[{messages}],"tool_choice":{{"type":"any"}}}}"#),
            format!(
                r#"{{"tools":[{{"functionDeclarations":[{chat}]}}],"toolConfig":{{"functionCallingConfig":{{"mode":"ANY"}}}}}}"#
            ),
        ] {
            let call = called(&body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(call.name, "get_weather");
            same(&call.arguments, ARGUMENTS);
        }
    }

    #[test]
    fn a_free_choice_calls_for_weather_only_and_not_after_the_result() {
        let tools = r#""tools":[{"name":"t","input_schema":{"type":"object"}}]"#;
        let body = |messages: &str| format!(r#"{{{tools},"messages":[{messages}]}}"#);
        let user = r#"{"role":"user","content":"Weather in Paris?"}"#;
        assert!(called(&body(user)).is_some());
        assert!(
            called(&body(r#"{"role":"user","content":[{"type":"text","text":"the weather"}]}"#)).is_some()
        );
        assert!(called(&body(&format!(r#"{user},{{"role":"system","content":"Be brief."}}"#))).is_some());
        assert!(called(&body(r#"{"role":"user","content":"Hello"}"#)).is_none());
        let result = r#"{"role":"user","content":[{"type":"tool_result","content":"weather: sunny"}]}"#;
        assert!(called(&body(&format!("{user},{result}"))).is_none());
        assert!(called(&body(&format!(r#"{user},{{"role":"tool","content":"weather: sunny"}}"#))).is_none());
        assert!(called(&format!(r#"{{{tools},"tool_choice":"none","messages":[{user}]}}"#)).is_none());
    }

    #[test]
    fn a_tool_that_is_named_is_called_rather_than_the_first() {
        let tools = r#""tools":[{"name":"first","input_schema":{}},{"name":"Read","input_schema":{}}]"#;
        for (words, name) in [("weather by Read", "Read"), ("the weather", "first")] {
            let body = format!(r#"{{{tools},"messages":[{{"role":"user","content":"{words}"}}]}}"#);
            assert_eq!(called(&body).unwrap().name, name);
        }
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let body = r##"{"tools":[{"name":"t","parameters":{"type":"object","properties":{"again":{"$ref":"#"}},"required":["again"]}}],"tool_choice":"required"}"##;
        assert!(called(body).unwrap().arguments.len() < 500);
    }
}
