use proptest::prelude::*;

use super::*;
use crate::arbitrary;

fn refusal(text: &str) -> String {
    UnitId::new(text).expect_err(text).to_string()
}

proptest! {
    #[test]
    fn exactly_tokens_of_bounded_length_are_names(text in "[A-Za-z0-9_-]{0,70}|\\PC{0,6}") {
        let legal = (1..=IDENTITY_MAX_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        prop_assert_eq!(ActorName::new(&text).is_ok(), legal);
        prop_assert_eq!(SessionId::new(&text).is_ok(), legal);
        prop_assert_eq!(UnitId::new(&text).is_ok(), legal && !RESERVED_UNIT_IDS.contains(&text.as_str()));
    }

    #[test]
    fn a_name_reads_back_as_it_was_written(unit in arbitrary::unit(), actor in arbitrary::actor()) {
        prop_assert_eq!(&unit.to_string().parse::<UnitId>()?, &unit);
        prop_assert_eq!(&serde_json::from_str::<UnitId>(&serde_json::to_string(&unit)?)?, &unit);
        prop_assert_eq!(&ActorName::try_from(String::from(actor.clone()))?, &actor);
    }

    #[test]
    fn every_host_name_but_an_empty_or_reserved_one_gives_a_unit_id(host in "\\PC{1,99}") {
        prop_assume!(!RESERVED_UNIT_IDS.contains(&host.as_str()));
        let unit = UnitId::from_host_name(&host)?;
        prop_assert_eq!(unit.as_str().len(), host.chars().count().min(IDENTITY_MAX_BYTES));
        prop_assert!(unit.as_str().chars().zip(host.chars()).all(|(ours, theirs)| ours == theirs || ours == '-'));
    }

    #[test]
    fn a_random_session_is_one_token_and_its_own(one in any::<u64>(), other in any::<u64>()) {
        prop_assert_eq!(SessionId::new(SessionId::from_random(one).as_str())?, SessionId::from_random(one));
        prop_assert_eq!(SessionId::from_random(one) == SessionId::from_random(other), one == other);
    }
}

#[test]
fn a_unit_that_would_widen_permissions_or_shift_tokens_is_refused_with_the_character() {
    for (text, c) in [("*", '*'), (">", '>'), ("a.b", '.'), ("a b", ' '), ("über", 'ü'), ("a\nb", '\n')] {
        let expected = format!("unit ID `{text}`: character {c:?} is not allowed; use letters, digits, `-` and `_`");
        assert_eq!(refusal(text), expected);
    }
    assert_eq!(refusal(""), "unit ID ``: a token must not be empty");
}

#[test]
fn the_names_of_fixed_subjects_are_no_unit_ids_but_may_name_actors() {
    for reserved in ["units", "recommendation", "status"] {
        assert_eq!(refusal(reserved), format!("unit ID `{reserved}` is reserved by the protocol; choose another"));
        assert!(ActorName::new(reserved).is_ok());
        assert!(UnitId::from_host_name(reserved).is_err());
    }
    assert!(UnitId::new("Status").is_ok(), "names are case-sensitive");
}

#[test]
fn a_name_ends_at_64_bytes() {
    let name = "a".repeat(64);
    assert!(UnitId::new(&name).is_ok());
    assert_eq!(refusal(&format!("{name}a")), "unit ID is 65 bytes long; at most 64 are allowed");
    let actor = ActorName::new(&"a".repeat(99)).expect_err("too long").to_string();
    assert_eq!(actor, "actor name is 99 bytes long; at most 64 are allowed");
}

#[test]
fn illegal_characters_of_a_host_name_become_dashes() {
    let unit = |host| UnitId::from_host_name(host).map(String::from);
    assert_eq!(unit("node_7.example.org").as_deref(), Ok("node_7-example-org"));
    assert_eq!(unit("büro").as_deref(), Ok("b-ro"));
    assert_eq!(unit(">").as_deref(), Ok("-"));
    assert!(unit("").is_err());
}

#[test]
fn deserialising_checks_like_parsing() {
    let error = serde_json::from_str::<UnitId>("\"*\"").expect_err("a wildcard").to_string();
    assert!(error.starts_with("unit ID `*`: character '*' is not allowed"), "{error}");
    assert!(serde_json::from_str::<ActorName>("\"a.b\"").is_err());
}

#[test]
fn the_schema_of_a_name_says_what_is_legal() {
    let schema = schemars::schema_for!(UnitId);
    assert_eq!(schema.get("pattern"), Some(&serde_json::json!("^[A-Za-z0-9_-]+$")));
    assert_eq!(schema.get("maxLength"), Some(&serde_json::json!(64)));
}

#[test]
fn roles_read_back_and_nothing_else_is_one() {
    for role in [Role::Gateway, Role::Client, Role::Repeater, Role::Node] {
        assert_eq!(Role::parse(role.as_str()), Some(role));
        assert_eq!(serde_json::to_value(role).expect("a word"), role.to_string());
    }
    assert_eq!((Role::parse("Node"), Role::parse("")), (None, None));
    assert_eq!(Role::default(), Role::Node);
}

#[test]
fn lives_are_counted_upwards() {
    assert!(Incarnation(1) < Incarnation(1).next());
    assert_eq!(Incarnation(1).next().to_string(), "2");
}
