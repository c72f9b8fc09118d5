//! The reference: what a supervisor may do and what it must do, from the rules alone.
//!
//! It judges every action and, after every step, that nothing was left undone. It keeps lists where
//! the machine keeps flags, and looks at the whole past where the machine keeps a window.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunect_core::{Mono, StopReason};
use nunect_supervisor::{
    Action, AutoShutdown, ChildId, ChildSpec, Event, Exit, Generation, Restart, Shutdown, Spec, Strategy, TimerId,
};

pub(crate) struct Referee {
    spec: Spec,
    goal: Goal,
    now: Mono,
    starts: BTreeMap<ChildId, u32>,
    lives: BTreeMap<ChildId, Life>,
    /// Lives that are to end, by the will of the supervisor, and why.
    condemned: BTreeMap<ChildId, StopReason>,
    /// Children that are down and to be started.
    owed: BTreeSet<ChildId>,
    /// Children whose first start is done.
    came_up: BTreeSet<ChildId>,
    /// Children that came after the start.
    added: BTreeSet<ChildId>,
    removed: BTreeSet<ChildId>,
    /// All crashes that were ever charged: to whom, and when.
    charged: Vec<(ChildId, Mono)>,
    /// When a child came up first since it was last charged.
    clean_since: BTreeMap<ChildId, Mono>,
    /// How many charges of a child count for its next wait.
    level: BTreeMap<ChildId, i32>,
    waits: BTreeMap<TimerId, Wait>,
    graces: BTreeMap<TimerId, ChildId>,
    /// Since the step began: a wait, a grace or an escalation that must be announced.
    due_wait: Option<(ChildId, ChildId)>,
    due_delay: Option<(ChildId, Duration)>,
    due_grace: Option<(ChildId, Duration)>,
    due_cancel: Option<ChildId>,
    due_escalation: bool,
    escalations: u32,
    completions: u32,
    stopped: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goal {
    New,
    Up,
    Escalate,
    Complete,
    Stop,
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Life {
    generation: Generation,
    up: bool,
    asked: bool,
    killed: bool,
}

/// A back-off: who must not start before when.
#[derive(Clone, Copy)]
struct Wait {
    child: ChildId,
    until: Mono,
}

impl Referee {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            goal: Goal::New,
            now: Mono::ZERO,
            starts: BTreeMap::new(),
            lives: BTreeMap::new(),
            condemned: BTreeMap::new(),
            owed: BTreeSet::new(),
            came_up: BTreeSet::new(),
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            charged: Vec::new(),
            clean_since: BTreeMap::new(),
            level: BTreeMap::new(),
            waits: BTreeMap::new(),
            graces: BTreeMap::new(),
            due_wait: None,
            due_delay: None,
            due_grace: None,
            due_cancel: None,
            due_escalation: false,
            escalations: 0,
            completions: 0,
            stopped: 0,
        }
    }

    pub(crate) fn event(&mut self, now: Mono, event: &Event) {
        self.now = now;
        match event {
            Event::Start if self.goal == Goal::New => {
                self.goal = Goal::Up;
                self.owed = self.children().filter(|child| !self.removed.contains(child)).collect();
            }
            Event::Start => {}
            Event::Stop(reason) => self.stop(*reason),
            Event::Add(spec) => self.add(spec),
            Event::Remove(child) => {
                self.removed.insert(*child);
                self.owed.remove(child);
                self.command(*child, StopReason::Command);
            }
            Event::Restart(child) if self.goal == Goal::Up && !self.removed.contains(child) => {
                self.owed.insert(*child);
                self.command(*child, StopReason::Restart);
            }
            Event::Restart(_) => {}
            Event::Started { child, generation } => {
                if let Some(life) = self.lives.get_mut(child).filter(|life| life.generation == *generation) {
                    life.up = true;
                    if !life.asked {
                        self.clean_since.entry(*child).or_insert(now);
                        self.came_up.insert(*child);
                    }
                }
            }
            Event::StartFailed { child, generation, .. } => self.end(*child, *generation, &crash()),
            Event::Exited { child, generation, exit } => self.end(*child, *generation, exit),
            Event::Timer(timer) => {
                if self.waits.remove(timer).is_none()
                    && let Some(child) = self.graces.remove(timer)
                {
                    assert!(!self.lives[&child].killed);
                    self.lives.entry(child).and_modify(|life| life.killed = true);
                }
            }
        }
    }

