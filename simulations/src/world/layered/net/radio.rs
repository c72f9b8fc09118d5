//! From distance to the loss of packets.
//!
//! - Path loss: PL(d) = PL(1 m) + 10 · n · log10(d) + X, X normal with standard deviation σ: the
//!   log-distance model with log-normal shadowing (Rappaport, "Wireless Communications", 2nd ed.,
//!   section 4.9). Below 1 m it is that of 1 m. X is the same in both directions and within ±3 σ.
//! - X over the way that both ends moved: independent draws every `decorrelation` metres, between
//!   which it runs such that its variance stays the same. Gudmundson's exponential correlation
//!   (Electronics Letters 27, 1991) would need a state for each pair; this is a function of the way.
//! - SNR in dB = power + both antennas' gains − PL − noise floor.
//! - Bit errors of Gray-coded M-QAM, k = log2 M bits a symbol, one symbol per hertz and second:
//!   BER = 4/k · (1 − 1/√M) · Q(√(3k/(M−1) · Eb/N0)), Eb/N0 = SNR / k (Proakis, "Digital
//!   Communications", section on QAM in white noise, neighbours only). QPSK, k = 2, is then
//!   exactly ½ erfc √(Eb/N0), and so is BPSK with k = 1.
//! - Packet of n bytes: PER = 1 − (1 − BER)^(8n); `coding_gain` is added to the SNR.

use super::plan::{Modulation, RadioPlan};
use super::random::normal;
use crate::draw::{link, mix};

/// The length of the probes that routing protocols judge links by, in bytes.
pub(super) const PROBE_BYTES: u32 = 134;

/// Shadowing beyond so many standard deviations (one in 370) is cut off there, so that there is a
/// distance beyond which nobody is heard.
const SHADOW_MAX: f64 = 3.0;

/// A link that lets fewer probes through does not exist.
pub(super) const HEARD_MIN: f64 = 1e-3;

/// The path loss in dB over `metres`, without shadowing.
pub(super) fn path_loss(radio: &RadioPlan, metres: f64) -> f64 {
    radio.reference + 10.0 * radio.exponent * libm::log10(metres.max(1.0))
}

/// The shadowing in dB between two stations, by their keys, after they moved so many metres in all.
pub(super) fn shadow(radio: &RadioPlan, seed: u64, a: u64, b: u64, moved: f64) -> f64 {
    if radio.shadowing <= 0.0 {
        return 0.0;
    }
    let pair = mix(seed ^ link(a.min(b), a.max(b)));
    let place = moved / radio.decorrelation;
    let before = place.floor();
    let rest = place - before;
    let number = before as u64;
    let first = normal(mix(pair ^ number));
    let drawn = if rest == 0.0 {
        first
    } else {
        let weight = (1.0 - rest) * (1.0 - rest) + rest * rest;
        ((1.0 - rest) * first + rest * normal(mix(pair ^ (number + 1)))) / weight.sqrt()
    };
    radio.shadowing * drawn.clamp(-SHADOW_MAX, SHADOW_MAX)
}

/// The share of bits that arrive wrong at this ratio of signal to noise in dB.
pub(super) fn bit_errors(radio: &RadioPlan, snr: f64) -> f64 {
    let ratio = libm::exp10((snr + radio.coding_gain) / 10.0);
    let bits = match radio.modulation {
        Modulation::Bpsk => return 0.5 * libm::erfc(ratio.sqrt()),
        Modulation::Qpsk => 2.0,
        Modulation::Qam16 => 4.0,
        Modulation::Qam64 => 6.0,
    };
    let points: f64 = libm::exp2(bits);
    // Q(x) = ½ erfc(x / √2); a bit has 1/k of the energy of a symbol.
    let q = 0.5 * libm::erfc((1.5 / (points - 1.0) * ratio).sqrt());
    4.0 / bits * (1.0 - 1.0 / points.sqrt()) * q
}

/// The logarithm of the probability that a byte arrives whole.
pub(super) fn whole_byte(radio: &RadioPlan, snr: f64) -> f64 {
    8.0 * libm::log1p(-bit_errors(radio, snr))
}

/// The share of probes that arrive whole, from the logarithm of that of a byte.
pub(super) fn delivery(whole_byte: f64) -> f64 {
    libm::exp(whole_byte * f64::from(PROBE_BYTES))
}

