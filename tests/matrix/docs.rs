//! The table of losses in `docs/translation.md` is what the codecs say of themselves.

use std::fmt::Write;
use std::fs;
use tidegate::chat::{Carry, Feature};
use tidegate::dialect::codec::carry;
use tidegate::types::Protocol;

/// Feature × protocol, one row a feature; reasons below, numbered, so that the table stays narrow.
fn render() -> String {
    let mut table = String::from("| feature |");
    Protocol::ALL.iter().for_each(|protocol| write!(table, " {} |", protocol.as_str()).unwrap());
    table.push_str("\n|---|---|---|---|---|---|---|---|\n");
    for feature in Feature::ALL {
        write!(table, "| `{}` |", feature.as_str()).unwrap();
        for protocol in Protocol::ALL {
            let cell = match carry(protocol, feature) {
                Carry::Kept => "kept".to_owned(),
                Carry::Renamed(name) => format!("→ {name}"),
                Carry::Drop(why) => format!("**dropped**: {why}"),
                Carry::Reject(why) => format!("**refused**: {why}"),
            };
            write!(table, " {} |", cell.replace('|', "\\|")).unwrap();
        }
        table.push('\n');
    }
    table
}

#[expect(clippy::disallowed_methods, reason = "a test is told whether to write; no product code is")]
fn is_written() -> bool {
    std::env::var_os("TIDEGATE_WRITE_DOCS").is_some_and(|flag| flag == "1")
}

/// Holds a section of the document, between its marks, to what was rendered; writes it where that is
/// asked for.
pub fn section(name: &str, rendered: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/translation.md");
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
    let document = fs::read_to_string(path).expect("docs/translation.md");
    let (before, rest) = document.split_once(&begin).expect("the begin mark");
    let (table, after) = rest.split_once(&end).expect("the end mark");
    if is_written() {
        fs::write(path, format!("{before}{begin}{rendered}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        table, rendered,
        "docs/translation.md is old: run with TIDEGATE_WRITE_DOCS=1, one test at a time"
    );
}

#[test]
fn the_documented_losses_are_those_of_the_codecs() {
    section("losses", &render());
}
