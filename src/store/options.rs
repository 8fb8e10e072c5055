//! Where the store is, and how long it may take.

use crate::types::Secret;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// `sqlite:PATH`: a file of this machine.
    Sqlite(PathBuf),
    /// `postgres://USER@HOST[:PORT]/DATABASE[?sslmode=…]`; a secret, as a password may stand in it.
    Postgres(Secret),
}

/// How to use a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Longest a verb may take; a batch of calls and a step of pruning four times as long.
    pub timeout: Duration,
    /// For PostgreSQL, instead of one in the URL.
    pub password: Option<Secret>,
    /// Connections to PostgreSQL at most; readers of SQLite, beside its one writer.
    pub connections: u32,
    /// Whether opening succeeds while the store is away. Its verbs then fail with `Unavailable`, and
    /// each tries again to reach it.
    pub may_be_away: bool,
}

/// A text is no address of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    #[error("must be \"sqlite:PATH\" or \"postgres://USER@HOST/DATABASE\"")]
    Scheme,
    #[error("names no file")]
    NoFile,
    #[error("is no address of a PostgreSQL database")]
    Postgres,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), password: None, connections: 8, may_be_away: false }
    }
}

impl StoreUrl {
    /// # Errors
    /// What is wrong with it; never with its text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_file = !path.is_empty() && !path.contains(['\0', '?']) && !path.starts_with(':');
            return is_file.then(|| Self::Sqlite(PathBuf::from(path))).ok_or(OptionsError::NoFile);
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(OptionsError::Scheme);
        }
        match sqlx::postgres::PgConnectOptions::from_str(text) {
            Ok(options) if options.get_database().is_some_and(|name| !name.is_empty()) => {
                Ok(Self::Postgres(Secret::new(text)))
            }
            _ => Err(OptionsError::Postgres),
        }
    }

    /// Whether a PostgreSQL URL has a password in it.
    pub fn has_password(text: &str) -> bool {
        let rest = text.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.contains(':') || text.contains("password=")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_people_write_them() {
        let file = |path: &str| Ok(StoreUrl::Sqlite(PathBuf::from(path)));
        assert_eq!(StoreUrl::parse("sqlite:data/tidegate.db"), file("data/tidegate.db"));
        assert_eq!(StoreUrl::parse("sqlite:///var/lib/t.db"), file("/var/lib/t.db"));
        assert!(matches!(StoreUrl::parse("postgres://tg@db:5433/tidegate"), Ok(StoreUrl::Postgres(_))));
        for (text, error) in [
            ("data/tidegate.db", OptionsError::Scheme),
            ("mysql://x@y/z", OptionsError::Scheme),
            ("sqlite:", OptionsError::NoFile),
            ("sqlite::memory:", OptionsError::NoFile),
            ("postgres://db:port/x", OptionsError::Postgres),
            ("postgres://tg@db", OptionsError::Postgres),
        ] {
            assert_eq!(StoreUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_noticed_and_never_shown() {
        assert!(StoreUrl::has_password("postgres://tg:canary@db/x"));
        assert!(StoreUrl::has_password("postgres://db/x?user=a&password=canary"));
        assert!(!StoreUrl::has_password("postgres://tg@db:5432/x?sslmode=require"));
        assert!(!StoreUrl::has_password("sqlite:data/a:b@c.db"));
        let shown = format!("{:?}", StoreUrl::parse("postgres://tg:canary@db/x"));
        assert!(!shown.contains("canary"), "{shown}");
    }
}
