//! A mesh as a scenario writes it down.
//!
//! ```yaml
//! mesh:
//!   topology: ring
//!   link: { delay: 2ms, jitter: 1ms, rate: 2mbit, queue: 64KiB, loss: 1%, retries: 3 }
//!   links: [ { between: [n01, n02], delay: 10ms }, { from: n03, to: n04, loss: 30% } ]
//!   routes: { metric: etx, hop_limit: 8, convergence: 2s }
//! ```

mod resolve;
#[cfg(test)]
mod tests;
mod units;

use nunect_core::config::Size;
use nunect_core::{Period, UnitId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::plan::{Modulation, NetPlan};
use crate::scenario::file::Names;
pub(crate) use units::{Burst, Dbm, Decibels, Jitter, LossConfig, Percent, Rate};

/// The nodes that names mean, or at which of the names what is wrong and what may have been meant.
pub(crate) type Find<'a> = &'a dyn Fn(&Names) -> Result<Vec<u32>, (usize, String, String)>;

/// Hears of everything that cannot be: the key below `mesh`, the reason, and what to do about it.
pub(crate) type Report<'a> = &'a mut dyn FnMut(String, String, String);

/// The radio mesh between the nodes: who hears whom, what links do to packets, how nodes move and how
/// routes are found. Left empty, every node hears every other with 2 ms of delay and loses nothing.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Mesh")]
pub(crate) struct NetConfig {
    /// Who hears whom. Without it every node hears every other; with `radio`, as the radio has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topology: Option<Topology>,
    /// Every link.
    pub(crate) link: LinkConfig,
    /// Loss by distance, in place of `loss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) radio: Option<RadioConfig>,
    /// Single links: what is given here holds in place of `link`; those that the topology does not have are added.
    pub(crate) links: Vec<LinkEntry>,
    /// Single stations.
    pub(crate) stations: Vec<StationEntry>,
    /// Nodes whose place is not given are anywhere from (0, 0) to here, in metres; 1000 by 1000 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) area: Option<[f64; 2]>,
    /// From each node of a ring, line, grid or star to the next, in metres; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spacing: Option<f64>,
    /// How nodes move; without it they stay where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobility: Option<MobilityConfig>,
    /// How routes are found.
    pub(crate) routes: RoutesConfig,
}

/// Who hears whom.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Topology {
    /// Everybody everybody.
    All,
    /// Each the next, in the order of the nodes, and the last the first.
    Ring,
    /// Each the next, in the order of the nodes.
    Line,
    /// Each its neighbours left, right, above and below, in the order of the nodes.
    Grid {
        /// Nodes in a row.
        columns: u32,
    },
    /// All one, and it all.
    Star {
        /// The one.
        center: String,
    },
    /// Nodes anywhere in an area, who hear who is in range.
    Random {
        /// From (0, 0) to here, in metres.
        area: [f64; 2],
        /// In metres; without it the radio decides.
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<f64>,
    },
    /// As positions and the radio have it.
    Radio,
    /// Nobody but those of `links`.
    Explicit,
}

/// What links do to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Link")]
pub(crate) struct LinkConfig {
    /// From the end of sending to arrival; 2ms if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<Period>,
    /// What is added to the delay of each packet. Packets never overtake each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Jitter>,
    /// Distance over this speed is added to the delay, in metres per second: light has 299792458, sound
    /// in water 1500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) propagation_speed: Option<f64>,
    /// Bits per second, without limit if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<Rate>,
    /// Bytes that may wait, with what is left of the packet on the air; packets that find it full are
    /// dropped. 64KiB if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Size>,
    /// Attempts to send a packet that fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<LossConfig>,
    /// How often the link sends a lost packet again, as Wi-Fi does; 0 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retries: Option<u8>,
    /// From a lost attempt to the next, beside the time to send; 1ms if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Period>,
}

/// A single link: `between` two nodes in both directions, or `from` one `to` another.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SingleLink")]
pub(crate) struct LinkEntry {
    /// Both ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) between: Option<[String; 2]>,
    /// Who sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Who hears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<Period>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Jitter>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) propagation_speed: Option<f64>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<Rate>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Size>,
    /// As in `link`; neither range nor radio then matter to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<LossConfig>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retries: Option<u8>,
    /// As in `link`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Period>,
}

impl LinkEntry {
    const fn properties(&self) -> LinkConfig {
        let Self { delay, jitter, propagation_speed, rate, queue, loss, retries, backoff, .. } = *self;
        LinkConfig { delay, jitter, propagation_speed, rate, queue, loss, retries, backoff }
    }
}

/// Radios: path loss by distance with shadowing, and from the ratio of signal to noise the errors of
/// bits and packets. The defaults are a small 2.4 GHz radio in open terrain, good for about 200 m.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Radio")]
pub(crate) struct RadioConfig {
    /// Of the transmitter.
    pub(crate) power: Dbm,
    /// Of each antenna.
    pub(crate) gain: Decibels,
    /// Path loss grows by ten times this with each decade of distance: 2 in free space, 4 in a town.
    pub(crate) exponent: f64,
    /// Path loss at one metre: 40dB at 2.4 GHz, 31dB at 868 MHz.
    pub(crate) reference_loss: Decibels,
    /// Standard deviation of the shadowing, which is the same in both directions.
    pub(crate) shadowing: Decibels,
    /// Metres that two stations move until the shadowing between them is another.
    pub(crate) decorrelation: f64,
    /// Thermal noise and that of the receiver: -95dBm in 20 MHz with a noise figure of 6dB.
    pub(crate) noise: Dbm,
    /// How bits become symbols.
    pub(crate) modulation: ModulationConfig,
    /// By how much error correction betters the ratio of signal to noise.
    pub(crate) coding_gain: Decibels,
}

