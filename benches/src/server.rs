//! A nats-server of our own, on ports that were free.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How long the server may take to do what it is asked.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server; dropping it ends it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    monitor: u16,
}

impl Server {
    /// Starts `NUNECT_NATS_SERVER`, or the `nats-server` of `PATH`.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn start() -> Result<Self, Failure> {
        let program = std::env::var("NUNECT_NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
        let (port, monitor) = (free_port()?, free_port()?);
        let child = Command::new(&program)
            .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--http_port", &monitor.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`{program}` does not start: {error}; set NUNECT_NATS_SERVER to a nats-server"))?;
        let server = Self { child, port, monitor };
        until("the server listens", || TcpStream::connect(server.address()).is_ok())?;
        Ok(server)
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// Waits until nobody is subscribed to `subject` any more: the server takes a moment to see that
    /// a process has ended.
    ///
    /// # Errors
    /// When somebody still is.
    pub fn wait_for_silence(&self, subject: &str) -> Result<(), Failure> {
        until(&format!("nobody reads {subject}"), || self.reads(subject).is_ok_and(|reads| !reads))
    }

    /// Waits until somebody is subscribed to `subject`.
    ///
    /// # Errors
    /// When nobody is in time.
    pub fn wait_for_reader(&self, subject: &str) -> Result<(), Failure> {
        until(&format!("somebody reads {subject}"), || self.reads(subject).is_ok_and(|reads| reads))
    }

    fn reads(&self, subject: &str) -> std::io::Result<bool> {
        Ok(self.ask("/connz?subs=1")?.contains(&format!("\"{subject}\"")))
    }

    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitor))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn until(what: &str, done: impl Fn() -> bool) -> Result<(), Failure> {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited {PATIENCE:?} in vain until {what}").into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
