//! Comparing two sides on a machine that is never quiet: rounds in random order, medians of the
//! ratios within a round, and the bare side against itself as a control.

use std::fmt;

use nunect_core::random::{ChaCha8Rng, Rng, SeedableRng};

use crate::Failure;
use crate::work::Side;

/// Figures of the same thing.
#[derive(Clone, Debug)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// The figures in order of size.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new(mut figures: Vec<f64>) -> Self {
        assert!(!figures.is_empty(), "a sample of nothing");
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    /// The figure that `share` of all are below, for a share from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (share * (self.0.len() - 1) as f64).round() as usize;
        self.0[index.min(self.0.len() - 1)]
    }

    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle half, and the whole range.
    #[must_use]
    pub fn spread(&self) -> String {
        let [low, first, third, high] = [0.0, 0.25, 0.75, 1.0].map(|share| self.quantile(share));
        format!("{first:.2}–{third:.2} ({low:.2}–{high:.2})")
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.median())
    }
}

/// The outcome of all rounds.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Node over bare, one for each round.
    pub ratio: Sample,
    /// Bare over bare, one for each round.
    pub control: Sample,
    /// What the node took.
    pub node: Sample,
    /// What the bare side took.
    pub bare: Sample,
}

/// Runs `rounds` rounds: in each the node once and the bare side twice, in random order.
///
/// # Errors
/// When a run fails.
pub fn compare(rounds: usize, mut run: impl FnMut(Side) -> Result<f64, Failure>) -> Result<Comparison, Failure> {
    // Any order will do that no drift of the machine follows, and the same one each time.
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut ratio, mut control, mut nodes, mut bares) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut order = [0_usize, 1, 2];
        for place in [2_u32, 1] {
            order.swap(place as usize, (random.next_u32() % (place + 1)) as usize);
        }
        let mut took = [0.0; 3];
        for who in order {
            took[who] = run(if who == 0 { Side::Node } else { Side::Bare })?;
        }
        let [node, bare, again] = took;
        ratio.push(node / bare);
        control.push(again / bare);
        nodes.push(node);
        bares.push(bare);
    }
    let [ratio, control, node, bare] = [ratio, control, nodes, bares].map(Sample::new);
    Ok(Comparison { ratio, control, node, bare })
}
