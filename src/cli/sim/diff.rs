//! `nunect sim diff`: where two runs part.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};

use clap::Args;
use nunect_core::Catalog;
use nunect_simulations::{Jsonl, Simulation};
use serde_json::json;

use super::{files, load, refuse};
use crate::cli::console::{Console, Tone};
use crate::cli::exit;

/// Lines that both have before they part, and lines of each after that, which are shown.
const CONTEXT: usize = 3;
/// Blocks of lines that a run may be ahead of the comparison.
const AHEAD: usize = 64;

/// What `nunect sim diff` is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// A trace (FILE.jsonl), or a run: FILE.yaml with the seed of the file, or FILE.yaml@SEED.
    #[arg(value_name = "A")]
    a: String,
    /// The other.
    #[arg(value_name = "B")]
    b: String,
}

/// Lines of a trace, a block at a time.
type Lines = Receiver<io::Result<Vec<u8>>>;

impl Diff {
    pub(super) fn run(&self, catalog: &Catalog, console: &Console) -> u8 {
        let compared = open(&self.a, catalog, console).and_then(|a| {
            let b = open(&self.b, catalog, console)?;
            Comparison::of(Reader::new(&self.a, a), Reader::new(&self.b, b)).map_err(|(path, error)| {
                console.complain(&files::failed("read the trace", &path, &error));
                exit::CONFIGURATION
            })
        });
        match compared {
            Ok(comparison) => comparison.show(self, console),
            Err(code) => code,
        }
    }
}

fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// Begins to read a trace, or to run a scenario.
fn open(source: &str, catalog: &Catalog, console: &Console) -> Result<Lines, u8> {
    let (path, seed) = match source.rsplit_once('@') {
        Some((path, seed)) if seed.parse::<u64>().is_ok() => (PathBuf::from(path), seed.parse().ok()),
        Some((path, seed)) if is_scenario(Path::new(path)) => {
            console.complain(&format!("error: `{seed}` is no seed; write {path}@7"));
            return Err(exit::CONFIGURATION);
        }
        Some(_) | None => (PathBuf::from(source), None),
    };
    let (sender, lines) = mpsc::sync_channel(AHEAD);
    if !is_scenario(&path) {
        let file = File::open(&path).map_err(|error| {
            console.complain(&files::failed("read the trace", &path, &error));
            exit::CONFIGURATION
        })?;
        std::thread::spawn(move || read(file, |block| sender.send(block).is_ok()));
        return Ok(lines);
    }
    let scenario = load(&path, catalog, console)?;
    let seed = seed.unwrap_or_else(|| scenario.seed());
    let mut simulation = Simulation::new(&scenario, catalog.clone(), seed).map_err(|error| refuse(&error, console))?;
    std::thread::spawn(move || {
        let mut jsonl = Jsonl::new();
        simulation.tap_trace(move |block| {
            let mut lines = Vec::new();
            let translated = jsonl.translate(block, &mut lines).map(|()| lines).map_err(io::Error::other);
            // Whoever compares may have seen enough.
            drop(sender.send(translated));
        });
        drop(simulation.run());
    });
    Ok(lines)
}

/// Reads whole lines, many at a time, until nobody wants more.
fn read(file: File, mut give: impl FnMut(io::Result<Vec<u8>>) -> bool) {
    let mut file = BufReader::with_capacity(1 << 20, file);
    loop {
        let mut block = Vec::new();
        let mut failed = None;
        while block.len() < 1 << 16 {
            match file.read_until(b'\n', &mut block) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if block.is_empty() && failed.is_none() {
            return;
        }
        // Whoever compares may have seen enough.
        if !give(Ok(block)) || failed.is_some_and(|error| !give(Err(error))) {
            return;
        }
    }
}

/// One line after another.
struct Reader {
    source: PathBuf,
    blocks: Lines,
    lines: VecDeque<String>,
}

/// What cannot be read, and why.
type Unreadable = (PathBuf, io::Error);

impl Reader {
    fn new(source: &str, blocks: Lines) -> Self {
        Self { source: source.into(), blocks, lines: VecDeque::new() }
    }

    fn next(&mut self) -> Result<Option<String>, Unreadable> {
        while self.lines.is_empty() {
            let Ok(block) = self.blocks.recv() else { return Ok(None) };
            let block = block.map_err(|error| (self.source.clone(), error))?;
            self.lines.extend(String::from_utf8_lossy(&block).lines().map(str::to_owned));
        }
        Ok(self.lines.pop_front())
    }
}

/// Two traces up to where they part, and a little further.
struct Comparison {
    /// Lines that they share.
    equal: u64,
    /// The last of them.
    before: VecDeque<String>,
    a: Vec<String>,
    b: Vec<String>,
}

impl Comparison {
    fn of(mut a: Reader, mut b: Reader) -> Result<Self, Unreadable> {
        let mut comparison = Self { equal: 0, before: VecDeque::new(), a: Vec::new(), b: Vec::new() };
        loop {
            match (a.next()?, b.next()?) {
                // Two runs begin with their seeds: these are what is compared, and no difference.
                (Some(line), Some(other)) if line == other || (comparison.equal == 0 && are_seeds(&line, &other)) => {
                    comparison.equal += 1;
                    comparison.before.push_back(line);
                    if comparison.before.len() > CONTEXT {
                        comparison.before.pop_front();
                    }
                }
                (None, None) => return Ok(comparison),
                (one, other) => {
                    comparison.a = rest(one, &mut a)?;
                    comparison.b = rest(other, &mut b)?;
                    return Ok(comparison);
                }
            }
        }
    }

    fn show(&self, names: &Diff, console: &Console) -> u8 {
        let equal = self.a.is_empty() && self.b.is_empty();
        if console.is_json() {
            let parsed = |lines: &[String]| -> Vec<serde_json::Value> {
                lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.as_str().into())).collect()
            };
            console
                .object(&json!({ "equal": equal, "common": self.equal, "a": parsed(&self.a), "b": parsed(&self.b) }));
        } else if equal {
            console.line(&format!("{}  {} lines", console.paint(Tone::Good, "equal"), self.equal));
        } else {
            console.line(&format!("they share {} lines and part then", self.equal));
            self.before.iter().for_each(|line| console.line(&console.paint(Tone::Dim, &format!("  {line}"))));
            for (name, mark, tone, lines) in [(&names.a, '-', Tone::Bad, &self.a), (&names.b, '+', Tone::Good, &self.b)]
            {
                console.line(&console.paint(tone, &format!("{mark} {name}")));
                if lines.is_empty() {
                    console.line(&console.paint(tone, &format!("{mark}   ends here")));
                }
                lines.iter().for_each(|line| console.line(&console.paint(tone, &format!("{mark}   {line}"))));
            }
        }
        if equal { exit::FINE } else { exit::NOT_MET }
    }
}

/// Whether both lines only say which seed a run has.
fn are_seeds(line: &str, other: &str) -> bool {
    [line, other].iter().all(|line| line.contains("\"is\":\"run\""))
}

/// A line and those after it, up to a few.
fn rest(first: Option<String>, reader: &mut Reader) -> Result<Vec<String>, Unreadable> {
    let mut lines: Vec<String> = first.into_iter().collect();
    while !lines.is_empty() && lines.len() < CONTEXT {
        match reader.next()? {
            Some(line) => lines.push(line),
            None => break,
        }
    }
    Ok(lines)
}
