//! What carries frames between the ends of a connection: one of two transports.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::Transport;
use super::datagram::{Arrivals, Datagram, DatagramConfig};
use super::frame::Frame;
use super::net::Net;
use super::tcp::{Kernel, Tcp, TcpConfig};
use super::{Side, Wire};

/// How all connections of a run are carried.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) kernel: Arc<Kernel>,
    datagram: Option<DatagramConfig>,
}

impl Carrier {
    pub(super) fn new(transport: &Transport) -> Self {
        let (kernel, datagram) = match transport {
            Transport::Tcp(config) => (Kernel::new(config), None),
            Transport::Datagram(config) => (Kernel::new(&TcpConfig::default()), Some(*config)),
        };
        Self { kernel: Arc::new(kernel), datagram }
    }

    /// A connection whose handshake is over, and took `round_trip` if that is known; `seed` is its own.
    pub(super) fn pipe(&self, now: u64, round_trip: Option<u64>, seed: u64) -> Pipe {
        match &self.datagram {
            None => Pipe::Tcp(Tcp::new(&self.kernel, now, round_trip)),
            Some(config) => Pipe::Loose(Loose::new(Datagram::new(config, seed))),
        }
    }
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all connections are the large one")]
pub(super) enum Pipe {
    Tcp(Tcp<Frame>),
    Loose(Loose),
}

impl Pipe {
    /// Takes a frame from `from`. Returns when the connection is to be looked at, if that is sooner than
    /// was said before; what arrived meanwhile is added to `out` with the side that receives it.
    #[must_use]
    pub(super) fn write(
        &mut self,
        now: u64,
        from: Side,
        frame: Frame,
        wire: &mut impl Wire,
        out: &mut Vec<(Side, Frame)>,
    ) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.write(now, from, (frame.bytes(), frame), wire, out),
            Self::Loose(loose) => loose.write(now, from, frame, wire),
        }
    }

    /// Looks at the connection; the same goes for what it returns.
    #[must_use]
    pub(super) fn happen(&mut self, now: u64, wire: &mut impl Wire, out: &mut Vec<(Side, Frame)>) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.happen(now, wire, out),
            Self::Loose(loose) => loose.happen(now, wire, out),
        }
    }

    /// Bytes that `side` wrote and that are not known to have arrived.
    pub(super) fn unacknowledged(&self, side: Side) -> u64 {
        match self {
            Self::Tcp(tcp) => tcp.unacknowledged(side),
            Self::Loose(_) => 0,
        }
    }

    /// Since when `side` cannot write.
    pub(super) fn blocked_since(&self, side: Side) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.blocked_since(side),
            Self::Loose(_) => None,
        }
    }

    /// Gives back what was written and did not arrive, with who wrote it.
    pub(super) fn close(self) -> Vec<(Side, Frame)> {
        match self {
            Self::Tcp(tcp) => tcp.close().collect(),
            Self::Loose(loose) => loose.under_way.into_values().map(|(_, to, frame)| (to.other(), frame)).collect(),
        }
    }
}

/// Frames as datagrams. A message that is lost stays so; what servers say to each other besides is
/// repeated until it arrives, for without it there would be no connection.
#[derive(Debug)]
pub(super) struct Loose {
    datagram: Datagram,
    /// By when it arrives or is repeated, and number.
    under_way: BTreeMap<(u64, u64), (Fate, Side, Frame)>,
    written: u64,
    /// When it is next looked at, as far as was asked for.
    wake: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Arrives,
    IsRepeated,
}

/// How long a lost word of a server takes to be said again.
const REPEAT_NS: u64 = 200_000_000;

impl Loose {
    const fn new(datagram: Datagram) -> Self {
        Self { datagram, under_way: BTreeMap::new(), written: 0, wake: u64::MAX }
    }

    fn write(&mut self, now: u64, from: Side, frame: Frame, wire: &mut impl Wire) -> Option<u64> {
        self.send(now, from, frame, wire);
        self.next_wake()
    }

    fn send(&mut self, now: u64, from: Side, frame: Frame, wire: &mut impl Wire) {
        let Arrivals { first, again } = self.datagram.send(now, from, frame.bytes(), wire);
        let (at, fate, frame) = match (first, frame) {
            (Some(at), Frame::Message { parcel, tag, queues }) => {
                if let Some(again) = again {
                    let copy = Frame::Message { parcel: parcel.clone(), tag, queues: queues.clone() };
                    self.put(again, Fate::Arrives, from, copy);
                }
                (at, Fate::Arrives, Frame::Message { parcel, tag, queues })
            }
            (Some(at), frame) => (at, Fate::Arrives, frame),
            (None, Frame::Message { parcel, .. }) => {
                (now, Fate::Arrives, Frame::Dropped(Box::new(parcel.message.subject)))
            }
            // The next of them is as good.
            (None, Frame::Ping | Frame::Pong) => return,
            (None, frame) => (now.saturating_add(REPEAT_NS), Fate::IsRepeated, frame),
        };
        self.put(at, fate, from, frame);
    }

    fn put(&mut self, at: u64, fate: Fate, from: Side, frame: Frame) {
        self.written += 1;
        self.under_way.insert((at, self.written), (fate, from.other(), frame));
    }

    fn happen(&mut self, now: u64, wire: &mut impl Wire, out: &mut Vec<(Side, Frame)>) -> Option<u64> {
        if now >= self.wake {
            self.wake = u64::MAX;
        }
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let (fate, to, frame) = entry.remove();
            match fate {
                Fate::Arrives => out.push((to, frame)),
                Fate::IsRepeated => self.send(now, to.other(), frame, wire),
            }
        }
        self.next_wake()
    }

    fn next_wake(&mut self) -> Option<u64> {
        let (&(due, _), _) = self.under_way.first_key_value().filter(|((due, _), _)| *due < self.wake)?;
        self.wake = due;
        Some(due)
    }
}

/// The mesh between the stations of two ends.
pub(super) struct Air<'a> {
    pub(super) net: &'a mut Net,
    pub(super) opener: u32,
    pub(super) acceptor: u32,
}

impl Wire for Air<'_> {
    fn carry(&mut self, now: u64, from: Side, bytes: u32) -> Option<u64> {
        match from {
            Side::Opener => self.net.send(now, self.opener, self.acceptor, bytes),
            Side::Acceptor => self.net.send(now, self.acceptor, self.opener, bytes),
        }
    }
}
