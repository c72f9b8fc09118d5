//! What the machine offers.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Context, Finding};

/// Files that a node keeps open at most, with its clients: beyond it connections fail.
const FILES_MIN: u64 = 1_024;

/// The nats-server that `nunect up --with-nats` would run.
pub(super) fn nats_server(context: &Context<'_>) -> Vec<Finding> {
    let check = "nats-server";
    let server = context.profile().and_then(|profile| profile.connection.server.as_ref());
    let named = server.and_then(|server| server.binary.clone());
    let wanted = server.is_some();
    let given = std::env::var_os("NUNECT_NATS_SERVER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let binary = named.or(given).unwrap_or_else(|| PathBuf::from("nats-server"));
    let output = Command::new(&binary).arg("--version").stdin(Stdio::null()).output();
    let version = output.ok().filter(|output| output.status.success());
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let shown = binary.display();
    vec![match version {
        Some(version) => Finding::ok(check, format!("{shown}: {version}, for `up --with-nats`")),
        None if wanted => {
            let help = "install one, or set connection.server.binary";
            Finding::problem(check, format!("{shown} does not run, and `up --with-nats` needs it"), help)
        }
        None => Finding::info(check, format!("{shown} is not found; only `up --with-nats` needs it")),
    }]
}

/// How many files the process may open.
pub(super) fn file_descriptors(_: &Context<'_>) -> Vec<Finding> {
    let check = "open files";
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    vec![match limit {
        None => Finding::ok(check, "as many as wanted"),
        Some(limit) if limit < FILES_MIN => {
            Finding::warning(check, format!("at most {limit}"), format!("allow {FILES_MIN}: `ulimit -n`, LimitNOFILE"))
        }
        Some(limit) => Finding::ok(check, format!("at most {limit}")),
    }]
}
