//! How losses are found and repaired: RACK (RFC 8985), F-RTO (RFC 5682), undo (RFC 3708, RFC 4015).
//!
//! The steps and their order are those of `tcp_ack`, `tcp_fastretrans_alert` and
//! `tcp_recovery.c` in Linux 6.

use super::congestion::{Cubic, Reduction};
use super::line::Line;
use super::receiver::Receiver;
use super::sender::{Segment, Sender, Timer, since};
use super::{Sack, Wire, stamp};

/// What a sender knows since something was lost.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) state: State,
    /// Segments out that the receiver has, that are taken for lost, that were sent again.
    pub(super) sacked: u32,
    pub(super) lost: u32,
    pub(super) resent: u32,
    /// The state ends when this is acknowledged.
    high: u64,
    /// The end of what was sent when a tail loss probe was, and whether the probe was old data.
    pub(super) probe: Option<(u64, bool)>,
    pub(super) reduction: Reduction,
    pub(super) cubic: Cubic,
    undo: Option<Undo>,
    /// When the first segment of this recovery was sent again, in milliseconds.
    first_resent: Option<u32>,
    /// Whether the retransmission time-out may have been a mistake (F-RTO).
    doubtful: bool,
    /// How often the retransmission time-out fired in a row.
    time_outs: u32,
    rack: Rack,
    /// The end of the last range that the receiver reported.
    highest: u64,
    /// Segments that were ever sent again, and reports that one came twice.
    pub(super) ever_resent: u32,
    twice: u32,
}

/// What to return to when nothing was lost after all.
#[derive(Clone, Copy, Debug)]
struct Undo {
    from: u64,
    threshold: u32,
    size: u32,
    /// How many of those that were sent again are not known to have been in vain.
    resent: Option<u32>,
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

/// Recent acknowledgement: what was sent well before what has arrived is lost.
#[derive(Debug, Default)]
struct Rack {
    /// When the latest of those segments was sent that arrived, its end, and its round trip.
    sent: u64,
    end: u64,
    rtt: u32,
    advanced: bool,
    /// Whether segments were ever seen to overtake each other.
    reordered: bool,
    /// A segment was reported to have come twice; how far that widens the reordering window, and for
    /// how many recoveries.
    twice: bool,
    steps: u32,
    persist: u32,
    /// How many segments had been delivered at the last step.
    stepped_at: u64,
    delivered: u64,
}

/// How many recoveries a wide reordering window lasts: `TCP_RACK_RECOVERY_THRESH`.
const WIDE_FOR: u32 = 16;
/// `TCP_FASTRETRANS_THRESH`.
const DUPLICATES: u32 = 3;

/// What an acknowledgement has shown (the flags of `tcp_ack`).
#[derive(Debug, Default)]
struct Shown {
    advanced: bool,
    sacked: bool,
    twice: bool,
    twice_probe: bool,
    /// Something arrived that was sent once only, and before the last time-out.
    original: bool,
    resent_acked: bool,
    not_duplicate: bool,
    set_timer: bool,
    lost_again: bool,
    delivered: u32,
    /// When the first and the last of them that are unambiguous were sent.
    first: Option<u64>,
    last: u64,
    first_sacked: Option<u64>,
    echo: u32,
    lost_before: u32,
    /// The highest report before this one, and the lowest hole below it that was filled late.
    highest: u64,
    overtaken: bool,
    in_flight: u32,
    delivered_at_send: u64,
}

/// What to send after an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
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

