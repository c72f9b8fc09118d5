//! Supervisors below supervisors, as one machine.

mod spec;
mod view;

use std::collections::{BTreeMap, VecDeque};

use nunect_core::random::Entropy;
use nunect_core::{ActorName, Mono, StopReason};

pub use self::spec::{NodeSpec, TreeSpec};
pub use self::view::{About, View, ViewKind};
use crate::action::{Action, TimerId};
use crate::child::{ChildId, ChildState, Generation};
use crate::event::{Event, Exit};
use crate::spec::{ChildSpec, Shutdown, Spec, Strategy};
use crate::supervisor::Supervisor;

/// A tree of [`Supervisor`]s that a host drives as if it were one: events and actions are about the
/// actors alone, and groups happen inside.
///
/// - The [`ChildId`]s of the actors count through the tree in the order of the definition, depth
///   first. Actors that are added stand directly under the root, after all others.
/// - To the supervisor above it, a group is a child that takes as long to stop as it needs. It has
///   started once each of its children had its first start. When it gives up it crashed, or failed to
///   start, for a reason that names its child; when it completed it exited normally.
/// - A group that starts again begins anew, with an empty window of crashes and without back-off. The
///   [`Generation`] of an actor counts on all the same and never repeats, and [`TimerId`]s are those
///   of the whole tree.
/// - [`Action::Emit`] and the last actions speak of actors and groups alike, by their names. Only the
///   root gives a last action.
/// - While the tree goes down, a group whose turn to stop has not come keeps its actors up as ever, as
///   in OTP: those after it may still need them.
/// - An actor that was removed stays away when its group starts again.
///
/// ```
/// use nunect_core::random::Entropy;
/// use nunect_core::{ActorName, Mono};
/// use nunect_supervisor::{Action, ChildId, Event, Exit, Generation, NodeSpec, Strategy, Tree, TreeSpec};
///
/// let voice = TreeSpec { strategy: Strategy::OneForAll, ..TreeSpec::flat([ActorName::new("mixer")?]) };
/// let mut spec = TreeSpec::flat([ActorName::new("heartbeater")?]);
/// spec.children.push(NodeSpec::group(ActorName::new("voice")?, voice));
/// let mut tree = Tree::new(spec, Entropy::from(7));
///
/// let (heartbeater, mixer, generation) = (ChildId(0), ChildId(1), Generation(1));
/// assert_eq!(tree.step(Mono::ZERO, Event::Start), [Action::Start { child: heartbeater, generation }]);
/// let actions = tree.step(Mono::ZERO, Event::Started { child: heartbeater, generation });
/// assert_eq!(actions, [Action::Start { child: mixer, generation }]);
/// # Ok::<(), nunect_core::identity::IdentityError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    /// The root first, then depth first.
    groups: Vec<Group>,
    leaves: Vec<Leaf>,
    /// Who armed a timer, and what it is called there.
    timers: BTreeMap<TimerId, (usize, TimerId)>,
    armed: u64,
    entropy: Entropy,
}

#[derive(Clone, Debug)]
struct Group {
    /// `None`: the root.
    name: Option<ActorName>,
    /// The group above it, and its own place there.
    place: Option<(usize, ChildId)>,
    /// To begin anew from; the root begins once and keeps no children here.
    spec: Spec,
    members: Vec<Member>,
    life: Option<Life>,
    lives: u32,
}

/// From the start of a group to its last action. The root's begins with the tree and never ends.
#[derive(Clone, Debug)]
struct Life {
    supervisor: Supervisor,
    /// As the group above it counts.
    generation: Generation,
    /// The group above it knows that it has started.
    up: bool,
}

#[derive(Clone, Copy, Debug)]
enum Member {
    Actor(ChildId),
    Group(usize),
}

/// An actor.
#[derive(Clone, Debug)]
struct Leaf {
    name: ActorName,
    group: usize,
    /// Its place there.
    place: ChildId,
    /// How many lives it had before the present life of its group.
    base: u32,
    /// Its latest life.
    latest: u32,
    removed: bool,
}

/// What follows from one event.
struct Turn {
    now: Mono,
    out: Vec<Action>,
    /// What groups report to those above them. It waits until these have done what they are at.
    reports: VecDeque<(usize, Event)>,
}

