//! The one ractor actor that hosts every component.

use std::sync::Arc;

use nunect_core::cell::{Cell, Crash};
use nunect_core::health::Cause;
use nunect_core::mailbox::Delivery;
use nunect_core::protocol::dead;
use nunect_core::{Effects, Event, Incarnation, Input, Now};
use nunect_supervisor::Exit;
use ractor::{ActorProcessingErr, ActorRef};

use crate::component::{Component, Control, Next};
use crate::node::Shared;
use crate::timers::Waiting;

/// Inputs that an actor takes before others have their turn.
const BATCH: usize = 64;
/// Inputs between two readings of the clocks within a batch: 60 ns each would be felt.
const CLOCK_EVERY: usize = 16;

/// Something waits for the actor.
#[derive(Debug)]
pub(crate) struct Ring;

impl ractor::Message for Ring {}

/// Hosts one life of a component's actor.
pub(crate) struct Shell;

/// One life.
pub(crate) struct Life {
    cell: Cell,
    home: Home,
}

/// Where a life takes place.
struct Home {
    component: Arc<Component>,
    node: Arc<Shared>,
    incarnation: Incarnation,
}

impl Life {
    pub(crate) const fn new(cell: Cell, component: Arc<Component>, node: Arc<Shared>) -> Self {
        let incarnation = cell.incarnation();
        Self { cell, home: Home { component, node, incarnation } }
    }
}

/// How a batch ended.
enum Batch {
    /// Nothing waits.
    Idle,
    /// More waits: ring again.
    More,
    /// The life came to its end.
    End(String),
}

impl ractor::Actor for Shell {
    type Msg = Ring;
    type State = Life;
    type Arguments = Life;

    async fn pre_start(&self, myself: ActorRef<Ring>, life: Life) -> Result<Life, ActorProcessingErr> {
        let Home { component, node, incarnation } = &life.home;
        component.attach(myself, *incarnation, node.first_inputs(component).into_iter());
        Ok(life)
    }

    async fn handle(&self, myself: ActorRef<Ring>, Ring: Ring, life: &mut Life) -> Result<(), ActorProcessingErr> {
        match life.batch() {
            Ok(Batch::Idle) => life.arm(),
            Ok(Batch::More) => myself.cast(Ring)?,
            Ok(Batch::End(reason)) => {
                life.home.end(Exit::Normal { reason: reason.clone() });
                myself.stop(Some(reason));
            }
            Err(reason) => return Err(reason.into()),
        }
        Ok(())
    }
}

impl Life {
    /// Takes inputs until nothing waits, it is others' turn, or the life ends. A crash is already
    /// dealt with when it comes back as an error.
    fn batch(&mut self) -> Result<Batch, String> {
        let mut now = self.home.node.clock.now();
        let mut handled: Option<Delivery> = None;
        for step in 1..=BATCH {
            let due = self.cell.deadline().is_some_and(|deadline| deadline.at <= now.mono);
            if due && let Some(reason) = self.wake(now)? {
                self.home.component.settle(handled);
                return Ok(Batch::End(reason));
            }
            let ended = match self.home.component.next(handled.take()) {
                Next::Nothing => return Ok(Batch::Idle),
                Next::Message(delivery) => {
                    let ended = match self.cell.handle(now, Input::Message(delivery.message())) {
                        Ok(effects) => self.home.carry_out(effects),
                        Err(crash) => return Err(self.home.crash(now, &crash, Some(delivery))),
                    };
                    handled = Some(delivery);
                    ended
                }
                Next::Control(control) => self.control(now, control)?,
            };
            if let Some(reason) = ended {
                self.home.component.settle(handled);
                return Ok(Batch::End(reason));
            }
            if step % CLOCK_EVERY == 0 {
                now = self.home.node.clock.now();
            }
        }
        self.home.component.settle(handled);
        Ok(Batch::More)
    }

    fn wake(&mut self, now: Now) -> Result<Option<String>, String> {
        match self.cell.wake(now) {
            Ok(None) => Ok(None),
            Ok(Some(effects)) => Ok(self.home.carry_out(effects)),
            Err(crash) => Err(self.home.crash(now, &crash, None)),
        }
    }

    fn control(&mut self, now: Now, control: Control) -> Result<Option<String>, String> {
        let (input, end) = match &control {
            Control::Started => (Input::Started, None),
            Control::Reply { id, sent, result } => {
                let result = result.as_deref().map_err(|error| *error);
                (Input::Reply { id: *id, sent: *sent, result }, None)
            }
            Control::Host(report) => (Input::Host(*report), None),
            Control::Bus(event) => (Input::Bus(*event), None),
            Control::Node(report) => (Input::Node(*report), None),
            Control::Stopping(reason) => (Input::Stopping(*reason), Some(*reason)),
        };
        match self.cell.handle(now, input) {
            Ok(effects) => {
                let ended = self.home.carry_out(effects);
                Ok(end.map(|reason| self.home.node.stop_words(reason)).or(ended))
            }
            Err(crash) => Err(self.home.crash(now, &crash, None)),
        }
    }

    fn arm(&self) {
        let at = self.cell.deadline().map(|deadline| deadline.at);
        self.home.node.timers.set(Waiting::Actor(self.home.component.slot), at);
    }
}

impl Home {
    fn carry_out(&self, effects: &mut Effects) -> Option<String> {
        // Most messages have none.
        if effects.is_empty() { None } else { self.node.carry_out(&self.component, effects.drain()) }
    }

    /// Notes a crash everywhere it matters, before the supervisor hears of it.
    fn crash(&self, now: Now, crash: &Crash, delivery: Option<Delivery>) -> String {
        let Self { component, node, incarnation } = self;
        let incarnation = *incarnation;
        let actor = &component.spec.name;
        let reason = crash.to_string();
        let on_message = delivery.is_some();
        node.emit(Some(actor), Event::ActorCrashed { incarnation, reason: reason.clone(), on_message });
        if let Some(delivery) = delivery {
            let verdict = component.crashed(now, delivery);
            if let Some(poison) = verdict.quarantined {
                node.relay(dead::letter(&node.unit, actor, &poison, &reason));
                node.emit(Some(actor), Event::Quarantined { subject: poison.subject.clone(), reason: reason.clone() });
            }
            if let Some(pause) = verdict.paused {
                node.timers.set(Waiting::Mailbox(component.slot), Some(now.mono + pause));
                node.emit(Some(actor), Event::MailboxPaused { pause, crashes: verdict.crashes });
                node.set_cause(Cause::MailboxPaused(actor.clone()), true);
            }
        }
        self.end(Exit::Crash { reason: reason.clone(), on_message });
        reason
    }

    fn end(&self, exit: Exit) {
        let incarnation = self.incarnation;
        if self.component.detach(incarnation, exit) {
            self.node.timers.set(Waiting::Actor(self.component.slot), None);
            self.node.forget_requests(self.component.slot, incarnation);
        }
    }
}

impl Drop for Life {
    /// Whatever ended it: a kill runs nothing else.
    fn drop(&mut self) {
        self.home.end(Exit::Killed);
    }
}
