//! `tidegate models`.

use super::facts::{From, counted, json_lines, matches, origin, print, table};
use crate::catalog::{Class, Modality, Model, Rates, Service};
use clap::Args;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Examples:\n  tidegate models --search 'opus 4'\n  \
    tidegate models --provider mistral\n  \
    tidegate models --config conf/tidegate.toml --search gpt-5   with your own rows\n  \
    tidegate models --json | jq -r '.[] | select(.retires) | [.retires, .provider, .id] | @tsv' | sort\n\n\
    Prices are US dollars per million tokens of the standard service; --json has all of them.")]
pub struct Models {
    /// Only rows that hold all of these words in provider, id, name or aliases.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only models of this provider.
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Print everything as a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    from: From,
}

impl Models {
    pub fn run(self) -> ExitCode {
        let catalog = match self.from.open() {
            Ok(catalog) => catalog,
            Err(code) => return code,
        };
        if let Some(provider) = self.provider.as_deref()
            && catalog.provider(provider).is_none()
        {
            return super::fail(&format!("no provider `{provider}`: see `tidegate providers`"));
        }
        let mut models: Vec<Model<'_>> = catalog.models().filter(|model| self.wants(model)).collect();
        models.sort_by_key(|model| (model.provider().id.clone(), model.id().to_lowercase()));
        if self.json {
            return print(&json_lines(models.iter().map(described)));
        }
        let providers: BTreeSet<&str> = models.iter().map(|model| &*model.provider().id).collect();
        let priced = models.iter().filter(|model| model.priced().is_ok()).count();
        let own = models.iter().filter(|model| model.is_override()).count();
        let mut text = if models.is_empty() {
            String::new()
        } else {
            let head = ["MODEL", "CONTEXT", "OUTPUT", "$ IN", "$ OUT", "$ CACHED", "CAN", "NOTES"];
            table(&head, &[1, 2, 3, 4, 5], &models.iter().map(row).collect::<Vec<_>>()) + "\n"
        };
        let own = if own == 0 { String::new() } else { format!(", {own} from the configuration") };
        let (all, known) = (catalog.models().count(), catalog.providers().len());
        text += &format!(
            "{} of {}, {priced} with a known cost{own}; {} of {} in all.\n",
            counted(models.len(), "model"),
            counted(providers.len(), "provider"),
            counted(all, "model"),
            counted(known, "provider")
        );
        print(&(text + &origin(&catalog)))
    }

    fn wants(&self, model: &Model<'_>) -> bool {
        let place = format!("{}/{}", model.provider().id, model.id());
        let search = self.search.as_deref();
        let found = || {
            matches(search, &[&place, model.name()])
                || search.is_some_and(|search| {
                    let others: Vec<&str> = model.aliases().collect();
                    !others.is_empty() && matches(Some(search), &[&[&*place], others.as_slice()].concat())
                })
        };
        self.provider.as_deref().is_none_or(|id| *model.provider().id == *id) && found()
    }
}

fn row(model: &Model<'_>) -> Vec<String> {
    let rates = model.rates(Service::Standard, 0);
    let price = |class| {
        let price = rates.and_then(|rates: &Rates| rates.per_million(class));
        price.map_or_else(|| if model.is_free() { "free" } else { "-" }.to_owned(), |price| price.to_string())
    };
    let tokens = |count: Option<u32>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    vec![
        format!("{}/{}", model.provider().id, model.id()),
        tokens(model.context()),
        tokens(model.output_max()),
        price(Class::Input),
        price(Class::Output),
        price(Class::CacheRead),
        abilities(model),
        notes(model),
    ]
}

fn abilities(model: &Model<'_>) -> String {
    let mut words = Vec::new();
    let told =
        [(model.has_tools(), "tools"), (model.has_schema(), "schema"), (model.has_reasoning(), "reasoning")];
    words.extend(told.into_iter().filter(|(fact, _)| *fact == Some(true)).map(|(_, word)| word));
    let others = Modality::ALL.into_iter().filter(|modality| *modality != Modality::Text);
    words.extend(others.filter(|modality| model.takes(*modality)).map(Modality::as_str));
    words.join(" ")
}

