//! Accounts of providers: what the configuration says of credentials, made to be used.
//!
//! Invariant: a credential that is the same in the next configuration is the same object there, with
//! all that it has fetched.

use super::{AssembleError, Builder, auth_field};
use crate::config::{self, AwsKeySource, AzureProof, Cloud};
use crate::runtime::Account;
use crate::telemetry::{CredentialRefresh, ProviderMetrics, SystemClock, WallClock};
use crate::types::Secret;
use crate::upstream::credentials::{
    AwsKeys, AwsSource, Cache, Credential, EntraProof, EntraSource, Fetch, GcpSource, LinkFetch, Note,
    Policy, Scope, Watch,
};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// The service that signatures of Bedrock's hosts are for.
const BEDROCK: &str = "bedrock";

/// A credential and what tells it apart.
pub(super) struct Shown {
    pub(super) credential: Credential,
    pub(super) identity: [u8; 32],
}

impl Builder<'_> {
    /// The credentials of a provider, at least one.
    pub(super) fn credentials(
        &self,
        name: &str,
        provider: &config::Provider,
        metrics: &Arc<ProviderMetrics>,
    ) -> Result<Vec<Shown>, AssembleError> {
        let fault = |what: String| AssembleError::Provider { provider: name.to_owned(), what };
        if let Some(cloud) = &provider.cloud {
            let identity = identity_of(name, cloud);
            let credential = match self.known(&identity) {
                Some(known) => known,
                None => self.made(cloud, metrics).map_err(fault)?,
            };
            return Ok(vec![Shown { credential, identity }]);
        }
        if provider.api_keys.is_empty() {
            let identity = digest(name, &[]);
            return Ok(vec![Shown { credential: Credential::None, identity }]);
        }
        let shown = |secret: &Secret| {
            let field = auth_field(&provider.kind.facts().auth, secret);
            let (name_of_field, value) = field.ok_or_else(|| fault("a key is no header value".into()))?;
            let identity = digest(name, &[value.as_bytes()]);
            Ok(Shown { credential: Credential::Fixed(name_of_field, value), identity })
        };
        provider.api_keys.iter().map(shown).collect()
    }

    /// The same credential of the configuration in force.
    fn known(&self, identity: &[u8; 32]) -> Option<Credential> {
        let mut accounts = self.previous?.providers.iter().flat_map(|provider| &provider.accounts);
        let known: &Account = accounts.find(|account| account.identity == *identity)?;
        Some(known.credential.clone())
    }

    fn made(&self, cloud: &Cloud, metrics: &Arc<ProviderMetrics>) -> Result<Credential, String> {
        let watch = watch();
        let note = note(metrics);
        let policy = Policy::default();
        Ok(match cloud {
            Cloud::Aws(account) => {
                let source = aws_source(&account.source, || self.fetch());
                let scope = Scope { region: account.region.clone(), service: BEDROCK.to_owned() };
                Credential::Aws { keys: Cache::noted(source, watch.clone(), policy, note), scope, watch }
            }
            Cloud::Google(account) => {
                let source = match account {
                    config::GoogleAccount::Metadata { endpoint } => {
                        GcpSource::metadata(endpoint.clone(), self.fetch())
                    }
                    config::GoogleAccount::File { json, token_url } => {
                        GcpSource::from_json_at(json.expose(), token_url.as_deref(), self.fetch())
                            .map_err(|error| error.to_string())?
                    }
                };
                Credential::Token(Cache::noted(source, watch, policy, note))
            }
            Cloud::Azure(account) => {
                let source = EntraSource {
                    authority: account.authority.clone(),
                    tenant: account.tenant.clone(),
                    client_id: account.client_id.clone(),
                    proof: match &account.proof {
                        AzureProof::Secret(secret) => EntraProof::Secret(secret.clone()),
                        AzureProof::TokenFile(file) => EntraProof::FederatedFile(file.clone()),
                    },
                    scope: account.scope.clone(),
                    fetch: self.fetch(),
                };
                Credential::Token(Cache::noted(source, watch, policy, note))
            }
        })
    }

    /// Token calls trust the platform's authorities, whatever the provider's own `tls` says.
    fn fetch(&self) -> Arc<dyn Fetch> {
        LinkFetch::new(self.transports.usual())
    }
}

