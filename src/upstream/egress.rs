//! The way out: straight, or by `CONNECT` through a proxy (RFC 9110 section 9.3.6).
//!
//! A tunnel goes to the origin's name, which the proxy resolves: what is carried is the same bytes,
//! TLS to the origin included. Invariant: this machine and its link (metadata services) are always
//! reached straight.

use super::Origin;
use super::dns::Addresses;
use crate::framing::http1_head::{HeadProgress, take_head};
use crate::types::{Direct, ProxyUrl, bounds};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How everything leaves that has no way of its own.
#[derive(Debug, Default)]
pub struct Egress {
    proxy: Option<Arc<Proxy>>,
    direct: Vec<Direct>,
}

/// A proxy that opens tunnels.
#[derive(Debug)]
pub struct Proxy {
    url: ProxyUrl,
    pub addresses: Arc<Addresses>,
}

impl Egress {
    pub fn new(proxy: Option<Arc<Proxy>>, direct: Vec<Direct>) -> Self {
        Self { proxy, direct }
    }

    /// The proxy between here and `host`.
    pub fn proxy_for(&self, host: &str) -> Option<Arc<Proxy>> {
        let proxy = self.proxy.as_ref()?;
        let host = host.to_ascii_lowercase();
        let ip = host.parse::<IpAddr>().ok();
        let is_own = ip.map_or(host == "localhost" || host == "metadata.google.internal", is_own);
        (!is_own && !self.direct.iter().any(|rule| rule.holds(&host, ip))).then(|| proxy.clone())
    }
}

/// They are one proxy where they are told alike.
impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

/// This machine, and what only its own link reaches.
fn is_own(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

impl Proxy {
    /// `addresses`: of its own host.
    pub fn new(url: ProxyUrl, addresses: Arc<Addresses>) -> Self {
        Self { url, addresses }
    }

    /// Asks for a tunnel to `origin` on a connection to the proxy.
    ///
    /// # Errors
    /// The proxy's refusal by its status, or what it said instead of an answer.
    pub async fn open_tunnel(&self, tcp: &mut TcpStream, origin: &Origin) -> io::Result<()> {
        tcp.write_all(self.ask(origin).as_bytes()).await?;
        let mut buffer = BytesMut::with_capacity(512);
        loop {
            // The answer to CONNECT has no body, whatever it says.
            match take_head(&mut buffer, true).map_err(odd)? {
                HeadProgress::Head(head, _) if (200..300).contains(&head.status) => break,
                HeadProgress::Head(head, _) => {
                    return Err(odd(format!("the egress proxy answered {}", head.status)));
                }
                HeadProgress::Interim(..) => continue,
                HeadProgress::NeedMore => {}
            }
            if buffer.len() > bounds::UPSTREAM_HEAD_BYTES_MAX {
                return Err(odd("the egress proxy's answer is too long"));
            }
            if tcp.read_buf(&mut buffer).await? == 0 {
                return Err(odd("the egress proxy closed the connection"));
            }
        }
        // In every protocol spoken here the client speaks first.
        if buffer.is_empty() { Ok(()) } else { Err(odd("the egress proxy sent more than its answer")) }
    }

    fn ask(&self, origin: &Origin) -> String {
        let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
        let place = format!("{host}:{}", origin.port);
        let user = self.url.user.as_ref();
        let proof =
            user.map(|user| format!("proxy-authorization: Basic {}\r\n", STANDARD.encode(user.expose())));
        format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{}\r\n", proof.unwrap_or_default())
    }
}

fn odd(detail: impl ToString) -> io::Error {
    io::Error::other(detail.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Glob, Secret};
    use tokio::net::TcpListener;

    fn proxy(user: Option<&str>) -> Proxy {
        let url = ProxyUrl { host: "127.0.0.1".into(), port: 3128, user: user.map(Secret::new) };
        Proxy::new(url, Arc::new(Addresses::of_host("127.0.0.1", 3128)))
    }

    #[test]
    fn own_addresses_and_those_named_go_straight() {
        let direct = vec![Direct::Name(Glob::new("*.internal")), Direct::Net("10.0.0.0/8".parse().unwrap())];
        let egress = Egress::new(Some(Arc::new(proxy(None))), direct);
        for straight in [
            "localhost",
            "LOCALHOST",
            "A.Internal",
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "a.internal",
            "10.1.2.3",
        ] {
            assert!(egress.proxy_for(straight).is_none(), "{straight}");
        }
        for proxied in ["api.openai.com", "internal", "11.0.0.1", "2001:db8::1"] {
            assert!(egress.proxy_for(proxied).is_some(), "{proxied}");
        }
        assert!(Egress::default().proxy_for("api.openai.com").is_none());
    }

    #[test]
    fn the_question_names_the_origin_and_proves_who_asks() {
        let origin = Origin::from_base_url("https://api.example/v1").unwrap();
        let asked = proxy(Some("user:pass")).ask(&origin);
        assert_eq!(
            asked,
            "CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n\r\n"
        );
        let six = proxy(None).ask(&Origin::from_base_url("http://[::1]:8000").unwrap());
        assert_eq!(six, "CONNECT [::1]:8000 HTTP/1.1\r\nhost: [::1]:8000\r\n\r\n");
    }

    #[tokio::test]
    async fn only_a_clean_success_is_a_tunnel() {
        let origin = Origin::from_base_url("https://api.example").unwrap();
        let asking = proxy(None);
        let long = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(bounds::UPSTREAM_HEAD_BYTES_MAX + 1));
        for (answer, fault) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", None),
            ("HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\ncontent-length: 5\r\n\r\n", None),
            ("HTTP/1.1 407 Who\r\n\r\n", Some("407")),
            ("HTTP/1.1 200 OK\r\n\r\nSSH-2.0", Some("more than its answer")),
            ("HTTP/1.1 200 OK\r\n", Some("closed")),
            (long.as_str(), Some("")),
            ("\u{16}\u{3}\u{1}nonsense\r\n\r\n", Some("")),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut far, _) = listener.accept().await.unwrap();
            let answer = answer.to_owned();
            let told = async move {
                let mut asked = [0; 1024];
                let read = far.read(&mut asked).await.unwrap();
                assert!(asked[..read].starts_with(b"CONNECT api.example:443 HTTP/1.1\r\n"));
                // Whoever hung up has heard enough.
                let _ = far.write_all(answer.as_bytes()).await;
                let _ = far.shutdown().await;
            };
            let (opened, ()) = tokio::join!(asking.open_tunnel(&mut near, &origin), told);
            match (opened, fault) {
                (Ok(()), None) => {}
                (Err(error), Some(fault)) => assert!(error.to_string().contains(fault), "{error}"),
                (opened, fault) => panic!("{opened:?}, expected {fault:?}"),
            }
        }
    }
}
