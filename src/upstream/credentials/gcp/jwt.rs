//! A service account's signed statement, traded for a token. Source: Google, "Using OAuth 2.0 for
//! server to server applications"; RFC 7523.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch};
use super::super::source::{Fresh, Token};
use super::key_file::{WHOSE, text, token_of, token_url};
use super::source::CLOUD_SCOPE;
use crate::framing::json::{JsonWriter, Node};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

/// The longest a statement may hold.
const LIFETIME_S: u64 = 3600;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// `type: service_account`.
pub(super) struct ServiceAccount {
    pub(super) email: String,
    key_id: Option<String>,
    key: RsaKeyPair,
    url: String,
}

impl ServiceAccount {
    pub(super) fn of(root: &Node<'_>, url: Option<&str>) -> Result<Self, CredentialError> {
        let bad = || {
            CredentialError::lasting(
                "the `private_key` of a Google credentials file is no RSA key in PKCS #8",
            )
        };
        let der = der(&text(root, "private_key")?).ok_or_else(bad)?;
        Ok(Self {
            email: text(root, "client_email")?,
            key_id: root.text_of("private_key_id").map(String::from),
            key: RsaKeyPair::from_pkcs8(&der).map_err(|_| bad())?,
            url: token_url(root, url),
        })
    }

    pub(super) async fn token(
        &self,
        fetch: &dyn Fetch,
        unix_s: u64,
    ) -> Result<Fresh<Token>, CredentialError> {
        let assertion = self.assertion(unix_s)?;
        let ask = Ask::form(self.url.clone(), &[("grant_type", GRANT), ("assertion", &assertion)]);
        token_of(&fetch.fetch(ask).await?.ok(WHOSE)?)
    }

    /// `base64url(head).base64url(claims).base64url(signature)`.
    fn assertion(&self, unix_s: u64) -> Result<String, CredentialError> {
        let mut head = Vec::new();
        JsonWriter::new(&mut head).object(|w| {
            w.field_str("alg", "RS256");
            w.field_str("typ", "JWT");
            w.field_opt_str("kid", self.key_id.as_deref());
        });
        let mut claims = Vec::new();
        JsonWriter::new(&mut claims).object(|w| {
            w.field_str("iss", &self.email);
            w.field_str("scope", CLOUD_SCOPE);
            w.field_str("aud", &self.url);
            w.field_u64("iat", unix_s);
            w.field_u64("exp", unix_s.saturating_add(LIFETIME_S));
        });
        self.signed(format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims)))
    }

    /// The statement with its signature (RS256) behind it.
    fn signed(&self, statement: String) -> Result<String, CredentialError> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), statement.as_bytes(), &mut signature)
            .map_err(|_| CredentialError::lasting("the key of a Google service account does not sign"))?;
        Ok(format!("{statement}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The bytes of a PEM block `PRIVATE KEY`.
fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, after) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = after.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::framing::json::{Duplicates, parse};
    use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    /// The key printed in RFC 7515, appendix A.2: everybody's, and nobody's account.
    pub(in super::super) const PUBLISHED_KEY: &str =
        include_str!("../../../../tests/fixtures/rfc7515_a2_rsa.pem");

    pub(in super::super) fn published_public_key() -> UnparsedPublicKey<Vec<u8>> {
        let pair = RsaKeyPair::from_pkcs8(&der(PUBLISHED_KEY).unwrap()).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref().to_vec())
    }

    #[test]
    fn the_published_statement_has_the_published_signature() {
        const INPUT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let json = serde_json::json!({"client_email": "e", "private_key": PUBLISHED_KEY}).to_string();
        let account = ServiceAccount::of(&parse(&json, Duplicates::Refuse).unwrap(), None).unwrap();
        assert_eq!(account.signed(INPUT.to_owned()).unwrap(), format!("{INPUT}.{SIGNATURE}"));
        assert_eq!(account.url, "https://oauth2.googleapis.com/token");
    }

    #[test]
    fn other_kinds_of_pem_are_no_key() {
        for pem in [
            "",
            "-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(der(pem), None);
        }
    }
}
