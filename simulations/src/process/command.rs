//! What actors may ask of their node, and what befalls them by it.

use std::time::Duration;

use nunect_core::health::Cause;
use nunect_core::protocol::command::{ActorReport, ChaosKind};
use nunect_core::{Event, NodeAnswer, NodeCommand, NodeRefusal, NodeReport, Now, RequestId};
use nunect_supervisor::About;

use super::Work;
use super::{Hung, INJECTED, Process, index};
use crate::around::Around;
use crate::component::{Answer, End};
use crate::trace::Down;

/// How long a chaos command lets a mailbox hold back.
const CHAOS_PAUSE: Duration = Duration::from_secs(10);

impl Process {
    /// Carries out what an actor asks of its node, or says why not.
    pub(super) fn command(
        &mut self,
        now: Now,
        slot: u32,
        id: RequestId,
        command: NodeCommand,
        around: &mut Around<'_>,
    ) {
        let result = match command {
            NodeCommand::Describe => {
                Ok(NodeAnswer::Description { tree: Box::new(self.describe()), units: self.office.directory.online() })
            }
            NodeCommand::LogLevel(level) => {
                self.registry.log_level = level;
                let component = &self.components[index(slot)];
                around.emit(Some((component.slot, &component.name)), Event::LogLevelSet { level });
                Ok(NodeAnswer::Done)
            }
            NodeCommand::Chaos { actor, what } => {
                let target = self.components.iter().find(|component| component.name == actor);
                match target {
                    _ if !self.registry.chaos => {
                        Err(NodeRefusal { code: 403, reason: "chaos is not allowed on this node".to_owned() })
                    }
                    None => Err(NodeRefusal { code: 404, reason: format!("no actor is called `{actor}` here") }),
                    Some(target) => {
                        around.emit(Some((target.slot, &target.name)), Event::ChaosInjected { what });
                        self.office.work.push_back(Work::Suffer { slot: target.slot, what });
                        Ok(NodeAnswer::Done)
                    }
                }
            }
            NodeCommand::SetClock { claim, lost } => {
                self.office.outbox.set_clock(claim);
                around.witness.claimed(around.at, around.node, now.wall, claim.stamp);
                self.set_health(Cause::ClockLost, lost, around);
                for slot in 0..self.components.len() {
                    let end = self.components[slot].sense_claim(now, claim, &mut self.office, around);
                    self.after(now, slot, end, around);
                }
                return;
            }
            NodeCommand::Leave { .. } => {
                self.over = Some(Down::Duplicate);
                return;
            }
        };
        let answer = Answer::Node(NodeReport::Done { id, result });
        let end = self.components[index(slot)].answer(now, id.incarnation, &answer, &mut self.office, around);
        self.after(now, index(slot), end, around);
    }

    /// What the tree of actors looks like.
    fn describe(&self) -> ActorReport {
        self.registry.supervisor.report(&self.registry.unit, |child| {
            let slot = self.slot(child)?;
            let component = &self.components[slot];
            let (kind, last_crash) = (component.kind().to_owned(), self.registry.crashes[slot].clone());
            Some(About { kind, mailbox: component.mailbox_report(), last_crash })
        })
    }

    /// An actor suffers what a command wants.
    pub(super) fn suffer(&mut self, now: Now, slot: u32, what: ChaosKind, around: &mut Around<'_>) {
        let place = index(slot);
        if !self.components.get(place).is_some_and(|component| component.is_alive() && !component.hung) {
            return;
        }
        match what {
            ChaosKind::Panic => self.after(now, place, Err(End::Crashed(INJECTED.to_owned(), None)), around),
            ChaosKind::Stop => self.after(now, place, Err(End::Stopped("injected stop".to_owned())), around),
            ChaosKind::Hang => {
                self.components[place].hung = true;
                self.hung.get_or_insert(Hung { slot, since: now.mono, told: false });
                self.after(now, place, Ok(()), around);
            }
            ChaosKind::Pause => {
                let component = &mut self.components[place];
                component.hold(now.mono + CHAOS_PAUSE);
                let name = component.name.clone();
                around.emit(Some((slot, &name)), Event::MailboxPaused { pause: CHAOS_PAUSE, crashes: 0 });
                self.set_health(Cause::MailboxPaused(name), true, around);
                self.after(now, place, Ok(()), around);
            }
        }
    }

    /// A hang is told after a while, and is the end of the process after another.
    pub(super) fn find_hung(&mut self, now: Now, around: &mut Around<'_>) {
        let Some(hung) = &mut self.hung else { return };
        let slot = hung.slot;
        let running = now.mono.since(hung.since);
        if hung.told {
            self.over = Some(Down::Hung);
            return;
        }
        hung.told = true;
        let name = self.components[index(slot)].name.clone();
        around.emit(Some((slot, &name)), Event::ActorHung { on: "chaos".to_owned(), running });
        self.set_health(Cause::ActorHung(name), true, around);
        self.settle(now, around);
    }
}
