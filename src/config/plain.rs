//! Texts that are no secrets and may come from the environment: names, ids, paths.

use super::base_url::{self, BaseUrl};
use super::collector::Collector;
use super::near::quoted;
use super::value::Value;
use std::net::IpAddr;

/// Longest of them: a role's ARN has at most 2048 characters.
const BYTES_MAX: usize = 2048;

/// A text as it stands, or `env:NAME`. Empty where the environment is not looked at.
pub(super) fn plain(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a string")?;
    let text = match text.strip_prefix("env:") {
        None => text.to_owned(),
        Some(_) if !collector.looks_outside() => return Some(String::new()),
        Some(name) => {
            let Some(found) = collector.env(name) else {
                value.fail(collector, format!("the environment variable `{}` is not set", quoted(name)));
                return None;
            };
            found.trim().to_owned()
        }
    };
    let is_one_line = !text.chars().any(char::is_control);
    if text.is_empty() || text.len() > BYTES_MAX || !is_one_line {
        value.fail(collector, format!("this must be one line of 1 to {BYTES_MAX} bytes"));
        return None;
    }
    Some(text)
}

/// An address that secrets are sent to: `https://`, or `http://` of this machine.
pub(super) fn token_endpoint(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<BaseUrl> {
    let url = base_url::base_url(value, collector)?;
    if !url.is_tls() && !is_loopback(url.as_str()) {
        let help = "http:// is taken for addresses of the loopback only";
        value.fail_help(collector, "secrets are sent there: the address must be https://", help);
    }
    Some(url)
}

fn is_loopback(url: &str) -> bool {
    let authority = url.strip_prefix("http://").unwrap_or(url).split('/').next().unwrap_or_default();
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_taken_without_tls() {
        for own in ["http://127.0.0.1:1/x", "http://[::1]/", "http://localhost:8080", "http://127.9.9.9"] {
            assert!(is_loopback(own), "{own}");
        }
        for far in ["http://10.0.0.1", "http://localhost.example/", "http://127.0.0.1.example"] {
            assert!(!is_loopback(far), "{far}");
        }
    }
}
