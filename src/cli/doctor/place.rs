//! Whether the node can make the files that it makes.

use std::fs::OpenOptions;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nunect_runtime::control::{SOCKET_PATH_MAX_BYTES, living_sockets};

use super::{Context, Finding};

/// Free space below which the log file is soon a problem.
const FREE_MIN_BYTES: u64 = 256 << 20;

/// Whether a file can be made in `folder`, which may first have to be made; nothing of it stays.
fn writable(folder: &Path) -> std::io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let probe = there.join(format!(".nunect-doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

/// The folders that control sockets are looked for in (protocol, section 6).
fn folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let user = rustix::process::geteuid().as_raw();
    let mut folders: Vec<PathBuf> = runtime.into_iter().map(|folder| folder.join("nunect")).collect();
    folders.extend([PathBuf::from("/run/nunect"), std::env::temp_dir().join(format!("nunect-{user}"))]);
    folders
}

/// Whether command-line clients will reach the node, and what dead nodes left behind.
pub(super) fn control_socket(context: &Context<'_>) -> Vec<Finding> {
    let check = "control socket";
    let Some(profile) = context.profile() else { return Vec::new() };
    if !profile.control.enabled {
        return vec![Finding::info(check, "none: control.enabled is false, commands need `--nats URL`")];
    }
    let named = profile.control.socket.clone();
    let usable = match &named {
        Some(path) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            writable(folder).map(|()| path.clone()).map_err(|error| format!("{}: {error}", folder.display()))
        }
        None => {
            let found = folders().into_iter().find(|folder| writable(folder).is_ok());
            let socket = found.map(|folder| folder.join(format!("{}.sock", profile.unit)));
            socket.ok_or_else(|| "no folder for it can be written to".to_owned())
        }
    };
    let mut found = vec![match usable {
        Ok(path) if path.as_os_str().len() > SOCKET_PATH_MAX_BYTES => {
            let what = format!("{} is longer than {SOCKET_PATH_MAX_BYTES} bytes", path.display());
            Finding::warning(check, what, "set control.socket to a shorter path")
        }
        Ok(path) => Finding::ok(check, format!("{} can be made", path.display())),
        Err(reason) => Finding::warning(check, reason, "set XDG_RUNTIME_DIR, or control.socket"),
    }];
    let living = living_sockets();
    for path in folders().iter().flat_map(|folder| sockets(folder)) {
        if living.contains(&path) {
            found.push(Finding::info(check, format!("a node runs at {}", path.display())));
        } else if UnixStream::connect(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            let what = format!("{} is left over from a node that died", path.display());
            found.push(Finding::info(check, format!("{what}; a node of that name takes its place")));
        }
    }
    found
}

fn sockets(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_socket = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_socket());
    let mut paths: Vec<PathBuf> = entries.filter(is_socket).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "sock"));
    paths.sort();
    paths
}

/// Whether the log files can be written, and for how long.
pub(super) fn log_folder(context: &Context<'_>) -> Vec<Finding> {
    let check = "log folder";
    let Some(file) = context.profile().and_then(|profile| profile.logging.file.as_ref()) else { return Vec::new() };
    let shown = file.folder.display();
    if let Err(error) = writable(&file.folder) {
        let help =
            format!("let the node's user write there, or set logging.file.folder; the node starts without: {error}");
        return vec![Finding::problem(check, format!("{shown} cannot be written to"), help)];
    }
    let there = file.folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    vec![match rustix::fs::statvfs(there) {
        Err(error) => Finding::warning(check, format!("{shown}: free space is not known: {error}"), ""),
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let what = format!("{shown}, {} MiB free", free >> 20);
            if free < FREE_MIN_BYTES {
                Finding::warning(check, what, "make room: log lines are lost when the disk is full")
            } else {
                Finding::ok(check, what)
            }
        }
    }]
}
