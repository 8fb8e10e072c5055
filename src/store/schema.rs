//! The steps of the schema, and what is to be done with a store that has some of them.
//!
//! Forward only. Invariant: a step that was ever released is never changed; a store knows each step
//! it has by the checksum of its text.

use super::StoreError;
use sha2::{Digest, Sha256};

/// One step.
#[derive(Debug)]
pub(super) struct Migration {
    /// From 1, without gaps.
    pub version: i64,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! steps {
    ($folder:literal: $($version:literal $name:literal),+) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("migrations/", $folder, "/", $name, ".sql")),
        }),+]
    };
}

pub(super) const SQLITE: &[Migration] = steps!("sqlite": 1 "0001_objects", 2 "0002_ledger", 3 "0003_bank",
    4 "0004_margin", 5 "0005_configurations", 6 "0006_kept");
pub(super) const POSTGRES: &[Migration] = steps!("postgres": 1 "0001_objects", 2 "0002_ledger", 3 "0003_bank",
    4 "0004_margin", 5 "0005_configurations", 6 "0006_kept");

/// A step that a store has: version and checksum.
pub(super) type Applied = (i64, Vec<u8>);

impl Migration {
    pub fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql.as_bytes()).to_vec()
    }
}

/// The steps that `applied`, in order, still lacks.
///
/// # Errors
/// [`StoreError::Unusable`] for a store that is newer, or was made with other steps.
pub(super) fn pending<'m>(
    known: &'m [Migration],
    applied: &[Applied],
) -> Result<&'m [Migration], StoreError> {
    let newest = known.last().map_or(0, |step| step.version);
    if let Some((version, _)) = applied.last()
        && *version > newest
    {
        return Err(StoreError::Unusable(format!(
            "its schema is version {version}, this binary knows up to {newest}: a newer one has used it"
        )));
    }
    for ((version, checksum), step) in applied.iter().zip(known) {
        if *version != step.version || *checksum != step.checksum() {
            return Err(StoreError::Unusable(format!(
                "step {version} of its schema is not this binary's `{}`",
                step.name
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(count: usize) -> Vec<Applied> {
        SQLITE.iter().take(count).map(|step| (step.version, step.checksum())).collect()
    }

    #[test]
    fn both_engines_have_the_same_steps_without_gaps() {
        let names = |steps: &[Migration]| steps.iter().map(|s| (s.version, s.name)).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
        assert!(SQLITE.iter().zip(1..).all(|(step, version)| step.version == version));
    }

    #[test]
    fn what_is_missing_is_what_comes_after_what_is_there() {
        assert_eq!(pending(SQLITE, &[]).unwrap().len(), SQLITE.len());
        let rest = pending(SQLITE, &applied(1)).unwrap();
        assert_eq!(rest[0].version, 2);
        assert!(pending(SQLITE, &applied(SQLITE.len())).unwrap().is_empty());
    }

    #[test]
    fn a_newer_store_and_one_with_other_steps_are_refused() {
        let mut newer = applied(SQLITE.len());
        newer.push((99, vec![0; 32]));
        let told = pending(SQLITE, &newer).unwrap_err().to_string();
        assert!(told.contains("version 99"), "{told}");
        let other = [(1, vec![7; 32])];
        let told = pending(SQLITE, &other).unwrap_err().to_string();
        assert!(told.contains("0001_objects"), "{told}");
    }
}
