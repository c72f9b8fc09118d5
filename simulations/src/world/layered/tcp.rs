//! TCP, as far as it matters to whoever waits for a message: what is lost comes late, and so does
//! everything behind it.
//!
//! One connection between two ends, as Linux 6 has it: RACK, tail loss probes, time-outs with
//! back-off, F-RTO, delayed acknowledgements, CUBIC's window, and streams of bytes that are cut into
//! segments when they are sent. Names and steps are the kernel's, so that they can be compared.
//!
//! **One event a message.** What a connection does inside, it does on a timeline of its own:
//! acknowledgements and timers take effect, at their exact instants, when the connection is next
//! looked at. It asks to be woken only for what can be seen from outside: the arrival of data and,
//! while something was lost or waits for the window, whatever comes next. So a connection on which
//! nothing is lost needs one event for each message.
//!
//! Absent: the receiver's window (who receives reads at once), pacing, ECN, keep-alives, and the end of
//! a connection after `tcp_retries2` time-outs (15 minutes; NATS notices earlier).

mod ack;
mod config;
mod congestion;
mod handshake;
mod line;
mod rack;
mod receiver;
mod recovery;
mod rtt;
mod sender;

use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use self::config::{Kernel, TcpConfig};
pub(crate) use self::handshake::{Handshake, Progress};
use self::line::Line;
use self::receiver::Receiver;
use self::sender::Sender;
use super::{Side, Wire};

/// Later than anything happens.
const NEVER: u64 = u64::MAX;

/// A connection. `P` is what it carries: each exactly once, and in order, while the connection lives.
#[derive(Debug)]
pub(crate) struct Tcp<P> {
    core: Core,
    /// By who wrote it: where each message ends, and what it is.
    messages: [VecDeque<(u64, P)>; 2],
    /// When `happen` is next called, as far as was asked for.
    wake: u64,
    /// By side: since when the send buffer has been full.
    full: [u64; 2],
}

/// What does not depend on what is carried.
#[derive(Debug)]
struct Core {
    kernel: Arc<Kernel>,
    ends: [End; 2],
    /// What is under way, the next to arrive first.
    packets: VecDeque<Packet>,
}

#[derive(Debug)]
struct End {
    sender: Sender,
    receiver: Receiver,
    /// Data that this end sent was lost, and the other has not received everything since.
    troubled: bool,
}

#[derive(Debug)]
struct Packet {
    at: u64,
    start: u64,
    ack: u64,
    sack: Option<Box<Sack>>,
    /// The timestamp, and the one that it echoes, in milliseconds.
    sent: u32,
    echo: u32,
    bytes: u32,
    to: Side,
}

/// What an acknowledgement says besides how far everything has arrived (RFC 2018, RFC 2883).
#[derive(Debug)]
struct Sack {
    /// What arrived twice.
    twice: Option<(u64, u64)>,
    /// What arrived beyond a gap.
    ranges: Vec<(u64, u64)>,
}

/// What happens next inside.
#[derive(Clone, Copy, Debug)]
enum Inside {
    Arrival,
    Delayed(Side),
    Timer(Side),
}

/// A timer that is looked at later than this, on a connection that owes nobody anything, is taken for one
/// that did its work: what it sent has arrived. Otherwise a connection that was idle for hours would
/// send probes into a network that has changed since.
const LATE: u64 = 250_000_000;

/// The kernel's milliseconds for timestamps; they wrap after 50 days. Never 0, which is no timestamp.
fn stamp(now: u64) -> u32 {
    ((now / 1_000_000) as u32).max(1)
}

impl<P> Tcp<P> {
    /// A connection that is established at `now`; its handshake's round trip took `round_trip`
    /// nanoseconds, if it is known.
    pub(crate) fn new(kernel: &Arc<Kernel>, now: u64, round_trip: Option<u64>) -> Self {
        let end = || {
            let mut end = End { sender: Sender::new(kernel), receiver: Receiver::new(), troubled: false };
            if let Some(round_trip) = round_trip {
                let micros = u32::try_from(round_trip / 1_000).unwrap_or(u32::MAX);
                end.sender.rtt.shortest(micros, stamp(now));
                end.sender.rtt.sample(micros, 0, 0, kernel);
                end.sender.rto = end.sender.rtt.timeout(kernel);
            }
            end
        };
        Self {
            core: Core { kernel: Arc::clone(kernel), ends: [end(), end()], packets: VecDeque::new() },
            messages: [VecDeque::new(), VecDeque::new()],
            wake: NEVER,
            full: [NEVER; 2],
        }
    }

