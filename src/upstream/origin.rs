//! Where a provider lives: the parts of its base URL, and how it is spoken to.

use std::time::Duration;

/// Whether an origin is spoken to in HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2Mode {
    /// HTTP/1.1 only.
    Off,
    /// HTTP/2 only: by ALPN over TLS, by prior knowledge in plain text.
    On,
    /// Over TLS what the upstream prefers; HTTP/1.1 in plain text.
    Auto,
}

/// One provider's address. Immutable: a reload makes a new one.
#[derive(Clone, Debug)]
pub struct Origin {
    pub is_tls: bool,
    /// Name or literal address, without brackets.
    pub host: String,
    pub port: u16,
    /// The `host` field as sent: the port is left out where it is the scheme's own.
    pub authority: String,
    /// What the base URL's path adds before each endpoint's own, without a final slash.
    pub base_path: String,
    pub http2: Http2Mode,
    /// Name checked in the certificate and sent as SNI; the host unless configured.
    pub server_name: String,
    pub verify_certificate: bool,
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
}

impl Origin {
    /// The origin of a base URL that has been validated before: `http(s)://host[:port][/path]`.
    /// None where it is not of that form.
    pub fn from_base_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let uri: http::uri::Authority = authority.parse().ok()?;
        let default_port = if is_tls { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default_port);
        let host = uri.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let shown =
            if port == default_port { uri.host().to_owned() } else { format!("{}:{port}", uri.host()) };
        Some(Self {
            is_tls,
            server_name: host.clone(),
            host,
            port,
            authority: shown,
            base_path: path.trim_end_matches('/').to_owned(),
            http2: Http2Mode::Off,
            verify_certificate: true,
            connect_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(60),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_apart_as_vendors_write_them() {
        let origin = Origin::from_base_url("https://api.openai.com/v1").unwrap();
        assert_eq!((origin.is_tls, origin.port), (true, 443));
        assert_eq!((origin.authority.as_str(), origin.base_path.as_str()), ("api.openai.com", "/v1"));
        let local = Origin::from_base_url("http://[::1]:8000/").unwrap();
        assert_eq!((local.host.as_str(), local.port, local.base_path.as_str()), ("::1", 8000, ""));
        assert_eq!(local.authority, "[::1]:8000");
        assert!(Origin::from_base_url("ftp://x").is_none());
    }
}
