//! `nunect doctor`: what would keep a node from doing well here, before it is started.

mod bus;
mod configuration;
mod host;
mod place;
mod server;
mod time;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nunect_core::{Catalog, Period};
use nunect_runtime::config::{Loaded, Problem, Profile};
use serde::Serialize;

use super::console::{Console, Tone};
use super::reach::Session;
use super::{exit, problem};

/// What `nunect doctor` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file that the node is to have.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait for a server.
    #[arg(long, value_name = "TIME", default_value = "2s")]
    timeout: Period,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// A node starts, and something is not as one would want it.
    Warning,
    /// A node does not start, or does not do its work.
    Problem,
}

/// What one look found.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    verdict: Verdict,
    /// What there is.
    what: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, what: what.into(), help: String::new() }
    }

    fn info(check: &'static str, what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Info, ..Self::ok(check, what) }
    }

    /// Worth knowing, with what could be done.
    fn advice(check: &'static str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..Self::info(check, what) }
    }

    fn warning(check: &'static str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warning, help: help.into(), ..Self::ok(check, what) }
    }

    fn problem(check: &'static str, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { verdict: Verdict::Problem, help: help.into(), ..Self::ok(check, what) }
    }
}

/// What there is to look at.
struct Context<'a> {
    catalog: &'a Catalog,
    /// The configuration, or what is wrong with it.
    loaded: Result<Loaded, Vec<Problem>>,
    timeout: Duration,
    /// The connection to the servers, made when it is first needed; none where there is none.
    session: OnceCell<Result<Session, (String, String)>>,
}

impl Context<'_> {
    /// The profile, when it can be read: what depends on it is not looked at otherwise.
    fn profile(&self) -> Option<&Profile> {
        self.loaded.as_ref().ok().map(|loaded| &loaded.profile)
    }
}

/// One look.
type Check = fn(&Context<'_>) -> Vec<Finding>;

/// In the order in which one thing needs the other.
const CHECKS: [Check; 13] = [
    configuration::valid,
    configuration::unit,
    server::greetings,
    bus::credentials,
    bus::round_trip,
    bus::subscriptions,
    bus::publications,
    bus::twin,
    place::control_socket,
    place::log_folder,
    host::nats_server,
    host::file_descriptors,
    time::sources,
];

/// Looks at everything.
pub(super) fn run(arguments: &Arguments, catalog: &Catalog, console: &Console) -> u8 {
    let context = Context {
        catalog,
        loaded: problem::read(arguments.config.as_deref(), Vec::new(), catalog),
        timeout: arguments.timeout.0.max(Duration::from_millis(1)),
        session: OnceCell::new(),
    };
    let (mut problems, mut warnings) = (0, 0);
    for check in CHECKS {
        for finding in check(&context) {
            problems += u64::from(finding.verdict == Verdict::Problem);
            warnings += u64::from(finding.verdict == Verdict::Warning);
            show(&finding, console);
        }
    }
    if !console.is_json() {
        let count = super::console::count;
        console.line(&format!("{}, {}", count(problems, "problem"), count(warnings, "warning")));
    }
    if problems > 0 { exit::NOT_MET } else { exit::FINE }
}

fn show(finding: &Finding, console: &Console) {
    if console.is_json() {
        return console.object(finding);
    }
    let (tone, word) = match finding.verdict {
        Verdict::Ok => (Tone::Good, "ok     "),
        Verdict::Info => (Tone::Dim, "info   "),
        Verdict::Warning => (Tone::Warn, "warning"),
        Verdict::Problem => (Tone::Bad, "problem"),
    };
    let help = if finding.help.is_empty() { String::new() } else { format!("; {}", finding.help) };
    console.line(&format!("{}  {}: {}{help}", console.paint(tone, word), finding.check, finding.what));
}