impl Default for RadioConfig {
    fn default() -> Self {
        Self {
            power: Dbm(20.0),
            gain: Decibels(0.0),
            exponent: 2.8,
            reference_loss: Decibels(40.0),
            shadowing: Decibels(4.0),
            decorrelation: 25.0,
            noise: Dbm(-95.0),
            modulation: ModulationConfig::Qpsk,
            coding_gain: Decibels(0.0),
        }
    }
}

/// How bits become symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Modulation")]
pub(crate) enum ModulationConfig {
    /// One bit a symbol.
    Bpsk,
    /// Two bits a symbol.
    Qpsk,
    /// Four bits a symbol.
    Qam16,
    /// Six bits a symbol.
    Qam64,
}

impl From<ModulationConfig> for Modulation {
    fn from(config: ModulationConfig) -> Self {
        match config {
            ModulationConfig::Bpsk => Self::Bpsk,
            ModulationConfig::Qpsk => Self::Qpsk,
            ModulationConfig::Qam16 => Self::Qam16,
            ModulationConfig::Qam64 => Self::Qam64,
        }
    }
}

fn names<S: Serializer>(names: &Names, serializer: S) -> Result<S::Ok, S::Error> {
    names.0.serialize(serializer)
}

fn maybe_names<S: Serializer>(names: &Option<Names>, serializer: S) -> Result<S::Ok, S::Error> {
    names.as_ref().map(|names| &names.0).serialize(serializer)
}

/// What is special about some stations.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Station")]
pub(crate) struct StationEntry {
    /// Which.
    #[serde(serialize_with = "names")]
    pub(crate) nodes: Names,
    /// Metres east and north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<[f64; 2]>,
    /// Of the transmitter, in place of that of `radio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) power: Option<Dbm>,
    /// Of the antenna, in place of that of `radio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gain: Option<Decibels>,
}

/// How nodes move.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Mobility")]
pub(crate) struct MobilityConfig {
    /// From one position to the next.
    pub(crate) step: Period,
    /// Nodes that move by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waypoint: Option<WaypointConfig>,
    /// Nodes that move together.
    pub(crate) groups: Vec<GroupConfig>,
}

impl Default for MobilityConfig {
    fn default() -> Self {
        Self { step: Period::from_secs(1), waypoint: None, groups: Vec::new() }
    }
}

/// From a random point to the next, with a pause at each, as if that had gone on for long.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Waypoint")]
pub(crate) struct WaypointConfig {
    /// Who; without it all whose place is not given and who are in no group. Not for groups.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_names")]
    pub(crate) nodes: Option<Names>,
    /// From (0, 0) to here, in metres; that of the mesh if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) area: Option<[f64; 2]>,
    /// From and to, in metres per second; each as likely.
    pub(crate) speed: [f64; 2],
    /// At each point.
    pub(crate) pause: Period,
}

impl Default for WaypointConfig {
    fn default() -> Self {
        Self { nodes: None, area: None, speed: [1.0, 3.0], pause: Period::from_secs(0) }
    }
}

/// Nodes that move together: around a centre that moves by `waypoint` or along a `route`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MobileGroup")]
pub(crate) struct GroupConfig {
    /// Who.
    #[serde(serialize_with = "names")]
    pub(crate) nodes: Names,
    /// No node is farther from the centre, in metres.
    pub(crate) radius: f64,
    /// From one place within the group to the next; 0s keeps the first. 1m if not given.
    #[serde(default = "minute")]
    pub(crate) wander: Period,
    /// The centre goes from a random point to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waypoint: Option<WaypointConfig>,
    /// The centre goes from point to point and stays at the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<WayConfig>,
}

const fn minute() -> Period {
    Period::from_secs(60)
}

/// A way that is given.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Way")]
pub(crate) struct WayConfig {
    /// In metres east and north.
    pub(crate) points: Vec<[f64; 2]>,
    /// In metres per second.
    pub(crate) speed: f64,
}

/// How routes are found: as a routing protocol would once it has settled.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Routes")]
pub(crate) struct RoutesConfig {
    /// What a route costs.
    pub(crate) metric: MetricConfig,
    /// Packets of longer routes are lost.
    pub(crate) hop_limit: u32,
    /// How long a change must last until routes follow it; until then packets die where a route is broken.
    pub(crate) convergence: Period,
    /// The share of short packets that must get through at the first attempt for a link to be used.
    pub(crate) usable: Percent,
    /// By which share the cost of a link must change to matter.
    pub(crate) hysteresis: Percent,
}

impl Default for RoutesConfig {
    fn default() -> Self {
        Self {
            metric: MetricConfig::Hops,
            hop_limit: 16,
            convergence: Period::from_secs(2),
            usable: Percent(10.0),
            hysteresis: Percent(20.0),
        }
    }
}

/// What a route costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Metric")]
pub(crate) enum MetricConfig {
    /// As few links as possible. A link counts in each direction in which it is heard.
    Hops,
    /// As few transmissions as possible: the expected transmission count 1/(df·dr). A link counts if it
    /// is heard in both directions.
    Etx,
}

impl NetConfig {
    /// Resolves all names and checks everything. What cannot be goes to `report`; the plan is then of
    /// no use, but one.
    pub(crate) fn plan(&self, units: &[UnitId], find: Find<'_>, report: Report<'_>) -> NetPlan {
        resolve::resolve(self, units, find, report)
    }
}
