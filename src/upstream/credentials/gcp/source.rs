//! Where Google's access tokens come from.

use super::super::source::{Fresh, Source, Token};
use super::super::{CredentialError, Fetch};
use super::{external, jwt, key_file, metadata};
use async_trait::async_trait;
use std::sync::Arc;

/// What Vertex asks for.
pub(super) const CLOUD_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// One kind of credential of Google's.
pub struct GcpSource {
    kind: Kind,
    fetch: Arc<dyn Fetch>,
}

enum Kind {
    /// A service account's key: signs a statement that the token endpoint takes.
    ServiceAccount(jwt::ServiceAccount),
    /// A person's refresh token, as `gcloud auth application-default login` writes it.
    AuthorizedUser(key_file::AuthorizedUser),
    /// Somebody else's token, exchanged (workload identity federation).
    External(external::External),
    /// The machine's own account.
    Metadata { endpoint: String },
}

impl GcpSource {
    /// By the text of a credentials file: `service_account`, `authorized_user` or `external_account`.
    ///
    /// # Errors
    /// A lasting [`CredentialError`] that names what is missing, never what is there.
    pub fn from_json(text: &str, fetch: Arc<dyn Fetch>) -> Result<Self, CredentialError> {
        Self::from_json_at(text, None, fetch)
    }

    /// Likewise; `token_url` is asked instead of the address that the file names.
    ///
    /// # Errors
    /// As [`GcpSource::from_json`].
    pub fn from_json_at(
        text: &str,
        token_url: Option<&str>,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, CredentialError> {
        let root = key_file::read(text)?;
        let kind = match root.text_of("type").as_deref() {
            Some("service_account") => Kind::ServiceAccount(jwt::ServiceAccount::of(&root, token_url)?),
            Some("authorized_user") => Kind::AuthorizedUser(key_file::AuthorizedUser::of(&root, token_url)?),
            Some("external_account") => Kind::External(external::External::of(&root, token_url)?),
            _ => {
                return Err(CredentialError::lasting(
                    "a Google credentials file has `type` service_account, authorized_user or external_account",
                ));
            }
        };
        Ok(Self { kind, fetch })
    }

    /// The account of the machine. `endpoint`: `http://metadata.google.internal` unless told otherwise.
    pub fn metadata(endpoint: impl Into<String>, fetch: Arc<dyn Fetch>) -> Self {
        Self { kind: Kind::Metadata { endpoint: endpoint.into() }, fetch }
    }
}

#[async_trait]
impl Source<Token> for GcpSource {
    async fn fetch(&self, unix_s: u64) -> Result<Fresh<Token>, CredentialError> {
        let fetch = self.fetch.as_ref();
        match &self.kind {
            Kind::ServiceAccount(account) => account.token(fetch, unix_s).await,
            Kind::AuthorizedUser(user) => user.token(fetch).await,
            Kind::External(external) => external.token(fetch, unix_s).await,
            Kind::Metadata { endpoint } => metadata::token(endpoint, fetch).await,
        }
    }

