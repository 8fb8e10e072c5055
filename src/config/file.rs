//! One configuration file: its text becomes a [`Config`], or a [`Report`].

use super::admin::Admin;
use super::auth::{Auth, Beside};
use super::catalog::CatalogSettings;
use super::cluster::Cluster;
use super::collector::Collector;
use super::counting::Counting;
use super::egress::Egress;
use super::key::Key;
use super::kind::Kinds;
use super::ledger::Ledger;
use super::log::Log;
use super::model::Model;
use super::pattern::ModelPattern;
use super::provider::Provider;
use super::reader::Reader;
use super::report::Report;
use super::responses::Responses;
use super::server::Server;
use super::store::Store;
use super::stored::{self, Stored};
use super::syntax;
use crate::govern::mask::mask_file;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use toml::de::DeTable;

/// A file this large is no configuration.
pub(super) const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Everything a file says, defaults filled in and secrets resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub server: Server,
    pub admin: Admin,
    pub auth: Auth,
    pub counting: Counting,
    pub catalog: CatalogSettings,
    pub responses: Responses,
    /// None: this node is alone.
    pub cluster: Option<Cluster>,
    pub egress: Egress,
    pub log: Log,
    /// None: nothing is kept.
    pub store: Option<Store>,
    /// Written where there is a store.
    pub ledger: Ledger,
    pub providers: BTreeMap<String, Provider>,
    /// By the name in the file, which may be a pattern.
    pub models: BTreeMap<String, Model>,
    pub keys: BTreeMap<String, Key>,
}

/// How far reading goes beyond the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretPolicy {
    /// Secrets are fetched; certificates and the folder of the upgrade socket are looked at.
    Resolve,
    /// Only the file itself is looked at: it can be checked on a machine without its secrets.
    Syntax,
}

/// What a checked file holds, to be told to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    pub providers: usize,
    pub models: usize,
    pub keys: usize,
    /// Which models' calls are copied, how many, and to where.
    pub mirrors: Vec<String>,
}

/// Reads the file at `path`. `env` is the environment, usually [`process_env`].
///
/// # Errors
/// The report of every problem, an unreadable file included.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Report> {
    let name = path.display().to_string();
    parse(&name, &text_of(path, &name)?, env)
}

/// Reads `text` as the file `name`.
///
/// # Errors
/// The report of every problem.
pub fn parse(name: &str, text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Report> {
    parse_with(name, text, &[], env)
}

/// Reads `text` as the file `name`, with providers and models of the store beside its own. Problems
/// with those have their path, and a place behind the text.
///
/// # Errors
/// The report of every problem.
pub fn parse_with(
    name: &str,
    text: &str,
    stored: &[Stored],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Report> {
    let mut collector = Collector::new(SecretPolicy::Resolve, env);
    let behind = stored::behind(name, text.len(), stored)?;
    let config = read_with(name, text, &behind, &mut collector)?;
    match behind.get(text.len()..) {
        Some(more) if !more.is_empty() => collector.finish(name, &format!("{text}{more}"), config),
        _ => collector.finish(name, text, config),
    }
}

/// A valid file as JSON, to be shown and kept: see [`mask_file`].
pub fn masked(text: &str) -> serde_json::Value {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let mut file = serde_json::to_value(table).unwrap_or_default();
    mask_file(&mut file);
    file
}

/// Checks the file at `path` as far as `policy` goes. A `Config` is not given out, because with
/// [`SecretPolicy::Syntax`] its secrets are empty.
///
/// # Errors
/// The report of every problem, an unreadable file included.
pub fn check(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    policy: SecretPolicy,
) -> Result<Overview, Report> {
    let name = path.display().to_string();
    let text = text_of(path, &name)?;
    let mut collector = Collector::new(policy, env);
    let config = read(&name, &text, &mut collector)?;
    let mirror = |(name, model): (&String, &Model)| {
        let mirror = model.mirror.as_ref()?;
        let (percent, provider) = (mirror.percent(), &mirror.target.provider);
        Some(format!("{name}: {percent} % of its calls go to {provider}/{} too", mirror.upstream(name)))
    };
    let overview = Overview {
        providers: config.providers.len(),
        models: config.models.len(),
        keys: config.keys.len(),
        mirrors: config.models.iter().filter_map(mirror).collect(),
    };
    collector.finish(&name, &text, overview)
}

/// The file at `path` without its secrets, which are empty: to be looked at, never to serve.
///
/// # Errors
/// The report of every problem, an unreadable file included.
pub fn outline(path: &Path) -> Result<Config, Report> {
    let name = path.display().to_string();
    let text = text_of(path, &name)?;
    let mut collector = Collector::new(SecretPolicy::Syntax, &|_| None);
    let config = read(&name, &text, &mut collector)?;
    collector.finish(&name, &text, config)
}

/// The environment of the process.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The text of the file at `path`, which reports call `name`.
///
/// # Errors
/// A report without a place.
pub fn text_of(path: &Path, name: &str) -> Result<String, Report> {
    let told = |error: std::io::Error| Report::without_place(name, format!("cannot be read: {error}"), None);
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    if !path.metadata().map_err(told)?.is_file() {
        return Err(Report::without_place(name, "this is no file".to_owned(), None));
    }
    let file = std::fs::File::open(path).map_err(told)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Report::without_place(name, format!("this is no text: byte {at} is not UTF-8"), None)
    })
}

