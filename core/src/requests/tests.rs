use proptest::prelude::*;

use super::*;
use crate::arbitrary::{at_millis, subject_of, unit_named};

fn requests() -> Requests {
    Requests::new(unit_named("alpha"), SessionId::from_random(1))
}

fn id(incarnation: u32, number: u64) -> RequestId {
    RequestId { incarnation: Incarnation(incarnation), number }
}

#[derive(Clone, Debug)]
enum Step {
    Open {
        slot: u32,
        incarnation: u32,
        timeout_ms: u64,
    },
    /// Answers one of all requests that were ever opened, whether it is over or not.
    Answer(prop::sample::Index),
    Pass {
        millis: u64,
    },
    Forget {
        slot: u32,
        incarnation: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3u32, 1..4u32, 0..50u64)
            .prop_map(|(slot, incarnation, timeout_ms)| Step::Open { slot, incarnation, timeout_ms }),
        2 => any::<prop::sample::Index>().prop_map(Step::Answer),
        2 => (0..30u64).prop_map(|millis| Step::Pass { millis }),
        1 => (0..3u32, 0..4u32).prop_map(|(slot, incarnation)| Step::Forget { slot, incarnation }),
    ]
}

/// A request as somebody who keeps a plain list would note it.
#[derive(Debug)]
struct Note {
    subject: Subject,
    slot: Slot,
    id: RequestId,
    sent: Now,
    due: Mono,
    open: bool,
}

proptest! {
    #[test]
    fn every_request_ends_exactly_once_and_the_deadline_is_the_earliest(
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let (mut requests, mut notes, mut now) = (requests(), Vec::<Note>::new(), at_millis(0));
        for step in steps {
            match step {
                Step::Open { slot, incarnation, timeout_ms } => {
                    let (slot, id) = (Slot(slot), id(incarnation, notes.len() as u64));
                    let timeout = Duration::from_millis(timeout_ms);
                    let subject = requests.open(now, slot, id, timeout).expect("far from the bound");
                    prop_assert!(requests.pattern().matches(&subject));
                    prop_assert!(notes.iter().all(|note| note.subject != subject), "an inbox is used once");
                    notes.push(Note { subject, slot, id, sent: now, due: now.mono + timeout, open: true });
                }
                Step::Answer(index) if !notes.is_empty() => {
                    let note = index.get(&notes);
                    let closed = requests.close(&note.subject).map(|pending| (pending.slot, pending.id, pending.sent));
                    prop_assert_eq!(closed, note.open.then_some((note.slot, note.id, note.sent)));
                    let index = index.index(notes.len());
                    notes[index].open = false;
                }
                Step::Answer(_) => {}
                Step::Pass { millis } => {
                    now.mono = now.mono + Duration::from_millis(millis);
                    let mut before = Mono::ZERO;
                    while let Some(pending) = requests.expire(now.mono) {
                        let note = notes.iter_mut().find(|note| note.id == pending.id).expect("it was opened");
                        prop_assert!(std::mem::take(&mut note.open), "it ended twice");
                        prop_assert!(before <= note.due && note.due <= now.mono, "out of order, or early");
                        before = note.due;
                    }
                    prop_assert!(notes.iter().all(|note| !note.open || note.due > now.mono), "one was missed");
                }
                Step::Forget { slot, incarnation } => {
                    requests.forget(Slot(slot), Incarnation(incarnation));
                    for note in notes.iter_mut().filter(|note| note.slot == Slot(slot)) {
                        note.open &= note.id.incarnation.0 > incarnation;
                    }
                }
            }
            let open = || notes.iter().filter(|note| note.open);
            prop_assert_eq!((requests.len(), requests.is_empty()), (open().count(), open().count() == 0));
            prop_assert_eq!(requests.deadline().map(|due| due.at), open().map(|note| note.due).min());
        }
    }
}

#[test]
fn an_answer_closes_its_request_and_a_second_one_nothing() {
    let mut requests = requests();
    let inbox = requests.open(at_millis(5), Slot(2), id(1, 9), Duration::from_secs(2)).expect("room");
    let pending = requests.close(&inbox).expect("it waits");
    assert_eq!((pending.slot, pending.id, pending.sent), (Slot(2), id(1, 9), at_millis(5)));
    assert_eq!(requests.close(&inbox), None);
    assert_eq!(requests.expire(Mono::MAX), None);
    assert_eq!(requests.deadline(), None);
}

#[test]
fn time_is_up_at_the_deadline_and_not_before() {
    let mut requests = requests();
    requests.open(at_millis(0), Slot(0), id(1, 1), Duration::from_millis(10)).expect("room");
    assert_eq!(requests.deadline(), Some(Deadline::new(at_millis(10).mono, "request timeout")));
    assert_eq!(requests.expire(at_millis(9).mono), None);
    assert_eq!(requests.expire(at_millis(10).mono).map(|pending| pending.id), Some(id(1, 1)));
    assert_eq!(requests.expire(at_millis(10).mono), None);
}

#[test]
fn a_subject_that_only_looks_like_the_answer_closes_nothing() {
    let mut requests = requests();
    let inbox = requests.open(at_millis(0), Slot(0), id(1, 1), Duration::from_secs(1)).expect("room");
    for text in [
        "ops.heartbeat.1",
        "_INBOX.alpha.0000000000000002.1",
        "_INBOX.bravo.0000000000000001.1",
        "_INBOX.alpha.0000000000000001.01",
        "_INBOX.alpha.0000000000000001.x.1",
        "_INBOX.alpha.0000000000000001.2",
    ] {
        assert_eq!(requests.close(&subject_of(text)), None, "{text}");
    }
    assert!(requests.close(&inbox).is_some());
}

#[test]
fn beyond_the_bound_a_request_is_refused_until_another_is_over() {
    let mut requests = requests();
    let open = |requests: &mut Requests| requests.open(at_millis(0), Slot(0), id(1, 1), Duration::from_secs(1));
    let first = open(&mut requests).expect("room");
    for _ in 1..REQUESTS_MAX {
        assert!(open(&mut requests).is_some());
    }
    assert_eq!(open(&mut requests), None);
    assert_eq!(requests.len(), REQUESTS_MAX);
    assert!(requests.close(&first).is_some());
    assert!(open(&mut requests).is_some());
}

#[test]
fn a_life_that_is_over_forgets_its_own_and_earlier_requests_only() {
    let mut requests = requests();
    for (slot, incarnation) in [(0, 1), (0, 2), (0, 3), (1, 1)] {
        requests.open(at_millis(0), Slot(slot), id(incarnation, 1), Duration::from_secs(1)).expect("room");
    }
    requests.forget(Slot(0), Incarnation(2));
    let left: Vec<_> =
        std::iter::from_fn(|| requests.expire(Mono::MAX)).map(|p| (p.slot.0, p.id.incarnation.0)).collect();
    assert_eq!(left, [(0, 3), (1, 1)]);
}

#[test]
fn a_timeout_beyond_the_end_of_time_never_comes() {
    let mut requests = requests();
    requests.open(at_millis(5), Slot(0), id(1, 1), Duration::MAX).expect("room");
    assert_eq!(requests.deadline().map(|due| due.at), Some(Mono::MAX));
}
