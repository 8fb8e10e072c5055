//! `tidegate serve`.

use crate::assemble::{Configurator, Source};
use crate::config::{Config, Report};
use crate::jobs::Reload;
use crate::runtime::Edge;
use crate::{assemble, server};
use clap::Args;
use std::path::PathBuf;
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
        let source = match Source::of_file(self.config) {
            Ok(source) => source,
            Err(report) => return refused(&report),
        };
        match source.read() {
            Ok(config) => serve(&config, source, self.upgrade),
            Err(report) => refused(&report),
        }
    }
}

fn refused(report: &Report) -> ExitCode {
    eprint!("{}", report.render(super::wants_color()));
    ExitCode::from(2)
}

/// Serves `config`, and reads `source` again when it changes.
pub(super) fn serve(config: &Config, source: Source, takes_over: bool) -> ExitCode {
    init_log(config, takes_over);
    let settings = match assemble::settings(config) {
        Ok(settings) => settings,
        Err(error) => return super::fail(&error),
    };
    let edge = match assemble::edge(config) {
        Ok(edge) => edge,
        Err(error) => return super::fail(&error),
    };
    let file = source.file.clone().unwrap_or_default();
    edge.set_configure(Arc::new(Configurator::new(source, config)));
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
    let apply = move || {
        if let Some(configure) = edge.configure() {
            configure.reload(&edge);
        }
    };
    Reload { file, apply: Box::new(apply) }
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
