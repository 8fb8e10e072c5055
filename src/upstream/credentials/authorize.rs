//! A credential on its way into a request.

use super::aws::{AwsKeys, Scope, sign};
use super::source::{Token, Watch};
use super::{Cache, CredentialError};
use crate::types::Secret;
use crate::upstream::UpstreamRequest;
use http::{HeaderName, HeaderValue};
use std::fmt;
use std::sync::Arc;

/// What a provider's account shows at each call.
#[derive(Clone)]
pub enum Credential {
    /// A fixed value of a field: `api-key`, `x-api-key`, `x-goog-api-key` …
    Header(HeaderName, Secret),
    /// `authorization: Bearer …`, fixed: an API key, also Bedrock's.
    Bearer(Secret),
    /// `authorization: Bearer …`, fetched and renewed.
    Token(Arc<Cache<Token>>),
    /// A signature over the request.
    Aws { keys: Arc<Cache<AwsKeys>>, scope: Scope, watch: Watch },
}

impl Credential {
    /// Puts itself on a request that is otherwise ready to be sent to `authority`: nothing may change
    /// after it. Waits only where there is no credential that holds.
    ///
    /// # Errors
    /// [`CredentialError`] where there is none to be had.
    pub async fn authorize(
        &self,
        request: &mut UpstreamRequest,
        authority: &str,
    ) -> Result<(), CredentialError> {
        match self {
            Credential::Header(name, secret) => put(request, name, secret.expose()),
            Credential::Bearer(secret) => bearer(request, secret),
            Credential::Token(cache) => bearer(request, &cache.get().await?.0),
            Credential::Aws { keys, scope, watch } => {
                let keys = keys.get().await?;
                sign(request, authority, &keys, scope, (watch.unix_s)()).ok_or_else(unfit)
            }
        }
    }

    /// For a job that runs now and then: renews what will soon end.
    pub fn keep_fresh(&self) {
        match self {
            Credential::Header(..) | Credential::Bearer(_) => {}
            Credential::Token(cache) => cache.keep_fresh(),
            Credential::Aws { keys, .. } => keys.keep_fresh(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::Header(name, _) => write!(f, "Header({name})"),
            Credential::Bearer(_) => f.write_str("Bearer"),
            Credential::Token(cache) => write!(f, "Token({cache:?})"),
            Credential::Aws { keys, scope, .. } => write!(f, "Aws({keys:?}, {scope:?})"),
        }
    }
}

fn bearer(request: &mut UpstreamRequest, secret: &Secret) -> Result<(), CredentialError> {
    put(request, &http::header::AUTHORIZATION, &format!("Bearer {}", secret.expose()))
}

fn put(request: &mut UpstreamRequest, name: &HeaderName, value: &str) -> Result<(), CredentialError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| unfit())?;
    value.set_sensitive(true);
    request.fields.retain(|(known, _)| known != name);
    request.fields.push((name.clone(), value));
    Ok(())
}

fn unfit() -> CredentialError {
    CredentialError::lasting("a credential has characters that no HTTP field can hold")
}

#[cfg(test)]
mod tests {
    use super::super::cache::Policy;
    use super::super::{AwsSource, Fresh, Source};
    use super::*;
    use crate::types::ManualClock;
    use async_trait::async_trait;
    use bytes::Bytes;

    fn watch() -> Watch {
        Watch { clock: Arc::new(ManualClock::default()), unix_s: Arc::new(|| 1_440_938_160) }
    }

    fn request() -> UpstreamRequest {
        UpstreamRequest {
            method: http::Method::POST,
            path: "/".into(),
            fields: vec![(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer client"))],
            body: Bytes::new(),
        }
    }

    fn fields(request: &UpstreamRequest) -> Vec<(String, String)> {
        let text = |(name, value): &(HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        request.fields.iter().map(text).collect()
    }

    struct Tokens;

    #[async_trait]
    impl Source<Token> for Tokens {
        async fn fetch(&self, _: u64) -> Result<Fresh<Token>, CredentialError> {
            Ok(Fresh::seconds(Token(Secret::new("canary")), 3600))
        }

        fn name(&self) -> String {
            "test tokens".into()
        }
    }

    #[tokio::test]
    async fn each_kind_puts_itself_in_the_place_of_what_was_there() {
        let mut with_key = request();
        let key = Credential::Header(HeaderName::from_static("api-key"), Secret::new("k"));
        key.authorize(&mut with_key, "h").await.unwrap();
        assert_eq!(fields(&with_key).last().unwrap(), &("api-key".to_owned(), "k".to_owned()));
        let mut with_token = request();
        let token = Credential::Token(Cache::new(Tokens, watch(), Policy::default()));
        token.authorize(&mut with_token, "h").await.unwrap();
        assert_eq!(fields(&with_token), [("authorization".to_owned(), "Bearer canary".to_owned())]);
        let keys = AwsKeys {
            access_key_id: "AKID".into(),
            secret_access_key: Secret::new("canary"),
            session_token: None,
        };
        let aws = Credential::Aws {
            keys: Cache::new(AwsSource::Static(keys), watch(), Policy::default()),
            scope: Scope { region: "us-east-1".into(), service: "bedrock".into() },
            watch: watch(),
        };
        let mut signed = request();
        aws.authorize(&mut signed, "h").await.unwrap();
        let names: Vec<String> = fields(&signed).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x-amz-date", "authorization"]);
        for credential in [&key, &token, &aws] {
            credential.keep_fresh();
            assert!(!format!("{credential:?}").contains("canary"), "{credential:?}");
        }
        assert!(!format!("{signed:?}{with_token:?}").contains("canary"), "values are marked as sensitive");
    }

    #[tokio::test]
    async fn what_no_field_can_hold_is_an_error_and_not_a_request() {
        let error = Credential::Bearer(Secret::new("a\nb")).authorize(&mut request(), "h").await.unwrap_err();
        assert!(!error.is_passing && !error.what.contains("a\nb"));
    }
}
