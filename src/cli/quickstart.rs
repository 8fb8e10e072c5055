//! `tidegate quickstart`: everything in one process, on the loopback, with no account.

use crate::assemble::Source;
use crate::auth::token;
use crate::config;
use crate::sim::{self, Scenario, SimOptions};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Args)]
#[command(after_help = "Example:\n  tidegate quickstart --port 8080\n\n\
    Answers come from the built-in simulator. Stop with Ctrl-C.")]
pub struct Quickstart {
    /// Port of the gateway, on the loopback.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of metrics and health, on the loopback.
    #[arg(long, default_value_t = ADMIN_PORT)]
    admin_port: u16,
    /// Where the small files of a running process go.
    #[arg(long, default_value = "run", value_name = "FOLDER")]
    run: PathBuf,
}

const ADMIN_PORT: u16 = 9090;

/// The demo key. It opens nothing but a simulator on the loopback.
const DEMO_KEY: &str = "tg-demo-key";

impl Quickstart {
    pub fn run(self) -> ExitCode {
        // Before the greeting, which would otherwise stand above an error.
        for (port, option) in [(self.port, "--port"), (self.admin_port, "--admin-port")] {
            if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                let hint = format!("cannot listen on port {port}: {error}; choose another one with {option}");
                return super::fail(&hint);
            }
        }
        let options = SimOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            threads: 1,
            scenario: Scenario::default(),
            capture: false,
            counter: None,
        };
        let simulator = match sim::start(options) {
            Ok(simulator) => simulator,
            Err(error) => return super::fail(&error),
        };
        let text = self.config(simulator.addr());
        let token = match token::digits(32) {
            Ok(token) => token,
            Err(error) => return super::fail(&error),
        };
        let admin = token.clone();
        let env = move |name: &str| match name {
            "TIDEGATE_DEMO_KEY" => Some(DEMO_KEY.to_owned()),
            "TIDEGATE_ADMIN_TOKEN" => Some(admin.clone()),
            // For providers that are made over the admin API.
            other => config::process_env(other),
        };
        let source = Source { name: "quickstart".to_owned(), text, file: None, env: Arc::new(env) };
        match source.read() {
            Ok(config) => {
                self.greet(&token);
                super::serve::serve(&config, source, false)
            }
            Err(report) => {
                eprint!("{}", report.render(super::wants_color()));
                ExitCode::FAILURE
            }
        }
    }

    fn config(&self, simulator: SocketAddr) -> String {
        let (port, admin, run) = (self.port, self.admin_port, self.run.display());
        format!(
            r#"
[server]
listen = ["127.0.0.1:{port}"]
workers = 1
[server.drain]
ready_grace = "100ms"
streams_max = "5s"
[server.upgrade]
socket = "{run}/tidegate-quickstart.sock"
[admin]
listen = "127.0.0.1:{admin}"
token = "env:TIDEGATE_ADMIN_TOKEN"
[auth]
snapshot = "{run}/quickstart-identities.sealed"
[store]
url = "sqlite:{run}/quickstart.db"
[ledger]
spool = "{run}/quickstart-spool"
[log]
access = "stdout"
level = "warn"
[providers.demo-openai]
kind = "openai-compatible"
base_url = "http://{simulator}/v1"
[providers.demo-anthropic]
kind = "anthropic-compatible"
base_url = "http://{simulator}"
[providers.demo-gemini]
kind = "gemini-compatible"
base_url = "http://{simulator}"
[models."claude*"]
targets = [{{ provider = "demo-anthropic" }}]
[models.claude-demo]
targets = [{{ provider = "demo-anthropic" }}]
[models."gemini*"]
targets = [{{ provider = "demo-gemini" }}]
[models.gemini-demo]
targets = [{{ provider = "demo-gemini" }}]
[models.gpt-demo]
targets = [{{ provider = "demo-openai" }}]
[models."*"]
targets = [{{ provider = "demo-openai" }}]
# Invented, so that budgets in money have something to count.
[catalog.models."demo-openai/gpt-demo"]
prices = {{ input = "1", output = "4" }}
[catalog.models."demo-anthropic/claude-demo"]
prices = {{ input = "3", output = "15" }}
[catalog.models."demo-gemini/gemini-demo"]
prices = {{ input = "1", output = "4" }}
[keys.demo]
secret = "env:TIDEGATE_DEMO_KEY"
"#
        )
    }

    /// What the commands must say where the port is not the usual one.
    fn at(&self) -> String {
        if self.admin_port == ADMIN_PORT {
            return String::new();
        }
        format!(" --admin http://127.0.0.1:{}", self.admin_port)
    }

    fn greet(&self, token: &str) {
        let port = self.port;
        println!(
            r#"Tidegate on http://127.0.0.1:{port} (simulated models: gpt-demo, claude-demo, gemini-demo; any other name works too)

Try it:
  curl http://127.0.0.1:{port}/v1/chat/completions -H 'authorization: Bearer {DEMO_KEY}' -H 'content-type: application/json' -d '{{"model":"gpt-demo","messages":[{{"role":"user","content":"Hello"}}]}}'

Give a team a key with a budget, in another terminal:
  export TIDEGATE_ADMIN_TOKEN={token}
  tidegate tenants create acme{at}
  tidegate teams create research --tenant acme --budget 25/month{at}
  tidegate keys create ci --team research{at}

Metrics and health: http://127.0.0.1:{admin}/metrics  /readyz. Stop with Ctrl-C."#,
            admin = self.admin_port,
            at = self.at()
        );
    }
}
