//! Credentials that are fetched or computed: `aws`, `google`, `azure` of a provider.

use super::aws::AwsAccount;
use super::azure::AzureAccount;
use super::google::GoogleAccount;
use super::kind::ProviderKind;
use super::places::Places;
use super::reader::Reader;
use crate::catalog::Auth;

/// The account at a cloud a provider is called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    Aws(AwsAccount),
    Google(GoogleAccount),
    Azure(AzureAccount),
}

/// The table a kind takes its credential from; None where it has keys only.
pub(super) fn table_of(kind: &ProviderKind) -> Option<&'static str> {
    match kind.facts().auth {
        Auth::Aws => Some("aws"),
        Auth::Gcp => Some("google"),
        Auth::Azure | Auth::Entra => Some("azure"),
        _ => None,
    }
}

/// Whether a kind can be called with an API key of its own.
pub(super) fn takes_key(kind: &ProviderKind) -> bool {
    !matches!(kind.facts().auth, Auth::Gcp | Auth::Entra)
}

impl Cloud {
    /// The one that is written, where the kind takes it.
    pub(super) fn read(
        reader: &mut Reader<'_, '_, '_>,
        kind: Option<&ProviderKind>,
        places: &Places,
    ) -> Option<Self> {
        let taken = kind.and_then(table_of);
        let mut read = None;
        for table in ["aws", "google", "azure"] {
            let found = reader.take(table, |value, collector| {
                if let Some(kind) = kind.filter(|_| taken != Some(table)) {
                    let message = format!("`{table}` is not for kind `{}`", kind.as_str());
                    value.fail_head(
                        collector,
                        message,
                        taken.map(|taken| format!("it takes `{taken}`")).as_deref(),
                    );
                }
                match table {
                    "aws" => AwsAccount::read(value, collector, places.get("region")).map(Cloud::Aws),
                    "google" => GoogleAccount::read(value, collector).map(Cloud::Google),
                    _ => AzureAccount::read(value, collector).map(Cloud::Azure),
                }
            });
            read = read.or(found);
        }
        read
    }
}
