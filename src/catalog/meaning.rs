//! What a provider's error code means to the gateway.

/// The meaning of an error code, type or status, where it says more than the status itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The account has nothing left: trying again is of no use.
    Quota,
    /// The credential is refused.
    Auth,
    /// Too many calls: later, or elsewhere.
    Limit,
    /// The provider cannot now: elsewhere, or again.
    Busy,
    /// There is no such model or deployment.
    Missing,
    /// The prompt is too long for the model.
    Context,
    /// The content is refused by a policy of the provider.
    Blocked,
    /// The request is at fault: it fails everywhere.
    Client,
}

impl Meaning {
    pub const ALL: [Meaning; 8] = [
        Meaning::Quota,
        Meaning::Auth,
        Meaning::Limit,
        Meaning::Busy,
        Meaning::Missing,
        Meaning::Context,
        Meaning::Blocked,
        Meaning::Client,
    ];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Meaning::Quota => "quota",
            Meaning::Auth => "auth",
            Meaning::Limit => "limit",
            Meaning::Busy => "busy",
            Meaning::Missing => "missing",
            Meaning::Context => "context",
            Meaning::Blocked => "blocked",
            Meaning::Client => "client",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.as_str() == word)
    }
}
