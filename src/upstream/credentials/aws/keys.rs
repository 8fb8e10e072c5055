//! AWS keys and the places they come from.

use super::super::source::{Fresh, Source};
use super::super::{CredentialError, Fetch};
use super::{imds, profile, web_identity};
use crate::types::Secret;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;

/// What requests are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// No secret: it stands in every signature.
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// With temporary keys.
    pub session_token: Option<Secret>,
}

impl AwsKeys {
    /// What no message to a client may hold.
    pub(in crate::upstream::credentials) fn needles(&self) -> Vec<Box<[u8]>> {
        let secrets = [&self.secret_access_key].into_iter().chain(&self.session_token);
        let texts = secrets.map(Secret::expose).chain([self.access_key_id.as_str()]);
        texts.filter(|text| !text.is_empty()).map(|text| text.as_bytes().into()).collect()
    }
}

/// Where keys come from. Paths and variables were read by the configuration.
pub enum AwsSource {
    /// From the configuration or the environment (`AWS_ACCESS_KEY_ID` …).
    Static(AwsKeys),
    /// A profile of the shared credentials file, or of the config file. Read again now and then: tools
    /// renew it.
    Profile { files: Vec<PathBuf>, name: String },
    /// The instance's role, from the metadata service (version 2 only). `endpoint`:
    /// `http://169.254.169.254` unless told otherwise.
    Imds { endpoint: String, fetch: Arc<dyn Fetch> },
    /// A token in a file, exchanged at STS (EKS service accounts, `AWS_WEB_IDENTITY_TOKEN_FILE`).
    /// `endpoint`: `https://sts.<region>.amazonaws.com`.
    WebIdentity {
        endpoint: String,
        role_arn: String,
        session_name: String,
        token_file: PathBuf,
        fetch: Arc<dyn Fetch>,
    },
}

/// How long a profile's keys are taken for good.
const PROFILE_S: u64 = 300;

#[async_trait]
impl Source<AwsKeys> for AwsSource {
    async fn fetch(&self, unix_s: u64) -> Result<Fresh<AwsKeys>, CredentialError> {
        match self {
            AwsSource::Static(keys) => Ok(Fresh::forever(keys.clone())),
            AwsSource::Profile { files, name } => {
                let mut texts = Vec::with_capacity(files.len());
                for file in files {
                    texts.extend(tokio::fs::read_to_string(file).await.ok());
                }
                profile::keys(&texts, name).map(|keys| Fresh::seconds(keys, PROFILE_S))
            }
            AwsSource::Imds { endpoint, fetch } => imds::keys(endpoint, fetch.as_ref(), unix_s).await,
            AwsSource::WebIdentity { endpoint, role_arn, session_name, token_file, fetch } => {
                let token = read_token(token_file).await?;
                let exchange = web_identity::Exchange { endpoint, role_arn, session_name, token: &token };
                exchange.keys(fetch.as_ref(), unix_s).await
            }
        }
    }

    fn name(&self) -> String {
        match self {
            AwsSource::Static(_) => "AWS static keys".to_owned(),
            AwsSource::Profile { name, .. } => format!("AWS profile {name}"),
            AwsSource::Imds { .. } => "AWS instance metadata".to_owned(),
            AwsSource::WebIdentity { role_arn, .. } => format!("AWS web identity {role_arn}"),
        }
    }
}

