//! What each kind of fault is told, as it is written down.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amounts::{BitRate, RateChange, Share, Shift};
use super::chosen::Chosen;
use crate::delay::Delay;
use crate::scenario::file::Names;

/// Who cannot reach whom: exactly one of `nodes`, `sides` and `random`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartitionEntry {
    /// These nodes against all others. In the flat world, whose server nobody shares a side with, they
    /// are cut off from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Chosen>,
    /// Nodes that can reach those of their own side only; who is on none reaches all. In the layered world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sides: Option<Vec<Names>>,
    /// Two sides that the seed draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) random: Option<Split>,
    /// What the first side says does not reach the others, but it hears them. In the layered world.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) one_way: bool,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// How two sides are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Split {
    /// Each node takes a side by itself: mostly two halves.
    Uniform,
    /// First the size of a side is drawn, each as likely, then who is on it.
    UniformSize,
    /// One node against all others.
    Isolate,
}

/// What goes down as if killed: `nodes`, `servers`, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrashEntry {
    /// The nodes whose process it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nodes: Option<Chosen>,
    /// The nodes whose NATS server it is. In the layered world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) servers: Option<Chosen>,
    /// Until they start again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Which nodes, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutageEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Which actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActorEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// The actor, on each of them.
    pub(crate) actor: String,
}

/// What is wrong with radio links: at least one of `down`, `loss`, `delay`, `rate` and `clog`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkEntry {
    /// The nodes at one end.
    pub(crate) from: Names,
    /// The nodes at the other: the links from any of these to any of those suffer.
    pub(crate) to: Names,
    /// Only what goes from the first to the second suffers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) one_way: bool,
    /// Nothing gets through.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) down: bool,
    /// This share of the packets is lost, beside those that are lost anyway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<Share>,
    /// Each packet takes so much longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<Period>,
    /// It carries no more than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<BitRate>,
    /// What goes in waits, and comes out when it is over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) clog: bool,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Whose messages suffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// Those that are sent to the nodes.
    To,
    /// Those that the nodes send.
    From,
    /// Either.
    #[default]
    Both,
}

impl Direction {
    fn is_both(&self) -> bool {
        *self == Self::Both
    }
}

/// Messages that come late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LateEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// How many of their messages come late.
    pub(crate) share: Share,
    /// By how much.
    pub(crate) delay: Delay,
    /// Whether those to them, those from them, or both.
    #[serde(default, skip_serializing_if = "Direction::is_both")]
    pub(crate) direction: Direction,
    /// Whether those that follow from the same sender wait behind a late one, as on a connection.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub(crate) in_order: bool,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Messages that come twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DuplicateEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// How many of their messages come twice.
    pub(crate) share: Share,
    /// How long after the first the second comes.
    #[serde(default = "soon")]
    pub(crate) delay: Delay,
    /// Whether those to them, those from them, or both.
    #[serde(default, skip_serializing_if = "Direction::is_both")]
    pub(crate) direction: Direction,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Messages that later ones overtake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReorderEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// How many of their messages are held back.
    pub(crate) share: Share,
    /// By at most how long, each time as likely.
    #[serde(default = "window")]
    pub(crate) window: Period,
    /// Whether those to them, those from them, or both.
    #[serde(default, skip_serializing_if = "Direction::is_both")]
    pub(crate) direction: Direction,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// Messages with a wrong bit in their payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorruptEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// How many of their messages suffer; those without a payload cannot.
    pub(crate) share: Share,
    /// Whether those to them, those from them, or both.
    #[serde(default, skip_serializing_if = "Direction::is_both")]
    pub(crate) direction: Direction,
    /// Until all is well again; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

/// A wall clock that jumps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockStepEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// How far ahead; back, if negative.
    pub(crate) by: Shift,
}

/// An oscillator that runs faster or slower, as by a change of temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockDriftEntry {
    /// The nodes.
    pub(crate) nodes: Chosen,
    /// By how much faster; slower, if negative.
    pub(crate) by: RateChange,
    /// Until it runs as before; without it, until the end of the run.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasting: Option<Period>,
}

const fn yes() -> bool {
    true
}

pub(crate) const fn window() -> Period {
    Period::from_millis(20)
}

const fn soon() -> Delay {
    Delay::Uniform(Period::from_millis(0), window())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}
