//! Datagrams to a daemon on this host and back, over a UNIX socket or UDP.
//!
//! Both ends of a conversation are fixed: the socket is connected, so that the kernel lets nobody's datagrams
//! in but the daemon's (unix(7), udp(7)). A daemon answers on a UNIX socket by writing to a path of the asker's
//! own, which therefore is a file that the daemon must be able to reach and to write to.

use std::env;
use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram as StdUnixDatagram;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nunect_core::clock::{Obstacle, Unread};
use tokio::net::{UdpSocket, UnixDatagram, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::HostPort;
use crate::control::SOCKET_PATH_MAX_BYTES;

/// How long the name of a daemon's host may take to be resolved.
const RESOLVE_PATIENCE: Duration = Duration::from_millis(300);
/// How many names are tried for a socket of our own in one folder. A name is taken when a process of the same
/// number in another container uses the folder too.
const NAMES_PER_FOLDER: usize = 16;

/// A conversation with one daemon. Dropping it removes its file.
#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: Socket,
    daemon: Peer,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixDatagram, #[expect(dead_code, reason = "it is there to be dropped")] OwnFile),
    Udp(UdpSocket),
}

/// Whom we talk to, as error texts name it.
#[derive(Debug)]
enum Peer {
    Path(PathBuf),
    Address(HostPort),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The file of a socket of ours.
#[derive(Debug)]
struct OwnFile(PathBuf);

impl Drop for OwnFile {
    fn drop(&mut self) {
        // It may be gone with its folder: then there is nothing to tidy.
        let _ = fs::remove_file(&self.0);
    }
}

impl Datagrams {
    /// Talks to the daemon whose socket is at `daemon`, from a socket whose file is called after `name`. Must be
    /// called within a tokio runtime.
    ///
    /// The file is beside the daemon's, where the daemon surely reaches it, else in `$RUNTIME_DIRECTORY`,
    /// `$XDG_RUNTIME_DIR`, `/run` or the temporary folder.
    ///
    /// # Errors
    /// [`Obstacle::Absent`] if the path is none for a socket, there is no socket, or nobody listens on it;
    /// [`Obstacle::Denied`] if this process may not write to it, or has no folder for its own.
    pub(crate) fn unix(daemon: &Path, name: &str) -> Result<Self, Unread> {
        Self::unix_from(daemon, &folders(daemon), name)
    }

    fn unix_from(daemon: &Path, folders: &[PathBuf], name: &str) -> Result<Self, Unread> {
        let absent = |why: &str| Unread::new(Obstacle::Absent, format!("{}: {why}", daemon.display()));
        if !daemon.is_absolute() {
            return Err(absent("the path of a daemon's socket begins with `/`"));
        }
        let length = daemon.as_os_str().len();
        if length > SOCKET_PATH_MAX_BYTES || daemon.as_os_str().as_bytes().contains(&0) {
            return Err(absent(&format!(
                "{length} bytes long; the path of a UNIX socket has at most {SOCKET_PATH_MAX_BYTES}, and no zero"
            )));
        }
        let peer = Peer::Path(daemon.to_owned());
        // Before a file is made: mostly, a daemon that cannot be talked to is not there at all.
        StdUnixDatagram::unbound().and_then(|probe| probe.connect(daemon)).map_err(|error| unread(&peer, &error))?;

        let (socket, file) = own_socket(folders, name).map_err(|tried| {
            let detail = format!("{peer} cannot answer: no folder takes a socket of this process ({tried})");
            Unread::new(Obstacle::Denied, detail)
        })?;
        let connected = || -> io::Result<UnixDatagram> {
            socket.connect(daemon)?;
            socket.set_nonblocking(true)?;
            // What somebody sent before the connection was there is nobody's answer.
            while socket.recv(&mut [0]).is_ok() {}
            fs::set_permissions(&file.0, Permissions::from_mode(0o666))?;
            UnixDatagram::from_std(socket)
        };
        match connected() {
            Ok(socket) => Ok(Self { socket: Socket::Unix(socket, file), daemon: peer }),
            Err(error) => Err(unread(&peer, &error)),
        }
    }

