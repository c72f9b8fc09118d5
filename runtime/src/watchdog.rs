//! Finds actors that do not come back from an input, and a wall clock that jumps.
//!
//! A synchronous `handle` cannot be ended from outside. So a hang is treated crash-only: it is told
//! after `hang_after`, and after `hang_limit` the process is to end; whoever supervises the process
//! starts it again. The watch is a thread of its own, since every thread of the runtime may hang.
//!
//! It also sees to it that the others go on meanwhile. One of tokio's workers waits for timers and
//! sockets on behalf of all; when what it then runs does not come back, nobody waits for them any
//! more until another worker is woken. So whenever an actor is at work, the watch wakes one.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use nunect_core::health::Cause;
use nunect_core::{Event, Now};
use tokio::runtime::Handle;

use crate::node::{End, Shared};

/// A jump of the wall clock against the monotonic one that is no mere correction.
pub const CLOCK_STEP_MIN: Duration = Duration::from_millis(500);
/// The longest time between two looks: each wakes a processor.
const LOOK_MAX: Duration = Duration::from_millis(500);

/// When an actor counts as hung (protocol, section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangLimits {
    /// Then it is told, and the node is DEGRADED.
    pub after: Duration,
    /// Then the process ends.
    pub limit: Duration,
}

impl Default for HangLimits {
    /// 500 ms and 2 s.
    fn default() -> Self {
        Self { after: Duration::from_millis(500), limit: Duration::from_secs(2) }
    }
}

/// What is known of one component.
#[derive(Clone, Default)]
struct Seen {
    turn: Option<u64>,
    /// For how long it has been at this turn while the watch itself was awake.
    running: Duration,
    told: bool,
}

/// Watches a node until it is gone. Call it within the node's runtime.
pub(crate) fn watch(node: &Arc<Shared>, limits: HangLimits) {
    let weak = Arc::downgrade(node);
    let look_every = limits.after.clamp(Duration::from_millis(10), LOOK_MAX);
    let runtime = Handle::current();
    let watch = move || look(&weak, &runtime, limits, look_every);
    // Without a thread for it nobody watches; the node itself goes on.
    if let Err(error) = std::thread::Builder::new().name("nunect-watch".to_owned()).spawn(watch) {
        tracing::error!(target: "nunect::watchdog", "no thread: a hanging actor will not be found: {error}");
    }
}

fn look(node: &Weak<Shared>, runtime: &Handle, limits: HangLimits, every: Duration) {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut before = None;
    loop {
        std::thread::sleep(every);
        let Some(node) = node.upgrade() else { return };
        let now = node.clock.now();
        if let Some(stepped) = before.and_then(|before| step(before, now)) {
            node.emit(None, Event::ClockStepped { by_ms: stepped });
        }
        // A process that was stopped, or a machine that was busy, has hung nobody: more than one
        // period at a time counts for nothing.
        let passed = before.map_or(every, |before: Now| now.mono.since(before.mono)).min(every.mul_f32(1.5));
        before = Some(now);
        let mut at_work = false;
        for component in node.components() {
            let seen = seen.entry(component.slot.0).or_default();
            let turn = component.turn();
            at_work |= turn.is_some();
            let actor = &component.name;
            if turn.is_some() && turn == seen.turn {
                seen.running += passed;
                if seen.running >= limits.after && !seen.told {
                    seen.told = true;
                    node.emit(Some(actor), Event::ActorHung { on: component.doing(), running: seen.running });
                    node.set_cause(Cause::ActorHung(actor.clone()), true);
                }
                if seen.running >= limits.limit {
                    node.ended(End::Hung { actor: actor.clone(), on: component.doing(), running: seen.running });
                }
                continue;
            }
            if seen.told {
                node.emit(Some(actor), Event::ActorReturned { running: seen.running });
                node.set_cause(Cause::ActorHung(actor.clone()), false);
            }
            *seen = Seen { turn, ..Seen::default() };
        }
        if at_work {
            // It needs nothing to do: waking up is what matters.
            drop(runtime.spawn(async {}));
        }
    }
}

/// By how many milliseconds the wall clock jumped between two looks, if it did.
fn step(before: Now, now: Now) -> Option<i64> {
    let nanos = |nanos: u64| i128::from(nanos);
    let passed = nanos(now.mono.as_nanos()) - nanos(before.mono.as_nanos());
    let shown = nanos(now.wall.unix_nanos()) - nanos(before.wall.unix_nanos());
    let stepped = shown - passed;
    (stepped.unsigned_abs() >= CLOCK_STEP_MIN.as_nanos())
        .then(|| i64::try_from(stepped / 1_000_000).unwrap_or(if stepped < 0 { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect_core::{Mono, Wall};

    fn at(mono_ms: u64, wall_ms: u64) -> Now {
        Now { mono: Mono::from_nanos(mono_ms * 1_000_000), wall: Wall::from_unix_nanos(wall_ms * 1_000_000) }
    }

    #[test]
    fn a_jump_either_way_is_a_step_and_a_correction_is_none() {
        let before = at(1_000, 10_000_000);
        assert_eq!(step(before, at(1_250, 10_000_250)), None);
        assert_eq!(step(before, at(1_250, 10_000_749)), None);
        assert_eq!(step(before, at(1_250, 10_000_750)), Some(500));
        assert_eq!(step(before, at(1_250, 10_000_250 - 3_600_000)), Some(-3_600_000));
        assert_eq!(step(before, at(60_000, 10_059_000)), None, "a long sleep is no step");
    }
}
