//! How losses are repaired: fast retransmission, time-outs with F-RTO (RFC 5682), and the undoing of
//! what was done in vain (RFC 3708, RFC 4015).
//!
//! The steps and their order are those of `tcp_fastretrans_alert` in Linux 6.

use super::ack::Shown;
use super::congestion::{Cubic, Reduction};
use super::line::Line;
use super::rack::{Rack, WIDE_FOR};
use super::receiver::Receiver;
use super::sender::{Segment, Sender, Timer, since};
use super::{Wire, stamp};

/// What a sender knows since something was lost.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) state: State,
    /// Segments out that the receiver has, that are taken for lost, that were sent again.
    pub(super) sacked: u32,
    pub(super) lost: u32,
    pub(super) resent: u32,
    /// The state ends when this is acknowledged.
    pub(super) high: u64,
    /// The end of what was sent when a tail loss probe was, and whether the probe was old data.
    pub(super) probe: Option<(u64, bool)>,
    pub(super) reduction: Reduction,
    pub(super) cubic: Cubic,
    pub(super) undo: Option<Undo>,
    /// When the first segment of this recovery was sent again, in milliseconds.
    pub(super) first_resent: Option<u32>,
    /// Whether the retransmission time-out may have been a mistake (F-RTO).
    pub(super) doubtful: bool,
    /// How often the retransmission time-out fired in a row.
    pub(super) time_outs: u32,
    pub(super) rack: Rack,
    /// The end of the last range that the receiver reported.
    pub(super) highest: u64,
    /// Segments that were ever sent again, and reports that one came twice.
    pub(super) ever_resent: u32,
    pub(super) twice: u32,
}

/// What to return to when nothing was lost after all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undo {
    pub(super) from: u64,
    threshold: u32,
    size: u32,
    /// How many of those that were sent again are not known to have been in vain.
    pub(super) resent: Option<u32>,
}

/// `enum tcp_ca_state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    #[default]
    Open,
    /// Something arrived out of order.
    Disorder,
    /// Something was lost, and acknowledgements still come.
    Recovery,
    /// The retransmission time-out fired.
    Loss,
}

/// What to send after an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    Lost,
    New,
}

impl Recovery {
    fn is_recovering(&self) -> bool {
        self.state == State::Recovery
    }

    /// `tcp_may_undo`.
    fn may_undo(&self, echo: u32) -> bool {
        self.undo.is_some_and(|undo| undo.resent == Some(0)) || (self.undo.is_some() && self.is_only_late(echo))
    }

    /// `tcp_packet_delayed`: what is acknowledged was sent before anything was sent again.
    fn is_only_late(&self, echo: u32) -> bool {
        self.first_resent.is_some_and(|first| echo != 0 && (echo.wrapping_sub(first) as i32) < 0)
    }

    pub(super) fn settle(&mut self) {
        (self.sacked, self.lost, self.resent) = (0, 0, 0);
        (self.state, self.probe, self.undo, self.first_resent) = (State::Open, None, None, None);
        (self.doubtful, self.time_outs) = (false, 0);
    }

    pub(super) fn mark_lost(&mut self, segment: &mut Segment) {
        if segment.sacked {
            return;
        }
        if !segment.lost {
            segment.lost = true;
            self.lost += 1;
        } else if segment.resent {
            segment.resent = false;
            self.resent -= 1;
        }
    }
}

impl Sender {
    /// `tcp_init_cwnd_reduction`.
    pub(super) fn begin_reduction(&mut self, r: &mut Recovery) {
        r.high = self.nxt;
        r.probe = None;
        r.reduction.begin(self.window.size);
        self.window.reduce(&mut r.cubic);
    }

    /// `tcp_try_keep_open`.
    pub(super) fn keep_open(&mut self, r: &mut Recovery) {
        let any_resent = r.resent > 0 || self.segments.front().is_some_and(|head| head.ambiguous);
        let state = if r.sacked + r.lost > 0 || any_resent { State::Disorder } else { State::Open };
        if state != r.state {
            (r.state, r.high) = (state, self.nxt);
        }
    }

