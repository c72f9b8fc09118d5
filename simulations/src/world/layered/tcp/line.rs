//! What an end sends with.

use std::collections::VecDeque;

use super::receiver::Receiver;
use super::{Kernel, Packet, Side, Wire, stamp};

/// The way out of one end at one instant.
#[derive(Debug)]
pub(super) struct Line<'a, W> {
    pub(super) now: u64,
    pub(super) from: Side,
    pub(super) kernel: &'a Kernel,
    pub(super) wire: &'a mut W,
    /// What is under way on the connection, the next to arrive first.
    pub(super) packets: &'a mut VecDeque<Packet>,
    /// Data was lost.
    pub(super) lost: bool,
}

/// The headers of IPv4 and TCP with a timestamp.
const HEADERS: u32 = 52;

impl<W: Wire> Line<'_, W> {
    /// Sends a segment, and with it the acknowledgement of what has arrived.
    pub(super) fn put(&mut self, start: u64, bytes: u32, receiver: &mut Receiver) {
        let sack = receiver.tell(self.now, bytes > 0, self.kernel);
        let options = sack.as_ref().map_or(0, |sack| {
            let ranges = sack.ranges.len() + usize::from(sack.twice.is_some());
            4 + 8 * u32::try_from(ranges).unwrap_or(0)
        });
        let Some(at) = self.wire.carry(self.now, self.from, HEADERS + options + bytes) else {
            self.lost |= bytes > 0;
            return;
        };
        let packet = Packet {
            at: at.max(self.now),
            start,
            ack: receiver.nxt,
            sack,
            sent: stamp(self.now),
            echo: receiver.echo,
            bytes,
            to: self.from.other(),
        };
        let place = self.packets.iter().rposition(|other| other.at <= packet.at).map_or(0, |last| last + 1);
        if self.packets.len() == self.packets.capacity() {
            self.packets.reserve_exact(self.packets.len().max(1));
        }
        self.packets.insert(place, packet);
    }
}
