//! Many rows, small and quick to find: sorted arrays, one string for all names, each price list once.

use super::price::Rates;
use super::row::{Bits, Facts, Row};
use super::text::{Span, Strings};
use super::{Day, Provider, Tokenizer};
use crate::types::Protocol;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Rows of a table; a file with more is no catalogue.
pub(super) const ROWS_MAX: usize = 200_000;
/// Providers of a table.
pub(super) const PROVIDERS_MAX: usize = 4096;

/// Immutable. Rows lie by provider, then by name without regard to case.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Rows of a configuration, not of a file.
    pub is_own: bool,
    strings: Strings,
    pub providers: Box<[Provider]>,
    /// Places of `providers` by the length of their id, then by id.
    order: Box<[u16]>,
    /// First row of each provider, and the end.
    starts: Box<[u32]>,
    pub rows: Vec<Row>,
    aliases: Vec<Alias>,
    /// All rows by name.
    by_name: Vec<u32>,
    lists: Vec<Range<u32>>,
    rates: Vec<Rates>,
    sources: Vec<Box<str>>,
    protocols: Vec<Box<[Protocol]>>,
}

#[derive(Clone, Copy, Debug)]
struct Alias {
    provider: u16,
    name: Span,
    row: u32,
}

/// Collects rows. Two rows of one provider with one name are an error when it finishes.
#[derive(Default)]
pub(super) struct Builder {
    strings: Strings,
    providers: Vec<Provider>,
    rows: Vec<Row>,
    aliases: Vec<Alias>,
    lists: Vec<Range<u32>>,
    /// Places of price lists by their hash.
    list_places: HashMap<u64, u32>,
    rates: Vec<Rates>,
    sources: Vec<Box<str>>,
    protocols: Vec<Box<[Protocol]>>,
}

/// Order without regard to the case of ASCII letters.
pub(super) fn folded(one: &str, other: &str) -> Ordering {
    let fold = |b: u8| b.to_ascii_lowercase();
    one.bytes().map(fold).cmp(other.bytes().map(fold))
}

impl Builder {
    /// With room for so many: growing step by step would leave an allocator with more than the table
    /// takes.
    pub(super) fn with_room(models: usize) -> Self {
        let rows = models.min(ROWS_MAX);
        Self {
            strings: Strings::with_capacity(rows * 48),
            rows: Vec::with_capacity(rows),
            rates: Vec::with_capacity(rows / 2),
            ..Self::default()
        }
    }

