use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, header_names, over_the_wire, subject_of, unit_named};
use crate::message::Headers;

fn probe() -> ActorName {
    ActorName::new("probe").expect("a legal actor name")
}

proptest! {
    #[test]
    fn a_letter_says_who_could_not_handle_what_from_where_and_why(
        (unit, actor) in (arbitrary::unit(), arbitrary::actor()),
        origin in arbitrary::subject(),
        headers in arbitrary::raw_block(),
        payload in any::<Vec<u8>>(),
        reason in "[a-z][ -~]{0,40}[a-z]",
    ) {
        let mut poison = Message::new(origin.clone()).body(payload.clone());
        poison.headers = Headers::from_raw(headers);
        poison.reply = Some(subject_of("_INBOX.alpha.1.1"));
        let letter = letter(&unit, &actor, &poison, &reason);
        prop_assert!(pattern().matches(&letter.subject));
        prop_assert_eq!(letter.subject.as_str(), format!("ops.dead.{unit}.{actor}"));
        prop_assert_eq!(&letter.reply, &None, "whoever asked is not to be answered by a dead letter");
        for letter in [&letter, &over_the_wire(&letter)] {
            prop_assert_eq!(letter.payload(), payload.clone());
            prop_assert_eq!(header::REASON.read(&letter.headers)?, Some(reason.clone()));
            prop_assert_eq!(header::ORIGINAL_SUBJECT.read(&letter.headers)?, Some(origin.as_str().to_owned()));
            for name in header_names().into_iter().filter(|name| !["X-Reason", "X-Original-Subject"].contains(name)) {
                prop_assert_eq!(letter.headers.get(name), poison.headers.get(name), "{} of the sender", name);
            }
        }
    }

    #[test]
    fn every_actor_of_every_unit_has_letters_of_its_own(
        one in (arbitrary::unit(), arbitrary::actor()),
        other in (arbitrary::unit(), arbitrary::actor()),
    ) {
        prop_assert_eq!(subject(&one.0, &one.1) == subject(&other.0, &other.1), one == other);
    }
}

#[test]
fn the_letter_of_a_letter_speaks_of_itself() {
    let (alpha, bravo) = (unit_named("alpha"), unit_named("bravo"));
    let poison = Message::new(subject_of("com.x.y.z.g.voice"));
    let first = letter(&alpha, &probe(), &poison, "the first");
    for first in [&first, &over_the_wire(&first)] {
        let second = letter(&bravo, &probe(), first, "the second");
        for second in [&second, &over_the_wire(&second)] {
            assert_eq!(header::REASON.read(&second.headers), Ok(Some("the second".to_owned())));
            assert_eq!(header::ORIGINAL_SUBJECT.read(&second.headers), Ok(Some("ops.dead.alpha.probe".to_owned())));
        }
    }
}

#[test]
fn a_hostile_subject_or_reason_forges_no_header() {
    let poison = Message::new(Subject::from_wire(Bytes::from_static(b"a\r\nX-Unit-ID: evil")).expect("UTF-8"));
    let letter = letter(&unit_named("alpha"), &probe(), &poison, "panic:\r\nX-Unit-ID: evil");
    assert_eq!(over_the_wire(&letter).headers.get("X-Unit-ID"), None);
}
