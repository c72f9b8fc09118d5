//! A nats-server on a node of a mesh, and what its log says.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::mesh::Mesh;
use super::process::{Line, Process, Says};
use crate::nats;

/// How long a server may take until it says that it is ready.
const START: Duration = Duration::from_secs(15);

/// Listens for clients on port 4222 of its node.
pub(super) struct Server {
    process: Process,
}

impl Server {
    /// With this configuration besides its name and where it listens; comes back when it is ready.
    pub(super) fn start(mesh: &Mesh, node: usize, name: &str, config: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nunect-fidelity-{}-{number}.conf", std::process::id()));
        std::fs::write(&path, format!("server_name: {name}\nlisten: \"0.0.0.0:4222\"\n{config}\n"))
            .expect("a temporary file");
        let started = Instant::now();
        let mut process = Process::start(mesh.command(node, &nats::binary()).arg("-c").arg(&path), &Says::Error);
        process.expect(&["Server is ready"], started, START);
        // It has been read; a test that is killed leaves nothing behind.
        std::fs::remove_file(&path).expect("a file of this test");
        Self { process }
    }

    /// The first line of its log with all these words, written at or after `since`.
    pub(super) fn expect(&mut self, words: &[&str], since: Instant, limit: Duration) -> Line {
        self.process.expect(words, since, limit)
    }

    /// How long after `since` it gave up each connection to a server of this name.
    pub(super) fn gave_up(&mut self, remote: &str, since: Instant) -> Vec<Duration> {
        let remote = format!("Remote: {remote}");
        let is = |text: &str| {
            // Of connections that cross each other one is closed again at once.
            let spare = ["Duplicate", "Client Closed"].iter().any(|reason| text.contains(reason));
            text.contains("connection closed") && text.contains(&remote) && !spare
        };
        let lines = self.process.said().iter().filter(|line| is(&line.text));
        lines.filter_map(|line| line.at.checked_duration_since(since)).collect()
    }

    /// Ends it as a power cut would: SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill();
    }
}

/// What `nats-server --version` says: `nats-server: v2.15.1`.
pub(super) fn version() -> String {
    let said = std::process::Command::new(nats::binary()).arg("--version").output().expect("nats-server runs").stdout;
    String::from_utf8_lossy(&said).trim().trim_start_matches("nats-server: v").to_owned()
}

/// Where clients on `node` itself find its server.
pub(super) const HERE: &str = "nats://127.0.0.1:4222";

/// Where clients on other nodes find it.
pub(super) fn url(node: usize) -> String {
    format!("nats://{}:4222", Mesh::address(node))
}