    pub(super) fn providers(&self) -> usize {
        self.providers.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Adds a provider; the rows that follow are its. The error says what is wrong.
    pub(super) fn provider(&mut self, provider: Provider) -> Result<(), String> {
        if self.providers.len() == PROVIDERS_MAX {
            return Err(format!("more than {PROVIDERS_MAX} providers"));
        }
        if self.providers.iter().any(|other| other.id == provider.id) {
            return Err("this provider is described twice".to_owned());
        }
        self.providers.push(provider);
        Ok(())
    }

    /// Adds a row of the last provider. The error says what is wrong.
    pub(super) fn model(&mut self, facts: &Facts) -> Result<(), String> {
        const TOO_LONG: &str = "a name is too long, or there are too many";
        let provider = self.providers.len().checked_sub(1).and_then(|last| u16::try_from(last).ok());
        let provider = provider.ok_or("a model without a provider")?;
        if self.rows.len() == ROWS_MAX {
            return Err(format!("more than {ROWS_MAX} models"));
        }
        let mut span = |text: &str| self.strings.add(text).ok_or(TOO_LONG);
        let name = facts.name.as_deref().filter(|name| *name != facts.id).unwrap_or_default();
        let (id, name) = (span(&facts.id)?, span(name)?);
        let base_url = span(facts.base_url.as_deref().unwrap_or_default())?;
        let row = u32::try_from(self.rows.len()).map_err(|_| TOO_LONG)?;
        for alias in &facts.aliases {
            self.aliases.push(Alias { provider, name: span(alias)?, row });
        }
        let row = Row {
            id,
            name,
            base_url,
            context: facts.context.unwrap_or(0),
            output: facts.output.unwrap_or(0),
            prices: self.list(&facts.prices).ok_or(TOO_LONG)?,
            bits: Bits::new(facts),
            provider,
            released: Day::to_raw(facts.released),
            retires: Day::to_raw(facts.retires),
            as_of: Day::to_raw(facts.as_of),
            source: interned(&mut self.sources, facts.source.as_str()).ok_or(TOO_LONG)?,
            protocols: interned(&mut self.protocols, facts.protocols.as_slice()).ok_or(TOO_LONG)?,
            tokenizer: facts.tokenizer.unwrap_or(Tokenizer::Other),
        };
        self.rows.push(row);
        Ok(())
    }

    /// One more than the place of a price list; equal lists share it.
    fn list(&mut self, list: &[Rates]) -> Option<u32> {
        if list.is_empty() {
            return Some(0);
        }
        let mut hasher = DefaultHasher::new();
        list.hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(place) = self.list_places.get(&hash)
            && rates_at(&self.lists, &self.rates, *place) == list
        {
            return Some(*place);
        }
        let start = u32::try_from(self.rates.len()).ok()?;
        self.rates.extend_from_slice(list);
        self.lists.push(start..u32::try_from(self.rates.len()).ok()?);
        let place = u32::try_from(self.lists.len()).ok()?;
        self.list_places.insert(hash, place);
        Some(place)
    }

    /// The table. The error names two rows that cannot be told apart, as `provider/name`.
    pub(super) fn finish(mut self, is_own: bool) -> Result<Table, String> {
        let strings = std::mem::take(&mut self.strings);
        // Aliases name their row by its id until the rows have their places.
        let key = |row: &Row| (row.provider, strings.get(row.id));
        let ids: Vec<Span> =
            self.aliases.iter().filter_map(|a| Some(self.rows.get(a.row as usize)?.id)).collect();
        self.rows.sort_by(|one, other| by_key(key(one), key(other)));
        for (alias, id) in self.aliases.iter_mut().zip(ids) {
            let own = (alias.provider, strings.get(id));
            let place = self.rows.partition_point(|row| by_key(key(row), own) == Ordering::Less);
            alias.row = u32::try_from(place).unwrap_or(u32::MAX);
        }
        self.aliases.sort_by(|one, other| {
            by_key((one.provider, strings.get(one.name)), (other.provider, strings.get(other.name)))
        });
        let order = self.provider_order();
        let table = Table {
            is_own,
            strings,
            order,
            providers: self.providers.into_boxed_slice(),
            rows: self.rows,
            aliases: self.aliases,
            lists: self.lists,
            rates: self.rates,
            sources: self.sources,
            protocols: self.protocols,
            ..Table::default()
        };
        table.indexed()
    }

    fn provider_order(&self) -> Box<[u16]> {
        let mut order: Vec<u16> = (0..).take(self.providers.len()).collect();
        let id = |at: &u16| self.providers.get(usize::from(*at)).map_or("", |provider| &*provider.id);
        order.sort_by(|one, other| by_length(id(one), id(other)));
        order.into_boxed_slice()
    }
}

/// The price list at one less than `place`.
fn rates_at<'r>(lists: &[Range<u32>], rates: &'r [Rates], place: u32) -> &'r [Rates] {
    let list = (place as usize).checked_sub(1).and_then(|at| lists.get(at));
    list.and_then(|list| rates.get(list.start as usize..list.end as usize)).unwrap_or(&[])
}

/// The length first, so that few texts are compared byte by byte.
fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn by_key(one: (u16, &str), other: (u16, &str)) -> Ordering {
    one.0.cmp(&other.0).then_with(|| folded(one.1, other.1))
}

/// The place of `value` in `list`, at whose end it is put where it is not yet in it.
fn interned<T: PartialEq + ?Sized>(list: &mut Vec<Box<T>>, value: &T) -> Option<u16>
where
    Box<T>: for<'a> From<&'a T>,
{
    let at = list.iter().position(|known| **known == *value).unwrap_or_else(|| {
        list.push(value.into());
        list.len() - 1
    });
    u16::try_from(at).ok()
}

impl Table {
    pub(super) fn empty(is_own: bool) -> Self {
        Self { is_own, ..Self::default() }
    }

    fn indexed(mut self) -> Result<Self, String> {
        for pair in self.rows.windows(2) {
            if let [one, other] = pair
                && by_key((one.provider, self.id(one)), (other.provider, self.id(other))) == Ordering::Equal
            {
                return Err(self.place(one));
            }
        }
        for alias in &self.aliases {
            let name = self.strings.get(alias.name);
            if let Some(row) = self.rows.get(alias.row as usize)
                && (self.named(alias.provider, name).is_some()
                    || self.alias_rows(alias.provider, name).count() > 1)
            {
                return Err(self.place(row));
            }
        }
        let ends = (0..=self.providers.len()).map(|at| {
            let before = self.rows.partition_point(|row| usize::from(row.provider) < at);
            u32::try_from(before).unwrap_or(u32::MAX)
        });
        let starts = ends.collect();
        let mut by_name: Vec<u32> = (0..).take(self.rows.len()).collect();
        by_name.sort_by(|one, other| folded(self.id_at(*one), self.id_at(*other)));
        self.starts = starts;
        self.by_name = by_name;
        Ok(self)
    }

