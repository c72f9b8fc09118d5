//! The time daemons: each runs as a process of the test, in a folder of its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub(crate) mod chronyd;
pub(crate) mod gpsd;
pub(crate) mod namespaces;
pub(crate) mod ptp4l;

/// How long a daemon may take to listen.
const START: Duration = Duration::from_secs(15);
/// How long a tool may take that asks a daemon; each gives up by itself before.
const TOOL: Duration = Duration::from_secs(15);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// Where Debian has daemons, for users whose `PATH` has none.
const DAEMONS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Runs a program until the thread that started it ends, which a test's thread does by panicking, too. Comes after
/// whatever changes namespaces: that would undo it.
const MORTAL: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];

/// Where `program` is; `package` has it.
pub(crate) fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(DAEMONS.map(PathBuf::from));
    folders.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file())).unwrap_or_else(|| {
        panic!(
            "`{program}` is not installed; on Debian: apt-get install {package}; or run the tests by `bash tools/test`"
        )
    })
}

/// A folder that is gone with the value; its path is short enough for a socket.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nunect-time-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files that can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file of it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// What is in a file; nothing where there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read(self.at(name)).map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that is killed when it is dropped.
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
}

/// The file that has what a daemon says.
const LOG: &str = "log";

impl Daemon {
    /// Starts what `words` say, which comes down to one process in the end, in `folder`.
    pub(crate) fn start(name: &'static str, words: Command, folder: &Folder) -> Self {
        let mut command = words;
        let log = || File::options().create(true).append(true).open(folder.at(LOG)).expect("a file of the test");
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started by {command:?}: {error}"));
        Self { name, child }
    }

    /// Waits until it is `so`.
    pub(crate) fn wait_for(&mut self, what: &str, folder: &Folder, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            let ended = self.child.try_wait().expect("a child");
            let log = || folder.read(LOG);
            assert!(ended.is_none(), "{} ended ({ended:?}) before {what}; it said:\n{}", self.name, log());
            assert!(begun.elapsed() < START, "{}: no {what} within {START:?}; it said:\n{}", self.name, log());
            sleep(GLANCE);
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(&self.child);
        kill_process(process, signal).unwrap_or_else(|error| panic!("{} takes no {signal:?}: {error}", self.name));
    }

    /// Ends it as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        // It fails only when there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a tool that asks a daemon says: until it ends, or has said all the words that end its `last` line of interest.
/// Whether it got an answer is for the caller to see.
pub(crate) fn ask(command: &mut Command, folder: &Folder, last: Option<&str>) -> String {
    let said = || File::create(folder.at("said")).expect("a file of the test");
    let child = command.stdin(Stdio::null()).stdout(said()).stderr(Stdio::null()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let begun = Instant::now();
    loop {
        let ended = child.try_wait().expect("a child").is_some();
        let said = folder.read("said");
        if ended {
            return said;
        }
        let rest = last.and_then(|last| said.split_once(last)).map(|(_, rest)| rest);
        let whole = rest.is_some_and(|rest| rest.contains('\n'));
        if whole || begun.elapsed() >= TOOL {
            // It may have ended at last.
            let _ = child.kill();
            let _ = child.wait();
            assert!(whole, "{command:?} does not end; it said `{said}`");
            return said;
        }
        sleep(Duration::from_millis(1));
    }
}
