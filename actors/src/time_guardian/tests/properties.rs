//! What holds whatever the daemons say.

use nunect_core::clock::CardOffset;
use nunect_core::{StopReason, UnitId};
use proptest::prelude::*;

use super::*;

fn any_ns() -> BoxedStrategy<i64> {
    prop_oneof![
        Just(0),
        -2_000..2_000_i64,
        -200_000..200_000_i64,
        -20_000_000..20_000_000_i64,
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
    ]
    .boxed()
}

fn any_seconds() -> BoxedStrategy<f64> {
    prop_oneof![
        Just(0.0),
        -0.02..0.02,
        -100.0..100.0,
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
    .boxed()
}

fn any_duration() -> BoxedStrategy<Duration> {
    prop_oneof![Just(Duration::ZERO), (0..10_000_u64).prop_map(Duration::from_millis), Just(Duration::MAX)].boxed()
}

/// By how much an instant that a daemon shows lies before now.
fn any_ago() -> BoxedStrategy<i64> {
    prop_oneof![4 => Just(0), 2 => 0..5_000_000_000_i64, 1 => any_ns()].boxed()
}

fn any_ptp() -> BoxedStrategy<Said> {
    let states = prop_oneof![
        6 => Just(PtpState::Slave),
        1 => Just(PtpState::Uncalibrated),
        1 => Just(PtpState::Master),
        1 => Just(PtpState::Listening),
    ];
    let card = proptest::option::of((any_ns(), any::<u64>()));
    let times = (any_duration(), any_duration(), any::<Option<i16>>());
    (states, any_ns(), any_ns(), any_ago(), 0..3_u16, proptest::option::of(any::<u64>()), card, times)
        .prop_map(|(port, offset_ns, delay, ago, steps_removed, grandmaster_accuracy_ns, card, times)| {
            let (announce_timeout, sync_interval, utc_offset_s) = times;
            Said::new(TimeDaemon::Ptp4l, ago, move |world, wall| {
                Reading::Ptp(PtpStatus {
                    port,
                    steps_removed,
                    path_delay: ScaledNanos(delay),
                    grandmaster_accuracy_ns,
                    card: card.map(|(offset_ns, error_ns)| CardOffset { offset_ns, error_ns }),
                    announce_timeout,
                    sync_interval,
                    utc_offset_s,
                    ingress_ns: wall.unix_nanos().cast_signed(),
                    ..world.slave(offset_ns)
                })
            })
        })
        .boxed()
}

fn any_gps() -> BoxedStrategy<Said> {
    let kinds = prop_oneof![Just(PulseKind::Pps), Just(PulseKind::Toff)];
    (any_ago(), any_ns(), any::<u64>(), kinds, any::<bool>())
        .prop_map(|(ago, offset_ns, error_ns, kind, fixed)| {
            Said::new(TimeDaemon::Gpsd, ago, move |world, clock| {
                let real = Wall::from_unix_nanos(clock.unix_nanos().saturating_add_signed(offset_ns));
                let fix = if fixed { GpsFix::ThreeD } else { GpsFix::No };
                let pulse = Some(GpsPulse { kind, real, clock, error_ns: error_ns >> 40 });
                Reading::Gps(GpsStatus { fix, pulse, ..world.pulse(0) })
            })
        })
        .boxed()
}

fn any_ntp() -> BoxedStrategy<Said> {
    let numbers = [any_seconds(), any_seconds(), any_seconds(), any_seconds(), any_seconds()];
    (any_ago(), numbers, 0..17_u8, any::<u8>(), any_duration())
        .prop_map(|(ago, numbers, stratum, reach, poll)| {
            Said::new(TimeDaemon::Chronyd, ago, move |world, reference_time| {
                let [correction_s, root_delay_s, root_dispersion_s, skew_ppm, update_interval_s] = numbers;
                let sources = world
                    .chrony(0)
                    .sources
                    .map(|sources| sources.into_iter().map(|source| NtpSource { reach, poll, ..source }).collect());
                Reading::Ntp(NtpStatus {
                    correction_s,
                    root_delay_s,
                    root_dispersion_s,
                    skew_ppm,
                    update_interval_s,
                    stratum,
                    reference_time,
                    sources,
                    ..world.chrony(0)
                })
            })
        })
        .boxed()
}

fn any_kernel() -> BoxedStrategy<Said> {
    (any_ns(), any::<u64>(), any::<bool>())
        .prop_map(|(offset_ns, max_error_us, synchronized)| {
            Said::new(TimeDaemon::Kernel, 0, move |_, _| {
                Reading::Kernel(KernelStatus {
                    synchronized,
                    offset_ns,
                    max_error_us,
                    estimated_error_us: 0,
                    frequency_ppm: 0.0,
                    tai_offset_s: None,
                })
            })
        })
        .boxed()
}

type Make = Box<dyn Fn(&World, Wall) -> Reading>;

/// What a daemon says, as it depends on the present.
struct Said {
    daemon: TimeDaemon,
    ago_ns: i64,
    make: Make,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let world = World::auto();
        let shown = world.at().wall.unix_nanos().saturating_add_signed(self.ago_ns.saturating_neg());
        write!(f, "{:?} by {}", (self.make)(&world, Wall::from_unix_nanos(shown)), self.daemon)
    }
}

impl Said {
    fn new(daemon: TimeDaemon, ago_ns: i64, make: impl Fn(&World, Wall) -> Reading + 'static) -> Self {
        Self { daemon, ago_ns, make: Box::new(make) }
    }
}

