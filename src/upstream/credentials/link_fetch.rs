//! The real thing: token calls over the house's own HTTP client.

use super::CredentialError;
use super::fetch::{Answer, Ask, Fetch};
use crate::upstream::dns::Addresses;
use crate::upstream::{self, Link, Origin, Transport, UpstreamRequest};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const BODY_BYTES_MAX: usize = 256 * 1024;
/// Hosts of a configuration's token endpoints; beyond it links are made anew each time.
const LINKS_MAX: usize = 64;

/// Calls over links of its own: never over those that carry model traffic.
pub struct LinkFetch {
    transport: Arc<Transport>,
    is_public_only: bool,
    links: Mutex<HashMap<String, Arc<Link>>>,
}

impl LinkFetch {
    pub fn new(transport: Arc<Transport>) -> Arc<Self> {
        Arc::new(Self { transport, is_public_only: false, links: Mutex::default() })
    }

    /// Reaches addresses of the open internet only, whatever a name resolves to and whenever.
    pub fn public_only(transport: Arc<Transport>) -> Arc<Self> {
        Arc::new(Self { transport, is_public_only: true, links: Mutex::default() })
    }

    /// The link to `scheme://authority`.
    fn link(&self, base: &str) -> Option<Arc<Link>> {
        let origin = Arc::new(Origin::from_base_url(base)?);
        // Behind a proxy it is the proxy that looks names up: what is public cannot be checked here.
        let proxy = if self.is_public_only { None } else { self.transport.proxy_for(&origin.host) };
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let known = links.get(base).filter(|link| link.proxy == proxy);
        if let Some(link) = known {
            return Some(link.clone());
        }
        let addresses = Addresses::of(&origin);
        let addresses = Arc::new(if self.is_public_only { addresses.public_only() } else { addresses });
        // Not a number that a provider's link could have by counting up.
        let seed = u64::MAX - links.len() as u64;
        let link = Arc::new(Link::new(origin, addresses, self.transport.clone(), seed).through(proxy));
        if links.len() < LINKS_MAX {
            links.insert(base.to_owned(), link.clone());
        }
        Some(link)
    }
}

#[async_trait]
impl Fetch for LinkFetch {
    async fn fetch(&self, ask: Ask) -> Result<Answer, CredentialError> {
        let (base, path) = split(&ask.url)
            .ok_or_else(|| CredentialError::lasting("a token URL must be http://… or https://…"))?;
        let link =
            self.link(base).ok_or_else(|| CredentialError::lasting("a token URL has no valid host"))?;
        let host = link.origin.authority.clone();
        let request = UpstreamRequest {
            method: ask.method,
            path: path.to_owned(),
            fields: fields(ask.fields, ask.more)
                .ok_or_else(|| CredentialError::lasting("a token call has a bad field"))?,
            body: Bytes::from(ask.body),
        };
        // Boxed: rare, and its future is large.
        let call = Box::pin(upstream::ask(&link, &request, BODY_BYTES_MAX));
        match pingora_timeout::timeout(ask.timeout, call).await {
            Ok(Ok((status, body))) => {
                Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
            }
            Ok(Err(error)) => Err(CredentialError::passing(format!("{host}: {error}"))),
            Err(_) => Err(CredentialError::passing(format!("{host} did not answer in time"))),
        }
    }
}

/// `scheme://authority` and the path with its query.
fn split(url: &str) -> Option<(&str, &str)> {
    let start = url.find("://")? + 3;
    let end = url.get(start..)?.find('/').map_or(url.len(), |at| start + at);
    let (base, path) = url.split_at_checked(end)?;
    Some((base, if path.is_empty() { "/" } else { path }))
}

fn fields(
    fields: Vec<(&'static str, String)>,
    more: Vec<(String, String)>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let known = fields.into_iter().map(|(name, value)| (Some(HeaderName::from_static(name)), value));
    let named = more.into_iter().map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).ok(), value));
    let field = |(name, value): (Option<HeaderName>, String)| {
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((name?, value))
    };
    known.chain(named).map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::super::loopback::{Reply, fetch, serve};
    use super::*;

    #[test]
    fn urls_are_split_before_their_path() {
        assert_eq!(split("https://sts.eu.amazonaws.com"), Some(("https://sts.eu.amazonaws.com", "/")));
        assert_eq!(split("http://[::1]:80/a?b=/c"), Some(("http://[::1]:80", "/a?b=/c")));
        assert_eq!(split("nonsense"), None);
    }

    #[tokio::test]
    async fn a_call_goes_out_as_asked_and_its_answer_comes_back() {
        let server = serve(vec![Reply::new(201, "{\"a\":1}"), Reply::new(500, "x")]).await;
        let fetch = fetch();
        let ask = Ask::form(format!("{}/token?x=1", server.base), &[("grant", "a b")]).with("x-extra", "v");
        let answer = fetch.fetch(ask).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (201, "{\"a\":1}"));
        let answer = fetch.fetch(Ask::get(format!("{}/y", server.base))).await.unwrap();
        assert_eq!(answer.status, 500);
        let seen = server.seen();
        assert!(
            seen[0].starts_with("POST /token?x=1 HTTP/1.1\r\n") && seen[0].ends_with("\r\n\r\ngrant=a%20b"),
            "{}",
            seen[0]
        );
        assert!(
            seen[0].contains("content-type: application/x-www-form-urlencoded\r\n")
                && seen[0].contains("x-extra: v\r\n")
        );
        assert!(seen[1].starts_with("GET /y HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn no_answer_is_a_passing_failure_that_names_the_host() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fetch = fetch();
        let ask = Ask::get(format!("http://{address}/")).within(std::time::Duration::from_millis(50));
        let error = fetch.fetch(ask).await.err().unwrap();
        assert_eq!(error, CredentialError::passing(format!("{address} did not answer in time")));
        drop(listener);
        let error = fetch.fetch(Ask::get(format!("http://{address}/"))).await.err().unwrap();
        assert!(error.is_passing && error.what.starts_with(&address.to_string()), "{error}");
        let odd = fetch.fetch(Ask::get("ftp://x/")).await.err().unwrap();
        assert!(!odd.is_passing);
    }
}
