//! What a service manager is told: `READY`, `STOPPING`, and signs of life (sd_notify).

use std::sync::Arc;
use std::time::Duration;

use nunect_runtime::Pulse;
use sd_notify::NotifyState;

/// Tells the service manager something, if there is one.
pub(super) fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(target: "nunect::service", "the service manager was not told: {error}");
    }
}

/// The signs of life that the service manager wants, three for each period in which it wants one.
/// The root of the node's actors gives them: a bare timer would prove nothing.
pub(super) fn pulse() -> Option<Pulse> {
    let within = sd_notify::watchdog_enabled()?;
    let every = (within / 3).max(Duration::from_millis(10));
    Some(Pulse { every, beat: Arc::new(|| tell(&[NotifyState::Watchdog])) })
}
