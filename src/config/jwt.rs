//! `[auth.jwt.NAME]` and `[admin.oidc.NAME]`: issuers whose tokens are credentials here, of callers and of
//! users.

use super::base_url;
use super::collector::Collector;
use super::duration::{duration, duration_or_zero};
use super::listener::file;
use super::name::check_name;
use super::near::{self, quoted};
use super::reader::Reader;
use super::value::Value;
use crate::auth::jwt::{Algorithm, Expected, IssuerSpec, KeySource, Whose};
use crate::auth::{Mapping, Origin};
use std::time::Duration;

const SKEW: Duration = Duration::from_secs(60);
const SKEW_MAX: Duration = Duration::from_secs(300);
const REFRESH: Duration = Duration::from_secs(300);
const KEEP: Duration = Duration::from_secs(24 * 3600);
const ISSUERS_MAX: usize = 16;
/// Those that have a key pair each.
const DEFAULT: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];

/// Of callers. `logins`: the issuers of users, whose tokens must not be callers' too.
pub(super) fn read_all(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    logins: &[IssuerSpec],
) -> Option<Vec<IssuerSpec>> {
    read_each(value, collector, |reader, own| {
        let tenant = reader.take("tenant", origin);
        let team = reader.take("team", origin);
        let app = reader.need("app", "\"claim:azp\", or the id or name of an app", origin);
        let is_same = |login: &IssuerSpec| {
            let other = &login.expected;
            own.issuer == other.issuer && own.audiences.iter().any(|text| other.audiences.contains(text))
        };
        if let Some(login) = logins.iter().find(|login| is_same(login)) {
            let message = format!("its tokens are those of [admin.oidc.{}] too", login.name);
            reader.fail(message, Some("callers and users need an `audience` of their own"));
        }
        Some(Whose::App(Mapping { tenant, team, app: app? }))
    })
}

