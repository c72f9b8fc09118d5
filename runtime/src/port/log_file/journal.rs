//! The files of one unit: which one is written, when the next begins, which are too many.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nunect_core::{UnitId, Wall};

const SUFFIX: &str = ".jsonl";
/// How far from its end a file is searched for the end of its last whole line.
const TORN_MAX: u64 = 1 << 20;
/// Too many open files, of the process and of the system (`errno.h`; std has no kind for them).
const OPEN_FILES: [i32; 2] = [24, 23];

/// The files of one unit in one folder.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    unit: UnitId,
    size_max: u64,
    files_max: usize,
    present: Option<Present>,
    /// Whether it was told that the files beside the present one are not as they should be.
    complained: bool,
}

/// The file that is written.
#[derive(Debug)]
struct Present {
    name: Name,
    path: PathBuf,
    file: File,
    size: u64,
    /// It ends in the middle of a line that could not be taken away.
    torn: bool,
}

/// A file of the unit by its name: in the order of writing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    /// `YYYY-MM-DD`, UTC.
    day: String,
    number: u64,
}

/// Why not every line was written.
#[derive(Debug)]
pub(super) struct Failure {
    /// The lines that were.
    pub(super) written: u64,
    /// What, where, why, and what to do.
    pub(super) words: String,
}

impl Journal {
    pub(super) const fn new(folder: PathBuf, unit: UnitId, size_max: u64, files_max: usize) -> Self {
        Self { folder, unit, size_max, files_max, present: None, complained: false }
    }

    /// Writes whole lines, in one file or several; none at all still makes sure that there is one.
    pub(super) fn write(&mut self, now: Wall, lines: &[Bytes]) -> Result<(), Failure> {
        let mut day = now.rfc3339();
        day.truncate("YYYY-MM-DD".len());
        let (mut written, size_max) = (0, self.size_max);
        loop {
            let rest = &lines[written..];
            let next = rest.first().map_or(0, |line| length(line));
            let failed = match self.ready(&day, next) {
                Ok(present) => {
                    let fits = present.fitting(rest, size_max);
                    match present.append(&rest[..fits]) {
                        Ok(()) => {
                            written += fits;
                            if written == lines.len() {
                                return Ok(());
                            }
                            continue;
                        }
                        Err((whole, error)) => {
                            written += whole;
                            (present.path.clone(), error)
                        }
                    }
                }
                Err(failed) => failed,
            };
            // Opened anew, so that whatever happened to it meanwhile is seen.
            self.present = None;
            let (path, error) = failed;
            return Err(Failure { written: written as u64, words: words(&path, &error) });
        }
    }

    /// The file for a line of `next` bytes on `day`.
    fn ready(&mut self, day: &str, next: u64) -> Result<&mut Present, (PathBuf, io::Error)> {
        let size_max = self.size_max;
        let (fits, after) = match &self.present {
            Some(present) if present.name.day == day && present.is_in_place() => {
                (present.has_room(next, size_max), Some(present.name.number + 1))
            }
            Some(_) | None => (false, None),
        };
        if !fits {
            // Closed before the next is opened: there may be no more than one to open.
            self.present = None;
            let opened = self.open(day, next, after)?;
            self.present = Some(opened);
            self.link();
            self.prune();
        }
        Ok(self.present.as_mut().expect("just opened"))
    }

    /// Opens the file numbered `number` or, when none is given, the last of the day; the one after it
    /// when that is full.
    fn open(&self, day: &str, next: u64, number: Option<u64>) -> Result<Present, (PathBuf, io::Error)> {
        fs::create_dir_all(&self.folder).map_err(|error| (self.folder.clone(), error))?;
        let number = match number {
            Some(number) => number,
            None => {
                let names = self.names().map_err(|error| (self.folder.clone(), error))?;
                names.into_iter().filter(|name| name.day == day).map(|name| name.number).max().unwrap_or(1)
            }
        };
        let mut name = Name { day: day.to_owned(), number };
        loop {
            let path = self.path(&name);
            let present = Present::open(name.clone(), path.clone()).map_err(|error| (path, error))?;
            if present.has_room(next, self.size_max) {
                return Ok(present);
            }
            name.number += 1;
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(self.file_name(name))
    }

    fn file_name(&self, name: &Name) -> String {
        format!("{}.{}.{}{SUFFIX}", self.unit, name.day, name.number)
    }

    /// The files of this unit, and of no other.
    fn names(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            if let Some(name) = entry?.file_name().to_str().and_then(|name| self.parse(name)) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn parse(&self, name: &str) -> Option<Name> {
        let (day, number) =
            name.strip_prefix(self.unit.as_str())?.strip_prefix('.')?.strip_suffix(SUFFIX)?.split_once('.')?;
        let is_day = day.len() == 10
            && day.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let name = Name { day: day.to_owned(), number: number.parse().ok()? };
        // `01` and `+1` are numbers, and no names of ours.
        (is_day && name.number.to_string() == number).then_some(name)
    }

    /// Points the link at the present file, in one step for whoever follows it.
    fn link(&mut self) {
        let Some(present) = &self.present else { return };
        let link = self.folder.join(format!("{}.current{SUFFIX}", self.unit));
        let target = self.file_name(&present.name);
        if fs::read_link(&link).is_ok_and(|present| present == Path::new(&target)) {
            return;
        }
        let draft = self.folder.join(format!(".{}.current{SUFFIX}", self.unit));
        // Left over from a run that ended in between.
        let _ = fs::remove_file(&draft);
        if let Err(error) = symlink(&target, &draft).and_then(|()| fs::rename(&draft, &link)) {
            self.complain(&format!("the link {} to the present log file cannot be set: {error}", link.display()));
        }
    }

    /// Removes the oldest files beyond what is kept; never the present one, which a clock that was set
    /// back may have made the oldest.
    fn prune(&mut self) {
        let Some(present) = self.present.as_ref().map(|present| present.name.clone()) else { return };
        let Ok(mut names) = self.names() else { return };
        names.retain(|name| *name != present);
        names.sort_unstable();
        let kept = self.files_max.saturating_sub(1);
        for name in &names[..names.len().saturating_sub(kept)] {
            let path = self.path(name);
            if let Err(error) = fs::remove_file(&path) {
                self.complain(&format!("the old log file {} cannot be removed: {error}", path.display()));
            }
        }
    }

    /// Says once what does not keep lines from being written.
    fn complain(&mut self, words: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!("{words}; give this process the right to change the folder");
        }
    }
}

impl Present {
    fn open(name: Name, path: PathBuf) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
        let torn = !mend(&mut file)?;
        let size = file.metadata()?.len();
        Ok(Self { name, path, file, size, torn })
    }

