//! Faults of the codecs that are known and not mended yet: each must still occur, or the test fails.

use tidegate::types::Protocol;

/// The protocol of the other side or `*`, the case's folder or its beginning, the feature, why.
pub type Known = (&'static str, &'static str, &'static str, &'static str);

/// A difference that no rule explains.
pub struct Open {
    pub other: Protocol,
    pub case: String,
    pub feature: &'static str,
    pub what: String,
}

/// Of answers.
pub const ANSWERS: &[Known] = &[];

/// Of requests.
pub const REQUESTS: &[Known] = &[];

/// Fails on what is not known, and on what is known and no longer so.
pub fn judge(open: &[Open], known: &[Known]) {
    let is_it = |known: &Known, open: &Open| {
        let is_side = known.0 == "*" || known.0 == open.other.as_str();
        is_side && open.case.starts_with(known.1) && known.2 == open.feature
    };
    let fresh: Vec<&Open> =
        open.iter().filter(|open| !known.iter().any(|known| is_it(known, open))).collect();
    for open in &fresh {
        let what: String = open.what.chars().take(900).collect();
        eprintln!("UNEXPLAINED {} ↔ {} [{}] {what}", open.other.as_str(), open.case, open.feature);
    }
    let mended: Vec<&Known> =
        known.iter().filter(|known| !open.iter().any(|open| is_it(known, open))).collect();
    mended.iter().for_each(|known| eprintln!("MENDED {} {} [{}]", known.0, known.1, known.2));
    known.iter().for_each(|known| eprintln!("known: {} ↔ {} [{}] {}", known.0, known.1, known.2, known.3));
    assert!(fresh.is_empty(), "{} unexplained differences", fresh.len());
    assert!(mended.is_empty(), "{} known faults are mended: take them off the list", mended.len());
}
