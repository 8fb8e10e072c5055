//! `tidegate serve`.

use crate::config::{self, Config, Report};
use crate::jobs::Reload;
use crate::runtime::Edge;
use crate::telemetry::ReloadResult;
use crate::{assemble, server};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Args)]
#[command(after_help = "Example:\n  tidegate serve --config conf/tidegate.toml\n\n\
    Signals: TERM drains and stops, HUP reloads the file, QUIT hands over to `tidegate upgrade`.")]
pub struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Take the listeners over from the running process (used by `tidegate upgrade`).
    #[arg(long)]
    upgrade: bool,
}

impl Serve {
    pub fn run(self) -> ExitCode {
        match config::load(&self.config, &config::process_env) {
            Ok(config) => serve(&config, self.config, self.upgrade),
            Err(report) => {
                eprint!("{}", report.render(super::wants_color()));
                ExitCode::from(2)
            }
        }
    }
}

/// Serves `config`, and reloads `file` when it changes.
pub(super) fn serve(config: &Config, file: PathBuf, takes_over: bool) -> ExitCode {
    init_log(config, takes_over);
    let settings = match assemble::settings(config) {
        Ok(settings) => settings,
        Err(error) => return super::fail(&error),
    };
    let edge = match assemble::edge(config) {
        Ok(edge) => edge,
        Err(error) => return super::fail(&error),
    };
    for address in &settings.listen {
        log::info!("listening on http://{address}");
    }
    for tls in &settings.tls {
        log::info!("listening on https://{}", tls.listen);
    }
    log::info!("metrics and health on http://{}", settings.admin);
    if takes_over {
        log::info!("waiting for the running process to hand its listeners over");
    }
    let reload = reload_of(file, edge.clone());
    match server::run(settings, edge, reload, takes_over) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(&error),
    }
}

fn reload_of(file: PathBuf, edge: Arc<Edge>) -> Reload {
    let watched = file.clone();
    Reload { file: watched, apply: Box::new(move || reload(&file, &edge)) }
}

/// All or nothing: a file with a problem changes nothing.
fn reload(file: &Path, edge: &Edge) {
    let refused = |what: String| {
        edge.metrics.config_reloads.inc(ReloadResult::Refused);
        log::error!("{} was not loaded, the old configuration serves on:\n{what}", file.display());
    };
    let config = match config::load(file, &config::process_env) {
        Ok(config) => config,
        Err(report) => return refused(rendered(&report)),
    };
    match assemble::next(&config, edge) {
        Ok(runtime) => {
            log::info!("{} loaded, generation {}", file.display(), runtime.generation);
            edge.metrics.config_generation.set(i64::try_from(runtime.generation).unwrap_or(i64::MAX));
            edge.swap(runtime);
            edge.metrics.config_reloads.inc(ReloadResult::Applied);
        }
        Err(error) => refused(error.to_string()),
    }
}

fn rendered(report: &Report) -> String {
    report.render(false)
}

/// Diagnostics go to stderr, at the file's level; Pingora's own only from `warn` on.
fn init_log(config: &Config, takes_over: bool) {
    let level = config.log.level.as_str();
    let mut filter = format!("{level},pingora=warn,pingora_core=warn,pingora_proxy=warn,h2=warn,rustls=warn");
    if takes_over {
        // It calls the usual wait for the listeners an error. A real one it tells from elsewhere too.
        filter.push_str(",pingora_core::server::transfer_fd=off");
    }
    // A second call, as in tests, finds it set and changes nothing.
    let _ = env_logger::Builder::new().parse_filters(&filter).try_init();
}
