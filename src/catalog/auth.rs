//! How a provider wants to be shown a credential.

/// The shape of a credential on the wire. Which header carries it is a fact; its value is configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing is asked for.
    None,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of its own, its name in lowercase.
    Header(Box<str>),
    /// A query parameter.
    Query(Box<str>),
    /// `api-key: KEY`, or an Entra token as bearer.
    Azure,
    /// An Entra token only.
    Entra,
    /// An OAuth token of a Google service account or workload.
    Gcp,
    /// AWS Signature Version 4, or a Bedrock API key as bearer.
    Aws,
}

impl Auth {
    /// Reads the word of the file: `bearer`, `header:NAME`, `query:NAME` …
    pub fn of(word: &str) -> Option<Self> {
        let is_token = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        Some(match word {
            "none" => Auth::None,
            "bearer" => Auth::Bearer,
            "azure" => Auth::Azure,
            "entra" => Auth::Entra,
            "gcp" => Auth::Gcp,
            "aws" => Auth::Aws,
            _ => match word.split_once(':') {
                Some(("header", name)) if is_token(name) => Auth::Header(name.into()),
                Some(("query", name)) if is_token(name) => Auth::Query(name.into()),
                _ => return None,
            },
        })
    }

    /// The word of [`of`](Self::of).
    pub fn word(&self) -> String {
        match self {
            Auth::None => "none".to_owned(),
            Auth::Bearer => "bearer".to_owned(),
            Auth::Header(name) => format!("header:{name}"),
            Auth::Query(name) => format!("query:{name}"),
            Auth::Azure => "azure".to_owned(),
            Auth::Entra => "entra".to_owned(),
            Auth::Gcp => "gcp".to_owned(),
            Auth::Aws => "aws".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_others_are_refused() {
        for word in ["none", "bearer", "header:x-api-key", "query:key", "azure", "entra", "gcp", "aws"] {
            assert_eq!(Auth::of(word).map(|auth| auth.word()).as_deref(), Some(word));
        }
        for word in ["", "Bearer", "header:", "header:X Y", "query", "basic:x"] {
            assert_eq!(Auth::of(word), None, "{word}");
        }
    }
}
