//! A credential on its way into a request.

use super::aws::{AwsKeys, Scope, sign};
use super::source::{Token, Watch};
use super::{Cache, CredentialError};
use crate::types::Secret;
use crate::upstream::UpstreamRequest;
use http::{HeaderName, HeaderValue, header};
use std::fmt;
use std::sync::Arc;

/// What a provider's account shows at each call.
#[derive(Clone)]
pub enum Credential {
    /// Nothing is asked for.
    None,
    /// A field that never changes: `authorization: Bearer …`, `api-key`, `x-api-key` …
    Fixed(HeaderName, HeaderValue),
    /// `authorization: Bearer …`, fetched and renewed.
    Token(Arc<Cache<Token>>),
    /// A signature over the request.
    Aws { keys: Arc<Cache<AwsKeys>>, scope: Scope, watch: Watch },
}

impl Credential {
    /// A field with a key as its value; None where no field can hold it.
    pub fn header(name: HeaderName, secret: &Secret) -> Option<Self> {
        Some(Credential::Fixed(name, value(secret.expose())?))
    }

    /// `authorization: Bearer …` with a key; None where no field can hold it.
    pub fn bearer(secret: &Secret) -> Option<Self> {
        let value = value(&format!("Bearer {}", secret.expose()))?;
        Some(Credential::Fixed(header::AUTHORIZATION, value))
    }

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
            Credential::None => Ok(()),
            Credential::Fixed(name, value) => {
                put(request, name, value.clone());
                Ok(())
            }
            Credential::Token(cache) => {
                let token = cache.get().await?;
                let value = value(&format!("Bearer {}", token.0.expose())).ok_or_else(unfit)?;
                put(request, &header::AUTHORIZATION, value);
                Ok(())
            }
            Credential::Aws { keys, scope, watch } => {
                let keys = keys.get().await?;
                sign(request, authority, &keys, scope, (watch.unix_s)()).ok_or_else(unfit)
            }
        }
    }

    /// For a job that runs now and then: renews what will soon end.
    pub fn keep_fresh(&self) {
        match self {
            Credential::None | Credential::Fixed(..) => {}
            Credential::Token(cache) => cache.keep_fresh(),
            Credential::Aws { keys, .. } => keys.keep_fresh(),
        }
    }

    /// It was refused: what was fetched is fetched again. Keys of the configuration stay as they are.
    pub fn forget(&self) {
        match self {
            Credential::None | Credential::Fixed(..) => {}
            Credential::Token(cache) => cache.forget(),
            Credential::Aws { keys, .. } => keys.forget(),
        }
    }

    /// Whether there is nothing to show.
    pub fn is_none(&self) -> bool {
        matches!(self, Credential::None)
    }

    /// The field of a credential that is one and never changes.
    pub fn fixed(&self) -> Option<(&HeaderName, &HeaderValue)> {
        match self {
            Credential::Fixed(name, value) => Some((name, value)),
            _ => None,
        }
    }

    /// What no message to a client may hold, as it is now: the key or token itself, without its scheme.
    pub fn needles(&self) -> Vec<Box<[u8]>> {
        match self {
            Credential::None => Vec::new(),
            Credential::Fixed(_, value) => {
                let value = value.as_bytes();
                vec![value.strip_prefix(b"Bearer ").unwrap_or(value).into()]
            }
            Credential::Token(cache) => {
                cache.held().map(|token| token.0.expose().as_bytes().into()).into_iter().collect()
            }
            Credential::Aws { keys, .. } => keys.held().map(|keys| keys.needles()).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credential::None => f.write_str("None"),
            Credential::Fixed(name, _) => write!(f, "Fixed({name})"),
            Credential::Token(cache) => write!(f, "Token({cache:?})"),
            Credential::Aws { keys, scope, .. } => write!(f, "Aws({keys:?}, {scope:?})"),
        }
    }
}

/// A field's value that nothing prints.
fn value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn put(request: &mut UpstreamRequest, name: &HeaderName, value: HeaderValue) {
    request.fields.retain(|(known, _)| known != name);
    request.fields.push((name.clone(), value));
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
        let key = Credential::header(HeaderName::from_static("api-key"), &Secret::new("canary-key")).unwrap();
        key.authorize(&mut with_key, "h").await.unwrap();
        assert_eq!(fields(&with_key).last().unwrap(), &("api-key".to_owned(), "canary-key".to_owned()));
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
        assert_eq!(key.needles(), [b"canary-key".to_vec().into_boxed_slice()]);
        assert_eq!(token.needles(), [b"canary".to_vec().into_boxed_slice()]);
        assert_eq!(aws.needles().len(), 2, "the secret and the id, which is in every signature");
        for credential in [&key, &token, &aws] {
            credential.keep_fresh();
            assert!(!format!("{credential:?}").contains("canary"), "{credential:?}");
        }
        assert!(!format!("{signed:?}{with_token:?}").contains("canary"), "values are marked as sensitive");
    }

    #[tokio::test]
    async fn what_no_field_can_hold_is_an_error_and_not_a_request() {
        assert!(Credential::bearer(&Secret::new("a\nb")).is_none());
        struct Broken;
        #[async_trait]
        impl Source<Token> for Broken {
            async fn fetch(&self, _: u64) -> Result<Fresh<Token>, CredentialError> {
                Ok(Fresh::forever(Token(Secret::new("a\nb"))))
            }
            fn name(&self) -> String {
                "broken".into()
            }
        }
        let token = Credential::Token(Cache::new(Broken, watch(), Policy::default()));
        let error = token.authorize(&mut request(), "h").await.unwrap_err();
        assert!(!error.is_passing && !error.what.contains("a\nb"));
    }
}