    /// Whether it is still the file of its name: it may have been moved or removed.
    fn is_in_place(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (ours, there) = (self.file.metadata().map(identity), fs::metadata(&self.path).map(identity));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// A line that is longer than a file may be has one of its own.
    const fn has_room(&self, next: u64, size_max: u64) -> bool {
        self.size == 0 || self.size + next <= size_max
    }

    /// How many of the lines fit, after the first, which does.
    fn fitting(&self, lines: &[Bytes], size_max: u64) -> usize {
        let mut size = self.size;
        let fits = |line: &&Bytes| {
            let first = size == self.size;
            size += length(line);
            first || size <= size_max
        };
        lines.iter().take_while(fits).count()
    }

    /// Appends lines in one write. When that fails, how many are there as a whole; of the next,
    /// nothing is.
    fn append(&mut self, lines: &[Bytes]) -> Result<(), (usize, io::Error)> {
        let mut block = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum::<usize>() + 1);
        if self.torn {
            block.push(b'\n');
        }
        let head = block.len();
        for line in lines {
            block.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                block.push(b'\n');
            }
        }
        match write_all(&mut self.file, &block) {
            Ok(()) => {
                self.torn = false;
                self.size += block.len() as u64;
                Ok(())
            }
            Err((done, error)) => {
                let lines = block[head.min(done)..done].iter().filter(|byte| **byte == b'\n').count();
                // What remains torn is mended when the file is opened anew.
                let _ = mend(&mut self.file);
                Err((lines, error))
            }
        }
    }
}

/// The bytes of a line in a file.
fn length(line: &[u8]) -> u64 {
    line.len() as u64 + u64::from(!line.ends_with(b"\n"))
}

/// Writes everything, or says how much.
fn write_all(file: &mut impl Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write(&bytes[done..]) {
            Ok(0) => return Err((done, ErrorKind::WriteZero.into())),
            Ok(more) => done += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((done, error)),
        }
    }
    Ok(())
}

/// Takes away a line without an end, which a full disk or a power cut leaves behind. Returns whether
/// the file then ends with a whole line.
fn mend(file: &mut File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let size = metadata.len();
    if size == 0 || !metadata.is_file() {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::Start(size - 1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(true);
    }
    let from = size.saturating_sub(TORN_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(TORN_MAX).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map(|at| from + at as u64 + 1);
    // A longer line than that is none of ours: it stays, and ours begin after it.
    let end = whole.or((from == 0).then_some(0));
    Ok(end.is_some_and(|end| file.set_len(end).is_ok()))
}

/// What does not work, and what to do about it.
fn words(path: &Path, error: &io::Error) -> String {
    let kind = error.kind();
    let remedy = if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge) {
        "make room there, or keep fewer or smaller files"
    } else if matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
        "let the user of this process write there, or name another folder"
    } else if matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory
    ) {
        "name a folder, and take away what stands in its place"
    } else if error.raw_os_error().is_some_and(|code| OPEN_FILES.contains(&code)) {
        "allow more open files (`ulimit -n`, or LimitNOFILE= of the service)"
    } else {
        "see whether the disk is sound, or name another folder"
    };
    let path = path.display();
    format!(
        "the log file {path} cannot be written: {error}; {remedy}. It is tried again; until then lines are lost and counted"
    )
}

#[cfg(test)]
mod tests;
