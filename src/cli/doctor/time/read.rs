//! What a time daemon that can be read says of the clock.
//!
//! Whether a node goes by it is for the actor `time_guardian`; here are the conditions that a person can mend.

use nunect_core::clock::{
    GpsFix, GpsPulse, GpsStatus, Grandmaster, KernelStatus, Leap, NtpStatus, PtpState, PtpStatus, PulseKind, Reading,
    TimeDaemon,
};
use nunect_core::time::Span;
use nunect_runtime::config::TimeSection;

use super::super::super::output::plain;
use super::super::Finding;
use super::CanStamp;

const PTP: &str = TimeDaemon::Ptp4l.as_str();
const GPS: &str = TimeDaemon::Gpsd.as_str();
const NTP: &str = TimeDaemon::Chronyd.as_str();
const KERNEL: &str = TimeDaemon::Kernel.as_str();

/// What there is to say of it, and whether the clock can be gone by it.
pub(super) fn judged(time: &TimeSection, reading: &Reading) -> (Vec<Finding>, bool) {
    match reading {
        Reading::Ptp(status) => ptp(time, status),
        Reading::Gps(status) => gps(status),
        Reading::Ntp(status) => ntp(status),
        Reading::Kernel(status) => kernel(status),
    }
}

fn bound(ns: u64) -> String {
    Span::unsigned(ns).to_string()
}

fn ptp(time: &TimeSection, status: &PtpStatus) -> (Vec<Finding>, bool) {
    let mut found = Vec::new();
    let interface = interface(status);
    let following = following(status, &interface);
    let mut tells = following.is_ok();
    found.push(match following {
        Ok(what) => Finding::ok(PTP, what),
        Err((what, help)) => Finding::warning(PTP, what, help),
    });
    if let Some(wrong) = tells.then(|| master(time, status)).flatten() {
        // One that cannot be checked is gone by all the same.
        tells = wrong.verdict == super::Verdict::Info;
        found.push(wrong);
    }
    if status.hardware == Some(true) && status.card.is_none() {
        tells = false;
        let what = format!("stamps in hardware, and the system clock cannot be compared with that of {interface}");
        let help = "let the node's user read /dev/ptp0 and its like by a udev rule, and keep time.ptp_hw_timestamp \
                    from being false";
        found.push(Finding::warning(PTP, what, help));
    }
    (found, tells)
}

/// What is not as it was configured, and keeps nobody from the time.
pub(super) fn remarks(time: &TimeSection, reading: &Reading, can_stamp: CanStamp) -> Vec<Finding> {
    let status = match reading {
        Reading::Ptp(status) if (time.ptp_hw_timestamp, status.hardware) == (Some(true), Some(false)) => status,
        Reading::Ptp(_) | Reading::Gps(_) | Reading::Ntp(_) | Reading::Kernel(_) => return Vec::new(),
    };
    let interface = interface(status);
    let help = match status.interface.as_deref().and_then(can_stamp) {
        Some(true) => format!("write `time_stamping hardware` into ptp4l.conf: {interface} can"),
        Some(false) => format!("remove time.ptp_hw_timestamp: {interface} cannot stamp in hardware"),
        None => "ask `ethtool -T` whether the network card can; if not, remove time.ptp_hw_timestamp".to_owned(),
    };
    vec![Finding::warning(PTP, "stamps in software, and time.ptp_hw_timestamp is true", help)]
}

fn interface(status: &PtpStatus) -> String {
    status.interface.as_deref().map_or_else(|| "the network card".to_owned(), plain)
}

/// Whom ptp4l follows, or why it follows nobody and what to do.
fn following(status: &PtpStatus, interface: &str) -> Result<String, (String, String)> {
    let domain = status.domain;
    let port = format!("the port on {interface} is {} in domain {domain}", status.port);
    let look = "look whether a grandmaster announces itself in this network and domain, with the same transport";
    match status.port {
        PtpState::Slave => {}
        PtpState::Uncalibrated => {
            let help = "wait: ptp4l has a master and is at it; if that lasts, look into its log";
            return Err((port, help.to_owned()));
        }
        PtpState::Master => {
            let help = "set `clientOnly 1` (before linuxptp 4: `slaveOnly 1`) in ptp4l.conf, unless this machine is to \
                        be the master";
            return Err((format!("{port}: it follows nobody"), help.to_owned()));
        }
        PtpState::Faulty | PtpState::Disabled => {
            return Err((port, "look into ptp4l's log, and whether the interface is up".to_owned()));
        }
        PtpState::Initializing | PtpState::Listening | PtpState::PreMaster | PtpState::Passive => {
            return Err((format!("{port}: it follows nobody"), look.to_owned()));
        }
    }
    if !status.grandmaster_present || status.steps_removed == 0 {
        return Err((format!("{port}, and has no grandmaster"), look.to_owned()));
    }
    if status.ingress_ns == 0 {
        return Err((format!("{port}, and no sync message of its master counts"), look.to_owned()));
    }
    if status.path_delay.0 < 0 {
        let what = format!("the path delay is negative: {} ns", status.path_delay);
        return Err((what, "look at `delayAsymmetry` in ptp4l.conf: a way takes longer than no time".to_owned()));
    }
    let (offset, delay) = (Span(status.offset_ns), Span(status.path_delay.nanos()));
    let stamps = match status.hardware {
        Some(true) => ", stamps in hardware",
        Some(false) => ", stamps in software",
        None => "",
    };
    Ok(format!("follows {} in domain {domain}, offset {offset}, path delay {delay}{stamps}", status.grandmaster))
}