fn aws_source(source: &AwsKeySource, fetch: impl FnOnce() -> Arc<dyn Fetch>) -> AwsSource {
    match source {
        AwsKeySource::Static { access_key_id, secret_access_key, session_token } => {
            AwsSource::Static(AwsKeys {
                access_key_id: access_key_id.expose().to_owned(),
                secret_access_key: secret_access_key.clone(),
                session_token: session_token.clone(),
            })
        }
        AwsKeySource::Profile { name, files } => {
            AwsSource::Profile { files: files.clone(), name: name.clone() }
        }
        AwsKeySource::Imds { endpoint } => AwsSource::Imds { endpoint: endpoint.clone(), fetch: fetch() },
        AwsKeySource::WebIdentity { endpoint, role_arn, session_name, token_file } => {
            AwsSource::WebIdentity {
                endpoint: endpoint.clone(),
                role_arn: role_arn.clone(),
                session_name: session_name.clone(),
                token_file: token_file.clone(),
                fetch: fetch(),
            }
        }
    }
}

fn watch() -> Watch {
    Watch { clock: Arc::new(SystemClock::new()), unix_s: Arc::new(|| WallClock.unix_ms() / 1000) }
}

fn note(metrics: &Arc<ProviderMetrics>) -> Note {
    let metrics = metrics.clone();
    Arc::new(move |is_new| {
        metrics.credential(if is_new { CredentialRefresh::Ok } else { CredentialRefresh::Failed });
    })
}

/// Everything that makes a credential another one.
fn identity_of(name: &str, cloud: &Cloud) -> [u8; 32] {
    let path = |path: &Path| path.to_string_lossy().into_owned().into_bytes();
    let text = |text: &str| text.as_bytes().to_vec();
    let secret = |secret: &Secret| text(secret.expose());
    let parts: Vec<Vec<u8>> = match cloud {
        Cloud::Aws(account) => {
            let mut parts = vec![text("aws"), text(&account.region)];
            match &account.source {
                AwsKeySource::Static { access_key_id, secret_access_key, session_token } => {
                    parts.extend([text("keys"), secret(access_key_id), secret(secret_access_key)]);
                    parts.extend(session_token.as_ref().map(secret));
                }
                AwsKeySource::Profile { name, files } => {
                    parts.extend([text("profile"), text(name)]);
                    parts.extend(files.iter().map(|file| path(file)));
                }
                AwsKeySource::Imds { endpoint } => parts.extend([text("imds"), text(endpoint)]),
                AwsKeySource::WebIdentity { endpoint, role_arn, session_name, token_file } => {
                    parts.extend([text("role"), text(endpoint), text(role_arn), text(session_name)]);
                    parts.push(path(token_file));
                }
            }
            parts
        }
        Cloud::Google(config::GoogleAccount::Metadata { endpoint }) => {
            vec![text("google metadata"), text(endpoint)]
        }
        Cloud::Google(config::GoogleAccount::File { json, token_url }) => {
            vec![text("google file"), secret(json), text(token_url.as_deref().unwrap_or_default())]
        }
        Cloud::Azure(account) => {
            let proof = match &account.proof {
                AzureProof::Secret(proof) => [text("secret"), secret(proof)],
                AzureProof::TokenFile(file) => [text("file"), path(file)],
            };
            let names = [&account.authority, &account.tenant, &account.client_id, &account.scope];
            [text("azure")].into_iter().chain(names.map(|name| text(name))).chain(proof).collect()
        }
    };
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    digest(name, &parts)
}

/// Each part with its length, so that no two lists are one text.
fn digest(provider: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [provider.as_bytes()].iter().chain(parts) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AwsAccount;

    fn keys(id: &str, secret: &str, token: Option<&str>) -> Cloud {
        Cloud::Aws(AwsAccount {
            region: "eu-west-1".into(),
            source: AwsKeySource::Static {
                access_key_id: Secret::new(id),
                secret_access_key: Secret::new(secret),
                session_token: token.map(Secret::new),
            },
        })
    }

    #[test]
    fn a_credential_is_told_apart_by_everything_it_is_made_of() {
        let identities = [
            identity_of("p", &keys("a", "b", None)),
            identity_of("q", &keys("a", "b", None)),
            identity_of("p", &keys("ab", "", None)),
            identity_of("p", &keys("a", "c", None)),
            identity_of("p", &keys("a", "b", Some(""))),
            digest("p", &[]),
            digest("p", &[b"a"]),
        ];
        let different: std::collections::BTreeSet<_> = identities.iter().collect();
        assert_eq!(different.len(), identities.len());
        assert_eq!(identity_of("p", &keys("a", "b", None)), identities[0]);
    }
}
