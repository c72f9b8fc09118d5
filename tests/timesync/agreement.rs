//! What the readers read is what `pmc` and `chronyc` show, digit by digit.

use std::thread::sleep;
use std::time::Duration;

use nunect::clock::{NtpStatus, PtpStatus, Reading, ScaledNanos};
use nunect::runtime::Clock;
use nunect::runtime::timesync::ClockReader;
use nunect::runtime::timesync::chrony::ChronyReader;
use nunect::runtime::timesync::ptp::PtpReader;

use crate::daemons::chronyd::{self, Chronyd};
use crate::daemons::namespaces::Cable;
use crate::daemons::ptp4l::{Ptp4l, field};

/// So many polls count: the daemon had the same sample before and after the tool asked.
const POLLS: usize = 100;
/// Of at most so many.
const POLLS_MAX: usize = 400;
/// Between two of them, so that most are about another sample.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads before and after the tool is asked, so often that the sample was the `same` in 100 polls, and looks whether
/// the tool `agrees` with both.
fn compare<S>(
    mut read: impl FnMut() -> S,
    tool: impl Fn() -> String,
    same: impl Fn(&S, &S, &str) -> bool,
    agrees: impl Fn(&S, &S, &str),
) {
    let mut counted = 0;
    for _ in 0..POLLS_MAX {
        let before = read();
        let said = tool();
        let after = read();
        if same(&before, &after, &said) {
            agrees(&before, &after, &said);
            counted += 1;
        }
        if counted == POLLS {
            return;
        }
        sleep(PAUSE);
    }
    panic!("only {counted} of {POLLS_MAX} polls were about one sample");
}

/// What asks `reader`, again and again.
fn reading(mut reader: impl ClockReader + 'static) -> impl FnMut() -> Reading {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::new();
    move || runtime.block_on(reader.read(&clock)).expect("it answers")
}

fn ptp(reading: Reading) -> PtpStatus {
    match reading {
        Reading::Ptp(status) => status,
        Reading::Ntp(_) | Reading::Gps(_) | Reading::Kernel(_) => panic!("not ptp4l: {reading:?}"),
    }
}

fn ntp(reading: Reading) -> NtpStatus {
    match reading {
        Reading::Ntp(status) => status,
        Reading::Ptp(_) | Reading::Gps(_) | Reading::Kernel(_) => panic!("not chronyd: {reading:?}"),
    }
}

#[test]
fn a_hundred_polls_of_ptp4l_agree_with_pmc() {
    let cable = Cable::new();
    let _master = Ptp4l::master(&cable.ends[0]);
    let slave = Ptp4l::slave(&cable.ends[1], "slaveOnly 1");
    let mut read = reading(PtpReader::new(&slave.section()));
    compare(
        || ptp(read()),
        || slave.pmc(&["GET TIME_STATUS_NP", "GET CURRENT_DATA_SET"], "meanPathDelay"),
        |before, after, said| {
            let ingress = before.ingress_ns.to_string();
            let known = before.ingress_ns != 0 && before.path_delay != ScaledNanos(0);
            known && before == after && field(said, "ingress_time") == ingress
        },
        |status, _, said| {
            let ours = [
                ("master_offset", status.offset_ns.to_string()),
                ("gmPresent", status.grandmaster_present.to_string()),
                ("gmIdentity", status.grandmaster.to_string()),
                ("stepsRemoved", status.steps_removed.to_string()),
                ("offsetFromMaster", ScaledNanos(status.offset_ns << 16).to_string()),
                ("meanPathDelay", status.path_delay.to_string()),
            ];
            for (name, ours) in ours {
                assert_eq!(ours, field(said, name), "{name}: {status:#?}\n{said}");
            }
        },
    );
}

/// The fields of `chronyc -c tracking`, in their order.
const TRACKING: [&str; 14] = [
    "reference ID",
    "address",
    "stratum",
    "reference time",
    "correction",
    "last offset",
    "RMS offset",
    "frequency",
    "residual frequency",
    "skew",
    "root delay",
    "root dispersion",
    "update interval",
    "leap status",
];

/// A field of `chronyc -c tracking`.
fn tracked<'a>(said: &'a str, name: &str) -> &'a str {
    let column = TRACKING.iter().position(|field| *field == name).expect("a field");
    said.trim().split(',').nth(column).unwrap_or_else(|| panic!("chronyc shows no {name}: `{said}`"))
}

fn reference_time(status: &NtpStatus) -> String {
    let nanos = status.reference_time.unix_nanos();
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

#[test]
fn a_hundred_polls_of_chronyd_agree_with_chronyc() {
    let port = chronyd::free_port();
    let _server = Chronyd::server(port);
    // An offset, so that there is something to correct.
    let client = Chronyd::client(port, "offset 0.003");
    let mut read = reading(ChronyReader::new(&client.section()));
    compare(
        || ntp(read()),
        || client.chronyc(&["tracking"]),
        |before, after, said| {
            let same = before.reference_time == after.reference_time;
            before.reference_id != 0 && same && tracked(said, "reference time") == reference_time(before)
        },
        |before, after, said| {
            let ours = [
                ("reference ID", format!("{:08X}", before.reference_id)),
                ("address", before.server.as_deref().unwrap_or_default().to_owned()),
                ("stratum", before.stratum.to_string()),
                ("last offset", format!("{:.9}", before.last_offset_s)),
                ("RMS offset", format!("{:.9}", before.rms_offset_s)),
                ("frequency", format!("{:.3}", before.frequency_ppm)),
                ("skew", format!("{:.3}", before.skew_ppm)),
                ("root delay", format!("{:.9}", before.root_delay_s)),
                ("update interval", format!("{:.1}", before.update_interval_s)),
                ("leap status", format!("{:?}", before.leap)),
            ];
            for (name, ours) in ours {
                assert_eq!(ours, tracked(said, name), "{name}: {before:#?}\n{said}");
            }
            // These change as time goes by: what is shown is between what was read before and after, to its digits.
            for (name, before, after) in [
                ("correction", before.correction_s, after.correction_s),
                ("root dispersion", before.root_dispersion_s, after.root_dispersion_s),
            ] {
                let theirs: f64 = tracked(said, name).parse().expect("a number");
                let (least, most) = (before.min(after) - 1e-9, before.max(after) + 1e-9);
                assert!(least <= theirs && theirs <= most, "{name}: {before} {theirs} {after}");
            }
        },
    );
}
