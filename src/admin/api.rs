//! The door of the admin API: from a request to a [`Call`], through every check that does not depend
//! on the thing asked for, and from an [`Answer`] to a response.

use super::call::{Answer, Call};
use super::problem::Problem;
use super::routes::{CONFIGURED, Needs, Route, Verb, routes};
use super::{configured, history, objects, openapi, reads, secrets, strict, subscriptions, targets, usage};
use crate::auth::AuthError;
use crate::govern::Actor;
use crate::runtime::Edge;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A body of a request. Policies with thousand-entry lists fit.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Told by the listener: who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub Option<IpAddr>);

/// The router over the table of routes.
pub fn router(edge: &Arc<Edge>) -> Router {
    let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for route in routes() {
        let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
        let (edge, path, route) = (edge.clone(), route.path.clone(), Arc::new(route));
        let handler = move |request: Request| {
            let (edge, route) = (edge.clone(), route.clone());
            async move { serve(edge, &route, request).await }
        };
        let methods = by_path.remove(&path).unwrap_or_default();
        by_path.insert(path, methods.merge(on(filter, handler)));
    }
    let router =
        by_path.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods));
    router.fallback(no_route).method_not_allowed_fallback(no_method)
}

async fn no_route() -> Response {
    finish(
        Problem::new(StatusCode::NOT_FOUND, "not_found", "no such path; see /admin/v1/openapi.json")
            .into_response(),
    )
}

async fn no_method() -> Response {
    let detail = "this path does not take this method";
    finish(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response())
}

async fn serve(edge: Arc<Edge>, route: &Route, request: Request) -> Response {
    let request_id = edge.ids.next().to_string();
    let response = match admitted(edge, route, request, &request_id).await {
        Ok(call) => match Box::pin(run(&call, route.verb)).await {
            Ok(answer) => respond(answer),
            Err(problem) => problem.into_response(),
        },
        Err(problem) => problem.into_response(),
    };
    let mut response = finish(response);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// Name, credential, permission, body: in this order, each before the next is looked at.
async fn admitted(
    edge: Arc<Edge>,
    route: &Route,
    request: Request,
    request_id: &str,
) -> Result<Call, Problem> {
    let (parts, body) = request.into_parts();
    check_host(&edge, &parts.headers, &parts.uri)?;
    let actor = match route.needs {
        Needs::Nothing => Arc::new(Actor::installation_owner()),
        Needs::Actor | Needs::Permission(_) | Needs::Either(..) => actor(&edge, &parts.headers)?,
    };
    if !route.needs.allows(|permission| actor.role.may(permission)) {
        let detail = format!("a {} may not do this", actor.role.as_str());
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    let id = match parts.uri.path().split('/').nth(4) {
        Some(segment) => strict::segment(segment).ok_or_else(|| Problem::missing("thing"))?,
        None => String::new(),
    };
    let too_large = |_| {
        let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(too_large)?.to_vec();
    let now_ms = edge.wall.unix_ms();
    let client = parts.extensions.get::<Peer>().and_then(|peer| peer.0).map(|ip| ip.to_string());
    Ok(Call {
        edge,
        actor,
        id,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body,
        now_ms,
        request_id: request_id.to_owned(),
        client,
    })
}

fn check_host(edge: &Edge, headers: &HeaderMap, uri: &http::Uri) -> Result<(), Problem> {
    let field = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = field.or_else(|| uri.authority().map(http::uri::Authority::as_str));
    if host.is_some_and(|host| edge.runtime().admin.hosts.allow(host)) {
        return Ok(());
    }
    let detail = "not asked for by a name this listener has; see `hosts` of [admin]";
    Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail))
}

/// One answer for every credential that is not good, and for none.
fn actor(edge: &Edge, headers: &HeaderMap) -> Result<Arc<Actor>, Problem> {
    let refused =
        |_: AuthError| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "missing or invalid token");
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let presented = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    let presented = match presented.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    let runtime = edge.runtime();
    let digest = crate::auth::digest(presented);
    let is_owner = runtime.admin.token.as_ref().map(|token| bool::from(token.ct_eq(&digest)));
    // Both are looked at always: the time tells nothing about which kind of token it was.
    let user = runtime.keys.user(&edge.identities(), presented, edge.wall.unix_ms());
    if is_owner == Some(true) && !presented.is_empty() {
        return Ok(Arc::new(Actor::installation_owner()));
    }
    user.map_err(refused)
}

async fn run(call: &Call, verb: Verb) -> Result<Answer, Problem> {
    match verb {
        Verb::List(kind) if CONFIGURED.contains(&kind) => configured::list(call, kind).await,
        Verb::Create(kind) if CONFIGURED.contains(&kind) => configured::create(call, kind).await,
        Verb::Get(kind) if CONFIGURED.contains(&kind) => configured::get(call, kind).await,
        Verb::Change(kind) if CONFIGURED.contains(&kind) => configured::change(call, kind).await,
        Verb::Delete(kind) if CONFIGURED.contains(&kind) => configured::delete(call, kind).await,
        Verb::List(kind) => objects::list(call, kind).await,
        Verb::Create(kind) => objects::create(call, kind).await,
        Verb::Get(kind) => objects::get(call, kind).await,
        Verb::Change(kind) => objects::change(call, kind).await,
        Verb::Delete(kind) => objects::delete(call, kind).await,
        Verb::RotateKey => secrets::rotate_key(call).await,
        Verb::RotateToken => secrets::rotate_token(call).await,
        Verb::Decide(decision) => subscriptions::decide(call, decision).await,
        Verb::Me => Ok(reads::me(call)),
        Verb::Audit => reads::audit(call).await,
        Verb::Usage => usage::usage(call).await,
        Verb::Calls => usage::calls(call).await,
        Verb::Config => Ok(reads::config(call)),
        Verb::History => history::list(call).await,
        Verb::HistoryEntry => history::entry(call).await,
        Verb::HistoryDiff => history::diff(call).await,
        Verb::Rollback => history::rollback(call).await,
        Verb::Health => Ok(reads::health(call).await),
        Verb::Targets => targets::list(call),
        Verb::DrainTarget => targets::set(call, true).await,
        Verb::EnableTarget => targets::set(call, false).await,
        Verb::OpenApi => Ok(Answer::ok(openapi::document())),
    }
}

fn respond(answer: Answer) -> Response {
    let body = answer.body.as_ref().map(|body| serde_json::to_vec(body).unwrap_or_default());
    let has_body = body.is_some();
    let mut response = Response::new(Body::from(body.unwrap_or_default()));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let etag = answer.version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    headers.extend(etag.map(|etag| (header::ETAG, etag)));
    let location = answer.location.and_then(|location| HeaderValue::from_str(&location).ok());
    headers.extend(location.map(|location| (header::LOCATION, location)));
    if answer.is_replayed {
        headers.insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    }
    response
}

/// Nothing of this plane is to be kept by anybody on the way, or read as anything but what it is.
fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