    /// Hands a message of so many bytes to the socket of `from`. What arrives meanwhile is added to
    /// `out` with the side that receives it. Returns when `happen` is to be called, if that is sooner
    /// than was asked for before.
    #[must_use]
    pub(crate) fn write(
        &mut self,
        now: u64,
        from: Side,
        (bytes, payload): (u32, P),
        wire: &mut impl Wire,
        out: &mut Vec<(Side, P)>,
    ) -> Option<u64> {
        self.run(now, false, wire, out);
        let sender = &self.core.ends[from.index()].sender;
        if sender.is_full(&self.core.kernel) {
            self.full[from.index()] = self.full[from.index()].min(now);
        }
        // A message without a byte would have no place in the stream.
        let bytes = bytes.max(1);
        let messages = &mut self.messages[from.index()];
        if messages.len() == messages.capacity() {
            messages.reserve_exact(messages.len().max(1));
        }
        messages.push_back((sender.written + u64::from(bytes), payload));
        self.core.act(from, now, wire, |sender, receiver, line| sender.write(bytes, receiver, line));
        self.next_wake()
    }

    /// Brings the connection up to `now`, which it asked for earlier or which is of interest for
    /// another reason. What arrives is added to `out` with the side that receives it. Returns when to
    /// call this again, if that is sooner than was asked for before.
    #[must_use]
    pub(crate) fn happen(&mut self, now: u64, wire: &mut impl Wire, out: &mut Vec<(Side, P)>) -> Option<u64> {
        if now >= self.wake {
            self.wake = NEVER;
        }
        self.run(now, true, wire, out);
        self.next_wake()
    }

    /// Bytes that `side` wrote and that are not acknowledged, as of the last call.
    pub(crate) fn unacknowledged(&self, side: Side) -> u64 {
        let sender = &self.core.ends[side.index()].sender;
        sender.written - sender.una()
    }

    /// Since when the send buffer of `side` has been full, so that its application's write blocks.
    ///
    /// `write` takes messages nevertheless: they stand for those that wait in the application.
    pub(crate) fn blocked_since(&self, side: Side) -> Option<u64> {
        Some(self.full[side.index()]).filter(|&since| since != NEVER)
    }

    /// Ends the connection at once. What was written and has not been received is lost; given back with
    /// the side that wrote it.
    pub(crate) fn close(self) -> impl Iterator<Item = (Side, P)> {
        let [opener, acceptor] = self.messages;
        let all = |messages: VecDeque<(u64, P)>, side| messages.into_iter().map(move |(_, payload)| (side, payload));
        all(opener, Side::Opener).chain(all(acceptor, Side::Acceptor))
    }

    fn run(&mut self, now: u64, including: bool, wire: &mut impl Wire, out: &mut Vec<(Side, P)>) {
        while let Some((at, inside)) = self.core.next()
            && (at < now || including && at == now)
        {
            if let Some(to) = self.core.step(at, now, inside, wire) {
                self.deliver(to, out);
            }
            self.unblock();
        }
    }

    fn deliver(&mut self, to: Side, out: &mut Vec<(Side, P)>) {
        let end = self.core.ends[to.index()].receiver.nxt;
        let messages = &mut self.messages[to.other().index()];
        while messages.front().is_some_and(|&(last, _)| last <= end) {
            out.extend(messages.pop_front().map(|(_, payload)| (to, payload)));
        }
    }

    /// Whoever is blocked goes on when there is room again.
    fn unblock(&mut self) {
        for (full, end) in self.full.iter_mut().zip(&mut self.core.ends) {
            if *full != NEVER && end.sender.has_room(&self.core.kernel) {
                *full = NEVER;
            }
        }
    }

