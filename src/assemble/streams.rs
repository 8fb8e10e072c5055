//! From a model's section to how its streams are kept.

use crate::config;
use crate::runtime::replays::Resume;
use crate::runtime::{Hold, Prefill, StreamPolicy, StreamTarget};

/// The streams of one model.
pub(super) fn policy(model: &config::Model) -> StreamPolicy {
    let streams = &model.streams;
    let target = |target: &config::Target| StreamTarget {
        prefill: match target.prefill {
            config::Prefill::Known => Prefill::Known,
            config::Prefill::Yes => Prefill::Yes,
            config::Prefill::No => Prefill::No,
            config::Prefill::As(style) => Prefill::As(style),
        },
        family: target.family.as_deref().map(Box::from),
    };
    StreamPolicy {
        hold: streams.hold.map(|hold| Hold {
            tokens: hold.tokens,
            time: hold.time,
            bytes_max: hold.bytes_max,
        }),
        continuations: match streams.recovery {
            config::Recovery::Error => 0,
            config::Recovery::Continue => streams.continuations,
        },
        resume: streams.resume.map(|resume| Resume {
            events_max: resume.events_max,
            bytes_max: resume.bytes_max,
            keep: resume.keep,
        }),
        targets: model.targets.iter().map(target).collect(),
    }
}
