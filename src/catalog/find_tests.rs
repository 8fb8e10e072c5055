//! Names and the rows they find, or do not: a wrong row would be a wrong price that nobody sees.

use super::{Catalog, Class, Match, Service};

/// A file of one provider `lab`, which makes its models, and a `shop` that sells them.
fn catalog() -> Catalog {
    let lab = [
        row("sun", "1", "\"aliases\":[\"sun-latest\"],"),
        row("sun-2026-01-01", "1", ""),
        row("moon", "1", ""),
        row("moon-2026-01-01", "9", ""),
        row("star-20250101", "2", ""),
        row("star-20260101", "2", ""),
        row("comet-20250101", "2", ""),
        row("comet-20260101", "3", ""),
        row("sun-mini", "0.1", ""),
    ];
    let shop = [row("lab/sun", "2", ""), row("rock", "2", ""), row("moon", "2", "")];
    let provider = |id: &str, maker: bool, rows: &[String]| {
        let head = format!(
            "{{\"provider\":\"{id}\",\"maker\":{maker},\"protocols\":[\"chat\"],\"auth\":\"none\",\"source\":\"x\"}}"
        );
        format!("{head}\n{}\n", rows.join("\n"))
    };
    let count = lab.len() + shop.len();
    let head = format!(
        "{{\"format\":1,\"made\":\"2026-11-21\",\"sources\":[],\"providers\":2,\"models\":{count}}}\n"
    );
    Catalog::load([head, provider("shop", false, &shop), provider("lab", true, &lab)].concat().as_bytes())
        .unwrap()
}

fn row(id: &str, input: &str, more: &str) -> String {
    format!("{{\"id\":\"{id}\",{more}\"source\":\"x\",\"prices\":[{{\"input\":\"{input}\"}}]}}")
}

#[test]
fn a_name_finds_its_row_by_the_documented_rules_only() {
    let catalog = catalog();
    for (name, found) in [
        ("sun", Some(("sun", Match::Id))),
        ("SUN", Some(("sun", Match::Id))),
        ("sun-latest", Some(("sun", Match::Alias))),
        ("models/sun", Some(("sun", Match::Wrapped))),
        ("publishers/lab/models/sun-latest", Some(("sun", Match::Wrapped))),
        ("sun-2026-01-01", Some(("sun-2026-01-01", Match::Id))),
        ("sun-2026-05-05", Some(("sun", Match::Dated))),
        ("sun@20260505", Some(("sun", Match::Dated))),
        ("models/sun-20260505", Some(("sun", Match::Dated))),
        ("star", Some(("star-20260101", Match::Dated))),
        // The dates of one name differ in price: which is meant would be a guess.
        ("moon-2026-05-05", None),
        ("comet", None),
        // A date nobody lists, of a name nobody lists without one.
        ("star-20240101", None),
        ("su", None),
        ("sunny", None),
        ("sun-max", None),
        ("sun-2512", None),
        ("sun-2026-13-01", None),
        ("ft:sun:me::1", None),
        ("lab/sun", None),
        ("", None),
    ] {
        let result = catalog.find("lab", name).map(|found| (found.model.id(), found.how));
        assert_eq!(result, found, "{name}");
    }
    assert!(catalog.find("nobody", "sun").is_none());
    assert!(catalog.find("shop", "sun").is_none(), "another provider's row");
}

#[test]
fn a_bare_name_means_the_makers_row_or_the_only_one() {
    let catalog = catalog();
    let found = |name| catalog.find_name(name).map(|found| format!("{:?}", found.model));
    assert_eq!(found("moon").as_deref(), Some("lab/moon"));
    assert_eq!(found("lab/moon").as_deref(), Some("lab/moon"));
    assert_eq!(found("lab/sun").as_deref(), Some("lab/sun"));
    assert_eq!(found("rock").as_deref(), Some("shop/rock"));
    assert_eq!(found("sun-2026-05-05").as_deref(), Some("lab/sun"));
    assert_eq!(found("sand"), None);
}

#[test]
fn every_row_is_found_by_its_own_names() {
    let catalog = Catalog::builtin();
    for model in catalog.models() {
        let provider = &model.provider().id;
        let found = catalog.find(provider, model.id()).unwrap();
        assert_eq!((found.model.id(), found.how), (model.id(), Match::Id), "{model:?}");
        for alias in model.aliases() {
            let found = catalog.find(provider, alias).unwrap();
            assert_eq!((found.model.id(), found.how), (model.id(), Match::Alias), "{model:?}: {alias}");
        }
    }
}

#[test]
fn names_as_clients_send_them_find_the_right_price() {
    let catalog = Catalog::builtin();
    let input = |provider, name| {
        let rates = catalog.find(provider, name)?.model.rates(Service::Standard, 1)?;
        rates.per_million(Class::Input).map(|price| price.to_string())
    };
    // An old dated model that costs twice what the undated name does.
    assert_ne!(input("openai", "gpt-4o-2024-05-13"), input("openai", "gpt-4o"));
    assert_eq!(input("openai", "gpt-4o-2031-01-01"), None);
    assert_eq!(input("openai", "ft:gpt-4o:me::1"), None);
    assert_eq!(input("openai", "gpt-5-2025-08-07"), input("openai", "gpt-5"));
    assert_eq!(input("anthropic", "claude-opus-4-7-20260416"), input("anthropic", "claude-opus-4-7"));
    assert_eq!(input("google", "models/gemini-2.5-pro"), input("google", "gemini-2.5-pro"));
    // A region costs more than everywhere.
    assert_ne!(
        input("amazon-bedrock", "eu.anthropic.claude-opus-5"),
        input("amazon-bedrock", "global.anthropic.claude-opus-5")
    );
    assert!(input("amazon-bedrock", "eu.anthropic.claude-opus-5").is_some());
    assert_eq!(catalog.find_name("claude-opus-5").unwrap().model.provider().id.as_ref(), "anthropic");
}
