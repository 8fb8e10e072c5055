//! Why the store did not do what it was asked.

use std::error::Error;

/// What a verb of the store ends with when it has done nothing, as far as is known: after
/// [`StoreError::Unavailable`] a write may have happened all the same, and is to be sent again under
/// the same idempotency key or id.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A name is taken in its parent, or an id exists already.
    #[error("{kind} `{name}` exists already")]
    Exists { kind: &'static str, name: String },
    #[error("no such {kind}")]
    Missing { kind: &'static str },
    /// The version expected is not the one there is.
    #[error("changed by somebody else meanwhile: version {actual} instead of {expected}")]
    Conflict { expected: u64, actual: u64 },
    /// Things of this kind are not as they were when the commit was made.
    #[error("a {kind} was changed by somebody else meanwhile")]
    Moved { kind: &'static str },
    /// Something lies in it.
    #[error("{kind} is not empty")]
    NotEmpty { kind: &'static str },
    /// Somebody is subscribed to the plan, or was.
    #[error(
        "the plan has {count} {}: delete them first, or block the plan so that nobody new subscribes",
        if *.count == 1 { "subscription" } else { "subscriptions" }
    )]
    Subscribed { count: u64 },
    /// An idempotency key came again with another request.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error("more than the store takes at once: {0}")]
    TooMuch(&'static str),
    /// A text that cannot be kept, or a question that has no answer.
    #[error("not understood: {0}")]
    Malformed(&'static str),
    /// Down, locked, full or too slow: to be tried again.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is there cannot be read: newer schema, damaged file.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}

/// A verb took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(super) struct TooSlow(pub std::time::Duration);

/// SQLite's primary result codes of a database that cannot be read, now or later: no such table,
/// damaged, no database.
const SQLITE_DAMAGED: [u32; 3] = [1, 11, 26];

impl StoreError {
    pub(super) fn unavailable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(cause))
    }

    /// The whole chain of causes, for logs.
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if is_unusable(&code) {
                    return Self::Unusable(format!("{} (code {code})", database.message()));
                }
            }
            // Columns that are not as this binary knows them.
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::TypeNotFound { .. } => return Self::Unusable(error.to_string()),
            _ => {}
        }
        Self::Unavailable(Box::new(error))
    }
}

/// Whether trying again is of no use. PostgreSQL's codes have five characters (its manual, appendix
/// A), SQLite's are numbers whose low byte is the primary one (sqlite.org/rescode.html).
fn is_unusable(code: &str) -> bool {
    if let Ok(number) = code.parse::<u32>()
        && code.len() < 5
    {
        return SQLITE_DAMAGED.contains(&(number & 0xff));
    }
    let class = code.get(..2).unwrap_or_default();
    // 28: not let in; 3D: no such database; 42: no such table or column; XX: damaged.
    matches!(class, "28" | "3D" | "42" | "XX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        // Busy, full, input/output, a damaged file and one that is no database; extended codes too.
        for (code, is) in [
            ("5", false),
            ("13", false),
            ("10", false),
            ("522", false),
            ("11", true),
            ("1", true),
            ("267", true),
            ("26", true),
        ] {
            assert_eq!(is_unusable(code), is, "{code}");
        }
        // Shutdown, disk full, serialization, cancelled; wrong password, no table, damaged index.
        for (code, is) in [
            ("57P01", false),
            ("53100", false),
            ("40001", false),
            ("57014", false),
            ("28P01", true),
            ("42P01", true),
            ("XX002", true),
        ] {
            assert_eq!(is_unusable(code), is, "{code}");
        }
    }
}
