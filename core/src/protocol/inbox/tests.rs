use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, subject_of, unit_named};

proptest! {
    #[test]
    fn the_number_of_an_inbox_reads_back(
        unit in arbitrary::unit(),
        session in arbitrary::session(),
        number in any::<u64>(),
    ) {
        let subject = subject(&unit, &session, number);
        prop_assert_eq!(self::number(&subject), Some(number));
        prop_assert!(is_inbox(&subject));
        prop_assert!(pattern(&unit, &session).matches(&subject));
        prop_assert!(subject.as_str().starts_with(&prefix(&unit)));
    }

    #[test]
    fn the_inboxes_of_one_run_are_not_those_of_another(
        one in (arbitrary::unit(), arbitrary::session()),
        other in (arbitrary::unit(), arbitrary::session()),
        number in any::<u64>(),
    ) {
        prop_assert_eq!(pattern(&one.0, &one.1).matches(&subject(&other.0, &other.1, number)), one == other);
    }

    #[test]
    fn only_an_inbox_has_a_number(text in any::<String>(), tail in "[.0-9a+-]{0,24}") {
        for text in [text, format!("_INBOX.{tail}"), format!("_INBOX.alpha.1.{tail}")] {
            let subject = Subject::from_wire(Bytes::from(text.clone())).expect("a string is UTF-8");
            if let Some(number) = number(&subject) {
                let tokens: Vec<_> = subject.tokens().collect();
                prop_assert_eq!(tokens.len(), 4, "{}", text);
                prop_assert_eq!(tokens[0], "_INBOX", "{}", text);
                prop_assert_eq!(tokens[3], number.to_string(), "{}", text);
            }
        }
    }

    #[test]
    fn what_a_node_sends_to_itself_answers_no_request(unit in arbitrary::unit(), session in arbitrary::session()) {
        let mirror = mirror(&unit, &session);
        prop_assert!(is_inbox(&mirror), "it is not worth remembering");
        prop_assert_eq!(number(&mirror), None);
        let below = Subject::join(&[mirror.as_str(), "7"]);
        prop_assert!(is_inbox(&below) && !pattern(&unit, &session).matches(&below));
        prop_assert_eq!(number(&below), None);
    }
}

#[test]
fn a_number_has_one_spelling() {
    let unit = unit_named("alpha");
    assert_eq!(subject(&unit, &SessionId::from_random(255), 7).as_str(), "_INBOX.alpha.00000000000000ff.7");
    for spelling in ["+7", "07", "7 ", "", "18446744073709551616", "-7"] {
        let wire = Bytes::from(format!("_INBOX.alpha.00000000000000ff.{spelling}"));
        assert_eq!(number(&Subject::from_wire(wire).expect("UTF-8")), None, "{spelling:?}");
    }
}

#[test]
fn a_subject_that_merely_ends_in_a_number_is_no_inbox() {
    for text in ["ops.heartbeat.7", "7", "_INBOXES.alpha.1.7", "_INBOX.7", "_INBOX.alpha.1.2.7"] {
        assert_eq!(number(&subject_of(text)), None, "{text}");
    }
    assert!(!is_inbox(&subject_of("_INBOXES.alpha.1.7")));
}
