use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> String {
    text.parse::<Period>().expect_err(text).to_string()
}

proptest! {
    #[test]
    fn a_period_reads_back_as_it_is_shown(millis in 0..10 * 365 * 86_400_000u64) {
        let period = Period::from_millis(millis);
        prop_assert_eq!(period.to_string().parse::<Period>()?, period);
        let json = serde_json::to_string(&period)?;
        prop_assert_eq!(serde_json::from_str::<Period>(&json)?, period);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), near in "[0-9.]{0,22} {0,1}(ns|us|µs|ms|s|m|h|d|y|M)") {
        for text in [text, near] {
            if let Err(error) = text.parse::<Period>() {
                prop_assert!(error.to_string().contains(&text));
            }
        }
    }
}

#[test]
fn periods_are_written_as_people_do() {
    for (text, millis) in
        [("5s", 5_000), ("250ms", 250), ("1m 30s", 90_000), ("1h", 3_600_000), ("0s", 0), ("2 min", 120_000)]
    {
        assert_eq!(text.parse(), Ok(Period::from_millis(millis)), "{text}");
    }
    assert_eq!(format!("{} {:?}", Period::from_millis(90_250), Period::from_secs(5)), "1m 30s 250ms 5s");
}

#[test]
fn a_period_without_a_unit_or_of_another_kind_says_how_to_write_it() {
    assert_eq!(refusal("5"), "`5` is no duration (time unit needed, for example 5sec or 5ms); write 5s or 250ms");
    assert_eq!(refusal(""), "`` is no duration (value was empty); write 5s or 250ms");
    assert_eq!(refusal("soon"), "`soon` is no duration (expected number at 0); write 5s or 250ms");
    assert!(refusal("-5s").starts_with("`-5s` is no duration ("));
    assert!(refusal("99999999999999999999s").starts_with("`99999999999999999999s` is no duration ("));
    let number = serde_json::from_str::<Period>("5").expect_err("a number").to_string();
    assert!(
        number.starts_with("invalid type: integer `5`, expected a duration with its unit, such as 5s or 250ms"),
        "{number}"
    );
    let text = serde_json::from_str::<Period>("\"5\"").expect_err("no unit").to_string();
    assert!(text.starts_with("`5` is no duration"), "{text}");
}

#[test]
fn a_period_outside_its_bounds_says_what_they_are() {
    let within = |period| period_within(Duration::from_millis(100), Duration::from_secs(60))(&period, &());
    for fine in [Period::from_millis(100), Period::from_secs(5), Period::from_secs(60)] {
        assert!(within(fine).is_ok(), "{fine}");
    }
    for (wrong, expected) in [
        (Period::from_millis(99), "99ms is outside 100ms to 1m"),
        (Period::from_secs(61), "1m 1s is outside 100ms to 1m"),
    ] {
        assert_eq!(within(wrong).expect_err("outside").to_string(), expected);
    }
}

#[test]
fn an_error_names_its_key_from_where_the_reader_stands() {
    let error = ConfigError::new("interval", "is too long");
    assert_eq!(error.to_string(), "interval: is too long");
    assert_eq!(error.under("heartbeat").under("actors").to_string(), "actors.heartbeat.interval: is too long");
    let whole = ConfigError::new("", "is impossible");
    assert_eq!(whole.to_string(), "is impossible");
    assert_eq!(whole.under("actors").to_string(), "actors: is impossible");
}

#[test]
fn the_schema_of_a_period_is_a_text_with_an_example() {
    let schema = schemars::schema_for!(Period);
    assert_eq!(schema.get("type"), Some(&serde_json::json!("string")));
    assert_eq!(schema.get("description"), Some(&serde_json::json!("a duration with its unit, such as 5s or 250ms")));
}
