//! What is left out while a request is written, beyond what its protocol's features say.

use super::betas;
use super::host::Host;
use crate::chat::{Feature, Field, Losses};

/// Breakpoints the vendor takes in one request
/// (platform.claude.com/docs/en/build-with-claude/prompt-caching).
pub(super) const HINTS_MAX: usize = 4;

/// Notes the losses, and keeps count of the cache hints.
pub(super) struct Cuts<'l> {
    pub(super) host: Host,
    /// The names in `anthropic-beta` that the host takes.
    pub(super) betas: &'l [&'l str],
    losses: &'l mut Losses,
    /// Hints that are still to be left out: the first of too many, because a later breakpoint covers
    /// what lies before it.
    too_many: usize,
}

impl<'l> Cuts<'l> {
    /// `hints`: how many there are in the whole request. Only other protocols' are cut: a client of
    /// this one is told by the vendor.
    pub(super) fn new(
        host: Host,
        betas: &'l [&'l str],
        losses: &'l mut Losses,
        hints: usize,
        is_own: bool,
    ) -> Self {
        let too_many = if is_own { 0 } else { hints.saturating_sub(HINTS_MAX) };
        Self { host, betas, losses, too_many }
    }

    pub(super) fn takes_hint(&mut self) -> bool {
        if self.too_many == 0 {
            return true;
        }
        self.too_many -= 1;
        self.losses.push(Feature::CacheHints, crate::chat::At::NOWHERE);
        false
    }

    pub(super) fn keeps_hint_field(&mut self, field: &Field<'_>) -> bool {
        self.keeps(betas::Place::CacheControl, field)
    }

    /// Whether the host takes the field; a loss where it does not.
    pub(super) fn keeps(&mut self, place: betas::Place, field: &Field<'_>) -> bool {
        if !betas::refuses(self.host, place, &field.name, self.betas) {
            return true;
        }
        self.losses.push_named(Feature::Unknown, field.at, &field.name);
        false
    }
}
