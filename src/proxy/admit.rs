//! From a request's head to the lane it takes: strictness, endpoint, principal, limits. The second
//! table of contents. Everything is decided on one parse of the path.

use super::client;
use super::connection::{certificate_of, edge_stream, peer_of};
use super::context::{Caller, Ctx, Requested};
use super::exchange::resume;
use super::local::LocalAnswer;
use super::patience::patiently;
use super::shed;
use crate::auth::{self, Principal};
use crate::dialect::paths::{self, Hit, PathError};
use crate::framing::ClientHead;
use crate::framing::strict_head::{self, HeadFault};
use crate::limits::Chain;
use crate::runtime::{DrainPhase, Edge, IdentitySource};
use crate::types::{Dialect, Endpoint, Reason, Reject};
use http::{Method, Version};
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;
use std::net::IpAddr;

/// Where a request goes from here.
pub enum Lane<'u> {
    Local(LocalAnswer<'u>),
    Exchange(Hit<'u>),
    Forward(Hit<'u>),
}

/// What a path and its method name, or why nothing.
pub type Named<'u> = Result<Hit<'u>, PathError>;

/// Reads what a head names.
pub fn named(head: &ClientHead) -> Named<'_> {
    paths::parse(&head.method, head.path(), head.query())
}

/// Admits a request, or says why not. Nothing of the body has been read. `peer` is the address at
/// the other end of the connection.
///
/// # Errors
/// The refusal to render.
pub async fn admit<'u>(
    edge: &Edge,
    ctx: &mut Ctx,
    head: &'u ClientHead,
    named: Named<'u>,
    peer: Option<IpAddr>,
) -> Result<Lane<'u>, Reject> {
    ctx.record.request = Requested::of(head);
    ctx.dialect = guess_dialect(head);
    ctx.record.client = client::address(head, peer, &ctx.runtime.edge.trusted_proxies);
    check_size(head.len(), ctx.runtime.edge.header_bytes_max)?;
    check_flood(edge, ctx)?;
    let hit = endpoint(head, named)?;
    if hit.endpoint != Endpoint::Models && hit.endpoint != Endpoint::ModelById {
        ctx.dialect = hit.dialect;
    }
    ctx.record.endpoint = Some(hit.endpoint);
    let reads_on = is_exchange(hit.endpoint) && resume::goes_on(edge, head);
    if !reads_on {
        shed::any(edge, ctx, hit.endpoint)?;
    }
    authenticate(edge, head, ctx, (hit.endpoint, reads_on)).await?;
    if !reads_on {
        shed::low(edge, ctx, head, hit.endpoint)?;
    }
    Ok(match hit.endpoint {
        Endpoint::Models | Endpoint::ModelById => Lane::Local(LocalAnswer::models(head, hit)),
        Endpoint::Opaque => Lane::Forward(hit),
        _ => Lane::Exchange(hit),
    })
}

fn is_exchange(endpoint: Endpoint) -> bool {
    !matches!(endpoint, Endpoint::Models | Endpoint::ModelById | Endpoint::Opaque)
}

/// Admits a request that Pingora has read.
///
/// # Errors
/// As [`admit`], and where the head is not strictly right.
pub async fn admit_session<'u>(
    edge: &Edge,
    ctx: &mut Ctx,
    session: &mut ServerSession,
    head: &'u ClientHead,
) -> Result<Lane<'u>, Reject> {
    prepare_connection(edge, session, ctx);
    let peer = peer_of(session);
    ctx.certificate = certificate_of(session);
    let checked = session.as_http1().map(|http1| strict_head::check(&http1.get_headers_raw_bytes()));
    if let Some(Err(fault)) = checked {
        ctx.record.request = Requested::of(head);
        ctx.dialect = guess_dialect(head);
        ctx.record.client = client::address(head, peer, &ctx.runtime.edge.trusted_proxies);
        return Err(malformed(fault));
    }
    admit(edge, ctx, head, named(head), peer).await
}

/// The head of a request that Pingora has read.
pub fn head_of(session: &ServerSession) -> ClientHead {
    let head: &RequestHeader = session.req_header();
    let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    ClientHead::of_values(head.method.clone(), head.version, head.raw_path(), fields)
}

