//! What an end has sent, and when it sends what.

use std::collections::VecDeque;

use super::congestion::Window;
use super::line::Line;
use super::receiver::Receiver;
use super::recovery::{Recovery, State};
use super::rtt::{INITIAL_RTO, Rtt};
use super::{Kernel, NEVER, Sack, Wire, stamp};

/// The sending half of an end (`net/ipv4/tcp_output.c`, and `tcp_ack` in `tcp_input.c`).
#[derive(Debug)]
pub(super) struct Sender {
    /// Everything below was sent.
    pub(super) nxt: u64,
    /// Everything below was written.
    pub(super) written: u64,
    /// What was sent and is not acknowledged, in order and without gaps.
    pub(super) segments: VecDeque<Segment>,
    pub(super) timer: Timer,
    /// When the timer fires.
    pub(super) due: u64,
    pub(super) rtt: Rtt,
    /// The retransmission time-out in microseconds, with back-off.
    pub(super) rto: u32,
    pub(super) window: Window,
    /// When data was last sent, in milliseconds.
    last: u32,
    /// The size of the send buffer.
    buffer: u32,
    /// Set up at the first loss.
    pub(super) recovery: Option<Box<Recovery>>,
}

/// What was sent in one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) end: u64,
    pub(super) sent: u64,
    pub(super) bytes: u32,
    /// The receiver has it.
    pub(super) sacked: bool,
    /// It is taken for lost.
    pub(super) lost: bool,
    /// It was sent again since.
    pub(super) resent: bool,
    /// It was ever sent again: what is acknowledged may be either.
    pub(super) ambiguous: bool,
}

impl Segment {
    pub(super) fn start(&self) -> u64 {
        self.end - u64::from(self.bytes)
    }
}

/// What the one timer of a sender is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Off,
    /// The retransmission time-out.
    Retransmit,
    /// A tail loss probe (RFC 8985, section 7).
    Probe,
    /// The reordering window of RACK has passed (RFC 8985, section 6.3).
    Reorder,
}

/// `TCP_TIMEOUT_MIN_US`.
const TIMEOUT_MIN: u32 = 2_000;

/// What a packet in the send buffer takes beyond its payload (`truesize`, measured with Linux 6.18).
const PACKET_OVERHEAD: u64 = 832;

/// Full segments that one packet of unsent data holds (`tcp_send_mss`: 64 KiB).
const UNSENT_SEGMENTS: u64 = 44;

impl Sender {
    pub(super) fn new(kernel: &Kernel) -> Self {
        Self {
            nxt: 0,
            written: 0,
            segments: VecDeque::new(),
            timer: Timer::Off,
            due: NEVER,
            rtt: Rtt::new(),
            rto: INITIAL_RTO,
            window: Window::new(kernel),
            last: 0,
            buffer: buffer_for(kernel.initial_window, kernel),
            recovery: None,
        }
    }

    /// Everything below is acknowledged.
    pub(super) fn una(&self) -> u64 {
        self.segments.front().map_or(self.nxt, Segment::start)
    }

    /// `tcp_packets_in_flight`.
    pub(super) fn in_flight(&self, recovery: Option<&Recovery>) -> u32 {
        let out = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        recovery.map_or(out, |r| (out + r.resent).saturating_sub(r.sacked + r.lost))
    }

    /// Whether the application has to wait: the buffer is in use, and so is the last packet in it.
    ///
    /// The kernel looks at the first only when it needs another packet (`tcp_sendmsg_locked`). What waits
    /// for the window goes into one packet, so a cut is noticed the later the smaller the messages are.
    pub(super) fn is_full(&self, kernel: &Kernel) -> bool {
        self.memory() >= u64::from(self.buffer) && self.written - self.nxt >= UNSENT_SEGMENTS * u64::from(kernel.mss)
    }

    /// Whether an application that waited may go on: a third is free (`sk_stream_is_writeable`). While it
    /// waits the buffer grows with the window (`tcp_new_space`).
    pub(super) fn has_room(&mut self, kernel: &Kernel) -> bool {
        self.buffer = self.buffer.max(buffer_for(self.window.size, kernel));
        self.memory() <= u64::from(self.buffer / 3 * 2)
    }

    /// `sk_wmem_queued`.
    fn memory(&self) -> u64 {
        let packets = self.segments.len() + usize::from(self.nxt < self.written);
        self.written - self.una() + PACKET_OVERHEAD * u64::try_from(packets).unwrap_or(u64::MAX)
    }

    /// The application hands over bytes.
    pub(super) fn write<W: Wire>(&mut self, bytes: u32, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        self.written += u64::from(bytes);
        self.go_on(receiver, line);
    }

    /// Sends what the window lets through.
    pub(super) fn go_on<W: Wire>(&mut self, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        if self.nxt < self.written {
            let mut recovery = self.recovery.take();
            self.push(recovery.as_deref_mut(), false, receiver, line);
            self.recovery = recovery;
        }
    }

