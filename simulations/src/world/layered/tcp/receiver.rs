//! What an end has received, and when it says so.

use super::{Kernel, NEVER, Sack, stamp};

/// The receiving half of an end (`net/ipv4/tcp_input.c`, `tcp_data_queue` and what it calls).
#[derive(Debug)]
pub(super) struct Receiver {
    /// Everything below has arrived.
    pub(super) nxt: u64,
    /// The last acknowledgement that was sent.
    told: u64,
    /// When the delayed acknowledgement is due.
    pub(super) delayed: u64,
    /// What arrived beyond a gap, and what arrived twice.
    beyond: Option<Box<Beyond>>,
    /// When data last came in order, in milliseconds.
    last: u32,
    /// The timestamp to echo: of the segment that last advanced the acknowledgement.
    pub(super) echo: u32,
    /// The size of a full segment, as far as segments have shown it.
    full: u32,
    /// How many acknowledgements are still sent at once, whatever else holds.
    quick: u8,
    /// How many small segments came since the last acknowledgement, up to two.
    pushed: u8,
    /// Whether this end answers what it receives, so that acknowledgements travel with the answers.
    pingpong: bool,
    heard: bool,
    /// What arrived is to be acknowledged at once.
    pub(super) urgent: bool,
}

#[derive(Debug, Default)]
struct Beyond {
    /// Ranges, the one that grew last first (RFC 2018, section 4).
    ranges: Vec<(u64, u64)>,
    twice: Option<(u64, u64)>,
}

/// `TCP_MAX_QUICKACKS`.
const QUICK: u8 = 16;
/// What a segment is taken for before one was seen (`TCP_MSS_DEFAULT`).
const FULL_AT_FIRST: u32 = 536;
/// Ranges that fit beside a timestamp (RFC 2018, section 3).
const RANGES_TOLD: usize = 3;

impl Receiver {
    pub(super) const fn new() -> Self {
        Self {
            nxt: 0,
            told: 0,
            delayed: NEVER,
            beyond: None,
            last: 0,
            echo: 0,
            full: FULL_AT_FIRST,
            quick: 0,
            pushed: 0,
            pingpong: false,
            heard: false,
            urgent: false,
        }
    }

    /// Takes a segment, which is to be acknowledged at once if it then is `urgent`, and else when that is
    /// due at `delayed`. `rto` is the time-out of this end's own sender.
    pub(super) fn take(&mut self, now: u64, range: (u64, u64), sent: u32, rto: u32, kernel: &Kernel) {
        self.urgent |= self.judge(now, range, sent, rto, kernel);
    }

    fn judge(&mut self, now: u64, range: (u64, u64), sent: u32, rto: u32, kernel: &Kernel) -> bool {
        let (start, end) = range;
        if start <= self.told {
            self.echo = sent;
        }
        if end <= self.nxt {
            self.twice(range);
            return true;
        }
        if start > self.nxt {
            if self.beyond.get_or_insert_default().insert(range) {
                self.twice(range);
            }
            return true;
        }
        if start < self.nxt {
            self.twice((start, self.nxt));
        }
        self.hear(now, u32::try_from(end - start).unwrap_or(u32::MAX), rto, kernel);
        self.nxt = end;
        // A gap that closes, and one that is still open, are worth an acknowledgement (RFC 5681, 4.2).
        self.absorb() || self.is_due_at_once() || self.delay(now, kernel)
    }

    /// Something came twice: whoever sent it does not know what arrived.
    fn twice(&mut self, range: (u64, u64)) {
        self.beyond.get_or_insert_default().twice = Some(range);
        self.quick = QUICK;
        self.pingpong = false;
    }

    /// `tcp_event_data_recv` and `tcp_measure_rcv_mss`.
    fn hear(&mut self, now: u64, bytes: u32, rto: u32, kernel: &Kernel) {
        let gap = stamp(now).wrapping_sub(self.last);
        if !self.heard || gap > rto / 1_000 {
            // The sender begins anew and waits for acknowledgements to widen its window.
            self.quick = QUICK;
        }
        (self.heard, self.last) = (true, stamp(now));
        if bytes < kernel.mss {
            self.pushed = (self.pushed + 1).min(2);
        }
        self.full = self.full.max(bytes);
    }

    /// Moves over what waited beyond a gap. Returns whether anything did.
    fn absorb(&mut self) -> bool {
        let Some(beyond) = &mut self.beyond else { return false };
        if beyond.ranges.is_empty() {
            return beyond.twice.is_some();
        }
        while let Some(place) = beyond.ranges.iter().position(|&(start, _)| start <= self.nxt) {
            self.nxt = self.nxt.max(beyond.ranges.remove(place).1);
        }
        true
    }

    /// `__tcp_ack_snd_check`, and `tcp_cleanup_rbuf` for an application that reads at once: a receiver
    /// that does not answer acknowledges each small segment.
    fn is_due_at_once(&self) -> bool {
        self.nxt - self.told > u64::from(self.full)
            || (!self.pingpong && (self.quick > 0 || self.pushed > 0))
            || self.pushed > 1
    }

    /// Sets the timer of the delayed acknowledgement. Returns true if it is about to fire anyway.
    fn delay(&mut self, now: u64, kernel: &Kernel) -> bool {
        let soon = now.saturating_add(u64::from(kernel.delayed_ack) * 250);
        if self.delayed <= soon {
            return true;
        }
        self.delayed = self.delayed.min(kernel.fires(now, kernel.delayed_ack));
        false
    }

    /// Nobody answered within the delay.
    pub(super) const fn miss(&mut self) {
        self.pingpong = false;
        self.delayed = NEVER;
    }

    /// A segment leaves: what it says of what arrived. `answers` if it carries data.
    pub(super) fn tell(&mut self, now: u64, answers: bool, kernel: &Kernel) -> Option<Box<Sack>> {
        if answers && self.heard && stamp(now).wrapping_sub(self.last) < kernel.delayed_ack / 1_000 {
            self.pingpong = true;
        }
        if self.told < self.nxt {
            self.quick = self.quick.saturating_sub(1);
        }
        self.told = self.nxt;
        self.pushed = 0;
        self.urgent = false;
        self.delayed = NEVER;
        let beyond = self.beyond.as_mut()?;
        let twice = beyond.twice.take();
        let room = RANGES_TOLD - usize::from(twice.is_some());
        let ranges: Vec<_> = beyond.ranges.iter().copied().take(room).collect();
        if ranges.is_empty() {
            self.beyond = None;
        }
        (twice.is_some() || !ranges.is_empty()).then(|| Box::new(Sack { twice, ranges }))
    }

    /// The sender has learned of everything, in whatever way.
    pub(super) const fn settle(&mut self) {
        if self.delayed != NEVER {
            self.miss();
        }
        self.told = self.nxt;
        self.pushed = 0;
    }
}

impl Beyond {
    /// Adds a range, which joins those that it touches. Returns whether all of it was there.
    fn insert(&mut self, (mut start, mut end): (u64, u64)) -> bool {
        let known = self.ranges.iter().any(|&(low, high)| low <= start && end <= high);
        self.ranges.retain(|&(low, high)| {
            let apart = high < start || end < low;
            if !apart {
                (start, end) = (start.min(low), end.max(high));
            }
            apart
        });
        self.ranges.insert(0, (start, end));
        known
    }
}
