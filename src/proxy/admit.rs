//! From a request's head to the lane it takes: strictness, endpoint, principal, limits. The second
//! table of contents. Everything is decided on one parse of the path.

use super::connection::edge_stream;
use super::context::{Caller, Ctx};
use super::local::LocalAnswer;
use super::{client, strict_head};
use crate::auth;
use crate::dialect::paths::{self, Hit, PathError};
use crate::runtime::{DrainPhase, Edge};
use crate::types::{Dialect, Endpoint, Reason, Reject};
use http::{Method, Uri};
use pingora_proxy::Session;

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
pub fn admit<'u>(
    edge: &Edge,
    session: &mut Session,
    ctx: &mut Ctx,
    uri: &'u Uri,
) -> Result<Lane<'u>, Reject> {
    prepare_connection(edge, session, ctx);
    ctx.dialect = guess_dialect(session, uri);
    ctx.record.client = client::address(session, &ctx.runtime.edge.trusted_proxies);
    check_head(session, ctx.runtime.edge.header_bytes_max)?;
    check_flood(edge, ctx)?;
    let hit = endpoint(&session.req_header().method, uri)?;
    if hit.endpoint != Endpoint::Models && hit.endpoint != Endpoint::ModelById {
        ctx.dialect = hit.dialect;
    }
    ctx.record.endpoint = Some(hit.endpoint);
    authenticate(edge, session, ctx)?;
    Ok(match hit.endpoint {
        Endpoint::Models | Endpoint::ModelById => Lane::Local(LocalAnswer::models(session, hit, uri.query())),
        Endpoint::Opaque => Lane::Forward(hit),
        _ => Lane::Exchange(hit),
    })
}

/// Sets on the connection what Pingora leaves open: how long it may idle, and that it ends with
/// this answer while the process leaves.
fn prepare_connection(edge: &Edge, session: &mut Session, ctx: &Ctx) {
    if let Some(stream) = edge_stream(session.as_downstream().stream()) {
        stream.head_complete();
    }
    let policy = &ctx.runtime.edge;
    let downstream = session.as_downstream_mut();
    downstream.set_write_timeout(Some(policy.write_timeout));
    if edge.drain.phase() == DrainPhase::Serving {
        // Pingora makes every HTTP/1.1 connection keep-alive without end; a client that asked for
        // `close` has none to set.
        if downstream.get_keepalive().is_some() {
            downstream.set_keepalive(Some(policy.keepalive_timeout.as_secs().max(1)));
        }
    } else {
        downstream.set_keepalive(None);
    }
}

/// Before the endpoint is known: by what the client's SDK always sends.
fn guess_dialect(session: &Session, uri: &Uri) -> Dialect {
    let has = |name: &str| session.get_header(name).is_some();
    if has("anthropic-version") {
        Dialect::Anthropic
    } else if has("x-goog-api-key") {
        Dialect::Gemini
    } else {
        paths::error_dialect(uri.path())
    }
}

fn check_head(session: &Session, bytes_max: usize) -> Result<(), Reject> {
    let too_large = || {
        Reject::new(
            Reason::HeadersTooLarge,
            format!("the request head is larger than this gateway's limit of {bytes_max} bytes"),
        )
    };
    if let Some(http1) = session.as_downstream().as_http1() {
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

fn endpoint<'u>(method: &Method, uri: &'u Uri) -> Result<Hit<'u>, Reject> {
    match paths::parse(method, uri.path(), uri.query()) {
        Ok(hit) => Ok(hit),
        Err(PathError::NotFound) => Err(Reject::new(
            Reason::NotFound,
            "no such endpoint; see the list of endpoints in the documentation",
        )),
        Err(PathError::Method { allowed }) => {
            Err(Reject::new(Reason::UnsupportedMethod, format!("this endpoint takes {allowed}")))
        }
    }
}

/// Fails closed: whatever goes wrong, the answer is the same 401.
fn authenticate(edge: &Edge, session: &Session, ctx: &mut Ctx) -> Result<(), Reject> {
    let head = session.req_header();
    for name in auth::CREDENTIAL_HEADERS {
        if head.headers.get_all(name).iter().nth(1).is_some() {
            return Err(auth::AuthError::Ambiguous.into());
        }
    }
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let presented = auth::presented(field, head.uri.query())?.unwrap_or_default();
    let principal = ctx.runtime.keys.authenticate(&presented)?.clone();
    let now = edge.now();
    let reservation = ctx.runtime.limits.admit(principal.index, 0, now)?;
    let told = reservation.snapshot(now);
    let has_limits = told.requests.is_some() || told.tokens.is_some();
    ctx.caller = Some(Caller { principal, has_limits, reservation });
    Ok(())
}
