//! What the prober of this node told last, for whoever passes it on.

use std::time::Duration;

use nunect_core::protocol::rtt::{self, Rtt};
use nunect_core::{Birth, Effects, Message, Mono, SessionId, Subject};

/// A measured round trip is told for so long, or for three times the distance of the last two when
/// that is more.
pub(crate) const FRESH: Duration = Duration::from_secs(10);

/// The longest distance that two measurements are taken to have.
const DISTANCE_MAX: Duration = Duration::from_secs(60);

/// The last round trips that the prober of this run of this unit measured.
#[derive(Debug)]
pub(crate) struct RoundTrips {
    subject: Subject,
    session: SessionId,
    at: Option<Mono>,
    distance: Duration,
    native_us: Option<u64>,
    app_us: Option<u64>,
}

impl RoundTrips {
    /// None yet.
    pub(crate) fn new(birth: &Birth) -> Self {
        Self {
            subject: rtt::subject(&birth.unit),
            session: birth.session.clone(),
            at: None,
            distance: Duration::ZERO,
            native_us: None,
            app_us: None,
        }
    }

    /// Whether it is for this to read.
    pub(crate) fn is_for(&self, message: &Message) -> bool {
        message.subject == self.subject
    }

    /// Notes a measurement, unless it is that of another run.
    pub(crate) fn read(&mut self, message: &Message, out: &mut Effects) {
        let received = match Rtt::parse(message) {
            Ok(received) => received,
            Err(error) => return out.malformed(&message.subject, &error),
        };
        if received.session.as_ref() == Some(&self.session) {
            let at = message.received.mono;
            self.distance = self.at.map_or(Duration::ZERO, |before| at.since(before)).min(DISTANCE_MAX);
            self.at = Some(at);
            (self.native_us, self.app_us) = (received.rtt.native_us, received.rtt.app_us);
        }
    }

    /// To the server and through a peer, in microseconds, as far as they are known at `now`.
    pub(crate) fn at(&self, now: Mono) -> (Option<u64>, Option<u64>) {
        let fresh = FRESH.max(3 * self.distance);
        if self.at.is_some_and(|at| now.since(at) <= fresh) { (self.native_us, self.app_us) } else { (None, None) }
    }
}
