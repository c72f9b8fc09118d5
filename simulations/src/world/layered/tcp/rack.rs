//! How losses are found: by what was sent later and has arrived (`net/ipv4/tcp_recovery.c`).

use super::ack::Shown;
use super::line::Line;
use super::receiver::Receiver;
use super::recovery::{Recovery, State};
use super::sender::{Segment, Sender, Timer, since};
use super::{Wire, stamp};

/// Recent acknowledgement (RFC 8985): what was sent well before what has arrived is lost.
#[derive(Debug, Default)]
pub(super) struct Rack {
    /// When the latest of those segments was sent that arrived, its end, and its round trip.
    sent: u64,
    end: u64,
    pub(super) rtt: u32,
    pub(super) advanced: bool,
    /// Whether segments were ever seen to overtake each other.
    pub(super) reordered: bool,
    /// A segment was reported to have come twice; how far that widens the reordering window, and for
    /// how many recoveries.
    pub(super) twice: bool,
    pub(super) steps: u32,
    pub(super) persist: u32,
    /// How many segments had been delivered at the last step.
    stepped_at: u64,
    pub(super) delivered: u64,
}

/// How many recoveries a wide reordering window lasts: `TCP_RACK_RECOVERY_THRESH`.
pub(super) const WIDE_FOR: u32 = 16;
/// `TCP_FASTRETRANS_THRESH`.
const DUPLICATES: u32 = 3;

impl Rack {
    /// `tcp_rack_advance`.
    pub(super) fn advance(&mut self, segment: &Segment, now: u64, min_rtt: u32) {
        let rtt = since(segment.sent, now);
        if rtt < min_rtt && segment.ambiguous {
            return;
        }
        (self.advanced, self.rtt) = (true, rtt);
        if (segment.sent, segment.end) > (self.sent, self.end) {
            (self.sent, self.end) = (segment.sent, segment.end);
        }
    }

    /// `tcp_rack_update_reo_wnd`.
    pub(super) fn widen(&mut self, delivered_before: u64) {
        if delivered_before < self.stepped_at {
            self.twice = false;
        }
        if std::mem::take(&mut self.twice) {
            self.steps = (self.steps + 1).min(255);
            self.stepped_at = self.delivered;
            self.persist = WIDE_FOR;
        } else if self.persist == 0 {
            self.steps = 1;
        }
    }
}

impl Sender {
    /// `tcp_identify_packet_loss`.
    pub(super) fn find_losses<W: Wire>(&mut self, r: &mut Recovery, shown: &mut Shown, line: &Line<'_, W>) {
        if !std::mem::take(&mut r.rack.advanced) {
            return;
        }
        let before = r.resent;
        let wait = self.detect(r, line.now);
        if wait > 0 {
            self.wait_for_late(wait, line);
            shown.set_timer = false;
        }
        shown.lost_again |= r.resent < before;
    }

    /// `tcp_rack_detect_loss`. Returns how long to wait for what may only be late.
    pub(super) fn detect(&mut self, r: &mut Recovery, now: u64) -> u32 {
        let impatient = !r.rack.reordered && (r.state >= State::Recovery || r.sacked >= DUPLICATES);
        let patience = if impatient {
            0
        } else {
            (self.rtt.min() / 4).saturating_mul(r.rack.steps.max(1)).min(self.rtt.smoothed_8() / 8)
        };
        let mut wait = 0;
        for segment in &mut self.segments {
            if segment.sacked || (segment.lost && !segment.resent) {
                continue;
            }
            if (segment.sent, segment.end) >= (r.rack.sent, r.rack.end) {
                continue;
            }
            let due = r.rack.rtt.saturating_add(patience);
            let passed = since(segment.sent, now);
            if passed >= due {
                r.mark_lost(segment);
            } else {
                wait = wait.max(due - passed);
            }
        }
        wait
    }

    /// RACK has waited long enough (`tcp_rack_reo_timeout`).
    pub(super) fn stop_waiting<W: Wire>(&mut self, r: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        let before = self.in_flight(Some(r));
        self.detect(r, line.now);
        if self.in_flight(Some(r)) != before {
            if r.state != State::Recovery {
                self.enter_recovery(r);
                self.window.size = r.reduction.size(self.in_flight(Some(r)), self.window.threshold, 1, false);
            }
            self.resend(r, receiver, line);
        }
        if self.timer != Timer::Retransmit {
            self.rearm(line);
        }
    }
}

/// `tcp_skb_spurious_retrans`: what is acknowledged was sent before the segment was sent again.
pub(super) fn is_spurious(segment: &Segment, echo: u32) -> bool {
    segment.ambiguous && echo != 0 && (echo.wrapping_sub(stamp(segment.sent)) as i32) < 0
}