    /// Talks to the daemon at `daemon` over UDP.
    ///
    /// # Errors
    /// [`Obstacle::Absent`] if the host has no address; [`Obstacle::Silent`] if its name takes too long to be
    /// resolved; [`Obstacle::Denied`] if this process may not talk to it. That nobody listens there shows with
    /// the first datagram.
    pub(crate) async fn udp(daemon: &HostPort) -> Result<Self, Unread> {
        let peer = Peer::Address(daemon.clone());
        // A numeric address must not wait behind the resolver's threads.
        let addresses: Vec<SocketAddr> = match daemon.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, daemon.port)],
            Err(_) => match timeout(RESOLVE_PATIENCE, lookup_host((daemon.host.as_str(), daemon.port))).await {
                Ok(found) => found
                    .map_err(|error| {
                        Unread::new(Obstacle::Absent, format!("{peer}: the host has no address: {error}"))
                    })?
                    .collect(),
                Err(_) => {
                    let detail = format!("{peer}: the name is not resolved within {RESOLVE_PATIENCE:?}");
                    return Err(Unread::new(Obstacle::Silent, detail));
                }
            },
        };
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in addresses {
            match connected(address).await {
                Ok(socket) => return Ok(Self { socket: Socket::Udp(socket), daemon: peer }),
                Err(error) => last = error,
            }
        }
        Err(unread(&peer, &last))
    }

    /// Sends one datagram; waits until `deadline` for room in the daemon's queue.
    ///
    /// # Errors
    /// [`Obstacle::Silent`] if the daemon does not make room; [`Obstacle::Absent`] or [`Obstacle::Denied`] if
    /// it went away: only a new conversation helps then.
    pub(crate) async fn send(&self, datagram: &[u8], deadline: Instant) -> Result<(), Unread> {
        let sent = async {
            match &self.socket {
                Socket::Unix(socket, _) => socket.send(datagram).await,
                Socket::Udp(socket) => socket.send(datagram).await,
            }
        };
        match timeout_at(deadline, sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unread(&self.daemon, &error)),
            Err(_) => Err(Unread::new(Obstacle::Silent, format!("{} takes no more questions", self.daemon))),
        }
    }

    /// Receives one datagram of the daemon's and returns its length; what does not fit in `buffer` is cut off.
    ///
    /// # Errors
    /// [`Obstacle::Silent`] if none came until `deadline`; [`Obstacle::Absent`] or [`Obstacle::Denied`] if the
    /// daemon went away.
    pub(crate) async fn receive(&self, buffer: &mut [u8], deadline: Instant) -> Result<usize, Unread> {
        let received = async {
            match &self.socket {
                Socket::Unix(socket, _) => socket.recv(buffer).await,
                Socket::Udp(socket) => socket.recv(buffer).await,
            }
        };
        match timeout_at(deadline, received).await {
            Ok(Ok(length)) => Ok(length),
            Ok(Err(error)) => Err(unread(&self.daemon, &error)),
            Err(_) => Err(Unread::new(Obstacle::Silent, format!("{} does not answer in time", self.daemon))),
        }
    }
}

/// A UDP socket that is connected to `address`.
async fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// The folders in which a socket of ours may be, the best first.
fn folders(daemon: &Path) -> Vec<PathBuf> {
    let mut folders = vec![daemon.parent().unwrap_or(daemon).to_owned()];
    // systemd separates several with colons.
    folders.extend(env::var_os("RUNTIME_DIRECTORY").iter().flat_map(env::split_paths));
    folders.extend(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
    folders.push(PathBuf::from("/run"));
    folders.push(env::temp_dir());
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// A socket in the first of the folders that takes one; or what was tried and why it failed.
fn own_socket(folders: &[PathBuf], name: &str) -> Result<(StdUnixDatagram, OwnFile), String> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let mut tried = Vec::new();
    for folder in folders {
        let mut error = io::Error::from(ErrorKind::AddrInUse);
        for _ in 0..NAMES_PER_FOLDER {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{name}.{}.{number}", process::id()));
            match StdUnixDatagram::bind(&path) {
                Ok(socket) => return Ok((socket, OwnFile(path))),
                Err(taken) if taken.kind() == ErrorKind::AddrInUse => remove_if_left_behind(&path),
                Err(other) => {
                    error = other;
                    break;
                }
            }
        }
        tried.push(format!("{}: {error}", folder.display()));
    }
    Err(tried.join("; "))
}

/// Removes the socket of a process of our number that was killed: nobody listens on it.
fn remove_if_left_behind(path: &Path) {
    let refused = StdUnixDatagram::unbound().and_then(|probe| probe.connect(path)).map_err(|error| error.kind());
    if refused == Err(ErrorKind::ConnectionRefused) {
        // If it cannot be removed, the next name is tried all the same.
        let _ = fs::remove_file(path);
    }
}

/// What an error of the system says about the daemon.
fn unread(daemon: &Peer, error: &io::Error) -> Unread {
    let kind = error.kind();
    let (cause, why) = if kind == ErrorKind::NotFound {
        (Obstacle::Absent, "there is no such socket".to_owned())
    } else if kind == ErrorKind::ConnectionRefused {
        (Obstacle::Absent, "nobody listens there".to_owned())
    } else if kind == ErrorKind::PermissionDenied {
        (Obstacle::Denied, format!("this process may not talk to it: {error}"))
    } else {
        // Whatever else it is, nobody is there who could be asked: no route, no socket of this kind, gone.
        (Obstacle::Absent, format!("it cannot be talked to: {error}"))
    };
    Unread::new(cause, format!("{daemon}: {why}"))
}

#[cfg(test)]
mod tests;