    pub(super) fn id(&self, row: &Row) -> &str {
        self.strings.get(row.id)
    }

    fn id_at(&self, at: u32) -> &str {
        self.rows.get(at as usize).map_or("", |row| self.id(row))
    }

    pub(super) fn text(&self, span: Span) -> &str {
        self.strings.get(span)
    }

    pub(super) fn source(&self, row: &Row) -> &str {
        self.sources.get(usize::from(row.source)).map_or("", AsRef::as_ref)
    }

    pub(super) fn protocols(&self, row: &Row) -> &[Protocol] {
        self.protocols.get(usize::from(row.protocols)).map_or(&[], AsRef::as_ref)
    }

    pub(super) fn prices(&self, row: &Row) -> &[Rates] {
        rates_at(&self.lists, &self.rates, row.prices)
    }

    fn place(&self, row: &Row) -> String {
        let provider = self.providers.get(usize::from(row.provider)).map_or("", |provider| &provider.id);
        format!("{provider}/{}", self.id(row))
    }

    /// The place of a provider.
    pub(super) fn provider(&self, id: &str) -> Option<u16> {
        let id_at = |at: &u16| self.providers.get(usize::from(*at)).map_or("", |provider| &*provider.id);
        let found = self.order.binary_search_by(|at| by_length(id_at(at), id)).ok()?;
        self.order.get(found).copied()
    }

    /// The rows of a provider, in order.
    pub(super) fn rows_of(&self, provider: u16) -> &[Row] {
        let at = |place: usize| self.starts.get(place).map(|start| *start as usize);
        let place = usize::from(provider);
        at(place).zip(at(place + 1)).and_then(|(from, to)| self.rows.get(from..to)).unwrap_or(&[])
    }

    /// The row with this very id, whatever its case.
    pub(super) fn named(&self, provider: u16, id: &str) -> Option<&Row> {
        let key = |row: &Row| by_key((row.provider, self.id(row)), (provider, id));
        self.rows.binary_search_by(key).ok().and_then(|at| self.rows.get(at))
    }

    /// The row that says it is also called so.
    pub(super) fn aliased(&self, provider: u16, name: &str) -> Option<&Row> {
        self.alias_rows(provider, name).next()
    }

    fn alias_rows(&self, provider: u16, name: &str) -> impl Iterator<Item = &Row> {
        let key =
            move |alias: &Alias| by_key((alias.provider, self.strings.get(alias.name)), (provider, name));
        let start = self.aliases.partition_point(|alias| key(alias) == Ordering::Less);
        let equal = self.aliases.iter().skip(start).take_while(move |alias| key(alias) == Ordering::Equal);
        equal.filter_map(|alias| self.rows.get(alias.row as usize))
    }

    /// The rows of a provider whose ids begin with `start`, whatever its case.
    pub(super) fn beginning(&self, provider: u16, start: &str) -> impl Iterator<Item = &Row> + Clone {
        let rows = self.rows_of(provider);
        let from = rows.partition_point(|row| folded(self.id(row), start) == Ordering::Less);
        let begins = move |row: &&Row| {
            self.id(row).get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        };
        rows.iter().skip(from).take_while(begins)
    }

    /// Rows of any provider with this very id, whatever its case.
    pub(super) fn anywhere(&self, id: &str) -> impl Iterator<Item = &Row> {
        let start = self.by_name.partition_point(|at| folded(self.id_at(*at), id) == Ordering::Less);
        let equal = self
            .by_name
            .iter()
            .skip(start)
            .take_while(move |at| folded(self.id_at(**at), id) == Ordering::Equal);
        equal.filter_map(|at| self.rows.get(*at as usize))
    }

    /// What the row is also called.
    pub(super) fn aliases(&self, row: &Row) -> impl Iterator<Item = &str> {
        let id = row.id;
        let is_its = move |alias: &&Alias| {
            alias.provider == row.provider
                && self.rows.get(alias.row as usize).is_some_and(|row| row.id == id)
        };
        self.aliases.iter().filter(is_its).map(|alias| self.strings.get(alias.name))
    }

    /// Bytes the rows take, providers aside.
    pub(super) fn bytes(&self) -> usize {
        self.strings.bytes()
            + size_of_val(self.rows.as_slice())
            + size_of_val(self.aliases.as_slice())
            + size_of_val(self.by_name.as_slice())
            + size_of_val(self.lists.as_slice())
            + size_of_val(self.rates.as_slice())
    }
}
