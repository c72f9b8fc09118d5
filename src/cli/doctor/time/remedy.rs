//! What to do about a time daemon that cannot be read.

use nunect_core::clock::{Obstacle, TimeDaemon};
use nunect_runtime::config::TimeSection;

/// One sentence on how it is mended.
pub(super) fn of(time: &TimeSection, daemon: TimeDaemon, cause: Obstacle) -> String {
    match daemon {
        TimeDaemon::Ptp4l => ptp4l(time, cause),
        TimeDaemon::Gpsd => gpsd(cause).to_owned(),
        TimeDaemon::Chronyd => chronyd(cause).to_owned(),
        TimeDaemon::Kernel => "let the process use the system call adjtimex, which a sandbox forbids".to_owned(),
    }
}

fn ptp4l(time: &TimeSection, cause: Obstacle) -> String {
    match cause {
        Obstacle::Absent => "for PTP start ptp4l, or set time.ptp_socket to its `uds_address`",
        Obstacle::Denied => {
            "let the node's user write to the socket: in ptp4l.conf `uds_file_mode 0666`, or a `uds_ro_address` with \
             `uds_ro_file_mode 0666` that time.ptp_socket names"
        }
        Obstacle::OtherDomain { answers, transport_specific } => {
            let domain = (answers != time.ptp_domain).then(|| format!("time.ptp_domain: {answers}"));
            let other = transport_specific != time.ptp_transport_specific;
            let transport = other.then(|| format!("time.ptp_transport_specific: {transport_specific}"));
            return format!("set {}", domain.into_iter().chain(transport).collect::<Vec<_>>().join(" and "));
        }
        Obstacle::Silent => {
            "look into ptp4l's log: it hangs, or may not write to the node's own socket, as in another mount namespace"
        }
        Obstacle::Refused => "update linuxptp to 3.1 or later, which answers what is asked",
        Obstacle::Malformed => "set time.ptp_socket to the socket of ptp4l: what answers there speaks otherwise",
    }
    .to_owned()
}

const fn gpsd(cause: Obstacle) -> &'static str {
    match cause {
        Obstacle::Absent => "for GPS start `gpsd -n` with the receiver's devices, or set time.gpsd to where it listens",
        Obstacle::Denied => "let the node's user connect there, which a firewall or a sandbox forbids",
        Obstacle::Silent => "set time.gpsd to the port of gpsd: what listens there hangs, or is something else",
        Obstacle::Refused => "look into gpsd's log: it ends the connections that it takes",
        Obstacle::Malformed | Obstacle::OtherDomain { .. } => {
            "set time.gpsd to the port of gpsd: what listens there speaks otherwise"
        }
    }
}

const fn chronyd(cause: Obstacle) -> &'static str {
    match cause {
        Obstacle::Absent => {
            "for NTP start chronyd; where it runs, open its command port (`cmdport 323` in chrony.conf), or set \
             time.chrony to its socket"
        }
        Obstacle::Denied => {
            "add the node's user to the group of chronyd's socket (`_chrony` or `chrony`), or open the command port \
             (`cmdport 323` in chrony.conf) and set time.chrony: 127.0.0.1:323"
        }
        Obstacle::Silent => "look whether chronyd hangs, or a firewall drops what goes to its command port",
        Obstacle::Refused => {
            "open chronyd's command port for this host (in chrony.conf `cmdallow 127.0.0.1`, and no `cmdport 0`), or \
             set time.chrony to its socket"
        }
        Obstacle::Malformed | Obstacle::OtherDomain { .. } => {
            "set time.chrony to chronyd's command port or socket: what answers there speaks otherwise"
        }
    }
}
