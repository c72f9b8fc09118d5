//! How long messages take, in bounded memory.

use std::time::Duration;

use nunect_core::table::Table;
use nunect_core::time::nanos;
use serde::{Serialize, Serializer};

/// Steps into which each doubling of a latency is divided: what is told is too long by 3 % at most.
const STEPS: usize = 32;
/// Latencies are kept in units of 2^10 ns, about a microsecond, up to 2^32 of them, more than an hour.
const UNIT_BITS: u32 = 10;
const UNITS_MAX: u64 = (1 << 32) - 1;
/// Linear below `2 * STEPS` units, and `STEPS` for each doubling above.
const PLACES: usize = 28 * STEPS;

/// The parts of a run whose latencies are told apart; each is twice as long when there are more.
pub const SLICES_MAX: usize = 120;
/// How long a part is at first.
const SLICE_FIRST: Duration = Duration::from_secs(1);
/// Families that are told apart; what comes after them is [`OTHERS`].
pub const FAMILIES_MAX: usize = 32;
/// The family of what belongs to none that is told apart.
pub const OTHERS: &str = "others";

/// How often each latency was seen, log-linear.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Box<[u32]>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; PLACES].into(), count: 0, max: 0 }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency_ns: u64) {
        if let Some(count) = self.counts.get_mut(place(latency_ns)) {
            *count = count.saturating_add(1);
        }
        self.count += 1;
        self.max = self.max.max(latency_ns);
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn max(&self) -> u64 {
        self.max
    }

    /// The latency in nanoseconds that so many of a thousand do not exceed; rounded up to a step.
    pub(crate) fn quantile(&self, per_mille: u64) -> u64 {
        let wanted = self.count.saturating_mul(per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (place, &count) in self.counts.iter().enumerate() {
            seen += u64::from(count);
            if seen >= wanted {
                return top(place).min(self.max);
            }
        }
        self.max
    }

    fn summary(&self) -> Quantiles {
        let quantile = |per_mille| Duration::from_nanos(self.quantile(per_mille));
        Quantiles {
            count: self.count,
            p50: quantile(500),
            p95: quantile(950),
            p99: quantile(990),
            max: Duration::from_nanos(self.max),
        }
    }
}

/// Where a latency is counted.
fn place(latency_ns: u64) -> usize {
    let units = (latency_ns >> UNIT_BITS).min(UNITS_MAX);
    let shift = units.checked_ilog2().unwrap_or(0).saturating_sub(STEPS.ilog2());
    let within = usize::try_from(units >> shift).unwrap_or(0);
    usize::try_from(shift).unwrap_or(0) * STEPS + within
}

/// The longest latency that is counted there.
fn top(place: usize) -> u64 {
    let shift = (place / STEPS).saturating_sub(1);
    let within = u64::try_from(place - shift * STEPS).unwrap_or(u64::MAX);
    (((within + 1) << shift) << UNIT_BITS) - 1
}

/// How long messages of a family took from publisher to receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half took no longer, in seconds.
    #[serde(serialize_with = "seconds")]
    pub p50: Duration,
    /// 95 % took no longer.
    #[serde(serialize_with = "seconds")]
    pub p95: Duration,
    /// 99 % took no longer.
    #[serde(serialize_with = "seconds")]
    pub p99: Duration,
    /// None took longer.
    #[serde(serialize_with = "seconds")]
    pub max: Duration,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// A family of messages, and how long they took over the whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyLatency {
    /// Which: `heartbeat`, `voice`, `answer`.
    pub family: String,
    /// How long they took.
    #[serde(flatten)]
    pub quantiles: Quantiles,
}

/// How long messages of each family take, over the course of a run.
#[derive(Debug)]
pub struct Latencies {
    families: Table<String, Vec<Option<Histogram>>>,
    slice: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { families: Table::default(), slice: nanos(SLICE_FIRST) }
    }
}

impl Latencies {
    /// Takes a message that arrived at `at`.
    pub(crate) fn record(&mut self, at: u64, family: &str, latency_ns: u64) {
        while usize::try_from(at / self.slice).unwrap_or(usize::MAX) >= SLICES_MAX {
            self.coarsen();
        }
        let slice = usize::try_from(at / self.slice).unwrap_or(0);
        let known = self.families.contains_key(family);
        let family = if known || self.families.len() < FAMILIES_MAX { family } else { OTHERS };
        if !self.families.contains_key(family) {
            self.families.insert(family.to_owned(), Vec::new());
        }
        let Some(slices) = self.families.get_mut(family) else { return };
        if slices.len() <= slice {
            slices.resize_with(slice + 1, || None);
        }
        if let Some(histogram) = slices.get_mut(slice) {
            histogram.get_or_insert_default().record(latency_ns);
        }
    }

