//! Rows a user writes: over those of the file, or new ones.

use super::price::{self, PriceError, Rates};
use super::row::Facts;
use super::table::{Builder, Table};
use super::{Catalog, Model, Provider, Tokenizer, draft};
use crate::chat::{Effort, ThinkingStyle};
use std::sync::Arc;

/// What a user says of one model; None leaves what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelOverride {
    /// A provider of the catalogue, or the name of a configured one.
    pub provider: String,
    pub id: String,
    /// The row to start from (`provider`, `name`), where it is not the one of the same name. Its price
    /// comes along.
    pub like: Option<(String, String)>,
    pub name: Option<String>,
    pub aliases: Option<Vec<String>>,
    pub context: Option<u32>,
    pub output: Option<u32>,
    pub tools: Option<bool>,
    pub schema: Option<bool>,
    pub reasoning: Option<bool>,
    pub sampling: Option<bool>,
    pub thinking: Option<ThinkingStyle>,
    pub efforts: Option<Vec<Effort>>,
    /// With `efforts`: `none` is one of its words.
    pub has_no_effort: bool,
    pub tokenizer: Option<Tokenizer>,
    /// It costs nothing, and no price of the file holds.
    pub is_free: bool,
    /// Replaces all price lists.
    pub prices: Option<Vec<Rates>>,
}

/// Why an override cannot be laid over the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    #[error("{0}")]
    Fault(String),
    #[error(transparent)]
    Price(#[from] PriceError),
    #[error("free, and priced")]
    FreeAndPriced,
    #[error("the catalogue has no `{0}`")]
    NoSuchRow(String),
    #[error("two rows are called {0}")]
    Twice(String),
}

impl ModelOverride {
    /// An override that says nothing yet, by the key `PROVIDER/MODEL`.
    pub fn of(key: &str) -> Option<Self> {
        let (provider, id) =
            key.split_once('/').filter(|(provider, id)| !provider.is_empty() && !id.is_empty())?;
        Some(Self { provider: provider.to_owned(), id: id.to_owned(), ..Self::default() })
    }
}

impl Catalog {
    /// This catalogue with `overrides` in place of those it has. Other providers' rows and the file's
    /// stay as they are.
    ///
    /// # Errors
    /// Which override cannot be, and why. Nothing has changed then.
    pub fn with_overrides(&self, overrides: &[ModelOverride]) -> Result<Self, (usize, OverrideError)> {
        if overrides.is_empty() {
            return Ok(Self { own: Arc::new(Table::empty(true)), ..self.clone() });
        }
        let mut providers: Vec<&str> = overrides.iter().map(|one| one.provider.as_str()).collect();
        providers.sort_unstable();
        providers.dedup();
        let mut builder = Builder::default();
        let fault = |fault: String| OverrideError::Fault(fault);
        for id in providers {
            let described = self.base_provider(id).unwrap_or_else(|| Provider::unknown(id));
            let its = || overrides.iter().enumerate().filter(|(_, one)| one.provider == id);
            let first = its().next().map_or(0, |(at, _)| at);
            builder.provider(described).map_err(|told| (first, fault(told)))?;
            for (at, one) in its() {
                let facts = self.changed(one).map_err(|error| (at, error))?;
                builder.model(&facts).map_err(|told| (at, fault(told)))?;
            }
        }
        let last = overrides.len().saturating_sub(1);
        let own = builder.finish(true).map_err(|place| (last, OverrideError::Twice(place)))?;
        Ok(Self { own: Arc::new(own), ..self.clone() })
    }

    fn base_provider(&self, id: &str) -> Option<Provider> {
        self.base.providers.get(usize::from(self.base.provider(id)?)).cloned()
    }

