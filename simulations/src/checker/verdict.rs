//! What became of expectations.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What became of an expectation, or of a law that every run obeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Its name, or what it says.
    pub name: String,
    /// Where it stands in the scenario file, from 1; 0 for a law, which stands in none.
    pub line: usize,
    /// What it is about, in a word: the name of an event, `node` or `delivery`.
    pub about: String,
    /// Whether it need not be met in each run, but in one of many.
    pub sometimes: bool,
    /// Whether it was met.
    pub judgement: Judgement,
}

impl Verdict {
    /// Whether it is about a law that every run obeys, whatever its scenario expects.
    #[must_use]
    pub const fn is_built_in(&self) -> bool {
        self.line == 0
    }

    /// What failed, in words that are the same in every run in which the same fails.
    #[must_use]
    pub fn failure(&self) -> Option<FailureKey> {
        let told = if self.about.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, self.about) };
        self.judgement.is_broken().then_some(FailureKey(told))
    }
}

/// Whether an expectation was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Judgement {
    /// It was put to the test and met.
    Met {
        /// How often it was put to the test.
        tests: u64,
    },
    /// The run never put it to the test.
    Untried {
        /// Why not.
        why: String,
    },
    /// A `sometimes` that this run did not show. That is no failure of the run, but a weakness of the
    /// scenario when no run of it does.
    Unmet {
        /// What was not seen.
        why: String,
    },
    /// It was not met.
    Broken {
        /// When it was first clear, from the beginning of the run.
        at: Duration,
        /// What happened, or did not.
        why: String,
        /// How often.
        times: u64,
    },
}

impl Judgement {
    /// Whether it was broken.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Met { .. } | Self::Untried { .. } | Self::Unmet { .. } => false,
        }
    }

    /// Whether it is a `sometimes` that the run did not show.
    #[must_use]
    pub const fn is_unmet(&self) -> bool {
        match self {
            Self::Unmet { .. } => true,
            Self::Met { .. } | Self::Untried { .. } | Self::Broken { .. } => false,
        }
    }
}

/// What failed: equal in all runs of a scenario that fail alike. It holds no time, no seed and no node
/// but those that the scenario itself names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct FailureKey(pub String);

impl fmt::Display for FailureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
