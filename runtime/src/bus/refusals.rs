//! Messages that a bus took and then refused.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::sync::lock;

use super::BusError;

/// Refusals that a connection remembers; beyond it the oldest are forgotten.
pub const REFUSALS_KEPT: usize = 256;

/// A message that was refused after it had been taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place among all refusals of the connection, from 1.
    pub number: u64,
    /// Where the message was bound for.
    pub subject: String,
    /// Why it went nowhere.
    pub reason: String,
}

/// The refusals of one connection.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Refused>,
    latest: u64,
    /// The first since the last flush, which may no longer be kept.
    first: Option<String>,
}

impl Refusals {
    pub(crate) fn note(&self, subject: String, reason: String) {
        let mut state = lock(&self.state);
        state.latest += 1;
        state.first.get_or_insert_with(|| reason.clone());
        if state.kept.len() >= REFUSALS_KEPT {
            state.kept.pop_front();
        }
        let number = state.latest;
        state.kept.push_back(Refused { number, subject, reason });
    }

    pub(crate) fn after(&self, number: u64) -> Vec<Refused> {
        lock(&self.state).kept.iter().filter(|refused| refused.number > number).cloned().collect()
    }

    /// The end of a flush: what it has to report.
    pub(crate) fn flushed(&self) -> Result<(), BusError> {
        lock(&self.state).first.take().map_or(Ok(()), |reason| Err(BusError::Refused(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_reports_the_first_refusal_and_the_latest_are_kept() {
        let refusals = Refusals::default();
        assert_eq!(refusals.flushed(), Ok(()));
        for number in 1..=REFUSALS_KEPT + 1 {
            refusals.note(format!("subject.{number}"), format!("reason {number}"));
        }
        assert_eq!(refusals.flushed(), Err(BusError::Refused("reason 1".to_owned())));
        assert_eq!(refusals.flushed(), Ok(()));
        let kept = refusals.after(0);
        assert_eq!((kept.len(), kept[0].number), (REFUSALS_KEPT, 2));
        let last = &refusals.after(REFUSALS_KEPT as u64)[..];
        assert!(matches!(last, [Refused { subject, .. }] if subject == "subject.257"), "{last:?}");
    }
}
