//! Addresses of an origin: resolved once, refreshed in the background, the last good answer kept.

use super::{Origin, UpstreamError};
use crate::types::{FailureClass, public_ip};
use arc_swap::ArcSwapOption;
use pingora_load_balancing::LoadBalancer;
use pingora_load_balancing::selection::RoundRobin;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// A name server that does not answer holds up only the first call to its host, and not for long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The addresses of one origin.
pub struct Addresses {
    host: String,
    port: u16,
    known: ArcSwapOption<Resolved>,
    is_literal: bool,
    is_public_only: bool,
}

/// One answer of the name server, and whose turn it is.
struct Resolved {
    all: Vec<SocketAddr>,
    turns: Option<LoadBalancer<RoundRobin>>,
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Addresses({}:{})", self.host, self.port)
    }
}

impl Resolved {
    fn new(all: Vec<SocketAddr>) -> Arc<Self> {
        // One address needs no turns, and most hosts behind an anycast have one.
        let turns = if all.len() > 1 { LoadBalancer::try_from_iter(all.iter().copied()).ok() } else { None };
        Arc::new(Self { all, turns })
    }

    fn pick(&self) -> Option<SocketAddr> {
        let turn = self.turns.as_ref().and_then(|turns| turns.select(b"", self.all.len()));
        turn.and_then(|backend| backend.addr.as_inet().copied()).or_else(|| self.all.first().copied())
    }
}

impl Addresses {
    pub fn of(origin: &Origin) -> Self {
        let literal = origin.host.parse::<IpAddr>().ok();
        let known = literal.map(|ip| Resolved::new(vec![SocketAddr::new(ip, origin.port)]));
        Self {
            host: origin.host.clone(),
            port: origin.port,
            is_literal: known.is_some(),
            known: ArcSwapOption::new(known),
            is_public_only: false,
        }
    }

    /// Addresses that were found and checked before: nobody is asked again.
    pub fn fixed(addresses: Vec<SocketAddr>) -> Self {
        let port = addresses.first().map_or(0, SocketAddr::port);
        let known = Some(Resolved::new(addresses));
        Self {
            host: String::new(),
            port,
            known: ArcSwapOption::new(known),
            is_literal: true,
            is_public_only: false,
        }
    }

    /// Without the addresses that are not the open internet's. The check is made on the very address
    /// that is connected to, so that a name cannot mean one thing here and another there.
    pub fn public_only(mut self) -> Self {
        self.is_public_only = true;
        let is_own = self
            .known
            .load()
            .as_ref()
            .is_some_and(|known| known.all.iter().any(|address| !public_ip::is_public(address.ip())));
        if is_own {
            self.known.store(Some(Resolved::new(Vec::new())));
        }
        self
    }

    /// The address whose turn it is.
    ///
    /// # Errors
    /// `FailureClass::Dns` where the name does not resolve in time and never has.
    pub async fn pick(&self) -> Result<SocketAddr, UpstreamError> {
        let picked = self.resolved().await?.pick();
        picked.ok_or_else(|| UpstreamError::before_sent(FailureClass::Dns, "the name has no address"))
    }

    /// The addresses after `tried`, which did not take the connection.
    pub fn others(&self, tried: SocketAddr) -> Vec<SocketAddr> {
        let known = self.known.load();
        let all = known.as_ref().map(|known| known.all.clone()).unwrap_or_default();
        all.into_iter().filter(|address| *address != tried).collect()
    }

    async fn resolved(&self) -> Result<Arc<Resolved>, UpstreamError> {
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        Box::pin(self.look_up()).await
    }

    /// Asks again, unless the host is a literal address. A failure keeps the last good answer.
    pub async fn refresh(&self) {
        if self.is_literal || self.known.load().is_none() {
            return;
        }
        if let Err(error) = self.look_up().await {
            log::warn!("keeping the last addresses of {}: {error}", self.host);
        }
    }

    async fn look_up(&self) -> Result<Arc<Resolved>, UpstreamError> {
        let query = tokio::net::lookup_host((self.host.as_str(), self.port));
        let found = within(LOOKUP_TIMEOUT, query)
            .await
            .map_err(|detail| UpstreamError::before_sent(FailureClass::Dns, detail))?;
        let mut addresses: Vec<SocketAddr> =
            found.map_err(|e| UpstreamError::before_sent(FailureClass::Dns, e))?.collect();
        addresses.retain(|address| !self.is_public_only || public_ip::is_public(address.ip()));
        if addresses.is_empty() {
            return Err(UpstreamError::before_sent(FailureClass::Dns, "the name has no address"));
        }
        // IPv4 first: a host without an IPv6 route would otherwise lose its first attempt.
        addresses.sort_by_key(|address| address.is_ipv6());
        addresses.truncate(16);
        let resolved = Resolved::new(addresses);
        self.known.store(Some(resolved.clone()));
        Ok(resolved)
    }
}

async fn within<F: Future>(span: Duration, future: F) -> Result<F::Output, &'static str> {
    pingora_timeout::timeout(span, future).await.map_err(|_| "the name server did not answer in time")
}
