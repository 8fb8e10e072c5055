//! Looks up the names of providers and proxies, so that no call has to wait for a name server: those
//! of a new configuration at once, all of them again every half minute.

use crate::runtime::Edge;
use crate::upstream::dns::Addresses;
use crate::upstream::several;
use pingora_core::server::ShutdownWatch;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked for names that are new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often names are looked up again.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// Names asked for at the same time.
const WIDTH: usize = 8;

pub async fn keep(edge: Arc<Edge>, mut shutdown: ShutdownWatch) {
    let mut age = RESOLVE_EVERY;
    loop {
        let is_due = age >= RESOLVE_EVERY;
        tokio::select! {
            () = look_up(&edge, is_due) => {}
            _ = shutdown.changed() => return,
        }
        age = if is_due { LOOK_EVERY } else { age + LOOK_EVERY };
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = shutdown.changed() => return,
        }
    }
}

async fn look_up(edge: &Edge, is_due: bool) {
    let runtime = edge.runtime();
    let mut hosts: Vec<&Addresses> =
        runtime.providers.iter().filter_map(|p| p.accounts.first()).map(|a| a.link.doors()).collect();
    // Providers of one host share its addresses.
    hosts.sort_by_key(|host| std::ptr::from_ref(*host));
    hosts.dedup_by_key(|host| std::ptr::from_ref(*host));
    let asked = hosts.into_iter().map(|host| async move {
        if is_due {
            host.refresh().await
        } else {
            host.warm().await
        }
        Ok::<(), Infallible>(())
    });
    let Ok(_) = several(asked.collect(), WIDTH).await;
}
