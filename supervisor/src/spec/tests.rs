use std::time::Duration;

use serde::de::DeserializeOwned;

use super::*;

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(json)
}

fn expect<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(json: &str, value: T) {
    assert_eq!(parse::<T>(json).expect("legal configuration"), value);
    assert_eq!(serde_json::to_string(&value).expect("serializes"), json);
}

#[test]
fn configuration_speaks_the_words_of_the_field() {
    expect(r#""one_for_one""#, Strategy::OneForOne);
    expect(r#""one_for_all""#, Strategy::OneForAll);
    expect(r#""rest_for_one""#, Strategy::RestForOne);
    expect(r#""permanent""#, Restart::Permanent);
    expect(r#""transient""#, Restart::Transient);
    expect(r#""temporary""#, Restart::Temporary);
    expect(r#""never""#, AutoShutdown::Never);
    expect(r#""any_significant""#, AutoShutdown::AnySignificant);
    expect(r#""all_significant""#, AutoShutdown::AllSignificant);
    expect(r#""brutal""#, Shutdown::Brutal);
    expect(r#""infinite""#, Shutdown::Infinite);
    expect(r#"{"timeout":"250ms"}"#, Shutdown::Timeout(Period::from_millis(250)));
}

#[test]
fn what_is_not_said_has_its_default_and_what_is_unknown_is_refused() {
    expect(r#"{"crashes":5,"period":"30s"}"#, Intensity::default());
    expect(r#"{"first":"100ms","cap":"10s","reset_after":"30s"}"#, Backoff::default());
    let intensity: Intensity = parse(r#"{"crashes":9}"#).expect("legal");
    assert_eq!(intensity, Intensity { crashes: 9, ..Intensity::default() });
    let backoff: Backoff = parse(r#"{"cap":"2s"}"#).expect("legal");
    assert_eq!(backoff, Backoff { cap: Period::from_secs(2), ..Backoff::default() });
    assert!(parse::<Intensity>(r#"{"restarts":9}"#).is_err());
    assert!(parse::<Backoff>(r#"{"max":"2s"}"#).is_err());
    assert_eq!(Shutdown::default(), Shutdown::Timeout(Period(Duration::from_secs(1))));
}

#[test]
fn who_lives_again_and_who_is_charged() {
    let normal = Exit::Normal { reason: "done".to_owned() };
    let crash = |on_message| Exit::Crash { reason: "panic".to_owned(), on_message };
    let (charged, free) = (Verdict::Restart { charged: true }, Verdict::Restart { charged: false });
    for (restart, on_normal, on_crash, on_message, on_kill) in [
        (Restart::Permanent, charged, charged, free, charged),
        (Restart::Transient, Verdict::Leave, charged, free, charged),
        (Restart::Temporary, Verdict::Leave, Verdict::Leave, Verdict::Leave, Verdict::Leave),
    ] {
        assert_eq!(restart.verdict(&normal), on_normal, "{restart:?}");
        assert_eq!(restart.verdict(&crash(false)), on_crash, "{restart:?}");
        assert_eq!(restart.verdict(&crash(true)), on_message, "{restart:?}");
        assert_eq!(restart.verdict(&Exit::Killed), on_kill, "{restart:?}");
    }
}

#[test]
fn mistakes_are_found() {
    let name = |name: &str| ActorName::new(name).expect("legal");
    let a = || ChildSpec::new(name("a"));
    let significant = |restart| ChildSpec { restart, significant: true, ..a() };
    let check = |auto_shutdown, children| Spec { auto_shutdown, children, ..Spec::default() }.check();
    let any = AutoShutdown::AnySignificant;
    assert_eq!(check(AutoShutdown::Never, vec![a(), ChildSpec::new(name("b"))]), Ok(()));
    assert_eq!(check(any, vec![significant(Restart::Transient)]), Ok(()));
    assert_eq!(check(any, vec![a(), a()]), Err(SpecError::NameTwice(name("a"))));
    assert_eq!(check(any, vec![significant(Restart::Permanent)]), Err(SpecError::SignificantPermanent(name("a"))));
    let vain = check(AutoShutdown::Never, vec![significant(Restart::Temporary)]);
    assert_eq!(vain, Err(SpecError::SignificantInVain(name("a"))));
}
