//! `[auth.mtls]`: client certificates as credentials; which of them a listener takes is said there.

use super::collector::Collector;
use super::near;
use super::reader::Reader;
use super::value::Value;
use crate::auth::certificate::{CertificateRules, NAMES};
use crate::auth::{Mapping, Origin};

pub(super) fn read(
    value: &Value<'_>,
    collector: &mut Collector<'_>,
    is_asked_for: bool,
) -> Option<CertificateRules> {
    if !is_asked_for {
        let help = "add `client_ca` to a [[server.tls]]";
        value.fail_head(collector, "no listener takes client certificates", Some(help));
    }
    let mut reader = Reader::open(value, collector)?;
    let tenant = reader.take("tenant", origin);
    let team = reader.take("team", origin);
    let app = reader.need("app", "\"cert:cn\", or the id or name of an app", origin);
    let over_keys = reader.or("over_keys", false, |v, c| v.boolean(c));
    reader.done();
    Some(CertificateRules { mapping: Mapping { tenant, team, app: app? }, over_keys })
}

/// `cert:NAME`, or the thing itself.
fn origin(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Origin> {
    let text = value.string(collector, "a text")?;
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        value.fail(collector, "this is no name");
        return None;
    }
    let Some(name) = text.strip_prefix("cert:") else { return Some(Origin::Fixed(text.to_owned())) };
    if !NAMES.contains(&name) {
        let near = near::suffix(name, NAMES);
        let message = format!("`{}` is nothing in a certificate{near}", near::quoted(name));
        value.fail_help(collector, message, format!("one of {}", NAMES.join(", ")));
        return None;
    }
    Some(Origin::Claim(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::mistakes_tests::with;
    use super::super::{SecretPolicy, check};

    const LISTENER: &str = "[[server.tls]]\nlisten = \"127.0.0.1:8443\"\ncert = \"c\"\nkey = \"k\"\n";

    /// What is said of a file whose certificates are not looked at.
    fn said(text: &str) -> String {
        let rest = "[providers.p]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
            [models.m]\ntargets = [{ provider = \"p\" }]\n[keys.k]\nsecret = \"env:K\"\n";
        let path = std::env::temp_dir().join(format!("tidegate-mtls-{}.toml", std::process::id()));
        std::fs::write(&path, format!("{text}{rest}")).unwrap();
        let checked = check(&path, &|_| None, SecretPolicy::Syntax);
        std::fs::remove_file(&path).unwrap();
        checked.map_or_else(|report| report.render(false), |_| String::new())
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        let ca = "client_ca = \"ca\"\n";
        let rules = "[auth.mtls]\napp = \"cert:cn\"\n";
        assert_eq!(said(&format!("{LISTENER}{ca}{rules}")), "");
        assert_eq!(said(&format!("{LISTENER}{ca}client_auth = \"required\"\n")), "");
        for (text, message) in [
            (format!("{LISTENER}{rules}"), "no listener takes client certificates"),
            (format!("{LISTENER}{ca}[auth.mtls]\n"), "missing `app`"),
            (format!("{LISTENER}{ca}[auth.mtls]\napp = \"cert:cnn\"\n"), "did you mean `cn`"),
            (format!("{LISTENER}{ca}[auth.mtls]\napp = \"cert:\"\n"), "is nothing in a certificate"),
            (format!("{LISTENER}client_auth = \"required\"\n"), "needs `client_ca`"),
            (format!("{LISTENER}client_crl = \"crl\"\n"), "needs `client_ca`"),
            (format!("{LISTENER}{ca}client_auth = \"always\"\n"), "one of \"optional\", \"required\""),
        ] {
            let told = said(&text);
            assert!(told.contains(message), "{text}: {told}");
        }
    }

    #[test]
    fn authorities_are_looked_for_before_anything_is_served() {
        let text = format!("{LISTENER}client_ca = \"/nowhere/ca.pem\"\n");
        let told = with(&text).unwrap_err().render(false);
        assert!(told.contains("/nowhere/ca.pem"), "{told}");
    }
}
