//! What befalls nodes, as it is written down.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use amounts::{BitRate, RateChange, Share, Shift, WHOLE};
pub(crate) use chosen::{Amount, Chosen};
pub(crate) use kinds::{
    ActorEntry, ClockDriftEntry, ClockStepEntry, CorruptEntry, CrashEntry, Direction, DuplicateEntry, LateEntry,
    LinkEntry, OutageEntry, PartitionEntry, ReorderEntry, Split, window,
};
pub(crate) use swarm::{LivenessEntry, SwarmEntry};

mod amounts;
mod chosen;
mod kinds;
mod swarm;

/// Something that befalls nodes, once or again and again: exactly one of `at`, `every` and `mean`, and
/// exactly one kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FaultEntry {
    /// When, from the beginning of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Period>,
    /// Again and again, so long after the last time was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<Period>,
    /// Again and again, after times that the seed draws from an exponential distribution with this mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mean: Option<Period>,
    /// With `every`: each time comes later than it is due by a time drawn up to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jitter: Option<Period>,
    /// With `every` and `mean`: nothing befalls the nodes before. Without it, the first time is one `every` or
    /// `mean` after the nodes have started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<Period>,
    /// With `every` and `mean`: nothing befalls the nodes from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Period>,
    /// A name, so that expectations can refer to it: to each time that it strikes. Faults of one kind may share
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Nodes cannot reach each other: what one sends to another is lost, or late once TCP sends it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<PartitionEntry>,
    /// Nodes go down as if their processes, or those of their NATS servers, were killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crash: Option<CrashEntry>,
    /// Nodes stop as an operator stops them: their actors say goodbye.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<OutageEntry>,
    /// The processes of nodes stand still, as after SIGSTOP: messages and deadlines wait, their clocks go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pause: Option<OutageEntry>,
    /// An actor of nodes panics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) panic: Option<ActorEntry>,
    /// An actor of nodes does not come back from what it is doing: after 2 s its process ends and starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hang: Option<ActorEntry>,
    /// An actor of nodes stops by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_actor: Option<ActorEntry>,
    /// A radio link suffers. In the layered world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<LinkEntry>,
    /// Messages come late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late: Option<LateEntry>,
    /// Messages come twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duplicate: Option<DuplicateEntry>,
    /// Messages are overtaken by later ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reorder: Option<ReorderEntry>,
    /// Messages have a wrong bit in their payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corrupt: Option<CorruptEntry>,
    /// The wall clock of nodes jumps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock_step: Option<ClockStepEntry>,
    /// The clocks of nodes run faster or slower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock_drift: Option<ClockDriftEntry>,
    /// Nodes have no GPS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gps_loss: Option<OutageEntry>,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindName {
    /// Nodes cannot reach each other: what one sends to another is lost, or late once TCP sends it again.
    Partition,
    /// Nodes go down as if their processes, or those of their NATS servers, were killed.
    Crash,
    /// Nodes stop as an operator stops them: their actors say goodbye.
    Stop,
    /// The processes of nodes stand still, as after SIGSTOP: messages and deadlines wait, their clocks go on.
    Pause,
    /// An actor of nodes panics.
    Panic,
    /// An actor of nodes does not come back from what it is doing: after 2 s its process ends and starts anew.
    Hang,
    /// An actor of nodes stops by itself.
    StopActor,
    /// A radio link suffers. In the layered world.
    Link,
    /// Messages come late.
    Late,
    /// Messages come twice.
    Duplicate,
    /// Messages are overtaken by later ones.
    Reorder,
    /// Messages have a wrong bit in their payload.
    Corrupt,
    /// The wall clock of nodes jumps.
    ClockStep,
    /// The clocks of nodes run faster or slower.
    ClockDrift,
    /// Nodes have no GPS.
    GpsLoss,
}

/// What one fault does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mishap {
    Partition(PartitionEntry),
    Crash(CrashEntry),
    Stop(OutageEntry),
    Pause(OutageEntry),
    Panic(ActorEntry),
    Hang(ActorEntry),
    StopActor(ActorEntry),
    Link(LinkEntry),
    Late(LateEntry),
    Duplicate(DuplicateEntry),
    Reorder(ReorderEntry),
    Corrupt(CorruptEntry),
    ClockStep(ClockStepEntry),
    ClockDrift(ClockDriftEntry),
    GpsLoss(OutageEntry),
}

impl KindName {
    /// All kinds, in the order of the file.
    pub(crate) const ALL: [Self; 15] = [
        Self::Partition,
        Self::Crash,
        Self::Stop,
        Self::Pause,
        Self::Panic,
        Self::Hang,
        Self::StopActor,
        Self::Link,
        Self::Late,
        Self::Duplicate,
        Self::Reorder,
        Self::Corrupt,
        Self::ClockStep,
        Self::ClockDrift,
        Self::GpsLoss,
    ];

    /// Its key in the file.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Crash => "crash",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::StopActor => "stop_actor",
            Self::Link => "link",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Corrupt => "corrupt",
            Self::ClockStep => "clock_step",
            Self::ClockDrift => "clock_drift",
            Self::GpsLoss => "gps_loss",
        }
    }
}

impl FaultEntry {
    /// All that it does; legal with exactly one.
    pub(crate) fn mishaps(&self) -> Vec<Mishap> {
        let all = [
            self.partition.clone().map(Mishap::Partition),
            self.crash.clone().map(Mishap::Crash),
            self.stop.clone().map(Mishap::Stop),
            self.pause.clone().map(Mishap::Pause),
            self.panic.clone().map(Mishap::Panic),
            self.hang.clone().map(Mishap::Hang),
            self.stop_actor.clone().map(Mishap::StopActor),
            self.link.clone().map(Mishap::Link),
            self.late.clone().map(Mishap::Late),
            self.duplicate.clone().map(Mishap::Duplicate),
            self.reorder.clone().map(Mishap::Reorder),
            self.corrupt.clone().map(Mishap::Corrupt),
            self.clock_step.clone().map(Mishap::ClockStep),
            self.clock_drift.clone().map(Mishap::ClockDrift),
            self.gps_loss.clone().map(Mishap::GpsLoss),
        ];
        all.into_iter().flatten().collect()
    }

