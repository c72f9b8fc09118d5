//! Which source the clock goes by (protocol, section 4, "source choice").

use std::time::Duration;

use nunect_core::TimeDaemon;

use super::source::Worth;

/// A better source has been usable for so many reports in a row before the clock goes by it ...
pub const STEADY_REPORTS: u32 = 5;
/// ... and for so long.
pub const STEADY_TIME: Duration = Duration::from_secs(5);

/// A source that can be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) daemon: TimeDaemon,
    pub(crate) worth: Worth,
    /// Whether it has been worth that for [`STEADY_REPORTS`] and [`STEADY_TIME`].
    pub(crate) steady: bool,
}

/// What the clock goes by, and the best that it was worth since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) daemon: TimeDaemon,
    pub(crate) worth: Worth,
}

/// Chooses. A source that is lost, or is worth less than it was, gives way to the best at once; a source
/// that is as good as before gives way to a better one only when that is a steady one. So a source that
/// comes and goes does not make the clock change its source each time.
pub(crate) fn choose(held: Option<Held>, candidates: &[Candidate]) -> Option<Held> {
    let best = |candidates: &mut dyn Iterator<Item = &Candidate>| {
        candidates
            .min_by_key(|candidate| candidate.worth)
            .map(|&Candidate { daemon, worth, .. }| Held { daemon, worth })
    };
    let present = held.and_then(|held| {
        let candidate = candidates.iter().find(|candidate| candidate.daemon == held.daemon)?;
        Some((held.worth, candidate))
    });
    let Some((was, present)) = present else { return best(&mut candidates.iter()) };
    let worse = present.worth > was;
    let better = candidates.iter().filter(|other| other.worth < present.worth && (worse || other.steady));
    best(&mut better.into_iter()).or(Some(Held { daemon: present.daemon, worth: present.worth }))
}
