//! `azure` of a provider: the Entra application whose tokens its calls carry.

use super::collector::Collector;
use super::plain::{plain, token_endpoint};
use super::reader::Reader;
use super::secret;
use super::value::Value;
use crate::types::Secret;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureAccount {
    /// `https://login.microsoftonline.com` unless it is another cloud.
    pub authority: String,
    pub tenant: String,
    pub client_id: String,
    pub proof: AzureProof,
    pub scope: String,
}

/// How the application shows that it is the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AzureProof {
    Secret(Secret),
    /// A token of another issuer, read at each use.
    TokenFile(PathBuf),
}

const AUTHORITY: &str = "https://login.microsoftonline.com";
const SCOPE: &str = "https://cognitiveservices.azure.com/.default";

impl AzureAccount {
    pub(super) fn read(value: &Value<'_>, collector: &mut Collector<'_>) -> Option<Self> {
        let mut reader = Reader::open(value, collector)?;
        let tenant = reader.need("tenant", "the directory's id or domain", plain);
        let tenant = tenant.filter(|tenant| {
            let is_segment = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            let is_name = tenant.bytes().all(is_segment) && !tenant.starts_with('.');
            if !is_name {
                reader.fail("`tenant` is an id or a domain: letters, digits, `-`, `_`, `.`", None);
            }
            is_name
        });
        let client_id = reader.need("client_id", "the application's id", plain);
        if reader.has("client_secret") == reader.has("token_file") {
            let help = "such as client_secret = \"env:AZURE_CLIENT_SECRET\"";
            reader.fail("`azure` has either `client_secret` or `token_file`", Some(help));
        }
        let secret = reader.take("client_secret", secret::secret).map(|found| found.secret);
        let token_file = reader.take("token_file", plain).map(PathBuf::from);
        let scope = reader.take("scope", plain).unwrap_or_else(|| SCOPE.to_owned());
        let endpoint = reader.take("endpoint", token_endpoint);
        reader.done();
        let proof = secret.map(AzureProof::Secret).or(token_file.map(AzureProof::TokenFile))?;
        Some(Self {
            authority: endpoint.map_or_else(|| AUTHORITY.to_owned(), |url| url.as_str().to_owned()),
            tenant: tenant?,
            client_id: client_id?,
            proof,
            scope,
        })
    }
}