    /// Sends what the window lets through (`tcp_write_xmit`); with `probe`, one segment regardless of
    /// it. What waits is a stream of bytes: segments are formed when they are sent. Returns whether
    /// anything was.
    pub(super) fn push<W: Wire>(
        &mut self,
        mut recovery: Option<&mut Recovery>,
        probe: bool,
        receiver: &mut Receiver,
        line: &mut Line<'_, W>,
    ) -> bool {
        let (mut any, mut limited) = (false, false);
        while self.nxt < self.written {
            if !probe && self.in_flight(recovery.as_deref()) >= self.window.size {
                limited = true;
                break;
            }
            if self.segments.is_empty() {
                let idle = stamp(line.now).wrapping_sub(self.last);
                self.window.restart(idle, self.rto / 1_000, line.kernel);
            }
            self.send_new(recovery.as_deref_mut(), receiver, line);
            any = true;
            if probe {
                return true;
            }
        }
        if any {
            let in_flight = self.in_flight(recovery.as_deref());
            let state = recovery.as_deref().map_or(State::Open, |r| r.state);
            self.schedule_probe(state, false, line);
            limited |= in_flight >= self.window.size;
            let out = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
            self.window.used(out, limited, self.una(), self.nxt);
        }
        any
    }

    fn send_new<W: Wire>(&mut self, recovery: Option<&mut Recovery>, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        let bytes = u32::try_from(self.written - self.nxt).unwrap_or(u32::MAX).min(line.kernel.mss);
        let start = self.nxt;
        self.nxt += u64::from(bytes);
        let first = self.segments.is_empty();
        if self.segments.len() == self.segments.capacity() {
            // Most connections have one segment under way, and four would take memory for nothing.
            self.segments.reserve_exact(self.segments.len().max(1));
        }
        self.segments.push_back(Segment {
            end: self.nxt,
            sent: line.now,
            bytes,
            sacked: false,
            lost: false,
            resent: false,
            ambiguous: false,
        });
        self.last = stamp(line.now);
        line.put(start, bytes, receiver);
        if let Some(recovery) = recovery
            && recovery.state == State::Recovery
        {
            recovery.reduction.out += 1;
        }
        if first || self.timer == Timer::Probe {
            self.rearm(line);
        }
    }

    pub(super) const fn set(&mut self, timer: Timer, due: u64) {
        (self.timer, self.due) = (timer, due);
    }

    /// `tcp_rearm_rto`: the time-out counts from when the first segment was sent, if another timer took
    /// its place in between.
    pub(super) fn rearm<W>(&mut self, line: &Line<'_, W>) {
        let Some(head) = self.segments.front() else {
            self.set(Timer::Off, NEVER);
            return;
        };
        let after = match self.timer {
            Timer::Probe | Timer::Reorder => self.left(head.sent, line.now).max(1),
            Timer::Off | Timer::Retransmit => self.rto,
        };
        self.set(Timer::Retransmit, line.kernel.fires(line.now, after));
    }

    /// How much of the time-out is left for what was sent then.
    fn left(&self, sent: u64, now: u64) -> u32 {
        let passed = u32::try_from((now - sent) / 1_000).unwrap_or(u32::MAX);
        self.rto.saturating_sub(passed)
    }

    /// `tcp_schedule_loss_probe`. Returns whether a probe is scheduled.
    fn schedule_probe<W>(&mut self, state: State, advancing: bool, line: &Line<'_, W>) -> bool {
        let Some(head) = self.segments.front() else { return false };
        if state != State::Open {
            return false;
        }
        let mut after = match self.rtt.smoothed_8() {
            0 => INITIAL_RTO,
            // The acknowledgement of a single segment may be delayed.
            smoothed_8 if self.segments.len() == 1 => smoothed_8 / 4 + line.kernel.min_rto,
            smoothed_8 => smoothed_8 / 4 + TIMEOUT_MIN,
        };
        let rto = if advancing { self.rto } else { self.left(head.sent, line.now) };
        if rto > 0 {
            after = after.min(rto);
        }
        self.set(Timer::Probe, line.kernel.fires(line.now, after));
        true
    }

    /// `tcp_set_xmit_timer`.
    pub(super) fn set_timer<W>(&mut self, state: State, line: &Line<'_, W>) {
        if !self.schedule_probe(state, true, line) {
            self.rearm(line);
        }
    }

    /// RACK waits for segments that may only be late.
    pub(super) fn wait_for_late<W>(&mut self, micros: u32, line: &Line<'_, W>) {
        self.set(Timer::Reorder, line.kernel.fires(line.now, micros + TIMEOUT_MIN));
    }