    fn stop(&mut self, reason: StopReason) {
        match self.goal {
            Goal::New | Goal::Up | Goal::Escalate | Goal::Complete => self.give_up(Goal::Stop, reason),
            Goal::Stop if reason == StopReason::NodeShutdown => self.give_up(Goal::Stop, reason),
            // Stopped after it gave up: `Stopped` is owed all the same.
            Goal::Over if self.stopped == 0 => self.goal = Goal::Stop,
            Goal::Stop | Goal::Over => {}
        }
    }

    fn add(&mut self, spec: &ChildSpec) {
        let child = ChildId(u32::try_from(self.spec.children.len()).expect("few children"));
        self.spec.children.push(spec.clone());
        match self.goal {
            Goal::New => {}
            Goal::Up => {
                self.added.insert(child);
                self.owed.insert(child);
            }
            Goal::Escalate | Goal::Complete | Goal::Stop | Goal::Over => {
                self.removed.insert(child);
            }
        }
    }

    /// A command ends the life of one child, and its wait.
    fn command(&mut self, child: ChildId, reason: StopReason) {
        if self.goal == Goal::Up && self.lives.contains_key(&child) {
            self.condemned.insert(child, reason);
        }
        if self.waits.values().any(|wait| wait.child == child) {
            self.due_cancel = Some(child);
        }
    }

    /// A life ended.
    fn end(&mut self, child: ChildId, generation: Generation, exit: &Exit) {
        let Some(life) = self.lives.get(&child).copied().filter(|life| life.generation == generation) else { return };
        self.lives.remove(&child);
        if self.condemned.remove(&child).is_some() {
            return;
        }
        let start_failed = !life.up && !matches!(exit, Exit::Normal { .. });
        if start_failed && !self.came_up.contains(&child) {
            if !self.added.contains(&child) {
                self.escalate();
            }
            return;
        }
        self.came_up.insert(child);
        let exit = if start_failed { &crash() } else { exit };
        let again = match (self.kind(child), exit) {
            (Restart::Permanent, _) => true,
            (Restart::Transient, Exit::Normal { .. }) | (Restart::Temporary, _) => false,
            (Restart::Transient, Exit::Crash { .. } | Exit::Killed) => true,
        };
        if !again {
            return self.complete(child);
        }
        let charged = !matches!(exit, Exit::Crash { on_message: true, .. });
        if charged {
            let since = self.clean_since.remove(&child);
            let level = self.level.entry(child).or_insert(-2);
            let clean = since.is_some_and(|since| self.now.since(since) >= self.spec.backoff.reset_after.0);
            *level = if clean { -1 } else { *level + 1 };
            self.charged.push((child, self.now));
            let period = self.spec.intensity.period.0;
            let recent = self.charged.iter().filter(|(_, at)| self.now.since(*at) <= period).count();
            if recent > self.spec.intensity.crashes as usize {
                return self.escalate();
            }
        }
        self.restart_group(child);
        if charged && self.level[&child] >= 0 && !self.nominal(child).is_zero() {
            let first = self.owed.iter().find(|other| self.in_group(child, **other)).expect("the child itself");
            self.due_wait = Some((child, *first));
        }
    }

    fn restart_group(&mut self, crashed: ChildId) {
        self.owed.insert(crashed);
        for sibling in self.children() {
            if sibling == crashed || !self.in_group(crashed, sibling) {
                continue;
            }
            if self.lives.contains_key(&sibling) {
                self.condemned.entry(sibling).or_insert(StopReason::Restart);
            }
            if self.kind(sibling) != Restart::Temporary && !self.removed.contains(&sibling) {
                self.owed.insert(sibling);
            }
        }
    }

    fn in_group(&self, crashed: ChildId, other: ChildId) -> bool {
        match self.spec.strategy {
            Strategy::OneForOne => other == crashed,
            Strategy::OneForAll => true,
            Strategy::RestForOne => other >= crashed,
        }
    }

    fn escalate(&mut self) {
        self.give_up(Goal::Escalate, StopReason::Restart);
        self.due_escalation = true;
        self.escalations += 1;
    }

