//! Opening a store, whichever engine its address names.

use super::engine::Side;
use super::{Bank, Options, Store, StoreError, StoreUrl, postgres, sqlite};
use std::sync::Arc;

/// A store and the bank in it.
pub type Opened = (Arc<dyn Store>, Arc<dyn Bank>);

/// Opens the store and brings its schema up to date. Both halves use one set of connections, on a
/// runtime of their own that ends with the last of them.
///
/// # Errors
/// [`StoreError::Unusable`] for a store that is newer than this binary, damaged, or does not let us
/// in; [`StoreError::Unavailable`] for one that cannot be reached, unless it may be away.
pub async fn open(url: &StoreUrl, options: &Options) -> Result<Opened, StoreError> {
    let side = Side::new(options.timeout)?;
    match url {
        StoreUrl::Sqlite(path) => {
            let engine = sqlite::Engine::new(side, sqlite::places(path, options));
            engine.start(options.may_be_away).await?;
            Ok(both(Arc::new(engine)))
        }
        StoreUrl::Postgres(url) => {
            let engine = postgres::Engine::new(side, postgres::places(url, options)?);
            engine.start(options.may_be_away).await?;
            Ok(both(Arc::new(engine)))
        }
    }
}

fn both<E: Store + Bank + 'static>(engine: Arc<E>) -> Opened {
    (engine.clone(), engine)
}
