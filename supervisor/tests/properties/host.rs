//! A small host: it does what the supervisor says and answers, as the scenario has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunect_core::Mono;
use nunect_core::random::{ChaCha8Rng, SeedableRng};
use nunect_supervisor::{
    Action, ChildId, ChildSpec, ChildState, Event, Exit, Generation, Shutdown, Supervisor, TimerId,
};

use crate::referee::Referee;
use crate::scenario::{Disturbance, Fortune, Scenario};

/// One event and what the supervisor did about it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) now: Mono,
    pub(crate) event: Event,
    pub(crate) actions: Vec<Action>,
    /// How the children did before, and whether the supervisor was on its way to escalate.
    pub(crate) before: Vec<ChildState>,
    pub(crate) escalating: bool,
}

impl Step {
    pub(crate) const fn stops(&self) -> bool {
        matches!(self.event, Event::Stop(_))
    }
}

/// Everything that happened in a run, and the supervisor at its end.
pub(crate) struct Run {
    pub(crate) steps: Vec<Step>,
    pub(crate) supervisor: Supervisor,
    /// All children there ever were.
    pub(crate) children: Vec<ChildSpec>,
}

impl Run {
    pub(crate) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().flat_map(|step| &step.actions)
    }
}

#[derive(Clone, Copy, Debug)]
struct Life {
    generation: Generation,
    up: bool,
    fortune: Fortune,
}

pub(crate) struct Host {
    scenario: Scenario,
    supervisor: Supervisor,
    referee: Referee,
    now: Mono,
    lives: BTreeMap<ChildId, Life>,
    over: BTreeMap<ChildId, Generation>,
    /// Answers under way; the number keeps those of one instant in order.
    answers: BTreeMap<(Mono, u64), Event>,
    timers: BTreeMap<TimerId, Mono>,
    used_timers: BTreeSet<TimerId>,
    started_lives: usize,
    sent: u64,
    calm: bool,
    steps: Vec<Step>,
}

