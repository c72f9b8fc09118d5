//! States that must hold: of units as others see them, of nodes, of mailboxes and supervisors.
//!
//! Between two events nothing changes, so a state is looked at once in each simulated second and at
//! deadlines, and only in scenarios that ask for it. What lasts for less than a second may go unseen;
//! events do not.

use nunect_core::protocol::command::MailboxReport;
use nunect_core::table::Table;
use nunect_core::{Health, UnitId};

use super::compare::{Compare, Count};
use super::delivery::Tally;

/// How everything stands at one instant, for those who only look.
pub(crate) trait Scene {
    /// How many nodes there are.
    fn nodes(&self) -> u32;
    /// What a node is called.
    fn unit(&self, node: u32) -> &str;
    /// Whether it runs.
    fn is_up(&self, node: u32) -> bool;
    /// Whether it is connected to the bus, as it believes.
    fn is_connected(&self, node: u32) -> bool;
    /// How it does; OFFLINE when it does not run.
    fn health(&self, node: u32) -> Health;
    /// The units that it has heard of, and how they do; nothing when it monitors nobody.
    fn directory(&self, node: u32) -> Option<&Table<UnitId, Health>>;
    /// The mailbox of one of its actors.
    fn mailbox(&self, node: u32, slot: u32) -> Option<MailboxReport>;
    /// How often one of its actors was restarted.
    fn restarts(&self, node: u32, slot: u32) -> Option<u32>;
}

/// How a unit stands with somebody who monitors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Known, and not OFFLINE.
    Online,
    /// Known, and just so.
    Just(Health),
    /// Never heard of.
    Unknown,
}

impl Standing {
    /// Whether somebody who knows this of the unit sees it so.
    fn fits(self, seen: Option<Health>) -> bool {
        match self {
            Self::Online => seen.is_some_and(|health| health != Health::Offline),
            Self::Just(wanted) => seen == Some(wanted),
            Self::Unknown => seen.is_none(),
        }
    }
}

/// A node and the places of its actors that are meant.
pub(crate) type Actors = Vec<(u32, Vec<u32>)>;

/// What must be so.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    /// Units, in the eyes of nodes that monitor; without a list, of all that do.
    Unit { units: Vec<UnitId>, standing: Standing, seen_by: Option<Vec<u32>> },
    /// Nodes themselves.
    Node { nodes: Vec<u32>, up: Option<bool>, connected: Option<bool>, health: Option<Health> },
    /// Mailboxes of actors of nodes that run.
    Mailbox {
        of: Actors,
        depth: Option<Compare<Count>>,
        dropped: Option<Compare<Count>>,
        quarantined: Option<Compare<Count>>,
    },
    /// How often actors of nodes that run were restarted: each, or all of a node together.
    Restarts { of: Actors, each: bool, restarts: Compare<Count> },
    /// Every node is up, connected and OK, and ONLINE with all that monitor.
    Recovered,
    /// What became of messages up to now.
    Delivery(Box<Tally>),
}

/// What a look at a condition shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Holds,
    /// There is nothing to look at.
    Nothing,
    /// It does not hold, for this reason.
    Fails(String),
}

impl Condition {
    /// What it is about, in a word.
    pub(crate) const fn about(&self) -> &'static str {
        match self {
            Self::Unit { .. } => "unit",
            Self::Node { .. } => "node",
            Self::Mailbox { .. } => "mailbox",
            Self::Restarts { .. } => "supervisor",
            Self::Recovered => "recovery",
            Self::Delivery(_) => "delivery",
        }
    }

    pub(crate) fn look(&self, scene: &dyn Scene) -> Look {
        match self {
            Self::Unit { units, standing, seen_by } => look_at_units(units, *standing, seen_by.as_deref(), scene),
            Self::Node { nodes, up, connected, health } => {
                let looks = nodes.iter().map(|&node| Some(look_at_node(node, *up, *connected, *health, scene)));
                all(looks)
            }
            Self::Mailbox { of, depth, dropped, quarantined } => {
                let slots = of.iter().flat_map(|(node, slots)| slots.iter().map(move |&slot| (*node, slot)));
                all(slots.map(|(node, slot)| {
                    let report = scene.mailbox(node, slot)?;
                    let place = scene.unit(node);
                    Some(
                        None.or_else(|| over(place, "waiting", *depth, report.depth))
                            .or_else(|| over(place, "dropped", *dropped, report.dropped))
                            .or_else(|| over(place, "quarantined", *quarantined, report.poisoned)),
                    )
                }))
            }
            Self::Restarts { of, each, restarts } => look_at_restarts(of, *each, *restarts, scene),
            Self::Recovered => look_for_recovery(scene),
            Self::Delivery(tally) => tally.look(),
        }
    }
}

