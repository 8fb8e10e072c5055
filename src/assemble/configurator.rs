//! The file and the store as one configuration: read together, put in force together.
//!
//! Invariants: a file must be right by itself, so that it serves without the store; of the store's
//! providers and models all are in force or none; whatever is refused leaves what was in force.

use super::next;
use crate::config::{self, Config, Report, Stored};
use crate::govern::{Cause, Configuration, Kind, Object};
use crate::runtime::{ConfigFault, ConfigState, Configure, Edge, Runtime};
use crate::telemetry::ReloadResult;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The environment that a configuration is read with.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a process was started with.
pub struct Source {
    /// As reports call it.
    pub name: String,
    pub text: String,
    /// Where to read it again; None: it stays.
    pub file: Option<PathBuf>,
    pub env: Env,
}

pub struct Configurator {
    name: String,
    file: Option<PathBuf>,
    env: Env,
    /// Sections that hold for the life of the process.
    started: Lasting,
    state: Mutex<State>,
}

#[derive(PartialEq)]
struct Lasting {
    store: Option<config::Store>,
    ledger: config::Ledger,
    cluster: Option<config::Cluster>,
}

struct State {
    /// Of the file in force.
    text: String,
    shown: Value,
    /// In force beside it, by kind and id.
    stored: Vec<Object>,
    /// As the store has them now.
    wanted: Vec<Object>,
    refused: Vec<ConfigFault>,
    restart: Vec<&'static str>,
    /// Whether anything is known of the store yet.
    is_begun: bool,
}

impl Source {
    /// The file at `path`.
    ///
    /// # Errors
    /// A report, where it cannot be read.
    pub fn of_file(path: PathBuf) -> Result<Self, Report> {
        let name = path.display().to_string();
        let text = config::text_of(&path, &name)?;
        Ok(Self { name, text, file: Some(path), env: Arc::new(config::process_env) })
    }

    /// # Errors
    /// The report of every problem.
    pub fn read(&self) -> Result<Config, Report> {
        config::parse(&self.name, &self.text, &*self.env)
    }
}

impl Configurator {
    /// For a process that serves `config`, which was read from `source`.
    pub fn new(source: Source, config: &Config) -> Self {
        let state = State {
            shown: config::masked(&source.text),
            text: source.text,
            stored: Vec::new(),
            wanted: Vec::new(),
            refused: Vec::new(),
            restart: Vec::new(),
            is_begun: false,
        };
        let Source { name, file, env, .. } = source;
        Self { name, file, env, started: Lasting::of(config), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(
        &self,
        edge: &Edge,
        text: &str,
        stored: &[Object],
    ) -> Result<(Config, Runtime), Vec<ConfigFault>> {
        let tables: Vec<Stored> = stored.iter().map(table).collect();
        let read = config::parse_with(&self.name, text, &tables, &*self.env);
        let config = read.map_err(|report| faults(report, &tables))?;
        let runtime = next(&config, edge).map_err(|error| {
            vec![ConfigFault { about: None, path: String::new(), message: error.to_string() }]
        })?;
        Ok((config, runtime))
    }

    fn enforce(&self, edge: &Edge, state: &mut State, next: (Config, Runtime), cause: Cause) {
        let (config, runtime) = next;
        log::info!("configuration of {} in force, generation {}", self.name, runtime.generation);
        super::warn(&config, &runtime);
        edge.metrics.config_generation.set(i64::try_from(runtime.generation).unwrap_or(i64::MAX));
        edge.swap(runtime);
        edge.metrics.config_reloads.inc(ReloadResult::Applied);
        state.restart = self.started.changed(&config);
        for section in &state.restart {
            log::warn!("[{section}] has changed: it stays as it was until the process is started again");
        }
        record(edge, state, cause);
    }

    fn refuse(&self, edge: &Edge, what: &str) {
        edge.metrics.config_reloads.inc(ReloadResult::Refused);
        log::error!("{} was not loaded, the old configuration serves on:\n{what}", self.name);
    }

    /// The file's new text, right by itself.
    fn text(&self) -> Result<Option<String>, Report> {
        let Some(path) = &self.file else { return Ok(None) };
        let text = config::text_of(path, &self.name)?;
        config::parse(&self.name, &text, &*self.env).map(|_| Some(text))
    }
}

impl Configure for Configurator {
    fn check(&self, edge: &Edge, stored: &[Object]) -> Result<(), Vec<ConfigFault>> {
        let text = self.lock().text.clone();
        self.build(edge, &text, stored).map(drop)
    }

    fn put(&self, edge: &Edge, mut stored: Vec<Object>) {
        stored.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.is_begun, true);
        if !is_first && is_same(&state.wanted, &stored) {
            return;
        }
        let cause = if is_first { Cause::Start } else { Cause::Store };
        state.wanted.clone_from(&stored);
        if is_same(&state.stored, &stored) {
            state.refused.clear();
            if is_first {
                record(edge, &state, cause);
            }
            return;
        }
        match self.build(edge, &state.text, &stored) {
            Ok(next) => {
                state.stored = stored;
                state.refused.clear();
                self.enforce(edge, &mut state, next, cause);
            }
            Err(faults) => {
                edge.metrics.config_reloads.inc(ReloadResult::Refused);
                let told = told(&faults);
                log::error!("providers and models of the store are not in force:\n{told}");
                state.refused = faults;
            }
        }
    }

    fn reload(&self, edge: &Edge) {
        let text = match self.text() {
            Ok(Some(text)) => text,
            Ok(None) => return log::info!("this configuration is of no file: nothing is loaded again"),
            Err(report) => return self.refuse(edge, &report.render(false)),
        };
        let mut state = self.lock();
        let state = &mut *state;
        match self.build(edge, &text, &state.wanted) {
            Ok(next) => {
                state.stored.clone_from(&state.wanted);
                (state.text, state.shown) = (text.clone(), config::masked(&text));
                state.refused.clear();
                self.enforce(edge, state, next, Cause::File);
            }
            // What the store has was refused before: that is no reason to refuse the file.
            Err(faults) if !is_same(&state.stored, &state.wanted) => {
                match self.build(edge, &text, &state.stored) {
                    Ok(next) => {
                        (state.text, state.shown) = (text.clone(), config::masked(&text));
                        state.refused = faults;
                        self.enforce(edge, state, next, Cause::File);
                    }
                    Err(faults) => self.refuse(edge, &told(&faults)),
                }
            }
            Err(faults) => self.refuse(edge, &told(&faults)),
        }
    }

    fn of_file(&self, kind: Kind) -> BTreeMap<String, Map<String, Value>> {
        let section = match kind {
            Kind::Provider => "providers",
            Kind::Model => "models",
            _ => return BTreeMap::new(),
        };
        let state = self.lock();
        let tables = state.shown.get(section).and_then(Value::as_object).into_iter().flatten();
        tables.filter_map(|(name, table)| Some((name.clone(), table.as_object()?.clone()))).collect()
    }

    fn state(&self) -> ConfigState {
        let state = self.lock();
        ConfigState {
            name: self.name.clone(),
            file: state.shown.clone(),
            refused: state.refused.clone(),
            restart: state.restart.clone(),
        }
    }
}

impl Lasting {
    fn of(config: &Config) -> Self {
        let (store, ledger) = (config.store.clone(), config.ledger.clone());
        Self { store, ledger, cluster: config.cluster.clone() }
    }

