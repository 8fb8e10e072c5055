//! Which URLs are allowed: scheme, host, port and the beginning of the path.

use super::web_url::{WebUrl, WebUrlError};
use std::str::FromStr;

/// `https://cdn.example.com/`, `https://*.example.com/public/`, `https://*/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlRule {
    /// The host stands for the wildcard's suffix, where there is one.
    url: WebUrl,
    hosts: Hosts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hosts {
    /// This one alone, subdomains not included.
    One,
    /// All below it, itself not included.
    Below,
    /// Any.
    Any,
}

/// Why a text is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRuleError {
    #[error("{0}")]
    Url(#[from] WebUrlError),
    #[error("a rule ends with a slash: what it allows lies below a folder")]
    NoFolder,
    #[error("a `*.` stands for names below a domain of at least two labels")]
    Wide,
}

impl UrlRule {
    /// Whether it allows `url`.
    pub fn allows(&self, url: &WebUrl) -> bool {
        let is_host = match self.hosts {
            Hosts::One => url.host == self.url.host,
            Hosts::Below => url
                .host
                .strip_suffix(&self.url.host)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            Hosts::Any => true,
        };
        let folder = url.path.split('?').next().unwrap_or_default();
        is_host
            && (url.is_tls, url.port) == (self.url.is_tls, self.url.port)
            && folder.starts_with(&self.url.path)
    }
}

impl FromStr for UrlRule {
    type Err = UrlRuleError;

    fn from_str(text: &str) -> Result<Self, UrlRuleError> {
        let (scheme, rest) = text.split_once("://").ok_or(WebUrlError::Scheme)?;
        let (hosts, rest) = match rest.strip_prefix('*') {
            None => (Hosts::One, rest.to_owned()),
            Some(after) => match after.strip_prefix('.') {
                Some(domain) => (Hosts::Below, domain.to_owned()),
                None => (Hosts::Any, format!("any{after}")),
            },
        };
        let url = WebUrl::parse(&format!("{scheme}://{rest}"))?;
        // A number behind the star would be half an address.
        let is_domain = url.host.contains('.') && !url.host.ends_with(|last: char| last.is_ascii_digit());
        match hosts {
            Hosts::Below if !is_domain => Err(UrlRuleError::Wide),
            Hosts::Any if url.host != "any" => Err(UrlRuleError::Wide),
            _ if !url.path.ends_with('/') || url.path.contains('?') => Err(UrlRuleError::NoFolder),
            _ => Ok(Self { url, hosts }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, url: &str) -> bool {
        rule.parse::<UrlRule>().unwrap().allows(&WebUrl::parse(url).unwrap())
    }

    #[test]
    fn one_host_is_one_host_and_a_star_is_what_lies_below() {
        assert!(allows("https://cdn.example.com/", "https://CDN.example.com/a.png?x=1"));
        for other in [
            "http://cdn.example.com/a",
            "https://cdn.example.com:8443/a",
            "https://x.cdn.example.com/a",
            "https://cdn.example.com.evil.test/a",
            "https://evilcdn.example.com/a",
        ] {
            assert!(!allows("https://cdn.example.com/", other), "{other}");
        }
        assert!(allows("https://*.example.com/", "https://a.b.example.com/x"));
        assert!(!allows("https://*.example.com/", "https://example.com/x"));
        assert!(!allows("https://*.example.com/", "https://evilexample.com/x"));
        assert!(allows("https://*/", "https://anything.test/x"));
        assert!(!allows("https://*/", "http://anything.test/x"));
        assert!(allows("http://127.0.0.1:8080/", "http://127.0.0.1:8080/x"));
    }

    #[test]
    fn a_folder_is_not_what_its_name_begins_like() {
        assert!(allows("https://a.test/public/", "https://a.test/public/x/y.png"));
        for other in ["https://a.test/public", "https://a.test/publicity/x", "https://a.test/?/public/"] {
            assert!(!allows("https://a.test/public/", other), "{other}");
        }
    }

    #[test]
    fn wrong_rules_are_told() {
        for (text, error) in [
            ("cdn.example.com", UrlRuleError::Url(WebUrlError::Scheme)),
            ("https://a.test/x", UrlRuleError::NoFolder),
            ("https://a.test/?x/", UrlRuleError::NoFolder),
            ("https://*.com/", UrlRuleError::Wide),
            ("https://*.0.0.1/", UrlRuleError::Wide),
            ("https://*a.test/", UrlRuleError::Wide),
            ("https://a.*.test/", UrlRuleError::Url(WebUrlError::Host)),
        ] {
            assert_eq!(text.parse::<UrlRule>(), Err(error), "{text}");
        }
    }
}
