//! From a model's `mirror` to the hidden model that its copies are calls of.

use super::{AssembleError, Builder, crowd, routing, rules};
use crate::catalog::Catalog;
use crate::config;
use crate::routing::{Balance, CooldownRules, Target};
use crate::runtime::{Mirror, ModelPolicy, Provider};
use std::collections::HashMap;
use std::sync::Arc;

/// Behind the name of a mirror's cell: no model's name has a blank. A cell of its own, so that what becomes
/// of copies is never held against the same target where it serves calls.
const MARK: &str = " (mirror)";

/// Gives `policy` its mirror, where the model has one.
///
/// # Errors
/// As [`edge`](super::edge).
pub(super) fn attach(
    builder: &Builder<'_>,
    (name, model): (&str, &config::Model),
    policy: &mut ModelPolicy,
    (providers, indexes, catalog): (&[Provider], &HashMap<String, usize>, &Catalog),
    cells: &mut Vec<(String, CooldownRules)>,
) -> Result<(), AssembleError> {
    let Some(mirror) = &model.mirror else { return Ok(()) };
    let written = &mirror.target;
    let (Some(index), Some(provider)) =
        (indexes.get(&written.provider), builder.config.providers.get(&written.provider))
    else {
        return Ok(());
    };
    let first_cell = cells.len();
    let cell = crowd::cell_name(&written.provider, mirror.upstream(name));
    cells.push((format!("{cell}{MARK}"), rules(provider)));
    let hidden = hidden(model, mirror);
    let targets = vec![Target { provider: *index, model: written.model.clone() }];
    let parts = routing::Parts {
        name,
        targets: &targets,
        providers,
        catalog,
        learned: Arc::default(),
        before: None,
        is_limited: false,
    };
    let route = routing::route(&hidden, &parts)?;
    policy.mirror = Some(Arc::new(Mirror {
        policy: routing::policy(name, &hidden, (targets, route), first_cell),
        share: mirror.share,
        in_flight: mirror.in_flight,
        timeout: mirror.timeout,
        room: policy.route.learned.copies.clone(),
        metrics: builder.metrics.mirror(name)?,
    }));
    Ok(())
}

/// The model that copies are calls of: one target, asked once, with nothing around it.
fn hidden(model: &config::Model, mirror: &config::Mirror) -> config::Model {
    let place = config::Place { member: config::Member::Target(0), weight: 1, priority: 1, when: None };
    let root = config::Group { name: String::new(), balance: Balance::Weighted, places: vec![place] };
    let timeouts = config::Timeouts { total: mirror.timeout, ..model.timeouts };
    let streams =
        config::Streams { hold: None, recovery: config::Recovery::Error, resume: None, ..model.streams };
    config::Model {
        targets: vec![mirror.target.clone()],
        groups: vec![root],
        balance: Balance::Weighted,
        hedge: None,
        mirror: None,
        concurrency: None,
        queue: None,
        on_unfit: config::OnUnfit::Pass,
        timeouts,
        streams,
        ..model.clone()
    }
}