impl Host {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self {
            supervisor: Supervisor::new(scenario.spec.clone(), ChaCha8Rng::seed_from_u64(scenario.seed)),
            referee: Referee::new(scenario.spec.clone()),
            scenario,
            now: Mono::ZERO,
            lives: BTreeMap::new(),
            over: BTreeMap::new(),
            answers: BTreeMap::new(),
            timers: BTreeMap::new(),
            used_timers: BTreeSet::new(),
            started_lives: 0,
            sent: 0,
            calm: false,
            steps: Vec::new(),
        }
    }

    /// Starts the supervisor, plays the script, and then lets things calm down.
    pub(crate) fn run(scenario: Scenario) -> Run {
        let mut host = Self::new(scenario);
        host.tell(Event::Start);
        for (gap_ms, disturbance) in std::mem::take(&mut host.scenario.script) {
            host.pass(Some(host.now + Duration::from_millis(gap_ms)));
            host.disturb(disturbance);
        }
        host.finish()
    }

    /// Lets everything go well until nothing is under way any more.
    pub(crate) fn finish(mut self) -> Run {
        self.settle();
        Run { steps: self.steps, supervisor: self.supervisor, children: self.scenario.spec.children }
    }

    pub(crate) fn settle(&mut self) {
        self.calm = true;
        self.pass(None);
        self.referee.at_rest();
    }

    /// Delivers answers and timers up to `until`, or all.
    fn pass(&mut self, until: Option<Mono>) {
        loop {
            let answer = self.answers.first_key_value().map(|(&(at, _), _)| at);
            let timer = self.timers.iter().map(|(&timer, &at)| (at, timer)).min();
            let next = answer.into_iter().chain(timer.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| until.is_none_or(|until| *next <= until)) else { break };
            self.now = self.now.max(next);
            let event = match timer {
                Some((at, timer)) if at == next => {
                    self.timers.remove(&timer);
                    Event::Timer(timer)
                }
                Some(_) | None => match self.answers.pop_first() {
                    Some((_, event)) => event,
                    None => break,
                },
            };
            self.tell(event);
        }
        self.now = until.map_or(self.now, |until| self.now.max(until));
    }

    pub(crate) fn disturb(&mut self, disturbance: Disturbance) {
        match disturbance {
            Disturbance::Exit { child, exit, early } => {
                if let Some(life) = self.lives.get(&child).filter(|life| life.up || early) {
                    let generation = life.generation;
                    self.tell(Event::Exited { child, generation, exit });
                }
            }
            Disturbance::StaleAnswers(child) => {
                if let Some(&generation) = self.over.get(&child) {
                    self.tell(Event::Started { child, generation });
                    self.tell(Event::StartFailed { child, generation, reason: "stale".to_owned() });
                    self.tell(Event::Exited { child, generation, exit: Exit::Killed });
                }
            }
            Disturbance::StaleTimer(timer) => {
                if self.used_timers.contains(&TimerId(timer)) && !self.timers.contains_key(&TimerId(timer)) {
                    self.tell(Event::Timer(TimerId(timer)));
                }
            }
            Disturbance::StartAgain => self.tell(Event::Start),
            Disturbance::Stop(reason) => self.tell(Event::Stop(reason)),
            Disturbance::Add(spec) => self.tell(Event::Add(spec)),
            Disturbance::Remove(child) if self.knows(child) => self.tell(Event::Remove(child)),
            Disturbance::Restart(child) if self.knows(child) => self.tell(Event::Restart(child)),
            Disturbance::Remove(_) | Disturbance::Restart(_) => {}
        }
    }

    fn knows(&self, child: ChildId) -> bool {
        (child.0 as usize) < self.scenario.spec.children.len()
    }

    /// One step of the supervisor, watched by the referee.
    pub(crate) fn tell(&mut self, event: Event) {
        let before = self.supervisor.children().filter_map(|child| self.supervisor.state(child)).collect();
        let escalating = self.supervisor.is_closing() && !self.steps.iter().any(|step| step.stops());
        self.note(&event);
        self.referee.event(self.now, &event);
        let actions = self.supervisor.step(self.now, event.clone());
        for action in &actions {
            self.referee.action(self.now, action);
            self.perform(action);
        }
        self.referee.step_done();
        self.steps.push(Step { now: self.now, event, actions, before, escalating });
    }

    /// Keeps track of what really lives.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Started { child, generation } => {
                if let Some(life) = self.lives.get_mut(child).filter(|life| life.generation == *generation) {
                    life.up = true;
                }
            }
            Event::StartFailed { child, generation, .. } | Event::Exited { child, generation, .. } => {
                if self.lives.get(child).is_some_and(|life| life.generation == *generation) {
                    self.lives.remove(child);
                    self.over.insert(*child, *generation);
                    self.drop_answers(*child);
                }
            }
            Event::Add(spec) => self.scenario.spec.children.push(spec.clone()),
            Event::Start | Event::Timer(_) | Event::Stop(_) | Event::Remove(_) | Event::Restart(_) => {}
        }
    }

    fn drop_answers(&mut self, of: ChildId) {
        self.answers.retain(|_, event| match event {
            Event::Started { child, .. } | Event::StartFailed { child, .. } | Event::Exited { child, .. } => {
                *child != of
            }
            Event::Start | Event::Timer(_) | Event::Stop(_) | Event::Add(_) | Event::Remove(_) | Event::Restart(_) => {
                true
            }
        });
    }

    fn answer(&mut self, after_ms: u64, event: Event) {
        self.sent += 1;
        self.answers.insert((self.now + Duration::from_millis(after_ms), self.sent), event);
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::Start { child, generation } => {
                let fortunes = &self.scenario.fortunes;
                let fortune = if self.calm { Fortune::GOOD } else { fortunes[self.started_lives % fortunes.len()] };
                self.started_lives += 1;
                let before = self.lives.insert(child, Life { generation, up: false, fortune });
                assert!(before.is_none(), "{child:?} is started while it is alive");
                let fails = if generation == Generation(1) { fortune.fails_at_first } else { fortune.fails_again };
                let event = if fails {
                    Event::StartFailed { child, generation, reason: "test".to_owned() }
                } else {
                    Event::Started { child, generation }
                };
                self.answer(fortune.start_ms, event);
            }
            Action::Stop { child, generation, .. } => {
                let fortune = self.lives[&child].fortune;
                let patient = self.scenario.spec.children[child.0 as usize].shutdown == Shutdown::Infinite;
                let exit = if fortune.crashes_on_stop {
                    Exit::Crash { reason: "test".to_owned(), on_message: false }
                } else {
                    Exit::Normal { reason: "asked to".to_owned() }
                };
                if let Some(after_ms) = fortune.stop_ms.or(patient.then_some(5_000)) {
                    self.answer(after_ms, Event::Exited { child, generation, exit });
                }
            }
            Action::Kill { child, generation } => {
                self.drop_answers(child);
                self.answer(1, Event::Exited { child, generation, exit: Exit::Killed });
            }
            Action::Arm { timer, at } => {
                assert!(self.used_timers.insert(timer), "{timer:?} is used twice");
                self.timers.insert(timer, at);
            }
            Action::Cancel(timer) => {
                assert!(self.timers.remove(&timer).is_some(), "{timer:?} is cancelled but not armed");
            }
            Action::Emit { .. } | Action::Escalate { .. } | Action::Completed { .. } | Action::Stopped => {}
        }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The children that live, in the order of their start.
    pub(crate) fn alive(&self) -> Vec<ChildId> {
        self.lives.keys().copied().collect()
    }
}
