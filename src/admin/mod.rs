//! The admin plane: metrics, health, and the admin API. Its own listener, on the loopback unless
//! configured otherwise.

mod api;
mod call;
mod check;
mod configured;
mod difference;
mod fields;
mod history;
mod objects;
mod openapi;
mod problem;
mod reads;
pub mod routes;
mod secrets;
mod strict;
mod subscriptions;
mod targets;
mod usage;
mod view;

use crate::limits::Stage;
use crate::runtime::{DrainPhase, Edge, IdentitySource};
pub use api::router;
use api::{BODY_BYTES_MAX, Peer};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_http::ResponseHeader;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// A connection on which nothing happens is closed.
const IDLE: Duration = Duration::from_secs(60);
/// For the whole body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub struct AdminPlane {
    edge: Arc<Edge>,
    api: Router,
}

impl AdminPlane {
    pub fn new(edge: Arc<Edge>) -> Self {
        let api = api::router(&edge);
        Self { edge, api }
    }

    fn route(&self, method: &Method, path: &str) -> (StatusCode, &'static str, Vec<u8>) {
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, TEXT, b"only GET\n".to_vec());
        }
        match path {
            "/metrics" => {
                self.edge.note_kept();
                self.edge.note_targets();
                (StatusCode::OK, crate::telemetry::METRICS_CONTENT_TYPE, self.edge.metrics.render())
            }
            "/livez" => (StatusCode::OK, TEXT, b"ok\n".to_vec()),
            "/readyz" => self.readiness(),
            _ => (StatusCode::NOT_FOUND, TEXT, b"try /metrics, /livez, /readyz or /admin/v1\n".to_vec()),
        }
    }

    /// Ready unless the process is about to end. A process that has handed its listeners over
    /// still answers "ok": the service as a whole is ready, and the new process serves it. A store
    /// that is away is told and no reason not to be ready, as keys that are known keep working; unless nothing
    /// is known of any.
    fn readiness(&self) -> (StatusCode, &'static str, Vec<u8>) {
        match self.edge.drain.phase() {
            DrainPhase::Serving | DrainPhase::HandedOver => {
                let source = self.edge.identity_source();
                if source == IdentitySource::Missing {
                    let detail = source.degraded().unwrap_or_default();
                    return (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{detail}\n").into_bytes());
                }
                let detail = source.degraded();
                let mut body =
                    detail.map_or_else(|| "ok\n".to_owned(), |detail| format!("ok, degraded: {detail}\n"));
                // It serves on, by the rule of `cluster.on_loss`.
                if self.edge.runtime().limits.till().is_lost() {
                    body.push_str("sharing: lost\n");
                }
                // It comes and goes within seconds: no reason to send everything to the others.
                match self.edge.overload.stage() {
                    Stage::Calm => {}
                    stage => body.push_str(&format!("shedding: {}\n", stage.as_str())),
                }
                (StatusCode::OK, TEXT, body.into_bytes())
            }
            DrainPhase::Leaving | DrainPhase::Cutting => {
                (StatusCode::SERVICE_UNAVAILABLE, TEXT, b"draining\n".to_vec())
            }
        }
    }

    /// From Pingora's session to the router and back. Bodies are small and whole on both sides.
    async fn call_api(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let body = match pingora_timeout::timeout(BODY_TIMEOUT, read_body(session)).await {
            Ok(Some(body)) => body,
            // What is left of the body must not be taken for the next request.
            Ok(None) | Err(_) => {
                session.set_keepalive(None);
                return bare(StatusCode::BAD_REQUEST);
            }
        };
        if body.len() > BODY_BYTES_MAX {
            session.set_keepalive(None);
        }
        let head = session.req_header();
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        request.headers_mut().clone_from(&head.headers);
        let peer = session.client_addr().and_then(|address| address.as_inet()).map(SocketAddr::ip);
        request.extensions_mut().insert(Peer(peer));
        let response = match self.api.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        match axum::body::to_bytes(body, usize::MAX).await {
            Ok(body) => Response::from_parts(parts, body.to_vec()),
            Err(_) => bare(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn bare(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

/// The body, or one byte more of it than is allowed: whoever is called next refuses it then. None
/// where the connection broke.
async fn read_body(session: &mut ServerSession) -> Option<Bytes> {
    let mut body = Vec::new();
    while let Some(piece) = session.read_request_body().await.ok()? {
        let room = (BODY_BYTES_MAX + 1).saturating_sub(body.len());
        body.extend(piece.iter().take(room));
        if body.len() > BODY_BYTES_MAX {
            break;
        }
    }
    Some(body.into())
}

impl AdminPlane {
    async fn respond(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let mut response = if head.uri.path().starts_with("/admin/") {
            self.call_api(session).await
        } else {
            let (status, kind, body) = self.route(&head.method, head.uri.path());
            let mut response = Response::new(body);
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            response
        };
        let length = HeaderValue::from(response.body().len());
        if response.status() != StatusCode::NO_CONTENT {
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        response
    }
}

/// Not Pingora's `ServeHttp`: that logs a head it cannot read as it came, credentials included.
#[async_trait]
impl HttpServerApp for AdminPlane {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        session.set_read_timeout(Some(IDLE));
        session.set_write_timeout(Some(IDLE));
        if !matches!(session.read_request().await, Ok(true)) {
            return None;
        }
        session.set_keepalive(if *shutdown.borrow() { None } else { Some(IDLE.as_secs()) });
        let is_head = session.req_header().method == Method::HEAD;
        let (parts, body) = self.respond(&mut session).await.into_parts();
        let head: ResponseHeader = parts.into();
        session.write_response_header(Box::new(head)).await.ok()?;
        if !body.is_empty() && !is_head {
            session.write_response_body(body.into(), true).await.ok()?;
        }
        let settings = HttpPersistentSettings::for_session(&session);
        let reusable = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(reusable, settings))
    }
}
