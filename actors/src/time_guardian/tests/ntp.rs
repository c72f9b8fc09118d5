//! What chronyd and the kernel say, and what is made of it (protocol, section 4, "clock quality, NTP").

use super::*;

fn with(change: impl FnOnce(&mut NtpStatus)) -> World {
    let mut world = World::auto();
    let mut status = world.chrony(0);
    change(&mut status);
    world.ntp(status);
    world
}

fn refused(change: impl FnOnce(&mut NtpStatus)) -> String {
    let mut world = with(change);
    assert_eq!(world.stamp(), ClockStamp::default());
    world.note(TimeDaemon::Chronyd)
}

#[test]
fn it_is_classed_by_the_offset() {
    for (offset_ms, quality) in
        [(0.999, Locked), (-0.999, Locked), (1.0, Tracking), (-9.999, Tracking), (10.0, Acquiring)]
    {
        let world = with(|status| status.correction_s = -offset_ms / 1e3);
        assert_eq!(world.clock(), (ClockSource::Ntp, quality), "{offset_ms}");
    }
}

#[test]
fn a_positive_correction_means_that_the_local_clock_is_behind() {
    let world = with(|status| status.correction_s = 0.005);
    assert_eq!(world.stamp().offset_ns, Some(-5_000_000));
    // |correction| + root dispersion + root delay / 2, and 600 ppb for the second until the next report.
    assert_eq!(world.uncertainty_ns(), 5_000_000 + 1_000_000 + 1_000_000 + 600);
}

#[test]
fn no_class_claims_more_than_the_uncertainty_allows() {
    for (dispersion_ms, quality) in [(8.9, Locked), (9.0, Tracking), (99.0, Tracking), (99.1, Acquiring)] {
        let world = with(|status| status.root_dispersion_s = dispersion_ms / 1e3);
        assert_eq!(world.clock().1, quality, "{dispersion_ms}");
    }
}

#[test]
fn who_is_not_synchronised_is_no_source() {
    assert_eq!(refused(|status| status.leap = Leap::Unsynchronised), "is not synchronised");
    assert_eq!(refused(|status| status.reference_id = 0), "follows nobody yet");
    for stratum in [0, 16, 255] {
        assert_eq!(refused(|status| status.stratum = stratum), format!("is not synchronised: stratum {stratum}"));
    }
}

#[test]
fn a_local_stratum_with_offset_0_is_freerun() {
    let note = refused(|status| status.reference_id = NtpStatus::LOCAL_REFERENCE);
    assert_eq!(note, "follows its own clock (local stratum)");
}

#[test]
fn a_server_that_does_not_answer_any_more_is_no_source_although_the_daemon_says_normal() {
    let sources = |status: &mut NtpStatus, change: fn(&mut NtpSource)| {
        status.sources.as_mut().expect("known").iter_mut().for_each(change);
    };
    assert_eq!(refused(|status| sources(status, |source| source.reach = 0)), "10.0.0.1 does not answer any more");
    assert_eq!(refused(|status| sources(status, |source| source.selected = false)), "has no source selected");
    assert_eq!(with(|status| status.sources = None).clock().1, Locked, "when they are not known");
}

#[test]
fn a_correction_counts_for_eight_polls_or_updates_and_four_seconds_at_least() {
    let corrected = |ago_s: i64, update_s: f64, poll_s| {
        with(|status| {
            let ago_ns = ago_s * 1_000_000_000;
            status.reference_time =
                Wall::from_unix_nanos(status.reference_time.unix_nanos().saturating_add_signed(-ago_ns));
            status.update_interval_s = update_s;
            status
                .sources
                .as_mut()
                .expect("known")
                .iter_mut()
                .for_each(|source| source.poll = Duration::from_secs(poll_s));
        })
    };
    for (ago_s, update_s, poll_s, quality) in [
        (512, 64.0, 1, Locked),
        (513, 64.0, 1, Freerun),
        (512, 1.0, 64, Locked),
        (4, 0.1, 0, Locked),
        (5, 0.1, 0, Freerun),
        (-4, 0.1, 0, Locked),
        (-5, 0.1, 0, Freerun),
        (5, f64::NAN, 0, Freerun),
    ] {
        assert_eq!(corrected(ago_s, update_s, poll_s).clock().1, quality, "{ago_s} s ago");
    }
    assert_eq!(corrected(600, 64.0, 64).note(TimeDaemon::Chronyd), "last correction is 600.0 s ago");
}

#[test]
fn what_cannot_be_is_refused() {
    let changes: [fn(&mut NtpStatus); 6] = [
        |status| status.correction_s = f64::NAN,
        |status| status.correction_s = f64::INFINITY,
        |status| status.correction_s = 1e12,
        |status| status.root_delay_s = -0.1,
        |status| status.root_dispersion_s = -0.1,
        |status| status.root_dispersion_s = f64::NAN,
    ];
    for change in changes {
        let note = refused(change);
        assert!(note.contains("cannot be") || note.contains("ten years"), "{note}");
    }
}

fn kernel(synchronized: bool) -> Reading {
    Reading::Kernel(KernelStatus {
        synchronized,
        offset_ns: 2_000,
        max_error_us: 900,
        estimated_error_us: 10,
        frequency_ppm: 0.0,
        tai_offset_s: None,
    })
}

#[test]
fn the_kernel_is_the_last_resort() {
    let mut world = World::auto();
    world.unread(TimeDaemon::Chronyd, Obstacle::Absent);
    world.hear(TimeDaemon::Kernel, Ok(kernel(false)));
    assert_eq!(world.clock().1, Freerun);
    world.hear(TimeDaemon::Kernel, Ok(kernel(true)));
    assert_eq!(world.clock(), (ClockSource::Ntp, Locked));
    // Its bound, grown until the next report.
    assert_eq!(world.uncertainty_ns(), 900_000 + 500_100);
    assert_eq!(world.asked().sources[0].follows.as_deref(), Some("kernel"));
}

#[test]
fn the_kernel_does_not_count_before_its_daemon_was_asked() {
    let mut world = World::auto();
    world.hear(TimeDaemon::Kernel, Ok(kernel(true)));
    assert_eq!(world.clock().1, Freerun, "chronyd may have more to say");
    world.unread(TimeDaemon::Chronyd, Obstacle::Absent);
    assert_eq!(world.clock(), (ClockSource::Ntp, Locked));
}

#[test]
fn the_kernel_does_not_count_beside_a_daemon_nor_after_one() {
    let mut world = World::auto();
    let follows_nobody = NtpStatus { leap: Leap::Unsynchronised, ..world.chrony(0) };
    world.ntp(follows_nobody);
    world.hear(TimeDaemon::Kernel, Ok(kernel(true)));
    assert_eq!(world.clock().1, Freerun);

    let mut world = World::auto();
    world.ptp(world.slave(100));
    world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
    world.hear(TimeDaemon::Kernel, Ok(kernel(true)));
    assert_eq!(world.clock().0, ClockSource::Ptp, "holdover: the kernel has its word from ptp4l");
    assert_eq!(world.note(TimeDaemon::Kernel), "not used: it only knows what another daemon told it");
}