/// The ratio of signal to noise in dB below which nobody is heard.
pub(super) fn faintest(radio: &RadioPlan) -> f64 {
    let (mut deaf, mut heard) = (-100.0, 100.0);
    for _ in 0..60 {
        let middle = f64::midpoint(deaf, heard);
        let passes = delivery(whole_byte(radio, middle)) >= HEARD_MIN;
        if passes { heard = middle } else { deaf = middle }
    }
    deaf
}

/// The distance in metres beyond which nobody is heard, for the strongest sender and antennas.
pub(super) fn range(radio: &RadioPlan, power: f64, gain: f64) -> f64 {
    let spare = power + 2.0 * gain - radio.noise - faintest(radio) - radio.reference + SHADOW_MAX * radio.shadowing;
    libm::exp10(spare / (10.0 * radio.exponent)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> RadioPlan {
        RadioPlan {
            power: 20.0,
            gain: 0.0,
            exponent: 2.8,
            reference: 40.0,
            shadowing: 4.0,
            decorrelation: 25.0,
            noise: -95.0,
            modulation: Modulation::Qpsk,
            coding_gain: 0.0,
        }
    }

    fn close(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-3, "{value} is not {expected}");
    }

    #[test]
    fn path_loss_grows_by_ten_times_the_exponent_with_each_decade() {
        close(path_loss(&plan(), 1.0), 40.0);
        close(path_loss(&plan(), 10.0), 68.0);
        close(path_loss(&plan(), 100.0), 96.0);
        close(path_loss(&plan(), 0.1), 40.0);
        close(path_loss(&plan(), 200.0), 40.0 + 28.0 * 2.301_03);
    }

    /// ½ erfc √(10^0.96) is 9.7362e-6: the textbook's 10⁻⁵ at Eb/N0 = 9.6 dB.
    #[test]
    fn bit_errors_are_those_of_the_textbook() {
        let of = |modulation, snr| bit_errors(&RadioPlan { modulation, ..plan() }, snr);
        close(of(Modulation::Bpsk, 9.6), 9.736_2e-6);
        close(of(Modulation::Qpsk, 9.6 + 3.010_3), 9.736_2e-6);
        close(of(Modulation::Bpsk, 0.0), 0.078_650);
        // 16-QAM at Es/N0 = 10 dB: 3/4 · Q(√2) = 3/4 · 0.0786496; 64-QAM at 13.2222 dB: Q(1) · 7/12.
        close(of(Modulation::Qam16, 10.0), 0.75 * 0.078_65);
        close(of(Modulation::Qam64, 10.0 * 21.0_f64.log10()), 7.0 / 12.0 * 0.158_655);
    }

    #[test]
    fn a_packet_survives_when_all_its_bits_do() {
        let errors = bit_errors(&plan(), 10.0);
        close(delivery(whole_byte(&plan(), 10.0)), (1.0 - errors).powi(8 * 134));
    }

    #[test]
    fn shadowing_is_reciprocal_spread_as_asked_for_and_smooth() {
        let radio = plan();
        let draws: Vec<f64> = (0..20_000).map(|n| shadow(&radio, 1, mix(n), 7, 3.0 * n as f64)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let deviation = (draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0).sqrt();
        assert!(mean.abs() < 0.1 && (3.9..4.05).contains(&deviation), "{mean} {deviation}");
        assert!(draws.iter().all(|x| x.abs() <= 12.0));
        assert_eq!(shadow(&radio, 1, 3, 9, 30.0), shadow(&radio, 1, 9, 3, 30.0));
        assert!((shadow(&radio, 1, 3, 9, 30.0) - shadow(&radio, 1, 3, 9, 30.1)).abs() < 0.2);
        assert_ne!(shadow(&radio, 1, 3, 9, 0.0), shadow(&radio, 2, 3, 9, 0.0));
    }

    #[test]
    fn nobody_is_heard_beyond_the_range() {
        let radio = plan();
        let range = range(&radio, 20.0, 0.0);
        let best = |metres: f64| delivery(whole_byte(&radio, 20.0 + 12.0 + 95.0 - path_loss(&radio, metres)));
        assert!(best(range * 0.999) >= HEARD_MIN && best(range * 1.001) < HEARD_MIN, "{range}");
    }
}
