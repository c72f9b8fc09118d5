//! What a host has: lives, answers under way, timers. It does what it is told as the scenario has it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nunect_core::Mono;
use nunect_supervisor::{Action, ChildId, ChildSpec, Event, Exit, Generation, Shutdown, TimerId};

use crate::scenario::{Disturbance, Fortune};

#[derive(Clone, Copy, Debug)]
struct Life {
    generation: Generation,
    up: bool,
    fortune: Fortune,
}

pub(crate) struct Stage {
    pub(crate) now: Mono,
    /// All children there ever were.
    pub(crate) children: Vec<ChildSpec>,
    pub(crate) calm: bool,
    fortunes: Vec<Fortune>,
    lives: BTreeMap<ChildId, Life>,
    over: BTreeMap<ChildId, Generation>,
    /// Answers under way; the number keeps those of one instant in order.
    answers: BTreeMap<(Mono, u64), Event>,
    timers: BTreeMap<TimerId, Mono>,
    used_timers: BTreeSet<TimerId>,
    started_lives: usize,
    sent: u64,
}

/// A machine on a stage.
pub(crate) trait Play {
    fn stage(&mut self) -> &mut Stage;

    /// One step of the machine, watched.
    fn tell(&mut self, event: Event);

    /// Starts the machine and plays the script.
    fn play(&mut self, script: Vec<(u64, Disturbance)>) {
        self.tell(Event::Start);
        for (gap_ms, disturbance) in script {
            let until = self.stage().now + Duration::from_millis(gap_ms);
            self.pass(Some(until));
            self.disturb(disturbance);
        }
    }

    /// Delivers answers and timers up to `until`, or all.
    fn pass(&mut self, until: Option<Mono>) {
        while let Some(event) = self.stage().next(until) {
            self.tell(event);
        }
        let stage = self.stage();
        stage.now = until.map_or(stage.now, |until| stage.now.max(until));
    }

    fn disturb(&mut self, disturbance: Disturbance) {
        for event in self.stage().events_of(disturbance) {
            self.tell(event);
        }
    }
}

impl Stage {
    pub(crate) fn new(children: Vec<ChildSpec>, fortunes: Vec<Fortune>) -> Self {
        Self {
            now: Mono::ZERO,
            children,
            calm: false,
            fortunes,
            lives: BTreeMap::new(),
            over: BTreeMap::new(),
            answers: BTreeMap::new(),
            timers: BTreeMap::new(),
            used_timers: BTreeSet::new(),
            started_lives: 0,
            sent: 0,
        }
    }

    /// The next answer or timer up to `until`.
    fn next(&mut self, until: Option<Mono>) -> Option<Event> {
        let answer = self.answers.first_key_value().map(|(&(at, _), _)| at);
        let timer = self.timers.iter().map(|(&timer, &at)| (at, timer)).min();
        let next = answer.into_iter().chain(timer.map(|(at, _)| at)).min();
        let next = next.filter(|next| until.is_none_or(|until| *next <= until))?;
        self.now = self.now.max(next);
        match timer {
            Some((at, timer)) if at == next => {
                self.timers.remove(&timer);
                Some(Event::Timer(timer))
            }
            Some(_) | None => self.answers.pop_first().map(|(_, event)| event),
        }
    }

    fn events_of(&self, disturbance: Disturbance) -> Vec<Event> {
        let known = |child: ChildId| (child.0 as usize) < self.children.len();
        match disturbance {
            Disturbance::Exit { child, exit, early } => {
                let life = self.lives.get(&child).filter(|life| life.up || early);
                life.map(|life| Event::Exited { child, generation: life.generation, exit }).into_iter().collect()
            }
            Disturbance::StaleAnswers(child) => match self.over.get(&child) {
                Some(&generation) => vec![
                    Event::Started { child, generation },
                    Event::StartFailed { child, generation, reason: "stale".to_owned() },
                    Event::Exited { child, generation, exit: Exit::Killed },
                ],
                None => Vec::new(),
            },
            Disturbance::StaleTimer(timer) => {
                let timer = TimerId(timer);
                let stale = self.used_timers.contains(&timer) && !self.timers.contains_key(&timer);
                stale.then_some(Event::Timer(timer)).into_iter().collect()
            }
            Disturbance::StartAgain => vec![Event::Start],
            Disturbance::Stop(reason) => vec![Event::Stop(reason)],
            Disturbance::Add(spec) => vec![Event::Add(spec)],
            Disturbance::Remove(child) if known(child) => vec![Event::Remove(child)],
            Disturbance::Restart(child) if known(child) => vec![Event::Restart(child)],
            Disturbance::Remove(_) | Disturbance::Restart(_) => Vec::new(),
        }
    }

    /// Keeps track of what really lives.
    pub(crate) fn note(&mut self, event: &Event) {
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
            Event::Add(spec) => self.children.push(spec.clone()),
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

    pub(crate) fn perform(&mut self, action: &Action) {
        match *action {
            Action::Start { child, generation } => self.start(child, generation),
            Action::Stop { child, generation, .. } => {
                assert_eq!(self.lives[&child].generation, generation, "{child:?} lives another life");
                let fortune = self.lives[&child].fortune;
                let patient = self.children[child.0 as usize].shutdown == Shutdown::Infinite;
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
                assert_eq!(self.lives[&child].generation, generation, "{child:?} lives another life");
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

    fn start(&mut self, child: ChildId, generation: Generation) {
        let fortunes = &self.fortunes;
        let fortune = if self.calm { Fortune::GOOD } else { fortunes[self.started_lives % fortunes.len()] };
        self.started_lives += 1;
        let before = self.lives.insert(child, Life { generation, up: false, fortune });
        assert!(before.is_none(), "{child:?} is started while it is alive");
        let last = self.over.get(&child).copied().unwrap_or_default();
        assert_eq!(generation.0, last.0 + 1, "{child:?} was {last:?} before");
        let fails = if generation == Generation(1) { fortune.fails_at_first } else { fortune.fails_again };
        let event = if fails {
            Event::StartFailed { child, generation, reason: "test".to_owned() }
        } else {
            Event::Started { child, generation }
        };
        self.answer(fortune.start_ms, event);
    }

    /// The children that live, in the order of their start.
    pub(crate) fn alive(&self) -> Vec<ChildId> {
        self.lives.keys().copied().collect()
    }

    /// Nothing is under way any more.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.timers.is_empty() && self.answers.is_empty()
    }
}
