//! The machine that decides.

use std::time::Duration;

use nunect_core::random::ChaCha8Rng;
use nunect_core::{ActorName, Mono, StopReason};

use crate::action::{Action, TimerId};
use crate::backoff::Backoff;
use crate::child::{ChildId, ChildState, Generation, Life, Slot};
use crate::event::{Event, Exit};
use crate::intensity::Window;
use crate::spec::{AutoShutdown, ChildSpec, Restart, Shutdown, Spec, Strategy, Verdict};

/// Decides when children start, restart and stop, and when to give up.
///
/// Events only note what is wanted of each child: to be up (`wanted`), to end its present life
/// (`doomed`), to wait (`hold`). After every event [`Supervisor::step`] takes the steps towards that
/// which are allowed now: lives end one at a time from the last child to the first, and only when
/// none is left to end do children start, from the first to the last. (With `one_for_one` nobody
/// waits for a sibling that ends, unless all do.) So a stop in the middle of a start, or a crash in
/// the middle of a restart, needs no case of its own.
#[derive(Clone, Debug)]
pub struct Supervisor {
    strategy: Strategy,
    backoff: Backoff,
    auto_shutdown: AutoShutdown,
    window: Window,
    slots: Vec<Slot>,
    phase: Phase,
    timers: u64,
    rng: ChaCha8Rng,
    /// Nobody is to begin it anew when it ends by itself.
    ends_unit: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Not started yet.
    New,
    /// Keeps the children up.
    Up,
    /// Takes the children down, and then does the last action.
    Closing { last: Action, told: StopReason },
    /// The last action is done.
    Over { stopped: bool },
}

impl Supervisor {
    /// A supervisor of `spec` whose back-off jitter is drawn from `rng`. It waits for
    /// [`Event::Start`].
    #[must_use]
    pub fn new(spec: Spec, rng: ChaCha8Rng) -> Self {
        Self {
            strategy: spec.strategy,
            backoff: spec.backoff,
            auto_shutdown: spec.auto_shutdown,
            window: Window::new(spec.intensity),
            slots: (0..).map(ChildId).zip(spec.children).map(|(id, child)| Slot::new(id, child)).collect(),
            phase: Phase::New,
            timers: 0,
            rng,
            ends_unit: false,
        }
    }

    /// The same, with nobody above it: when it ends by itself the unit ends, and its children are told
    /// so.
    #[must_use]
    pub fn into_root(self) -> Self {
        Self { ends_unit: true, ..self }
    }

    /// Takes one event and says what is to be done about it, in order.
    pub fn step(&mut self, now: Mono, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Start => self.start(),
            Event::Started { child, generation } => self.started(now, child, generation),
            Event::StartFailed { child, generation, reason } => {
                self.ended(now, child, generation, Exit::Crash { reason, on_message: false }, &mut out);
            }
            Event::Exited { child, generation, exit } => self.ended(now, child, generation, exit, &mut out),
            Event::Timer(timer) => self.fired(timer, &mut out),
            Event::Stop(reason) => self.stop(reason, &mut out),
            Event::Add(spec) => self.add(spec),
            Event::Remove(child) => self.remove(child, &mut out),
            Event::Restart(child) => self.restart_alone(child, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    /// Who restarts with a child that crashed.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The unit is about to end, so that nobody above it will begin it anew.
    pub(crate) const fn expect_the_end(&mut self) {
        self.ends_unit = true;
    }

    /// All children, in the order of their start; those that were removed too.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = ChildId> {
        self.slots.iter().map(|slot| slot.id)
    }

    /// The child of that name, unless it was removed.
    #[must_use]
    pub fn find(&self, name: &ActorName) -> Option<ChildId> {
        self.slots.iter().find(|slot| slot.spec.name == *name && !slot.removed).map(|slot| slot.id)
    }

    /// The name of `child`; `None` when there is no such child, as below.
    #[must_use]
    pub fn name(&self, child: ChildId) -> Option<&ActorName> {
        self.slot(child).map(|slot| &slot.spec.name)
    }

    /// How `child` does.
    #[must_use]
    pub fn state(&self, child: ChildId) -> Option<ChildState> {
        self.slot(child).map(|slot| match slot.life {
            Life::Starting => ChildState::Starting,
            Life::Running => ChildState::Running,
            Life::Stopping(_) => ChildState::Stopping,
            Life::Down if slot.hold.is_some() => ChildState::BackingOff,
            Life::Down if slot.removed => ChildState::Ended,
            Life::Down if slot.wanted || self.phase == Phase::New => ChildState::Pending,
            Life::Down => ChildState::Ended,
        })
    }

    /// The latest life of `child`; 0 before its first.
    #[must_use]
    pub fn generation(&self, child: ChildId) -> Option<Generation> {
        self.slot(child).map(|slot| slot.generation)
    }

    /// How often `child` was started after its first start, for its own sake or a sibling's.
    #[must_use]
    pub fn restarts(&self, child: ChildId) -> Option<u32> {
        self.slot(child).map(|slot| slot.generation.0.saturating_sub(1))
    }

    /// Whether every child had its first start.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Up && !self.slots.iter().any(Slot::owes_its_first_start)
    }

