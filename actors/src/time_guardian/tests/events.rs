//! What operators are told of the daemons.

use super::*;

fn told(world: &mut World) -> Vec<String> {
    let events = world.harness.events().into_iter();
    events.filter(|event| matches!(event, Event::TimeDaemon { .. })).map(|event| event.to_string()).collect()
}

#[test]
fn that_the_source_is_lost_is_an_event_even_where_the_clock_is_as_good_as_it_was() {
    let mut world = World::auto();
    for _ in 0..3 {
        world.ptp(world.slave(20_000));
        world.pass(SECOND);
    }
    assert_eq!(world.clock(), (ClockSource::Ptp, Tracking));
    world.harness.events();
    world.ptp(PtpStatus { port: PtpState::Listening, ..world.slave(20_000) });
    assert_eq!(world.clock(), (ClockSource::Ptp, Tracking), "in holdover");
    let events: Vec<String> = world.harness.events().iter().map(ToString::to_string).collect();
    assert_eq!(events, ["clock is ptp tracking: ptp4l: port is LISTENING"]);
}

#[test]
fn that_a_daemon_is_not_there_at_all_is_no_event() {
    let mut world = World::auto();
    world.unread(TimeDaemon::Ptp4l, Obstacle::Absent);
    world.unread(TimeDaemon::Gpsd, Obstacle::Silent);
    assert_eq!(told(&mut world), [] as [String; 0]);
}

#[test]
fn one_that_could_be_read_and_cannot_any_more_is_an_event_and_so_is_its_return() {
    for cause in [Obstacle::Absent, Obstacle::Silent, Obstacle::Denied] {
        let mut world = World::auto();
        world.ntp(world.chrony(0));
        assert_eq!(told(&mut world), [] as [String; 0]);
        world.unread(TimeDaemon::Chronyd, cause);
        world.unread(TimeDaemon::Chronyd, cause);
        world.ntp(world.chrony(0));
        assert_eq!(told(&mut world), ["chronyd cannot be read: no chronyd here", "chronyd tells the time"]);
    }
}

#[test]
fn what_an_operator_has_to_put_right_is_told_at_once_and_once() {
    let other_domain = Obstacle::OtherDomain { answers: 24, transport_specific: 0 };
    for cause in [Obstacle::Denied, other_domain, Obstacle::Refused, Obstacle::Malformed] {
        let mut world = World::auto();
        world.unread(TimeDaemon::Ptp4l, cause);
        world.unread(TimeDaemon::Ptp4l, cause);
        assert_eq!(told(&mut world), ["ptp4l cannot be read: no ptp4l here"]);
    }
}

#[test]
fn a_change_says_why() {
    let mut world = World::auto();
    world.ntp(world.chrony(5_000_000));
    world.ntp(world.chrony(0));
    let far = NtpStatus { root_delay_s: 0.03, ..world.chrony(0) };
    world.ntp(far);
    world.ptp(PtpStatus { port: PtpState::Uncalibrated, ..world.slave(7_000) });
    world.unread(TimeDaemon::Chronyd, Obstacle::Silent);
    assert_eq!(
        world.changes(),
        [
            "clock is ntp tracking: offset from 10.0.0.1 is 5.0 ms",
            "clock is ntp locked: offset from 10.0.0.1 is 0 ns",
            "clock is ntp tracking: offset from 10.0.0.1 is 0 ns, uncertain by 16.0 ms",
            "clock is ptp acquiring: chronyd: no chronyd here",
        ]
    );
}

#[test]
fn a_report_that_another_daemon_would_make_is_of_no_use() {
    let mut world = World::auto();
    let status = world.slave(0);
    world.hear(TimeDaemon::Gpsd, Ok(Reading::Ptp(status)));
    assert_eq!(world.note(TimeDaemon::Gpsd), "says what another daemon would");
}
