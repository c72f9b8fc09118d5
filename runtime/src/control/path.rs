//! Where control sockets are (protocol, section 6).

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nunect_core::UnitId;
use tokio::net::UnixListener;

use super::ControlError;
use super::client::unit_of;

/// The longest path of a socket: `sun_path` of unix(7) has 108 bytes, with a zero at the end.
pub const SOCKET_PATH_MAX_BYTES: usize = 107;
/// How long another process may take to offer its socket in the same folder.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(5);

/// The folders that sockets may be in, the best first.
#[derive(Clone, Debug)]
pub(super) struct Places {
    folders: Vec<Place>,
    uid: u32,
}

#[derive(Clone, Debug)]
struct Place {
    folder: PathBuf,
    /// Nobody but the system's administrator can have made it.
    trusted: bool,
}

impl Places {
    pub(super) fn of_this_process() -> Self {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let uid = rustix::process::geteuid().as_raw();
        Self::new(runtime.as_deref(), Path::new("/run"), &std::env::temp_dir(), uid)
    }

    pub(super) fn new(runtime: Option<&Path>, run: &Path, temporary: &Path, uid: u32) -> Self {
        let own = |folder| Place { folder, trusted: false };
        let mut folders: Vec<_> = runtime.map(|runtime| own(runtime.join("nunect"))).into_iter().collect();
        folders.push(Place { folder: run.join("nunect"), trusted: true });
        folders.push(own(temporary.join(format!("nunect-{uid}"))));
        Self { folders, uid }
    }

    /// Where the socket of `unit` goes; its folder is there then.
    pub(super) fn socket(&self, unit: &UnitId) -> Result<PathBuf, ControlError> {
        let mut problem = None;
        for Place { folder, .. } in &self.folders {
            match self.prepare(folder) {
                Ok(()) => return Ok(folder.join(format!("{unit}.sock"))),
                Err(why) => problem = Some(ControlError::Folder { folder: folder.clone(), problem: why }),
            }
        }
        Err(problem.expect("there is a folder at least"))
    }

    /// Makes `folder` one in which nobody else can put a socket of their own in the place of ours.
    fn prepare(&self, folder: &Path) -> Result<(), String> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(format!("cannot be made: {error}")),
            _ => {}
        }
        // Not through a link, which somebody else may have put there.
        let is = folder.symlink_metadata().map_err(|error| format!("cannot be looked at: {error}"))?;
        if !is.is_dir() {
            return Err("is no folder".to_owned());
        }
        if is.uid() != self.uid {
            return Err(format!("belongs to user {}, and this is user {}", is.uid(), self.uid));
        }
        if is.mode() & 0o022 != 0 {
            std::fs::set_permissions(folder, Permissions::from_mode(0o700))
                .map_err(|error| format!("can be written by others: {error}"))?;
        }
        Ok(())
    }

    /// The sockets on which somebody listens.
    pub(super) fn living(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for place in &self.folders {
            let Ok(is) = place.folder.symlink_metadata() else { continue };
            // Whoever can make a folder of this name in a place for all must not be taken for a node.
            if !is.is_dir() || !(place.trusted || is.uid() == self.uid) {
                continue;
            }
            let Ok(entries) = place.folder.read_dir() else { continue };
            let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
            let mut sockets: Vec<_> = paths.filter(|path| path.extension() == Some(OsStr::new("sock"))).collect();
            sockets.retain(|path| path.as_os_str().len() <= SOCKET_PATH_MAX_BYTES && answers(path));
            sockets.sort();
            found.append(&mut sockets);
        }
        found
    }

    pub(super) fn find(&self, named: Option<&Path>) -> Result<PathBuf, ControlError> {
        if let Some(path) = named {
            return Ok(path.to_owned());
        }
        let mut found = self.living();
        match found.len() {
            0 => Err(ControlError::NoNode),
            1 => Ok(found.remove(0)),
            _ => Err(ControlError::Several(found)),
        }
    }
}

/// The socket that is named, or the only one on which a node listens.
///
/// # Errors
/// When there is none, or there are several.
pub fn find_socket(named: Option<&Path>) -> Result<PathBuf, ControlError> {
    Places::of_this_process().find(named)
}

/// The sockets of this user on which nodes listen, the best folder first.
#[must_use]
pub fn living_sockets() -> Vec<PathBuf> {
    Places::of_this_process().living()
}

/// Whether somebody listens there: one that is too busy to take another connection does.
fn answers(path: &Path) -> bool {
    match UnixStream::connect(path) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// A socket of this process, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    /// The file that it is: another node may have put its own in the place.
    file: (u64, u64),
}

impl Claim {
    /// Listens on `path`, in the place of a node that died if need be.
    pub(super) async fn new(path: PathBuf) -> Result<(UnixListener, Self), ControlError> {
        // It comes into being under another name, with no rights for others, and takes its place in
        // one step: nobody meets a socket that is half made.
        let made = path.with_file_name(format!(".{}", std::process::id()));
        for path in [&path, &made] {
            if path.as_os_str().len() > SOCKET_PATH_MAX_BYTES {
                return Err(ControlError::TooLong(path.clone()));
            }
        }
        let io = |doing| {
            let path = path.clone();
            move |error| ControlError::Io { doing, path, error }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Of two nodes that find the leftover of a third, one must not remove the socket of the other.
        let lock = File::open(folder).map_err(io("opening the folder of"))?;
        wait_for(&lock).await;
        check_free(&path).await?;
        remove(&made).map_err(io("making"))?;
        let listener = UnixListener::bind(&made).map_err(io("making"))?;
        let placed = std::fs::set_permissions(&made, Permissions::from_mode(0o600))
            .and_then(|()| std::fs::rename(&made, &path))
            .and_then(|()| path.symlink_metadata());
        match placed {
            Ok(is) => Ok((listener, Self { path, file: file(&is) })),
            Err(error) => {
                let _ = remove(&made);
                Err(io("making")(error))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.path.symlink_metadata().is_ok_and(|is| file(&is) == self.file) {
            let _ = remove(&self.path);
        }
    }
}

fn file(is: &Metadata) -> (u64, u64) {
    (is.dev(), is.ino())
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Locks a folder; who holds it for longer holds up nobody, since it may be anybody in a folder for all.
async fn wait_for(folder: &File) {
    let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
    while folder.try_lock().is_err() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(LOCK_POLL).await;
    }
}

/// Whether `path` can be taken: nothing is there, or a socket on which nobody listens.
async fn check_free(path: &Path) -> Result<(), ControlError> {
    let is = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ControlError::Io { doing: "looking at", path: path.to_owned(), error }),
        Ok(is) => is,
    };
    if !is.file_type().is_socket() {
        return Err(ControlError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(ControlError::Permission(path.to_owned())),
        _ => Err(ControlError::InUse { path: path.to_owned(), unit: unit_of(path).await }),
    }
}

#[cfg(test)]
mod tests;
