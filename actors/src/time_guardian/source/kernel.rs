//! Whether what the kernel says of its clock can be used.
//!
//! It only knows what somebody told it: that the clock is right, and a bound on its error, which it grows
//! by 500 ppm until that is told anew.

use nunect_core::Now;
use nunect_core::clock::KernelStatus;
use nunect_core::protocol::header::ClockQuality;

use super::{Reason, Sample};
use crate::time_guardian::quality::FREQUENCY_UNKNOWN_PPB;

pub(super) fn judge(status: &KernelStatus, at: Now) -> Result<Sample, Reason> {
    if !status.synchronized {
        return Err("nobody told the kernel that its clock is right".into());
    }
    Ok(Sample {
        offset_ns: status.offset_ns,
        error_ns: status.max_error_us.saturating_mul(1_000).saturating_sub(status.offset_ns.unsigned_abs()),
        measured: at.mono,
        grows_from: at.mono,
        frequency_ppb: Some(FREQUENCY_UNKNOWN_PPB),
        at_most: ClockQuality::Locked,
        note: Some("only the kernel's word for it: no NTP daemon can be read".into()),
    })
}
