//! What one attempt sends: method, path, fields and body, everything but the credential.
//!
//! Between two sides of one protocol the client's bytes go up with what the host wants different in
//! them; for another protocol the body is written anew. Not here: the sending. Invariant: what is left
//! out of the body or the betas is named in [`Outgoing::dropped`].

use super::attempt::Aim;
use super::heads::{ANTHROPIC_BETA, attempt_fields, translated_fields};
use super::prepare::Prepared;
use super::translate::{Translated, endpoint_of, host_of, plain_path, translate};
use super::unserved::{malformed, refuse_losses};
use crate::chat::ThinkingEcho;
use crate::dialect::codec;
use crate::dialect::codec::messages::{Host, betas};
use crate::dialect::front::Front;
use crate::dialect::invoke;
use crate::framing::json::{Duplicates, JsonWriter, parse_bytes};
use crate::runtime::{Edge, Lane, Way};
use crate::types::{Endpoint, Protocol, Reject};
use crate::upstream::UpstreamRequest;
use bytes::Bytes;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};

/// A request without its credential, and how its answer is to be read.
pub struct Outgoing {
    pub request: UpstreamRequest,
    pub translated: Option<Translated>,
    pub dropped: Vec<String>,
    pub wrapping: Wrapping,
    /// Errors come in another shape than the client's.
    pub is_foreign: bool,
}

/// What lies around an answer of the client's own protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    None,
    /// Streams are Amazon's event streams.
    Invoke,
    /// A count is Bedrock's.
    InvokeCount,
}

/// The request of an attempt whose body goes up as it came, but for the model and what the host wants
/// different; None where it must be [`written`].
///
/// # Errors
/// 400: the request is at fault, or this target cannot serve it.
pub fn as_it_came(
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    lane: Lane<'_>,
) -> Result<Option<Outgoing>, Reject> {
    let (Lane::Same(way), protocol) = (lane, prepared.endpoint.protocol()) else { return Ok(None) };
    // What goes on from something kept here is kept here, whoever answers.
    if prepared.recalled.is_some()
        || aim.begun.is_some()
        || protocol.is_some_and(|p| must_be_written_anew(p, prepared, aim))
    {
        return Ok(None);
    }
    let mut made = same(prepared, aim, way);
    made.dropped = lost_fields(prepared, aim, way)?;
    match host_of(&way.front).filter(|_| way.front.has_dress(way.protocol)) {
        Some(host) => made.dropped.extend(dress(prepared, aim, host, &mut made.request)?),
        None => {
            let options = aim.provider.takes_stream_options;
            made.request.body = prepared.upstream_body(aim.upstream_model, options);
            if prepared.loses_stream_options(options) {
                made.dropped.push("stream_options".to_owned());
            }
        }
    }
    Ok(Some(made))
}

/// The request of an attempt whose body is written here.
///
/// # Errors
/// 400: the request is at fault, or this target cannot serve it.
pub async fn written(
    edge: &Edge,
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    lane: Lane<'_>,
) -> Result<Outgoing, Reject> {
    let (Lane::Same(way) | Lane::Translated(way)) = lane;
    let from = prepared.endpoint.protocol().unwrap_or(way.protocol);
    let mut translated = translate(edge, prepared, aim, from, way).await?;
    if matches!(lane, Lane::Same(_)) && prepared.recalled.is_none() {
        let mut made = same(prepared, aim, way);
        (made.request.body, made.dropped) = (translated.body, translated.dropped);
        return Ok(made);
    }
    let plain = plain_path(way.protocol, aim.upstream_model, prepared.is_stream);
    let (plain, query) = plain.split_once('?').map_or((plain.as_str(), None), |(p, q)| (p, Some(q)));
    let endpoint = endpoint_of(way.protocol, prepared.is_stream);
    let path = place(way, endpoint, aim.upstream_model, prepared.is_stream, (plain, query));
    let request = translated_request(prepared, aim, way, path, translated.body.clone());
    let mut dropped = std::mem::take(&mut translated.dropped);
    dropped.extend(lost_fields(prepared, aim, way)?);
    let wrapping = wrapping(way, endpoint);
    Ok(Outgoing { request, translated: Some(translated), dropped, wrapping, is_foreign: true })
}

/// A request whose body was written here.
pub fn translated_request(
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    way: &Way,
    path: String,
    body: Bytes,
) -> UpstreamRequest {
    let fields = translated_fields(&prepared.client_fields, way, aim.provider);
    UpstreamRequest { method: Method::POST, path, fields, body }
}

/// Everything but the body.
fn same(prepared: &Prepared<'_>, aim: &Aim<'_>, way: &Way) -> Outgoing {
    let endpoint = prepared.endpoint;
    let plain = prepared.hit.upstream_path(aim.upstream_model);
    let query = prepared.hit.upstream_query(prepared.query, aim.upstream_model);
    let query = query.as_deref().filter(|_| !way.front.has_dress(way.protocol));
    let request = UpstreamRequest {
        method: prepared.method.clone(),
        path: place(way, endpoint, aim.upstream_model, prepared.is_stream, (&plain, query)),
        fields: attempt_fields(&prepared.client_fields, way, aim.provider),
        body: Bytes::new(),
    };
    Outgoing {
        request,
        translated: None,
        dropped: Vec::new(),
        wrapping: wrapping(way, endpoint),
        is_foreign: way.front.has_own_errors(way.protocol) || prepared.hit.is_wrapped(),
    }
}

fn wrapping(way: &Way, endpoint: Endpoint) -> Wrapping {
    match (host_of(&way.front), endpoint) {
        (Some(Host::BedrockInvoke), Endpoint::CountTokens) => Wrapping::InvokeCount,
        (Some(Host::BedrockInvoke), _) => Wrapping::Invoke,
        _ => Wrapping::None,
    }
}

