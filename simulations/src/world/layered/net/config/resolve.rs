//! From what is written down to a plan.

use nunect_core::UnitId;
use nunect_core::time::nanos;

use super::{
    Burst, Find, Jitter, LinkConfig, LinkEntry, LossConfig, MetricConfig, MobilityConfig, NetConfig, Percent, Report,
    Topology, WaypointConfig,
};
use crate::draw::key;
use crate::scenario::file::Names;
use crate::world::layered::net::plan::{
    CentrePlan, GroupPlan, HearingPlan, JitterPlan, LinkPlan, LossPlan, Metric, MobilityPlan, NetPlan, RadioPlan,
    RoutePlan, StationPlan, Walk, WaypointPlan,
};

/// Metres on a side, where no area is given.
const AREA: [f64; 2] = [1_000.0, 1_000.0];
/// Metres, where no spacing is given.
const SPACING: f64 = 100.0;
/// No area is longer, in metres: the circumference of the Earth.
const METRES_MAX: f64 = 4e7;
/// A millisecond between attempts.
const BACKOFF_NS: u64 = 1_000_000;

pub(super) fn resolve(config: &NetConfig, units: &[UnitId], find: Find<'_>, report: Report<'_>) -> NetPlan {
    let mut resolver = Resolver { units, find, report };
    let topology = match (&config.topology, &config.radio) {
        (Some(topology), _) => topology.clone(),
        (None, Some(_)) => Topology::Radio,
        (None, None) => Topology::All,
    };
    let area = resolver.area(config, &topology);
    let mut plan = NetPlan { area, ..NetPlan::default() };
    plan.stations = vec![StationPlan::default(); units.len()];
    plan.radio = resolver.radio(config, &topology);
    let places = resolver.topology(config, &topology, &mut plan);
    plan.link = resolver.link("link", &config.link, LinkPlan { backoff: BACKOFF_NS, ..LinkPlan::default() });
    if config.radio.is_some() && config.link.loss.is_some() {
        resolver.wrong("link.loss", "the radio decides what is lost", "leave out one of `radio` and `link.loss`");
    }
    for (number, entry) in config.links.iter().enumerate() {
        resolver.entry(&format!("links[{number}]"), entry, &mut plan);
    }
    resolver.stations(config, &mut plan);
    if let Some(mobility) = &config.mobility {
        resolver.mobility(mobility, &mut plan);
    }
    // Only now: a place that a topology gives keeps nobody from walking.
    for (station, place) in plan.stations.iter_mut().zip(places) {
        station.at = station.at.or(Some(place));
    }
    plan.routes = resolver.routes(config);
    plan
}

/// Stations evenly on a circle, none of whose coordinates is below 0.
fn circle(nodes: u32, radius: f64) -> Vec<[f64; 2]> {
    let angle = |node: u32| std::f64::consts::TAU * f64::from(node) / f64::from(nodes);
    let place = |angle: f64| [radius + radius * libm::cos(angle), radius + radius * libm::sin(angle)];
    (0..nodes).map(angle).map(place).collect()
}

struct Resolver<'a> {
    units: &'a [UnitId],
    find: Find<'a>,
    report: Report<'a>,
}

