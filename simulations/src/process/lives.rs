//! Lives of a node's actors begin, and end.

use nunect_core::health::Cause;
use nunect_core::mailbox::Delivery;
use nunect_core::outbox::HandOver;
use nunect_core::protocol::command::CrashReport;
use nunect_core::protocol::dead;
use nunect_core::requests::Slot;
use nunect_core::{Birth, Event, Now};
use nunect_supervisor::{ChildId, Event as Report, Exit, Generation};

use super::{Process, Registry, senses};
use crate::around::Around;
use crate::component::End;

impl Process {
    /// Begins a life of an actor.
    pub(super) fn begin(&mut self, now: Now, child: ChildId, generation: Generation, around: &mut Around<'_>) {
        let Some(slot) = self.slot(child) else { return };
        let component = &mut self.components[slot];
        let Registry { unit, role, session, started, entropy, .. } = self.registry.as_ref();
        let birth = Birth {
            unit: unit.clone(),
            role: *role,
            session: session.clone(),
            actor: component.name.clone(),
            incarnation: component.conceive(generation),
            unit_started: *started,
            entropy: entropy.clone(),
        };
        if let Err(error) = component.bear(&birth, around) {
            let reason = error.to_string();
            let event =
                Event::ActorCrashed { incarnation: birth.incarnation, reason: reason.clone(), on_message: false };
            around.emit(Some((component.slot, &component.name)), event);
            return self.tell_supervisor(now, Report::StartFailed { child, generation, reason });
        }
        let event = Event::ActorStarted { incarnation: birth.incarnation };
        around.emit(Some((component.slot, &component.name)), event);
        self.set_health(Cause::ActorDown(birth.actor), false, around);
        self.tell_supervisor(now, Report::Started { child, generation });
        let component = &mut self.components[slot];
        if component.ships() && self.shipper.is_none() {
            self.shipper = Some(component.slot);
            around.said.get_or_insert_default();
        }
        let senses = senses(&self.office, &mut self.registry);
        let introduced = component.introduce(now, &senses, &mut self.office, around);
        let end = introduced.and_then(|()| component.attach(now, &mut self.office, around));
        self.after(now, slot, end, around);
    }

    /// Ends the present life of an actor, and tells the outside and the supervisor.
    pub(super) fn end(&mut self, now: Now, slot: usize, end: End, around: &mut Around<'_>) {
        let component = &mut self.components[slot];
        let Some(incarnation) = component.bury() else { return };
        self.office.requests.forget(Slot(component.slot), incarnation);
        let (generation, name) = (component.generation, component.name.clone());
        let Some(child) = self.registry.supervisor.find(&name) else { return };
        let actor = Some((component.slot, &name));
        let exit = match end {
            End::Stopped(reason) => {
                around.emit(actor, Event::ActorStopped { incarnation, reason: reason.clone() });
                Exit::Normal { reason }
            }
            End::Crashed(reason, on) => {
                let at_ms = now.wall.unix_millis();
                self.registry.crashes[slot] = Some(CrashReport { at_ms, reason: reason.clone() });
                let on_message = on.is_some();
                let about = on.as_ref().map(Delivery::message);
                let event = Event::ActorCrashed { incarnation, reason: reason.clone(), on_message };
                around.emit_about(actor, event, about);
                if let Some(delivery) = on {
                    self.charge(now, slot, delivery, &reason, around);
                }
                Exit::Crash { reason, on_message }
            }
            End::Killed => {
                let reason = "killed".to_owned();
                around.emit(actor, Event::ActorCrashed { incarnation, reason, on_message: false });
                Exit::Killed
            }
        };
        self.tell_supervisor(now, Report::Exited { child, generation, exit });
    }

    /// Charges a crash to the mailbox that delivered the message.
    fn charge(&mut self, now: Now, slot: usize, delivery: Delivery, reason: &str, around: &mut Around<'_>) {
        let component = &mut self.components[slot];
        let name = component.name.clone();
        let actor = Some((component.slot, &name));
        let Some(mailbox) = component.mailbox() else { return };
        let verdict = mailbox.crashed(now.mono, delivery);
        if let Some(poison) = verdict.quarantined {
            let letter = dead::letter(&self.registry.unit, &name, &poison, reason);
            if let HandOver::Send(letter) = self.office.outbox.relay(letter) {
                around.publish(letter);
            }
            let reason = reason.to_owned();
            around.emit(actor, Event::Quarantined { subject: poison.subject, reason });
        }
        if let Some(pause) = verdict.paused {
            component.paused = true;
            around.emit(actor, Event::MailboxPaused { pause, crashes: verdict.crashes });
            self.set_health(Cause::MailboxPaused(name), true, around);
        }
    }
}
