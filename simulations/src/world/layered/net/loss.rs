//! What befalls single attempts to send a packet.

use super::plan::LossPlan;
use super::random::{threshold, unit};

/// The state of what loses packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loss {
    None,
    /// Each by itself, when its bits lie below this.
    Share(u64),
    /// Gilbert's chain, with a step at each attempt: in the bad state all is lost, in the good none.
    ///
    /// Gilbert, "Capacity of a burst-noise channel", Bell System Technical Journal 39 (1960), with
    /// k = 1 and h = 0. Let r leave the bad state and p enter it: bursts last 1/r, the bad share is
    /// p / (p + r). It begins in its stationary distribution.
    Bursts {
        bad: Option<bool>,
        enter: u64,
        leave: u64,
        share: u64,
    },
    /// The same chain in continuous time: P(bad after t | bad) = s + (1 − s) · exp(−rate · t) with s
    /// the bad share and `rate`, per nanosecond, the sum of both transition rates.
    Fades {
        bad: Option<bool>,
        since: u64,
        share: f64,
        rate: f64,
    },
    /// The logarithm of the probability that a byte arrives whole.
    Noise {
        byte: f64,
    },
}

impl Loss {
    pub(super) fn new(plan: LossPlan) -> Self {
        match plan {
            LossPlan::Share(share) if share <= 0.0 => Self::None,
            LossPlan::Share(share) => Self::Share(threshold(share)),
            LossPlan::Bursts { loss, burst } => {
                let leave = 1.0 / burst;
                let enter = leave * loss / (1.0 - loss);
                Self::Bursts { bad: None, enter: threshold(enter), leave: threshold(leave), share: threshold(loss) }
            }
            LossPlan::Fades { loss, burst } => {
                let rate = 1.0 / (burst as f64 * (1.0 - loss));
                Self::Fades { bad: None, since: 0, share: loss, rate }
            }
        }
    }

    /// Whether an attempt at the instant `at` is lost, as these bits have it.
    pub(super) fn loses(&mut self, bits: u64, at: u64, bytes: u32) -> bool {
        match self {
            Self::None => false,
            Self::Share(threshold) => bits < *threshold,
            Self::Bursts { bad, enter, leave, share } => {
                let next = match *bad {
                    None => bits < *share,
                    Some(true) => bits >= *leave,
                    Some(false) => bits < *enter,
                };
                *bad = Some(next);
                next
            }
            Self::Fades { bad, since, share, rate } => {
                // Packets of other routes may have come from later: then it is as it was.
                let passed = at.saturating_sub(*since) as f64;
                let kept = libm::exp(-*rate * passed);
                let chance = match *bad {
                    None => *share,
                    Some(true) => *share + (1.0 - *share) * kept,
                    Some(false) => *share * (1.0 - kept),
                };
                let next = unit(bits) < chance;
                (*bad, *since) = (Some(next), at.max(*since));
                next
            }
            Self::Noise { byte } => {
                let whole = *byte * f64::from(bytes);
                // A good link is told without an exponential.
                whole < -1e-12 && unit(bits) < -libm::expm1(whole)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::draw::mix;

    /// The share of lost attempts, one a millisecond, and the mean length of a burst of them.
    fn observe(plan: LossPlan, attempts: u64) -> (f64, f64) {
        let mut loss = Loss::new(plan);
        let (mut lost, mut bursts, mut before) = (0_u64, 0_u64, false);
        for n in 0..attempts {
            let now = loss.loses(mix(n), n * 1_000_000, 100);
            lost += u64::from(now);
            bursts += u64::from(now && !before);
            before = now;
        }
        (lost as f64 / attempts as f64, lost as f64 / bursts as f64)
    }

    #[test]
    fn bursts_are_as_long_and_as_frequent_as_asked_for() {
        for (loss, burst) in [(0.05, 4.0), (0.3, 10.0), (0.01, 1.0)] {
            let (share, mean) = observe(LossPlan::Bursts { loss, burst }, 1_000_000);
            assert!((share / loss - 1.0).abs() < 0.05, "{share} for {loss}");
            assert!((mean / burst - 1.0).abs() < 0.05, "{mean} for {burst}");
        }
    }

    #[test]
    fn fades_last_as_long_as_asked_for_however_often_one_looks() {
        let (share, mean) = observe(LossPlan::Fades { loss: 0.1, burst: 10_000_000 }, 1_000_000);
        assert!((share - 0.1).abs() < 0.005, "{share}");
        // Looking every millisecond finds bursts of 1 / (1 - P(bad after 1 ms | bad)) looks.
        let expected = 1.0 / (0.9 * (1.0 - (-1.0_f64 / 9.0).exp()));
        assert!((mean / expected - 1.0).abs() < 0.05, "{mean} for {expected}");
    }

    #[test]
    fn a_chain_begins_in_its_stationary_distribution() {
        let plan = LossPlan::Bursts { loss: 0.2, burst: 50.0 };
        let lost = (0..10_000).filter(|&n| Loss::new(plan).loses(mix(n), 0, 1)).count();
        assert!((1_900..2_100).contains(&lost), "{lost}");
    }

    proptest! {
        #[test]
        fn the_loss_of_a_share_is_that_share(share in 0.0_f64..=1.0) {
            let (lost, _) = observe(LossPlan::Share(share), 20_000);
            prop_assert!((lost - share).abs() < 0.02, "{lost} for {share}");
        }

        #[test]
        fn longer_packets_are_lost_more_easily(error in 1e-6_f64..1e-2, bytes in 1_u32..2_000, bits: u64) {
            let mut loss = Loss::Noise { byte: libm::log1p(-error) * 8.0 };
            prop_assert!(!loss.loses(bits, 0, bytes) || loss.loses(bits, 0, bytes + 1));
        }
    }
}