impl Resolver<'_> {
    fn wrong(&mut self, key: &str, reason: impl Into<String>, help: impl Into<String>) {
        (self.report)(key.to_owned(), reason.into(), help.into());
    }

    /// One node.
    fn node(&mut self, key: &str, name: &str) -> Option<u32> {
        if let Some(place) = self.units.iter().position(|unit| unit.as_str() == name) {
            return u32::try_from(place).ok();
        }
        match (self.find)(&Names(vec![name.to_owned()])) {
            Ok(_) => self.wrong(key, format!("`{name}` is not one node"), "write a name without `*`"),
            Err((_, reason, help)) => self.wrong(key, reason, help),
        }
        None
    }

    fn nodes(&mut self, key: &str, names: &Names) -> Vec<u32> {
        (self.find)(names).unwrap_or_else(|(position, reason, help)| {
            let key = if names.0.len() > 1 { format!("{key}[{position}]") } else { key.to_owned() };
            self.wrong(&key, reason, help);
            Vec::new()
        })
    }

    fn metres(&mut self, key: &str, metres: f64) -> f64 {
        if !(metres > 0.0 && metres <= METRES_MAX) {
            self.wrong(key, format!("{metres} m is no length"), "write metres, such as 500");
        }
        metres
    }

    fn speed(&mut self, key: &str, speed: f64) {
        if !(speed > 0.0 && speed <= 3e8) {
            let help = "write metres per second, above 0: at no speed nobody ever arrives";
            self.wrong(key, format!("{speed} m/s is no speed"), help);
        }
    }

    fn place(&mut self, key: &str, [x, y]: [f64; 2]) {
        if x.abs().max(y.abs()) > METRES_MAX {
            self.wrong(key, format!("[{x}, {y}] is not on Earth"), "write metres east and north");
        }
    }

    fn share(&mut self, key: &str, share: Percent, most: f64, help: &str) -> f64 {
        if !(0.0..=most).contains(&share.0) {
            self.wrong(key, format!("{share} is not from 0% to {most}%"), help);
        }
        share.share()
    }

    fn area(&mut self, config: &NetConfig, topology: &Topology) -> [f64; 2] {
        let given = match topology {
            Topology::Random { area, .. } => Some(("topology.random.area", *area)),
            Topology::All
            | Topology::Ring
            | Topology::Line
            | Topology::Grid { .. }
            | Topology::Star { .. }
            | Topology::Radio
            | Topology::Explicit => config.area.map(|area| ("area", area)),
        };
        let Some((key, area)) = given else { return AREA };
        for (axis, side) in area.into_iter().enumerate() {
            self.metres(&format!("{key}[{axis}]"), side);
        }
        area
    }

    fn radio(&mut self, config: &NetConfig, topology: &Topology) -> Option<RadioPlan> {
        // A topology that needs a radio has a usual one.
        let needed = matches!(topology, Topology::Radio | Topology::Random { range: None, .. });
        let radio = config.radio.or_else(|| needed.then(Default::default))?;
        if !(1.0..=10.0).contains(&radio.exponent) {
            let reason = format!("{} is no exponent of path loss", radio.exponent);
            self.wrong("radio.exponent", reason, "write 2 for free space up to 6 for the inside of buildings");
        }
        if radio.shadowing.0 < 0.0 || radio.shadowing.0 > 30.0 {
            self.wrong("radio.shadowing", format!("{} is not from 0dB to 30dB", radio.shadowing), "");
        }
        self.metres("radio.decorrelation", radio.decorrelation);
        for (key, level) in [
            ("radio.power", radio.power.0),
            ("radio.gain", radio.gain.0),
            ("radio.reference_loss", radio.reference_loss.0),
            ("radio.noise", radio.noise.0),
            ("radio.coding_gain", radio.coding_gain.0),
        ] {
            self.level(key, level);
        }
        Some(RadioPlan {
            power: radio.power.0,
            gain: radio.gain.0,
            exponent: radio.exponent,
            reference: radio.reference_loss.0,
            shadowing: radio.shadowing.0,
            decorrelation: radio.decorrelation,
            noise: radio.noise.0,
            modulation: radio.modulation.into(),
            coding_gain: radio.coding_gain.0,
        })
    }

    fn level(&mut self, key: &str, level: f64) {
        if level.abs() > 300.0 {
            self.wrong(key, format!("{level} is beyond any radio"), "write a value from -300 to 300");
        }
    }

    /// Who hears whom. Returns where the stations then are, if the topology says that.
    fn topology(&mut self, config: &NetConfig, topology: &Topology, plan: &mut NetPlan) -> Vec<[f64; 2]> {
        let spacing = config.spacing.map_or(SPACING, |spacing| self.metres("spacing", spacing));
        let nodes = u32::try_from(self.units.len()).unwrap_or(u32::MAX);
        let (mut pairs, places): (Vec<(u32, u32)>, Vec<[f64; 2]>) = match topology {
            Topology::All | Topology::Radio | Topology::Random { .. } => {
                plan.hearing = match (topology, &plan.radio) {
                    (Topology::Random { range: Some(range), .. }, _) => {
                        HearingPlan::Range(self.metres("topology.random.range", *range))
                    }
                    (_, Some(_)) => HearingPlan::Radio,
                    (_, None) => HearingPlan::All,
                };
                return Vec::new();
            }
            Topology::Explicit => (Vec::new(), Vec::new()),
            Topology::Ring => {
                let radius = spacing / (2.0 * libm::sin(std::f64::consts::PI / f64::from(nodes.max(2))));
                ((0..nodes).map(|node| (node, (node + 1) % nodes)).collect(), circle(nodes, radius))
            }
            Topology::Line => {
                let places = (0..nodes).map(|node| [spacing * f64::from(node), 0.0]).collect();
                ((1..nodes).map(|node| (node - 1, node)).collect(), places)
            }
            Topology::Grid { columns: 0 } => {
                self.wrong("topology.grid.columns", "a grid without columns", "write at least 1");
                (Vec::new(), Vec::new())
            }
            Topology::Grid { columns } => {
                let place = |node: u32| [node % columns, node / columns].map(|number| spacing * f64::from(number));
                let beside = (1..nodes).filter(|node| node % columns != 0).map(|node| (node - 1, node));
                let below = (*columns..nodes).map(|node| (node - columns, node));
                (beside.chain(below).collect(), (0..nodes).map(place).collect())
            }
            Topology::Star { center } => {
                let mut places = circle(nodes, spacing);
                let center = self.node("topology.star.center", center);
                if let Some(place) = center.and_then(|center| places.get_mut(center as usize)) {
                    *place = [spacing, spacing];
                }
                let pairs = center.into_iter().flat_map(|center| (0..nodes).map(move |node| (center, node)));
                (pairs.collect(), places)
            }
        };
        pairs.retain(|(a, b)| a != b);
        pairs.extend(pairs.clone().into_iter().map(|(a, b)| (b, a)));
        pairs.sort_unstable();
        pairs.dedup();
        plan.hearing = HearingPlan::Pairs(pairs);
        places
    }

    /// What is given takes the place of what is in `base`.
    fn link(&mut self, key: &str, config: &LinkConfig, base: LinkPlan) -> LinkPlan {
        if config.rate.is_some_and(|rate| rate.0 == 0) {
            self.wrong(&format!("{key}.rate"), "nothing would ever pass", "write 100% of `loss` to cut a link");
        }
        if let Some(speed) = config.propagation_speed {
            self.speed(&format!("{key}.propagation_speed"), speed);
        }
        if config.queue.is_some_and(|queue| queue.0 == 0) {
            self.wrong(&format!("{key}.queue"), "no packet could ever wait", "write at least the size of a packet");
        }
        let loss = config.loss.map(|loss| self.loss(&format!("{key}.loss"), loss));
        LinkPlan {
            delay: config.delay.map_or(base.delay, |delay| nanos(delay.0)),
            propagation: config.propagation_speed.or(base.propagation),
            jitter: config.jitter.map_or(base.jitter, |jitter| match jitter {
                Jitter::Uniform(most) => JitterPlan::Uniform(nanos(most.0)),
                Jitter::Exponential(mean) => JitterPlan::Exponential(nanos(mean.0)),
            }),
            rate: config.rate.map(|rate| rate.0).or(base.rate),
            queue: config.queue.map_or(base.queue, |queue| queue.0),
            loss: loss.or(base.loss),
            wired: base.wired,
            retries: config.retries.unwrap_or(base.retries),
            backoff: config.backoff.map_or(base.backoff, |backoff| nanos(backoff.0)),
        }
    }

    fn loss(&mut self, key: &str, loss: LossConfig) -> LossPlan {
        let bursts = match loss {
            LossConfig::Share(share) => return LossPlan::Share(self.share(key, share, 100.0, "")),
            LossConfig::GilbertElliott(bursts) => bursts,
        };
        let key = format!("{key}.gilbert_elliott");
        let help = "for a link that is always bad write `loss: 100%`";
        let share = self.share(&format!("{key}.loss"), bursts.loss, 99.9, help);
        match bursts.burst {
            Burst::Time(time) => {
                if time.0.is_zero() {
                    self.wrong(&format!("{key}.burst"), "a burst without duration", "write 200ms, or leave out bursts");
                }
                LossPlan::Fades { loss: share, burst: nanos(time.0).max(1) }
            }
            Burst::Attempts(burst) => {
                // The chain leaves the good state with probability share / (1 − share) / burst.
                let least = (share / (1.0 - share)).max(1.0);
                // Where there is no least, the share has been reported.
                if (0.0..1.0).contains(&share) && !(least..=1e9).contains(&burst) {
                    let reason = format!("bursts of {burst} packets cannot lose {}", bursts.loss);
                    self.wrong(&format!("{key}.burst"), reason, format!("write at least {}", libm::ceil(least)));
                }
                LossPlan::Bursts { loss: share, burst }
            }
        }
    }

    /// A single link, over what earlier entries have made of it.
    fn entry(&mut self, key: &str, entry: &LinkEntry, plan: &mut NetPlan) {
        let mut directions = Vec::new();
        match (&entry.between, &entry.from, &entry.to) {
            (Some([a, b]), None, None) => {
                let ends = (self.node(&format!("{key}.between[0]"), a), self.node(&format!("{key}.between[1]"), b));
                if let (Some(a), Some(b)) = ends {
                    directions.extend([(a, b), (b, a)]);
                }
            }
            (None, Some(from), Some(to)) => {
                let ends = (self.node(&format!("{key}.from"), from), self.node(&format!("{key}.to"), to));
                if let (Some(from), Some(to)) = ends {
                    directions.push((from, to));
                }
            }
            (Some(_), _, _) | (None, _, _) => {
                self.wrong(key, "a link is `between` two nodes, or `from` one `to` another", "write either");
            }
        }
        if directions.iter().any(|(from, to)| from == to) {
            self.wrong(key, "a link from a node to itself", "name two nodes");
            return;
        }
        let properties = entry.properties();
        for (number, (from, to)) in directions.into_iter().enumerate() {
            let known = plan.links.iter().position(|&(a, b, _)| (a, b) == (from, to));
            let base = known.map_or(plan.link, |place| plan.links[place].2);
            let link = if number == 0 {
                self.link(key, &properties, base)
            } else {
                // What is wrong has been reported for the other direction.
                Resolver { units: self.units, find: self.find, report: &mut |_, _, _| {} }.link(key, &properties, base)
            };
            let link = LinkPlan { wired: base.wired || properties.loss.is_some(), ..link };
            match known {
                Some(place) => plan.links[place].2 = link,
                None => plan.links.push((from, to, link)),
            }
        }
    }

    fn stations(&mut self, config: &NetConfig, plan: &mut NetPlan) {
        for (number, entry) in config.stations.iter().enumerate() {
            let key = format!("stations[{number}]");
            if let Some(at) = entry.at {
                self.place(&format!("{key}.at"), at);
            }
            for (name, level) in [("power", entry.power.map(|p| p.0)), ("gain", entry.gain.map(|g| g.0))] {
                let Some(level) = level else { continue };
                let key = format!("{key}.{name}");
                self.level(&key, level);
                if plan.radio.is_none() {
                    self.wrong(&key, "there is no radio", "add `radio: {}` to the mesh");
                }
            }
            for node in self.nodes(&format!("{key}.nodes"), &entry.nodes) {
                let station = &mut plan.stations[node as usize];
                station.at = entry.at.or(station.at);
                station.power = entry.power.map(|power| power.0).or(station.power);
                station.gain = entry.gain.map(|gain| gain.0).or(station.gain);
            }
        }
    }

    fn mobility(&mut self, config: &MobilityConfig, plan: &mut NetPlan) {
        if config.step.0.is_zero() {
            self.wrong("mobility.step", "steps without duration", "write 1s");
        }
        plan.mobility = MobilityPlan { step: nanos(config.step.0), ..MobilityPlan::default() };
        for (number, group) in config.groups.iter().enumerate() {
            let key_of = format!("mobility.groups[{number}]");
            let centre = match (&group.waypoint, &group.route) {
                (Some(waypoint), None) => {
                    let key = format!("{key_of}.waypoint");
                    if waypoint.nodes.is_some() {
                        self.wrong(&format!("{key}.nodes"), "the centre of a group is no node", "leave it out");
                    }
                    CentrePlan::Waypoint(self.waypoint(&key, waypoint, plan.area))
                }
                (None, Some(way)) => {
                    let key = format!("{key_of}.route");
                    self.speed(&format!("{key}.speed"), way.speed);
                    if way.points.is_empty() {
                        self.wrong(&format!("{key}.points"), "a way without points", "write at least one");
                    }
                    for (number, &point) in way.points.iter().enumerate() {
                        self.place(&format!("{key}.points[{number}]"), point);
                    }
                    CentrePlan::Route { points: way.points.clone(), speed: way.speed }
                }
                (Some(_), Some(_)) | (None, None) => {
                    self.wrong(&key_of, "a group moves by either `waypoint` or `route`", "write one of them");
                    continue;
                }
            };
            self.metres(&format!("{key_of}.radius"), group.radius);
            let nodes = self.nodes(&format!("{key_of}.nodes"), &group.nodes);
            let name = nodes.first().and_then(|&node| self.units.get(node as usize)).map_or("", UnitId::as_str);
            for &node in &nodes {
                let station = &mut plan.stations[node as usize];
                if station.walk != Walk::Still {
                    let reason = format!("{} is in two groups", self.units[node as usize]);
                    self.wrong(&format!("{key_of}.nodes"), reason, "leave it out of one");
                }
                station.walk = Walk::Member(plan.mobility.groups.len());
            }
            let (radius, wander) = (group.radius, nanos(group.wander.0));
            plan.mobility.groups.push(GroupPlan { key: key(name), centre, radius, wander });
        }
        if let Some(waypoint) = &config.waypoint {
            self.walkers(waypoint, plan);
        }
    }

    fn walkers(&mut self, config: &WaypointConfig, plan: &mut NetPlan) {
        plan.mobility.waypoint = Some(self.waypoint("mobility.waypoint", config, plan.area));
        let Some(names) = &config.nodes else {
            let free = |station: &&mut StationPlan| station.walk == Walk::Still && station.at.is_none();
            plan.stations.iter_mut().filter(free).for_each(|station| station.walk = Walk::Waypoint);
            return;
        };
        for node in self.nodes("mobility.waypoint.nodes", names) {
            let station = &mut plan.stations[node as usize];
            if station.walk == Walk::Still {
                station.walk = Walk::Waypoint;
            } else {
                let reason = format!("{} moves with a group", self.units[node as usize]);
                self.wrong("mobility.waypoint.nodes", reason, "leave it out");
            }
        }
    }

    fn waypoint(&mut self, key: &str, config: &WaypointConfig, area: [f64; 2]) -> WaypointPlan {
        let area = config.area.unwrap_or(area);
        for (axis, side) in area.into_iter().enumerate() {
            self.metres(&format!("{key}.area[{axis}]"), side);
        }
        let [low, high] = config.speed;
        self.speed(&format!("{key}.speed[0]"), low);
        self.speed(&format!("{key}.speed[1]"), high);
        if low > high {
            self.wrong(&format!("{key}.speed"), format!("from {low} to {high} m/s"), "write the lower speed first");
        }
        WaypointPlan { area, speed: config.speed, pause: nanos(config.pause.0) }
    }

    fn routes(&mut self, config: &NetConfig) -> RoutePlan {
        let routes = config.routes;
        if routes.hop_limit == 0 || routes.hop_limit > 255 {
            let reason = format!("{} is no hop limit", routes.hop_limit);
            self.wrong("routes.hop_limit", reason, "write 1 to 255");
        }
        let usable = self.share("routes.usable", routes.usable, 100.0, "");
        if usable <= 0.0 {
            self.wrong("routes.usable", "links that carry nothing would be used", "write 1% or more");
        }
        RoutePlan {
            metric: match routes.metric {
                MetricConfig::Hops => Metric::Hops,
                MetricConfig::Etx => Metric::Etx,
            },
            hop_limit: routes.hop_limit as usize,
            convergence: nanos(routes.convergence.0),
            usable,
            hysteresis: self.share("routes.hysteresis", routes.hysteresis, 1_000.0, ""),
        }
    }
}
