//! When a fault strikes.

use nunect_core::Period;
use nunect_core::time::nanos;

use super::resolve::Resolver;
use super::{STRIKES_MAX, shown};
use crate::delay::exponential;
use crate::draw::{between, mix};
use crate::fault::Liveness;
use crate::scenario::error::Problems;
use crate::scenario::file::faults::{FaultEntry, LivenessEntry};
use crate::scenario::plan::Plan;

/// Times that are drawn are whole milliseconds, so that people can read them.
const GRAIN_NS: u64 = 1_000_000;

/// When it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Once(u64),
    /// From `first` on, before `until`.
    Every {
        first: u64,
        gap: u64,
        jitter: u64,
        until: u64,
    },
    /// Drawn, from `from` on, before `until`.
    Mean {
        from: u64,
        gap: u64,
        until: u64,
    },
}

impl When {
    pub(super) const fn is_once(self) -> bool {
        match self {
            Self::Once(_) => true,
            Self::Every { .. } | Self::Mean { .. } => false,
        }
    }

    /// Whether nothing of it is drawn.
    pub(super) const fn is_fixed(self) -> bool {
        match self {
            Self::Once(_) => true,
            Self::Every { jitter, .. } => jitter == 0,
            Self::Mean { .. } => false,
        }
    }

    pub(super) const fn earliest(self) -> u64 {
        match self {
            Self::Once(at) => at,
            Self::Every { first, .. } => first,
            Self::Mean { from, .. } => from,
        }
    }

    /// The key that says it.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Once(_) => "at",
            Self::Every { .. } => "every",
            Self::Mean { .. } => "mean",
        }
    }

    /// The key that says when it begins.
    pub(super) const fn first_key(self) -> &'static str {
        match self {
            Self::Once(_) => "at",
            Self::Every { .. } | Self::Mean { .. } => "from",
        }
    }

    /// All times, in order unless the jitter is longer than the gap; `number` is what draws begin with.
    pub(super) fn times(self, number: u64) -> Vec<u64> {
        match self {
            Self::Once(at) => vec![at],
            Self::Every { first, gap, jitter, until } => {
                let due = std::iter::successors(Some(first), |at| at.checked_add(gap)).take_while(|&at| at < until);
                let late = |at: u64| at.saturating_add(whole(between(mix(number ^ at), 0, jitter), jitter));
                due.map(late).filter(|&at| at < until).collect()
            }
            Self::Mean { from, gap, until } => {
                // The next follows from the last one's instant.
                let next = |at: u64| {
                    let wait = whole(exponential(mix(number ^ at), gap), gap).max(GRAIN_NS);
                    at.checked_add(wait).filter(|&at| at < until)
                };
                std::iter::successors(next(from), |&at| next(at)).collect()
            }
        }
    }
}

/// A drawn time as whole milliseconds, unless it is drawn from less.
pub(in crate::scenario) const fn whole(drawn: u64, longest: u64) -> u64 {
    if longest < GRAIN_NS { drawn } else { drawn - drawn % GRAIN_NS }
}

/// Reads when an entry strikes.
pub(super) fn read(key: &str, entry: &FaultEntry, resolver: &mut Resolver<'_>) -> Option<When> {
    let only_with_every = [("jitter", entry.jitter), ("from", entry.from), ("until", entry.until)];
    let when = match (entry.at, entry.every, entry.mean) {
        (Some(at), None, None) => {
            if let Some((other, _)) = only_with_every.iter().find(|(_, value)| value.is_some()) {
                let reason = "it strikes once";
                resolver.problem(format!("{key}.{other}"), reason, "leave it out, or write `every` in place of `at`");
                return None;
            }
            let at = nanos(at.0);
            before_the_end(&format!("{key}.at"), at, resolver);
            When::Once(at)
        }
        (None, Some(every), None) => repeated(key, "every", every, entry, resolver)?,
        (None, None, Some(mean)) if entry.jitter.is_none() => repeated(key, "mean", mean, entry, resolver)?,
        (None, None, Some(_)) => {
            resolver.problem(format!("{key}.jitter"), "all its times are drawn anyway", "leave it out");
            return None;
        }
        (_, _, _) => {
            let help = "write `at: 60s`, or `every: 30s` and `until: 5m`";
            resolver.problem(key, "a fault strikes at exactly one of at, every and mean", help);
            return None;
        }
    };
    Some(when)
}

