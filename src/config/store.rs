//! `[store]`: where governed objects, the ledger and the audit log are kept.

use super::collector::Collector;
use super::duration::duration;
use super::near::quoted;
use super::number::integer;
use super::reader::Reader;
use super::secret::{self, is_reference};
use super::value::Value;
use crate::types::Secret;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// `sqlite:PATH` or `postgres://…`; a secret, as it may have come from one.
    pub url: Secret,
    /// For PostgreSQL.
    pub password: Option<Secret>,
    /// Longest a question to it may take.
    pub timeout: Duration,
    /// To PostgreSQL at most; readers of SQLite.
    pub connections: u32,
}

const HELP: &str = "\"sqlite:data/tidegate.db\", \"postgres://USER@HOST/DATABASE\", or either as \"env:NAME\" or \"file:PATH\"";

impl Store {
    /// Whether other nodes may use it too.
    pub fn is_shared(&self) -> bool {
        self.url.expose().starts_with("postgres")
    }

    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let url = reader.need("url", HELP, url);
        let store = Self {
            password: reader.take("password", secret::secret).map(|found| found.secret),
            timeout: reader.or("timeout", Duration::from_secs(5), duration),
            connections: reader.or("connections", 8, integer(2..=64)),
            url: url.clone().unwrap_or_else(|| Secret::new("")),
        };
        reader.done();
        url.map(|_| store)
    }
}

fn url(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let text = value.string(collector, HELP)?;
    if is_reference(text) {
        let found = secret::secret(value, collector)?.secret;
        if collector.looks_outside() && fault(found.expose()).is_some() {
            value.fail_help(
                collector,
                format!("what `{}` names is no address of a store", quoted(text)),
                HELP,
            );
            return None;
        }
        return Some(found);
    }
    if has_password(text) {
        collector.mask(value.span.clone());
        value.fail_help(
            collector,
            "a password must not stand in this file",
            "leave it out of `url` and add password = \"env:NAME\"",
        );
        return None;
    }
    if let Some(fault) = fault(text) {
        value.fail_help(collector, fault, HELP);
        return None;
    }
    Some(Secret::new(text))
}

/// What is wrong with an address, without its text.
fn fault(text: &str) -> Option<&'static str> {
    if let Some(path) = text.strip_prefix("sqlite:") {
        let is_file =
            !path.trim_start_matches('/').is_empty() && !path.contains(['\0', '?']) && !path.starts_with(':');
        return (!is_file).then_some("`sqlite:` names no file");
    }
    let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) else {
        return Some("this is no address of a store");
    };
    let path = rest.split('?').next().unwrap_or_default();
    let (host, database) = path.split_once('/').unwrap_or((path, ""));
    (host.is_empty() || database.is_empty()).then_some("the address names no host and database")
}

fn has_password(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    !scheme.starts_with("sqlite") && (user.contains(':') || rest.contains("password="))
}
