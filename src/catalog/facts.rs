//! The whole: what a file says, and what the configuration says over it.

use super::table::Table;
use super::{Day, Model, Provider};
use std::fmt;
use std::sync::Arc;

/// Facts of providers and models. Cheap to clone; immutable.
#[derive(Clone)]
pub struct Catalog {
    pub(super) made: Option<Day>,
    pub(super) sources: Arc<[Source]>,
    pub(super) base: Arc<Table>,
    /// Rows of the configuration: they come first.
    pub(super) own: Arc<Table>,
}

/// Where facts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub id: Box<str>,
    pub version: Box<str>,
    pub licence: Box<str>,
    /// The day of its newest statement.
    pub as_of: Day,
}

impl Catalog {
    /// A catalogue that knows nothing.
    pub fn empty() -> Self {
        Self {
            made: None,
            sources: Arc::new([]),
            base: Arc::new(Table::empty(false)),
            own: Arc::new(Table::empty(true)),
        }
    }

    /// The day the file was made.
    pub fn made(&self) -> Option<Day> {
        self.made
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// A provider by its id.
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        let mut tables = [&self.base, &self.own].into_iter();
        tables.find_map(|table| table.providers.get(usize::from(table.provider(id)?)))
    }

    /// The providers of the file, by id.
    pub fn providers(&self) -> &[Provider] {
        &self.base.providers
    }

    /// Every row: the configuration's, then those of the file it does not replace, by provider and id.
    pub fn models(&self) -> impl Iterator<Item = Model<'_>> {
        let is_replaced = |model: &Model<'_>| {
            let own = self.own.provider(&model.provider().id);
            own.is_some_and(|provider| self.own.named(provider, model.id()).is_some())
        };
        let own = self.own.rows.iter().filter_map(|row| Model::new(&self.own, row));
        let base = self.base.rows.iter().filter_map(|row| Model::new(&self.base, row));
        own.chain(base.filter(move |model| !is_replaced(model)))
    }

    /// Bytes its rows take in memory.
    pub fn bytes(&self) -> usize {
        self.base.bytes() + self.own.bytes()
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        [&*self.own, &*self.base].into_iter()
    }
}

/// Its size only: a thousand rows help nobody.
impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (own, base) = (self.own.rows.len(), self.base.rows.len());
        write!(f, "Catalog({} providers, {base} models, {own} overrides)", self.base.providers.len())
    }
}