impl Tree {
    /// A tree of `spec`, whose back-off jitter is drawn from `entropy`: what one group draws depends
    /// on no other. It waits for [`Event::Start`].
    #[must_use]
    pub fn new(spec: TreeSpec, entropy: Entropy) -> Self {
        let mut tree = Self { groups: Vec::new(), leaves: Vec::new(), timers: BTreeMap::new(), armed: 0, entropy };
        tree.plant(None, None, spec);
        let root = &mut tree.groups[0];
        let spec = Spec { children: std::mem::take(&mut root.spec.children), ..root.spec.clone() };
        let supervisor = Supervisor::new(spec, tree.entropy.stream("supervisor", 0)).into_root();
        root.life = Some(Life { supervisor, generation: Generation(1), up: false });
        tree
    }

    /// Takes one event about an actor and says what is to be done about it, in order.
    ///
    /// [`Event::Add`] adds an actor directly under the root. [`Event::Restart`] of an actor whose
    /// group is down has no effect: it begins with its group, or not at all.
    pub fn step(&mut self, now: Mono, event: Event) -> Vec<Action> {
        let mut turn = Turn { now, out: Vec::new(), reports: VecDeque::new() };
        turn.reports.extend(self.localize(event));
        self.settle(&mut turn);
        self.spread_the_end(&mut turn);
        self.settle(&mut turn);
        turn.out
    }

    /// All actors, in the order of their ids; those that were removed too.
    pub fn actors(&self) -> impl DoubleEndedIterator<Item = ChildId> + use<> {
        (0..u32::try_from(self.leaves.len()).unwrap_or(u32::MAX)).map(ChildId)
    }

    /// The names of the groups in the order of their definition, depth first.
    pub fn groups(&self) -> impl Iterator<Item = &ActorName> {
        self.groups.iter().filter_map(|group| group.name.as_ref())
    }

    /// The actor of that name, unless it was removed.
    #[must_use]
    pub fn find(&self, name: &ActorName) -> Option<ChildId> {
        self.actors().find(|child| self.leaf(*child).is_some_and(|leaf| leaf.name == *name && !leaf.removed))
    }

    /// All actors of the group of that name and below; or the actor itself.
    #[must_use]
    pub fn find_all(&self, name: &ActorName) -> Vec<ChildId> {
        let group = self.groups.iter().position(|group| group.name.as_ref() == Some(name));
        let below = |child: &ChildId| {
            let leaf = self.leaf(*child).filter(|leaf| !leaf.removed);
            leaf.is_some_and(|leaf| group.is_some_and(|group| self.is_in(leaf.group, group)))
        };
        match group {
            Some(_) => self.actors().filter(below).collect(),
            None => self.find(name).into_iter().collect(),
        }
    }

    /// The name of `child`; `None` when there is no such actor, as below.
    #[must_use]
    pub fn name(&self, child: ChildId) -> Option<&ActorName> {
        self.leaf(child).map(|leaf| &leaf.name)
    }

    /// How `child` does.
    #[must_use]
    pub fn state(&self, child: ChildId) -> Option<ChildState> {
        self.leaf(child).map(|leaf| match self.state_at(leaf.group, leaf.place) {
            state if leaf.removed && !state.is_alive() => ChildState::Ended,
            state => state,
        })
    }

    /// The latest life of `child`; 0 before its first.
    #[must_use]
    pub fn generation(&self, child: ChildId) -> Option<Generation> {
        self.leaf(child).map(|leaf| Generation(leaf.latest))
    }

    /// How often `child` was started after its first start, for its own sake or another's.
    #[must_use]
    pub fn restarts(&self, child: ChildId) -> Option<u32> {
        self.leaf(child).map(|leaf| leaf.latest.saturating_sub(1))
    }