/// `[admin.oidc.NAME]`, of users.
pub(super) fn read_logins(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<IssuerSpec>> {
    read_each(value, collector, |reader, _| {
        Some(Whose::User { claim: reader.or("user", "sub".to_owned(), word) })
    })
}

fn read_each(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    whose: impl Fn(&mut Reader<'_, '_, '_>, &Expected) -> Option<Whose>,
) -> Option<Vec<IssuerSpec>> {
    let entries = Reader::open(value, collector)?.entries();
    if entries.len() > ISSUERS_MAX {
        value.fail_head(collector, format!("at most {ISSUERS_MAX} issuers"), None);
    }
    let mut issuers = Vec::new();
    for (name, value) in entries {
        check_name(name, &value, collector);
        issuers.extend(read(name, &value, collector, &whose));
    }
    Some(issuers)
}

fn read(
    name: &str,
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    whose: impl Fn(&mut Reader<'_, '_, '_>, &Expected) -> Option<Whose>,
) -> Option<IssuerSpec> {
    let mut reader = Reader::open(value, collector)?;
    let issuer = reader.need("issuer", "exactly as in the tokens' `iss`", word);
    let audiences = reader.need("audience", "the tokens' `aud` for this gateway", words);
    let algorithms = reader.or("algorithms", DEFAULT.to_vec(), algorithms);
    let keys = key_source(&mut reader, issuer.as_deref());
    let skew = reader.or("clock_skew", SKEW, |v, c| at_most(SKEW_MAX, v, c));
    let required = reader.or("required", Vec::new(), words);
    let refresh = reader.or("refresh", REFRESH, duration);
    let keep = reader.or("keep", KEEP, duration);
    let is_hmac = |algorithm: &Algorithm| algorithm.as_str().starts_with("HS");
    let is_own = matches!(keys, Some(KeySource::File(_)));
    if algorithms.iter().any(is_hmac) && keys.is_some() && !is_own {
        let help = "a secret that an issuer publishes is none";
        reader.fail("HS256, HS384 and HS512 go only with `jwks_file`", Some(help));
    }
    if audiences.as_ref().is_some_and(Vec::is_empty) {
        reader.fail("no audience: no token could be accepted", Some("the tokens' `aud` for this gateway"));
    }
    let expected = Expected {
        issuer: issuer.unwrap_or_default(),
        audiences: audiences.unwrap_or_default(),
        skew_seconds: skew.as_secs(),
        required,
    };
    let whose = whose(&mut reader, &expected);
    reader.done();
    // What is missing has been told.
    let is_whole = !expected.issuer.is_empty() && !expected.audiences.is_empty();
    is_whole.then_some(())?;
    Some(IssuerSpec {
        name: name.to_owned(),
        expected,
        algorithms,
        keys: keys?,
        whose: whose?,
        refresh_ms: millis(refresh),
        keep_ms: millis(keep),
    })
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Exactly one of three.
fn key_source(reader: &mut Reader<'_, '_, '_>, issuer: Option<&str>) -> Option<KeySource> {
    let url = reader.take("jwks_url", https);
    let path = reader.take("jwks_file", file);
    let discovers = reader.or("discovery", false, |v, c| v.boolean(c));
    let is_there = [reader.has("jwks_url"), reader.has("jwks_file"), discovers];
    if is_there.into_iter().filter(|is| *is).count() != 1 {
        let help = "one of `jwks_url`, `jwks_file` and `discovery = true`";
        reader.fail("an issuer says where its keys are", Some(help));
        return None;
    }
    match (url, path, issuer) {
        (Some(url), _, _) => Some(KeySource::Url(url)),
        (None, Some(path), _) => Some(KeySource::File(path)),
        (None, None, Some(issuer)) if discovers => {
            if let Err(message) = checked_https(issuer) {
                reader.fail(format!("the issuer cannot be asked: {message}"), None);
            }
            let base = issuer.trim_end_matches('/');
            Some(KeySource::Discovery(format!("{base}/.well-known/openid-configuration")))
        }
        _ => None,
    }
}

/// Keys over plain text would be whoever's is on the way; the loopback has nobody on the way.
fn checked_https(text: &str) -> Result<(), String> {
    let url = base_url::checked(text)?;
    let host = url.as_str().split("://").nth(1).unwrap_or_default();
    let is_near = ["127.0.0.1", "localhost", "[::1]"].iter().any(|near| {
        host.strip_prefix(near).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    if url.is_tls() || is_near { Ok(()) } else { Err("keys come over https:// only".to_owned()) }
}

fn https(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a URL")?;
    match checked_https(text) {
        Ok(()) => Some(text.to_owned()),
        Err(message) => {
            collector.mask(value.span.clone());
            value.fail_help(collector, message, "such as \"https://idp.example/keys\"");
            None
        }
    }
}

fn word(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<String> {
    let text = value.string(collector, "a text")?;
    if text.is_empty() || text.len() > 1024 || text.chars().any(char::is_control) {
        value.fail(collector, "this is no name");
        return None;
    }
    Some(text.to_owned())
}

/// One, or a list with at least one.
fn words(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<String>> {
    if matches!(value.node, toml::de::DeValue::Array(_)) {
        let words = value.list(collector, "a list of texts", word)?;
        return Some(words);
    }
    word(value, collector).map(|word| vec![word])
}

fn algorithms(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Algorithm>> {
    let algorithms = value.list(collector, "a list of algorithms", |value, collector| {
        let text = value.string(collector, "an algorithm such as \"RS256\"")?;
        let found = Algorithm::parse(text);
        if found.is_none() {
            let names = Algorithm::ALL.map(Algorithm::as_str);
            let near = near::suffix(text, names);
            let help = format!("known: {}", names.join(", "));
            value.fail_help(collector, format!("unknown algorithm `{}`{near}", quoted(text)), help);
        }
        found
    })?;
    if matches!(value.node, toml::de::DeValue::Array(array) if array.is_empty()) {
        value.fail(collector, "no algorithm: no token could be accepted");
    }
    Some(algorithms)
}

/// `claim:NAME`, or the thing itself.
fn origin(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Origin> {
    let text = word(value, collector)?;
    match text.strip_prefix("claim:") {
        Some("") => {
            value.fail(collector, "`claim:` names no claim");
            None
        }
        Some(claim) => Some(Origin::Claim(claim.to_owned())),
        None => Some(Origin::Fixed(text)),
    }
}

fn at_most(max: Duration, value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Duration> {
    let span = duration_or_zero(value, collector)?;
    if span > max {
        value.fail(collector, format!("at most {} seconds", max.as_secs()));
        return None;
    }
    Some(span)
}
