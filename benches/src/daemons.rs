//! Time daemons to ask: a ptp4l that follows another one, and a chronyd with four sources.
//!
//! None of them touches the machine's clock: ptp4l is told `free_running 1`, chronyd `-x`. They end with the value,
//! and with the thread that started them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::scratch::Scratch;

mod chronyd;
mod ptp4l;

pub use chronyd::{Chronyd, SOURCES};
pub use ptp4l::{DATA_SETS, Ptp4l};

/// How long a daemon may take until it follows another one: a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Where Debian has daemons, for users whose `PATH` has none.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];
/// Runs a program until the thread that started it ends.
const MORTAL: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// Where `program` is, which `package` of Debian has.
fn find(program: &str, package: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let found = folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()));
    found.ok_or_else(|| format!("`{program}` is not installed; on Debian: apt-get install {package}").into())
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
struct Daemon(Child);

impl Daemon {
    /// Starts it; what it says goes into the file `log`.
    fn start(command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let open = || File::options().create(true).append(true).open(log);
        command.stdin(Stdio::null()).stdout(open()?).stderr(open()?);
        Ok(Self(command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until it is `so`.
fn until(what: &str, folder: &Scratch, mut so: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let start = Instant::now();
    while !so()? {
        if start.elapsed() > PATIENCE {
            let said = std::fs::read_to_string(folder.path().join(LOG)).unwrap_or_default();
            return Err(format!("waited {PATIENCE:?} in vain until {what}; the daemons said:\n{said}").into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// The file that has what the daemons of a folder say.
const LOG: &str = "log";

/// What a tool says.
fn said(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
