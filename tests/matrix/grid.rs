//! Counting and printing: client × upstream × feature.

use std::collections::BTreeMap;
use tidegate::types::Protocol;

#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub same: usize,
    pub declared: usize,
    pub open: usize,
}

/// A matrix of tallies, features in the order they are first met.
#[derive(Default)]
pub struct Grid {
    features: Vec<&'static str>,
    cells: BTreeMap<(Protocol, Protocol, &'static str), Tally>,
    cases: BTreeMap<(Protocol, Protocol), usize>,
}

impl Grid {
    pub fn case(&mut self, client: Protocol, upstream: Protocol) {
        *self.cases.entry((client, upstream)).or_default() += 1;
    }

    pub fn at(&mut self, client: Protocol, upstream: Protocol, feature: &'static str) -> &mut Tally {
        if !self.features.contains(&feature) {
            self.features.push(feature);
        }
        self.cells.entry((client, upstream, feature)).or_default()
    }

    /// `12` the same, `12+3d` three of them by a declared rule besides, `!1` open.
    pub fn print(&self, title: &str) {
        eprint!("\n{title}\n{:<10} {:<10} {:>5}", "client", "upstream", "cases");
        self.features.iter().for_each(|feature| eprint!(" {feature:>11}"));
        eprintln!();
        for ((client, upstream), cases) in &self.cases {
            eprint!("{:<10} {:<10} {cases:>5}", client.as_str(), upstream.as_str());
            for feature in &self.features {
                let tally = self.cells.get(&(*client, *upstream, feature)).copied().unwrap_or_default();
                let declared =
                    if tally.declared > 0 { format!("+{}d", tally.declared) } else { String::new() };
                let open = if tally.open > 0 { format!(" !{}", tally.open) } else { String::new() };
                eprint!(" {:>11}", format!("{}{declared}{open}", tally.same));
            }
            eprintln!();
        }
        let sum = self.cells.values().fold(Tally::default(), |sum, tally| Tally {
            same: sum.same + tally.same,
            declared: sum.declared + tally.declared,
            open: sum.open + tally.open,
        });
        let cases: usize = self.cases.values().sum();
        eprintln!(
            "{cases} cases: {} features the same, {} by a declared rule, {} open",
            sum.same, sum.declared, sum.open
        );
    }
}
