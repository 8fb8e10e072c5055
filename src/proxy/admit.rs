//! From a request's head to the lane it takes: strictness, endpoint, principal, limits. The second
//! table of contents. Everything is decided on one parse of the path.

use super::client;
use super::connection::edge_stream;
use super::context::{Caller, Ctx, Requested};
use super::local::LocalAnswer;
use super::patience::patiently;
use crate::auth;
use crate::dialect::paths::{self, Hit, PathError};
use crate::framing::strict_head;
use crate::limits::Chain;
use crate::runtime::{DrainPhase, Edge};
use crate::types::{Dialect, Endpoint, Reason, Reject};
use http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;

/// Where a request goes from here.
pub enum Lane<'u> {
    Local(LocalAnswer<'u>),
    Exchange(Hit<'u>),
    Forward(Hit<'u>),
}

/// Admits a request, or says why not. Nothing of the body has been read.
///
/// # Errors
/// The refusal to render.
pub async fn admit<'u>(
    edge: &Edge,
    session: &mut ServerSession,
    ctx: &mut Ctx,
    uri: &'u Uri,
) -> Result<Lane<'u>, Reject> {
    prepare_connection(edge, session, ctx);
    ctx.record.request = Requested::of(session);
    ctx.dialect = guess_dialect(session, uri);
    ctx.record.client = client::address(session, &ctx.runtime.edge.trusted_proxies);
    check_head(session, ctx.runtime.edge.header_bytes_max)?;
    check_flood(edge, ctx)?;
    let hit = endpoint(session.req_header(), uri)?;
    if hit.endpoint != Endpoint::Models && hit.endpoint != Endpoint::ModelById {
        ctx.dialect = hit.dialect;
    }
    ctx.record.endpoint = Some(hit.endpoint);
    authenticate(edge, session, ctx).await?;
    Ok(match hit.endpoint {
        Endpoint::Models | Endpoint::ModelById => Lane::Local(LocalAnswer::models(session, hit, uri.query())),
        Endpoint::Opaque => Lane::Forward(hit),
        _ => Lane::Exchange(hit),
    })
}

/// Sets on the connection what Pingora leaves open: how long it may idle, and that it ends with
/// this answer while the process leaves.
fn prepare_connection(edge: &Edge, session: &mut ServerSession, ctx: &Ctx) {
    if let Some(stream) = edge_stream(session.stream()) {
        stream.head_complete();
    }
    let policy = &ctx.runtime.edge;
    session.set_write_timeout(Some(policy.write_timeout));
    if edge.drain.phase() == DrainPhase::Serving {
        // Pingora makes every HTTP/1.1 connection keep-alive without end; a client that asked for
        // `close` has none to set.
        if session.get_keepalive().is_some() {
            session.set_keepalive(Some(policy.keepalive_timeout.as_secs().max(1)));
        }
    } else {
        session.set_keepalive(None);
    }
}

/// Before the endpoint is known: by what the client's SDK always sends.
fn guess_dialect(session: &ServerSession, uri: &Uri) -> Dialect {
    let has = |name: &str| session.req_header().headers.keys().any(|n| n.as_str() == name);
    if has("anthropic-version") {
        Dialect::Anthropic
    } else if has("x-goog-api-key") {
        Dialect::Gemini
    } else {
        paths::error_dialect(uri.path())
    }
}

fn check_head(session: &ServerSession, bytes_max: usize) -> Result<(), Reject> {
    let too_large = || {
        Reject::new(
            Reason::HeadersTooLarge,
            format!("the request head is larger than this gateway's limit of {bytes_max} bytes"),
        )
    };
    if let Some(http1) = session.as_http1() {
        let raw = http1.get_headers_raw_bytes();
        if raw.len() > bytes_max {
            return Err(too_large());
        }
        return strict_head::check(&raw).map_err(|fault| {
            Reject::new(Reason::InvalidRequest, format!("malformed request head: {fault}"))
        });
    }
    let head = session.req_header();
    let fields: usize = head.headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 32).sum();
    if fields + head.raw_path().len() > bytes_max { Err(too_large()) } else { Ok(()) }
}

fn check_flood(edge: &Edge, ctx: &Ctx) -> Result<(), Reject> {
    let allowed = ctx.record.client.is_none_or(|ip| edge.flood.allow(client::hash(ip), edge.now()));
    if allowed {
        return Ok(());
    }
    Err(Reject::new(Reason::ConnectionFlood, "too many requests from this address")
        .with_retry_after(std::time::Duration::from_secs(1)))
}

fn endpoint<'u>(head: &RequestHeader, uri: &'u Uri) -> Result<Hit<'u>, Reject> {
    let wants_websocket = is_websocket_handshake(head);
    match paths::parse(&head.method, uri.path(), uri.query()) {
        Ok(hit) if !wants_websocket || hit.takes_websocket() => Ok(hit),
        Err(PathError::NotFound) => Err(Reject::new(
            Reason::NotFound,
            "no such endpoint; see the list of endpoints in the documentation",
        )),
        // Before the method: the handshake's GET is not the client's choice, and 426 sends clients
        // that try a WebSocket first (Codex) back to HTTP at once.
        Ok(_) | Err(PathError::Method { .. }) if wants_websocket => {
            let message = "this endpoint takes no WebSocket; send the request over HTTP";
            Err(Reject::new(Reason::UnsupportedUpgrade, message).with_field("upgrade", "HTTP/1.1"))
        }
        Ok(hit) => Ok(hit),
        Err(PathError::Method { allowed }) => {
            let message = format!("this endpoint takes {allowed}");
            Err(Reject::new(Reason::UnsupportedMethod, message).with_field("allow", allowed))
        }
    }
}

/// RFC 6455 §4.1. Of other upgrades, and on other methods, a server may take no notice.
fn is_websocket_handshake(head: &RequestHeader) -> bool {
    let names_it = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && head.headers.get_all(header::UPGRADE).iter().any(names_it)
}

/// Fails closed: whatever goes wrong, the answer is the same 401.
async fn authenticate(edge: &Edge, session: &ServerSession, ctx: &mut Ctx) -> Result<(), Reject> {
    let head = session.req_header();
    for name in auth::CREDENTIAL_HEADERS {
        if values(&head.headers, name).nth(1).is_some() {
            return Err(auth::AuthError::Ambiguous.into());
        }
    }
    let field = |name: &str| values(&head.headers, name).next().and_then(|value| value.to_str().ok());
    let presented = auth::presented(field, head.uri.query())?.unwrap_or_default();
    let principal = ctx.runtime.keys.authenticate(&presented)?.clone();
    let (limits, none) = (&ctx.runtime.limits, Chain::default());
    let chain = limits.of_key(principal.index).unwrap_or(&none);
    let admitted = patiently(edge, limits.till(), |may_wait| limits.admit(chain, edge.now(), may_wait)).await;
    let reservation = match admitted {
        Ok(reservation) => reservation,
        Err(refusal) => {
            ctx.told = Some(limits.snapshot(chain, edge.now()));
            return Err(refusal.into());
        }
    };
    let has_limits = chain.has_rates();
    ctx.caller = Some(Caller { principal, has_limits, reservation });
    Ok(())
}

/// The values of a field. A walk over the few fields of a head is cheaper than a look-up by a name
/// that has to be parsed and hashed first.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h HeaderValue> {
    headers.iter().filter(move |(other, _)| other.as_str() == name).map(|(_, value)| value)
}
