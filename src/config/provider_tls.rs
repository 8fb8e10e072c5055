//! `providers.*.tls`: how a provider's certificate is checked.

use super::collector::Collector;
use super::listener::{certificates, file};
use super::near::quoted;
use super::reader::Reader;
use super::value::Value;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderTls {
    /// PEM of the authorities believed, instead of the system's.
    pub ca: Option<PathBuf>,
    pub verify: bool,
    /// PEM of the certificate (with its chain) and of the key shown to a server that asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Name sent and checked, where it is not the host of the base URL.
    pub server_name: Option<String>,
}

impl Default for ProviderTls {
    fn default() -> Self {
        Self { ca: None, verify: true, identity: None, server_name: None }
    }
}

impl ProviderTls {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let (cert, key) = (reader.take("cert", certificates), reader.take("key", file));
        if reader.has("cert") != reader.has("key") {
            reader.fail(
                "`cert` and `key` belong together",
                Some("the certificate shown to the provider, and its key"),
            );
        }
        let tls = Self {
            ca: reader.take("ca", certificates),
            verify: reader.or("verify", true, |v, c| v.boolean(c)),
            identity: cert.zip(key),
            server_name: reader.take("server_name", server_name),
        };
        if !tls.verify && tls.ca.is_some() {
            reader.fail("`ca` has no effect with verify = false", Some("leave one of them out"));
        }
        reader.done();
        Some(tls)
    }
}

fn server_name(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a host name")?;
    let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(is_host) {
        value.fail(collector, format!("`{}` is no host name", quoted(text)));
        return None;
    }
    Some(text.to_owned())
}
