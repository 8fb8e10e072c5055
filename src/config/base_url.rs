//! The base URL of a provider, as the vendor's SDK takes it.

use super::collector::Collector;
use super::near::{self, quoted};
use super::value::Value;

/// `http(s)://host[:port][/path]`, without a final slash, user info, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the scheme is `https`.
    pub fn is_tls(&self) -> bool {
        self.0.starts_with("https://")
    }
}

/// Reads a base URL.
pub(super) fn base_url(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<BaseUrl> {
    let text = value.string(collector, "a URL")?;
    match checked(text) {
        Ok(url) => Some(url),
        Err(message) => {
            // User info and queries carry passwords and keys.
            collector.mask(value.span.clone());
            value.fail_help(collector, message, "such as \"https://api.example.com/v1\"");
            None
        }
    }
}

pub(super) fn checked(text: &str) -> Result<BaseUrl, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("a base URL begins with http:// or https://".to_owned());
    };
    if !matches!(scheme, "http" | "https") {
        let near = near::suffix(scheme, ["http", "https"]);
        return Err(format!("unknown scheme `{}`{near}", quoted(scheme)));
    }
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("a base URL holds no user or password; use `api_key` or `headers`".to_owned());
    }
    if text.contains(['?', '#']) {
        return Err("a base URL has no query and no fragment".to_owned());
    }
    let parsed: Result<http::uri::Authority, _> = authority.parse();
    let is_host = parsed.as_ref().is_ok_and(|a| !a.host().is_empty());
    // `http` takes "host:" and "host:99999" for an authority without a port.
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let is_port = !has_port || parsed.as_ref().is_ok_and(|a| a.port_u16().is_some_and(|port| port > 0));
    if !is_host || !is_port {
        return Err("the host or port of this base URL is not valid".to_owned());
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&b);
    if !path.bytes().all(is_plain) || path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("the path of this base URL has characters that must be escaped".to_owned());
    }
    Ok(BaseUrl(text.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_host_and_path_and_nothing_else() {
        for good in
            ["https://api.openai.com/v1", "http://127.0.0.1:8000", "http://[::1]:1/v1", "http://[::1]"]
        {
            assert_eq!(checked(good).unwrap().as_str(), good);
        }
        assert_eq!(checked("https://h/v1/").unwrap().as_str(), "https://h/v1");
        assert!(checked("https://h").unwrap().is_tls() && !checked("http://h").unwrap().is_tls());
        let bad = [
            "",
            "h",
            "ftp://h",
            "http://",
            "http:///v1",
            "http://u:p@h",
            "http://u@h",
            "http://h?k=1",
            "http://h/#f",
            "http://h:",
            "http://h:99999",
            "http://h:0",
            "http://h:x",
            "http://h/a b",
            "http://h/../x",
            "http://[::1",
            "https://h\n",
            "http://h/\u{e9}",
        ];
        for bad in bad {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_in_the_message() {
        for text in ["http://u:canary@h", "http://h?key=canary", "http://h/ canary", "http://h:canary"] {
            assert!(!checked(text).unwrap_err().contains("canary"), "{text}");
        }
    }
}
