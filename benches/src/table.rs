//! The table of figures, as docs/performance.md has it.

use std::fmt;

/// Where a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Reach {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// Nowhere: it is told for what it is.
    Told,
}

impl Reach {
    /// Whether `figure` is there.
    #[must_use]
    pub fn met(self, figure: f64) -> bool {
        match self {
            Self::Most(most) => figure <= most,
            Self::Least(least) => figure >= least,
            Self::Told => true,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Most(most) => write!(f, "≤ {most}"),
            Self::Least(least) => write!(f, "≥ {least}"),
            Self::Told => f.write_str("–"),
        }
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Where it should be.
    pub reach: Reach,
    /// Where it is.
    pub figure: f64,
    /// Its unit; a ratio has none.
    pub unit: &'static str,
    /// How far single runs lie from it, and what else belongs to it.
    pub spread: String,
    /// The bare side against itself.
    pub control: String,
    /// The command that measures it.
    pub command: &'static str,
}

impl Row {
    /// Whether the figure is where it should be.
    #[must_use]
    pub fn met(&self) -> bool {
        self.reach.met(self.figure)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, reach, figure, unit, spread, control, command } = self;
        let met = match reach {
            Reach::Told => "",
            Reach::Most(_) | Reach::Least(_) if self.met() => "",
            Reach::Most(_) | Reach::Least(_) => " **missed**",
        };
        // A figure that is small is told to the same number of places that count.
        let places = if figure.abs() < 0.1 { 4 } else { 2 };
        write!(f, "| {what} | {reach} | {figure:.places$}{unit}{met} | {spread} | {control} | `{command}` |")
    }
}

/// The heading of the table.
pub const HEADING: &str = "\
| figure | reach | median | middle half (range) | bare against bare | command |
|---|---|---|---|---|---|";
