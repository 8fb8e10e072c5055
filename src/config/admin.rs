//! `[admin]`: the listener of operators and probes.

use super::base_url;
use super::collector::Collector;
use super::jwt;
use super::listener::{certificates, file, listen};
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::auth::jwt::IssuerSpec;
use crate::types::Secret;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A loopback address, or any one with TLS and a token.
    pub listen: SocketAddr,
    /// The installation owner's.
    pub token: Option<Secret>,
    /// Names it is asked for by, besides the loopback's.
    pub hosts: Vec<String>,
    /// Certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    pub webhooks: Vec<Webhook>,
    /// Whose tokens are credentials of users.
    pub issuers: Vec<IssuerSpec>,
    /// What providers and models of the store may name of secrets: references, or beginnings of them
    /// with `*`.
    pub references: Vec<String>,
}

/// `[[admin.webhooks]]`: who is told what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    /// Signs what is sent.
    pub secret: Secret,
    /// Kinds of events, or beginnings of them with `*`; all where there are none.
    pub events: Vec<String>,
    /// Whether the address may be a private one.
    pub allow_private: bool,
}

const TOKEN_BYTES_MIN: usize = 16;

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            token: None,
            hosts: Vec::new(),
            tls: None,
            webhooks: Vec::new(),
            issuers: Vec::new(),
            references: vec!["env:*".to_owned(), "file:*".to_owned()],
        }
    }
}

impl Admin {
    /// The section of the file; the defaults where there is none. After `server`, whose addresses
    /// come first.
    pub(super) fn read(root: &mut Reader<'_, '_, '_>) -> Self {
        if root.has("admin") {
            return root.or("admin", Self::default(), Self::read_table);
        }
        root.value("admin");
        claim_default(root);
        Self::default()
    }

    fn read_table(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        if !reader.has("listen") {
            claim_default(&mut reader);
        }
        let admin = Self {
            listen: reader.or("listen", Self::default().listen, listen),
            token: reader.take("token", token),
            hosts: reader.or("hosts", Vec::new(), |v, c| v.list(c, "a list of names", host)),
            tls: reader.take("tls", tls),
            webhooks: reader
                .or("webhooks", Vec::new(), |v, c| v.list(c, "tables `[[admin.webhooks]]`", Webhook::read)),
            issuers: reader.or("oidc", Vec::new(), jwt::read_logins),
            references: reader.or("references", Self::default().references, |v, c| {
                v.list(c, "a list of references", reference)
            }),
        };
        let is_guarded = reader.has("tls") && reader.has("token");
        if !admin.listen.ip().is_loopback() && !is_guarded {
            let message = format!(
                "the admin listener is not on a loopback address ({}), and lacks TLS or a token",
                admin.listen.ip()
            );
            let help = "add `tls = { cert = …, key = … }` and `token = \"env:…\"`, or listen on 127.0.0.1";
            reader.fail(message, Some(help));
        }
        reader.done();
        Some(admin)
    }
}

fn claim_default(reader: &mut Reader<'_, '_, '_>) {
    let address = Admin::default().listen;
    if let Err(owner) = reader.collector.claim(address, "admin.listen".to_owned()) {
        let help = "give the admin listener its own address: [admin] listen = \"127.0.0.1:9091\"";
        reader.fail(format!("{address}, the default of admin.listen, is listened on by {owner}"), Some(help));
    }
}

/// Whoever knows it owns the installation.
fn token(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let found = secret::secret(value, collector)?;
    if collector.looks_outside() && found.secret.expose().len() < TOKEN_BYTES_MIN {
        let message = format!("an admin token has at least {TOKEN_BYTES_MIN} characters");
        value.fail_help(collector, message, "make one with: openssl rand -hex 32");
        return None;
    }
    Some(found.secret)
}

fn host(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a name")?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':');
    if text.is_empty() || text.len() > 255 || !text.bytes().all(is_plain) {
        value.fail_help(collector, "this is no name of a host", "such as \"admin.example\", without a port");
        return None;
    }
    Some(text.to_owned())
}

/// `env:NAME`, `file:PATH`, or the beginning of one with `*`.
fn reference(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a reference such as \"env:PROVIDER_*\"")?;
    let beginning = text.strip_suffix('*').unwrap_or(text);
    let has_form = beginning.starts_with("env:") || beginning.starts_with("file:");
    if !has_form || beginning.contains('*') {
        value.hide(collector);
        value.fail_help(
            collector,
            "this is no reference",
            "\"env:NAME\" or \"file:PATH\", with `*` at the end only",
        );
        return None;
    }
    Some(text.to_owned())
}

fn tls(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<(PathBuf, PathBuf)> {
    let mut reader = Reader::open(value, collector)?;
    let cert = reader.need("cert", "such as cert = \"conf/tls/admin.pem\"", certificates);
    let key = reader.need("key", "such as key = \"conf/tls/admin.key\"", file);
    reader.done();
    Some((cert?, key?))
}

impl Webhook {
    fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let url = reader.need("url", "such as url = \"https://hooks.example/tidegate\"", target);
        let secret = reader.need("secret", "such as secret = \"env:TIDEGATE_HOOK\"", secret::secret);
        let events = reader.or("events", Vec::new(), |v, c| {
            v.list(c, "a list of events", |v, c| v.string(c, "an event").map(str::to_owned))
        });
        let allow_private = reader.or("allow_private", false, |v, c| v.boolean(c));
        reader.done();
        Some(Self { url: url?, secret: secret?.secret, events, allow_private })
    }
}

/// A whole URL; like a base URL it holds no user, password or query.
fn target(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    base_url::base_url(value, collector).map(|url| url.as_str().to_owned())
}