/// Problems of the syntax are returned, all others are in `collector`; what is read is only good
/// when it has none.
pub(super) fn read(name: &str, text: &str, collector: &mut Collector<'_>) -> Result<Config, Report> {
    read_with(name, text, "", collector)
}

/// `behind` is what the store adds, at the places it would have behind `text`.
fn read_with(name: &str, text: &str, behind: &str, collector: &mut Collector<'_>) -> Result<Config, Report> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("longer than {FILE_BYTES_MAX} bytes: this is no configuration");
        return Err(Report::without_place(name, message, None));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let syntax = Collector::new(SecretPolicy::Syntax, &|_| None);
        return Err(syntax::report(name, text, &errors, syntax));
    }
    let (added, errors) = DeTable::parse_recoverable(behind);
    if let Some(error) = errors.first() {
        let message = format!("what the store keeps cannot be read: {}", error.message().replace('\n', " "));
        return Err(Report::without_place(name, message, None));
    }
    let mut document = document.into_inner();
    let own = stored::own_texts(&document);
    let named = stored::merge(&mut document, added.into_inner(), collector);
    let mut root = Reader::root(&document, collector);
    let config = read_root(&mut root);
    root.done();
    stored::check_named(named, &own, &config.admin.references, collector);
    Ok(config)
}

fn read_root(root: &mut Reader<'_, '_, '_>) -> Config {
    let server = Server::read(root);
    let admin = Admin::read(root);
    let beside = Beside {
        takes_certificates: server.tls.iter().any(|tls| tls.clients.is_some()),
        logins: &admin.issuers,
    };
    let auth = root.or("auth", Auth::default(), |v, c| Auth::read(v, c, &beside));
    let counting = root.or("counting", Counting::default(), Counting::read);
    let catalog = root.or("catalog", CatalogSettings::default(), CatalogSettings::read);
    let responses = root.or("responses", Responses::default(), Responses::read);
    let cluster = root.take("cluster", Cluster::read);
    let egress = root.or("egress", Egress::default(), Egress::read);
    let log = root.or("log", Log::default(), Log::read);
    let has_store = root.has("store");
    let has_pepper = root.has_at("auth", "pepper");
    let store = root.take("store", |value, collector| {
        let store = Store::read(value, collector)?;
        // A database of this node's own has its pepper beside it.
        if !has_pepper && store.is_shared() {
            let help = "add [auth] pepper = \"env:TIDEGATE_PEPPER\"; make one with: openssl rand -hex 32";
            value.fail_head(
                collector,
                "a store of several nodes needs a pepper: without one no key could be made",
                Some(help),
            );
        }
        Some(store)
    });
    let ledger = root.or("ledger", Ledger::default(), |value, collector| {
        if !has_store {
            value.fail_head(collector, "a ledger needs a store", Some("add [store] with its `url`"));
        }
        Ledger::read(value, collector)
    });
    let is_unread = catalog.file.is_some() && !root.collector.looks_outside();
    let kinds = Kinds { facts: &catalog.facts, is_unread };
    let written = root.take("providers", |v, c| Provider::read_all(v, c, &kinds));
    let providers = if root.has("providers") { written } else { Some(BTreeMap::new()) };
    let known = providers.as_ref();
    let models = root.take("models", |v, c| Model::read_all(v, c, known, counting.default));
    let patterns: Option<Vec<ModelPattern>> =
        models.as_ref().map(|models| models.values().map(|model| model.pattern.clone()).collect());
    let keys = root.take("keys", |v, c| Key::read_all(v, c, patterns.as_deref()));
    require_some(root);
    let providers = providers.unwrap_or_default();
    Config {
        server,
        admin,
        auth,
        counting,
        catalog,
        responses,
        cluster,
        egress,
        log,
        store,
        ledger,
        providers: providers.into_iter().filter_map(|(name, read)| Some((name, read?))).collect(),
        models: models.unwrap_or_default(),
        keys: keys.unwrap_or_default(),
    }
}

/// An empty or half-written file must not replace a good one, so a file that could not serve one
/// call is refused.
fn require_some(root: &mut Reader<'_, '_, '_>) {
    // Asked for already; these only look whether a missing one makes the file useless.
    let wanted = [
        ("models", "no model: nothing could be called", "add [models.NAME] with its `targets`"),
        ("keys", "no key: nobody could call", "add [keys.NAME] with its `secret`"),
    ];
    // Keys and models of the store are keys and models too.
    let has_others = root.has("store");
    for (key, message, help) in wanted {
        if root.is_empty_at(key) && !has_others {
            root.fail(message, Some(help));
        }
    }
}
