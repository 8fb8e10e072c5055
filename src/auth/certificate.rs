//! Client certificates as credentials: what a certificate calls its holder, and which app that is here.
//!
//! Not here: whether a certificate is good. Chain, purpose and signature were proved by the listener
//! (`server`) before one gets here; only its time is looked at again, as connections last. Invariant:
//! what a certificate says twice it does not say: nothing here chooses between two names.

use super::AuthError;
use super::identities::Identities;
use super::mapping::{Mapping, is_word, plain_name};
use super::principal::{Principal, Rules};
use crate::types::Claims;
use std::collections::HashMap;
use std::sync::Arc;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// What of a certificate may be mapped: of its subject (RFC 5280 §4.1.2.6) `cn`, `o`, `ou`, `c`, `st` and
/// `l`, of its alternative names (§4.2.1.6) `dns`, `uri` and `email`.
pub const NAMES: [&str; 9] = ["cn", "o", "ou", "c", "st", "l", "dns", "uri", "email"];

/// A certificate that a connection was opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    names: HashMap<&'static str, String>,
    /// Seconds since 1970, both included.
    good: (u64, u64),
    /// Whether the listener takes no connection without one.
    pub is_required: bool,
    key_id: Box<str>,
}

/// `[auth.mtls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRules {
    pub mapping: Mapping,
    /// Whether a certificate decides also where a key was sent beside it.
    pub over_keys: bool,
}

impl Certificate {
    /// Reads one that was proved. None for what cannot be read.
    pub fn read(der: &[u8], is_required: bool) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let alternatives = parsed.subject_alternative_name();
        if !rest.is_empty() || alternatives.is_err() {
            return None;
        }
        let mut names = Names::default();
        names.subject(parsed.subject());
        if let Ok(Some(extension)) = alternatives {
            extension.value.general_names.iter().for_each(|name| names.alternative(name));
        }
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        let validity = parsed.validity();
        let good = (seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp()));
        let names = names.single();
        let told = ["cn", "uri", "dns", "email"].iter().find_map(|name| names.get(name));
        let key_id = match told {
            Some(name) => plain_name("mtls", name),
            None => format!("mtls:serial-{}", parsed.raw_serial_as_string().replace(':', "")),
        };
        Some(Self { names, good, is_required, key_id: key_id.into() })
    }

    /// One that is good at no time: it was good once, when its connection was first opened.
    pub fn void(is_required: bool) -> Self {
        Self { names: HashMap::new(), good: (1, 0), is_required, key_id: "mtls:".into() }
    }

    /// Whether it is good at `now_ms`, milliseconds since 1970.
    pub fn is_good(&self, now_ms: u64) -> bool {
        let (begins, ends) = self.good;
        (begins..=ends).contains(&(now_ms / 1000))
    }
}

impl CertificateRules {
    /// Whose call it is.
    ///
    /// # Errors
    /// [`AuthError::Invalid`], for every cause.
    pub fn authenticate(
        &self,
        identities: &Identities,
        certificate: &Certificate,
        now_ms: u64,
    ) -> Result<Arc<Principal>, AuthError> {
        let said = |name: &str| certificate.names.get(name).cloned();
        let app = self.mapping.app(identities, said).filter(|app| app.is_active);
        let app = app.filter(|_| certificate.is_good(now_ms)).ok_or(AuthError::Invalid)?;
        Ok(Arc::new(Principal {
            key_id: certificate.key_id.clone(),
            index: None,
            app: Some(app.clone()),
            own: None,
            claims: Claims::default(),
            rules: Rules::Governed(None),
        }))
    }
}

