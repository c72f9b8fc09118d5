//! What a mesh is: every name resolved, times in nanoseconds, lengths in metres, powers in dBm.

/// A mesh.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct NetPlan {
    pub(crate) hearing: HearingPlan,
    /// Every link, unless it stands in `links`.
    pub(crate) link: LinkPlan,
    /// Single directions: from, to. Each at most once.
    pub(crate) links: Vec<(u32, u32, LinkPlan)>,
    pub(crate) radio: Option<RadioPlan>,
    /// As many as there are stations; what is missing is as the default.
    pub(crate) stations: Vec<StationPlan>,
    /// From (0, 0) to here lie the stations whose place is drawn.
    pub(crate) area: [f64; 2],
    pub(crate) mobility: MobilityPlan,
    pub(crate) routes: RoutePlan,
}

/// Who hears whom.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) enum HearingPlan {
    /// Everybody everybody.
    #[default]
    All,
    /// These in order, each direction by itself, and those of [`NetPlan::links`].
    Pairs(Vec<(u32, u32)>),
    /// Who is not farther away than so many metres.
    Range(f64),
    /// As the radio has it.
    Radio,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LinkPlan {
    pub(crate) delay: u64,
    /// Metres per second, where distance adds to the delay.
    pub(crate) propagation: Option<f64>,
    pub(crate) jitter: JitterPlan,
    /// Bits per second; none is no limit.
    pub(crate) rate: Option<u64>,
    /// Bytes that may wait.
    pub(crate) queue: u64,
    /// Of each attempt. None is what the radio has, or without a radio nothing.
    pub(crate) loss: Option<LossPlan>,
    /// Whether its loss is given for this link, so that neither range nor radio matter to it.
    pub(crate) wired: bool,
    /// How often a lost packet is sent again.
    pub(crate) retries: u8,
    /// From a lost attempt to the next.
    pub(crate) backoff: u64,
}

impl Default for LinkPlan {
    /// 2 ms and nothing else.
    fn default() -> Self {
        Self {
            delay: 2_000_000,
            propagation: None,
            jitter: JitterPlan::None,
            rate: None,
            queue: 64 << 10,
            loss: None,
            wired: false,
            retries: 0,
            backoff: 0,
        }
    }
}

/// What is added to the delay of each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum JitterPlan {
    #[default]
    None,
    /// Up to this, each as likely.
    Uniform(u64),
    /// This in the mean.
    Exponential(u64),
}

/// How packets are lost; shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LossPlan {
    /// Each by itself.
    Share(f64),
    /// Gilbert and Elliott, a step with each attempt: `burst` of them in the mean.
    Bursts { loss: f64, burst: f64 },
    /// The same in time: bad for `burst` nanoseconds in the mean.
    Fades { loss: f64, burst: u64 },
}

impl LossPlan {
    /// The share of attempts that is lost in the long run.
    pub(crate) const fn share(self) -> f64 {
        match self {
            Self::Share(loss) | Self::Bursts { loss, .. } | Self::Fades { loss, .. } => loss,
        }
    }
}

/// What every radio has in common; see `radio.rs` for the formulas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RadioPlan {
    /// dBm.
    pub(crate) power: f64,
    /// dB, of each antenna.
    pub(crate) gain: f64,
    pub(crate) exponent: f64,
    /// Path loss at 1 m in dB.
    pub(crate) reference: f64,
    /// Standard deviation in dB.
    pub(crate) shadowing: f64,
    /// Metres moved after which the shadowing is another.
    pub(crate) decorrelation: f64,
    /// dBm.
    pub(crate) noise: f64,
    pub(crate) modulation: Modulation,
    /// dB.
    pub(crate) coding_gain: f64,
}

/// How bits become symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Modulation {
    Bpsk,
    Qpsk,
    Qam16,
    Qam64,
}

/// One station.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct StationPlan {
    /// Where it is; none is anywhere in the area.
    pub(crate) at: Option<[f64; 2]>,
    /// In place of the radio's, in dBm.
    pub(crate) power: Option<f64>,
    /// In place of the radio's, in dB.
    pub(crate) gain: Option<f64>,
    pub(crate) walk: Walk,
}

/// How a station moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Walk {
    #[default]
    Still,
    /// On its own, as [`MobilityPlan::waypoint`] has it.
    Waypoint,
    /// With the group of this place in [`MobilityPlan::groups`].
    Member(usize),
}

/// How stations move.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MobilityPlan {
    /// From one position to the next.
    pub(crate) step: u64,
    pub(crate) waypoint: Option<WaypointPlan>,
    pub(crate) groups: Vec<GroupPlan>,
}

impl Default for MobilityPlan {
    fn default() -> Self {
        Self { step: 1_000_000_000, waypoint: None, groups: Vec::new() }
    }
}

/// Random waypoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WaypointPlan {
    /// From (0, 0) to here, in metres.
    pub(crate) area: [f64; 2],
    /// From and to, in metres per second, above 0.
    pub(crate) speed: [f64; 2],
    pub(crate) pause: u64,
}

/// Stations that move together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupPlan {
    /// From the first of its members, so that groups move apart.
    pub(crate) key: u64,
    pub(crate) centre: CentrePlan,
    /// No member is farther from the centre, in metres.
    pub(crate) radius: f64,
    /// From one place of a member within the group to the next; 0 keeps the first.
    pub(crate) wander: u64,
}

/// How the centre of a group moves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CentrePlan {
    Waypoint(WaypointPlan),
    /// From point to point, to stay at the last; metres per second.
    Route {
        points: Vec<[f64; 2]>,
        speed: f64,
    },
}

/// What a route costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Metric {
    #[default]
    Hops,
    Etx,
}

/// How routes are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RoutePlan {
    pub(crate) metric: Metric,
    pub(crate) hop_limit: usize,
    pub(crate) convergence: u64,
    /// The share of probes that must get through for a link to count.
    pub(crate) usable: f64,
    /// By which share a cost must change to matter.
    pub(crate) hysteresis: f64,
}

impl Default for RoutePlan {
    fn default() -> Self {
        Self { metric: Metric::Hops, hop_limit: 16, convergence: 2_000_000_000, usable: 0.1, hysteresis: 0.2 }
    }
}