/// Holds when no look finds fault; `None` where there is nothing to look at.
fn all(looks: impl Iterator<Item = Option<Option<String>>>) -> Look {
    let mut any = Look::Nothing;
    for found in looks.flatten() {
        match found {
            Some(why) => return Look::Fails(why),
            None => any = Look::Holds,
        }
    }
    any
}

fn over(place: &str, what: &str, compare: Option<Compare<Count>>, count: u64) -> Option<String> {
    let compare = compare.filter(|compare| !compare.holds(Count(count)))?;
    Some(format!("{place}: {count} {what} and not {compare}"))
}

fn look_at_units(units: &[UnitId], standing: Standing, seen_by: Option<&[u32]>, scene: &dyn Scene) -> Look {
    let everybody: Vec<u32>;
    let watchers = match seen_by {
        Some(watchers) => watchers,
        None => {
            let monitors = |&node: &u32| scene.directory(node).is_some_and(|directory| !directory.is_empty());
            everybody = (0..scene.nodes()).filter(monitors).collect();
            &everybody
        }
    };
    // A node that is down sees nothing.
    let directories = watchers.iter().filter_map(|&node| Some((node, scene.directory(node)?)));
    all(directories.flat_map(|(node, directory)| {
        units.iter().map(move |unit| {
            let seen = directory.get(unit).copied();
            let shown = seen.map_or("never heard of", Health::as_str);
            Some((!standing.fits(seen)).then(|| format!("{}: {unit} is {shown}", scene.unit(node))))
        })
    }))
}

fn look_at_node(
    node: u32,
    up: Option<bool>,
    connected: Option<bool>,
    health: Option<Health>,
    scene: &dyn Scene,
) -> Option<String> {
    let (is_up, is_connected, does) = (scene.is_up(node), scene.is_connected(node), scene.health(node));
    let name = scene.unit(node);
    if up.is_some_and(|up| up != is_up) {
        return Some(format!("{name} is {}", if is_up { "up" } else { "down" }));
    }
    if connected.is_some_and(|connected| connected != is_connected) {
        return Some(format!("{name} is {}connected", if is_connected { "" } else { "not " }));
    }
    health.filter(|&health| health != does).map(|_| format!("{name} is {does}"))
}

fn look_at_restarts(of: &Actors, each: bool, restarts: Compare<Count>, scene: &dyn Scene) -> Look {
    let found = |node: u32, count: u64| over(scene.unit(node), "restarts", Some(restarts), count);
    all(of.iter().flat_map(|(node, slots)| {
        let counts: Vec<_> = slots.iter().filter_map(|&slot| scene.restarts(*node, slot)).map(u64::from).collect();
        let counts = if each || counts.is_empty() { counts } else { vec![counts.iter().sum()] };
        counts.into_iter().map(|count| Some(found(*node, count))).collect::<Vec<_>>()
    }))
}

fn look_for_recovery(scene: &dyn Scene) -> Look {
    let well = (0..scene.nodes()).map(|node| Some(look_at_node(node, Some(true), Some(true), Some(Health::Ok), scene)));
    if let Look::Fails(why) = all(well) {
        return Look::Fails(why);
    }
    let mut units: Vec<UnitId> = Vec::new();
    for node in 0..scene.nodes() {
        match UnitId::new(scene.unit(node)) {
            Ok(unit) => units.push(unit),
            Err(_) => continue,
        }
    }
    match look_at_units(&units, Standing::Online, None, scene) {
        Look::Fails(why) => Look::Fails(why),
        // Nobody monitors: then it is enough that all are well.
        Look::Holds | Look::Nothing => Look::Holds,
    }
}
