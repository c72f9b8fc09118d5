//! Random bits as numbers of physics.

use crate::draw::mix;

/// 2^-53: a double has 53 bits of precision.
const GRAIN: f64 = 1.0 / (1_u64 << 53) as f64;

/// From 0 to below 1, each as likely.
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * GRAIN
}

/// From `low` to below `high`, each as likely.
pub(super) fn within(bits: u64, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(bits)
}

/// From the normal distribution of mean 0 and variance 1 (Box and Muller, 1958).
pub(super) fn normal(bits: u64) -> f64 {
    // 1 - unit is above 0, whose logarithm there is.
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(bits)));
    radius * libm::cos(std::f64::consts::TAU * unit(mix(bits)))
}

/// From the exponential distribution of mean 1.
pub(super) fn exponential(bits: u64) -> f64 {
    -libm::log(1.0 - unit(bits))
}

/// Below what 64 random bits lie with the probability `share`.
pub(super) fn threshold(share: f64) -> u64 {
    // The cast saturates: 100 % is every number but one of 2^64.
    (share * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl Fn(u64) -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..100_000).map(|n| draw(mix(n))).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        (mean, draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / draws.len() as f64)
    }

    #[test]
    fn draws_have_the_mean_and_the_variance_of_their_distribution() {
        for (name, (mean, variance), expected) in [
            ("uniform", moments(unit), (0.5, 1.0 / 12.0)),
            ("normal", moments(normal), (0.0, 1.0)),
            ("exponential", moments(exponential), (1.0, 1.0)),
        ] {
            assert!(
                (mean - expected.0).abs() < 0.015 && (variance - expected.1).abs() < 0.03,
                "{name} {mean} {variance}"
            );
        }
    }

    #[test]
    fn a_threshold_is_passed_as_often_as_it_says() {
        let below = |share| (0..100_000).filter(|&n| mix(n) < threshold(share)).count();
        assert_eq!((below(0.0), below(1.0)), (0, 100_000));
        assert!((24_500..25_500).contains(&below(0.25)));
    }
}
