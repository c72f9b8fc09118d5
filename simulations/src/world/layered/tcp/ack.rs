//! What an acknowledgement shows (`tcp_ack` in `net/ipv4/tcp_input.c`).

use super::line::Line;
use super::rack::is_spurious;
use super::receiver::Receiver;
use super::recovery::{Next, Recovery, State};
use super::sender::{Sender, since};
use super::{Sack, Wire, stamp};

/// What an acknowledgement has shown (the flags of `tcp_ack`).
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) advanced: bool,
    pub(super) sacked: bool,
    pub(super) twice: bool,
    pub(super) twice_probe: bool,
    /// Something arrived that was sent once only, and before the last time-out.
    pub(super) original: bool,
    pub(super) resent_acked: bool,
    pub(super) not_duplicate: bool,
    pub(super) set_timer: bool,
    pub(super) lost_again: bool,
    pub(super) delivered: u32,
    /// When the first and the last of them that are unambiguous were sent.
    pub(super) first: Option<u64>,
    pub(super) last: u64,
    pub(super) first_sacked: Option<u64>,
    pub(super) echo: u32,
    pub(super) lost_before: u32,
    /// The highest report before this one, and the lowest hole below it that was filled late.
    pub(super) highest: u64,
    pub(super) overtaken: bool,
    pub(super) delivered_at_send: u64,
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
}
