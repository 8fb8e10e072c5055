//! Follows a stream, so that another target can go on with it: where bytes pass as they are, an encoder
//! writes beside them what is not sent, and takes over from the break on.
//!
//! So a stream that does not break has its provider's own bytes, and one that does is gone on with in the
//! same ids and numbers. Not here: whether and where it is gone on with (`recover`).

use super::attempt::{Aim, owed_in_kind};
use super::listener::Listener;
use super::prepare::Prepared;
use crate::chat::Progress;
use crate::dialect::codec::{self, Translator};
use crate::runtime::{CONTINUED_BYTES_MAX, Edge};
use crate::types::Protocol;

/// A translator beside bytes that pass as they are.
pub struct Shadow {
    pub translator: Translator,
    unsent: Vec<u8>,
}

impl Shadow {
    pub fn on_frame(&mut self, name: Option<&[u8]>, data: &[u8]) {
        // A fault ends the stream anyway, by who passes it on.
        let _ = self.translator.on_frame(name, data, &mut self.unsent, &mut |_| {});
        self.unsent.clear();
    }
}

/// Follows what `listener` hears, where the model's streams are gone on with and this one can be.
pub fn follow(listener: &mut Listener, edge: &Edge, prepared: &Prepared<'_>, aim: &Aim<'_>) {
    let is_single = prepared.head.as_ref().is_none_or(|head| head.n <= 1);
    let Some(protocol) = prepared.endpoint.protocol() else { return };
    if aim.policy.streams.continuations == 0 || aim.begun.is_some() || !is_single {
        return;
    }
    // The items of a Responses stream have ids that only who began it knows, and between the elements of
    // an array its provider's own commas stand.
    let is_foreign_ground = protocol == Protocol::Responses || prepared.is_array;
    if is_foreign_ground && !listener.hearing().is_translated() {
        return;
    }
    listener.follow(Progress::new(CONTINUED_BYTES_MAX), || {
        let encoder = codec::shadow(protocol, owed_in_kind(edge, prepared));
        Shadow { translator: Translator::new(codec::decoder(protocol), encoder), unsent: Vec::new() }
    });
}
