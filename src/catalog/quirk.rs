//! What sets a provider apart from others of its protocol.

/// One deviation. Most are about chat, which everybody copies a little differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Chat: `stream_options` is refused.
    NoStreamOptions,
    /// Chat: `tool_choice` says `any` where others say `required`.
    SaysAny,
    /// Chat: tool call ids are nine letters or digits.
    ShortToolIds,
    /// Chat: the limit is `max_completion_tokens`.
    CompletionLimit,
    /// Chat: the system turn is `developer`.
    DeveloperRole,
    /// It fetches `http` URLs of images and documents itself.
    FetchesUrls,
    /// Chat: streams report usage without being asked.
    UsageUnasked,
    /// Every chunk's usage counts from the start: the last one holds.
    UsageCumulative,
    /// `completion_tokens` leaves reasoning out; only the total has it.
    ReasoningApart,
    /// `error` is a string, not an object.
    StringErrors,
    /// A stream may end with an error in a 200.
    ErrorsIn200,
    /// User and assistant must take turns strictly.
    RolesAlternate,
    /// Streams hold comments or blank lines to keep the connection.
    KeepaliveComments,
    /// It has no generation endpoint: embeddings and rerank only.
    NoChat,
    /// Embeddings and rerank have Voyage's fields (`output_dimension`, `top_k`), not OpenAI's and Jina's.
    VoyageFields,
}

/// A set of [`Quirk`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks(u32);

impl Quirk {
    pub const ALL: [Quirk; 15] = [
        Quirk::NoStreamOptions,
        Quirk::SaysAny,
        Quirk::ShortToolIds,
        Quirk::CompletionLimit,
        Quirk::DeveloperRole,
        Quirk::FetchesUrls,
        Quirk::UsageUnasked,
        Quirk::UsageCumulative,
        Quirk::ReasoningApart,
        Quirk::StringErrors,
        Quirk::ErrorsIn200,
        Quirk::RolesAlternate,
        Quirk::KeepaliveComments,
        Quirk::NoChat,
        Quirk::VoyageFields,
    ];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Quirk::NoStreamOptions => "no-stream-options",
            Quirk::SaysAny => "says-any",
            Quirk::ShortToolIds => "short-tool-ids",
            Quirk::CompletionLimit => "completion-limit",
            Quirk::DeveloperRole => "developer-role",
            Quirk::FetchesUrls => "fetches-urls",
            Quirk::UsageUnasked => "usage-unasked",
            Quirk::UsageCumulative => "usage-cumulative",
            Quirk::ReasoningApart => "reasoning-apart",
            Quirk::StringErrors => "string-errors",
            Quirk::ErrorsIn200 => "errors-in-200",
            Quirk::RolesAlternate => "roles-alternate",
            Quirk::KeepaliveComments => "keepalive-comments",
            Quirk::NoChat => "no-chat",
            Quirk::VoyageFields => "voyage-fields",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quirk| quirk.as_str() == word)
    }
}

impl Quirks {
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }

    #[must_use]
    pub fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | (1 << quirk as u32))
    }

    pub fn iter(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |quirk| self.has(*quirk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_is_a_member_of_its_own() {
        for quirk in Quirk::ALL {
            let set = Quirks::default().with(quirk);
            assert_eq!(set.iter().collect::<Vec<_>>(), [quirk]);
            assert_eq!(Quirk::of(quirk.as_str()), Some(quirk));
        }
    }
}