    fn name(&self) -> String {
        match &self.kind {
            Kind::ServiceAccount(account) => format!("Google service account {}", account.email),
            Kind::AuthorizedUser(_) => "Google user".to_owned(),
            Kind::External(_) => "Google workload identity".to_owned(),
            Kind::Metadata { .. } => "Google metadata server".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::loopback::{Loopback, Reply, Scratch, fetch, serve};
    use super::super::jwt::tests::{PUBLISHED_KEY, published_public_key};
    use super::*;
    use crate::types::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::time::Duration;

    const NOW: u64 = 1_700_000_000;
    const TOKEN: &str = r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#;

    async fn token(json: String) -> Result<Fresh<Token>, CredentialError> {
        GcpSource::from_json(&json, fetch())?.fetch(NOW).await
    }

    fn expect_token(fresh: &Fresh<Token>) {
        assert_eq!(fresh, &Fresh::seconds(Token(Secret::new("ya29.x")), 3599));
    }

    fn service_account(server: &Loopback) -> String {
        let json = serde_json::json!({
            "type": "service_account",
            "client_email": "a@p.iam.gserviceaccount.com",
            "private_key_id": "kid1",
            "private_key": PUBLISHED_KEY,
            "token_uri": format!("{}/token", server.base),
        });
        json.to_string()
    }

    #[tokio::test]
    async fn a_service_account_signs_what_the_token_endpoint_checks() {
        let server = serve(vec![Reply::new(200, TOKEN)]).await;
        expect_token(&token(service_account(&server)).await.unwrap());
        let seen = server.seen();
        let assertion = seen[0].split("assertion=").nth(1).unwrap();
        assert!(seen[0].contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        published_public_key()
            .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        let decoded = |part: &str| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(decoded(head), serde_json::json!({"alg":"RS256","typ":"JWT","kid":"kid1"}));
        assert_eq!(
            decoded(claims),
            serde_json::json!({"iss":"a@p.iam.gserviceaccount.com","scope":CLOUD_SCOPE,
                "aud":format!("{}/token", server.base),"iat":NOW,"exp":NOW + 3600})
        );
    }

    #[tokio::test]
    async fn the_metadata_server_is_asked_with_its_flavor() {
        let server = serve(vec![Reply::new(200, TOKEN)]).await;
        let fresh = GcpSource::metadata(server.base.clone(), fetch()).fetch(NOW).await.unwrap();
        expect_token(&fresh);
        let seen = &server.seen()[0];
        assert!(seen.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token "));
        assert!(seen.contains("metadata-flavor: Google\r\n"));
    }

    #[tokio::test]
    async fn a_user_trades_a_refresh_token() {
        let server =
            serve(vec![Reply::new(200, TOKEN), Reply::new(400, r#"{"error":"invalid_grant"}"#)]).await;
        let json = format!(
            r#"{{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"1//r","token_uri":"{}/t"}}"#,
            server.base
        );
        expect_token(&token(json.clone()).await.unwrap());
        assert!(
            server.seen()[0]
                .ends_with("grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=1%2F%2Fr")
        );
        let refused = token(json).await.unwrap_err();
        assert_eq!(refused, CredentialError::lasting("Google's token endpoint answered 400 (invalid_grant)"));
    }

    #[tokio::test]
    async fn a_foreign_token_is_exchanged_and_an_account_impersonated() {
        let subject = Scratch::new("subject", r#"{"id_token":"eyJ.sub"}"#);
        let server = serve(vec![
            Reply::new(200, r#"{"access_token":"sts","expires_in":300}"#),
            Reply::new(200, r#"{"accessToken":"ya29.x","expireTime":"2023-11-14T23:13:19Z"}"#),
        ])
        .await;
        let json = serde_json::json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/v1/token", server.base),
            "service_account_impersonation_url": format!("{}/sa:generateAccessToken", server.base),
            "credential_source": {"file": subject.0, "format": {"type": "json", "subject_token_field_name": "id_token"}},
        });
        expect_token(&token(json.to_string()).await.unwrap());
        let seen = server.seen();
        assert!(seen[0].contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&"));
        assert!(seen[0].ends_with("&subject_token=eyJ.sub"), "{}", seen[0]);
        assert!(seen[1].contains("authorization: Bearer sts\r\n"));
        assert!(
            seen[1].ends_with(
                r#"{"scope":["https://www.googleapis.com/auth/cloud-platform"],"lifetime":"3600s"}"#
            )
        );
    }

    #[tokio::test]
    async fn a_subject_token_can_come_from_a_url() {
        let server = serve(vec![Reply::new(200, "eyJ.url\n"), Reply::new(200, TOKEN)]).await;
        let json = serde_json::json!({
            "type": "external_account",
            "audience": "a",
            "subject_token_type": "t",
            "token_url": format!("{}/v1/token", server.base),
            "credential_source": {"url": format!("{}/subject", server.base), "headers": {"X-Why": "because"}},
        });
        let fresh = token(json.to_string()).await.unwrap();
        assert_eq!(fresh.lifetime, Some(Duration::from_secs(3599)));
        let seen = server.seen();
        assert!(seen[0].starts_with("GET /subject ") && seen[0].contains("x-why: because\r\n"));
        assert!(seen[1].ends_with("&subject_token=eyJ.url"));
    }

    #[tokio::test]
    async fn a_broken_file_says_what_is_missing_and_shows_nothing() {
        for (json, what) in [
            ("nonsense canary", "no JSON"),
            (r#"{"type":"other","private_key":"canary"}"#, "`type`"),
            (r#"{"type":"service_account","client_email":"e"}"#, "`private_key`"),
            (r#"{"type":"service_account","client_email":"e","private_key":"canary"}"#, "private_key"),
            (r#"{"type":"authorized_user","client_id":"canary"}"#, "`client_secret`"),
            (r#"{"type":"external_account","audience":"a"}"#, "`subject_token_type`"),
            (
                r#"{"type":"external_account","audience":"a","subject_token_type":"t","token_url":"u","credential_source":{"environment_id":"aws1"}}"#,
                "credential_source",
            ),
        ] {
            let error = token(json.to_owned()).await.unwrap_err();
            assert!(error.what.contains(what) && !error.what.contains("canary"), "{error}");
        }
    }
}