    fn base_model(&self, provider: &str, id: &str) -> Option<Model<'_>> {
        let provider = self.base.provider(provider)?;
        let row = self.base.named(provider, id).or_else(|| self.base.aliased(provider, id))?;
        Model::new(&self.base, row)
    }

    fn changed(&self, one: &ModelOverride) -> Result<Facts, OverrideError> {
        let mut facts = match &one.like {
            Some((provider, id)) => {
                let model = self.base_model(provider, id);
                let model = model.ok_or_else(|| OverrideError::NoSuchRow(format!("{provider}/{id}")))?;
                // Another model: what it is called and where it is served is not inherited.
                Facts {
                    name: None,
                    aliases: Vec::new(),
                    protocols: Vec::new(),
                    base_url: None,
                    ..model.facts()
                }
            }
            None => self.base_model(&one.provider, &one.id).map(|model| model.facts()).unwrap_or_default(),
        };
        facts.id = draft::checked_name(&one.id).map_err(OverrideError::Fault)?.to_owned();
        facts.aliases.retain(|alias| !alias.eq_ignore_ascii_case(&one.id));
        facts.source = "configuration".to_owned();
        facts.as_of = None;
        replace(&mut facts.name, one.name.clone());
        replace(&mut facts.context, one.context);
        replace(&mut facts.output, one.output);
        replace(&mut facts.tools, one.tools);
        replace(&mut facts.schema, one.schema);
        replace(&mut facts.reasoning, one.reasoning);
        replace(&mut facts.sampling, one.sampling);
        replace(&mut facts.thinking, one.thinking);
        replace(&mut facts.tokenizer, one.tokenizer);
        if let Some(aliases) = &one.aliases {
            for alias in aliases {
                draft::checked_name(alias).map_err(OverrideError::Fault)?;
            }
            facts.aliases.clone_from(aliases);
        }
        if let Some(efforts) = &one.efforts {
            facts.efforts.clone_from(efforts);
            facts.has_no_effort = one.has_no_effort;
        }
        if one.is_free {
            facts.prices = Vec::new();
            facts.is_free = true;
        }
        if let Some(prices) = &one.prices {
            if one.is_free {
                return Err(OverrideError::FreeAndPriced);
            }
            facts.prices = price::checked(prices.clone())?;
            (facts.is_free, facts.has_fee) = (false, false);
        }
        Ok(facts)
    }
}

fn replace<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Class, Service};
    use crate::types::Money;

    fn priced(input: &str) -> Vec<Rates> {
        let mut rates = Rates::new(Service::Standard, 0);
        rates.set(Class::Input, input).unwrap();
        vec![rates]
    }

    fn with(overrides: &[ModelOverride]) -> Catalog {
        Catalog::builtin().with_overrides(overrides).unwrap()
    }

    fn input(catalog: &Catalog, provider: &str, id: &str) -> Option<Money> {
        let model = catalog.find(provider, id)?.model;
        model.rates(Service::Standard, 1)?.per_million(Class::Input)
    }

    #[test]
    fn an_override_changes_what_it_names_and_keeps_the_rest() {
        let changed =
            ModelOverride { prices: Some(priced("0.5")), ..ModelOverride::of("openai/gpt-5").unwrap() };
        let catalog = with(&[changed]);
        let found = catalog.find("openai", "gpt-5").unwrap().model;
        assert!(found.is_override());
        assert_eq!(found.source(), "configuration");
        assert_eq!(input(&catalog, "openai", "gpt-5"), Some(Money::parse("0.5").unwrap()));
        assert_eq!(
            input(&catalog, "openai", "gpt-5-2025-08-07"),
            Some(Money::parse("0.5").unwrap()),
            "by its alias"
        );
        assert_eq!(
            found.output_max(),
            Catalog::builtin().find("openai", "gpt-5").unwrap().model.output_max()
        );
        let rows =
            catalog.models().filter(|model| model.id() == "gpt-5" && &*model.provider().id == "openai");
        assert_eq!(rows.count(), 1);
        assert_ne!(input(&Catalog::builtin(), "openai", "gpt-5"), Some(Money::parse("0.5").unwrap()));
    }

    #[test]
    fn a_row_is_added_for_a_provider_of_the_user() {
        let like = Some(("openai".to_owned(), "gpt-4o".to_owned()));
        let tuned = ModelOverride { like, ..ModelOverride::of("lab/ft:gpt-4o:me::1").unwrap() };
        let free = ModelOverride { is_free: true, ..ModelOverride::of("lab/org/qwen").unwrap() };
        let catalog = with(&[tuned, free]);
        assert_eq!(input(&catalog, "lab", "ft:gpt-4o:me::1"), input(&catalog, "openai", "gpt-4o"));
        assert!(catalog.find("lab", "org/qwen").unwrap().model.is_free());
        assert!(catalog.find("openai", "ft:gpt-4o:me::1").is_none());
        assert_eq!(catalog.find_name("org/qwen").unwrap().model.provider().id.as_ref(), "lab");
    }

    #[test]
    fn an_override_that_cannot_be_is_named() {
        let refused = |one: ModelOverride| Catalog::builtin().with_overrides(&[one]).unwrap_err();
        let like = Some(("openai".to_owned(), "gpt-99".to_owned()));
        let one = ModelOverride { like, ..ModelOverride::of("openai/x").unwrap() };
        assert_eq!(refused(one), (0, OverrideError::NoSuchRow("openai/gpt-99".to_owned())));
        let one = ModelOverride {
            is_free: true,
            prices: Some(priced("1")),
            ..ModelOverride::of("openai/x").unwrap()
        };
        assert_eq!(refused(one), (0, OverrideError::FreeAndPriced));
        let one = ModelOverride { prices: Some(Vec::new()), ..ModelOverride::of("openai/x").unwrap() };
        assert_eq!(refused(one), (0, OverrideError::Price(PriceError::NoStandard)));
        assert_eq!(ModelOverride::of("gpt-5"), None);
    }
}
