//! The one ractor actor that hosts every component.

use std::sync::Arc;

use std::time::Duration;

use nunect_core::cell::{Cell, Crash};
use nunect_core::mailbox::Delivery;
use nunect_core::protocol::command::ChaosKind;
use nunect_core::protocol::dead;
use nunect_core::{Effects, Event, Incarnation, Input, Message, Now, crash};
use nunect_supervisor::Exit;
use ractor::{ActorProcessingErr, ActorRef};

use crate::component::{Component, Control, Next};
use crate::node::Shared;
use crate::telemetry;
use crate::timers::Waiting;

/// Inputs that an actor takes before others have their turn.
const BATCH: usize = 64;
/// Inputs between two readings of the clocks within a batch: 60 ns each would be felt.
const CLOCK_EVERY: usize = 16;
/// How long a chaos command lets a mailbox hold back.
const CHAOS_PAUSE: Duration = Duration::from_secs(10);

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
    /// Whether this is the actor that ships what the node has to say.
    ships: bool,
}

impl Life {
    pub(crate) fn new(cell: Cell, component: Arc<Component>, node: Arc<Shared>) -> Self {
        let incarnation = cell.incarnation();
        let ships = node.logs.shipper() == Some(&component.name);
        Self { cell, home: Home { component, node, incarnation, ships } }
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
        let Home { component, node, incarnation, .. } = &life.home;
        component.attach(myself, *incarnation, node.first_inputs(component).into_iter());
        Ok(life)
    }

    async fn handle(&self, myself: ActorRef<Ring>, Ring: Ring, life: &mut Life) -> Result<(), ActorProcessingErr> {
        let batch = if life.home.ships { telemetry::unheard(|| life.batch()) } else { life.batch() };
        match batch {
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
                Next::Nothing => match self.home.record(now) {
                    None => return Ok(Batch::Idle),
                    Some(record) => self.give(now, Input::Log(&record))?,
                },
                Next::Message(delivery) => {
                    let message = delivery.message();
                    let ended = match self.cell.handle(now, Input::Message(message)) {
                        Ok(effects) => self.home.carry_out(effects, Some(message)),
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
        self.home.component.begin(self.cell.deadline().map_or("timeout", |deadline| deadline.why));
        match self.cell.wake(now) {
            Ok(None) => Ok(None),
            Ok(Some(effects)) => Ok(self.home.carry_out(effects, None)),
            Err(crash) => Err(self.home.crash(now, &crash, None)),
        }
    }

    fn give(&mut self, now: Now, input: Input<'_>) -> Result<Option<String>, String> {
        match self.cell.handle(now, input) {
            Ok(effects) => Ok(self.home.carry_out(effects, None)),
            Err(crash) => Err(self.home.crash(now, &crash, None)),
        }
    }

    fn control(&mut self, now: Now, control: Control) -> Result<Option<String>, String> {
        let input = match &control {
            Control::Started => Input::Started,
            Control::Reply { id, sent, result } => {
                Input::Reply { id: *id, sent: *sent, result: result.as_deref().map_err(|error| *error) }
            }
            Control::Host(report) => Input::Host(*report),
            Control::Bus(event) => Input::Bus(event),
            Control::Link(report) => Input::Link(*report),
            Control::Clock(report) => Input::Clock(report),
            Control::Node(report) => Input::Node(report),
            Control::Port(port, bytes) => Input::Port(port, bytes),
            Control::PortEnded(port, reason) => {
                let crash = Crash { reason: format!("{port}: {reason}"), input: "port" };
                return Err(self.home.crash(now, &crash, None));
            }
            Control::Chaos(what) => return self.suffer(now, *what),
            Control::Stopping(reason) => {
                // What was said before it was asked to stop is written down before it stops.
                while let Some(record) = self.home.record(now) {
                    if let Some(ended) = self.give(now, Input::Log(&record))? {
                        return Ok(Some(ended));
                    }
                }
                self.give(now, Input::Stopping(*reason))?;
                return Ok(Some(reason.to_string()));
            }
        };
        self.give(now, input)
    }

    /// What an operator wants it to suffer, to see what becomes of the rest.
    fn suffer(&mut self, now: Now, what: ChaosKind) -> Result<Option<String>, String> {
        match what {
            ChaosKind::Panic => {
                let reason = crash::catch(|| panic!("injected panic")).err().unwrap_or_default();
                Err(self.home.crash(now, &Crash { reason, input: "chaos" }, None))
            }
            ChaosKind::Stop => Ok(Some("injected stop".to_owned())),
            ChaosKind::Hang => loop {
                std::thread::sleep(Duration::from_secs(1));
            },
            ChaosKind::Pause => {
                let until = now.mono + CHAOS_PAUSE;
                let Home { component, node, .. } = &self.home;
                component.hold(until);
                node.mailbox_pauses(component, until, CHAOS_PAUSE, 0);
                Ok(None)
            }
        }
    }

    fn arm(&self) {
        let at = self.cell.deadline().map(|deadline| deadline.at);
        self.home.node.timers.set(Waiting::Actor(self.home.component.slot), at);
    }
}

impl Home {
    fn carry_out(&self, effects: &mut Effects, about: Option<&Message>) -> Option<String> {
        // Most messages have none.
        if effects.is_empty() { None } else { self.node.carry_out(&self.component, effects.drain(), about) }
    }

    /// The next thing to write down, if this actor does that.
    fn record(&self, now: Now) -> Option<nunect_core::LogRecord> {
        let record = if self.ships { self.node.logs.take(now.wall) } else { None };
        if record.is_some() {
            self.component.begin("log");
        }
        record
    }

    /// Notes a crash everywhere it matters, before the supervisor hears of it.
    fn crash(&self, now: Now, crash: &Crash, delivery: Option<Delivery>) -> String {
        let Self { component, node, incarnation, .. } = self;
        let incarnation = *incarnation;
        let actor = &component.name;
        let reason = crash.to_string();
        let on_message = delivery.is_some();
        component.note_crash(now, &reason);
        let event = Event::ActorCrashed { incarnation, reason: reason.clone(), on_message };
        node.emit_about(Some(actor), event, delivery.as_ref().map(Delivery::message));
        if let Some(delivery) = delivery {
            let verdict = component.crashed(now, delivery);
            if let Some(poison) = verdict.quarantined {
                node.relay(dead::letter(&node.unit, actor, &poison, &reason));
                node.emit(Some(actor), Event::Quarantined { subject: poison.subject.clone(), reason: reason.clone() });
            }
            if let Some(pause) = verdict.paused {
                node.mailbox_pauses(component, now.mono + pause, pause, verdict.crashes);
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
