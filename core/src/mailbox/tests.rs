use bytes::Bytes;

use super::*;
use crate::arbitrary::subject_of;

mod model;

const SECOND: Duration = Duration::from_secs(1);

fn limits(capacity: usize, overflow: Overflow) -> MailboxLimits {
    MailboxLimits { capacity, overflow, ..MailboxLimits::default() }
}

/// A mailbox whose actor lives.
fn attached(capacity: usize, overflow: Overflow) -> Mailbox {
    let mut mailbox = Mailbox::new(limits(capacity, overflow));
    assert!(!mailbox.attach());
    mailbox
}

fn message(text: &str) -> Box<Message> {
    Box::new(Message::new(subject_of("a")).body(text.to_owned()))
}

fn text(message: &Message) -> Bytes {
    message.payload()
}

/// Takes, and crashes on what it took.
fn crash(mailbox: &mut Mailbox, now: Mono) -> Verdict {
    mailbox.attach();
    let delivery = mailbox.take().expect("something waits");
    mailbox.crashed(now, delivery)
}

fn at(duration: Duration) -> Mono {
    Mono::ZERO + duration
}

#[test]
fn only_the_first_message_that_waits_rings() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    assert!(matches!(mailbox.push(message("1")), Push::Accepted { ring: true }));
    assert!(matches!(mailbox.push(message("2")), Push::Accepted { ring: false }));
}

#[test]
fn nothing_rings_for_a_dead_actor_and_its_successor_is_told_what_waits() {
    let mut mailbox = Mailbox::new(limits(4, Overflow::DropOldest));
    assert!(matches!(mailbox.push(message("1")), Push::Accepted { ring: false }));
    assert!(mailbox.take().is_none());
    assert!(mailbox.attach());
    assert_eq!(text(mailbox.take().expect("it waited").message()), "1");
}

#[test]
fn telemetry_loses_its_oldest_and_says_so_once_until_there_was_room() {
    let mut mailbox = attached(2, Overflow::DropOldest);
    for number in ["1", "2"] {
        assert!(matches!(mailbox.push(message(number)), Push::Accepted { .. }));
    }
    for (number, gone, is_first) in [("3", "1", true), ("4", "2", false)] {
        let Push::DroppedOldest { dropped, first } = mailbox.push(message(number)) else { panic!("{number}") };
        assert_eq!((text(&dropped), first), (Bytes::from(gone), is_first));
    }
    let delivery = mailbox.take().expect("it waits");
    mailbox.settle(delivery);
    assert!(matches!(mailbox.push(message("5")), Push::Accepted { ring: false }));
    assert!(matches!(mailbox.push(message("6")), Push::DroppedOldest { first: true, .. }));
    assert_eq!(mailbox.counters(), Counters { received: 6, settled: 1, dropped: 3, poisoned: 0 });
}

#[test]
fn requests_lose_the_newest_which_is_handed_back_for_its_answer() {
    let mut mailbox = attached(1, Overflow::DropNewest);
    assert!(matches!(mailbox.push(message("1")), Push::Accepted { .. }));
    let Push::Refused { refused, first: true } = mailbox.push(message("2")) else { panic!("not refused") };
    assert_eq!(text(&refused), "2");
    assert!(matches!(mailbox.push(message("3")), Push::Refused { first: false, .. }));
    assert_eq!(text(mailbox.take().expect("it waits").message()), "1");
}

#[test]
fn a_message_heavier_than_the_whole_mailbox_gives_way_itself() {
    let capacity_bytes = message("").weight() * 3;
    let mut mailbox = Mailbox::new(MailboxLimits { capacity_bytes, ..limits(9, Overflow::DropOldest) });
    for number in ["1", "2"] {
        assert!(matches!(mailbox.push(message(number)), Push::Accepted { .. }));
    }
    assert!(matches!(mailbox.push(message(&"x".repeat(capacity_bytes))), Push::Refused { .. }));
    assert_eq!(mailbox.depth(), 2);
}

