//! What real runs found when they were last measured at length: `tools/fidelity` writes it down, and what every change
//! measures in short is looked at beside it.

use serde::{Deserialize, Serialize};

use crate::measured::{Cut, Decisions, Failover, How, Pings, Rtts};

/// `real_runs.json`.
#[derive(Deserialize)]
pub(crate) struct RealRuns {
    measured: Measured,
    pub(crate) links: Vec<Link>,
    pub(crate) cuts: Vec<Cuts>,
    pub(crate) failovers: Vec<Failovers>,
    pub(crate) offline: Vec<Vec<Unit>>,
}

/// When, and with what.
#[derive(Debug, Deserialize)]
struct Measured {
    date: String,
    kernel: String,
    nats_server: String,
    congestion_control: String,
}

/// Round trips of several connections over links that lose as much.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) loss: f64,
    /// Of all.
    pub(crate) pooled: Summary,
    /// Of those that were measured side by side.
    pub(crate) rounds: Vec<Summary>,
    /// Of each by itself.
    pub(crate) connections: Vec<Summary>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) messages: usize,
    pub(crate) lost: usize,
    pub(crate) above_60: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

/// A row of the table of cuts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cuts {
    pub(crate) pings: Pings,
    pub(crate) cut_s: u64,
    pub(crate) runs: Vec<CutRun>,
}

/// Times in seconds, as in [`Cut`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CutRun {
    pub(crate) detected_s: Option<f64>,
    pub(crate) lost: [usize; 2],
    pub(crate) first_after_heal_s: [Option<f64>; 2],
    pub(crate) latest_s: f64,
}

/// A row of the table of failovers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failovers {
    pub(crate) how: How,
    pub(crate) runs: Vec<FailoverRun>,
}

/// Times in seconds, as in [`Failover`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FailoverRun {
    pub(crate) detected_s: f64,
    pub(crate) after_s: f64,
}

/// What became of a unit: seconds, as in [`Decisions`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(crate) unit: String,
    pub(crate) last_heard_s: f64,
    pub(crate) offline_s: Option<f64>,
    pub(crate) back_s: Option<f64>,
}

/// Connections that are measured side by side, in the order in which they were pooled.
fn rounds(rtts: &Rtts, connections: usize) -> Vec<Summary> {
    rtts.runs
        .chunks(connections.max(1))
        .map(|runs| Summary::of(&Rtts { loss: rtts.loss, runs: runs.to_vec() }))
        .collect()
}

impl std::fmt::Display for RealRuns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Measured { date, kernel, nats_server, congestion_control } = &self.measured;
        write!(f, "real: {date}, Linux {kernel}, {congestion_control}, nats-server {nats_server}")
    }
}

impl RealRuns {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("real_runs.json")).expect("as tools/fidelity wrote it")
    }

    pub(crate) fn link(&self, loss: f64) -> &Link {
        self.links.iter().find(|link| link.loss.total_cmp(&loss).is_eq()).expect("a link that was measured")
    }

    pub(crate) fn cuts(&self, pings: Pings, cut_s: u64) -> &[CutRun] {
        let row = self.cuts.iter().find(|row| (row.pings, row.cut_s) == (pings, cut_s));
        &row.expect("a cut that was measured").runs
    }

    pub(crate) fn failovers(&self, how: How) -> &[FailoverRun] {
        &self.failovers.iter().find(|row| row.how == how).expect("a failover that was measured").runs
    }
}

impl Summary {
    pub(crate) fn of(rtts: &Rtts) -> Self {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| rtts.quantile(share));
        Self { messages: rtts.sent(), lost: rtts.lost(), above_60: rtts.share_above(60.0), p50, p95, p99 }
    }
}

impl Link {
    /// `side_by_side` connections make a round.
    pub(crate) fn of(rtts: &Rtts, side_by_side: usize) -> Self {
        Self {
            loss: rtts.loss,
            pooled: Summary::of(rtts),
            rounds: rounds(rtts, side_by_side),
            connections: rounds(rtts, 1),
        }
    }

    /// The standard error of a figure that so many connections give: those of one link differ by so much.
    pub(crate) fn error(&self, of: fn(&Summary) -> f64, connections: usize) -> f64 {
        let values: Vec<f64> = self.connections.iter().map(of).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (variance / connections as f64).sqrt()
    }
}

impl From<&Cut> for CutRun {
    fn from(cut: &Cut) -> Self {
        Self {
            detected_s: cut.detected.map(|at| at.as_secs_f64()),
            lost: cut.lost,
            first_after_heal_s: cut.first_after_heal.map(|at| at.map(|at| at.as_secs_f64())),
            latest_s: cut.latest.iter().max().map_or(0.0, |at| at.as_secs_f64()),
        }
    }
}

impl From<&Failover> for FailoverRun {
    fn from(failover: &Failover) -> Self {
        Self { detected_s: failover.detected.as_secs_f64(), after_s: failover.after.as_secs_f64() }
    }
}

/// Every unit of a run.
pub(crate) fn units(decisions: &Decisions) -> Vec<Unit> {
    let of = |list: &[(String, std::time::Duration)], id: &str| {
        list.iter().find(|(unit, _)| unit == id).map(|(_, at)| at.as_secs_f64())
    };
    let unit = |(id, last): &(String, std::time::Duration)| Unit {
        unit: id.clone(),
        last_heard_s: last.as_secs_f64(),
        offline_s: of(&decisions.offline, id),
        back_s: of(&decisions.online, id),
    };
    decisions.last_heard.iter().map(unit).collect()
}
