//! What the one test body needs of the three worlds it runs in.

use std::ops::RangeInclusive;
use std::time::Duration;

use nunect::{Event, Message};
use serde_json::Value;

/// An event on a unit, with the actor that it happened to (`node`: the unit as a whole).
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which unit.
    pub(crate) unit: String,
    /// Which actor.
    pub(crate) actor: String,
    /// When, on the world's clock.
    pub(crate) at: Duration,
    /// What.
    pub(crate) event: Event,
}

/// Everything that happened so far, in the order it became known.
pub(crate) type History = [Seen];

/// A world in which nodes live.
pub(crate) trait World {
    /// Its name, for failures.
    fn name(&self) -> &'static str;

    /// The world's clock, from its beginning.
    fn now(&self) -> Duration;

    /// How long after a kill the unit must be declared OFFLINE. Its last heartbeat came up to one
    /// interval before that; to the nanosecond this is tested in virtual time, where the heartbeats
    /// are known.
    fn offline_within(&self) -> RangeInclusive<Duration>;

    /// Starts a unit with these actors, in a new session.
    fn start(&mut self, unit: &str, actors: &Value);

    /// Ends a unit as a power cut would: nothing is said any more.
    fn kill(&mut self, unit: &str);

    /// Publishes a message from outside of all units.
    fn send(&mut self, message: Message);

    /// Lets time pass until `predicate` holds, for `limit` at most. Returns whether it came to hold.
    fn run_until(&mut self, predicate: &dyn Fn(&History) -> bool, limit: Duration) -> bool;

    /// Everything that happened so far.
    fn history(&self) -> Vec<Seen>;

    /// What happened to one actor, in order.
    fn events(&self, unit: &str, actor: &str) -> Vec<Event> {
        self.history()
            .into_iter()
            .filter(|seen| seen.unit == unit && seen.actor == actor)
            .map(|seen| seen.event)
            .collect()
    }
}
