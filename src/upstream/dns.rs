//! Addresses of a host: looked up in the background, the last good answer kept.
//!
//! Only a call that comes before the first answer waits for one, together with all others that do: a
//! name is never asked for twice at once, and for a moment after a failure not at all.

use super::{Origin, UpstreamError};
use crate::types::{FailureClass, public_ip};
use arc_swap::ArcSwapOption;
use pingora_load_balancing::LoadBalancer;
use pingora_load_balancing::selection::RoundRobin;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Addresses of a name that are looked at.
pub const ADDRESSES_MAX: usize = 16;
/// A name server that does not answer holds up only the first calls to its host, and not for long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failure to look up a name is the answer to everybody.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// The addresses of one host.
pub struct Addresses {
    host: String,
    port: u16,
    known: ArcSwapOption<Resolved>,
    /// Held by the one who asks the name server.
    asking: Mutex<Option<Failed>>,
    is_literal: bool,
    is_public_only: bool,
}

/// What the name server last said instead of an address.
struct Failed {
    at: Instant,
    detail: String,
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
        Self::of_host(&origin.host, origin.port)
    }

    pub fn of_host(host: &str, port: u16) -> Self {
        let literal = host.parse::<IpAddr>().ok();
        let known = literal.map(|ip| Resolved::new(vec![SocketAddr::new(ip, port)]));
        Self {
            host: host.to_owned(),
            port,
            is_literal: known.is_some(),
            known: ArcSwapOption::new(known),
            asking: Mutex::default(),
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
            asking: Mutex::default(),
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
        Box::pin(self.look_up_once()).await
    }

    /// Looks the name up if that never succeeded. A literal address needs no name server.
    pub async fn warm(&self) {
        if self.known.load().is_none() {
            // Whoever calls is told why; here it is in the log already.
            let _ = self.look_up_once().await;
        }
    }

    /// Asks again, unless the host is a literal address. A failure keeps the last good answer.
    pub async fn refresh(&self) {
        if self.is_literal {
            return;
        }
        let mut failed = self.asking.lock().await;
        match self.look_up().await {
            Ok(_) => *failed = None,
            Err(detail) => {
                // Once an outage: a name server that is gone would fill the log.
                if failed.is_none() {
                    log::warn!("keeping the last addresses of {}: {detail}", self.host);
                }
                *failed = Some(Failed { at: Instant::now(), detail });
            }
        }
    }

    /// The answer of one question for all who wait for it.
    async fn look_up_once(&self) -> Result<Arc<Resolved>, UpstreamError> {
        let mut failed = self.asking.lock().await;
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at.elapsed() < FAILURE_KEPT) {
            return Err(UpstreamError::before_sent(FailureClass::Dns, &failed.detail));
        }
        match self.look_up().await {
            Ok(found) => {
                *failed = None;
                Ok(found)
            }
            Err(detail) => {
                if failed.is_none() {
                    log::warn!("the name {} cannot be looked up: {detail}", self.host);
                }
                let error = UpstreamError::before_sent(FailureClass::Dns, &detail);
                *failed = Some(Failed { at: Instant::now(), detail });
                Err(error)
            }
        }
    }

    async fn look_up(&self) -> Result<Arc<Resolved>, String> {
        let query = tokio::net::lookup_host((self.host.as_str(), self.port));
        let found = pingora_timeout::timeout(LOOKUP_TIMEOUT, query)
            .await
            .map_err(|_| "the name server did not answer in time".to_owned())?;
        let mut addresses: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
        addresses.retain(|address| !self.is_public_only || public_ip::is_public(address.ip()));
        if addresses.is_empty() {
            return Err("the name has no address".to_owned());
        }
        // IPv4 first: a host without an IPv6 route would otherwise lose time on each connection.
        addresses.sort_by_key(|address| address.is_ipv6());
        addresses.dedup();
        addresses.truncate(ADDRESSES_MAX);
        let resolved = Resolved::new(addresses);
        self.known.store(Some(resolved.clone()));
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_without_an_address_is_asked_for_once_by_all_who_wait() {
        let nowhere = Arc::new(Addresses::of_host("no-such-host.invalid", 1));
        nowhere.warm().await;
        let first = nowhere.asking.lock().await.as_ref().map(|failed| failed.at);
        assert!(first.is_some());
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let nowhere = nowhere.clone();
            waiting.spawn(async move { nowhere.pick().await.map_err(|error| error.class) });
        }
        while let Some(told) = waiting.join_next().await {
            assert_eq!(told.unwrap(), Err(FailureClass::Dns));
        }
        let last = nowhere.asking.lock().await.as_ref().map(|failed| failed.at);
        assert_eq!(first, last, "the failure was everybody's answer");
    }

    #[tokio::test]
    async fn the_last_good_answer_outlives_a_failure() {
        let host = Addresses::of_host("localhost", 7);
        host.warm().await;
        let known = host.pick().await.unwrap();
        assert!(known.ip().is_loopback() && known.port() == 7);
        let gone = Addresses { host: "no-such-host.invalid".into(), ..host };
        gone.refresh().await;
        assert_eq!(gone.pick().await.unwrap().port(), 7);
        assert!(gone.asking.lock().await.is_some(), "it was asked for, and failed");
    }
}