#[test]
fn a_message_is_tried_again_after_its_first_crash_and_set_aside_after_its_second() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    for number in ["1", "2"] {
        assert!(matches!(mailbox.push(message(number)), Push::Accepted { .. }));
    }
    let verdict = crash(&mut mailbox, at(SECOND));
    assert!(verdict.quarantined.is_none() && verdict.crashes == 1);
    assert!(mailbox.take().is_none(), "no actor lives after a crash");
    let verdict = crash(&mut mailbox, at(SECOND));
    assert_eq!(text(&verdict.quarantined.expect("the second crash")), "1");
    assert!(mailbox.attach());
    assert_eq!(text(mailbox.take().expect("the next").message()), "2");
    assert_eq!(mailbox.counters().poisoned, 1);
}

#[test]
fn a_message_that_was_given_back_is_the_next_again_and_no_nearer_to_quarantine() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    for number in ["1", "2"] {
        assert!(matches!(mailbox.push(message(number)), Push::Accepted { .. }));
    }
    for _ in 0..3 {
        let delivery = mailbox.take().expect("it waits");
        assert_eq!(text(delivery.message()), "1");
        mailbox.give_back(delivery);
    }
    assert!(crash(&mut mailbox, at(SECOND)).quarantined.is_none());
}

/// Lets the actor crash on message after message, at once whenever the mailbox delivers, and
/// returns the crashes and pauses.
fn storm(mailbox: &mut Mailbox, from: Mono, until: Mono) -> (usize, Vec<u64>) {
    let (mut now, mut crashes, mut pauses) = (from, 0, Vec::new());
    while now < until {
        let _ring = mailbox.push(message("poison"));
        crashes += 1;
        if let Some(pause) = crash(mailbox, now).paused {
            pauses.push(pause.as_secs());
            let resumes = mailbox.deadline().expect("it pauses").at;
            assert_eq!(resumes, now + pause);
            assert!(!mailbox.resume(resumes - Duration::from_nanos(1)));
            assert!(mailbox.resume(resumes));
            now = resumes;
        }
    }
    (crashes, pauses)
}

#[test]
fn the_eleventh_crash_in_a_minute_pauses_it_and_each_further_one_twice_as_long_up_to_a_minute() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    let (_, pauses) = storm(&mut mailbox, at(SECOND), at(SECOND * 600));
    assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(pauses[8..].iter().all(|pause| *pause == 60), "a storm does not end because it was held back: {pauses:?}");
}

#[test]
fn a_storm_of_poison_costs_about_ten_crashes_a_minute_and_no_more() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    let (crashes, _) = storm(&mut mailbox, at(SECOND), at(SECOND * 3_601));
    assert!((500..=11 * 60 + 10).contains(&crashes), "{crashes} in an hour");
}

#[test]
fn a_minute_of_delivery_without_a_crash_forgets_the_storm() {
    let mut mailbox = attached(4, Overflow::DropOldest);
    let (_, pauses) = storm(&mut mailbox, at(SECOND), at(SECOND * 60));
    assert_eq!(pauses.last(), Some(&32));
    let resumed = at(SECOND * 64);
    let (_, soon) = storm(&mut mailbox, resumed + SECOND * 59, resumed + SECOND * 60);
    assert_eq!(soon, [60]);
    let resumed = resumed + SECOND * 119;
    let (_, later) = storm(&mut mailbox, resumed + SECOND * 60, resumed + SECOND * 61);
    assert_eq!(later[0], 1);
}

#[test]
fn nothing_is_delivered_nor_rung_while_it_pauses() {
    let mut mailbox = attached(32, Overflow::DropOldest);
    while mailbox.deadline().is_none() {
        let _ring = mailbox.push(message("poison"));
        let verdict = crash(&mut mailbox, at(SECOND));
        assert_eq!(verdict.paused.is_some(), verdict.crashes == POISON_BUDGET + 1);
    }
    assert_eq!(mailbox.deadline(), Some(Deadline::new(at(SECOND * 2), "mailbox pause over")));
    assert!(!mailbox.attach(), "there is nothing to do yet");
    assert!(matches!(mailbox.push(message("next")), Push::Accepted { ring: false }));
    assert!(mailbox.take().is_none());
    assert!(mailbox.resume(at(SECOND * 2)), "the actor must be told");
    assert!(mailbox.take().is_some());
    assert!(!mailbox.resume(at(SECOND * 3)), "it does not pause");
}
