//! gpsd fed by gpsfake with what a receiver would say, and a script that speaks as gpsd does.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nunect::runtime::config::{HostPort, TimeMode, TimeSection};

use super::{Daemon, Folder, MORTAL, find};

/// A receiver in the hands of a running gpsd.
pub(crate) struct Gpsd {
    _daemon: Daemon,
    _folder: Folder,
    port: u16,
}

/// What tells a node of the gpsd on this port, and of nobody else.
pub(crate) fn section(port: u16) -> TimeSection {
    TimeSection { mode: TimeMode::Gps, gpsd: Some(HostPort::loopback(port)), ..TimeSection::default() }
}

/// A TCP port of loopback that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

impl Gpsd {
    /// A receiver that says these NMEA sentences, `$` and checksum apart, again and again.
    pub(crate) fn receiver(sentences: impl IntoIterator<Item = String>, pause: Duration) -> Self {
        let folder = Folder::new();
        let mut log = String::new();
        for sentence in sentences {
            let sum = sentence.bytes().fold(0, |sum, byte| sum ^ byte);
            write!(log, "${sentence}*{sum:02X}\r\n").expect("a text");
        }
        folder.write("receiver.nmea", &log);
        let port = free_port();
        let [gpsd, gpsfake] = [("gpsd", "gpsd"), ("gpsfake", "gpsd-clients")].map(|(name, of)| find(name, of));
        // gpsfake starts gpsd, which ends with the namespace of processes. gpsd tells the time to whoever shares
        // its namespace of System V's IPC, which nobody does.
        let users = if rustix::process::geteuid().is_root() {
            &[][..]
        } else {
            &["unshare", "--user", "--map-root-user", "--"]
        };
        let words = users.iter().chain(&MORTAL).chain(&["unshare", "--ipc", "--pid", "--fork", "--kill-child", "--"]);
        let words: Vec<&&str> = words.collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(gpsfake).args(["-n", "-P", &port.to_string()]);
        command.args(["-c", &pause.as_secs_f64().to_string()]).arg(folder.at("receiver.nmea"));
        // Its control socket is where no other's is.
        command.env("TMPDIR", folder.path());
        let found = [gpsd.parent().expect("a folder").to_owned()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::env::split_paths(&path).chain(found)).expect("a PATH");
        command.env("PATH", path);
        let mut daemon = Daemon::start("gpsfake", command, &folder);
        daemon.wait_for("gpsd on its port", &folder, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { _daemon: daemon, _folder: folder, port }
    }

    /// What tells a node of it, and of nobody else.
    pub(crate) fn section(&self) -> TimeSection {
        section(self.port)
    }
}

/// A script that speaks as gpsd does: a receiver with a fix and a pulse a second, as long as it is to have pulses.
/// Ends with the value.
pub(crate) struct Script {
    port: u16,
    pulses: Arc<AtomicBool>,
    /// Dropped, it ends the script.
    _end: mpsc::Sender<()>,
}

const VERSION: &str = r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#;
const FIX: &str = r#"{"class":"TPV","device":"/dev/pps0","mode":3,"lat":48.1,"lon":11.5}"#;

impl Script {
    /// Pulses at which the local clock is ahead by each of these in turn, nanoseconds.
    pub(crate) fn of(offsets_ns: &'static [i64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let pulses = Arc::new(AtomicBool::new(true));
        let (end, ended) = mpsc::channel();
        let has_pulses = Arc::clone(&pulses);
        std::thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            speak(stream, offsets_ns, &has_pulses, &ended)
        });
        Self { port, pulses, _end: end }
    }

    /// Whether the receiver is to have pulses from now on. It has a fix all the time.
    pub(crate) fn pulse(&self, has_pulses: bool) {
        self.pulses.store(has_pulses, Ordering::SeqCst);
    }

    /// What tells a node of it, and of nobody else.
    pub(crate) fn section(&self) -> TimeSection {
        section(self.port)
    }
}

/// Speaks to one client until that has gone or the script is over.
fn speak(
    mut stream: TcpStream,
    offsets_ns: &[i64],
    pulses: &AtomicBool,
    ended: &mpsc::Receiver<()>,
) -> std::io::Result<()> {
    writeln!(stream, "{VERSION}")?;
    let mut watch = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut watch)?;
    for offset_ns in offsets_ns.iter().cycle() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let pause = Duration::from_nanos(1_000_000_000 - u64::from(now.subsec_nanos()));
        match ended.recv_timeout(pause) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
        writeln!(stream, "{FIX}")?;
        if pulses.load(Ordering::SeqCst) {
            let real = i128::from(now.as_secs() + 1) * 1_000_000_000;
            let clock = real + i128::from(*offset_ns);
            let [real, clock] = [real, clock].map(|at| (at / 1_000_000_000, at % 1_000_000_000));
            writeln!(
                stream,
                r#"{{"class":"PPS","device":"/dev/pps0","real_sec":{},"real_nsec":{},"clock_sec":{},"clock_nsec":{},"precision":-20}}"#,
                real.0, real.1, clock.0, clock.1
            )?;
        }
    }
    Ok(())
}
