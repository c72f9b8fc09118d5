//! When a simulated figure is that of real runs.

/// Times are alike when no simulated one is farther than this from those of real runs, and neither is the median of all
/// from the median of all.
pub(crate) const CLOSE_S: f64 = 0.5;

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How far a value lies outside others.
fn outside(value: f64, others: &[f64]) -> f64 {
    let (low, high) = others.iter().fold((f64::MAX, f64::MIN), |(low, high), &other| (low.min(other), high.max(other)));
    (low - value).max(value - high).max(0.0)
}

/// Whether no simulated time is farther than [`CLOSE_S`] from those of real runs.
pub(crate) fn are_in_range(simulated: &[f64], real: &[f64]) -> bool {
    !simulated.is_empty() && simulated.iter().all(|&time| outside(time, real) <= CLOSE_S)
}

/// The same, and the medians are as close.
pub(crate) fn are_close(simulated: &[f64], real: &[f64]) -> bool {
    are_in_range(simulated, real) && (median(simulated) - median(real)).abs() <= CLOSE_S
}

/// Whether all lie between the lowest and the highest of the others, widened by a share of each.
pub(crate) fn are_within(simulated: &[f64], real: &[f64], share: f64) -> bool {
    let (low, high) = real.iter().fold((f64::MAX, f64::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    simulated.iter().all(|&value| (low * (1.0 - share)..=high * (1.0 + share)).contains(&value))
}
