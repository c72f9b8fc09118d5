//! Which source the clock goes by (protocol, section 4, "source choice").

use super::*;

/// Lets every daemon that has something to say say it, once a second.
fn polls(world: &mut World, times: u32, mut each: impl FnMut(&mut World, u32)) {
    for turn in 0..times {
        each(world, turn);
        world.pass(SECOND);
    }
}

fn toff(world: &World) -> GpsStatus {
    let mut status = world.pulse(10);
    status.pulse = status.pulse.map(|pulse| GpsPulse { kind: PulseKind::Toff, ..pulse });
    status
}

#[test]
fn auto_prefers_ptp_then_a_pulse_then_ntp_then_ptp_that_only_acquires() {
    let mut world = World::auto();
    let mut by = |each: fn(&mut World)| {
        polls(&mut world, 8, |world, _| each(world));
        drop(world.asked());
        world.clock().0
    };
    let all: [fn(&mut World); 4] = [
        |world| world.gps(toff(world)),
        |world| world.ptp(world.slave(500_000)),
        |world| world.ntp(world.chrony(0)),
        |world| world.gps(world.pulse(10)),
    ];
    assert_eq!(by(all[0]), ClockSource::Gps, "better than nothing");
    assert_eq!(by(all[1]), ClockSource::Ptp, "better than nothing");
    assert_eq!(
        by(|world| {
            world.ptp(world.slave(500_000));
            world.ntp(world.chrony(0));
        }),
        ClockSource::Ntp
    );
    assert_eq!(
        by(|world| {
            world.ntp(world.chrony(0));
            world.gps(toff(world));
        }),
        ClockSource::Ntp
    );
    assert_eq!(
        by(|world| {
            world.ntp(world.chrony(0));
            world.gps(world.pulse(10));
        }),
        ClockSource::Gps
    );
    assert_eq!(
        by(|world| {
            world.gps(world.pulse(10));
            world.ptp(world.slave(99_000));
        }),
        ClockSource::Ptp
    );
}

#[test]
fn a_mode_that_names_a_source_takes_no_other() {
    for (mode, source) in [("ptp", ClockSource::Ptp), ("chrony", ClockSource::Ntp), ("gps", ClockSource::Gps)] {
        let mut world = World::new(json!({ "mode": mode }));
        polls(&mut world, 7, |world, _| {
            world.ptp(world.slave(10));
            world.gps(world.pulse(10));
            world.ntp(world.chrony(10));
        });
        assert_eq!(world.clock().0, source);
        let rows = world.asked().sources;
        assert_eq!(rows.iter().filter(|row| row.active).count(), 1);
        let notes = rows.iter().filter(|row| !row.active).map(|row| row.note.clone().expect("why not"));
        for note in notes {
            assert_eq!(note, format!("not used: the mode is {mode}"));
        }
        world.pass(10 * SECOND);
        polls(&mut world, 5, |world, _| match source {
            ClockSource::Ptp => world.ntp(world.chrony(0)),
            ClockSource::Gps | ClockSource::Ntp | ClockSource::Unsynced => world.ptp(world.slave(10)),
        });
        assert_eq!(world.clock().0, source, "holdover");
    }
}

#[test]
fn the_next_best_takes_over_at_once_when_the_source_is_lost() {
    let mut world = World::auto();
    world.ptp(world.slave(10));
    world.ntp(world.chrony(0));
    assert_eq!(world.clock().0, ClockSource::Ptp);
    world.unread(TimeDaemon::Ptp4l, Obstacle::Silent);
    assert_eq!(world.clock(), (ClockSource::Ntp, Locked));
    assert_eq!(world.changes()[1], "clock is ntp locked: ptp4l: no ptp4l here");
}

#[test]
fn a_better_source_takes_over_after_five_reports_and_five_seconds() {
    let mut world = World::auto();
    world.ntp(world.chrony(0));
    let mut taken_over = Vec::new();
    polls(&mut world, 8, |world, _| {
        world.ptp(world.slave(10));
        world.ntp(world.chrony(0));
        taken_over.push(world.clock().0 == ClockSource::Ptp);
    });
    assert_eq!(taken_over, [false, false, false, false, false, true, true, true]);

    let mut world = World::new(json!({ "interval": "2s" }));
    world.ntp(world.chrony(0));
    let mut reports = 0;
    while world.clock().0 == ClockSource::Ntp {
        world.pass(2 * SECOND);
        world.ntp(world.chrony(0));
        world.ptp(world.slave(10));
        reports += 1;
    }
    assert_eq!(reports, 5);
}

#[test]
fn a_source_that_comes_and_goes_does_not_make_the_clock_change_its_source_each_time() {
    let mut world = World::auto();
    polls(&mut world, 60, |world, turn| {
        let port = if turn % 3 == 2 { PtpState::Listening } else { PtpState::Slave };
        let status = PtpStatus { port, ..world.slave(10) };
        world.ptp(status);
        world.ntp(world.chrony(0));
    });
    let changes = world.changes();
    assert_eq!(changes.len(), 2, "{changes:?}");
}

#[test]
fn one_that_wavers_between_tracking_and_acquiring_neither() {
    let mut world = World::auto();
    polls(&mut world, 60, |world, turn| {
        let port = if turn % 4 == 3 { PtpState::Uncalibrated } else { PtpState::Slave };
        let status = PtpStatus { port, ..world.slave(10) };
        world.ptp(status);
        world.ntp(world.chrony(0));
    });
    assert_eq!(world.changes().len(), 2);
    assert_eq!(world.clock().0, ClockSource::Ntp);
}
