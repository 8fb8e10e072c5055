//! The forward lane: opaque paths of OpenAI-compatible providers (files, uploads, batches, realtime
//! WebSockets), streamed both ways by Pingora's own phases. Nothing of a body is read here.

mod funds;
pub mod heads;

use super::admit::Lane;
use super::context::Ctx;
use super::exchange::downstream::answer_by_session;
use super::exchange::respond;
use super::local;
use crate::dialect::errors;
use crate::dialect::paths::Hit;
use crate::runtime::Edge;
use crate::types::{Reason, Reject, bounds};
use bytes::Bytes;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_proxy::{FailToProxy, Session};
use std::sync::Arc;

/// Where a forwarded request goes.
pub struct Forwarding {
    provider: usize,
    account: usize,
    path: String,
}

/// Chooses the provider and lets Pingora's phases go on. True where the request was refused.
pub async fn begin(
    edge: &Arc<Edge>,
    session: &mut Session,
    ctx: &mut Ctx,
    admitted: Result<Lane<'_>, Reject>,
) -> Result<bool> {
    let chosen = match admitted {
        Ok(Lane::Forward(hit)) => match funds::reserve(edge, ctx, hit.model.as_deref()).await {
            Ok(()) => choose(edge, session, ctx, &hit),
            Err(reject) => Err(reject),
        },
        // The first line named another path than the whole head does.
        Ok(_) => Err(Reject::new(Reason::NotFound, "no such endpoint")),
        Err(reject) => Err(reject),
    };
    match chosen {
        Ok(forwarding) => {
            ctx.record.provider = Some(forwarding.provider);
            ctx.record.attempts = 1;
            ctx.forwarding = Some(forwarding);
            Ok(false)
        }
        Err(reject) => {
            ctx.record.note_reject(&reject);
            write_error(edge, session, ctx, &reject).await;
            Ok(true)
        }
    }
}

fn choose(edge: &Edge, session: &Session, ctx: &mut Ctx, hit: &Hit<'_>) -> Result<Forwarding, Reject> {
    let query = session.req_header().uri.query();
    let (provider, model) = match &hit.model {
        Some(model) => provider_of_model(edge, ctx, model)?,
        None => (provider_by_name(ctx, session)?, String::new()),
    };
    let found = ctx.runtime.providers.get(provider).filter(|found| found.is_opaque);
    let Some(found) = found else {
        return Err(Reject::new(
            Reason::NotFound,
            "this path is passed on to providers of kind openai-compatible only",
        ));
    };
    let now = edge.now();
    let account = super::exchange::account(&ctx.runtime, found, edge.dice.roll(), now).ok_or_else(|| {
        Reject::new(Reason::AllCooling, "all credentials of this provider are cooling down")
            .with_retry_after(std::time::Duration::from_secs(1))
    })?;
    let base = found.accounts.get(account).map_or("", |account| account.link.origin.base_path.as_str());
    let mut path = format!("{base}{}", hit.upstream_path(&model));
    if let Some(query) = hit.upstream_query(query, &model) {
        path.push('?');
        path.push_str(&query);
    }
    Ok(Forwarding { provider, account, path })
}

/// The provider of a model's first target, and the model's name there.
fn provider_of_model(edge: &Edge, ctx: &mut Ctx, model: &str) -> Result<(usize, String), Reject> {
    let runtime = ctx.runtime.clone();
    let policy = runtime.table.resolve(model).and_then(|index| runtime.models.get(index));
    let Some(target) = policy.and_then(|policy| policy.targets.first()) else {
        return Err(local::unknown_model(ctx, model));
    };
    super::exchange::admit_model(edge, ctx, model)?;
    let upstream = target.model.clone().unwrap_or_else(|| model.to_owned());
    let provider = target.provider;
    ctx.record.model = Some(model.to_owned());
    Ok((provider, upstream))
}