/// What is wrong with the grandmaster, if it is to be a certain one.
fn master(time: &TimeSection, status: &PtpStatus) -> Option<Finding> {
    let wanted = time.ptp_master.as_deref()?;
    let found = status.grandmaster;
    let wrong = |what: String| {
        let help = format!("give {wanted} the better `priority1`, or set time.ptp_master: {found}");
        Some(Finding::warning(PTP, what, help))
    };
    match (wanted.parse().ok()?, status.grandmaster_address) {
        (Grandmaster::Identity(identity), _) if identity == found => None,
        (Grandmaster::Identity(_), _) => wrong(format!("follows {found}, and time.ptp_master is {wanted}")),
        (Grandmaster::Address(address), Some(tells)) if address == tells => None,
        (Grandmaster::Address(_), Some(tells)) => {
            wrong(format!("follows {found} at {tells}, and time.ptp_master is {wanted}"))
        }
        (Grandmaster::Address(_), None) => {
            let what = format!("follows {found}, which does not tell whether its address is {wanted}");
            Some(Finding::advice(PTP, what, format!("name it by its identity: time.ptp_master: {found}")))
        }
    }
}

fn gps(status: &GpsStatus) -> (Vec<Finding>, bool) {
    let device = status.device.as_deref().map_or_else(|| "no receiver".to_owned(), plain);
    let used = status.satellites.map(|number| format!(", {number} satellites")).unwrap_or_default();
    let has = format!("{device}, {}{used}", status.fix);
    let has_fix = match status.fix {
        GpsFix::TwoD | GpsFix::ThreeD => true,
        GpsFix::Unknown | GpsFix::No => false,
    };
    if !has_fix && status.pulse.is_some() {
        let help = "give its antenna a free view of the sky, and wait for a fix";
        return (vec![Finding::warning(GPS, format!("{has}: its pulse is worth nothing yet"), help)], false);
    }
    match status.pulse {
        Some(pulse @ GpsPulse { kind: PulseKind::Pps, .. }) => {
            let (offset, error) = (Span(pulse.offset_ns()), bound(pulse.error_ns));
            (vec![Finding::ok(GPS, format!("{has}, by its pulse the clock is off by {offset} ± {error}"))], true)
        }
        Some(pulse @ GpsPulse { kind: PulseKind::Toff, .. }) => {
            let (offset, error) = (Span(pulse.offset_ns()), bound(pulse.error_ns));
            let what = format!("{has}, no pulse; by its messages the clock is off by {offset} ± {error}");
            (vec![Finding::advice(GPS, what, PULSE)], true)
        }
        None => {
            let what = format!("{has}, no pulse: a bare fix tells no time worth having");
            (vec![Finding::warning(GPS, what, PULSE)], false)
        }
    }
}

const PULSE: &str = "wire the receiver's PPS to the machine, give its /dev/pps0 to gpsd, and run it as `gpsd -n`";

fn ntp(status: &NtpStatus) -> (Vec<Finding>, bool) {
    let lacks = |what: &str, help: &str| (vec![Finding::warning(NTP, what, help)], false);
    if status.reference_id == NtpStatus::LOCAL_REFERENCE {
        return lacks("follows its own clock (`local stratum`)", "write `server HOST iburst` into chrony.conf");
    }
    let is_synchronised = match status.leap {
        Leap::Normal | Leap::Insert | Leap::Delete => status.reference_id != 0 && (1..=15).contains(&status.stratum),
        Leap::Unsynchronised => false,
    };
    let reach = "look with `chronyc sources` which servers answer: the network, a firewall on UDP port 123, or their \
                 names are wrong";
    if !is_synchronised {
        return match status.sources.as_deref() {
            Some([]) => lacks("has no server to follow", "write `server HOST iburst` into chrony.conf"),
            Some(_) | None => lacks("follows nobody yet", reach),
        };
    }
    let name = status.server.as_deref().map_or_else(|| "a server".to_owned(), plain);
    let selected = |sources: &[nunect_core::clock::NtpSource]| sources.iter().any(|one| one.selected && one.reach != 0);
    if status.sources.as_deref().is_some_and(|sources| !selected(sources)) {
        return lacks(&format!("still says that it follows {name}, which does not answer any more"), reach);
    }
    let (offset, error) = (Span(status.offset_ns()), bound(status.error_bound_ns()));
    let what = format!("follows {name}, stratum {}, offset {offset}, wrong by {error} at most", status.stratum);
    (vec![Finding::ok(NTP, what)], true)
}

fn kernel(status: &KernelStatus) -> (Vec<Finding>, bool) {
    if status.synchronized {
        let error = bound(status.max_error_us.saturating_mul(1_000));
        let what = format!("somebody told it that the clock is right, wrong by {error} at most");
        return (vec![Finding::ok(KERNEL, what)], true);
    }
    let what = "nobody told it that the clock is right";
    let help = "run chronyd, or systemd-timesyncd; under `chronyd -x` and in a container this is as it has to be";
    (vec![Finding::advice(KERNEL, what, help)], false)
}
