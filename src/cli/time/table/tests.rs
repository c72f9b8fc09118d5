//! What a table shows of clocks.

use nunect_core::clock::TimeDaemon;
use nunect_core::clock::delay::Exchange;
use nunect_core::{ClockStamp, Mono, Now, Wall};

use super::super::super::client::Failure;
use super::*;

/// An answer of a unit that knows this.
pub(in crate::cli::time) fn told(status: TimeStatus) -> Told {
    let now = Now { mono: Mono::ZERO, wall: Wall::default() };
    let exchange = Exchange { sent: now, taken: now.wall, answered: now.wall, received: now };
    Told { exchange, clock: ClockStamp::default(), status }
}

/// No answer.
pub(in crate::cli::time) fn silent() -> Silence {
    Silence::Failed(Failure::Timeout(Duration::from_secs(2)))
}

fn source(daemon: TimeDaemon, source: ClockSource, active: bool) -> SourceStatus {
    let (quality, offset_ns, uncertainty_ns, follows, age_ms, note) = (None, None, None, None, None, None);
    SourceStatus { daemon, source, active, quality, offset_ns, uncertainty_ns, follows, age_ms, note }
}

fn gps() -> TimeStatus {
    let active = SourceStatus {
        quality: Some(ClockQuality::Locked),
        offset_ns: Some(-170),
        uncertainty_ns: Some(1_240),
        follows: Some("/dev/pps0".to_owned()),
        age_ms: Some(340),
        ..source(TimeDaemon::Gpsd, ClockSource::Gps, true)
    };
    let other = SourceStatus {
        quality: Some(ClockQuality::Tracking),
        offset_ns: Some(5_000_000),
        uncertainty_ns: Some(9_000_000),
        follows: Some("10.0.0.1".to_owned()),
        age_ms: Some(61_000),
        note: Some("gpsd is better".to_owned()),
        ..source(TimeDaemon::Chronyd, ClockSource::Ntp, false)
    };
    TimeStatus {
        active_source: ClockSource::Gps,
        clock_quality: ClockQuality::Locked,
        clock_offset_ns: Some(-170),
        uncertainty_ns: Some(1_240),
        sources: vec![active, other],
        ..TimeStatus::default()
    }
}

fn held() -> TimeStatus {
    TimeStatus {
        active_source: ClockSource::Ptp,
        clock_quality: ClockQuality::Tracking,
        uncertainty_ns: Some(40_000),
        holdover_ms: Some(12_400),
        ..TimeStatus::default()
    }
}

fn shown(answers: Vec<(&str, Result<Told, Silence>)>, with_sources: bool) -> String {
    let unit = |name| UnitId::new(name).expect("legal");
    let answers = answers.into_iter().map(|(name, answer)| (unit(name), answer)).collect();
    drawn(&answers, with_sources, &Console::new(false)).join("\n")
}

#[test]
fn a_unit_is_a_row_with_the_source_that_its_clock_goes_by() {
    let answers =
        vec![("alpha", Ok(told(gps()))), ("bravo", Ok(told(held()))), ("delta", Ok(told(TimeStatus::default())))];
    assert_eq!(
        shown(answers, false),
        "\
UNIT   SOURCE    QUALITY                 OFFSET   UNCERTAINTY  FOLLOWS    AGE
alpha  gps       locked                  -170 ns  1.2 µs       /dev/pps0  340.0 ms
bravo  ptp       tracking, holdover 12s  –        40.0 µs      –          –
delta  unsynced  freerun                 –        –            –          –
3 units: 1 locked, 1 tracking, 1 unsynced"
    );
}

#[test]
fn the_other_sources_follow_with_why_the_clock_does_not_go_by_them() {
    let answers = vec![("alpha", Ok(told(gps()))), ("bravo", Err(silent()))];
    let shown = shown(answers, true);
    let lines: Vec<&str> = shown.lines().collect();
    let expected = [
        "UNIT       SOURCE  QUALITY    OFFSET   UNCERTAINTY  FOLLOWS    AGE       NOTE",
        "alpha      gps     locked     -170 ns  1.2 µs       /dev/pps0  340.0 ms",
        "  chronyd  ntp     tracking   5.0 ms   9.0 ms       10.0.0.1   1m        gpsd is better",
        "bravo      –       no answer  –        –            –          –         no answer within 2s",
        "2 units: 1 locked, 1 silent",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_a_unit_says_cannot_move_the_cursor() {
    let mut status = gps();
    status.sources[0].follows = Some("\u{1b}[2J".to_owned());
    assert!(shown(vec![("alpha", Ok(told(status)))], false).contains("\\u{1b}[2J"));
}

#[test]
fn no_unit_at_all_is_said() {
    assert_eq!(shown(Vec::new(), false).lines().last(), Some("0 units"));
}
