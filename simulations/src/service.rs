//! How long actors work on messages, so that queues form and mailboxes fill.

use std::time::Duration;

use nunect_core::{Mono, Now};

use crate::delay::Delay;
use crate::draw::mix;

/// The work of one actor on its messages, one at a time.
///
/// The actor takes a message when the work on it is done: whatever follows from it, follows then.
#[derive(Debug)]
pub(crate) struct Service {
    delay: Delay,
    /// What its draws grow from.
    key: u64,
    /// How many it has begun.
    begun: u64,
    /// When it is done with the present message.
    pub(crate) until: Option<Mono>,
}

impl Service {
    pub(crate) const fn new(delay: Delay, key: u64) -> Self {
        Self { delay, key, begun: 0, until: None }
    }

    /// Whether the work on the next message is done now, of those that wait. Begins it if need be.
    pub(crate) fn is_done(&mut self, now: Now, waits: bool) -> bool {
        if !waits {
            self.until = None;
            return false;
        }
        let until = *self.until.get_or_insert_with(|| {
            self.begun += 1;
            now.mono + Duration::from_nanos(self.delay.draw(mix(self.key ^ self.begun)))
        });
        let done = until <= now.mono;
        if done {
            self.until = None;
        }
        done
    }
}
