//! The metadata server of a machine at Google.

use super::super::CredentialError;
use super::super::fetch::{Ask, Fetch, NEAR};
use super::super::source::{Fresh, Token};
use super::key_file::token_of;

const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

pub(super) async fn token(endpoint: &str, fetch: &dyn Fetch) -> Result<Fresh<Token>, CredentialError> {
    let url = format!("{}{PATH}", endpoint.trim_end_matches('/'));
    let ask = Ask::get(url).within(NEAR).with("metadata-flavor", "Google");
    token_of(&fetch.fetch(ask).await?.ok("Google's metadata server")?)
}
