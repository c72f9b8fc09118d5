//! What the server does not permit at present, and when that is over.
//!
//! A server says no, and never that it would say yes again. What was denied is therefore done anew:
//! messages by whoever publishes them, subscriptions by us, since the server forgot them.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nunect_core::{BusAction, protocol};
use tokio::sync::Notify;

use crate::sync::lock;

/// How often at most others are told that the same is denied.
pub const DENIED_TOLD_EVERY: Duration = Duration::from_secs(60);
/// Things denied that are remembered; further ones are not told while so many stand.
pub(super) const DENIED_MAX: usize = 1_024;
/// What nobody did again for so long stands against the node no longer. What is done every minute
/// is not forgotten in between.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(150);
/// How soon a subscription that was denied is made again, at first and at last; the time doubles.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_LAST: Duration = Duration::from_secs(60);

/// What stands denied on one connection.
#[derive(Default)]
pub(super) struct Denials {
    any: AtomicBool,
    standing: Mutex<BTreeMap<(BusAction, String), Denial>>,
    noted: Notify,
}

struct Denial {
    told: Instant,
    latest: Instant,
    /// When it was first done again since.
    tried: Option<Instant>,
}

impl Denials {
    /// The server said no. Returns whether others are to be told.
    pub(super) fn note(&self, action: BusAction, subject: &str) -> bool {
        let now = Instant::now();
        let mut standing = lock(&self.standing);
        let full = standing.len() >= DENIED_MAX;
        let tell = match standing.get_mut(&(action, subject.to_owned())) {
            Some(denial) => {
                let again = now.duration_since(denial.told) >= DENIED_TOLD_EVERY;
                *denial = Denial { told: if again { now } else { denial.told }, latest: now, tried: None };
                again
            }
            None if full => return false,
            None => {
                standing.insert((action, subject.to_owned()), Denial { told: now, latest: now, tried: None });
                true
            }
        };
        self.any.store(true, Ordering::Release);
        drop(standing);
        self.noted.notify_waiters();
        tell
    }

    /// It is about to be done, perhaps again.
    pub(super) fn trying(&self, action: BusAction, subject: &str) {
        if self.any.load(Ordering::Acquire)
            && let Some(denial) = lock(&self.standing).get_mut(&(action, subject.to_owned()))
        {
            denial.tried.get_or_insert_with(Instant::now);
        }
    }

    /// All that stands.
    pub(super) fn standing(&self) -> impl Iterator<Item = (BusAction, String)> + use<> {
        lock(&self.standing).keys().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Another connection: perhaps another server, and other permissions.
    pub(super) fn clear(&self) {
        lock(&self.standing).clear();
        self.any.store(false, Ordering::Release);
    }

    /// Takes out what is over. The server has answered whatever was sent before `heard`.
    pub(super) fn over(&self, heard: Instant) -> Vec<(BusAction, String)> {
        let mut standing = lock(&self.standing);
        let mut over = Vec::new();
        standing.retain(|what, denial| {
            let stands = denial.tried.is_none_or(|at| at >= heard) && denial.latest.elapsed() < FORGOTTEN_AFTER;
            if !stands {
                over.push(what.clone());
            }
            stands
        });
        self.any.store(!standing.is_empty(), Ordering::Release);
        over
    }

    /// Waits until anything stands denied.
    pub(super) async fn any(&self) {
        self.until(|| self.any.load(Ordering::Acquire)).await;
    }

    /// Waits until it is time to make a subscription again that was made at `since`; `retries` counts
    /// how often that was done.
    pub(super) async fn unsubscribed(&self, pattern: &str, since: Instant, retries: u32) {
        if protocol::is_servers_own(pattern) {
            // Who may not see these knows it from the start, and the server's log should not fill with it.
            return std::future::pending().await;
        }
        let key = (BusAction::Subscribe, pattern.to_owned());
        let denied = || lock(&self.standing).get(&key).is_some_and(|denial| denial.latest >= since);
        loop {
            self.until(denied).await;
            tokio::time::sleep(RETRY_FIRST.saturating_mul(1 << retries.min(8)).min(RETRY_LAST)).await;
            // On another connection it was made again with it.
            if denied() {
                return;
            }
        }
    }

    async fn until(&self, is: impl Fn() -> bool) {
        loop {
            let mut noted = pin!(self.noted.notified());
            noted.as_mut().enable();
            if is() {
                return;
            }
            noted.await;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.standing).len()
    }

    /// As if all that was denied so far had been so earlier.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        let past = |at: &mut Instant| *at = at.checked_sub(by).expect("the machine runs for longer");
        lock(&self.standing).values_mut().for_each(|denial| {
            past(&mut denial.told);
            past(&mut denial.latest);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BusAction::{Publish, Subscribe};

    #[test]
    fn what_was_done_again_and_not_denied_is_over_once_the_server_has_answered() {
        let denials = Denials::default();
        denials.trying(Publish, "a");
        assert!(denials.note(Publish, "a") && denials.note(Subscribe, "a"));
        assert_eq!(denials.over(Instant::now()), [], "nobody tried again");
        denials.trying(Publish, "a");
        assert!(!denials.note(Publish, "a"), "told a moment ago");
        assert_eq!(denials.over(Instant::now()), [], "denied again");
        let before = Instant::now();
        denials.trying(Publish, "a");
        assert_eq!(denials.over(before), [], "the answer may be on its way");
        // Others that follow do not put it off.
        let heard = Instant::now();
        denials.trying(Publish, "a");
        assert_eq!(denials.over(heard), [(Publish, "a".to_owned())]);
        assert_eq!(denials.len(), 1);
        assert!(denials.note(Publish, "a"), "it is news again");
    }

    #[test]
    fn what_nobody_does_again_is_forgotten() {
        let denials = Denials::default();
        denials.note(Publish, "a");
        denials.age(DENIED_TOLD_EVERY * 2);
        assert_eq!(denials.over(Instant::now()), []);
        denials.age(FORGOTTEN_AFTER);
        assert_eq!(denials.over(Instant::now()), [(Publish, "a".to_owned())]);
    }
}
