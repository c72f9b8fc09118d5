use proptest::prelude::*;

use super::*;
use crate::arbitrary::{self, pattern_of, subject_of};

/// NATS's rules on token slices, written once more and differently.
fn reference(pattern: &[&str], subject: &[&str]) -> bool {
    match (pattern, subject) {
        ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, subject @ ..]) => reference(pattern, subject),
        ([literal, pattern @ ..], [token, subject @ ..]) => literal == token && reference(pattern, subject),
        ([], []) => true,
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// What makes a text a subject, or with `wildcards` a pattern.
fn is_legal(text: &str, wildcards: bool) -> bool {
    let tokens: Vec<&str> = text.split('.').collect();
    text.len() <= SUBJECT_MAX_BYTES
        && tokens.iter().all(|token| !token.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && (wildcards || !tokens.iter().any(|token| *token == "*" || *token == ">"))
        && !tokens[..tokens.len() - 1].contains(&">")
}

/// Few distinct tokens, so that patterns and subjects often meet.
fn near_pattern() -> impl Strategy<Value = String> {
    "[ab*](\\.[ab*]){0,4}(\\.>)?|>"
}

proptest! {
    #[test]
    fn a_pattern_matches_what_the_rules_on_token_slices_say(pattern in near_pattern(), subject in "[ab](\\.[ab]){0,5}") {
        let expected = reference(
            &pattern.split('.').collect::<Vec<_>>(),
            &subject.split('.').collect::<Vec<_>>(),
        );
        prop_assert_eq!(pattern_of(&pattern).matches(&subject_of(&subject)), expected);
    }

    #[test]
    fn exactly_the_legal_texts_are_subjects_and_patterns(text in "[a*>. \\tü\\x00]{0,8}|\\PC{0,260}") {
        prop_assert_eq!(Subject::parse(text.clone()).is_ok(), is_legal(&text, false));
        prop_assert_eq!(Pattern::parse(text.clone()).is_ok(), is_legal(&text, true));
    }

    #[test]
    fn a_subject_reads_back_as_it_was_written(subject in arbitrary::subject()) {
        prop_assert_eq!(&Subject::parse(subject.as_str().to_owned())?, &subject);
        prop_assert_eq!(&Subject::from_wire(subject.as_bytes().clone())?, &subject);
        prop_assert_eq!(&Subject::join(&subject.tokens().collect::<Vec<_>>()), &subject);
        let json = serde_json::to_string(&subject)?;
        prop_assert_eq!(&serde_json::from_str::<Subject>(&json)?, &subject);
    }

    #[test]
    fn a_pattern_reads_back_as_it_was_written(text in near_pattern()) {
        let pattern = pattern_of(&text);
        prop_assert_eq!(pattern.as_str(), &text);
        prop_assert_eq!(&Pattern::join(&pattern.tokens().collect::<Vec<_>>()), &pattern);
        let json = serde_json::to_string(&pattern)?;
        prop_assert_eq!(&serde_json::from_str::<Pattern>(&json)?, &pattern);
    }

    #[test]
    fn a_subject_as_a_pattern_matches_itself_and_nothing_else(
        (one, other) in (arbitrary::subject(), arbitrary::subject()),
    ) {
        prop_assert!(Pattern::from(&one).matches(&one));
        prop_assert_eq!(Pattern::from(&one).matches(&other), one == other);
    }

    #[test]
    fn bytes_from_the_wire_are_a_subject_when_they_are_utf8(bytes in any::<Vec<u8>>(), pattern in near_pattern()) {
        match (Subject::from_wire(Bytes::from(bytes.clone())), std::str::from_utf8(&bytes)) {
            (Ok(subject), Ok(text)) => {
                prop_assert_eq!(subject.as_str(), text);
                let _matches = pattern_of(&pattern).matches(&subject);
            }
            (Err(error), Err(_)) => prop_assert_eq!(error.problem, SubjectProblem::NotUtf8),
            (read, text) => prop_assert!(false, "{read:?} from {text:?}"),
        }
    }
}

#[test]
fn an_error_names_the_text_the_problem_and_the_token() {
    let long = "a".repeat(SUBJECT_MAX_BYTES + 1);
    for (text, expected) in [
        ("", "``: empty token at token 1"),
        ("ops..a", "`ops..a`: empty token at token 2"),
        ("ops.a.", "`ops.a.`: empty token at token 3"),
        ("ops.a b", "`ops.a b`: white space or control character at token 2"),
        ("ops.*", "`ops.*`: wildcard in a subject that is published to at token 2"),
        (">", "`>`: wildcard in a subject that is published to at token 1"),
        (&long, &format!("`{}`: more than 256 bytes at token 1", &long[1..])),
    ] {
        let error = Subject::parse(text.to_owned()).expect_err("an illegal subject");
        assert_eq!(error.to_string(), expected);
    }
    let error = Pattern::parse("com.bridge.vhf.>.voice").expect_err("an illegal pattern");
    assert_eq!(error.to_string(), "`com.bridge.vhf.>.voice`: `>` before the end at token 4");
}

#[test]
fn a_wildcard_within_a_token_is_a_plain_character_as_in_nats() {
    let subject = subject_of("ops.a*b.c>");
    assert!(pattern_of("ops.a*b.c>").matches(&subject));
    assert!(!pattern_of("ops.a*b.c>").matches(&subject_of("ops.axb.cd")));
}

#[test]
fn deserialising_checks_like_parsing() {
    let error = serde_json::from_str::<Subject>("\"ops.*\"").expect_err("a wildcard");
    assert!(error.to_string().starts_with("`ops.*`: wildcard"), "{error}");
    assert!(serde_json::from_str::<Pattern>("\"ops.>.a\"").is_err());
}

#[test]
fn subjects_and_patterns_fill_columns() {
    assert_eq!(format!("{:>7}|{:<7}|", subject_of("a.b"), pattern_of("a.*")), "    a.b|a.*    |");
    assert_eq!(format!("{:?}", subject_of("a.b")), "\"a.b\"");
}

#[test]
fn our_own_tokens_are_letters_digits_dash_and_underscore() {
    assert_eq!(check_token("Az09-_"), Ok(()));
    assert_eq!(check_token(""), Err(TokenError::Empty));
    for c in ['*', '>', '.', ' ', '/', 'ü', '\n'] {
        assert_eq!(check_token(&format!("a{c}b")), Err(TokenError::Character(c)));
    }
}
