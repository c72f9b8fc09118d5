//! Datagrams: what is lost stays lost.

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Side, Wire};
use crate::draw::{between, mix};

/// How datagrams travel, besides what the links do to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatagramConfig {
    /// The largest packet in bytes, with its headers; what is larger travels in fragments, and is lost with
    /// any of them.
    pub mtu: u32,
    /// The share of datagrams that arrive twice, from 0 to 1.
    pub duplicate: f64,
    /// The share of datagrams that are held up, from 0 to 1, so that later ones overtake them.
    pub reorder: f64,
    /// For how long at most.
    pub reorder_by: Period,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self { mtu: 1_500, duplicate: 0.0, reorder: 0.0, reorder_by: Period::from_millis(20) }
    }
}

/// The way between two ends. It keeps nothing: the caller's event carries what was sent.
#[derive(Debug)]
pub(crate) struct Datagram {
    seed: u64,
    sent: u64,
    payload_max: u32,
    duplicate: u64,
    reorder: u64,
    reorder_by: u64,
}

/// When a datagram arrives: never, once, or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals {
    pub(crate) first: Option<u64>,
    pub(crate) again: Option<u64>,
}

/// The headers of IPv4 and UDP: of a datagram, and of a fragment.
const HEADERS: u32 = 28;
const FRAGMENT_HEADERS: u32 = 20;

/// The largest payload of a datagram (RFC 768, RFC 791).
pub(crate) const PAYLOAD_MAX: u32 = 65_507;

impl Datagram {
    /// `seed` is the connection's own.
    pub(crate) fn new(config: &DatagramConfig, seed: u64) -> Self {
        Self {
            seed,
            sent: 0,
            // A fragment carries multiples of 8 bytes.
            payload_max: config.mtu.saturating_sub(FRAGMENT_HEADERS).max(8) & !7,
            duplicate: threshold(config.duplicate),
            reorder: threshold(config.reorder),
            reorder_by: nanos(config.reorder_by.0),
        }
    }

    /// Sends so many bytes of payload. More than [`PAYLOAD_MAX`] never arrives.
    pub(crate) fn send(&mut self, now: u64, from: Side, bytes: u32, wire: &mut impl Wire) -> Arrivals {
        if bytes > PAYLOAD_MAX {
            return Arrivals::default();
        }
        let mut left = bytes + HEADERS - FRAGMENT_HEADERS;
        let mut first = Some(now);
        while left > 0 {
            let part = left.min(self.payload_max);
            left -= part;
            let arrives = wire.carry(now, from, part + FRAGMENT_HEADERS);
            first = first.zip(arrives).map(|(a, b)| a.max(b));
        }
        self.sent += 1;
        let bits = mix(self.seed ^ mix(self.sent));
        let held = if bits < self.reorder { between(mix(bits), 0, self.reorder_by) } else { 0 };
        let first = first.map(|at| at.saturating_add(held));
        let twice = mix(bits ^ self.seed) < self.duplicate;
        let again = first.filter(|_| twice).map(|at| at + between(mix(bits ^ 1), 0, self.reorder_by));
        Arrivals { first, again }
    }
}

/// Random bits lie below this as often as the share says.
fn threshold(share: f64) -> u64 {
    // Saturates: 1 is always, but for one draw of 2^64.
    (share.clamp(0.0, 1.0) * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries what the pattern says, over and over, in 10 ns, and notes the sizes.
    struct Pattern(&'static [bool], Vec<u32>);

    impl Wire for Pattern {
        fn carry(&mut self, now: u64, _: Side, bytes: u32) -> Option<u64> {
            self.1.push(bytes);
            self.0[(self.1.len() - 1) % self.0.len()].then_some(now + 10)
        }
    }

    fn arrivals(config: DatagramConfig, wire: &mut Pattern, count: u64, bytes: u32) -> Vec<Arrivals> {
        let mut datagram = Datagram::new(&config, 7);
        (0..count).map(|n| datagram.send(n, Side::Opener, bytes, wire)).collect()
    }

    #[test]
    fn what_the_wire_loses_is_lost() {
        let mut wire = Pattern(&[true, false], Vec::new());
        let got = arrivals(DatagramConfig::default(), &mut wire, 4, 100);
        assert_eq!(got.iter().map(|a| a.first).collect::<Vec<_>>(), [Some(10), None, Some(12), None]);
        assert!(got.iter().all(|a| a.again.is_none()));
        assert_eq!(wire.1, [128; 4]);
    }

    #[test]
    fn a_long_one_is_lost_with_any_of_its_fragments() {
        let mut wire = Pattern(&[true, true, true, true, true, false], Vec::new());
        let got = arrivals(DatagramConfig::default(), &mut wire, 2, 4_000);
        assert_eq!(got.iter().map(|a| a.first).collect::<Vec<_>>(), [Some(10), None]);
        assert_eq!(wire.1[..3], [1_500, 1_500, 1_068]);
        assert_eq!(arrivals(DatagramConfig::default(), &mut wire, 1, PAYLOAD_MAX + 1), [Arrivals::default()]);
    }

    #[test]
    fn shares_are_as_configured() {
        let config = DatagramConfig { duplicate: 0.25, reorder: 0.1, ..DatagramConfig::default() };
        let got = arrivals(config, &mut Pattern(&[true], Vec::new()), 10_000, 100);
        let twice = got.iter().filter(|a| a.again.is_some()).count();
        let held = got.iter().zip(0..).filter(|(a, n)| a.first > Some(n + 10)).count();
        assert!((2_300..2_700).contains(&twice) && (900..1_100).contains(&held), "{twice}, {held}");
        let always = DatagramConfig { duplicate: 1.0, ..DatagramConfig::default() };
        let got = arrivals(always, &mut Pattern(&[true], Vec::new()), 100, 100);
        assert!(got.iter().all(|a| a.again.is_some()));
    }
}