/// A token file, read at each use: whoever writes it renews it.
pub(in crate::upstream::credentials) async fn read_token(file: &PathBuf) -> Result<Secret, CredentialError> {
    let text = tokio::fs::read_to_string(file).await.map_err(|error| {
        CredentialError::passing(format!("cannot read the token file {}: {error}", file.display()))
    })?;
    Ok(Secret::new(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::super::loopback::{Reply, Scratch, fetch, serve};
    use super::*;
    use std::time::Duration;

    const NOW: u64 = 1_440_938_160;

    #[tokio::test]
    async fn a_profile_is_read_from_its_file() {
        let scratch =
            Scratch::new("profile", "[default]\naws_access_key_id = AKID\naws_secret_access_key=s3\n");
        let source = AwsSource::Profile {
            files: vec!["/nowhere/at/all".into(), scratch.0.clone()],
            name: "default".into(),
        };
        let fresh = source.fetch(NOW).await.unwrap();
        assert_eq!(
            (fresh.value.access_key_id.as_str(), fresh.value.secret_access_key.expose()),
            ("AKID", "s3")
        );
        assert_eq!(fresh.lifetime, Some(Duration::from_secs(300)));
    }

    #[tokio::test]
    async fn the_instances_role_is_asked_for_with_a_session_token() {
        let keys = r#"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t","Expiration":"2015-08-30T18:36:00Z"}"#;
        let server =
            serve(vec![Reply::new(200, "imds-token"), Reply::new(200, "my-role\n"), Reply::new(200, keys)])
                .await;
        let source = AwsSource::Imds { endpoint: server.base.clone(), fetch: fetch() };
        let fresh = source.fetch(NOW).await.unwrap();
        assert_eq!(fresh.value.session_token, Some(Secret::new("t")));
        assert_eq!(fresh.lifetime, Some(Duration::from_secs(6 * 3600)));
        let seen = server.seen();
        assert!(
            seen[0].starts_with("PUT /latest/api/token ")
                && seen[0].contains("x-aws-ec2-metadata-token-ttl-seconds: 21600")
        );
        assert!(
            seen[1].starts_with("GET /latest/meta-data/iam/security-credentials/ ")
                && seen[1].contains("x-aws-ec2-metadata-token: imds-token")
        );
        assert!(seen[2].starts_with("GET /latest/meta-data/iam/security-credentials/my-role "));
    }

    #[tokio::test]
    async fn an_instance_without_a_role_says_so() {
        let server = serve(vec![Reply::new(200, "t"), Reply::new(404, "")]).await;
        let source = AwsSource::Imds { endpoint: server.base.clone(), fetch: fetch() };
        let error = source.fetch(NOW).await.unwrap_err();
        assert_eq!(error, CredentialError::lasting("the instance metadata answered 404"));
    }

    #[tokio::test]
    async fn a_web_identity_is_exchanged_at_sts() {
        let json = r#"{"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":{"AccessKeyId":"ASIA","SecretAccessKey":"s","SessionToken":"t","Expiration":1.44094176E9}}}}"#;
        let xml = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>t+/=</SessionToken><SecretAccessKey>a&amp;b</SecretAccessKey><Expiration>2015-08-30T13:36:00Z</Expiration><AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        let server = serve(vec![
            Reply::new(200, json),
            Reply::new(200, xml),
            Reply::new(
                400,
                "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>",
            ),
        ])
        .await;
        let token = Scratch::new("token", "eyJh.b\n");
        let source = AwsSource::WebIdentity {
            endpoint: server.base.clone(),
            role_arn: "arn:aws:iam::1:role/r".into(),
            session_name: "tidegate".into(),
            token_file: token.0.clone(),
            fetch: fetch(),
        };
        let fresh = source.fetch(NOW).await.unwrap();
        assert_eq!(
            (fresh.value.access_key_id.as_str(), fresh.lifetime),
            ("ASIA", Some(Duration::from_secs(3600)))
        );
        assert!(server.seen()[0].ends_with("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=tidegate&WebIdentityToken=eyJh.b"));
        let fresh = source.fetch(NOW).await.unwrap();
        assert_eq!(
            (fresh.value.secret_access_key.expose(), fresh.value.session_token.unwrap().expose()),
            ("a&b", "t+/=")
        );
        assert_eq!(fresh.lifetime, Some(Duration::from_secs(3600)));
        let refused = source.fetch(NOW).await.unwrap_err();
        assert_eq!(refused, CredentialError::lasting("STS answered 400 (InvalidIdentityToken)"));
    }

    #[tokio::test]
    async fn no_source_prints_a_secret() {
        let keys = AwsKeys {
            access_key_id: "AKID".into(),
            secret_access_key: Secret::new("canary"),
            session_token: Some(Secret::new("canary")),
        };
        assert!(!format!("{keys:?}").contains("canary"));
        let source = AwsSource::Static(keys);
        assert_eq!(source.name(), "AWS static keys");
        assert_eq!(source.fetch(NOW).await.unwrap().lifetime, None);
    }
}
