//! How a connection begins.

use std::sync::Arc;

use super::{Kernel, NEVER, Side, Wire};

/// The three segments that open a connection, and their repetition (RFC 9293, 3.5; `tcp_retransmit_timer`).
#[derive(Debug)]
pub(crate) struct Handshake {
    kernel: Arc<Kernel>,
    begun: u64,
    /// By side: when it sends again, and how often it did.
    again: [u64; 2],
    tries: [u32; 2],
    /// What is under way: when it arrives, and who sent it.
    under_way: Vec<(u64, Side, Flag)>,
    /// Whether the opener has heard of the acceptor, and how long that took if that is unambiguous.
    heard: bool,
    round_trip: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Syn,
    Ack,
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something happens then: call again.
    Wait(u64),
    /// Both ends know of the connection. `round_trip` in nanoseconds, if it was measured.
    Established {
        /// For `Tcp::new`.
        round_trip: Option<u64>,
    },
    /// Nobody answered: the opener gives up.
    Failed,
}

/// `TCP_TIMEOUT_INIT`.
const FIRST: u64 = 1_000_000_000;
/// A segment that opens a connection, with its options.
const BYTES: u32 = 60;
/// One that does not.
const ACK_BYTES: u32 = 52;

impl Handshake {
    /// The opener calls.
    pub(crate) fn begin(kernel: &Arc<Kernel>, now: u64, wire: &mut impl Wire) -> (Self, Progress) {
        let mut handshake = Self {
            kernel: Arc::clone(kernel),
            begun: now,
            again: [now, NEVER],
            tries: [0; 2],
            under_way: Vec::new(),
            heard: false,
            round_trip: None,
        };
        let progress = handshake.happen(now, wire);
        (handshake, progress)
    }

    /// What is due at `now`.
    pub(crate) fn happen(&mut self, now: u64, wire: &mut impl Wire) -> Progress {
        loop {
            self.under_way.sort_by_key(|&(at, _, _)| at);
            let timer = self.again.into_iter().min().unwrap_or(NEVER);
            let arrival = self.under_way.first().map_or(NEVER, |&(at, _, _)| at);
            if timer.min(arrival) > now {
                return Progress::Wait(timer.min(arrival));
            }
            if arrival <= timer {
                let (at, from, flag) = self.under_way.remove(0);
                if self.arrive(at, from, flag, wire) {
                    return Progress::Established { round_trip: self.round_trip };
                }
            } else {
                let side = if self.again[0] == timer { Side::Opener } else { Side::Acceptor };
                if self.tries[side.index()] > self.kernel.syn_retries {
                    if side == Side::Opener {
                        return Progress::Failed;
                    }
                    self.again[1] = NEVER;
                    continue;
                }
                self.call(timer, side, wire);
            }
        }
    }

    /// Sends a SYN, or the one that answers it, and sets the timer to do so again: after 1, 2, 4 … s.
    fn call(&mut self, now: u64, side: Side, wire: &mut impl Wire) {
        let tries = &mut self.tries[side.index()];
        let linear = if side == Side::Opener { self.kernel.syn_linear_timeouts } else { 0 };
        let wait = FIRST << tries.saturating_sub(linear).min(20);
        *tries += 1;
        let micros = u32::try_from(wait / 1_000).unwrap_or(u32::MAX).min(self.kernel.max_rto);
        self.again[side.index()] = self.kernel.fires(now, micros);
        self.put(now, side, Flag::Syn, wire);
    }

    fn put(&mut self, now: u64, from: Side, flag: Flag, wire: &mut impl Wire) {
        let bytes = if flag == Flag::Syn { BYTES } else { ACK_BYTES };
        self.under_way.extend(wire.carry(now, from, bytes).map(|at| (at, from, flag)));
    }

    /// Returns whether the connection is established at both ends.
    fn arrive(&mut self, now: u64, from: Side, flag: Flag, wire: &mut impl Wire) -> bool {
        match (from, flag) {
            (Side::Opener, Flag::Syn) if self.tries[1] == 0 => self.call(now, Side::Acceptor, wire),
            // Called again: the answer was lost.
            (Side::Opener, Flag::Syn) => self.put(now, Side::Acceptor, Flag::Syn, wire),
            (Side::Opener, Flag::Ack) => return true,
            (Side::Acceptor, Flag::Syn | Flag::Ack) => {
                if !self.heard && self.tries[0] == 1 {
                    self.round_trip = Some(now - self.begun);
                }
                self.heard = true;
                self.again[0] = NEVER;
                self.put(now, Side::Opener, Flag::Ack, wire);
            }
        }
        false
    }
}
