//! What no message to a client may hold.

use crate::proxy::context::Ctx;
use crate::runtime::Runtime;

/// What no message may hold: hosts and credentials of the provider that was asked.
pub fn needles<'r>(runtime: &'r Runtime, ctx: &Ctx, held: &'r [Box<[u8]>]) -> Vec<&'r [u8]> {
    let provider = ctx.record.provider.and_then(|index| runtime.providers.get(index));
    let fixed = provider.map_or(&[] as &[_], |provider| &provider.needles);
    fixed.iter().chain(held).map(|needle| &**needle).collect()
}

/// The same of credentials that are fetched: those held now.
pub fn held_needles(runtime: &Runtime, ctx: &Ctx) -> Vec<Box<[u8]>> {
    let provider = ctx.record.provider.and_then(|index| runtime.providers.get(index));
    let accounts = provider.map_or(&[] as &[_], |provider| &provider.accounts);
    accounts
        .iter()
        .filter(|account| account.credential.fixed().is_none())
        .flat_map(|account| account.credential.needles())
        .collect()
}