    /// An acknowledgement arrived, of everything below `ack`. `echo` is when the segment was sent that
    /// gave rise to it.
    pub(super) fn acknowledge<W: Wire>(
        &mut self,
        (ack, sack, echo): (u64, Option<Box<Sack>>, u32),
        carries_data: bool,
        receiver: &mut Receiver,
        line: &mut Line<'_, W>,
    ) {
        if sack.is_none() && self.recovery.is_none() {
            self.advance(ack, line);
            return;
        }
        let mut recovery = self.recovery.take().unwrap_or_default();
        self.recover(&mut recovery, (ack, sack, echo), carries_data, receiver, line);
        self.recovery = Some(recovery);
    }

    /// The way of an acknowledgement while nothing was ever lost.
    fn advance<W>(&mut self, ack: u64, line: &Line<'_, W>) {
        let (mut acked, mut first, mut last) = (0, None, 0);
        while let Some(segment) = self.segments.front_mut() {
            if segment.end > ack {
                segment.bytes = u32::try_from(segment.end - ack.max(segment.start())).unwrap_or(segment.bytes);
                break;
            }
            first.get_or_insert(segment.sent);
            last = segment.sent;
            acked += 1;
            self.segments.pop_front();
        }
        let Some(first) = first else { return };
        self.measure(since(first, line.now), since(last, line.now), line);
        self.set_timer(State::Open, line);
        self.window.grow(acked, None, line.now, self.rtt.min());
    }

    /// Takes a sample of the round trip, by the first and by the last segment that were acknowledged.
    pub(super) fn measure<W>(&mut self, first: u32, last: u32, line: &Line<'_, W>) {
        self.rtt.shortest(last, stamp(line.now));
        self.rtt.sample(first, self.una(), self.nxt, line.kernel);
        self.rto = self.rtt.timeout(line.kernel);
    }

    /// The timer fires.
    pub(super) fn fire<W: Wire>(&mut self, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        let timer = self.timer;
        self.due = NEVER;
        if self.segments.is_empty() {
            self.timer = Timer::Off;
            return;
        }
        let mut recovery = self.recovery.take().unwrap_or_default();
        match timer {
            Timer::Off => {}
            Timer::Retransmit => self.time_out(&mut recovery, receiver, line),
            Timer::Probe => self.probe(&mut recovery, receiver, line),
            Timer::Reorder => self.stop_waiting(&mut recovery, receiver, line),
        }
        self.recovery = Some(recovery);
    }

    /// `tcp_send_loss_probe`: new data if there is, or else the last segment again.
    fn probe<W: Wire>(&mut self, recovery: &mut Recovery, receiver: &mut Receiver, line: &mut Line<'_, W>) {
        // At most one is outstanding.
        if recovery.probe.is_none() {
            let again = !self.push(Some(recovery), true, receiver, line);
            if again {
                let last = self.segments.len() - 1;
                self.send_again(last, recovery, receiver, line);
            }
            recovery.probe = Some((self.nxt, again));
            // So that the time-out counts from now.
            self.timer = Timer::Off;
        }
        self.rearm(line);
    }

    /// Sends a segment again, together with those that follow and fit into it
    /// (`tcp_retrans_try_collapse`).
    pub(super) fn send_again<W: Wire>(
        &mut self,
        index: usize,
        recovery: &mut Recovery,
        receiver: &mut Receiver,
        line: &mut Line<'_, W>,
    ) {
        while let (Some(&segment), Some(&next)) = (self.segments.get(index), self.segments.get(index + 1)) {
            if next.sacked || segment.bytes + next.bytes > line.kernel.mss {
                break;
            }
            self.segments.remove(index + 1);
            recovery.lost -= u32::from(next.lost);
            recovery.resent -= u32::from(next.resent);
            if let Some(segment) = self.segments.get_mut(index) {
                segment.end = next.end;
                segment.bytes += next.bytes;
            }
        }
        if let Some(segment) = self.segments.get_mut(index) {
            segment.sent = line.now;
            segment.ambiguous = true;
            line.put(segment.start(), segment.bytes, receiver);
            recovery.ever_resent += 1;
        }
    }

    /// Everything has long been received, and the sender has learned of it.
    pub(super) fn settle(&mut self, kernel: &Kernel) {
        self.segments.clear();
        self.set(Timer::Off, NEVER);
        self.rto = self.rtt.timeout(kernel);
        if let Some(recovery) = &mut self.recovery {
            if recovery.state == State::Recovery {
                self.window.size = self.window.threshold;
            }
            recovery.settle();
        }
    }
}

/// `tcp_sndbuf_expand`: twice the window, each segment with what it takes in memory.
fn buffer_for(window: u32, kernel: &Kernel) -> u32 {
    let segment = (kernel.mss + 512).next_power_of_two() + 256;
    segment.saturating_mul(window.max(10)).saturating_mul(2).min(kernel.send_buffer_max)
}

/// Microseconds from then to now.
pub(super) fn since(then: u64, now: u64) -> u32 {
    u32::try_from(now.saturating_sub(then) / 1_000).unwrap_or(u32::MAX)
}
