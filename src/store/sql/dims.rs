//! Who and what sums are kept for, each under a number.

use super::super::Db;
use super::Inner;
use crate::govern::Call;
use crate::store::StoreError;
use crate::store::usage::{Dimension, LEVEL_WHOLE, LEVELS, MODELS_PER_KEY_MAX};
use sqlx::{Pool, QueryBuilder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers remembered. Beyond, all are forgotten and looked up again.
const CACHE_MAX: usize = 100_000;
/// A dimension's text in bytes at most; what is longer is cut.
const TEXT_BYTES_MAX: usize = 256;
/// Stands for the models of a key that has named too many.
const OTHER: &str = "(other)";

/// Tenant, team, app, key, model, provider, as in [`Dimension::ALL`].
pub(super) type Dims = [Arc<str>; 6];

/// The numbers of one [`Dims`] on each of [`LEVELS`].
pub(super) type Ids = [i64; 6];

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<Dims, Ids>>);

/// What a call is counted under.
pub(super) fn of(call: &Call) -> Dims {
    let text = |value: Option<&Arc<str>>| value.map_or_else(|| Arc::from(""), clean);
    // A name that led to no provider is anything at all.
    let model = call.provider.as_ref().and(call.model.as_ref());
    [
        text(call.tenant.as_ref()),
        text(call.team.as_ref()),
        text(call.app.as_ref()),
        text(Some(&call.key)),
        text(model),
        text(call.provider.as_ref()),
    ]
}

/// Without zero bytes, which PostgreSQL does not take, and no longer than is kept.
fn clean(text: &Arc<str>) -> Arc<str> {
    match cleaned(text) {
        Cow::Borrowed(_) => text.clone(),
        Cow::Owned(text) => text.into(),
    }
}

pub(super) fn cleaned(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_BYTES_MAX && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    Cow::Owned(text.get(..end).unwrap_or_default().replace('\0', "\u{fffd}"))
}

/// The numbers of each of `wanted`, which are made where there are none.
pub(super) async fn resolve(inner: &Inner, wanted: Vec<Dims>) -> Result<HashMap<Dims, Ids>, StoreError> {
    let mut found = HashMap::with_capacity(wanted.len());
    let mut missing = Vec::new();
    {
        let cache = inner.dims.lock();
        for dims in wanted {
            match cache.get(&dims) {
                Some(ids) => drop(found.insert(dims, *ids)),
                None => missing.push(dims),
            }
        }
    }
    for dims in missing {
        let ids = look_up(&inner.writes, &dims).await?;
        inner.dims.keep(dims.clone(), ids);
        found.insert(dims, ids);
    }
    Ok(found)
}

/// Committed for itself: a number that is then not used does no harm.
async fn look_up(pool: &Pool<Db>, dims: &Dims) -> Result<Ids, StoreError> {
    let mut dims = dims.clone();
    let mut known = select(pool, LEVEL_WHOLE, &dims).await?;
    if known.is_none() && is_full(pool, &dims).await? {
        let [_, _, _, _, model, _] = &mut dims;
        *model = Arc::from(OTHER);
        known = select(pool, LEVEL_WHOLE, &dims).await?;
    }
    let mut ids = Ids::default();
    for (level, id) in (0i64..).zip(&mut ids) {
        *id = match known.filter(|_| level == LEVEL_WHOLE) {
            Some(known) => known,
            None => insert(pool, level, &at_level(&dims, level)).await?,
        };
    }
    Ok(ids)
}

/// Whether the key has as many models as are kept apart.
async fn is_full(pool: &Pool<Db>, dims: &Dims) -> Result<bool, StoreError> {
    let [tenant, _, _, key, _, _] = dims;
    let count =
        sqlx::query_scalar("SELECT COUNT(*) FROM usage_dims WHERE level = $1 AND key = $2 AND tenant = $3");
    let count: i64 =
        count.bind(LEVEL_WHOLE).bind(key.to_string()).bind(tenant.to_string()).fetch_one(pool).await?;
    Ok(count >= MODELS_PER_KEY_MAX)
}

/// With '' for what this level does not tell apart.
fn at_level(dims: &Dims, level: i64) -> Dims {
    let named = usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).copied().unwrap_or_default();
    let mut kept = dims.clone();
    for (text, dimension) in kept.iter_mut().zip(Dimension::ALL) {
        if !named.contains(&dimension) {
            *text = Arc::from("");
        }
    }
    kept
}

async fn insert(pool: &Pool<Db>, level: i64, dims: &Dims) -> Result<i64, StoreError> {
    if let Some(id) = select(pool, level, dims).await? {
        return Ok(id);
    }
    let mut query = QueryBuilder::<Db>::new(
        "INSERT INTO usage_dims (level, tenant, team, app, key, model, provider) VALUES (",
    );
    let mut values = query.separated(", ");
    values.push_bind(level);
    for text in dims {
        values.push_bind(text.to_string());
    }
    query.push(") ON CONFLICT DO NOTHING");
    query.build().execute(pool).await?;
    let made = select(pool, level, dims).await?;
    made.ok_or_else(|| StoreError::Unusable("what was just written is not there".to_owned()))
}

async fn select(pool: &Pool<Db>, level: i64, dims: &Dims) -> Result<Option<i64>, StoreError> {
    let mut query = QueryBuilder::<Db>::new("SELECT id FROM usage_dims WHERE level = ");
    query.push_bind(level);
    for (dimension, text) in Dimension::ALL.into_iter().zip(dims) {
        query.push(" AND ").push(dimension.as_str()).push(" = ").push_bind(text.to_string());
    }
    Ok(query.build_query_scalar().fetch_optional(pool).await?)
}

/// `FROM usage_dims` of those that `filters` let through, on one level.
pub(super) fn push_from(query: &mut QueryBuilder<Db>, level: i64, filters: &[(Dimension, String)]) {
    query.push(" FROM usage_dims WHERE level = ").push_bind(level);
    for dimension in Dimension::ALL {
        let mut values = filters.iter().filter(|(of, _)| *of == dimension).peekable();
        if values.peek().is_none() {
            continue;
        }
        query.push(" AND ").push(dimension.as_str()).push(" IN (");
        let mut list = query.separated(", ");
        for (_, value) in values {
            list.push_bind(cleaned(value).into_owned());
        }
        query.push(")");
    }
}

// === impl Cache ===

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<Dims, Ids>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, dims: Dims, ids: Ids) {
        let mut cache = self.lock();
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(dims, ids);
    }
}
