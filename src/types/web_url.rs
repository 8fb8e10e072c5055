//! An `http` URL that somebody else wrote, taken apart strictly.
//!
//! Not a general parser: what two readers could understand differently is no URL here. Invariant:
//! parts are plain ASCII; the host is a lowercase name or a literal address as a resolver reads it.

use std::net::Ipv6Addr;

/// Longer is no address of a picture; signed URLs of storage services are near half of it.
const LENGTH_MAX: usize = 8 * 1024;

/// `http(s)://host[:port][/path][?query]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl {
    pub is_tls: bool,
    /// A name, or a literal address without brackets.
    pub host: String,
    pub port: u16,
    /// Path and query, `/` at least; a fragment is left out.
    pub path: String,
}

/// Why a text is no URL of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebUrlError {
    #[error("the URL is too long")]
    TooLong,
    #[error("the URL must begin with http:// or https://")]
    Scheme,
    #[error("the URL holds a user or password")]
    UserInfo,
    #[error("the URL's host or port is not valid")]
    Host,
    #[error("the URL's path is not valid, or has dot segments")]
    Path,
}

impl WebUrl {
    /// # Errors
    /// [`WebUrlError`]
    pub fn parse(text: &str) -> Result<Self, WebUrlError> {
        if text.len() > LENGTH_MAX {
            return Err(WebUrlError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(WebUrlError::Scheme)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(WebUrlError::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or(WebUrlError::Host)?;
        if authority.contains('@') {
            return Err(WebUrlError::UserInfo);
        }
        let (host, port) = host_and_port(authority).ok_or(WebUrlError::Host)?;
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { is_tls, host, port, path: checked_path(path).ok_or(WebUrlError::Path)? })
    }

    /// `host:port` as the `host` field has it.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == if self.is_tls { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (literal, after) = rest.split_once(']')?;
        let address: Ipv6Addr = literal.parse().ok()?;
        let port = match after {
            "" => None,
            after => Some(port(after.strip_prefix(':')?)?),
        };
        return Some((address.to_string(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, digits)) => (host, Some(port(digits)?)),
        None => (authority, None),
    };
    let is_label = |label: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(is_plain) && !label.starts_with('-')
    };
    (host.len() <= 253 && host.split('.').all(is_label)).then(|| (host.to_ascii_lowercase(), port))
}

fn port(digits: &str) -> Option<u16> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| is_number && *port > 0)
}

/// What goes on the request line: no white space, no fragment, nothing that climbs.
fn checked_path(path: &str) -> Option<String> {
    let path = path.split('#').next().unwrap_or_default();
    if !path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
        return None;
    }
    let folders = path.split('?').next().unwrap_or_default();
    let climbs = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "."
            || plain == ".."
            || plain.contains("%2f")
            || plain.contains("%5c")
            || plain.contains("%00")
    };
    let rooted = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (!folders.split('/').any(climbs)).then_some(rooted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = WebUrl::parse("HTTPS://CDN.Example.com/a/b.png?sig=%2F..#top").unwrap();
        assert_eq!((url.is_tls, url.host.as_str(), url.port), (true, "cdn.example.com", 443));
        assert_eq!((url.path.as_str(), url.authority().as_str()), ("/a/b.png?sig=%2F..", "cdn.example.com"));
        let url = WebUrl::parse("http://[2001:DB8::1]:8080?q").unwrap();
        assert_eq!((url.host.as_str(), url.path.as_str()), ("2001:db8::1", "/?q"));
        assert_eq!(url.authority(), "[2001:db8::1]:8080");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_none() {
        for (text, error) in [
            ("ftp://a/", WebUrlError::Scheme),
            ("//a/", WebUrlError::Scheme),
            ("jar:http://a!/", WebUrlError::Scheme),
            ("https://u@a/", WebUrlError::UserInfo),
            ("https://a@b@c/", WebUrlError::UserInfo),
            ("https://", WebUrlError::Host),
            ("https://a:0/", WebUrlError::Host),
            ("https://a:/", WebUrlError::Host),
            ("https://a:+80/", WebUrlError::Host),
            ("https://a b/", WebUrlError::Host),
            ("https://a\\@b/", WebUrlError::UserInfo),
            ("https://a\\b/", WebUrlError::Host),
            ("https://a%2eb/", WebUrlError::Host),
            ("https://a..b/", WebUrlError::Host),
            ("https://\u{ff41}/", WebUrlError::Host),
            ("https://[fe80::1%25eth0]/", WebUrlError::Host),
            ("https://[::1/", WebUrlError::Host),
            ("https://a/../b", WebUrlError::Path),
            ("https://a/x/%2E%2e/b", WebUrlError::Path),
            ("https://a/x%2f..%2fb", WebUrlError::Path),
            ("https://a/x\r\nhost: b", WebUrlError::Path),
            ("https://a/x y", WebUrlError::Path),
            ("https://a/x\\b", WebUrlError::Path),
        ] {
            assert_eq!(WebUrl::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(
            WebUrl::parse(&format!("https://a/{}", "x".repeat(LENGTH_MAX))),
            Err(WebUrlError::TooLong)
        );
    }
}
