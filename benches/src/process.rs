//! What the kernel says of a process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Failure;

/// What a tick of `/proc/PID/stat` lasts: Linux tells all programs 100 a second.
const TICK: Duration = Duration::from_millis(10);

/// One thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// For how long it has run, to the nanosecond, at the latest when it last went to sleep.
    pub ran: Duration,
    /// How often it went to sleep, and thus woke up.
    pub sleeps: u64,
}

/// The threads of a process at this moment.
///
/// # Errors
/// When it is gone.
pub fn threads(process: u32) -> Result<Vec<Thread>, Failure> {
    let mut threads = Vec::new();
    for entry in std::fs::read_dir(folder(process).join("task"))? {
        // One that ends meanwhile is none any more.
        threads.extend(thread(&entry?.path()));
    }
    Ok(threads)
}

fn thread(folder: &Path) -> Option<Thread> {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
    let ran = read("schedstat")?.split_whitespace().next()?.parse().ok()?;
    let sleeps = value(&read("status")?, "voluntary_ctxt_switches:")?.parse().ok()?;
    Some(Thread {
        id: folder.file_name()?.to_str()?.parse().ok()?,
        name: read("comm")?.trim().to_owned(),
        ran: Duration::from_nanos(ran),
        sleeps,
    })
}

/// For how long the threads that there are have run, all together.
///
/// # Errors
/// When the process is gone.
pub fn ran(process: u32) -> Result<Duration, Failure> {
    Ok(threads(process)?.iter().map(|thread| thread.ran).sum())
}

/// The processor time of all threads that there are and were, in ticks of 10 ms: user and system.
///
/// # Errors
/// When the process is gone.
pub fn ticks(process: u32) -> Result<Duration, Failure> {
    let text = std::fs::read_to_string(folder(process).join("stat"))?;
    // The name, in parentheses, may hold anything: what follows it starts at the third field.
    let (_, fields) = text.rsplit_once(')').ok_or("the kernel does not say")?;
    let ticks: Result<Vec<u32>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    Ok(TICK * ticks?.iter().sum())
}

/// The memory that it has in use, in MiB.
///
/// # Errors
/// When the process is gone.
pub fn resident(process: u32) -> Result<f64, Failure> {
    mebibytes(&folder(process).join("status"), "VmRSS:")
}

/// The same, where pages that others use as well count by its share alone.
///
/// # Errors
/// When the process is gone.
pub fn share(process: u32) -> Result<f64, Failure> {
    mebibytes(&folder(process).join("smaps_rollup"), "Pss:")
}

fn mebibytes(file: &Path, key: &str) -> Result<f64, Failure> {
    let text = std::fs::read_to_string(file)?;
    let kibibytes: f64 = value(&text, key).ok_or("the kernel does not say")?.trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes / 1024.0)
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim)
}

fn folder(process: u32) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}
