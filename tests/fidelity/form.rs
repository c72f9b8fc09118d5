//! How much is measured, when it is measured again, and where it is left.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::thread::scope;
use std::time::Duration;

use serde::Serialize;

use crate::real::Conditions;

/// A relay that was later than this for a packet in a hundred waited for other work of the machine.
const LATE_MAX: Duration = Duration::from_millis(2);
/// How often something is measured until the machine leaves it alone.
const TRIES: usize = 3;

/// Whether everything is measured as often as docs/fidelity.md says; else as the time of every change's tests allows.
pub(crate) fn full() -> bool {
    std::env::var_os("NUNECT_FIDELITY").is_some_and(|form| form == "full")
}

/// How often each case is measured.
pub(crate) fn runs() -> usize {
    if full() { 5 } else { 1 }
}

/// What is measured goes on side by side; a simulation would take the processors from it.
static REAL: RwLock<()> = RwLock::new(());

/// While it is held, nothing real is measured.
pub(crate) fn undisturbing() -> RwLockWriteGuard<'static, ()> {
    REAL.write().unwrap_or_else(PoisonError::into_inner)
}

/// Measures until the machine leaves it alone, which `is_calm` tells besides the relay. A measurement that comes to
/// nothing, as when a program starves on a busy machine, is made again, too; the last time its failure is the test's.
pub(crate) fn calmly<T>(is_calm: impl Fn(&T) -> bool, measure: impl Fn() -> (T, Conditions)) -> (T, Conditions) {
    let measure = || {
        let _real = REAL.read().unwrap_or_else(PoisonError::into_inner);
        measure()
    };
    let mut measured = None;
    for left in (0..TRIES).rev() {
        match catch_unwind(AssertUnwindSafe(measure)) {
            Ok((found, conditions)) => {
                let calm = Duration::from_micros(conditions.relay.late_us.p99) <= LATE_MAX && is_calm(&found);
                measured = Some((found, conditions));
                if calm {
                    break;
                }
            }
            Err(panic) if left == 0 && measured.is_none() => resume_unwind(panic),
            Err(_) => {}
        }
    }
    measured.expect("one try came to something")
}

/// Two measurements side by side.
pub(crate) fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    scope(|threads| {
        let one = threads.spawn(one);
        let other = other();
        let one = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (one, other)
    })
}

/// Leaves what was measured in `target/fidelity`, for whoever looks closer.
pub(crate) fn keep(name: &str, measured: &impl Serialize) {
    let text = serde_json::to_string(measured).expect("numbers and texts");
    std::fs::write(folder().join(name).with_extension("json"), text).expect("a writable folder");
}

/// Leaves a table of it there, for docs/fidelity.md.
pub(crate) fn keep_table(name: &str, head: &[&str], rows: &[Vec<String>]) {
    let mut text = String::new();
    let rule = vec!["---".to_owned(); head.len()];
    let head: Vec<String> = head.iter().map(|&word| word.to_owned()).collect();
    for row in [&head, &rule].into_iter().chain(rows) {
        writeln!(text, "| {} |", row.join(" | ")).expect("a string takes it");
    }
    std::fs::write(folder().join(name).with_extension("md"), text).expect("a writable folder");
}

/// The lowest and the highest of what several runs found.
pub(crate) fn range(values: impl IntoIterator<Item = f64>, digits: usize) -> String {
    let bounds = values.into_iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    match bounds {
        (low, high) if low > high => "–".to_owned(),
        (low, high) if format!("{low:.digits$}") == format!("{high:.digits$}") => format!("{low:.digits$}"),
        (low, high) => format!("{low:.digits$} to {high:.digits$}"),
    }
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("fidelity");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    folder
}
