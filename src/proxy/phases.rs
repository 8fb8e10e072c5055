//! Pingora's phases, as a table of contents: the forward lane. No logic here: each line leads to one
//! file. Requests of the exchange lane do not come here: `front` answers them.

use super::connection::edge_stream;
use super::context::Ctx;
use super::{admit, finish, forward};
use crate::runtime::Edge;
use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use std::sync::Arc;
use std::time::Duration;

/// The data plane.
pub struct Gateway {
    edge: Arc<Edge>,
}

impl Gateway {
    pub fn new(edge: Arc<Edge>) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new(&self.edge)
    }

    /// None: compression buffers event streams.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        // A copy: what is read from the path must outlive changes to the session.
        let head = admit::head_of(session.as_downstream());
        let admitted = admit::admit_session(&self.edge, ctx, session.as_downstream_mut(), &head).await;
        forward::begin(&self.edge, session, ctx, admitted).await
    }

    async fn upstream_peer(&self, _session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        forward::peer(ctx).await
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        forward::heads::upward(session, request, ctx)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        forward::count_up(ctx, body.as_ref())
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        forward::heads::downward(&self.edge, response, ctx)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        forward::count_down(ctx, body.as_ref());
        Ok(None)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        forward::judge(&self.edge, session, error, ctx).await
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Ctx) {
        finish::finish(&self.edge, edge_stream(session.as_downstream().stream()), ctx);
    }

    /// The access log has it all; Pingora's own line would repeat it, with the query.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Ctx, _error: &Error) -> bool {
        true
    }
}