    /// A child came to its end and nobody starts it again.
    fn complete(&mut self, child: ChildId) {
        let significant = |child: &ChildId| self.spec.children[child.0 as usize].significant;
        // Who is alive or owed has not ended, unless it is about to end for good.
        let active = |child: &ChildId| {
            self.owed.contains(child) || (self.lives.contains_key(child) && !self.condemned.contains_key(child))
        };
        let others = self.children().any(|other| significant(&other) && active(&other));
        let ends = match self.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => significant(&child),
            AutoShutdown::AllSignificant => significant(&child) && !others,
        };
        if ends {
            self.give_up(Goal::Complete, StopReason::Command);
            self.completions += 1;
        }
    }

    fn give_up(&mut self, goal: Goal, reason: StopReason) {
        self.goal = goal;
        self.owed.clear();
        for child in self.lives.keys() {
            let told = self.condemned.entry(*child).or_insert(reason);
            if *told != StopReason::NodeShutdown {
                *told = reason;
            }
        }
    }

    pub(crate) fn action(&mut self, now: Mono, action: &Action) {
        match action {
            Action::Start { child, generation } => self.judge_start(*child, *generation),
            Action::Stop { child, generation, reason } => {
                assert_eq!(self.condemned.get(child), Some(reason));
                match self.shutdown(*child) {
                    Shutdown::Brutal => panic!("{child:?} is to be killed, not asked"),
                    Shutdown::Timeout(grace) => self.due_grace = Some((*child, grace.0)),
                    Shutdown::Infinite => {}
                }
                self.judge_end(*child, *generation);
            }
            Action::Kill { child, generation } => {
                let overdue = self.lives.get(child).is_some_and(|life| life.killed);
                if overdue {
                    assert!(self.lives[child].asked && self.lives[child].generation == *generation);
                } else {
                    assert_eq!(self.shutdown(*child), Shutdown::Brutal, "{child:?} still has time");
                    self.judge_end(*child, *generation);
                }
            }
            Action::Arm { timer, at } => {
                if let Some((child, delay)) = self.due_delay.take() {
                    assert_eq!(*at, now + delay);
                    self.waits.insert(*timer, Wait { child, until: *at });
                } else {
                    let (child, grace) = self.due_grace.take().expect("a timer is for a back-off or a grace");
                    assert_eq!(*at, now + grace);
                    self.graces.insert(*timer, child);
                }
            }
            Action::Cancel(timer) => {
                let wait = self.waits.remove(timer);
                let grace = self.graces.remove(timer);
                if let (Some(wait), Goal::Up) = (wait, self.goal) {
                    assert_eq!(self.due_cancel.take(), Some(wait.child), "a back-off is cancelled and nobody stopped");
                }
                assert!(grace.is_none_or(|child| !self.lives.contains_key(&child)), "a grace is cancelled too early");
                assert!(wait.is_some() || grace.is_some());
            }
            Action::Emit { who, event: nunect_core::Event::RestartScheduled { delay } } => {
                let (crashed, first) = self.due_wait.take().expect("a back-off that is due");
                assert_eq!(*who, self.spec.children[crashed.0 as usize].name);
                let nominal = self.nominal(crashed);
                let (low, high) = (nominal * 4 / 5, (nominal * 6 / 5).min(self.spec.backoff.cap.0));
                assert!((low..=high).contains(delay), "{delay:?} is not within {low:?} and {high:?}");
                self.due_delay = Some((first, *delay));
            }
            Action::Emit { event, .. } => {
                assert_eq!(event.name(), "escalated");
                assert!(std::mem::take(&mut self.due_escalation));
            }
            Action::Escalate { .. } => {
                assert_eq!(self.goal, Goal::Escalate);
                assert!(self.lives.is_empty());
                self.goal = Goal::Over;
            }
            Action::Completed { who } => {
                assert_eq!(self.goal, Goal::Complete);
                assert!(self.lives.is_empty());
                assert!(self.spec.children.iter().any(|child| child.name == *who && child.significant));
                self.goal = Goal::Over;
            }
            Action::Stopped => {
                assert_eq!(self.goal, Goal::Stop);
                assert!(self.lives.is_empty());
                self.goal = Goal::Over;
                self.stopped += 1;
            }
        }
    }

    fn judge_start(&mut self, child: ChildId, generation: Generation) {
        assert_eq!(self.goal, Goal::Up, "{child:?} is started though the supervisor goes down");
        assert!(!self.lives.contains_key(&child), "{child:?} is started while it is alive");
        assert!(self.owed.remove(&child), "nobody wants {child:?}");
        assert!(self.condemned.is_empty() || self.is_alone(), "{child:?} is started before the others are down");
        let wait = self.waits.values().find(|wait| wait.child == child);
        assert!(wait.is_none(), "{child:?} is started at {}, not {:?}", self.now, wait.map(|wait| wait.until));
        assert!(!self.must_wait_for_others(child), "it is not {child:?}'s turn");
        let count = self.starts.entry(child).or_default();
        *count += 1;
        assert_eq!(generation.0, *count);
        self.lives.insert(child, Life { generation, up: false, asked: false, killed: false });
    }

    fn must_wait_for_others(&self, child: ChildId) -> bool {
        let mut earlier = self.children().filter(|other| *other < child);
        match self.spec.strategy {
            Strategy::OneForOne if self.came_up.contains(&child) => false,
            Strategy::OneForOne => earlier.any(|other| {
                let lives = self.lives.contains_key(&other) && !self.condemned.contains_key(&other);
                (lives || self.owed.contains(&other)) && !self.came_up.contains(&other)
            }),
            Strategy::OneForAll | Strategy::RestForOne => {
                earlier.any(|other| self.owed.contains(&other) || self.lives.get(&other).is_some_and(|life| !life.up))
            }
        }
    }

    /// Whether nobody waits for the end of a sibling.
    fn is_alone(&self) -> bool {
        self.spec.strategy == Strategy::OneForOne && self.goal == Goal::Up
    }

    /// A life may be ended: the last of those that must be.
    fn judge_end(&mut self, child: ChildId, generation: Generation) {
        let turn = self.is_alone() || self.condemned.keys().next_back() == Some(&child);
        assert!(turn && self.condemned.contains_key(&child), "it is not {child:?}'s turn to stop");
        let life = self.lives.get_mut(&child).expect("only the living are condemned");
        assert_eq!(life.generation, generation);
        assert!(!life.asked, "{child:?} was asked before");
        life.asked = true;
    }

    /// The supervisor may not put off what it can do.
    pub(crate) fn step_done(&self) {
        assert!(!self.due_escalation && self.due_wait.is_none() && self.due_delay.is_none());
        assert!(self.due_grace.is_none(), "the grace of {:?} has no end", self.due_grace);
        assert!(self.due_cancel.is_none() || self.goal != Goal::Up, "{:?} still waits", self.due_cancel);
        assert!(self.stopped <= 1 && self.escalations + self.completions <= 1);
        assert!(self.goal == Goal::Up || self.waits.is_empty(), "a back-off outlives the stop");
        let asked = |child: &ChildId| assert!(self.lives[child].asked, "{child:?} is to end and was not asked");
        if self.is_alone() {
            self.condemned.keys().for_each(asked);
        } else if let Some(last) = self.condemned.keys().next_back() {
            return asked(last);
        }
        match self.goal {
            Goal::Escalate | Goal::Complete | Goal::Stop => panic!("all are down and the supervisor is silent"),
            Goal::New | Goal::Over => {}
            Goal::Up => {
                for child in self.owed.iter().filter(|child| !self.lives.contains_key(child)) {
                    let waits = self.waits.values().any(|wait| wait.child == *child);
                    assert!(waits || self.must_wait_for_others(*child), "{child:?} could start and does not");
                }
            }
        }
    }

    /// Nothing is under way any more: all is well, or it is over.
    pub(crate) fn at_rest(&self) {
        assert!(self.condemned.is_empty() && self.waits.is_empty() && self.graces.is_empty());
        assert!(self.owed.is_empty(), "{:?} are down for ever", self.owed);
    }

    fn children(&self) -> impl Iterator<Item = ChildId> + use<> {
        (0..u32::try_from(self.spec.children.len()).expect("few children")).map(ChildId)
    }

    fn kind(&self, child: ChildId) -> Restart {
        self.spec.children[child.0 as usize].restart
    }

    fn shutdown(&self, child: ChildId) -> Shutdown {
        self.spec.children[child.0 as usize].shutdown
    }

    /// The wait of a child without its jitter.
    fn nominal(&self, child: ChildId) -> Duration {
        let doubled = 2_f64.powi(self.level[&child]) * self.spec.backoff.first.0.as_secs_f64();
        Duration::try_from_secs_f64(doubled).unwrap_or(Duration::MAX).min(self.spec.backoff.cap.0)
    }
}

fn crash() -> Exit {
    Exit::Crash { reason: "start failed".to_owned(), on_message: false }
}
