//! Which faults cannot befall a node at the same time.

use crate::scenario::file::faults::{KindName, Mishap};

/// What a fault needs of a node, or takes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Crash,
    Stop,
    Pause,
    Actor,
    Server,
    Drift,
    Gps,
}

impl Class {
    /// Of what befalls the nodes that a mishap names.
    pub(super) const fn of(mishap: &Mishap) -> Option<Self> {
        match mishap.kind() {
            KindName::Crash => Some(Self::Crash),
            KindName::Stop => Some(Self::Stop),
            KindName::Pause => Some(Self::Pause),
            KindName::Panic | KindName::Hang | KindName::StopActor => Some(Self::Actor),
            KindName::ClockDrift => Some(Self::Drift),
            KindName::GpsLoss => Some(Self::Gps),
            KindName::Partition
            | KindName::Link
            | KindName::Late
            | KindName::Duplicate
            | KindName::Reorder
            | KindName::Corrupt
            | KindName::ClockStep => None,
        }
    }

    /// Whether it needs nodes that have started.
    pub(super) const fn needs_start(self) -> bool {
        match self {
            Self::Crash | Self::Stop | Self::Pause | Self::Actor => true,
            Self::Server | Self::Drift | Self::Gps => false,
        }
    }

    /// What forbids that `later` strikes a node while this lasts.
    const fn forbids(self, later: Self) -> Option<&'static str> {
        match (self, later) {
            (Self::Crash | Self::Stop, Self::Crash | Self::Stop | Self::Pause | Self::Actor) => Some("is down"),
            // Of what is paused only the end can be forced.
            (Self::Pause, Self::Stop | Self::Pause | Self::Actor) => Some("is paused"),
            (Self::Server, Self::Server) => Some("is without its server"),
            (Self::Drift, Self::Drift) => Some("drifts already"),
            (Self::Gps, Self::Gps) => Some("is without GPS"),
            (
                Self::Crash | Self::Stop | Self::Pause | Self::Actor | Self::Server | Self::Drift | Self::Gps,
                Self::Crash | Self::Stop | Self::Pause | Self::Actor | Self::Server | Self::Drift | Self::Gps,
            ) => None,
        }
    }
}

/// What befalls one node from one instant to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) class: Class,
    pub(super) at: u64,
    /// The end; never, if not given.
    pub(super) end: Option<u64>,
    /// Whose it is, for whoever asks.
    pub(super) who: usize,
}

impl Claim {
    /// What forbids this after an `earlier` claim, if that still lasts.
    fn after(&self, earlier: &Self) -> Option<&'static str> {
        let over = earlier.end.is_some_and(|end| end <= self.at);
        if over { None } else { earlier.class.forbids(self.class) }
    }
}

/// What befalls each node.
#[derive(Debug)]
pub(super) struct Claims(Vec<Vec<Claim>>);

impl Claims {
    pub(super) fn new(nodes: usize) -> Self {
        Self(vec![Vec::new(); nodes])
    }

    /// What forbids that `claim` befalls `node`: whose claim, and why. Of two of one instant the one that
    /// was added is the earlier.
    pub(super) fn clash(&self, node: u32, claim: &Claim) -> Option<(usize, &'static str)> {
        let claims = usize::try_from(node).ok().and_then(|node| self.0.get(node))?;
        claims.iter().find_map(|other| {
            let why = if other.at <= claim.at { claim.after(other) } else { other.after(claim) };
            why.map(|why| (other.who, why))
        })
    }

    pub(super) fn add(&mut self, node: u32, claim: Claim) {
        if let Some(claims) = usize::try_from(node).ok().and_then(|node| self.0.get_mut(node)) {
            claims.push(claim);
        }
    }
}