    fn next_wake(&mut self) -> Option<u64> {
        let blocked = self.full != [NEVER; 2];
        let due = if blocked || self.core.is_busy() {
            self.core.next().map_or(NEVER, |(at, _)| at)
        } else {
            self.core.next_delivery()
        };
        (due < self.wake).then(|| {
            self.wake = due;
            due
        })
    }
}

impl Core {
    /// Whether data waits for something that is not under way.
    fn is_busy(&self) -> bool {
        self.ends.iter().any(|end| end.troubled || end.sender.nxt < end.sender.written)
    }

    /// When the next data arrives.
    fn next_delivery(&self) -> u64 {
        let news = |packet: &&Packet| {
            let known = self.ends[packet.to.index()].receiver.nxt;
            packet.bytes > 0 && packet.start + u64::from(packet.bytes) > known
        };
        self.packets.iter().find(news).map_or(NEVER, |packet| packet.at)
    }

    fn next(&self) -> Option<(u64, Inside)> {
        let [a, b] = &self.ends;
        let mut first = (self.packets.front().map_or(NEVER, |packet| packet.at), Inside::Arrival);
        for other in [
            (a.receiver.delayed, Inside::Delayed(Side::Opener)),
            (b.receiver.delayed, Inside::Delayed(Side::Acceptor)),
            (a.sender.due, Inside::Timer(Side::Opener)),
            (b.sender.due, Inside::Timer(Side::Acceptor)),
        ] {
            if other.0 < first.0 {
                first = other;
            }
        }
        Some(first).filter(|&(at, _)| at != NEVER)
    }

    /// Does what is next, at its instant. Returns who received something in order.
    fn step(&mut self, at: u64, now: u64, inside: Inside, wire: &mut impl Wire) -> Option<Side> {
        match inside {
            Inside::Arrival => return self.packets.pop_front().and_then(|packet| self.arrive(packet, wire)),
            Inside::Delayed(_) | Inside::Timer(_) if now - at > LATE && !self.is_busy() => self.settle(),
            Inside::Delayed(side) => self.act(side, at, wire, |sender, receiver, line| {
                receiver.miss();
                line.put(sender.nxt, 0, receiver);
            }),
            Inside::Timer(side) => self.act(side, at, wire, Sender::fire),
        }
        None
    }

    fn arrive(&mut self, packet: Packet, wire: &mut impl Wire) -> Option<Side> {
        let Packet { at, start, ack, sack, sent, echo, bytes, to } = packet;
        let before = self.ends[to.index()].receiver.nxt;
        // The order of `tcp_rcv_established`: the acknowledgement, which may have lost data sent again; the
        // data; what the window now lets through; and, unless that says it, what has arrived.
        self.act(to, at, wire, |sender, receiver, line| {
            sender.acknowledge((ack, sack, echo), bytes > 0, receiver, line);
            if bytes > 0 {
                receiver.take(at, (start, start + u64::from(bytes)), sent, sender.rto, line.kernel);
            }
            sender.go_on(receiver, line);
            if receiver.urgent {
                line.put(sender.nxt, 0, receiver);
            }
        });
        let received = self.ends[to.index()].receiver.nxt;
        let from = &mut self.ends[to.other().index()];
        from.troubled &= received < from.sender.written;
        (received > before).then_some(to)
    }

    fn act<W: Wire>(
        &mut self,
        side: Side,
        now: u64,
        wire: &mut W,
        action: impl FnOnce(&mut Sender, &mut Receiver, &mut Line<'_, W>),
    ) {
        let End { sender, receiver, troubled } = &mut self.ends[side.index()];
        let mut line = Line { now, from: side, kernel: &self.kernel, wire, packets: &mut self.packets, lost: false };
        action(sender, receiver, &mut line);
        *troubled |= line.lost;
    }

    /// All has been received, and whoever sent it has heard so.
    fn settle(&mut self) {
        for end in &mut self.ends {
            end.sender.settle(&self.kernel);
            end.receiver.settle();
        }
    }
}

#[cfg(test)]
mod tests;