    /// Who restarts with a child of the root that crashed.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.groups[0].spec.strategy
    }

    /// Whether every actor and group had its first start.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.root(Supervisor::is_up)
    }

    /// Whether any actor has a life that has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.actors().any(|child| self.state(child).is_some_and(ChildState::is_alive))
    }

    /// Whether all is being taken down for good.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.root(Supervisor::is_closing)
    }

    /// Whether the last action was given: [`Action::Stopped`], [`Action::Completed`] or
    /// [`Action::Escalate`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.root(Supervisor::is_over)
    }

    fn root(&self, question: fn(&Supervisor) -> bool) -> bool {
        self.groups[0].life.as_ref().is_some_and(|life| question(&life.supervisor))
    }

    fn leaf(&self, child: ChildId) -> Option<&Leaf> {
        self.leaves.get(index(child))
    }

    fn is_in(&self, mut group: usize, above: usize) -> bool {
        while let Some((next, _)) = self.groups[group].place.filter(|_| group != above) {
            group = next;
        }
        group == above
    }

    fn state_at(&self, group: usize, place: ChildId) -> ChildState {
        match &self.groups[group].life {
            Some(life) => life.supervisor.state(place).unwrap_or(ChildState::Ended),
            None if self.group_state(group) == ChildState::Ended => ChildState::Ended,
            None => ChildState::Pending,
        }
    }

    /// How a group below the root does.
    fn group_state(&self, group: usize) -> ChildState {
        self.groups[group].place.map_or(ChildState::Ended, |(above, place)| self.state_at(above, place))
    }

    /// Makes a group and what stands below it.
    fn plant(&mut self, name: Option<ActorName>, place: Option<(usize, ChildId)>, spec: TreeSpec) {
        let TreeSpec { strategy, intensity, backoff, auto_shutdown, children } = spec;
        let own = self.groups.len();
        let spec = Spec { strategy, intensity, backoff, auto_shutdown, children: Vec::new() };
        self.groups.push(Group { name, place, spec, members: Vec::new(), life: None, lives: 0 });
        for (place, child) in (0..).map(ChildId).zip(children) {
            let (member, child) = match child {
                NodeSpec::Actor(child) => (self.sprout(own, place, child.name.clone()), child),
                NodeSpec::Group { name, restart, significant, spec } => {
                    let member = Member::Group(self.groups.len());
                    self.plant(Some(name.clone()), Some((own, place)), spec);
                    (member, ChildSpec { name, restart, significant, shutdown: Shutdown::Infinite })
                }
            };
            self.groups[own].members.push(member);
            self.groups[own].spec.children.push(child);
        }
    }

    /// Makes an actor.
    fn sprout(&mut self, group: usize, place: ChildId, name: ActorName) -> Member {
        let child = ChildId(u32::try_from(self.leaves.len()).unwrap_or(u32::MAX));
        self.leaves.push(Leaf { name, group, place, base: 0, latest: 0, removed: false });
        Member::Actor(child)
    }

    /// Whom an event concerns, and what it is there.
    fn localize(&mut self, event: Event) -> Option<(usize, Event)> {
        let life = |child: ChildId, generation: Generation| {
            let leaf = self.leaves.get(index(child))?;
            Some((leaf.group, leaf.place, Generation(generation.0.checked_sub(leaf.base)?)))
        };
        Some(match event {
            Event::Start | Event::Stop(_) => (0, event),
            Event::Started { child, generation } => {
                let (group, child, generation) = life(child, generation)?;
                (group, Event::Started { child, generation })
            }
            Event::StartFailed { child, generation, reason } => {
                let (group, child, generation) = life(child, generation)?;
                (group, Event::StartFailed { child, generation, reason })
            }
            Event::Exited { child, generation, exit } => {
                let (group, child, generation) = life(child, generation)?;
                (group, Event::Exited { child, generation, exit })
            }
            Event::Timer(timer) => {
                let (group, timer) = self.timers.remove(&timer)?;
                (group, Event::Timer(timer))
            }
            Event::Add(spec) => {
                let place = ChildId(u32::try_from(self.groups[0].members.len()).unwrap_or(u32::MAX));
                let gone = self.is_closing() || self.is_over();
                let member = self.sprout(0, place, spec.name.clone());
                self.groups[0].members.push(member);
                self.leaves.last_mut()?.removed = gone;
                (0, Event::Add(spec))
            }
            Event::Remove(child) => {
                let leaf = self.leaves.get_mut(index(child))?;
                leaf.removed = true;
                (leaf.group, Event::Remove(leaf.place))
            }
            Event::Restart(child) => {
                let leaf = self.leaf(child)?;
                (leaf.group, Event::Restart(leaf.place))
            }
        })
    }

    fn settle(&mut self, turn: &mut Turn) {
        while let Some((group, event)) = turn.reports.pop_front() {
            self.tell(group, event, turn);
        }
    }

    /// When the node comes to its end, groups that go down for another reason learn that it is the end,
    /// and the others that nobody will begin them anew.
    fn spread_the_end(&mut self, turn: &mut Turn) {
        let end = StopReason::NodeShutdown;
        let root = self.groups[0].life.as_ref();
        if root.and_then(|life| life.supervisor.farewell()) != Some(end) {
            return;
        }
        for group in 1..self.groups.len() {
            let Some(life) = &mut self.groups[group].life else { continue };
            life.supervisor.expect_the_end();
            if life.supervisor.farewell().is_some_and(|told| told != end) {
                self.tell(group, Event::Stop(end), turn);
            }
        }
    }

    /// Tells a group an event, and does what follows from it at once: down the tree.
    fn tell(&mut self, group: usize, event: Event, turn: &mut Turn) {
        let Some(life) = &mut self.groups[group].life else { return };
        for action in life.supervisor.step(turn.now, event) {
            self.act(group, action, turn);
        }
        let Group { life: Some(life), place: Some((above, child)), .. } = &mut self.groups[group] else { return };
        if !life.up && life.supervisor.is_up() {
            life.up = true;
            turn.reports.push_back((*above, Event::Started { child: *child, generation: life.generation }));
        }
    }

    fn act(&mut self, group: usize, action: Action, turn: &mut Turn) {
        match action {
            Action::Start { child, generation } => match self.member(group, child) {
                Member::Actor(child) => {
                    let leaf = &mut self.leaves[index(child)];
                    leaf.latest = leaf.base + generation.0;
                    turn.out.push(Action::Start { child, generation: Generation(leaf.latest) });
                }
                Member::Group(group) => self.begin(group, generation, turn),
            },
            Action::Stop { child, reason, .. } => match self.member(group, child) {
                Member::Actor(child) => {
                    let generation = Generation(self.leaves[index(child)].latest);
                    turn.out.push(Action::Stop { child, generation, reason });
                }
                Member::Group(group) => self.tell(group, Event::Stop(reason), turn),
            },
            Action::Kill { child, .. } => match self.member(group, child) {
                Member::Actor(child) => {
                    let generation = Generation(self.leaves[index(child)].latest);
                    turn.out.push(Action::Kill { child, generation });
                }
                // It has all the time it needs.
                Member::Group(_) => {}
            },
            Action::Arm { timer, at } => {
                self.armed += 1;
                self.timers.insert(TimerId(self.armed), (group, timer));
                turn.out.push(Action::Arm { timer: TimerId(self.armed), at });
            }
            Action::Cancel(timer) => {
                let armed = self.timers.iter().find(|(_, local)| **local == (group, timer)).map(|(timer, _)| *timer);
                if let Some(timer) = armed {
                    self.timers.remove(&timer);
                    turn.out.push(Action::Cancel(timer));
                }
            }
            Action::Emit { .. } => turn.out.push(action),
            Action::Escalate { .. } | Action::Completed { .. } | Action::Stopped => self.end(group, action, turn),
        }
    }

    fn member(&self, group: usize, place: ChildId) -> Member {
        self.groups[group].members[index(place)]
    }

    /// Begins a life of a group.
    fn begin(&mut self, own: usize, generation: Generation, turn: &mut Turn) {
        let group = &mut self.groups[own];
        group.lives += 1;
        let purpose = group.name.as_ref().map_or_else(String::new, |name| format!("supervisor/{name}"));
        let mut supervisor = Supervisor::new(group.spec.clone(), self.entropy.stream(&purpose, u64::from(group.lives)));
        for member in &group.members {
            if let Member::Actor(child) = member {
                let leaf = &mut self.leaves[index(*child)];
                leaf.base = leaf.latest;
                if leaf.removed {
                    supervisor.step(turn.now, Event::Remove(leaf.place));
                }
            }
        }
        group.life = Some(Life { supervisor, generation, up: false });
        self.tell(own, Event::Start, turn);
    }

    /// A group gave its last action.
    fn end(&mut self, group: usize, last: Action, turn: &mut Turn) {
        let group = &mut self.groups[group];
        let Some((above, child)) = group.place else { return turn.out.push(last) };
        let Some(Life { generation, up, .. }) = group.life.take() else { return };
        let normal = |reason| Event::Exited { child, generation, exit: Exit::Normal { reason } };
        let report = match last {
            Action::Escalate { who, reason, .. } => {
                let reason = format!("{who}: {reason}");
                if up {
                    let exit = Exit::Crash { reason, on_message: false };
                    Event::Exited { child, generation, exit }
                } else {
                    Event::StartFailed { child, generation, reason }
                }
            }
            Action::Completed { who } => normal(format!("{who} ended")),
            Action::Stopped
            | Action::Start { .. }
            | Action::Stop { .. }
            | Action::Kill { .. }
            | Action::Arm { .. }
            | Action::Cancel(_)
            | Action::Emit { .. } => normal("stopped".to_owned()),
        };
        turn.reports.push_back((above, report));
    }
}

/// Saturates where `usize` is narrower than 32 bits: no such actor then.
fn index(child: ChildId) -> usize {
    usize::try_from(child.0).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
