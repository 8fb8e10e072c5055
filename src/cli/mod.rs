//! The command line: one file a command.

mod admin;
mod audit;
mod check;
mod count;
mod examples;
mod facts;
mod models;
mod providers;
mod quickstart;
mod route;
mod serve;
mod sim;
mod upgrade;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An edge gateway for LLM and API traffic: one binary in front of every model you use.
#[derive(Parser)]
#[command(name = "tidegate", version, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidegate quickstart                          try it: simulator, gateway and a demo key, no account
  tidegate check conf/tidegate.toml            is this file right?
  tidegate serve --config conf/tidegate.toml   run
  tidegate upgrade --config conf/tidegate.toml replace the running binary, no stream cut
  tidegate teams create research --tenant acme --budget 25/month
  tidegate route explain request.json          where does it go, and why?
  tidegate models --search opus                what is known of models, and what they cost
  echo 'How long is this?' | tidegate count --model gpt-5";

#[derive(Subcommand)]
enum Command {
    /// Serve traffic until told to stop (SIGTERM drains, SIGHUP reloads).
    Serve(serve::Serve),
    /// Check configuration files; prints every problem with its place. Exit code 0 valid, 2 invalid.
    Check(check::Check),
    /// Run the upstream simulator: OpenAI, Anthropic and Gemini, with faults on request.
    Sim(sim::Sim),
    /// Simulator, gateway and a demo key in one process; prints a curl line that works.
    Quickstart(quickstart::Quickstart),
    /// Start this binary in place of the running one; it takes the listeners over.
    Upgrade(upgrade::Upgrade),
    /// Count the tokens of a text or of a request body.
    Count(count::Count),
    /// Explain where a request goes, and decide recorded ones again.
    Route(route::Route),
    /// List the models of the catalogue: limits, abilities, prices, and where each fact is from.
    Models(models::Models),
    /// List the providers of the catalogue: protocols, addresses, credentials.
    Providers(providers::Providers),
    /// Organisations: what teams, users and plans lie in.
    #[command(after_help = examples::TENANTS)]
    Tenants(admin::Things),
    /// Teams of a tenant.
    #[command(after_help = examples::TEAMS)]
    Teams(admin::Things),
    /// Apps of a team: what calls.
    #[command(after_help = examples::APPS)]
    Apps(admin::Things),
    /// Virtual keys of an app.
    #[command(after_help = examples::KEYS)]
    Keys(admin::Things),
    /// Users of the admin API.
    #[command(after_help = examples::USERS)]
    Users(admin::Things),
    /// Plans that models are published under.
    #[command(after_help = examples::PLANS)]
    Plans(admin::Things),
    /// Apps' subscriptions to plans.
    #[command(after_help = examples::SUBSCRIPTIONS)]
    Subscriptions(admin::Things),
    /// What was called, and what it cost.
    #[command(after_help = examples::USAGE)]
    Usage(admin::Usage),
    /// The history of configurations: show, compare, go back.
    Config(admin::Config),
    /// Check the audit log.
    Audit(audit::Audit),
    /// Print the version.
    #[command(after_help = examples::VERSION)]
    Version,
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Sim(command) => command.run(),
        Command::Quickstart(command) => command.run(),
        Command::Upgrade(command) => command.run(),
        Command::Count(command) => command.run(),
        Command::Route(command) => command.run(),
        Command::Models(command) => command.run(),
        Command::Providers(command) => command.run(),
        Command::Tenants(things) => things.run(admin::Noun::Tenants),
        Command::Teams(things) => things.run(admin::Noun::Teams),
        Command::Apps(things) => things.run(admin::Noun::Apps),
        Command::Keys(things) => things.run(admin::Noun::Keys),
        Command::Users(things) => things.run(admin::Noun::Users),
        Command::Plans(things) => things.run(admin::Noun::Plans),
        Command::Subscriptions(things) => things.run(admin::Noun::Subscriptions),
        Command::Usage(usage) => usage.run(),
        Command::Config(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Version => {
            println!("tidegate {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

/// Tells a failure on stderr and gives the exit code of one.
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Whether reports may be coloured: only for a person.
fn wants_color() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal() && crate::config::process_env("NO_COLOR").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn check(command: &clap::Command) {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Example") && help.contains(&format!(" {name}")), "{name} --help: {help}");
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_help_shows_how() {
        Cli::command().get_subcommands().for_each(check);
    }
}
