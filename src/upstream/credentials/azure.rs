//! Microsoft Entra: tokens for Azure OpenAI and Foundry by client credentials. (Their API keys are
//! [`Credential::Fixed`](super::Credential::Fixed) with the field `api-key`.)

use super::CredentialError;
use super::aws::read_token;
use super::fetch::{Ask, Fetch, json, need};
use super::source::{Fresh, Source, Token};
use crate::framing::json::Node;
use crate::types::Secret;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;

/// An application registered with Entra.
pub struct EntraSource {
    /// `https://login.microsoftonline.com` unless it is another cloud.
    pub authority: String,
    pub tenant: String,
    pub client_id: String,
    pub proof: EntraProof,
    /// `https://cognitiveservices.azure.com/.default`.
    pub scope: String,
    pub fetch: Arc<dyn Fetch>,
}

/// How the application shows that it is the application.
pub enum EntraProof {
    Secret(Secret),
    /// A token of another issuer in a file (AKS workload identity, `AZURE_FEDERATED_TOKEN_FILE`).
    FederatedFile(PathBuf),
}

const WHOSE: &str = "Entra";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[async_trait]
impl Source<Token> for EntraSource {
    async fn fetch(&self, _unix_s: u64) -> Result<Fresh<Token>, CredentialError> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.authority.trim_end_matches('/'), self.tenant);
        let assertion;
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("scope", self.scope.as_str()),
        ];
        match &self.proof {
            EntraProof::Secret(secret) => fields.push(("client_secret", secret.expose())),
            EntraProof::FederatedFile(file) => {
                assertion = read_token(file).await?;
                fields.push(("client_assertion_type", ASSERTION));
                fields.push(("client_assertion", assertion.expose()));
            }
        }
        let body = self.fetch.fetch(Ask::form(url, &fields)).await?.ok(WHOSE)?;
        let root = json(&body, WHOSE)?;
        let token = Token(need(&root, "access_token", WHOSE)?);
        let written = root.get("expires_in");
        // Version 1 endpoints write the number as a string.
        let seconds = written.and_then(|node| node.as_u64().or_else(|| Node::text(node)?.parse().ok()));
        Ok(Fresh::seconds(token, seconds.unwrap_or(1800)))
    }

    fn name(&self) -> String {
        format!("Entra application {}", self.client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::loopback::{Reply, Scratch, fetch, serve};
    use super::*;

    fn source(authority: String, proof: EntraProof) -> EntraSource {
        EntraSource {
            authority,
            tenant: "tenant-1".into(),
            client_id: "app".into(),
            proof,
            scope: "https://cognitiveservices.azure.com/.default".into(),
            fetch: fetch(),
        }
    }

    #[tokio::test]
    async fn an_application_trades_its_secret_for_a_token() {
        let server = serve(vec![
            Reply::new(200, r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0"}"#),
            Reply::new(401, r#"{"error":"invalid_client","error_description":"AADSTS7000215: canary"}"#),
        ])
        .await;
        let source = source(format!("{}/", server.base), EntraProof::Secret(Secret::new("canary~/")));
        let fresh = source.fetch(0).await.unwrap();
        assert_eq!(fresh, Fresh::seconds(Token(Secret::new("eyJ0")), 3599));
        let seen = &server.seen()[0];
        assert!(seen.starts_with("POST /tenant-1/oauth2/v2.0/token "));
        assert!(seen.ends_with("grant_type=client_credentials&client_id=app&scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default&client_secret=canary~%2F"));
        let refused = source.fetch(0).await.unwrap_err();
        assert_eq!(refused, CredentialError::lasting("Entra answered 401 (invalid_client)"));
    }

    #[tokio::test]
    async fn a_federated_token_stands_in_for_the_secret() {
        let token = Scratch::new("federated", "eyJ.fed\n");
        let server = serve(vec![Reply::new(200, r#"{"expires_in":"86399","access_token":"t"}"#)]).await;
        let source = source(server.base.clone(), EntraProof::FederatedFile(token.0.clone()));
        assert_eq!(source.fetch(0).await.unwrap(), Fresh::seconds(Token(Secret::new("t")), 86_399));
        assert!(server.seen()[0].ends_with("&client_assertion=eyJ.fed"));
    }
}
