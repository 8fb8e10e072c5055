//! Which target belongs to a session, the same on every node and after every restart.
//!
//! Rendezvous hashing by weight: each target draws a number from the session's name and its own, and
//! the highest wins. A target that leaves takes only its own sessions along, one that comes takes its
//! share from all. Not secret and not random: who chooses session names can choose targets, which the
//! bound on load limits.

use crate::types::mix;
use crate::types::mix::GOLDEN;

/// FNV-1a of 64 bits: the same in every build.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// How far a target is from a session: the nearest serves it. `weight` above 0.
pub(super) fn distance(session: u64, identity: u64, weight: f32) -> f32 {
    // 53 bits make a number above 0 and below 1.
    let mixed = mix(session ^ identity.rotate_left(32).wrapping_mul(GOLDEN));
    let drawn = ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    (-drawn.ln() / f64::from(weight)) as f32
}

/// What a session is known by, in the order tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionKey {
    /// A header that coding agents and SDKs send: [`SESSION_HEADERS`].
    Session,
    /// A header of this name, in lower case.
    Header(Box<str>),
    /// `prompt_cache_key` of the body.
    PromptCacheKey,
    /// The caller's credential.
    Key,
}

/// Headers that name a session: Claude Code's, Codex's, then what others use.
pub const SESSION_HEADERS: [&str; 6] = [
    "x-claude-code-session-id",
    "session_id",
    "session-id",
    "x-session-id",
    "x-session-affinity",
    "conversation_id",
];

/// Longer names are cut before they are hashed.
const NAME_BYTES_MAX: usize = 256;

/// What a request has to be known by.
pub struct Known<'r, F> {
    pub header: F,
    pub prompt_cache_key: Option<&'r str>,
    pub caller: Option<&'r str>,
}

/// The session of a request: the first of `by` that it has. Never the same for two callers by what
/// they write themselves.
pub fn session<'r, F>(by: &[SessionKey], known: &Known<'r, F>) -> Option<u64>
where
    F: Fn(&str) -> Option<&'r [u8]>,
{
    let header = |name: &str| (known.header)(name).filter(|value| !value.is_empty());
    let caller = known.caller.unwrap_or_default();
    by.iter().find_map(|by| {
        let name: &[u8] = match by {
            SessionKey::Session => SESSION_HEADERS.iter().find_map(|name| header(name))?,
            SessionKey::Header(name) => header(name)?,
            SessionKey::PromptCacheKey => {
                known.prompt_cache_key.filter(|key| !key.is_empty()).map(str::as_bytes)?
            }
            SessionKey::Key => known.caller.map(|_| b"".as_slice())?,
        };
        let name = name.get(..NAME_BYTES_MAX).unwrap_or(name);
        Some(hash(caller.as_bytes()).rotate_left(17) ^ hash(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_spread_by_weight_and_move_only_with_their_target() {
        let weights = [1.0_f32, 1.0, 2.0];
        let nearest = |session: u64, among: &[usize]| {
            let far = |index: &usize| distance(session, hash(&[*index as u8]), weights[*index]);
            *among.iter().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap()
        };
        let mut counts = [0_u32; 3];
        for session in 0..20_000_u64 {
            let session = hash(&session.to_be_bytes());
            let first = nearest(session, &[0, 1, 2]);
            counts[first] += 1;
            if first != 1 {
                assert_eq!(nearest(session, &[0, 2]), first, "its target is still there");
            }
        }
        for (count, share) in counts.iter().zip([0.25, 0.25, 0.5]) {
            assert!((f64::from(*count) / 20_000.0 - share).abs() < 0.02, "{counts:?}");
        }
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }

    fn of(by: &[SessionKey], fields: &[(&str, &str)], key: Option<&str>) -> Option<u64> {
        let header = |name: &str| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_bytes());
        session(by, &Known { header, prompt_cache_key: key, caller: Some("ci") })
    }

    #[test]
    fn the_first_name_that_is_there_counts() {
        let by = [SessionKey::Session, SessionKey::PromptCacheKey, SessionKey::Key];
        let codex = of(&by, &[("session_id", "s1")], Some("k"));
        assert_eq!(codex, of(&by, &[("x-claude-code-session-id", "s1")], None));
        assert_ne!(codex, of(&by, &[], Some("k")));
        assert_eq!(of(&by, &[("session_id", "")], Some("k")), of(&by, &[], Some("k")));
        assert!(of(&by, &[], None).is_some());
        assert_eq!(of(&by[..2], &[], None), None);
        let named = [SessionKey::Header("x-user".into())];
        assert_ne!(of(&named, &[("x-user", "a")], None), of(&named, &[("x-user", "b")], None));
    }

    #[test]
    fn one_name_of_two_callers_is_two_sessions() {
        let by = [SessionKey::Session];
        let header = |_: &str| Some(b"s1".as_slice());
        let of = |caller| session(&by, &Known { header, prompt_cache_key: None, caller });
        assert_ne!(of(Some("a")), of(Some("b")));
    }
}
