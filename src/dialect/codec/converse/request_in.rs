//! A client's Converse call, read.

use super::tools_in::nest;
use super::{HERE, blocks_in, fields_in, read, tools_in};
use crate::chat::{At, Extra, Feature, OutputFormat, Raw, Refused, Request, Role, Setting, Text, Turn};
use crate::dialect::codec::Called;
use crate::framing::json::{Duplicates, Node, parse};

/// Reads the body; model and stream flag are the path's.
///
/// # Errors
/// [`Refused`] where the body is no Converse request.
pub fn decode_request<'a>(root: &Node<'a>, called: Called<'_>) -> Result<Request<'a>, Refused> {
    if !root.is_object() {
        return Err(read::wrong(root, "body", "an object"));
    }
    let model = called.model.ok_or_else(|| Refused::new(At::NOWHERE, "the path names no model"))?;
    let mut request = Request::new(HERE, model.to_owned());
    request.is_stream = called.is_stream.unwrap_or(false);
    request.wants_usage = true;
    let mut known =
        vec!["messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields"];
    request.system = blocks_in::blocks(read::array(root, "system")?)?;
    if root.get("messages").is_none() {
        return Err(read::missing(root, "messages"));
    }
    for message in read::array(root, "messages")? {
        request.turns.push(turn(message)?);
    }
    if let Some(config) = read::object(root, "inferenceConfig")? {
        inference(config, &mut request)?;
    }
    if let Some(config) = read::object(root, "toolConfig")? {
        tools_in::read(config, &mut request)?;
    }
    if let Some(fields) = read::object(root, "additionalModelRequestFields")? {
        fields_in::read(fields, &mut request)?;
    }
    if let Some(config) = read::object(root, "outputConfig")?
        && let Some(output) = output(config)?
    {
        request.output = Some(output);
        known.push("outputConfig");
    }
    if let Some(tier) = read::object(root, "serviceTier")?
        && let [(_, word)] = tier.entries()
        && word.is_string()
    {
        request.settings.push(setting(Feature::ServiceTier, word));
        known.push("serviceTier");
    }
    if let Some(metadata) = read::object(root, "requestMetadata")? {
        request.settings.push(setting(Feature::Metadata, metadata));
        known.push("requestMetadata");
    }
    let nested = std::mem::take(&mut request.extra.fields);
    request.extra = Extra::of(HERE, root, &known);
    request.extra.fields.extend(nested);
    request.extra.of = (!request.extra.fields.is_empty()).then_some(HERE);
    Ok(request)
}

fn setting<'a>(feature: Feature, node: &Node<'a>) -> Setting<'a> {
    Setting { feature, at: At::of(node), value: Raw::of(node) }
}

fn turn<'a>(message: &Node<'a>) -> Result<Turn<'a>, Refused> {
    if !message.is_object() {
        return Err(read::wrong(message, "message", "an object"));
    }
    let role = match read::need_text(message, "role")?.as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            let at = message.get("role").map_or(At::NOWHERE, At::of);
            return Err(Refused::new(at, "`role` must be \"user\" or \"assistant\""));
        }
    };
    if message.get("content").is_none() {
        return Err(read::missing(message, "content"));
    }
    let blocks = blocks_in::blocks(read::array(message, "content")?)?;
    let extra = Extra::of(HERE, message, &["role", "content"]);
    Ok(Turn { at: At::of(message), extra, ..Turn::new(role, blocks) })
}

fn inference<'a>(config: &Node<'a>, request: &mut Request<'a>) -> Result<(), Refused> {
    request.max_output = read::count(config, "maxTokens")?;
    for (key, feature) in [("temperature", Feature::Temperature), ("topP", Feature::TopP)] {
        let Some(value) = config.get(key) else { continue };
        if !value.is_number() {
            return Err(read::wrong(value, key, "a number"));
        }
        request.settings.push(setting(feature, value));
    }
    for sequence in read::array(config, "stopSequences")? {
        let text = sequence.text().ok_or_else(|| read::wrong(sequence, "stopSequences", "strings"))?;
        request.stop.push(text);
    }
    let known = ["maxTokens", "temperature", "topP", "stopSequences"];
    nest("inferenceConfig", Extra::of(HERE, config, &known), request);
    Ok(())
}

/// `textFormat.structure.jsonSchema`, whose schema is JSON in a string. None for formats unknown here.
fn output<'a>(config: &Node<'a>) -> Result<Option<OutputFormat<'a>>, Refused> {
    let Some(format) = read::object(config, "textFormat")? else { return Ok(None) };
    if format.get("type").is_none_or(|kind| !kind.is("json_schema")) || config.entries().len() != 1 {
        return Ok(None);
    }
    let structure = read::need_object(format, "structure")?;
    let Some(definition) = read::object(structure, "jsonSchema")? else { return Ok(None) };
    let schema = read::need_text(definition, "schema")?;
    let is_json = parse(&schema, Duplicates::LastCounts).is_ok_and(|node| node.is_object());
    if !is_json {
        let at = definition.get("schema").map_or(At::NOWHERE, At::of);
        return Err(Refused::new(at, "`schema` must be a JSON schema object, written as a string"));
    }
    let some = |key| -> Result<Option<Text<'a>>, Refused> { read::text(definition, key) };
    let (name, description) = (some("name")?, some("description")?);
    Ok(Some(OutputFormat::Schema { name, description, schema: Raw(schema), strict: None }))
}