    /// What strikes once, at a known time.
    pub(crate) fn once(at: Period, name: Option<String>, mishap: Mishap) -> Self {
        let mut entry = Self { at: Some(at), name, ..Self::default() };
        match mishap {
            Mishap::Partition(told) => entry.partition = Some(told),
            Mishap::Crash(told) => entry.crash = Some(told),
            Mishap::Stop(told) => entry.stop = Some(told),
            Mishap::Pause(told) => entry.pause = Some(told),
            Mishap::Panic(told) => entry.panic = Some(told),
            Mishap::Hang(told) => entry.hang = Some(told),
            Mishap::StopActor(told) => entry.stop_actor = Some(told),
            Mishap::Link(told) => entry.link = Some(told),
            Mishap::Late(told) => entry.late = Some(told),
            Mishap::Duplicate(told) => entry.duplicate = Some(told),
            Mishap::Reorder(told) => entry.reorder = Some(told),
            Mishap::Corrupt(told) => entry.corrupt = Some(told),
            Mishap::ClockStep(told) => entry.clock_step = Some(told),
            Mishap::ClockDrift(told) => entry.clock_drift = Some(told),
            Mishap::GpsLoss(told) => entry.gps_loss = Some(told),
        }
        entry
    }
}

impl Mishap {
    pub(crate) const fn kind(&self) -> KindName {
        match self {
            Self::Partition(_) => KindName::Partition,
            Self::Crash(_) => KindName::Crash,
            Self::Stop(_) => KindName::Stop,
            Self::Pause(_) => KindName::Pause,
            Self::Panic(_) => KindName::Panic,
            Self::Hang(_) => KindName::Hang,
            Self::StopActor(_) => KindName::StopActor,
            Self::Link(_) => KindName::Link,
            Self::Late(_) => KindName::Late,
            Self::Duplicate(_) => KindName::Duplicate,
            Self::Reorder(_) => KindName::Reorder,
            Self::Corrupt(_) => KindName::Corrupt,
            Self::ClockStep(_) => KindName::ClockStep,
            Self::ClockDrift(_) => KindName::ClockDrift,
            Self::GpsLoss(_) => KindName::GpsLoss,
        }
    }

    /// The nodes that it befalls, where it names them so.
    pub(crate) const fn nodes(&self) -> Option<&Chosen> {
        match self {
            Self::Partition(told) => told.nodes.as_ref(),
            Self::Crash(told) => told.nodes.as_ref(),
            Self::Link(_) => None,
            Self::Stop(told) | Self::Pause(told) | Self::GpsLoss(told) => Some(&told.nodes),
            Self::Panic(told) | Self::Hang(told) | Self::StopActor(told) => Some(&told.nodes),
            Self::Late(told) => Some(&told.nodes),
            Self::Duplicate(told) => Some(&told.nodes),
            Self::Reorder(told) => Some(&told.nodes),
            Self::Corrupt(told) => Some(&told.nodes),
            Self::ClockStep(told) => Some(&told.nodes),
            Self::ClockDrift(told) => Some(&told.nodes),
        }
    }

    /// The same, to be changed.
    pub(crate) const fn nodes_mut(&mut self) -> Option<&mut Chosen> {
        match self {
            Self::Partition(told) => told.nodes.as_mut(),
            Self::Crash(told) => told.nodes.as_mut(),
            Self::Link(_) => None,
            Self::Stop(told) | Self::Pause(told) | Self::GpsLoss(told) => Some(&mut told.nodes),
            Self::Panic(told) | Self::Hang(told) | Self::StopActor(told) => Some(&mut told.nodes),
            Self::Late(told) => Some(&mut told.nodes),
            Self::Duplicate(told) => Some(&mut told.nodes),
            Self::Reorder(told) => Some(&mut told.nodes),
            Self::Corrupt(told) => Some(&mut told.nodes),
            Self::ClockStep(told) => Some(&mut told.nodes),
            Self::ClockDrift(told) => Some(&mut told.nodes),
        }
    }

    /// The nodes whose NATS servers it befalls.
    pub(crate) const fn servers(&self) -> Option<&Chosen> {
        if let Self::Crash(told) = self { told.servers.as_ref() } else { None }
    }

    /// How long it lasts; `None` for what has no end.
    pub(crate) const fn lasting_mut(&mut self) -> Option<&mut Option<Period>> {
        match self {
            Self::Partition(told) => Some(&mut told.lasting),
            Self::Crash(told) => Some(&mut told.lasting),
            Self::Stop(told) | Self::Pause(told) | Self::GpsLoss(told) => Some(&mut told.lasting),
            Self::Link(told) => Some(&mut told.lasting),
            Self::Late(told) => Some(&mut told.lasting),
            Self::Duplicate(told) => Some(&mut told.lasting),
            Self::Reorder(told) => Some(&mut told.lasting),
            Self::Corrupt(told) => Some(&mut told.lasting),
            Self::ClockDrift(told) => Some(&mut told.lasting),
            Self::Panic(_) | Self::Hang(_) | Self::StopActor(_) | Self::ClockStep(_) => None,
        }
    }

    /// How long it lasts, if it does and not for ever.
    pub(crate) fn lasting(&self) -> Option<Period> {
        self.clone().lasting_mut().and_then(|lasting| *lasting)
    }
}
