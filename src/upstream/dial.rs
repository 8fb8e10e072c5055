//! A TCP connection to one of an origin's addresses, straight or through a proxy.
//!
//! Several addresses are raced as RFC 8305 ("Happy Eyeballs") has it: the families take turns, the
//! next address is tried once the one before has failed or kept us waiting for a moment, and the first
//! connection wins. Invariant: all of it together takes no longer than the connect timeout.

use super::dns::ADDRESSES_MAX;
use super::egress::Proxy;
use super::{Link, UpstreamError};
use crate::types::FailureClass;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The head start of each address over the next (RFC 8305 section 8 recommends this).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to `first` or, where it does not answer, to another address of the link; behind a proxy
/// the connection is a tunnel to the origin. The address is the one that was connected to.
///
/// # Errors
/// `FailureClass::Connect`: nothing was sent to the origin.
pub async fn dial(link: &Link, first: SocketAddr) -> Result<(SocketAddr, TcpStream), UpstreamError> {
    let others = link.doors().others(first);
    let connected = async {
        if others.is_empty() {
            return Ok((first, connect(first, link.proxy.as_deref(), link).await?));
        }
        race(in_turns(first, others), link).await
    };
    match pingora_timeout::timeout(link.origin.connect_timeout, connected).await {
        Ok(done) => done,
        Err(_) => Err(failed("connect timed out")),
    }
}

fn failed(detail: impl std::fmt::Display) -> UpstreamError {
    UpstreamError::before_sent(FailureClass::Connect, detail)
}

async fn connect(
    address: SocketAddr,
    proxy: Option<&Proxy>,
    link: &Link,
) -> Result<TcpStream, UpstreamError> {
    let tcp = TcpStream::connect(address).await.map_err(failed)?;
    through(tcp, proxy, link).await
}

async fn through(mut tcp: TcpStream, proxy: Option<&Proxy>, link: &Link) -> Result<TcpStream, UpstreamError> {
    if let Some(proxy) = proxy {
        tcp.set_nodelay(true).map_err(failed)?;
        proxy.open_tunnel(&mut tcp, &link.origin).await.map_err(failed)?;
    }
    Ok(tcp)
}

/// `first`, then the families by turns (RFC 8305 section 4).
fn in_turns(first: SocketAddr, others: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (same, different): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|other| other.is_ipv6() == first.is_ipv6());
    let (mut same, mut different) = (same.into_iter(), different.into_iter());
    let mut order = vec![first];
    while order.len() < ADDRESSES_MAX {
        let before = order.len();
        order.extend(different.next());
        order.extend(same.next());
        if order.len() == before {
            break;
        }
    }
    order
}

/// The first of `order` that connects; what is still on its way then is dropped.
async fn race(order: Vec<SocketAddr>, link: &Link) -> Result<(SocketAddr, TcpStream), UpstreamError> {
    let mut waiting = order.into_iter();
    let mut running: JoinSet<(SocketAddr, io::Result<TcpStream>)> = JoinSet::new();
    let mut last = None;
    loop {
        match waiting.next() {
            Some(address) => {
                running.spawn(async move { (address, TcpStream::connect(address).await) });
            }
            None if running.is_empty() => return Err(last.unwrap_or_else(|| failed("no address left"))),
            None => {}
        }
        let next = running.join_next();
        let done = if waiting.len() == 0 {
            next.await
        } else {
            match pingora_timeout::timeout(HEAD_START, next).await {
                Ok(done) => done,
                Err(_) => continue,
            }
        };
        match done {
            Some(Ok((address, Ok(tcp)))) => match through(tcp, link.proxy.as_deref(), link).await {
                Ok(tcp) => return Ok((address, tcp)),
                Err(error) => last = Some(error),
            },
            Some(Ok((address, Err(error)))) => last = Some(failed(format!("{address}: {error}"))),
            Some(Err(error)) => last = Some(failed(error)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::dns::Addresses;
    use crate::upstream::{Origin, Transports};
    use std::sync::Arc;
    use tokio::net::TcpListener;

    fn link(addresses: Vec<SocketAddr>, timeout: Duration) -> Link {
        let mut origin = Origin::from_base_url("http://api.example").unwrap();
        origin.connect_timeout = timeout;
        let transport = Transports::default().usual();
        Link::new(Arc::new(origin), Arc::new(Addresses::fixed(addresses)), transport, 1)
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// An address of this machine that refuses.
    async fn closed() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// A listener whose queue is full: the kernel answers no further connection, as a black hole.
    async fn hole() -> (SocketAddr, Vec<TcpStream>, tokio::net::TcpListener) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(at("127.0.0.1:0")).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        // Bounded: a queue of one is full after two or three.
        for _ in 0..16 {
            match tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
                Ok(tcp) => queue.push(tcp.unwrap()),
                Err(_) => return (address, queue, listener),
            }
        }
        panic!("the kernel takes every connection");
    }

    #[test]
    fn families_take_turns_behind_the_first() {
        let order =
            in_turns(at("1.1.1.1:1"), vec![at("2.2.2.2:1"), at("3.3.3.3:1"), at("[::1]:1"), at("[::2]:1")]);
        let shown: Vec<String> = order.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "[::2]:1", "3.3.3.3:1"]);
        let many: Vec<_> = (0..99).map(|port| SocketAddr::new("::1".parse().unwrap(), port)).collect();
        assert!(in_turns(at("1.1.1.1:1"), many).len() <= ADDRESSES_MAX + 1);
    }

    #[tokio::test]
    async fn a_refused_or_silent_address_leaves_the_turn_to_the_next() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = open.local_addr().unwrap();
        let refusing = closed().await;
        let (silent, _queue, _listener) = hole().await;
        let link = link(vec![refusing, silent, address], Duration::from_secs(20));
        assert_eq!(dial(&link, refusing).await.unwrap().0, address);
        assert_eq!(dial(&link, silent).await.unwrap().0, address);
    }

    #[tokio::test]
    async fn where_none_answers_the_last_reason_is_told_and_the_time_is_held() {
        let (one, two) = (closed().await, closed().await);
        let refused = dial(&link(vec![one, two], Duration::from_secs(20)), one).await.unwrap_err();
        assert!(refused.to_string().contains("refused"), "{refused}");
        let (silent, _queue, _listener) = hole().await;
        let late = dial(&link(vec![silent, silent], Duration::from_millis(300)), silent).await.unwrap_err();
        assert!(late.to_string().contains("timed out"), "{late}");
        assert_eq!((late.class, refused.class), (FailureClass::Connect, FailureClass::Connect));
    }
}