fn notes(model: &Model<'_>) -> String {
    let mut notes = Vec::new();
    if model.is_override() {
        notes.push("your configuration".to_owned());
    }
    match model.retires() {
        Some(day) => notes.push(format!("retires {day}")),
        None if model.is_deprecated() => notes.push("deprecated".to_owned()),
        None => {}
    }
    let long = model.prices().iter().find(|rates| rates.service == Service::Standard && rates.above != 0);
    if let Some(long) = long {
        notes.push(format!("dearer above {}", long.above));
    }
    if model.has_fee() {
        notes.push("and a fee per call".to_owned());
    }
    notes.join(", ")
}

fn described(model: &Model<'_>) -> Value {
    let words = |has: &dyn Fn(Modality) -> bool| {
        Modality::ALL.into_iter().filter(|one| has(*one)).map(Modality::as_str).collect::<Vec<_>>()
    };
    let thinking = model.thinking().map(|style| format!("{style:?}").to_lowercase());
    let protocols = model.protocols().iter().map(|protocol| protocol.as_str());
    json!({
        "provider": *model.provider().id,
        "id": model.id(),
        "name": model.name(),
        "aliases": model.aliases().collect::<Vec<_>>(),
        "protocols": protocols.collect::<Vec<_>>(),
        "context": model.context(),
        "output": model.output_max(),
        "in": words(&|one| model.takes(one)),
        "out": words(&|one| model.gives(one)),
        "tools": model.has_tools(),
        "schema": model.has_schema(),
        "reasoning": model.has_reasoning(),
        "sampling": model.has_sampling(),
        "thinking": thinking,
        "efforts": model.efforts().map(|effort| effort.as_str()).collect::<Vec<_>>(),
        "signatures": model.has_signatures(),
        "tokenizer": model.tokenizer().as_str(),
        "prices": model.prices().iter().map(prices).collect::<Vec<_>>(),
        "free": model.is_free(),
        "fee": model.has_fee(),
        "released": model.released().map(|day| day.to_string()),
        "deprecated": model.is_deprecated(),
        "retires": model.retires().map(|day| day.to_string()),
        "source": model.source(),
        "as_of": model.as_of().map(|day| day.to_string()),
        "override": model.is_override(),
    })
}

/// Amounts are text: a JSON number would be read as a float.
fn prices(rates: &Rates) -> Value {
    let mut fields = Map::new();
    fields.insert("service".to_owned(), rates.service.as_str().into());
    fields.insert("above".to_owned(), rates.above.into());
    let stated = Class::ALL.into_iter().filter_map(|class| Some((class, rates.per_million(class)?)));
    fields.extend(stated.map(|(class, price)| (class.as_str().to_owned(), price.to_string().into())));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn a_row_tells_limits_prices_and_abilities() {
        let catalog = Catalog::builtin();
        let model = catalog.find("google", "gemini-2.5-pro").unwrap().model;
        let cells = row(&model);
        assert_eq!(cells.first().unwrap(), "google/gemini-2.5-pro");
        assert_eq!(cells.get(6).unwrap(), "tools schema reasoning image audio video pdf");
        assert_eq!(cells.get(7).unwrap(), "dearer above 200000");
        let json = described(&model);
        assert_eq!(json["prices"][0]["service"], "standard");
        assert_eq!(json["prices"][0]["input"].as_str(), Some(cells[3].as_str()));
    }

    #[test]
    fn a_search_finds_aliases_too() {
        let from = || From::default();
        let models = |search: &str| Models {
            search: Some(search.to_owned()),
            provider: None,
            json: false,
            from: from(),
        };
        let catalog = Catalog::builtin();
        let found = |search| catalog.models().filter(|model| models(search).wants(model)).count();
        assert_eq!(found("openai gpt-5-2025-08-07"), found("openai gpt-5-2025-08-07 gpt"));
        assert!(found("openai gpt-5-2025-08-07") >= 1);
        assert_eq!(found("no such words at all"), 0);
    }
}