/// The refusal of a head that is not strictly right.
pub fn malformed(fault: HeadFault) -> Reject {
    Reject::new(Reason::InvalidRequest, format!("malformed request head: {fault}"))
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
fn guess_dialect(head: &ClientHead) -> Dialect {
    if head.has("anthropic-version") {
        Dialect::Anthropic
    } else if head.has("x-goog-api-key") {
        Dialect::Gemini
    } else {
        paths::error_dialect(head.path())
    }
}

fn check_size(bytes: usize, bytes_max: usize) -> Result<(), Reject> {
    if bytes <= bytes_max { Ok(()) } else { Err(too_large(bytes_max)) }
}

/// The refusal of a head of more bytes than the configuration lets in.
pub fn too_large(bytes_max: usize) -> Reject {
    let message = format!("the request head is larger than this gateway's limit of {bytes_max} bytes");
    Reject::new(Reason::HeadersTooLarge, message)
}

fn check_flood(edge: &Edge, ctx: &Ctx) -> Result<(), Reject> {
    let allowed = ctx.record.client.is_none_or(|ip| edge.flood.allow(client::hash(ip), ctx.started));
    if allowed {
        return Ok(());
    }
    Err(Reject::new(Reason::ConnectionFlood, "too many requests from this address")
        .with_retry_after(std::time::Duration::from_secs(1)))
}

fn endpoint<'u>(head: &ClientHead, named: Named<'u>) -> Result<Hit<'u>, Reject> {
    let wants_websocket = is_websocket_handshake(head);
    match named {
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
fn is_websocket_handshake(head: &ClientHead) -> bool {
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && head.values("upgrade").any(|value| value.eq_ignore_ascii_case(b"websocket"))
}

/// Fails closed: whatever goes wrong, the answer is the same 401.
async fn authenticate(
    edge: &Edge,
    head: &ClientHead,
    ctx: &mut Ctx,
    (endpoint, reads_on): (Endpoint, bool),
) -> Result<(), Reject> {
    for name in auth::CREDENTIAL_HEADERS {
        if head.values(name).nth(1).is_some() {
            return Err(auth::AuthError::Ambiguous.into());
        }
    }
    let field = |name: &str| head.text(name);
    let presented = auth::presented(field, head.query())?.unwrap_or_default();
    let identities = edge.identities();
    let (keys, now_ms) = (&ctx.runtime.keys, edge.wall.unix_ms());
    let certified = keys.certified(&identities, ctx.certificate.as_deref(), &presented, now_ms);
    let is_certified = certified.is_some();
    let proved = certified.unwrap_or_else(|| keys.authenticate(&identities, &presented, now_ms));
    let principal = proved.map_err(|error| unknown(edge, &presented, is_certified, error))?;
    principal.admit_call(endpoint, ctx.record.client)?;
    let limits = &ctx.runtime.limits;
    let chain = match principal.index {
        Some(index) => limits.of_key(index).cloned().unwrap_or_default(),
        None => chain_of(edge, &principal),
    };
    let chain = &chain;
    // A stream that is read on has its place still, or had it: its own call must not keep it out.
    let admitted = patiently(edge, limits.till(), |may_wait| match reads_on {
        true => limits.admit_again(chain, edge.now(), may_wait),
        false => limits.admit(chain, edge.now(), may_wait),
    });
    let admitted = admitted.await;
    let reservation = match admitted {
        Ok(reservation) => reservation,
        Err(refusal) => {
            ctx.told = Some(limits.snapshot(chain, edge.now()));
            return Err(refusal.into());
        }
    };
    let has_limits = chain.has_rates();
    ctx.caller = Some(Caller { principal, has_limits, margin_bp: 0, reservation });
    Ok(())
}

/// The levels of a caller from the store that have limits.
fn chain_of(edge: &Edge, principal: &Principal) -> Chain {
    let limited = principal.scopes().filter(|scope| scope.has_limits());
    let mut names = limited.map(|scope| &*scope.name).peekable();
    match names.peek() {
        Some(_) => edge.governed().chain(names),
        None => Chain::default(),
    }
}

/// A virtual key or a certificate is not wrong because nothing is known of any: its holder is to try
/// again, and not to look for a mistake of its own.
fn unknown(edge: &Edge, presented: &str, is_certified: bool, error: auth::AuthError) -> Reject {
    let is_virtual = is_certified || auth::token::public_id(auth::TokenKind::Key, presented).is_some();
    if is_virtual && edge.identity_source() == IdentitySource::Missing {
        return Reject::new(Reason::StoreUnavailable, "keys cannot be checked yet; try again")
            .with_retry_after(std::time::Duration::from_secs(2));
    }
    error.into()
}
