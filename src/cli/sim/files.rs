//! Files that a run leaves behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use nunect_simulations::{Jsonl, Simulation};

/// Blocks of a trace that may wait for the thread that writes them: 8 MB.
const BLOCKS_MAX: usize = 1_024;

/// What was being done to which file when it failed, in words.
pub(super) fn failed(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("error: cannot {doing} {}: {error}", path.display())
}

/// Creates the folders above a file.
pub(super) fn create_folders(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}

/// Creates a file, and the folders above it.
pub(super) fn create(path: &Path) -> io::Result<File> {
    create_folders(path)?;
    File::create(path)
}

/// Writes a whole file, and the folders above it.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    create(path)?.write_all(text.as_bytes())
}

/// A trace that is written while the run goes on. Another thread puts it into words: the run waits only
/// when it is far ahead.
pub(super) struct TraceFile {
    path: PathBuf,
    blocks: SyncSender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

impl TraceFile {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let file = create(path)?;
        let (blocks, received) = mpsc::sync_channel::<Vec<u8>>(BLOCKS_MAX);
        let writer = std::thread::Builder::new().name("nunect-trace".to_owned()).spawn(move || {
            let mut file = io::BufWriter::with_capacity(1 << 20, file);
            let (mut jsonl, mut lines) = (Jsonl::new(), Vec::new());
            for block in received {
                jsonl.translate(&block, &mut lines).map_err(io::Error::other)?;
                file.write_all(&lines)?;
                lines.clear();
            }
            file.flush()
        })?;
        Ok(Self { path: path.to_owned(), blocks, writer })
    }

    /// Lets a simulation write into it.
    pub(super) fn tap(&self, simulation: &mut Simulation) {
        let blocks = self.blocks.clone();
        // A writer that is gone has failed, and says so at the end.
        simulation.tap_trace(move |block| drop(blocks.send(block.to_vec())));
    }

    /// Waits until all is written; the simulation must be gone.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) fn finish(self) -> Result<(), String> {
        drop(self.blocks);
        let written = self.writer.join().unwrap_or_else(|_| Err(io::Error::other("its thread panicked")));
        written.map_err(|error| failed("write the trace", &self.path, &error))
    }
}
