use super::super::wire::tests::{FIVE_SOURCES, SELECTED, SYNCED, bytes_of};
use super::*;

const FIRST: u32 = u32::MAX - 1;

/// The questions that are to be sent now, by their sequence and command.
fn questions(round: &mut Round) -> Vec<(u32, u16)> {
    let mut asked = Vec::new();
    while let Some(question) = round.question() {
        let bytes = question.as_ref();
        let sequence = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        asked.push((sequence, u16::from_be_bytes([bytes[4], bytes[5]])));
    }
    asked
}

/// A recorded answer as one to this question.
fn answer(golden: &str, sequence: u32) -> Vec<u8> {
    let mut datagram = bytes_of(golden);
    datagram[16..20].copy_from_slice(&sequence.to_be_bytes());
    datagram
}

fn count(sources: u32, sequence: u32) -> Vec<u8> {
    let mut datagram = answer(FIVE_SOURCES, sequence);
    datagram[28..32].copy_from_slice(&sources.to_be_bytes());
    datagram
}

#[test]
fn everything_is_asked_at_once_under_numbers_of_its_own() {
    let mut round = Round::new(FIRST, 2);
    assert_eq!(questions(&mut round), [(FIRST, 33), (FIRST + 1, 14), (0, 15), (1, 15)], "numbers wrap");
    for datagram in [answer(SELECTED, 1), answer(SELECTED, 0), count(2, FIRST + 1), answer(SYNCED, FIRST)] {
        assert!(!round.is_done());
        round.receive(&datagram);
    }
    assert!(round.is_done() && questions(&mut round).is_empty());
    assert_eq!(round.next(), (2, 2));
    assert_eq!(round.counters(), ReaderCounters { asked: 4, ..ReaderCounters::default() });
    let status = round.finish().expect("a status");
    assert_eq!(status.sources.map(|sources| sources.len()), Some(2));
    assert_eq!(status.server.as_deref(), Some("127.0.0.1"));
}

#[test]
fn sources_that_are_more_than_presumed_are_asked_for_as_well() {
    let mut round = Round::new(1, 1);
    questions(&mut round);
    round.receive(&count(3, 2));
    assert_eq!(questions(&mut round), [(4, 15), (5, 15)]);
}

#[test]
fn sources_that_are_gone_are_left_out() {
    let mut round = Round::new(1, 2);
    questions(&mut round);
    let mut none = answer("06020000000f00010004000000000000010203040000000000000000", 4);
    for datagram in [&answer(SYNCED, 1), &count(1, 2), &answer(SELECTED, 3), &none] {
        round.receive(datagram);
    }
    assert_eq!(round.next().1, 1);
    assert_eq!(round.finish().expect("a status").sources.map(|sources| sources.len()), Some(1));

    // The one that the count still knew is gone as well.
    let mut round = Round::new(1, 1);
    questions(&mut round);
    none[16..20].copy_from_slice(&3_u32.to_be_bytes());
    for datagram in [&answer(SYNCED, 1), &count(1, 2), &none] {
        round.receive(datagram);
    }
    assert_eq!(round.finish().expect("a status").sources, Some(Vec::new()));
}

#[test]
fn a_source_that_is_not_heard_of_leaves_all_unknown() {
    let mut round = Round::new(1, 2);
    questions(&mut round);
    for datagram in [answer(SYNCED, 1), count(2, 2), answer(SELECTED, 4)] {
        round.receive(&datagram);
    }
    assert_eq!(round.counters().timeouts, 1);
    assert_eq!(round.finish().expect("a status").sources, None);
}

#[test]
fn no_more_questions_wait_than_a_socket_holds_and_no_more_are_asked_than_the_limit() {
    let mut round = Round::new(1, u32::MAX);
    let mut asked = Vec::new();
    loop {
        let now = questions(&mut round);
        if now.is_empty() {
            break;
        }
        assert!(now.len() <= IN_FLIGHT_MAX);
        for &(sequence, command) in &now {
            round.receive(&match command {
                33 => answer(SYNCED, sequence),
                14 => count(u32::MAX, sequence),
                _ => answer(SELECTED, sequence),
            });
        }
        asked.extend(now);
    }
    assert_eq!(asked.len(), 2 + SOURCES_MAX);
    assert_eq!(round.finish().expect("a status").sources.map(|sources| sources.len()), Some(SOURCES_MAX));
}

#[test]
fn what_answers_no_question_is_counted_and_changes_nothing() {
    let mut round = Round::new(1, 0);
    questions(&mut round);
    round.receive(&answer(SYNCED, 9));
    round.receive(&answer(SELECTED, 1));
    round.receive(&answer(SYNCED, 1));
    round.receive(&answer(SYNCED, 1));
    assert_eq!(round.counters(), ReaderCounters { asked: 2, timeouts: 1, strays: 3, malformed: 0 });
}

#[test]
fn why_there_is_no_status_is_told() {
    let finish = |datagrams: &[Vec<u8>]| {
        let mut round = Round::new(1, 0);
        questions(&mut round);
        datagrams.iter().for_each(|datagram| round.receive(datagram));
        let unread = round.finish().expect_err("there is none");
        (unread.cause, unread.detail.into_owned())
    };
    assert_eq!(finish(&[]), (Obstacle::Silent, "chronyd does not answer in time".into()));
    let refused = answer("06020000002100010012000000000000010203040000000000000000", 1);
    let words =
        "chronyd does not answer: it does not speak version 6 of its protocol, the only one that is understood here";
    assert_eq!(finish(&[refused]), (Obstacle::Refused, words.into()));
    let mut old = answer(SYNCED, 1);
    old[0] = 5;
    let words =
        "chronyd cannot be understood: it speaks version 5 of chronyd's protocol, and version 6 is understood here";
    assert_eq!(finish(&[old]), (Obstacle::Malformed, words.into()));
}