/// The provider the client names in `x-tidegate-provider`, or the only one there is.
fn provider_by_name(ctx: &Ctx, session: &Session) -> Result<usize, Reject> {
    let named = session.get_header("x-tidegate-provider").and_then(|value| value.to_str().ok());
    let mut opaque = ctx.runtime.providers.iter().enumerate().filter(|(_, provider)| provider.is_opaque);
    if let Some(name) = named {
        return opaque.find(|(_, provider)| provider.name == name).map(|(index, _)| index).ok_or_else(|| {
            Reject::new(Reason::NotFound, "x-tidegate-provider names no openai-compatible provider")
        });
    }
    match (opaque.next(), opaque.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(Reject::new(Reason::NotFound, "no openai-compatible provider takes this path")),
        (Some(_), Some(_)) => Err(Reject::new(
            Reason::InvalidRequest,
            "several providers could take this; name one in the header x-tidegate-provider",
        )),
    }
}

/// The peer of a forwarded request.
pub async fn peer(ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
    let account = ctx.forwarding.as_ref().and_then(|forwarding| {
        ctx.runtime.providers.get(forwarding.provider)?.accounts.get(forwarding.account)
    });
    let Some(account) = account else {
        return Error::e_explain(ErrorType::InternalError, "nothing to forward to");
    };
    let address = account.link.addresses.pick().await;
    let address = address.map_err(|e| Error::explain(ErrorType::ConnectNoRoute, e.to_string()).into_up())?;
    Ok(Box::new(account.link.http_peer(address)))
}

/// Counts a piece of the request's body, and ends an upload that is too long.
pub fn count_up(ctx: &mut Ctx, body: Option<&Bytes>) -> Result<()> {
    ctx.record.bytes_in += body.map_or(0, |body| body.len() as u64);
    if ctx.record.bytes_in > bounds::UPLOAD_BYTES_MAX {
        return Error::e_explain(ErrorType::HTTPStatus(413), "upload too long");
    }
    Ok(())
}

pub fn count_down(ctx: &mut Ctx, body: Option<&Bytes>) {
    ctx.record.bytes_out += body.map_or(0, |body| body.len() as u64);
}

/// Tells a failed forward in the client's dialect, where its answer has not begun.
pub async fn judge(edge: &Edge, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
    log::debug!("{} not forwarded: {error}", ctx.id);
    if *error.esource() == ErrorSource::Downstream {
        ctx.record.is_client_gone = true;
        return FailToProxy { error_code: 0, can_reuse_downstream: false };
    }
    let reject = reject_of(error);
    ctx.record.note_reject(&reject);
    if session.response_written().is_none() {
        write_error(edge, session, ctx, &reject).await;
    }
    FailToProxy { error_code: reject.status, can_reuse_downstream: false }
}

fn reject_of(error: &Error) -> Reject {
    match error.etype() {
        ErrorType::HTTPStatus(413) => {
            Reject::new(Reason::BodyTooLarge, "the upload is larger than this gateway passes on")
        }
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => {
            Reject::new(Reason::UpstreamConnect, "the provider cannot be reached")
        }
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => {
            Reject::new(Reason::UpstreamTimeout, "the provider did not answer in time")
        }
        ErrorType::ConnectRefused
        | ErrorType::ConnectNoRoute
        | ErrorType::ConnectError
        | ErrorType::TLSHandshakeFailure
        | ErrorType::InvalidCert => Reject::new(Reason::UpstreamConnect, "the provider cannot be reached"),
        ErrorType::InternalError => Reject::new(Reason::Internal, "the gateway failed"),
        _ => Reject::new(Reason::UpstreamProtocol, "the provider's answer was not understood"),
    }
}

async fn write_error(edge: &Edge, session: &mut Session, ctx: &mut Ctx, reject: &Reject) {
    let body = Bytes::from(errors::render_body(ctx.dialect, reject, &ctx.id.to_string()));
    let fields = respond::reject_fields(edge, ctx, reject);
    ctx.record.bytes_out += body.len() as u64;
    let told = answer_by_session(session.as_downstream_mut(), reject.status, &fields, body).await;
    ctx.record.is_client_gone |= told.is_err();
}