#[derive(Debug)]
enum Deed {
    Say(Said),
    Say2(Said, TimeDaemon),
    Fail(TimeDaemon, Obstacle),
    Pass(Duration),
    Step(i64),
    Bus(bool),
    Ask,
}

fn any_daemon() -> BoxedStrategy<TimeDaemon> {
    prop_oneof![Just(TimeDaemon::Ptp4l), Just(TimeDaemon::Gpsd), Just(TimeDaemon::Chronyd), Just(TimeDaemon::Kernel)]
        .boxed()
}

fn any_deed() -> BoxedStrategy<Deed> {
    let said = || prop_oneof![any_ptp(), any_gps(), any_ntp(), any_kernel()];
    let obstacles = prop_oneof![Just(Obstacle::Absent), Just(Obstacle::Silent), Just(Obstacle::Malformed)];
    prop_oneof![
        8 => said().prop_map(Deed::Say),
        1 => (said(), any_daemon()).prop_map(|(said, daemon)| Deed::Say2(said, daemon)),
        2 => (any_daemon(), obstacles).prop_map(|(daemon, obstacle)| Deed::Fail(daemon, obstacle)),
        4 => (1..4_000_u64).prop_map(|ms| Deed::Pass(Duration::from_millis(ms))),
        1 => (1..4_000_u64).prop_map(|s| Deed::Pass(Duration::from_secs(s))),
        1 => any_ns().prop_map(Deed::Step),
        1 => any::<bool>().prop_map(Deed::Bus),
        1 => Just(()).prop_map(|()| Deed::Ask),
    ]
    .boxed()
}

fn say(world: &mut World, daemon: TimeDaemon, said: &Said) {
    let shown = world.at().wall.unix_nanos().saturating_add_signed(said.ago_ns.saturating_neg());
    let reading = (said.make)(world, Wall::from_unix_nanos(shown));
    world.hear(daemon, Ok(reading));
}

/// What holds of every stamp and of every status.
fn check(source: ClockSource, quality: ClockQuality, offset_ns: Option<i64>, uncertainty_ns: Option<u64>) {
    assert_eq!(quality == Freerun, source == ClockSource::Unsynced, "freerun is unsynced, and nothing else is");
    assert_eq!(offset_ns.is_none(), source == ClockSource::Unsynced);
    assert_eq!(uncertainty_ns.is_none(), source == ClockSource::Unsynced);
    if let (Some(offset_ns), Some(uncertainty_ns)) = (offset_ns, uncertainty_ns) {
        assert!(uncertainty_ns >= offset_ns.unsigned_abs(), "{offset_ns} ± {uncertainty_ns}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_the_daemons_say(deeds in proptest::collection::vec(any_deed(), 1..40), mode in 0..4_usize) {
        let mode = ["auto", "ptp", "chrony", "gps"][mode];
        let mut world = World::new(json!({ "mode": mode, "required": true }));
        let mut claimed = None;
        for deed in deeds {
            match deed {
                Deed::Say(said) => say(&mut world, said.daemon, &said),
                Deed::Say2(said, daemon) => say(&mut world, daemon, &said),
                Deed::Fail(daemon, obstacle) => world.unread(daemon, obstacle),
                Deed::Pass(duration) => world.pass(duration),
                Deed::Step(by_ns) => world.stepped_ns = world.stepped_ns.saturating_add(by_ns / 4),
                Deed::Bus(true) => world.harness.input(Input::Bus(&BusEvent::Connected)),
                Deed::Bus(false) => world.harness.input(Input::Bus(&BusEvent::Disconnected)),
                Deed::Ask => {
                    let unit: UnitId = nunect_core::testing::UNIT.parse().expect("legal");
                    world.harness.send(Message::new(time::sync_subject(&unit)));
                }
            }
            if let Some((claim, lost)) = world.harness.claim().filter(|claim| claimed != Some(*claim)) {
                claimed = Some((claim, lost));
                let ClockStamp { source, quality, offset_ns, uncertainty_ns } = claim.stamp;
                check(source, quality, offset_ns, uncertainty_ns);
                prop_assert_eq!(lost, quality == Freerun, "it is required");
            }
            let ClockStamp { source, quality, offset_ns, uncertainty_ns } = world.stamp();
            check(source, quality, offset_ns, uncertainty_ns);
            world.harness.input(Input::Bus(&BusEvent::Connected));
            for message in world.harness.published() {
                let Ok(Received { status, .. }) = TimeStatus::parse(&message) else { continue };
                check(status.active_source, status.clock_quality, status.clock_offset_ns, status.uncertainty_ns);
                prop_assert!(status.holdover_ms.is_none() || status.clock_quality != Locked, "locked in holdover");
                prop_assert!(status.sync_log.len() <= 3);
                prop_assert!(status.sources.iter().filter(|row| row.active).count() <= 1);
            }
            drop(world.harness.events());
        }
        world.harness.stop(StopReason::Restart);
    }

    #[test]
    fn a_claim_lasts_beyond_the_instant_at_which_it_is_made(
        said in proptest::collection::vec((prop_oneof![any_ptp(), any_gps(), any_ntp()], 1..3_000_u64), 1..30)
    ) {
        let mut world = World::auto();
        for (said, ms) in said {
            let before = world.harness.claim();
            say(&mut world, said.daemon, &said);
            let after = world.harness.claim();
            if let Some((claim, _)) = after.filter(|_| after != before) {
                prop_assert!(claim.until >= world.harness.now().mono + HOLD_MIN);
            }
            world.pass(Duration::from_millis(ms));
        }
    }
}