    /// `tcp_fastretrans_alert`.
    pub(super) fn alert<W: Wire>(&mut self, r: &mut Recovery, shown: &mut Shown, line: &Line<'_, W>) -> Next {
        if r.state == State::Open {
            r.first_resent = None;
        } else if r.state == State::Recovery && self.una() >= r.high {
            r.state = State::Open;
            if r.may_undo(shown.echo) {
                self.undo(r, false);
            } else {
                r.rack.persist = r.rack.persist.saturating_sub(1);
            }
            // `tcp_end_cwnd_reduction`.
            if r.undo.take().is_some() {
                self.window.size = self.window.threshold;
            }
            r.first_resent = None;
        }
        match r.state {
            State::Recovery => {
                if self.undo_by_report(r) {
                    self.keep_open(r);
                }
                self.find_losses(r, shown, line);
                if !r.is_recovering() {
                    if r.lost == 0 {
                        return Next::Nothing;
                    }
                    self.enter_recovery(r);
                }
                return Next::Lost;
            }
            State::Loss => {
                let next = self.process_loss(r, shown);
                self.find_losses(r, shown, line);
                if !(r.state == State::Open || shown.lost_again) {
                    return next;
                }
            }
            State::Open | State::Disorder => {
                self.undo_by_report(r);
            }
        }
        self.find_losses(r, shown, line);
        if r.lost == 0 {
            if r.resent == 0 {
                r.first_resent = None;
            }
            self.keep_open(r);
            return Next::Nothing;
        }
        self.enter_recovery(r);
        Next::Lost
    }

    /// `tcp_enter_recovery`.
    pub(super) fn enter_recovery(&mut self, r: &mut Recovery) {
        self.remember(r);
        self.begin_reduction(r);
        r.state = State::Recovery;
    }

    /// `tcp_init_undo`.
    fn remember(&mut self, r: &mut Recovery) {
        let probed = u32::from(r.probe.is_some_and(|(_, again)| again));
        let resent = Some(r.resent + probed).filter(|&resent| resent > 0);
        // `tcp_current_ssthresh`.
        let threshold = if r.state >= State::Recovery {
            self.window.threshold
        } else {
            self.window.threshold.max(self.window.size - self.window.size / 4)
        };
        r.undo = Some(Undo { from: self.una(), threshold, size: self.window.size, resent });
    }

    /// `tcp_undo_cwnd_reduction`.
    fn undo(&mut self, r: &mut Recovery, unmark: bool) {
        if unmark {
            for segment in &mut self.segments {
                r.lost -= u32::from(std::mem::take(&mut segment.lost));
            }
        }
        if let Some(undo) = r.undo.take() {
            self.window.size = self.window.size.max(undo.size);
            self.window.threshold = self.window.threshold.max(undo.threshold);
        }
        r.rack.advanced = true;
    }

    /// `tcp_try_undo_dsack`.
    fn undo_by_report(&mut self, r: &mut Recovery) -> bool {
        let all = r.undo.is_some_and(|undo| undo.resent == Some(0));
        if all {
            r.rack.persist = (r.rack.persist + 1).min(WIDE_FOR);
            self.undo(r, false);
        }
        all
    }

    /// `tcp_process_loss`.
    fn process_loss(&mut self, r: &mut Recovery, shown: &Shown) -> Next {
        let recovered = self.una() >= r.high;
        let only_late = shown.advanced && r.may_undo(shown.echo);
        if only_late || (r.doubtful && shown.original) {
            self.undo(r, true);
            (r.state, r.time_outs) = (State::Open, 0);
            return Next::Nothing;
        }
        if r.doubtful {
            if self.nxt > r.high {
                r.doubtful &= !shown.sacked && shown.not_duplicate;
            } else if shown.advanced && !recovered {
                r.high = self.nxt;
                if self.nxt < self.written {
                    return Next::New;
                }
                r.doubtful = false;
            }
        }
        if recovered {
            if r.may_undo(shown.echo) {
                self.undo(r, false);
            }
            r.undo = None;
            r.state = State::Open;
            self.keep_open(r);
            r.first_resent = None;
            return Next::Nothing;
        }
        Next::Lost
    }