fn repeated(key: &str, word: &str, gap: Period, entry: &FaultEntry, resolver: &mut Resolver<'_>) -> Option<When> {
    let Some(until) = entry.until else {
        resolver.problem(format!("{key}.until"), format!("`{word}` has no end"), "write `until: 5m`");
        return None;
    };
    let (gap, until) = (nanos(gap.0), nanos(until.0));
    let from = entry.from.map(|from| nanos(from.0));
    let spread = resolver.plan.spread;
    let first = from.unwrap_or(if word == "every" { spread.saturating_add(gap) } else { spread });
    if gap == 0 {
        resolver.problem(format!("{key}.{word}"), "it would strike without end at one instant", "write 30s");
        return None;
    }
    if first >= until {
        let reason = format!("it would first strike at {}", shown(first));
        resolver.problem(format!("{key}.until"), reason, "let it end later");
        return None;
    }
    let end = healed(resolver.plan);
    if until > end {
        let reason = format!("{} is after {} at {}", shown(until), end_words(resolver.plan), shown(end));
        resolver.problem(format!("{key}.until"), reason, "let it end then, or earlier");
    }
    if (until - first) / gap >= STRIKES_MAX {
        let reason = format!("it would strike more than {STRIKES_MAX} times");
        resolver.problem(format!("{key}.{word}"), reason, "let it strike less often");
        return None;
    }
    let jitter = entry.jitter.map_or(0, |jitter| nanos(jitter.0));
    if jitter > gap {
        resolver.problem(format!("{key}.jitter"), "longer than `every`: times would change places", "make it shorter");
    }
    Some(if word == "every" {
        When::Every { first, gap, jitter, until }
    } else {
        When::Mean { from: first, gap, until }
    })
}

/// Reports a time that is not before all ends.
fn before_the_end(key: &str, at: u64, resolver: &mut Resolver<'_>) {
    if at >= resolver.plan.duration {
        resolver.problem(key, format!("{} is not before the end of the run", shown(at)), "");
    } else if at >= healed(resolver.plan) {
        let heals = shown(healed(resolver.plan));
        resolver.problem(key, format!("all faults end at {heals}, as `liveness` says"), "let it strike before");
    }
}

/// When all faults end at the latest.
pub(in crate::scenario) fn healed(plan: &Plan) -> u64 {
    plan.liveness.map_or(plan.duration, |liveness| liveness.at)
}

/// What ends then.
pub(in crate::scenario) const fn end_words(plan: &Plan) -> &'static str {
    if plan.liveness.is_some() { "the end of all faults" } else { "the end of the run" }
}

/// Reads when all faults end.
pub(super) fn liveness(told: LivenessEntry, plan: &Plan, problems: &mut Problems) -> Option<Liveness> {
    let (at, within) = (nanos(told.at.0), nanos(told.within.0));
    if at < plan.spread {
        let reason = format!("nodes are still starting until {}", shown(plan.spread));
        problems.add("liveness.at", reason, "let it begin later");
    } else if at >= plan.duration {
        problems.add("liveness.at", format!("{} is not before the end of the run", told.at), "");
    } else if within == 0 {
        problems.add("liveness.within", "nobody recovers at once", "write 60s");
    } else if at.saturating_add(within) > plan.duration {
        let reason =
            format!("the run ends at {}, before {} after {} are over", shown(plan.duration), told.within, told.at);
        problems.add("liveness.within", reason, "make the run longer or the time shorter");
    } else {
        return Some(Liveness { at, within });
    }
    None
}