    /// Makes each slice twice as long.
    fn coarsen(&mut self) {
        self.slice = self.slice.saturating_mul(2);
        for slices in self.families.values_mut() {
            let pairs = slices.chunks(2).map(|pair| {
                let mut both = pair.iter().flatten();
                let mut first = both.next()?.clone();
                both.for_each(|second| first.merge(second));
                Some(first)
            });
            *slices = pairs.collect();
        }
    }

    /// Every family, in the order of their names.
    #[must_use]
    pub fn families(&self) -> Vec<FamilyLatency> {
        let mut families: Vec<_> = self.families.iter().map(|(family, slices)| (family, whole(slices))).collect();
        families.sort_by_key(|(family, _)| *family);
        let summary = |(family, whole): (&String, Histogram)| FamilyLatency {
            family: family.clone(),
            quantiles: whole.summary(),
        };
        families.into_iter().map(summary).collect()
    }

    /// One family over the course of the run: for each part in which anything of it arrived, when the
    /// part began and how long the messages took.
    pub fn over_time(&self, family: &str) -> impl Iterator<Item = (Duration, Quantiles)> {
        let slices = self.families.get(family).map_or(&[][..], Vec::as_slice);
        (0..).zip(slices).filter_map(|(number, slice): (u64, _)| {
            let began = Duration::from_nanos(self.slice.saturating_mul(number));
            Some((began, slice.as_ref()?.summary()))
        })
    }

    /// How long each part of [`over_time`](Self::over_time) is.
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_nanos(self.slice)
    }
}

fn whole(slices: &[Option<Histogram>]) -> Histogram {
    let mut whole = Histogram::default();
    slices.iter().flatten().for_each(|slice| whole.merge(slice));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    #[test]
    fn what_is_told_is_never_too_short_and_at_most_a_step_too_long() {
        for latency in (0..52).flat_map(|bits| [1_u64 << bits, (1 << bits) + (1 << bits) / 3]) {
            let latency = latency.min(UNITS_MAX << UNIT_BITS);
            let told = top(place(latency));
            assert!(told >= latency, "{latency} → {told}");
            assert!(told - latency <= (latency >> 5) + (1 << UNIT_BITS), "{latency} → {told}");
            assert!(place(latency) < PLACES);
        }
        assert!(place(u64::MAX) < PLACES);
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|millis| histogram.record(millis * MILLI));
        let near = |per_mille: u64| {
            let told = histogram.quantile(per_mille);
            let true_one = per_mille * MILLI;
            (true_one..=true_one + true_one / 30).contains(&told)
        };
        assert!(near(500) && near(950) && near(990), "{:?}", histogram.summary());
        assert_eq!((histogram.max(), histogram.quantile(1_000)), (1_000 * MILLI, 1_000 * MILLI));
        assert_eq!(Histogram::default().quantile(500), 0);
    }

    #[test]
    fn families_are_told_apart_and_so_are_the_parts_of_a_run() {
        let mut latencies = Latencies::default();
        for second in 0..10 {
            latencies.record(second * 1_000 * MILLI, "voice", (second + 1) * MILLI);
            latencies.record(second * 1_000 * MILLI, "echo", MILLI);
        }
        let families: Vec<_> = latencies.families().into_iter().map(|f| (f.family, f.quantiles.count)).collect();
        assert_eq!(families, [("echo".to_owned(), 10), ("voice".to_owned(), 10)]);
        let maxima: Vec<_> = latencies.over_time("voice").map(|(at, q)| (at.as_secs(), q.max.as_millis())).collect();
        assert_eq!(maxima, (0..10).map(|second| (second, u128::from(second) + 1)).collect::<Vec<_>>());
        assert_eq!(latencies.over_time("nothing").count(), 0);
    }

    #[test]
    fn a_long_run_has_longer_parts_and_not_more_of_them() {
        let mut latencies = Latencies::default();
        (0..100_000).for_each(|second| latencies.record(second * 1_000 * MILLI, "voice", MILLI));
        assert!(latencies.over_time("voice").count() <= SLICES_MAX);
        assert_eq!(latencies.families()[0].quantiles.count, 100_000);
        assert_eq!(latencies.over_time("voice").map(|(_, part)| part.count).sum::<u64>(), 100_000);
        assert!(latencies.slice() >= Duration::from_secs(100_000 / SLICES_MAX as u64));
    }

    #[test]
    fn what_belongs_to_too_many_families_is_counted_together() {
        let mut latencies = Latencies::default();
        (0..100).for_each(|n| latencies.record(0, &format!("family{n}"), MILLI));
        let families = latencies.families();
        assert_eq!(families.len(), FAMILIES_MAX + 1);
        let others = families.iter().find(|family| family.family == OTHERS).expect("others");
        assert_eq!(others.quantiles.count, 100 - FAMILIES_MAX as u64);
    }
}
