//! Against servers of our own, and against recorded ways to be led astray.

use super::*;
use crate::upstream::Transports;
use std::io::{Read as _, Write as _};
use std::sync::Mutex;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

/// A server that gives each connection the next answer, and remembers what it was asked.
struct Server {
    addr: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

fn serve(answers: Vec<Vec<u8>>) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                head.push(byte[0]);
            }
            kept.lock().unwrap().push(String::from_utf8(head).unwrap());
            // The other side may leave before it has read all.
            drop(stream.write_all(&answer));
        }
    });
    Server { addr, seen }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn remote(allow: &str, allow_private: Vec<SocketAddr>) -> Remote {
    let policy = RemotePolicy {
        allow: vec![allow.parse().unwrap()],
        allow_private,
        bytes_max: 64,
        timeout: Duration::from_secs(5),
        count_max: 4,
    };
    Remote::new(policy, Transports::default().usual())
}

fn own(server: &Server) -> Remote {
    remote(&format!("http://{}/", server.addr), vec![server.addr])
}

async fn fetched(remote: &Remote, url: &str) -> Result<Page, RemoteError> {
    remote.fetch(url, &AtomicUsize::new(1024)).await
}

#[tokio::test]
async fn a_picture_comes_whole_and_nothing_of_ours_is_sent() {
    let server = serve(vec![answer("200 OK\r\ncontent-type: image/png", PNG)]);
    let page = fetched(&own(&server), &format!("http://{}/a.png?x=1#f", server.addr)).await.unwrap();
    assert_eq!(page, Page { mime: "image/png", body: PNG.to_vec() });
    let seen = server.seen.lock().unwrap();
    assert!(seen[0].starts_with("GET /a.png?x=1 HTTP/1.1\r\n"), "{}", seen[0]);
    for name in ["authorization", "cookie", "x-api-key", "referer", "x-forwarded-for"] {
        assert!(!seen[0].to_ascii_lowercase().contains(name), "{}", seen[0]);
    }
}

#[tokio::test]
async fn what_is_no_such_thing_is_refused() {
    let long = vec![b'x'; 65];
    for (answer, error) in [
        (answer("302 Found\r\nlocation: http://169.254.169.254/", b""), RemoteError::Redirect),
        (answer("404 Not Found", b""), RemoteError::Status(404)),
        (answer("206 Partial Content", PNG), RemoteError::Status(206)),
        (answer("200 OK\r\ncontent-type: text/html", PNG), RemoteError::Kind),
        (answer("200 OK\r\ncontent-type: image/png", b"<html>"), RemoteError::Kind),
        (answer("200 OK\r\ncontent-encoding: gzip", PNG), RemoteError::Kind),
        (answer("200 OK", &long), RemoteError::TooLong),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n41\r\n"
                .iter()
                .copied()
                .chain(long.clone())
                .chain(*b"\r\n0\r\n\r\n")
                .collect(),
            RemoteError::TooLong,
        ),
        (b"nonsense\r\n\r\n".to_vec(), RemoteError::Unreachable),
    ] {
        let server = serve(vec![answer]);
        let got = fetched(&own(&server), &format!("http://{}/", server.addr)).await;
        assert_eq!(got, Err(error));
    }
}

#[tokio::test]
async fn the_bound_itself_is_within_it_and_all_things_share_the_room() {
    let mut exact = PNG.to_vec();
    exact.resize(64, 0);
    let server = serve(vec![answer("200 OK", &exact), answer("200 OK", &exact)]);
    let (remote, url) = (own(&server), format!("http://{}/", server.addr));
    let room = AtomicUsize::new(100);
    assert_eq!(remote.fetch(&url, &room).await.map(|page| page.body.len()), Ok(64));
    assert_eq!(remote.fetch(&url, &room).await, Err(RemoteError::TooLong));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut remote = remote(&format!("http://{addr}/"), vec![addr]);
    remote.policy.timeout = Duration::from_millis(50);
    assert_eq!(fetched(&remote, &format!("http://{addr}/")).await, Err(RemoteError::Timeout));
}

#[tokio::test]
async fn own_addresses_are_called_only_where_they_are_named_with_their_port() {
    let server = serve(vec![answer("200 OK", PNG)]);
    let url = format!("http://{}/", server.addr);
    let other = SocketAddr::new(server.addr.ip(), server.addr.port() ^ 1);
    for allowed in [vec![], vec![other]] {
        let remote = remote(&url, allowed);
        assert_eq!(fetched(&remote, &url).await, Err(RemoteError::Private));
    }
    assert!(fetched(&own(&server), &url).await.is_ok());
    let elsewhere = fetched(&own(&server), "https://example.com/a.png").await;
    assert_eq!(elsewhere, Err(RemoteError::NotAllowed));
}

#[test]
fn one_bad_address_among_good_ones_spoils_the_host() {
    let policy = remote("https://*/", vec!["10.0.0.1:443".parse().unwrap()]).policy;
    let check = |all: &[&str]| policy.check(&all.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>());
    assert_eq!(check(&["1.1.1.1:443", "[2606:4700::1]:443", "10.0.0.1:443"]), Ok(()));
    assert_eq!(check(&["1.1.1.1:443", "127.0.0.1:443"]), Err(RemoteError::Private));
    assert_eq!(check(&["10.0.0.1:80"]), Err(RemoteError::Private));
    assert_eq!(check(&[]), Err(RemoteError::Unreachable));
    assert_eq!(check(&["1.1.1.1:443"; ADDRESSES_MAX]), Ok(()));
    assert_eq!(check(&["1.1.1.1:443"; ADDRESSES_MAX + 1]), Err(RemoteError::Private));
}

#[expect(clippy::disallowed_methods, reason = "tests learn from the environment where recordings lie")]
/// Every recorded way into somebody's network ends before a connection, however wide the rules are.
#[tokio::test]
async fn recorded_attacks_end_before_a_connection() {
    let named = std::env::var_os("TIDEGATE_CORPUS").map(std::path::PathBuf::from);
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    let folder = named.unwrap_or_else(|| default.into()).with_file_name("security-corpus");
    if !folder.is_dir() {
        eprintln!("skipped: no corpus at {}", folder.display());
        return;
    }
    let mut policy = remote("https://*/", Vec::new()).policy;
    policy.allow.push("http://*/".parse().unwrap());
    let wide = Remote::new(policy, Transports::default().usual());
    let (mut refused, mut benign) = (0, 0);
    for name in ["web_attack.pkg.jsonl", "web_attack.fetch.jsonl"] {
        for line in std::fs::read_to_string(folder.join(name)).unwrap_or_default().lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let (expected, Some(url)) = (&case["expected"], case["input"].as_str()) else { continue };
            if expected["kind"] != "ssrf" {
                continue;
            }
            if expected["block"] == false {
                benign += usize::from(WebUrl::parse(url).is_ok());
                continue;
            }
            let got = wide.checked(url).await;
            assert!(got.is_err(), "{url}: {got:?}");
            refused += 1;
        }
    }
    println!("{refused} recorded attacks refused, {benign} benign URLs read");
    assert!(refused > 0 && benign > 0);
}