    /// `tcp_cong_control`.
    pub(super) fn control<W>(&mut self, r: &mut Recovery, shown: &Shown, line: &Line<'_, W>) {
        if r.is_recovering() {
            if shown.delivered > 0 {
                let in_flight = self.in_flight(Some(r));
                let fine = shown.advanced && r.lost <= shown.lost_before;
                self.window.size = r.reduction.size(in_flight, self.window.threshold, shown.delivered, fine);
            }
        } else if shown.advanced {
            self.window.grow(shown.delivered, Some(&mut r.cubic), line.now, self.rtt.min());
        }
    }

    /// `tcp_xmit_recovery`.
    pub(super) fn send_what_next<W: Wire>(
        &mut self,
        r: &mut Recovery,
        next: Next,
        receiver: &mut Receiver,
        line: &mut Line<'_, W>,
    ) {
        if next == Next::New {
            self.push(Some(r), false, receiver, line);
            if self.nxt > r.high {
                return;
            }
            r.doubtful = false;
        }
        if next != Next::Nothing {
            self.resend(r, receiver, line);
        }
    }

    /// `tcp_xmit_retransmit_queue`: what is lost is sent again, as far as the window allows.
    pub(super) fn resend<W: Wire>(&mut self, r: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        let mut index = 0;
        while let Some(segment) = self.segments.get(index) {
            if self.in_flight(Some(r)) >= self.window.size || r.resent >= r.lost {
                break;
            }
            if segment.lost && !segment.sacked && !segment.resent {
                self.resend_one(index, r, receiver, line);
                if r.is_recovering() {
                    r.reduction.out += 1;
                }
                if index == 0 && self.timer != Timer::Reorder {
                    self.set(Timer::Retransmit, line.kernel.fires(line.now, self.rto));
                }
            }
            index += 1;
        }
    }

    /// `tcp_retransmit_skb`.
    fn resend_one<W: Wire>(&mut self, index: usize, r: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        self.send_again(index, r, receiver, line);
        if let Some(segment) = self.segments.get_mut(index)
            && !segment.resent
        {
            segment.resent = true;
            r.resent += 1;
        }
        r.first_resent.get_or_insert(stamp(line.now));
        if let Some(undo) = &mut r.undo {
            undo.resent = Some(undo.resent.unwrap_or(0) + 1);
        }
    }

    /// The retransmission time-out (`tcp_retransmit_timer`, `tcp_enter_loss`).
    pub(super) fn time_out<W: Wire>(&mut self, r: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        let fresh = r.state <= State::Disorder;
        for (index, segment) in self.segments.iter_mut().enumerate() {
            // What was sent recently may yet arrive.
            if index == 0 || since(segment.sent, line.now) >= r.rack.rtt {
                r.mark_lost(segment);
            }
        }
        if fresh || self.una() >= r.high || (r.state == State::Loss && r.time_outs == 0) {
            self.remember(r);
            self.window.reduce(&mut r.cubic);
        }
        self.window.size = self.in_flight(Some(r)) + 1;
        // `cubictcp_state`: what was learned of the path no longer holds.
        r.cubic = Cubic::default();
        r.doubtful = fresh || r.time_outs > 0;
        (r.state, r.high, r.probe) = (State::Loss, self.nxt, None);
        r.time_outs += 1;
        self.resend_one(0, r, receiver, line);
        self.rto = self.rto.saturating_mul(2).min(line.kernel.max_rto);
        self.set(Timer::Retransmit, line.kernel.fires(line.now, self.rto));
    }
}