    fn mark_lost(&mut self, segment: &mut Segment) {
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

impl Rack {
    /// `tcp_rack_advance`.
    fn advance(&mut self, segment: &Segment, now: u64, min_rtt: u32) {
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
    fn widen(&mut self, delivered_before: u64) {
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
    /// `tcp_ack`, while something is or was wrong.
    pub(super) fn recover<W: Wire>(
        &mut self,
        r: &mut Recovery,
        (ack, sack, echo): (u64, Option<Box<Sack>>, u32),
        carries_data: bool,
        receiver: &mut Receiver,
        line: &mut Line<'_, W>,
    ) {
        let una = self.una();
        if ack < una && sack.is_none() {
            return;
        }
        let empty = self.segments.is_empty();
        let mut shown = Shown {
            echo,
            lost_before: r.lost,
            highest: r.highest,
            not_duplicate: carries_data,
            delivered_at_send: r.rack.delivered,
            ..Shown::default()
        };
        if let Some(sack) = &sack {
            self.tag(r, sack, una, &mut shown, line);
        }
        self.clean(r, ack, &mut shown, line);
        r.rack.delivered += u64::from(shown.delivered);
        self.measure_all(r, &shown, line);
        r.rack.widen(shown.delivered_at_send);
        if r.probe.is_some() {
            self.end_probe(r, ack, &shown);
        }
        let mut next = Next::Nothing;
        if (shown.sacked || shown.twice || !shown.not_duplicate || r.state != State::Open) && (!empty || shown.twice) {
            next = self.alert(r, &mut shown, line);
        }
        if shown.set_timer {
            self.set_timer(r.state, line);
        }
        if !empty {
            self.control(r, &shown, line);
        }
        self.send_what_next(r, next, receiver, line);
    }

    /// Marks what the receiver reports (`tcp_sacktag_write_queue`).
    fn tag<W: Wire>(&mut self, r: &mut Recovery, sack: &Sack, una: u64, shown: &mut Shown, line: &Line<'_, W>) {
        if let Some((start, end)) = sack.twice {
            shown.twice = true;
            shown.twice_probe = r.probe == Some((end, true));
            r.twice += 1;
            if r.twice <= r.ever_resent && r.rack.reordered && !shown.twice_probe {
                r.rack.twice = true;
            }
            if let Some(undo) = &mut r.undo
                && end > undo.from
                && let Some(resent) = &mut undo.resent
            {
                *resent = resent.saturating_sub(1);
            }
            if end > una && self.segments.iter().any(|s| s.ambiguous && s.sacked && s.start() == start) {
                shown.overtaken = true;
            }
        }
        for &(start, end) in &sack.ranges {
            let from = self.segments.partition_point(|segment| segment.start() < start);
            for segment in self.segments.range_mut(from..).take_while(|segment| segment.end <= end) {
                if segment.sacked {
                    continue;
                }
                if !is_spurious(segment, shown.echo) {
                    r.rack.advance(segment, line.now, self.rtt.min());
                }
                if !(segment.resent || segment.ambiguous) {
                    shown.overtaken |= segment.start() < shown.highest;
                    shown.original |= segment.end <= r.high;
                    shown.first_sacked.get_or_insert(segment.sent);
                }
                r.lost -= u32::from(std::mem::take(&mut segment.lost));
                r.resent -= u32::from(std::mem::take(&mut segment.resent));
                segment.sacked = true;
                r.sacked += 1;
                shown.sacked = true;
                shown.delivered += 1;
            }
            r.highest = r.highest.max(end);
        }
    }

    /// Drops what is acknowledged (`tcp_clean_rtx_queue`).
    fn clean<W: Wire>(&mut self, r: &mut Recovery, ack: u64, shown: &mut Shown, line: &Line<'_, W>) {
        while let Some(segment) = self.segments.front_mut() {
            if segment.end > ack {
                if ack > segment.start() {
                    segment.bytes = u32::try_from(segment.end - ack).unwrap_or(segment.bytes);
                    shown.advanced = true;
                }
                break;
            }
            shown.advanced = true;
            let segment = *segment;
            self.segments.pop_front();
            if segment.ambiguous || segment.resent {
                shown.resent_acked = true;
            } else if !segment.sacked {
                shown.first.get_or_insert(segment.sent);
                shown.last = segment.sent;
                shown.overtaken |= segment.start() < shown.highest;
                shown.original |= segment.end <= r.high;
            }
            if segment.sacked {
                r.sacked -= 1;
            } else {
                shown.delivered += 1;
                if !is_spurious(&segment, shown.echo) {
                    r.rack.advance(&segment, line.now, self.rtt.min());
                }
            }
            r.lost -= u32::from(segment.lost);
            r.resent -= u32::from(segment.resent);
        }
        r.rack.reordered |= shown.overtaken;
        shown.set_timer = shown.advanced;
        shown.not_duplicate |= shown.advanced;
    }

    /// `tcp_ack_update_rtt`.
    fn measure_all<W>(&mut self, r: &mut Recovery, shown: &Shown, line: &Line<'_, W>) {
        let now = line.now;
        let (first, last) = match (shown.first, shown.first_sacked) {
            (Some(first), _) if !shown.resent_acked => (since(first, now), since(shown.last, now)),
            (_, Some(first)) => (since(first, now), since(first, now)),
            // Karn's algorithm forbids what is ambiguous; a timestamp is not (RFC 7323, section 4).
            _ if shown.advanced && shown.echo != 0 => {
                let micros = stamp(now).wrapping_sub(shown.echo).max(1).saturating_mul(1_000);
                (micros, micros)
            }
            _ => return,
        };
        self.measure(first, last, line);
        r.time_outs = 0;
    }

    /// `tcp_process_tlp_ack`: whether the probe repaired a loss.
    fn end_probe(&mut self, r: &mut Recovery, ack: u64, shown: &Shown) {
        let Some((high, again)) = r.probe else { return };
        if ack < high {
            return;
        }
        if !again || shown.twice_probe {
            r.probe = None;
        } else if ack > high {
            self.begin_reduction(r);
            self.window.size = self.window.threshold;
            r.state = State::Open;
            self.keep_open(r);
        } else if !(shown.advanced || shown.not_duplicate || shown.sacked) {
            r.probe = None;
        }
    }

    /// `tcp_init_cwnd_reduction`.
    fn begin_reduction(&mut self, r: &mut Recovery) {
        r.high = self.nxt;
        r.probe = None;
        r.reduction.begin(self.window.size);
        self.window.reduce(&mut r.cubic);
    }

    /// `tcp_try_keep_open`.
    fn keep_open(&mut self, r: &mut Recovery) {
        let any_resent = r.resent > 0 || self.segments.front().is_some_and(|head| head.ambiguous);
        let state = if r.sacked + r.lost > 0 || any_resent { State::Disorder } else { State::Open };
        if state != r.state {
            (r.state, r.high) = (state, self.nxt);
        }
    }

    /// `tcp_fastretrans_alert`.
    fn alert<W: Wire>(&mut self, r: &mut Recovery, shown: &mut Shown, line: &Line<'_, W>) -> Next {
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
    fn enter_recovery(&mut self, r: &mut Recovery) {
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
                r.doubtful &= !(shown.sacked || !shown.not_duplicate);
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

    /// `tcp_identify_packet_loss`.
    fn find_losses<W: Wire>(&mut self, r: &mut Recovery, shown: &mut Shown, line: &Line<'_, W>) {
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
    fn detect(&mut self, r: &mut Recovery, now: u64) -> u32 {
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

    /// `tcp_cong_control`.
    fn control<W>(&mut self, r: &mut Recovery, shown: &Shown, line: &Line<'_, W>) {
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
    fn send_what_next<W: Wire>(
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
    fn resend<W: Wire>(&mut self, r: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
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
fn is_spurious(segment: &Segment, echo: u32) -> bool {
    segment.ambiguous && echo != 0 && (echo.wrapping_sub(stamp(segment.sent)) as i32) < 0
}
