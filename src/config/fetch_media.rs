//! `fetch_media` of a provider: images and documents that clients name by URL, fetched for it.

use super::collector::Collector;
use super::duration::duration;
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::size::{KIB, MIB, size};
use super::value::Value;
use crate::types::UrlRule;
use std::net::SocketAddr;
use std::time::Duration;

/// What may be fetched, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchMedia {
    /// Never empty.
    pub allow: Vec<UrlRule>,
    /// Addresses of networks of one's own.
    pub allow_private: Vec<SocketAddr>,
    pub bytes_max: usize,
    pub timeout: Duration,
    pub count_max: usize,
}

impl FetchMedia {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let help = "such as allow = [\"https://cdn.example.com/\"]";
        let allow = reader.need("allow", help, |v, c| {
            let rules = v.list(c, "a list of URLs", rule)?;
            if rules.is_empty() {
                v.fail(c, "nothing is allowed: leave `fetch_media` out to fetch nothing");
            }
            Some(rules)
        });
        let allow_private =
            reader.or("allow_private", Vec::new(), |v, c| v.list(c, "a list of addresses", address));
        let bytes_max = reader.or("bytes_max", 8 * MIB, size(KIB..=64 * MIB));
        let timeout = reader.or("timeout", Duration::from_secs(5), duration);
        let count_max = reader.or("count_max", 16, integer(1..=100));
        reader.done();
        Some(Self { allow: allow?, allow_private, bytes_max, timeout, count_max })
    }
}

fn rule(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<UrlRule> {
    let text = value.string(collector, "a URL")?;
    match text.parse() {
        Ok(rule) => Some(rule),
        Err(error) => {
            let help =
                "such as \"https://cdn.example.com/\", \"https://*.example.com/public/\" or \"https://*/\"";
            value.fail_help(collector, format!("`{}` allows nothing: {error}", quoted(text)), help);
            None
        }
    }
}

fn address(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<SocketAddr> {
    let text = value.string(collector, "an address with its port")?;
    let read = text.parse().ok();
    if read.is_none() {
        let message = format!("`{}` is no address with a port", quoted(text));
        value.fail_help(collector, message, "such as \"10.0.0.7:8080\": each is named by itself");
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretPolicy;
    use toml::de::DeTable;

    fn read(text: &str) -> Result<Option<FetchMedia>, Vec<String>> {
        let table = DeTable::parse(text).unwrap();
        let mut collector = Collector::new(SecretPolicy::Resolve, &|_| None);
        let mut root = Reader::root(table.get_ref(), &mut collector);
        let read = root.take("fetch_media", FetchMedia::read);
        let told = |report: crate::config::Report| report.problems.into_iter().map(|p| p.message).collect();
        collector.finish("f", text, read).map_err(told)
    }

    #[test]
    fn what_is_left_out_is_bounded_all_the_same() {
        let read = read("fetch_media = { allow = [\"https://cdn.example.com/\"] }").unwrap().unwrap();
        assert_eq!((read.bytes_max, read.count_max), (8 * MIB, 16));
        assert_eq!((read.timeout, read.allow_private.len()), (Duration::from_secs(5), 0));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("{}", "missing `allow`"),
            ("{ allow = [] }", "nothing is allowed: leave `fetch_media` out to fetch nothing"),
            (
                "{ allow = [\"cdn.example.com\"] }",
                "`cdn.example.com` allows nothing: the URL must begin with http:// or https://",
            ),
            (
                "{ allow = [\"https://*/\"], allow_private = [\"10.0.0.0/8\"] }",
                "`10.0.0.0/8` is no address with a port",
            ),
            (
                "{ allow = [\"https://*/\"], bytes_max = \"1GiB\" }",
                "`1GiB` is out of range: must be 1KiB to 64MiB",
            ),
            ("{ allow = [\"https://*/\"], count_max = 0 }", "out of range: must be 1 to 100"),
            (
                "{ alow = [\"https://*/\"], allow = [\"https://*/\"] }",
                "unknown field `alow`, did you mean `allow`?",
            ),
        ] {
            let problems = read(&format!("fetch_media = {text}")).unwrap_err();
            assert!(problems.iter().any(|problem| problem == told), "{text}: {problems:?}");
        }
    }
}
