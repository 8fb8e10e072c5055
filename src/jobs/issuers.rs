//! Fetches the keys that issuers of tokens publish. Only from where the configuration says; what a
//! token names is never fetched.

use crate::auth::jwt::{Issuer, KeySource};
use crate::framing::json::{Duplicates, parse};
use crate::runtime::Edge;
use crate::upstream::credentials::{Ask, Fetch};
use pingora_core::server::ShutdownWatch;
use std::sync::Arc;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

pub async fn keep(edge: Arc<Edge>, fetch: Arc<dyn Fetch>, mut shutdown: ShutdownWatch) {
    loop {
        let runtime = edge.runtime();
        for issuer in runtime.keys.issuers().iter().chain(runtime.keys.logins()) {
            refresh(issuer, fetch.as_ref(), edge.wall.unix_ms()).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = shutdown.changed() => return,
        }
    }
}

/// Fetches if it is time to. A failure leaves the keys there are, until they are too old.
pub async fn refresh(issuer: &Issuer, fetch: &dyn Fetch, now_ms: u64) {
    let fetched = match &issuer.spec.keys {
        KeySource::File(_) => return,
        _ if !issuer.is_due(now_ms) => return,
        KeySource::Url(url) => get(fetch, url).await,
        KeySource::Discovery(url) => discovered(fetch, url, &issuer.spec.expected.issuer).await,
    };
    let used = fetched.and_then(|body| {
        issuer.set_keys(body.as_bytes(), now_ms).map_err(|error| format!("the answer {error}"))
    });
    if let Err(error) = used {
        log::error!("keys of issuer {}: {error}", issuer.spec.name);
    }
}

async fn get(fetch: &dyn Fetch, url: &str) -> Result<String, String> {
    let ask = Ask {
        method: http::Method::GET,
        url: url.to_owned(),
        fields: vec![("accept", "application/json".to_owned())],
        more: Vec::new(),
        body: String::new(),
        timeout: TIMEOUT,
    };
    let answer = fetch.fetch(ask).await.map_err(|error| error.to_string())?;
    if answer.status == 200 { Ok(answer.body) } else { Err(format!("answered {}", answer.status)) }
}

/// OpenID Connect Discovery 1.0 §4.3: a document of another issuer must not be used.
async fn discovered(fetch: &dyn Fetch, url: &str, issuer: &str) -> Result<String, String> {
    let body = get(fetch, url).await?;
    let document =
        parse(&body, Duplicates::Refuse).map_err(|_| "the discovery document is no JSON".to_owned())?;
    if document.text_of("issuer").as_deref() != Some(issuer) {
        return Err("the discovery document is of another issuer".to_owned());
    }
    let keys = document.text_of("jwks_uri").ok_or("the discovery document names no keys")?;
    // As safe a way as the document itself came, at least.
    if url.starts_with("https://") && !keys.starts_with("https://") {
        return Err("the discovery document leads away from https".to_owned());
    }
    get(fetch, &keys).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::jwt::{Algorithm, Expected, IssuerSpec, Whose};
    use crate::auth::{Mapping, Origin};
    use crate::upstream::credentials::{Answer, CredentialError};
    use async_trait::async_trait;
    use std::sync::Mutex;

    /// Answers by URL, and what was asked for.
    #[derive(Default)]
    struct Web {
        pages: Vec<(&'static str, &'static str)>,
        asked: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Fetch for Web {
        async fn fetch(&self, ask: Ask) -> Result<Answer, CredentialError> {
            let page = self.pages.iter().find(|(url, _)| *url == ask.url);
            self.asked.lock().unwrap().push(ask.url.clone());
            let body = page.map(|(_, body)| (*body).to_owned());
            Ok(Answer { status: if body.is_some() { 200 } else { 404 }, body: body.unwrap_or_default() })
        }
    }

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"l3XEIKz2x6QkAx-zzxUeu8kZAOKTIvlTvaz88SbLbFQ"}]}"#;
    const HOME: &str = "https://idp.test/.well-known/openid-configuration";

    fn issuer(keys: KeySource) -> Issuer {
        Issuer::new(IssuerSpec {
            name: "idp".into(),
            expected: Expected {
                issuer: "https://idp.test".into(),
                audiences: vec!["gw".into()],
                skew_seconds: 0,
                required: vec![],
            },
            algorithms: vec![Algorithm::EdDsa],
            keys,
            whose: Whose::App(Mapping { tenant: None, team: None, app: Origin::Fixed("app_1".into()) }),
            refresh_ms: 300_000,
            keep_ms: 600_000,
        })
    }

    #[tokio::test]
    async fn discovery_leads_to_the_keys_of_its_own_issuer_only() {
        let good = r#"{"issuer":"https://idp.test","jwks_uri":"https://idp.test/keys"}"#;
        for (document, asked) in [
            (good, 2),
            (r#"{"issuer":"https://evil.test","jwks_uri":"https://idp.test/keys"}"#, 1),
            (r#"{"issuer":"https://idp.test","jwks_uri":"http://idp.test/keys"}"#, 1),
            (r#"{"issuer":"https://idp.test"}"#, 1),
            ("<html>", 1),
        ] {
            let web =
                Web { pages: vec![(HOME, document), ("https://idp.test/keys", KEYS)], ..Web::default() };
            let issuer = issuer(KeySource::Discovery(HOME.into()));
            refresh(&issuer, &web, 1).await;
            assert_eq!(web.asked.lock().unwrap().len(), asked, "{document}");
            assert_eq!(issuer.has_keys(), asked == 2, "{document}");
        }
    }

    #[tokio::test]
    async fn a_failed_fetch_is_tried_again_later_and_leaves_the_keys_there_are() {
        let issuer = issuer(KeySource::Url("https://idp.test/keys".into()));
        let web = Web::default();
        for second in 0..20 {
            refresh(&issuer, &web, 1 + second * 1000).await;
        }
        assert_eq!(web.asked.lock().unwrap().len(), 4);
        let web = Web { pages: vec![("https://idp.test/keys", KEYS)], ..Web::default() };
        refresh(&issuer, &web, 60_000).await;
        assert!(issuer.has_keys());
        refresh(&issuer, &Web::default(), 400_000).await;
        assert!(issuer.has_keys());
    }
}
