//! The first words of a NATS server: whether one is there, and what it is like.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use nunect_runtime::config::BusUrl;
use serde::Deserialize;

/// The port of a URL that names none.
const PORT: u16 = 4222;
/// No server's first line is longer.
const LINE_MAX: u64 = 1 << 16;

/// What a server says of itself.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Greeting {
    /// Its version.
    pub(super) version: String,
    /// The longest payload that it takes, in bytes.
    pub(super) max_payload: u64,
    /// Whether it wants to know who connects.
    #[serde(default)]
    pub(super) auth_required: bool,
    /// Where it was reached.
    #[serde(skip, default = "nowhere")]
    pub(super) address: SocketAddr,
}

const fn nowhere() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0)
}

/// Why a server did not greet, and what to look at.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// What failed.
    pub(super) reason: String,
    /// What to do.
    pub(super) help: &'static str,
}

impl Greeting {
    /// Whether the server is at least of this version.
    pub(super) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }
}

/// Host and port of a server.
fn place(url: &BusUrl) -> String {
    let shown = url.to_string();
    let place = shown.split_once("://").map_or(shown.as_str(), |(_, place)| place);
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { place.to_owned() } else { format!("{place}:{PORT}") }
}

/// Connects and reads the first line.
///
/// # Errors
/// Why there is none within `timeout`.
pub(super) fn greet(url: &BusUrl, timeout: Duration) -> Result<Greeting, Silence> {
    let deadline = Instant::now() + timeout;
    let silence = |reason: String, help| Silence { reason, help };
    let place = place(url);
    let found = place.to_socket_addrs().map_err(|error| {
        silence(format!("the name `{place}` is not known: {error}"), "correct the host, or ask whoever runs the DNS")
    })?;
    let mut refused = silence(format!("the name `{place}` has no address"), "correct the host");
    for address in found {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return read(stream, address, deadline),
            Err(error) => {
                let help = "start a nats-server there, correct the URL, or open the firewall";
                refused = silence(format!("no connection to {address}: {error}"), help);
            }
        }
    }
    Err(refused)
}

fn read(stream: TcpStream, address: SocketAddr, deadline: Instant) -> Result<Greeting, Silence> {
    let help = "a NATS server speaks first: look whether the port is that of another program";
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut line = String::new();
    let read =
        stream.set_read_timeout(Some(left)).and_then(|()| BufReader::new(stream.take(LINE_MAX)).read_line(&mut line));
    match read {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Silence { reason: format!("{address} takes connections and says nothing"), help })
        }
        Err(error) => Err(Silence { reason: format!("{address} takes connections and breaks them: {error}"), help }),
        Ok(0) => Err(Silence { reason: format!("{address} closes every connection at once"), help }),
        Ok(_) => {
            let info = line.strip_prefix("INFO ").and_then(|json| serde_json::from_str::<Greeting>(json).ok());
            info.map(|info| Greeting { address, ..info })
                .ok_or_else(|| Silence { reason: format!("{address} does not speak NATS"), help })
        }
    }
}
