//! The admin plane: metrics and health today, the admin API and the console later. Its own
//! listener, on the loopback unless configured otherwise.

use crate::runtime::{DrainPhase, Edge};
use async_trait::async_trait;
use http::{Method, Response, StatusCode, header};
use pingora_core::apps::http_app::ServeHttp;
use pingora_core::protocols::http::ServerSession;
use std::sync::Arc;

pub struct AdminPlane {
    edge: Arc<Edge>,
}

impl AdminPlane {
    pub fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }

    fn route(&self, method: &Method, path: &str) -> (StatusCode, &'static str, Vec<u8>) {
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, TEXT, b"only GET\n".to_vec());
        }
        match path {
            "/metrics" => {
                (StatusCode::OK, crate::telemetry::METRICS_CONTENT_TYPE, self.edge.metrics.render())
            }
            "/livez" => (StatusCode::OK, TEXT, b"ok\n".to_vec()),
            "/readyz" => self.readiness(),
            _ => (StatusCode::NOT_FOUND, TEXT, b"try /metrics, /livez or /readyz\n".to_vec()),
        }
    }

    /// Ready unless the process is about to end. A process that has handed its listeners over
    /// still answers "ok": the service as a whole is ready, and the new process serves it.
    fn readiness(&self) -> (StatusCode, &'static str, Vec<u8>) {
        match self.edge.drain.phase() {
            DrainPhase::Serving | DrainPhase::HandedOver => {
                let is_lost = self.edge.runtime().limits.till().is_lost();
                // It serves on, by the rule of `cluster.on_loss`.
                let detail: &[u8] = if is_lost { b"ok\nsharing: lost\n" } else { b"ok\n" };
                (StatusCode::OK, TEXT, detail.to_vec())
            }
            DrainPhase::Leaving | DrainPhase::Cutting => {
                (StatusCode::SERVICE_UNAVAILABLE, TEXT, b"draining\n".to_vec())
            }
        }
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

#[async_trait]
impl ServeHttp for AdminPlane {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let (status, kind, body) = self.route(&head.method, head.uri.path());
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let length = http::HeaderValue::from(response.body().len());
        response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
        response.headers_mut().insert(header::CONTENT_LENGTH, length);
        response
    }
}
