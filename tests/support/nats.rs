//! A real nats-server on a free loopback port, stopped by its process when it is dropped.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take until it says its first words.
const START: Duration = Duration::from_secs(15);
/// Below the ports that systems give to outgoing connections: a client that tries again and again
/// to reach a port of its own kind reaches itself one day.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A server of this test's own.
pub(crate) struct NatsServer {
    child: Option<Child>,
    port: u16,
    config: Option<PathBuf>,
    /// Where it tells about itself.
    monitor: Option<u16>,
}

/// The binary that `tools/test` fetched; a missing one fails the test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("NUNECT_NATS_SERVER")
        .map(PathBuf::from)
        .expect("NUNECT_NATS_SERVER names no nats-server: run the tests by `bash tools/test`, which fetches one")
}

/// Sends a signal to a process that this test started: `TERM`, `INT`, `STOP`, `CONT`.
pub(crate) fn signal(process: u32, name: &str) {
    // The shell's own `kill`, since not every machine has one beside it.
    let status = Command::new("sh").args(["-c", &format!("kill -s {name} {process}")]).status();
    assert!(status.expect("a shell").success(), "SIG{name} reaches process {process}");
}

impl NatsServer {
    /// A server on a port that was free a moment ago.
    pub(crate) fn start() -> Self {
        let mut server = Self::absent();
        // Another test program may have taken the port meanwhile.
        for _ in 0..5 {
            if server.try_launch() {
                return server;
            }
            server = Self::absent();
        }
        panic!("nats-server starts on none of five ports");
    }

    /// A server with this configuration besides its address.
    pub(crate) fn configured(config: &str) -> Self {
        let mut server = Self::absent();
        server.configure(config);
        server.launch();
        server
    }

    /// Gives it another configuration, which it reads when it is launched.
    pub(crate) fn configure(&mut self, config: &str) {
        let path = std::env::temp_dir().join(format!("nunect-nats-{}-{}.conf", std::process::id(), self.port));
        std::fs::write(&path, config).expect("a temporary file");
        self.config = Some(path);
    }

    /// A server with this configuration that also tells about itself, see [`Self::ask`].
    pub(crate) fn watched(config: &str) -> Self {
        let mut server = Self::absent();
        server.monitor = Some(free_port());
        server.configure(config);
        server.launch();
        server
    }

    /// A number that it tells about itself on a page, `/varz` or `/connz?state=all`: the first of this name.
    pub(crate) fn tells(&self, page: &str, name: &str) -> u64 {
        let answer = self.ask(page);
        let after = answer.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("no {name}: {answer}")).1;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|_| panic!("{name} is no number: {answer}"))
    }

    /// What it tells about itself on a page.
    pub(crate) fn ask(&self, page: &str) -> String {
        let port = self.monitor.expect("a server that is watched");
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it tells about itself");
        stream.set_read_timeout(Some(START)).expect("a limit");
        write!(stream, "GET {page} HTTP/1.0\r\n\r\n").expect("it is asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Gives it another configuration while it runs, and comes back once it has taken it over: SIGHUP.
    pub(crate) fn reload(&mut self, config: &str) {
        let loaded = |server: &Self| {
            let varz = server.ask("/varz");
            varz.lines().find(|line| line.contains("\"config_load_time\"")).map(ToOwned::to_owned)
        };
        let before = loaded(self);
        self.configure(config);
        signal(self.child.as_ref().expect("a server").id(), "HUP");
        let deadline = Instant::now() + START;
        while loaded(self) == before {
            assert!(Instant::now() < deadline, "nats-server does not take over:\n{config}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A server that is not there yet, on the port that it will have.
    pub(crate) fn absent() -> Self {
        Self { child: None, port: free_port(), config: None, monitor: None }
    }

    /// Starts it, again or at last, on the port it has.
    pub(crate) fn launch(&mut self) {
        assert!(self.try_launch(), "nats-server ends at once on port {}", self.port);
    }

    fn try_launch(&mut self) -> bool {
        let mut command = Command::new(binary());
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(config) = &self.config {
            command.arg("-c").arg(config);
        }
        if let Some(port) = &self.monitor {
            command.args(["-m", &port.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = self.child.insert(child.expect("nats-server starts"));
        let deadline = Instant::now() + START;
        while !answers(self.port) {
            if child.try_wait().expect("a child").is_some() {
                self.child = None;
                return false;
            }
            assert!(Instant::now() < deadline, "nats-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Ends it as a power cut would: SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server is gone");
        }
    }

    /// Lets it stand still, with its connections open: SIGSTOP.
    pub(crate) fn pause(&self) {
        let process = self.child.as_ref().expect("a server").id();
        signal(process, "STOP");
        let deadline = Instant::now() + START;
        while !stands_still(process) {
            assert!(Instant::now() < deadline, "nats-server goes on after SIGSTOP");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        signal(self.child.as_ref().expect("a server").id(), "CONT");
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        if let Some(config) = &self.config {
            // It may have been removed by hand.
            let _ = std::fs::remove_file(config);
        }
    }
}

/// Whether every thread of a process has been stopped: a signal takes a moment to reach them all.
fn stands_still(process: u32) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process that lives");
    threads.all(|thread| {
        let stat = std::fs::read_to_string(thread.expect("readable").path().join("stat")).unwrap_or_default();
        // The state stands after the name, which is in parentheses.
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    })
}

/// Whether somebody speaks NATS on `port`.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let limit = Some(Duration::from_secs(1));
    let mut line = String::new();
    stream.set_read_timeout(limit).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && BufReader::new(stream).read_line(&mut line).is_ok()
        && line.starts_with("INFO ")
}

/// A port on which nobody listens, and that no other test of this program gets.
pub(crate) fn free_port() -> u16 {
    static DRAWN: AtomicU16 = AtomicU16::new(0);
    let ports = PORTS.end - PORTS.start;
    // Test programs begin far from each other.
    let first = u16::try_from(std::process::id().wrapping_mul(7_919) % u32::from(ports)).expect("less than `ports`");
    for _ in 0..ports {
        let port = PORTS.start + (first + DRAWN.fetch_add(1, Ordering::Relaxed) % ports) % ports;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {PORTS:?} is free");
}