    fn changed(&self, config: &Config) -> Vec<&'static str> {
        let sections = [
            ("store", self.store != config.store),
            ("ledger", self.ledger != config.ledger),
            ("cluster", self.cluster != config.cluster),
        ];
        sections.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
    }
}

/// For the history, which is in the store.
fn record(edge: &Edge, state: &State, cause: Cause) {
    if edge.store().is_some() {
        let (file, stored) = (state.shown.clone(), state.stored.clone());
        edge.configurations.push(Configuration { at_ms: edge.wall.unix_ms(), cause, file, stored });
    }
}

/// Whether both say the same, whatever their versions.
fn is_same(one: &[Object], other: &[Object]) -> bool {
    let says = |object: &Object| (object.kind, object.id.clone(), object.name.clone(), object.body.clone());
    one.iter().map(says).eq(other.iter().map(says))
}

fn table(object: &Object) -> Stored {
    let table = object.body.as_object().cloned().unwrap_or_default();
    Stored { kind: object.kind, name: object.name.clone(), table }
}

fn told(faults: &[ConfigFault]) -> String {
    let line = |fault: &ConfigFault| match &fault.about {
        Some((kind, name)) => {
            format!("{} {}: {}", config::path_of(*kind, name), fault.path, fault.message)
        }
        // What no place of the file shows.
        None if fault.path.is_empty() => fault.message.clone(),
        None => format!("{}: {}", fault.path, fault.message),
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Problems by what they are about instead of where they are.
fn faults(report: Report, stored: &[Stored]) -> Vec<ConfigFault> {
    let places: Vec<(&Stored, String)> =
        stored.iter().map(|stored| (stored, config::path_of(stored.kind, &stored.name))).collect();
    let fault = |problem: config::Problem| {
        let rest = |place: &str| {
            let rest = problem.path.strip_prefix(place)?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then(|| rest.trim_start_matches('.').to_owned())
        };
        let found = places.iter().find_map(|(stored, place)| Some((*stored, rest(place)?)));
        let message = match &problem.help {
            Some(help) => format!("{} ({help})", problem.message),
            None => problem.message.clone(),
        };
        match found {
            Some((stored, path)) => {
                ConfigFault { about: Some((stored.kind, stored.name.clone())), path, message }
            }
            None => ConfigFault { about: None, path: problem.path, message },
        }
    };
    report.problems.into_iter().map(fault).collect()
}