/// Names while they are read; None for those that came twice, or are no names.
#[derive(Default)]
struct Names(HashMap<&'static str, Option<String>>);

impl Names {
    fn subject(&mut self, subject: &X509Name<'_>) {
        self.attributes("cn", subject.iter_common_name());
        self.attributes("o", subject.iter_organization());
        self.attributes("ou", subject.iter_organizational_unit());
        self.attributes("c", subject.iter_country());
        self.attributes("st", subject.iter_state_or_province());
        self.attributes("l", subject.iter_locality());
    }

    fn attributes<'a>(
        &mut self,
        name: &'static str,
        attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>,
    ) {
        for attribute in attributes {
            self.put(name, attribute.as_str().ok());
        }
    }

    fn alternative(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.put("dns", Some(name)),
            GeneralName::URI(name) => self.put("uri", Some(name)),
            GeneralName::RFC822Name(name) => self.put("email", Some(name)),
            _ => {}
        }
    }

    fn put(&mut self, name: &'static str, text: Option<&str>) {
        let text = text.filter(|text| is_word(text)).map(str::to_owned);
        self.0.entry(name).and_modify(|held| *held = None).or_insert(text);
    }

    fn single(self) -> HashMap<&'static str, String> {
        self.0.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Origin;
    use super::*;
    use crate::auth::Directory;
    use crate::govern::{Kind, Object};
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, date_time_ymd};
    use serde_json::json;

    fn certificate(common: &[&str], names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.distinguished_name.push(DnType::OrganizationName, "acme");
        params.subject_alt_names = names;
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 2, 1);
        let key = KeyPair::generate().unwrap();
        Certificate::read(params.self_signed(&key).unwrap().der(), false).unwrap()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn rules(app: &str) -> CertificateRules {
        let claim = |name: &str| Origin::Claim(name.to_owned());
        let mapping =
            Mapping { tenant: Some(claim("o")), team: Some(Origin::Fixed("core".into())), app: claim(app) };
        CertificateRules { mapping, over_keys: false }
    }

    fn identities(app: &str, status: &str) -> Arc<Identities> {
        let object = |kind, id: &str, tenant: &str, parent: Option<&str>, name: &str, body| Object {
            kind,
            id: id.into(),
            tenant: Some(tenant.into()),
            parent: parent.map(str::to_owned),
            name: name.into(),
            version: 1,
            created_ms: 0,
            updated_ms: 0,
            body,
        };
        let mut directory = Directory::new();
        let objects = vec![
            object(Kind::Tenant, "ten_1", "ten_1", None, "acme", json!({})),
            object(Kind::Team, "team_1", "ten_1", Some("ten_1"), "core", json!({})),
            object(Kind::App, "app_1", "ten_1", Some("team_1"), app, json!({ "status": status })),
        ];
        assert!(directory.apply(objects, &[], 1).is_empty());
        directory.snapshot()
    }

    /// 15 January 2026.
    const NOW: u64 = 1_768_435_200_000;

    #[test]
    fn a_name_of_a_certificate_leads_to_its_app() {
        let shown = certificate(&["bot"], vec![]);
        let holder = rules("cn").authenticate(&identities("bot", "active"), &shown, NOW).unwrap();
        assert_eq!((&*holder.key_id, &*holder.app.as_ref().unwrap().app), ("mtls:bot", "app_1"));
        let spiffe = certificate(&[], vec![uri("spiffe://acme/bot")]);
        let holder =
            rules("uri").authenticate(&identities("spiffe://acme/bot", "active"), &spiffe, NOW).unwrap();
        assert_eq!(&*holder.key_id, "mtls:spiffe://acme/bot");
    }

    #[test]
    fn a_missing_a_blocked_and_a_foreign_app_are_one_refusal() {
        let known = identities("bot", "active");
        let invalid = |rules: &CertificateRules, known: &Identities, shown: &Certificate| {
            rules.authenticate(known, shown, NOW).err() == Some(AuthError::Invalid)
        };
        assert!(invalid(&rules("cn"), &known, &certificate(&["cat"], vec![])));
        assert!(invalid(&rules("uri"), &known, &certificate(&["bot"], vec![])));
        assert!(invalid(&rules("cn"), &identities("bot", "blocked"), &certificate(&["bot"], vec![])));
        assert!(invalid(&rules("cn"), &Identities::default(), &certificate(&["bot"], vec![])));
    }

    #[test]
    fn what_a_certificate_says_twice_it_does_not_say() {
        let known = identities("bot", "active");
        for names in [["bot", "cat"], ["cat", "bot"], ["bot", "bot"]] {
            let both = names.map(uri).to_vec();
            let shown = certificate(&["x"], both);
            assert_eq!(rules("uri").authenticate(&known, &shown, NOW).err(), Some(AuthError::Invalid));
        }
        let shown = certificate(&["x"], vec![uri("bot")]);
        assert!(rules("uri").authenticate(&known, &shown, NOW).is_ok());
    }

    #[test]
    fn a_certificate_is_good_from_its_first_second_to_its_last() {
        let (known, shown) = (identities("bot", "active"), certificate(&["bot"], vec![]));
        // 1 January and 1 February 2026.
        let (begins, ends) = (1_767_225_600_000, 1_769_904_000_000);
        for (at, is_good) in
            [(begins - 1, false), (begins, true), (ends, true), (ends + 999, true), (ends + 1000, false)]
        {
            assert_eq!(rules("cn").authenticate(&known, &shown, at).is_ok(), is_good, "{at}");
        }
        assert!(!Certificate::void(true).is_good(begins) && !Certificate::void(true).is_good(0));
    }

    #[test]
    fn a_name_nobody_could_read_is_told_by_its_digest_and_none_by_the_serial_number() {
        let odd = certificate(&["two words"], vec![]);
        assert!(odd.key_id.starts_with("mtls:sha256-"), "{}", odd.key_id);
        let none = certificate(&[], vec![]);
        assert!(none.key_id.starts_with("mtls:serial-"), "{}", none.key_id);
        assert_eq!(Certificate::read(b"no certificate", false), None);
    }
}
