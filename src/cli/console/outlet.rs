//! A thread that writes, so that nobody else waits for whoever reads: a pager that is not scrolled
//! on, or a terminal that is held, must not hold up a node.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines that may wait; then the oldest give way.
const LINES_WAITING_MAX: usize = 4_096;

/// What is to be written.
#[derive(Debug)]
pub(super) enum Item {
    /// A line on the standard output.
    Line(String),
    /// A line on the standard error.
    Complaint(String),
    /// How the status line is from now on.
    Status(String),
}

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    lost: u64,
    /// The writer is at something that is no longer among `items`.
    writing: bool,
}

impl Outlet {
    /// Gives something to the writer.
    pub(super) fn push(&self, item: Item) {
        let mut waiting = self.lock();
        // Of a status only the latest is worth anything.
        if matches!(item, Item::Status(_)) {
            waiting.items.retain(|other| !matches!(other, Item::Status(_)));
        }
        if waiting.items.len() >= LINES_WAITING_MAX {
            waiting.items.pop_front();
            waiting.lost += 1;
        }
        waiting.items.push_back(item);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Writes for ever.
    pub(super) fn run(&self, write: impl Fn(Item)) {
        loop {
            let mut waiting = self.lock();
            waiting.writing = false;
            self.changed.notify_all();
            let item = loop {
                if waiting.lost > 0 {
                    let lost = std::mem::take(&mut waiting.lost);
                    break Item::Complaint(format!("{lost} lines lost: whoever reads this did not keep up"));
                }
                match waiting.items.pop_front() {
                    Some(item) => break item,
                    None => waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                }
            };
            waiting.writing = true;
            drop(waiting);
            write(item);
        }
    }

    /// Waits until everything is written, but not longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut waiting = self.lock();
        while waiting.writing || !waiting.items.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self
                .changed
                .wait_timeout(waiting, left)
                .map(|(guard, _)| guard)
                .unwrap_or_else(|poisoned| poisoned.into_inner().0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    #[test]
    fn nobody_waits_for_a_writer_that_is_stuck_and_what_is_lost_is_said() {
        let outlet = Arc::new(Outlet::default());
        let (go, stuck) = mpsc::channel::<()>();
        let (written, seen) = mpsc::channel();
        let writer = Arc::clone(&outlet);
        std::thread::spawn(move || {
            writer.run(|item| {
                let _ = written.send(format!("{item:?}"));
                let _ = stuck.recv();
            });
        });
        outlet.push(Item::Line("first".to_owned()));
        assert_eq!(seen.recv().expect("the writer begins"), "Line(\"first\")");
        for number in 0..LINES_WAITING_MAX + 2 {
            outlet.push(Item::Line(number.to_string()));
        }
        let before = Instant::now();
        outlet.flush(Duration::from_millis(20));
        assert!(before.elapsed() >= Duration::from_millis(20), "it is stuck");
        drop(go);
        assert_eq!(seen.recv().expect("more"), "Complaint(\"2 lines lost: whoever reads this did not keep up\")");
        assert_eq!(seen.recv().expect("more"), "Line(\"2\")", "the oldest gave way");
        outlet.flush(Duration::from_secs(10));
        assert_eq!(seen.try_iter().last().expect("the last"), format!("Line(\"{}\")", LINES_WAITING_MAX + 1));
    }
}