    /// Whether any child has a life that has not ended.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.slots.iter().any(Slot::is_alive)
    }

    /// Whether the children are being taken down for good: by a stop, by an escalation, or because a
    /// significant one ended.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// What the children are told that are being taken down for good.
    pub(crate) const fn farewell(&self) -> Option<StopReason> {
        match &self.phase {
            Phase::Closing { told, .. } => Some(*told),
            Phase::New | Phase::Up | Phase::Over { .. } => None,
        }
    }

    /// Whether the last action was given: [`Action::Stopped`], [`Action::Completed`] or
    /// [`Action::Escalate`].
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    fn slot(&self, child: ChildId) -> Option<&Slot> {
        self.slots.get(index(child))
    }

    fn start(&mut self) {
        if self.phase == Phase::New {
            self.phase = Phase::Up;
            self.slots.iter_mut().for_each(|slot| slot.wanted = !slot.removed);
        }
    }

    fn add(&mut self, spec: ChildSpec) {
        let id = ChildId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        let mut slot = Slot::new(id, spec);
        match self.phase {
            Phase::New => {}
            Phase::Up => (slot.added, slot.wanted) = (true, true),
            Phase::Closing { .. } | Phase::Over { .. } => slot.removed = true,
        }
        self.slots.push(slot);
    }

    fn remove(&mut self, child: ChildId, out: &mut Vec<Action>) {
        let Some(slot) = self.slots.get_mut(index(child)) else { return };
        slot.removed = true;
        slot.wanted = false;
        out.extend(slot.hold.take().map(Action::Cancel));
        // Whoever goes down with all the others was told so.
        if slot.is_alive() && self.phase == Phase::Up {
            slot.doomed = Some(StopReason::Command);
        }
    }

    fn restart_alone(&mut self, child: ChildId, out: &mut Vec<Action>) {
        if self.phase != Phase::Up {
            return;
        }
        if let Some(slot) = self.slots.get_mut(index(child)).filter(|slot| !slot.removed) {
            slot.wanted = true;
            out.extend(slot.hold.take().map(Action::Cancel));
            if slot.is_alive() {
                slot.doomed = Some(StopReason::Restart);
            }
        }
    }

    fn started(&mut self, now: Mono, child: ChildId, generation: Generation) {
        if let Some(slot) = alive(&mut self.slots, child, generation).filter(|slot| slot.life == Life::Starting) {
            slot.life = Life::Running;
            slot.came_up = true;
            slot.backoff.started(now);
        }
    }

    /// A life ended, or did not begin.
    fn ended(&mut self, now: Mono, child: ChildId, generation: Generation, exit: Exit, out: &mut Vec<Action>) {
        let Some(slot) = alive(&mut self.slots, child, generation) else { return };
        let life = std::mem::replace(&mut slot.life, Life::Down);
        let doomed = slot.doomed.take();
        if let Life::Stopping(grace) = life {
            out.extend(grace.map(Action::Cancel));
        }
        if doomed.is_some() {
            return;
        }
        let failed_start = life == Life::Starting && !exit.is_normal();
        if failed_start && !slot.came_up {
            if slot.added {
                slot.wanted = false;
                return;
            }
            let crashes = self.window.charge(now);
            return self.escalate(child, crashes, exit.into_reason(), out);
        }
        slot.came_up = true;
        match slot.spec.restart.verdict(&exit) {
            Verdict::Leave => {
                slot.wanted = false;
                self.complete(child, out);
            }
            Verdict::Restart { charged: false } if !failed_start => self.restart(now, child, Duration::ZERO, out),
            Verdict::Restart { .. } => {
                let wait = slot.backoff.charge(now, &self.backoff, &mut self.rng);
                let crashes = self.window.charge(now);
                if crashes > self.window.intensity.crashes {
                    self.escalate(child, crashes, exit.into_reason(), out);
                } else {
                    self.restart(now, child, wait, out);
                }
            }
        }
    }

    /// Restarts `child` after `wait`, and with it those that the strategy says.
    fn restart(&mut self, now: Mono, child: ChildId, wait: Duration, out: &mut Vec<Action>) {
        let all = 0..self.slots.len();
        let own = index(child);
        let affected = match self.strategy {
            Strategy::OneForOne => own..own + 1,
            Strategy::OneForAll => all,
            Strategy::RestForOne => own..all.end,
        };
        for slot in self.slots[affected.clone()].iter_mut().filter(|slot| !slot.removed) {
            let stays = slot.is_alive() && slot.doomed.is_none();
            if stays {
                slot.doomed = Some(StopReason::Restart);
            }
            // A temporary child that is still to be started, or started again by a command, will be.
            slot.wanted = slot.spec.restart != Restart::Temporary || (slot.wanted && !stays);
        }
        if wait.is_zero() {
            return;
        }
        let event = nunect_core::Event::RestartScheduled { delay: wait };
        out.push(Action::Emit { who: self.slots[own].spec.name.clone(), event });
        let timer = self.arm(now + wait, out);
        // Who starts first waits; those after it wait for their turn anyway.
        if let Some(slot) = self.slots[affected].iter_mut().find(|slot| slot.wanted) {
            out.extend(slot.hold.replace(timer).map(Action::Cancel));
        }
    }

    fn escalate(&mut self, child: ChildId, crashes: u32, reason: String, out: &mut Vec<Action>) {
        let period = self.window.intensity.period.0;
        let event = nunect_core::Event::Escalated { crashes, period, reason: reason.clone() };
        let who = self.slots[index(child)].spec.name.clone();
        out.push(Action::Emit { who: who.clone(), event });
        // Below the root, whether the unit ends is for the parent to decide: to the children it is a restart.
        let told = if self.ends_unit { StopReason::NodeShutdown } else { StopReason::Restart };
        self.close(told, Action::Escalate { who, crashes, period, reason }, out);
    }

    /// `child` came to its end and stays down: does that end it all?
    fn complete(&mut self, child: ChildId, out: &mut Vec<Action>) {
        let slot = &self.slots[index(child)];
        let ends = slot.spec.significant
            && match self.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => !self.slots.iter().any(|slot| slot.spec.significant && slot.wanted),
            };
        if ends {
            let last = Action::Completed { who: slot.spec.name.clone() };
            let told = if self.ends_unit { StopReason::NodeShutdown } else { StopReason::Command };
            self.close(told, last, out);
        }
    }

    fn stop(&mut self, reason: StopReason, out: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::New | Phase::Up => self.close(reason, Action::Stopped, out),
            Phase::Closing { last, .. } if *last != Action::Stopped || reason == StopReason::NodeShutdown => {
                self.close(reason, Action::Stopped, out);
            }
            Phase::Over { stopped: stopped @ false } => {
                *stopped = true;
                out.push(Action::Stopped);
            }
            Phase::Closing { .. } | Phase::Over { stopped: true } => {}
        }
    }

    /// From now on the children go down.
    fn close(&mut self, reason: StopReason, last: Action, out: &mut Vec<Action>) {
        for slot in &mut self.slots {
            slot.wanted = false;
            out.extend(slot.hold.take().map(Action::Cancel));
            // What is the end of the unit stays it.
            if slot.is_alive() && slot.doomed != Some(StopReason::NodeShutdown) {
                slot.doomed = Some(reason);
            }
        }
        let told = if self.farewell() == Some(StopReason::NodeShutdown) { StopReason::NodeShutdown } else { reason };
        self.phase = Phase::Closing { last, told };
    }

    fn fired(&mut self, timer: TimerId, out: &mut Vec<Action>) {
        for slot in &mut self.slots {
            if slot.hold == Some(timer) {
                slot.hold = None;
            }
            if slot.life == Life::Stopping(Some(timer)) {
                slot.life = Life::Stopping(None);
                out.push(Action::Kill { child: slot.id, generation: slot.generation });
            }
        }
    }

    fn arm(&mut self, at: Mono, out: &mut Vec<Action>) -> TimerId {
        self.timers += 1;
        let timer = TimerId(self.timers);
        out.push(Action::Arm { timer, at });
        timer
    }

    /// Takes the steps that are allowed now.
    fn advance(&mut self, now: Mono, out: &mut Vec<Action>) {
        let alone = self.strategy == Strategy::OneForOne && self.phase == Phase::Up;
        if alone {
            // Nobody stands on anybody else, and only a command ends a life.
            (0..self.slots.len()).rev().for_each(|doomed| self.end_life(now, doomed, out));
            self.begin_lives(out);
        } else if let Some(doomed) = self.slots.iter().rposition(|slot| slot.doomed.is_some()) {
            self.end_life(now, doomed, out);
        } else if let Phase::Closing { last, .. } = &mut self.phase {
            let last = std::mem::replace(last, Action::Stopped);
            self.phase = Phase::Over { stopped: last == Action::Stopped };
            out.push(last);
        } else {
            self.begin_lives(out);
        }
    }

    /// Asks a child that is to end to stop, or kills it, unless that is done already.
    fn end_life(&mut self, now: Mono, doomed: usize, out: &mut Vec<Action>) {
        let slot = &self.slots[doomed];
        let (Life::Starting | Life::Running, Some(reason)) = (slot.life, slot.doomed) else { return };
        let (child, generation) = (slot.id, slot.generation);
        let grace = match slot.spec.shutdown {
            Shutdown::Brutal => {
                out.push(Action::Kill { child, generation });
                None
            }
            Shutdown::Timeout(grace) => {
                out.push(Action::Stop { child, generation, reason });
                Some(self.arm(now + grace.0, out))
            }
            Shutdown::Infinite => {
                out.push(Action::Stop { child, generation, reason });
                None
            }
        };
        self.slots[doomed].life = Life::Stopping(grace);
    }

    /// Starts the children whose turn has come.
    fn begin_lives(&mut self, out: &mut Vec<Action>) {
        let mut earlier_started_once = true;
        let mut earlier_run = true;
        for slot in self.slots.iter_mut().filter(|slot| slot.wanted) {
            let its_turn = match self.strategy {
                // A restart concerns nobody else and waits for nobody else.
                Strategy::OneForOne => earlier_started_once || !slot.owes_its_first_start(),
                Strategy::OneForAll | Strategy::RestForOne => earlier_run,
            };
            if slot.life == Life::Down && slot.hold.is_none() && its_turn {
                slot.generation.0 += 1;
                slot.life = Life::Starting;
                out.push(Action::Start { child: slot.id, generation: slot.generation });
            }
            earlier_started_once &= !slot.owes_its_first_start();
            earlier_run &= slot.life == Life::Running;
        }
    }
}

/// Saturates where `usize` is narrower than 32 bits: no such child then.
fn index(child: ChildId) -> usize {
    usize::try_from(child.0).unwrap_or(usize::MAX)
}

/// The slot of `child`, if `generation` is its present life.
fn alive(slots: &mut [Slot], child: ChildId, generation: Generation) -> Option<&mut Slot> {
    slots.get_mut(index(child)).filter(|slot| slot.generation == generation && slot.is_alive())
}

#[cfg(test)]
mod tests;
