//! What may be wrong with a control socket.

use std::path::PathBuf;

use nunect_core::UnitId;

use super::path::SOCKET_PATH_MAX_BYTES;
use super::{PROTOCOL, Refusal};

/// Why a control socket cannot be offered, found or used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The system takes no such path.
    #[error(
        "the control socket `{}` has a path of {} bytes, and {SOCKET_PATH_MAX_BYTES} is the most: \
         give a shorter one with `--socket`",
        .0.display(), .0.as_os_str().len()
    )]
    TooLong(PathBuf),
    /// There is no folder for it.
    #[error("no folder for the control socket: `{}` {problem}; give a path with `--socket`", folder.display())]
    Folder {
        /// The last that was tried.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A living node has it.
    #[error(
        "`{}` is the control socket of {}, which runs: stop it, or give this node another with `--socket`",
        path.display(), .unit.as_ref().map_or("another process".to_owned(), |unit| format!("node `{unit}`"))
    )]
    InUse {
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        unit: Option<UnitId>,
    },
    /// Something else is in its place.
    #[error("`{}` is there and is no socket: remove it, or give another path with `--socket`", .0.display())]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error("{doing} the control socket `{}`", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        #[source]
        error: std::io::Error,
    },
    /// There is no node to talk to.
    #[error("no node runs here: start one with `nunect up`, or name a server with `--nats`")]
    NoNode,
    /// There are several.
    #[error(
        "several nodes run here, choose one with `--socket`:{}",
        .0.iter().map(|path| format!("\n  {}", path.display())).collect::<String>()
    )]
    Several(Vec<PathBuf>),
    /// Nobody listens on a socket that was named.
    #[error(
        "no node listens on `{}`: start it with `nunect up`, leave `--socket` out, or name a server with `--nats`",
        .0.display()
    )]
    NobodyListens(PathBuf),
    /// It is another user's.
    #[error("the control socket `{}` is for its own user alone: become the user that the node runs as", .0.display())]
    Permission(PathBuf),
    /// The node is of another version.
    #[error("`{}` speaks protocol {theirs}, and this is {PROTOCOL}: use the `nunect` that the node was started with", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What it speaks.
        theirs: u32,
    },
    /// The node does not let the client in.
    #[error("the node on `{}` refuses", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// Whoever listens is no node, or one that hangs.
    #[error("`{}` does not answer as a node does: is it a control socket, and does its node hang?", .0.display())]
    NoAnswer(PathBuf),
}
