//! `[auth]`: the pepper of what the store keeps of credentials, other issuers of tokens, client certificates.

use super::collector::Collector;
use super::jwt;
use super::mtls;
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::auth::CertificateRules;
use crate::auth::jwt::IssuerSpec;
use crate::types::Secret;
use std::path::PathBuf;

/// RFC 2104 asks for a key as long as the digest.
const PEPPER_BYTES_MIN: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The first makes hashes, all of them check. Empty: no credential of the store can be used.
    pub peppers: Vec<Secret>,
    /// Where the sealed copy of who is known goes.
    pub snapshot: PathBuf,
    pub issuers: Vec<IssuerSpec>,
    /// None: client certificates are no credentials.
    pub certificates: Option<CertificateRules>,
}

/// What of other sections matters here.
pub(super) struct Beside<'s> {
    /// Whether a listener takes client certificates.
    pub(super) takes_certificates: bool,
    /// Issuers of users of the admin API.
    pub(super) logins: &'s [IssuerSpec],
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            peppers: Vec::new(),
            snapshot: PathBuf::from("run/tidegate-identities.sealed"),
            issuers: Vec::new(),
            certificates: None,
        }
    }
}

impl Auth {
    pub(super) fn read(
        value: &Value<'_>,
        collector: &mut Collector<'_>,
        beside: &Beside<'_>,
    ) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let d = Self::default();
        let auth = Self {
            peppers: reader.or("pepper", d.peppers, peppers),
            snapshot: reader.or("snapshot", d.snapshot, path),
            issuers: reader.or("jwt", d.issuers, |v, c| jwt::read_all(v, c, beside.logins)),
            certificates: reader.take("mtls", |v, c| mtls::read(v, c, beside.takes_certificates)),
        };
        reader.done();
        Some(auth)
    }
}

/// One reference or a list of them, the newest first.
fn peppers(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Vec<Secret>> {
    if matches!(value.node, toml::de::DeValue::Array(_)) {
        let peppers = value.list(collector, "a list of references", pepper)?;
        if peppers.len() > 4 {
            value.fail(collector, "at most 4 peppers: each of them is tried for every wrong key");
        }
        return Some(peppers);
    }
    pepper(value, collector).map(|pepper| vec![pepper])
}

fn pepper(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Secret> {
    let found = secret::secret(value, collector)?;
    if collector.looks_outside() && found.secret.expose().len() < PEPPER_BYTES_MIN {
        let message = format!("a pepper has at least {PEPPER_BYTES_MIN} characters");
        value.fail_help(collector, message, "make one with: openssl rand -hex 32");
        return None;
    }
    Some(found.secret)
}

fn path(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<PathBuf> {
    let text = value.string(collector, "a path")?;
    if text.is_empty() || text.contains('\0') {
        value.fail(collector, "this is no path");
        return None;
    }
    Some(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::super::mistakes_tests::{said, with};
    use super::super::parse;
    use crate::auth::jwt::Whose;

    #[test]
    fn one_pepper_or_several_are_read_the_newest_first() {
        assert!(said("[auth]\npepper = \"env:P\"").contains("at least 32 characters"));
        let text = "[auth]\npepper = [\"env:NEW\", \"env:OLD\"]\n[models.m]\ntargets = [{provider = \"p\"}]\n\
            [providers.p]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n[keys.k]\nsecret = \"env:K\"";
        let config = parse("f", text, &|name| Some(format!("{name}-{}", "x".repeat(40)))).unwrap();
        assert!(config.auth.peppers[0].expose().starts_with("NEW"));
        assert_eq!(config.auth.peppers.len(), 2);
    }

    #[test]
    fn a_pepper_in_the_file_is_refused_and_not_shown() {
        let report = with("[auth]\npepper = \"CANARY\"").unwrap_err();
        assert!(!report.render(false).contains("CANARY"));
    }

    const IDP: &str = "[auth.jwt.idp]\nissuer = \"https://idp.test\"\naudience = \"gw\"\njwks_url = \"https://idp.test/k\"\n\
        algorithms = [\"RS256\"]\napp = \"claim:azp\"\n";

    #[test]
    fn an_issuer_is_read() {
        let config = with(IDP).unwrap();
        let issuer = &config.auth.issuers[0];
        assert_eq!((issuer.name.as_str(), issuer.expected.skew_seconds), ("idp", 60));
    }

    #[test]
    fn mistakes_of_issuers_are_told() {
        for (from, to, message) in [
            ("[\"RS256\"]", "[\"none\"]", "`none`"),
            ("[\"RS256\"]", "[]", "no algorithm"),
            ("[\"RS256\"]", "[\"HS256\"]", "only with `jwks_file`"),
            ("https://idp.test/k", "http://idp.test/k", "https"),
            ("jwks_url = \"https://idp.test/k\"", "", "where its keys are"),
            ("\"claim:azp\"", "\"claim:\"", "names no claim"),
            ("\"gw\"", "[]", "no audience"),
        ] {
            let report = with(&IDP.replace(from, to)).unwrap_err().render(false);
            assert!(report.contains(message), "{to}: {report}");
        }
    }

    const LOGIN: &str =
        "[admin.oidc.corp]\nissuer = \"https://idp.test\"\naudience = \"admin\"\ndiscovery = true\n";

    #[test]
    fn an_issuer_of_users_is_read_and_asks_for_no_app() {
        let config = with(LOGIN).unwrap();
        assert_eq!(config.admin.issuers[0].whose, Whose::User { claim: "sub".to_owned() });
        let told = with(&format!("{LOGIN}app = \"claim:azp\"\n")).unwrap_err().render(false);
        assert!(told.contains("unknown field `app`"), "{told}");
        let told = with(&format!("{IDP}user = \"sub\"\n")).unwrap_err().render(false);
        assert!(told.contains("unknown field `user`"), "{told}");
    }

    #[test]
    fn callers_tokens_are_not_users_too() {
        let both = |audience: &str| with(&format!("{LOGIN}{}", IDP.replace("\"gw\"", audience)));
        assert!(both("\"gw\"").is_ok());
        let told = both("[\"gw\", \"admin\"]").unwrap_err().render(false);
        assert!(told.contains("its tokens are those of [admin.oidc.corp] too"), "{told}");
    }
}
