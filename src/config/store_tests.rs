//! `[store]` and `[ledger]`: what is wrong is shown at its place, and no password in any report.

use super::Ledger;
use super::mistakes_tests::{self, only};
use super::{Config, Report};
use std::time::Duration;

fn with(more: &str) -> Result<Config, Report> {
    mistakes_tests::with(&format!("[auth]\npepper = \"env:A_PEPPER_OF_THE_TESTS_LONG_ENOUGH\"\n{more}"))
}

fn said(more: &str) -> String {
    only(with(more))
}

#[test]
fn a_store_without_a_pepper_is_refused_in_words_and_one_that_is_wrong_is_told_once() {
    let message = only(mistakes_tests::with("[store]\nurl = \"postgres://tg@db/tidegate\""));
    assert_eq!(message, "a store of several nodes needs a pepper: without one no key could be made");
    assert!(mistakes_tests::with(STORE).unwrap().auth.peppers.is_empty(), "one is made beside the database");
    let wrong = mistakes_tests::with(&format!("[auth]\npepper = \"env:P\"\n{STORE}"));
    assert_eq!(only(wrong), "a pepper has at least 32 characters");
}

const STORE: &str = "[store]\nurl = \"sqlite:data/tidegate.db\"\n";

#[test]
fn a_store_is_an_address_and_the_ledger_comes_with_it() {
    let config = with(STORE).unwrap();
    let store = config.store.unwrap();
    assert_eq!((store.url.expose(), store.timeout), ("sqlite:data/tidegate.db", Duration::from_secs(5)));
    assert_eq!(config.ledger, Ledger::default());
    let config =
        with("[store]\nurl = \"postgres://tg@db:5433/tidegate?sslmode=require\"\npassword = \"env:DB\"")
            .unwrap();
    assert_eq!(config.store.unwrap().password.unwrap().expose(), "value-of-DB");
    assert_eq!(with("").unwrap().store, None);
}

#[test]
fn what_is_no_store_is_said_in_words() {
    for (url, told) in [
        ("\"data/tidegate.db\"", "this is no address of a store"),
        ("\"mysql://a@b/c\"", "this is no address of a store"),
        ("\"sqlite:\"", "`sqlite:` names no file"),
        ("\"sqlite::memory:\"", "`sqlite:` names no file"),
        ("\"postgres://db\"", "the address names no host and database"),
        ("\"postgres:///x\"", "the address names no host and database"),
        ("\"env:URL\"", "what `env:URL` names is no address of a store"),
    ] {
        assert_eq!(said(&format!("[store]\nurl = {url}")), told, "{url}");
    }
    assert_eq!(said("[store]"), "missing `url`");
    assert_eq!(said("[ledger]\nflush = \"1s\""), "a ledger needs a store");
}

#[test]
fn a_password_in_an_address_is_refused_and_not_shown() {
    for url in ["postgres://tg:canary@db/x", "postgres://db/x?user=tg&password=canary"] {
        let report = with(&format!("[store]\nurl = \"{url}\"")).unwrap_err();
        assert_eq!(report.problems[0].message, "a password must not stand in this file");
        assert!(!format!("{report} {report:?}").contains("canary"), "{report}");
    }
    let report = with(&format!("{STORE}[ledger.clickhouse]\nurl = \"http://u:canary@ch\"")).unwrap_err();
    assert!(!format!("{report}").contains("canary"), "{report}");
}

#[test]
fn a_ledger_keeps_its_bounds() {
    let ledger = |more: &str| said(&format!("{STORE}[ledger]\n{more}"));
    assert_eq!(ledger("flush = \"1ms\""), "out of range: must be 50ms to 60s");
    assert_eq!(ledger("queue_max = 10"), "out of range: must be 1000 to 10000000");
    assert!(ledger("spool_bytes_max = \"1MiB\"").contains("must be 8MiB to"));
    assert_eq!(ledger("spool = \"\""), "this is no path");
    assert_eq!(ledger("keep = { calls = 0 }"), "out of range: must be 1 to 3660");
    let click = |more: &str| said(&format!("{STORE}[ledger.clickhouse]\n{more}"));
    assert_eq!(click("table = \"calls\""), "missing `url`");
    assert_eq!(click("url = \"ch:8123\""), "this is no address of a ClickHouse server");
    assert_eq!(click("url = \"http://ch/x\""), "this is no address of a ClickHouse server");
    for table in ["a b", "a;DROP", "a.b.c", "1a", ""] {
        assert_eq!(
            click(&format!("url = \"http://ch\"\ntable = \"{table}\"")),
            "this names no table",
            "{table}"
        );
    }
}
