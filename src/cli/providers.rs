//! `tidegate providers`.

use super::facts::{From, counted, json_lines, matches, origin, print, table};
use crate::catalog::{Catalog, Meaning, Provider};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Examples:\n  tidegate providers --search claude\n  \
    tidegate providers --json | jq -r '.[] | select(.protocols | index(\"messages\")) | .id'\n\n\
    An id is what `kind` of [providers.NAME] takes. {region}, {account} … in an address are yours to fill in.")]
pub struct Providers {
    /// Only providers that hold all of these words in id, name, address or protocols.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Print everything as a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    from: From,
}

impl Providers {
    pub fn run(self) -> ExitCode {
        let catalog = match self.from.open() {
            Ok(catalog) => catalog,
            Err(code) => return code,
        };
        let counts = by_provider(&catalog);
        let count = |provider: &Provider| counts.get(&*provider.id).copied().unwrap_or_default();
        let mut found: Vec<&Provider> =
            catalog.providers().iter().filter(|provider| self.wants(provider)).collect();
        found.sort_by_key(|provider| provider.id.clone());
        if self.json {
            return print(&json_lines(found.iter().map(|provider| described(provider, count(provider)))));
        }
        let row = |provider: &&Provider| {
            vec![
                provider.id.to_string(),
                protocols(provider).join(" "),
                provider.auth.word(),
                provider.base_url.as_deref().unwrap_or("(yours)").to_owned(),
                count(provider).to_string(),
                provider.env.first().map(ToString::to_string).unwrap_or_default(),
            ]
        };
        let mut text = if found.is_empty() {
            String::new()
        } else {
            let head = ["PROVIDER", "PROTOCOLS", "CREDENTIAL", "ADDRESS", "MODELS", "SDK VARIABLE"];
            table(&head, &[4], &found.iter().map(row).collect::<Vec<_>>()) + "\n"
        };
        let models: usize = found.iter().map(|provider| count(provider)).sum();
        text += &format!(
            "{} with {}; {} in all.\n",
            counted(found.len(), "provider"),
            counted(models, "model"),
            counted(catalog.providers().len(), "provider")
        );
        print(&(text + &origin(&catalog)))
    }

    fn wants(&self, provider: &Provider) -> bool {
        let address = provider.base_url.as_deref().unwrap_or_default();
        let protocols = protocols(provider).join(" ");
        matches(self.search.as_deref(), &[&provider.id, &provider.name, address, &protocols])
    }
}

/// Models by provider, the configuration's included.
fn by_provider(catalog: &Catalog) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for model in catalog.models() {
        *counts.entry(&*model.provider().id).or_default() += 1;
    }
    counts
}

fn protocols(provider: &Provider) -> Vec<&'static str> {
    provider.protocols.iter().map(|protocol| protocol.as_str()).collect()
}

fn described(provider: &Provider, models: usize) -> Value {
    let addresses: BTreeMap<&str, &str> =
        provider.base_urls.iter().map(|(protocol, url)| (protocol.as_str(), &**url)).collect();
    let errors: BTreeMap<&str, &str> = provider
        .errors
        .iter()
        .map(|(code, meaning): &(Box<str>, Meaning)| (&**code, meaning.as_str()))
        .collect();
    let limits = &provider.limits;
    json!({
        "id": *provider.id,
        "name": *provider.name,
        "maker": provider.is_maker,
        "protocols": protocols(provider),
        "base_url": provider.base_url.as_deref(),
        "base_urls": addresses,
        "auth": provider.auth.word(),
        "env": provider.env.iter().map(|name| &**name).collect::<Vec<_>>(),
        "doc": provider.doc.as_deref(),
        "quirks": provider.quirks.iter().map(|quirk| quirk.as_str()).collect::<Vec<_>>(),
        "limits": {
            "limit_requests": limits.limit_requests.as_deref(),
            "remaining_requests": limits.remaining_requests.as_deref(),
            "reset_requests": limits.reset_requests.as_deref(),
            "limit_tokens": limits.limit_tokens.as_deref(),
            "remaining_tokens": limits.remaining_tokens.as_deref(),
            "reset_tokens": limits.reset_tokens.as_deref(),
        },
        "errors": errors,
        "models": models,
        "source": *provider.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_what_it_speaks() {
        let search =
            |text: &str| Providers { search: Some(text.to_owned()), json: false, from: From::default() };
        let catalog = Catalog::builtin();
        let found = |text| catalog.providers().iter().filter(|one| search(text).wants(one)).count();
        assert_eq!(found("converse"), 1);
        assert!(found("messages") >= 5);
        let bedrock = catalog.provider("amazon-bedrock").unwrap();
        let json = described(bedrock, 1);
        assert_eq!((&json["auth"], &json["errors"]["ThrottlingException"]), (&json!("aws"), &json!("limit")));
    }
}
