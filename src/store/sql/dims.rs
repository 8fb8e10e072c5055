//! Who and what sums are kept for, each under a number.

use super::super::Db;
use super::Inner;
use crate::govern::Call;
use crate::store::StoreError;
use crate::store::usage::{Dimension, LEVEL_WHOLE, LEVELS, MODELS_PER_KEY_MAX};
use sqlx::{Pool, QueryBuilder, Row};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Numbers remembered. Beyond, all are forgotten and looked up again.
const CACHE_MAX: usize = 100_000;
/// A dimension's text in bytes at most; what is longer is cut.
const TEXT_BYTES_MAX: usize = 256;
/// Of them in one statement.
const CHUNK: usize = 200;
const COLUMNS: &str = "level, tenant, team, app, key, model, provider";
/// Stands for the models of a key that has named too many.
const OTHER: &str = "(other)";

/// Tenant, team, app, key, model, provider, as in [`Dimension::ALL`].
pub(super) type Dims = [Arc<str>; 6];

/// What a number stands for: a level, and what it tells apart.
type Numbered = (i64, Dims);

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
    if missing.is_empty() {
        return Ok(found);
    }
    let kept = bounded(&inner.writes, &missing).await?;
    let ids = number_all(&inner.writes, &kept).await?;
    for (dims, kept) in missing.into_iter().zip(&kept) {
        let of_level = |level: i64| ids.get(&(level, at_level(kept, level))).copied();
        let mut own = Ids::default();
        for (level, id) in (0i64..).zip(&mut own) {
            let made = of_level(level);
            *id =
                made.ok_or_else(|| StoreError::Unusable("what was just written is not there".to_owned()))?;
        }
        inner.dims.keep(dims.clone(), own);
        found.insert(dims, own);
    }
    Ok(found)
}

/// What each of `missing` is counted under: with another model, where its key has named too many. Two
/// nodes that count at once may go beyond the bound, by what they have in one batch.
async fn bounded(pool: &Pool<Db>, missing: &[Dims]) -> Result<Vec<Dims>, StoreError> {
    let whole: Vec<Numbered> = missing.iter().map(|dims| (LEVEL_WHOLE, dims.clone())).collect();
    let known = select(pool, &whole).await?;
    let mut room: HashMap<(Arc<str>, Arc<str>), i64> = HashMap::new();
    let mut kept = Vec::with_capacity(missing.len());
    for place in whole {
        if known.contains_key(&place) {
            kept.push(place.1);
            continue;
        }
        let (_, mut dims) = place;
        let [tenant, _, _, key, model, _] = &mut dims;
        if model.is_empty() {
            kept.push(dims);
            continue;
        }
        let whose = (tenant.clone(), key.clone());
        let left = match room.get(&whose) {
            Some(left) => *left,
            None => MODELS_PER_KEY_MAX - count(pool, tenant, key).await?,
        };
        room.insert(whose, left - 1);
        if left <= 0 {
            *model = Arc::from(OTHER);
        }
        kept.push(dims);
    }
    Ok(kept)
}

/// How many models a key is known with; at several providers, as many times.
async fn count(pool: &Pool<Db>, tenant: &str, key: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar(
        "SELECT COUNT(*) FROM usage_dims WHERE level = $1 AND key = $2 AND tenant = $3 AND model <> ''",
    );
    Ok(count.bind(LEVEL_WHOLE).bind(key.to_owned()).bind(tenant.to_owned()).fetch_one(pool).await?)
}

/// On all levels. Committed for itself: a number that is then not used does no harm.
async fn number_all(pool: &Pool<Db>, kept: &[Dims]) -> Result<HashMap<Numbered, i64>, StoreError> {
    let levels = 0..=LEVEL_WHOLE;
    let places = kept.iter().flat_map(|dims| levels.clone().map(move |level| (level, at_level(dims, level))));
    // In one order on all nodes.
    let places: BTreeSet<Numbered> = places.collect();
    let places: Vec<Numbered> = places.into_iter().collect();
    let mut known = select(pool, &places).await?;
    let new: Vec<Numbered> = places.into_iter().filter(|place| !known.contains_key(place)).collect();
    for chunk in new.chunks(CHUNK) {
        let mut query = QueryBuilder::<Db>::new("INSERT INTO usage_dims (");
        query.push(COLUMNS).push(") ");
        query.push_values(chunk, |mut row, (level, dims)| {
            row.push_bind(*level);
            for text in dims {
                row.push_bind(text.to_string());
            }
        });
        query.push(" ON CONFLICT DO NOTHING");
        query.build().execute(pool).await?;
    }
    known.extend(select(pool, &new).await?);
    Ok(known)
}

/// Those that are there.
async fn select(pool: &Pool<Db>, places: &[Numbered]) -> Result<HashMap<Numbered, i64>, StoreError> {
    let mut found = HashMap::with_capacity(places.len());
    for chunk in places.chunks(CHUNK) {
        let mut query = QueryBuilder::<Db>::new("SELECT id, ");
        query.push(COLUMNS).push(" FROM usage_dims WHERE (").push(COLUMNS).push(") IN (");
        query.push_values(chunk, |mut row, (level, dims)| {
            row.push_bind(*level);
            for text in dims {
                row.push_bind(text.to_string());
            }
        });
        query.push(")");
        for row in query.build().fetch_all(pool).await? {
            let text = |dimension: Dimension| -> Result<Arc<str>, StoreError> {
                let text: String = row.try_get(dimension.as_str())?;
                Ok(Arc::from(text))
            };
            let [tenant, team, app, key, model, provider] = Dimension::ALL.map(text);
            let dims = [tenant?, team?, app?, key?, model?, provider?];
            found.insert((row.try_get("level")?, dims), row.try_get("id")?);
        }
    }
    Ok(found)
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
