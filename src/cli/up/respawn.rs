//! `nunect up --respawn`: a process that does nothing but start the node's process again.
//!
//! A hung actor cannot be ended without its process, and a node starts in milliseconds. So whoever
//! has no service manager lets this one see to it.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::console::Console;
use super::super::exit;

/// The wait before the second start in a row; doubling, as for actors (protocol, section 6).
const WAIT_FIRST: Duration = Duration::from_millis(100);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// A node that lived so long did well: the next start is made at once.
const CALM: Duration = Duration::from_secs(30);
/// How long the node may take to stop before it is killed; it promises 5 s.
const STOP_MAX: Duration = Duration::from_secs(7);

/// The flag that asks for it, which the node's own process does not get.
const FLAG: &str = "--respawn";

/// Starts the node's process, again and again, until it ends as asked or for a reason that another
/// start does not mend.
pub(super) fn run(console: &Console) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(supervise(console)),
        Err(error) => {
            console.complain(&format!("error: the system gives no means to watch a process: {error}"));
            exit::ESCALATED
        }
    }
}

async fn supervise(console: &Console) -> u8 {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else {
        console.complain("error: the system lets nobody wait for signals; start the node without --respawn");
        return exit::ESCALATED;
    };
    let mut wait = Duration::ZERO;
    loop {
        let started = Instant::now();
        let mut child = match start() {
            Ok(child) => child,
            Err(error) => {
                console.complain(&format!("error: the node's process does not start: {error}"));
                return exit::ESCALATED;
            }
        };
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                _ = hangup.recv() => tell(&child, process::Signal::HUP),
                _ = interrupt.recv() => return stop(child, process::Signal::INT, [&mut interrupt, &mut terminate]).await,
                _ = terminate.recv() => return stop(child, process::Signal::TERM, [&mut interrupt, &mut terminate]).await,
            }
        };
        let code = match status {
            Ok(status) => status,
            Err(error) => {
                console.complain(&format!("error: the node's process is lost: {error}"));
                return exit::ESCALATED;
            }
        };
        if let Some(last) = is_final(code) {
            return last;
        }
        wait = if started.elapsed() >= CALM { Duration::ZERO } else { wait };
        console.complain(&format!("the node's process ended ({code}); it is started again{}", after(wait)));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = interrupt.recv() => return exit::FINE,
            _ = terminate.recv() => return exit::FINE,
        }
        wait = if wait.is_zero() { WAIT_FIRST } else { (wait * 2).min(WAIT_MAX) };
    }
}

fn after(wait: Duration) -> String {
    if wait.is_zero() { " at once".to_owned() } else { format!(" in {wait:?}") }
}

/// The code with which to end, when another start would mend nothing: it ended as asked, or what it
/// was told is wrong.
fn is_final(status: ExitStatus) -> Option<u8> {
    let code = u8::try_from(status.code()?).ok()?;
    matches!(code, exit::FINE | exit::NOT_MET | exit::CONFIGURATION | exit::DUPLICATE).then_some(code)
}

/// The same command line without the flag.
fn start() -> std::io::Result<Child> {
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let program = std::env::current_exe().ok().or(name.map(Into::into)).unwrap_or_else(|| "nunect".into());
    Command::new(program).args(arguments.filter(|argument| argument != FLAG)).kill_on_drop(true).spawn()
}

/// Sends the node's process a signal; to one that has ended, nothing.
fn tell(child: &Child, signal: process::Signal) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(process::Pid::from_raw) {
        // It may have ended in this very moment.
        let _ = process::kill_process(id, signal);
    }
}

/// Passes on that it is to stop, and waits for that; asked twice, it is killed.
async fn stop(mut child: Child, first: process::Signal, [interrupt, terminate]: [&mut Signal; 2]) -> u8 {
    tell(&child, first);
    tokio::select! {
        status = child.wait() => status.ok().and_then(is_final).unwrap_or(exit::FINE),
        () = tokio::time::sleep(STOP_MAX) => kill(child).await,
        _ = interrupt.recv() => kill(child).await,
        _ = terminate.recv() => kill(child).await,
    }
}

async fn kill(mut child: Child) -> u8 {
    // It may have ended in this very moment.
    let _ = child.kill().await;
    exit::FINE
}
