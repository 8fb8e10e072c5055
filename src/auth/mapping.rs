//! From what a proof says of somebody to the app it is: for tokens by their claims, for certificates by
//! their names.

use super::identities::Identities;
use super::principal::AppView;
use std::sync::Arc;

/// A name used for mapping is at most this long.
const TEXT_BYTES_MAX: usize = 256;

/// Where a name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A claim of a token, or a name in a certificate.
    Claim(String),
    Fixed(String),
}

/// Which app a proof is of. `app` is an id, or a name in the team of that name in the tenant of that
/// name; what is named beside an id must fit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub tenant: Option<Origin>,
    pub team: Option<Origin>,
    pub app: Origin,
}

impl Mapping {
    /// The app; None where a name that is mapped is missing, or leads nowhere. `said` gives what the
    /// proof says under a name.
    pub fn app<'i>(
        &self,
        identities: &'i Identities,
        said: impl Fn(&str) -> Option<String>,
    ) -> Option<&'i Arc<AppView>> {
        let read = |origin: &Origin| match origin {
            Origin::Claim(name) => said(name),
            Origin::Fixed(text) => Some(text.clone()),
        };
        let app = read(&self.app)?;
        // A mapped name that is missing does not widen what the proof is good for.
        let (tenant, team) = (flat(self.tenant.as_ref().map(read))?, flat(self.team.as_ref().map(read))?);
        if let Some(view) = identities.app(&app) {
            let fits = |text: &Option<String>, id: &str, name: &str| {
                text.as_deref().is_none_or(|text| text == id || text == name)
            };
            let is_it =
                fits(&tenant, &view.tenant, &view.names.tenant) && fits(&team, &view.team, &view.names.team);
            return is_it.then_some(view);
        }
        identities.app_named(&tenant?, &team?, &app)
    }
}

/// Mapped and there, or not mapped; None for what is mapped and missing.
fn flat(mapped: Option<Option<String>>) -> Option<Option<String>> {
    match mapped {
        None => Some(None),
        Some(text) => text.map(Some),
    }
}

/// Whether a text can be a name: something, not too long, and nothing that is not to be seen.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

/// `KIND:SUBJECT`, for logs and the ledger; a subject that is not plain is told by its digest.
pub(super) fn plain_name(kind: &str, subject: &str) -> String {
    let is_plain = subject.len() <= 64 && subject.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && !subject.is_empty() {
        return format!("{kind}:{subject}");
    }
    let digest = crate::types::hex(&super::digest(subject));
    format!("{kind}:sha256-{digest}")
}
