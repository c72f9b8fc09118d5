//! What an actor wants done leaves its component: to the bus, to its node, to the outside.

use nunect_core::outbox::{Failed, HandOver, Refusal};
use nunect_core::requests::Slot;
use nunect_core::{ActorName, Effect, Effects, Event, Message, Now};

use super::{End, Office};
use crate::around::Around;
use crate::process::Work;

/// Does what an actor wants done, in order.
pub(super) fn carry_out(
    (slot, name): (u32, &ActorName),
    now: Now,
    effects: &mut Effects,
    about: Option<&Message>,
    office: &mut Office,
    around: &mut Around<'_>,
) -> Result<(), End> {
    if effects.is_empty() {
        effects.swap(&mut around.witness.effects);
        return Ok(());
    }
    let mut list = Vec::new();
    effects.swap(&mut list);
    let mut end = Ok(());
    for effect in list.drain(..) {
        match effect {
            Effect::Publish(message) => {
                let message = office.outbox.publish(now, message);
                hand_over(slot, name, message, around);
            }
            Effect::Respond(answer) => {
                let answer = office.outbox.respond(now, answer);
                hand_over(slot, name, answer, around);
            }
            Effect::Request(id, message, timeout) => {
                let Office { outbox, requests, work, .. } = office;
                match outbox.request(now, requests, Slot(slot), id, message, timeout) {
                    Ok(message) => around.publish(message),
                    Err(Failed { error, refusal }) => {
                        tell_refusal(slot, name, refusal, around);
                        work.push_back(Work::Fail { slot, id, sent: now, error });
                    }
                }
            }
            Effect::Emit(event) => around.emit_about(Some((slot, name)), event, about),
            Effect::Directory(change) => office.directory.apply(change),
            Effect::Node(id, command) => office.work.push_back(Work::Command { slot, id, command }),
            Effect::Port(port, bytes) => office.work.push_back(Work::Port { slot, port, bytes }),
            Effect::Stop(reason) => end = Err(End::Stopped(reason.into_owned())),
        }
    }
    around.witness.effects = list;
    end
}

/// Sends what the outbox lets go, and tells what it refuses.
pub(super) fn hand_over(slot: u32, name: &ActorName, message: HandOver, around: &mut Around<'_>) {
    match message {
        HandOver::Send(message) => around.publish(message),
        HandOver::Refused(refusal) => tell_refusal(slot, name, Some(refusal), around),
        HandOver::Kept => {}
    }
}

fn tell_refusal(slot: u32, name: &ActorName, refusal: Option<Refusal>, around: &mut Around<'_>) {
    if let Some(Refusal { subject, reason, .. }) = refusal.filter(|refusal| refusal.tell) {
        around.emit(Some((slot, name)), Event::PublishRefused { subject, reason });
    }
}