/// Fields of the client's head that change the answer and that only Bedrock understands.
fn lost_fields(prepared: &Prepared<'_>, aim: &Aim<'_>, way: &Way) -> Result<Vec<String>, Reject> {
    const GUARDRAIL: &str = "x-amzn-bedrock-guardrailidentifier";
    let is_asked = prepared.client_fields.iter().any(|(name, _)| name == GUARDRAIL);
    if !is_asked || way.front == Front::Invoke {
        return Ok(Vec::new());
    }
    let lost = vec![GUARDRAIL.to_owned()];
    refuse_losses(aim.policy.on_unsupported, &lost)?;
    Ok(lost)
}

/// Path and query at the provider.
pub fn place(
    way: &Way,
    endpoint: Endpoint,
    model: &str,
    is_stream: bool,
    (plain, query): (&str, Option<&str>),
) -> String {
    let own = way.front.path(endpoint, model, is_stream, plain);
    let mut path = format!("{}{}", way.base_path, own.as_deref().unwrap_or(plain));
    let queries = query.map(str::to_owned).into_iter().chain(way.front.query());
    for (index, query) in queries.enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(&query);
    }
    path
}

/// The client's own body as `host` takes it, and its betas where the host reads them. Gives what was
/// left out.
fn dress(
    prepared: &Prepared<'_>,
    aim: &Aim<'_>,
    host: Host,
    request: &mut UpstreamRequest,
) -> Result<Vec<String>, Reject> {
    let root =
        parse_bytes(&prepared.body, Duplicates::Refuse).map_err(|error| malformed(&prepared.body, error))?;
    let lines = prepared.client_fields.iter().filter(|(name, _)| name == ANTHROPIC_BETA);
    let texts: Vec<&str> = lines.filter_map(|(_, value)| value.to_str().ok()).collect();
    let names = texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<&str> = names.collect();
    let vouched: Vec<&str> = aim.provider.betas.iter().map(String::as_str).collect();
    let (adapted, mut body) = betas::adapt_body(host, &names, &vouched, &root);
    refuse_losses(aim.policy.on_unsupported, &adapted.removed)?;
    if prepared.endpoint == Endpoint::CountTokens {
        body = count_body(host, aim.upstream_model, root.get("max_tokens").is_some(), body);
    }
    if host == Host::Vertex
        && !adapted.betas.is_empty()
        && let Ok(value) = HeaderValue::from_str(&adapted.betas.join(","))
    {
        request.fields.push((HeaderName::from_static(ANTHROPIC_BETA), value));
    }
    request.fields.retain(|(name, _)| name != header::CONTENT_TYPE);
    request.fields.push((header::CONTENT_TYPE, HeaderValue::from_static("application/json")));
    request.body = Bytes::from(body);
    Ok(adapted.removed)
}

/// A body to be counted: Vertex wants the model in it, Bedrock a whole request in base64.
fn count_body(host: Host, model: &str, has_limit: bool, body: Vec<u8>) -> Vec<u8> {
    let mut member = Vec::new();
    match host {
        Host::Anthropic => return body,
        Host::Vertex => {
            member.extend_from_slice(b"\"model\":");
            JsonWriter::new(&mut member).string(model);
            member.push(b',');
        }
        Host::BedrockInvoke if !has_limit => member.extend_from_slice(b"\"max_tokens\":1,"),
        Host::BedrockInvoke => {}
    }
    // The dress has put a member in front, so a comma is right.
    let rest = body.strip_prefix(b"{").unwrap_or_default();
    let whole = [b"{".as_slice(), &member, rest].concat();
    if host == Host::BedrockInvoke { invoke::wrap_count(&whole) } else { whole }
}

/// Whether the provider would refuse the client's own bytes: another vendor's proofs stand in the
/// history, or thinking that it wants back does not.
fn must_be_written_anew(protocol: Protocol, prepared: &Prepared<'_>, aim: &Aim<'_>) -> bool {
    codec::holds_foreign(protocol, &prepared.body)
        || (protocol == Protocol::Chat
            && codec::chat::lacks_reasoning(&prepared.body)
            && aim.provider.target(&aim.runtime.catalog, aim.upstream_model).echo
                == ThinkingEcho::ReasoningContent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_vendors_own_or_the_fronts_with_both_queries() {
        let way = |front| Way { protocol: Protocol::Chat, base_path: "/openai".into(), front };
        let at = |front, query| {
            place(&way(front), Endpoint::ChatCompletions, "d", false, ("/chat/completions", query))
        };
        assert_eq!(at(Front::Plain, None), "/openai/chat/completions");
        let classic = Front::Deployments { api_version: "2024-10-21".into() };
        assert_eq!(
            at(classic, Some("a=b")),
            "/openai/deployments/d/chat/completions?a=b&api-version=2024-10-21"
        );
    }

    #[test]
    fn a_count_names_the_model_at_vertex_and_has_a_limit_at_bedrock() {
        let body = || br#"{"anthropic_version":"v","messages":[]}"#.to_vec();
        let vertex = String::from_utf8(count_body(Host::Vertex, "claude-\"x", false, body())).unwrap();
        assert_eq!(vertex, r#"{"model":"claude-\"x","anthropic_version":"v","messages":[]}"#);
        let bedrock = |has_limit| count_body(Host::BedrockInvoke, "m", has_limit, body());
        let limited = br#"{"max_tokens":1,"anthropic_version":"v","messages":[]}"#;
        assert_eq!(bedrock(false), invoke::wrap_count(limited));
        assert_eq!(bedrock(true), invoke::wrap_count(&body()));
    }
}
