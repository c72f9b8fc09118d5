//! What bindgen makes of the kernel's headers; `lib.rs` says how.

#![allow(
    dead_code,
    non_camel_case_types,
    unreachable_pub,
    clippy::undocumented_unsafe_blocks,
    reason = "bindgen writes this: its unsafe blocks fill structures of numbers and pointers with zeros"
)]

// One more architecture, 32-bit ARM for one, is one more line and its file.
cfg_select! {
    feature = "buildtime-bindgen" => { include!(concat!(env!("OUT_DIR"), "/bindings.rs")); }
    target_arch = "x86_64" => { include!("bindings/x86_64.rs"); }
    target_arch = "aarch64" => { include!("bindings/aarch64.rs"); }
    _ => {
        compile_error!("there are no bindings for this architecture yet: build with the feature `buildtime-bindgen`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::{offset_of, size_of};

    // What the kernel's ABI says, and not only the headers that the bindings come from. On machines with 64 bits.

    #[test]
    fn structures_have_the_kernels_sizes() {
        assert_eq!(size_of::<ptp_clock_time>(), 16);
        assert_eq!(size_of::<ptp_clock_caps>(), 80);
        assert_eq!(size_of::<ptp_sys_offset>(), 832);
        assert_eq!(size_of::<ptp_sys_offset_precise>(), 64);
        assert_eq!(size_of::<ptp_sys_offset_extended>(), 1216);
        assert_eq!(size_of::<ethtool_ts_info>(), 44);
        assert_eq!(size_of::<ethtool_request>(), 40);
        assert_eq!(size_of::<timex>(), 208);
    }

    #[test]
    fn fields_lie_where_the_kernel_writes_them() {
        assert_eq!(offset_of!(ptp_clock_time, nsec), 8);
        assert_eq!(offset_of!(ptp_clock_caps, cross_timestamping), 24);
        assert_eq!(offset_of!(ptp_clock_caps, adjust_phase), 28);
        assert_eq!(offset_of!(ptp_sys_offset, ts), 16);
        assert_eq!(offset_of!(ptp_sys_offset_extended, ts), 16);
        assert_eq!(offset_of!(ptp_sys_offset_precise, sys_realtime), 16);
        assert_eq!(offset_of!(ethtool_request, data), 16);
        assert_eq!(offset_of!(ethtool_ts_info, phc_index), 8);
        assert_eq!(offset_of!(ethtool_ts_info, tx_types), 12);
        assert_eq!(offset_of!(ethtool_ts_info, rx_filters), 28);
        assert_eq!(offset_of!(timex, status), 40);
        assert_eq!(offset_of!(timex, tai), 160);
    }

    #[test]
    fn requests_have_the_kernels_numbers() {
        assert_eq!(IOCTL_PTP_CLOCK_GETCAPS, 0x8050_3d01);
        assert_eq!(IOCTL_PTP_SYS_OFFSET, 0x4340_3d05);
        assert_eq!(IOCTL_PTP_SYS_OFFSET_PRECISE, 0xc040_3d08);
        assert_eq!(IOCTL_PTP_SYS_OFFSET_EXTENDED, 0xc4c0_3d09);
        assert_eq!(IOCTL_SIOCETHTOOL, 0x8946);
        assert_eq!(ETHTOOL_GET_TS_INFO, 0x41);
    }

    /// `_IOC` of `asm-generic/ioctl.h`: two bits of direction, 14 of size, 8 of type and 8 of number.
    #[test]
    fn requests_carry_the_sizes_of_their_structures() {
        let (write, read) = (1, 2);
        let number = |direction: usize, number: usize, size: usize| {
            u32::try_from(direction << 30 | size << 16 | usize::from(b'=') << 8 | number)
        };
        assert_eq!(number(read, 1, size_of::<ptp_clock_caps>()), Ok(IOCTL_PTP_CLOCK_GETCAPS));
        assert_eq!(number(write, 5, size_of::<ptp_sys_offset>()), Ok(IOCTL_PTP_SYS_OFFSET));
        assert_eq!(number(read | write, 8, size_of::<ptp_sys_offset_precise>()), Ok(IOCTL_PTP_SYS_OFFSET_PRECISE));
        assert_eq!(number(read | write, 9, size_of::<ptp_sys_offset_extended>()), Ok(IOCTL_PTP_SYS_OFFSET_EXTENDED));
    }
}
