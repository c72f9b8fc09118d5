// From the headers of Linux 6.1.4 and glibc 2.36.
// Made by bindgen: do not edit. lib.rs says how.

#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct __BindgenBitfieldUnit<Storage>(pub Storage);

pub const STA_INS: i32 = 16;
pub const STA_DEL: i32 = 32;
pub const STA_UNSYNC: i32 = 64;
pub const STA_PPSSIGNAL: i32 = 256;
pub const STA_NANO: i32 = 8192;
pub const TIME_OK: i32 = 0;
pub const TIME_INS: i32 = 1;
pub const TIME_DEL: i32 = 2;
pub const TIME_OOP: i32 = 3;
pub const TIME_WAIT: i32 = 4;
pub const TIME_ERROR: i32 = 5;
pub const ETHTOOL_GET_TS_INFO: i32 = 65;
pub const IFNAMSIZ: i32 = 16;
pub const PTP_MAX_SAMPLES: i32 = 25;
pub type __time_t = std::ffi::c_long;
pub type __suseconds_t = std::ffi::c_long;
pub type __syscall_slong_t = std::ffi::c_long;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct timeval {
    pub tv_sec: __time_t,
    pub tv_usec: __suseconds_t,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of timeval"][::std::mem::size_of::<timeval>() - 16usize];
    ["Alignment of timeval"][::std::mem::align_of::<timeval>() - 8usize];
    [
        "Offset of field: timeval::tv_sec",
    ][::std::mem::offset_of!(timeval, tv_sec) - 0usize];
    [
        "Offset of field: timeval::tv_usec",
    ][::std::mem::offset_of!(timeval, tv_usec) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct timex {
    pub modes: std::ffi::c_uint,
    pub offset: __syscall_slong_t,
    pub freq: __syscall_slong_t,
    pub maxerror: __syscall_slong_t,
    pub esterror: __syscall_slong_t,
    pub status: std::ffi::c_int,
    pub constant: __syscall_slong_t,
    pub precision: __syscall_slong_t,
    pub tolerance: __syscall_slong_t,
    pub time: timeval,
    pub tick: __syscall_slong_t,
    pub ppsfreq: __syscall_slong_t,
    pub jitter: __syscall_slong_t,
    pub shift: std::ffi::c_int,
    pub stabil: __syscall_slong_t,
    pub jitcnt: __syscall_slong_t,
    pub calcnt: __syscall_slong_t,
    pub errcnt: __syscall_slong_t,
    pub stbcnt: __syscall_slong_t,
    pub tai: std::ffi::c_int,
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 44usize]>,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of timex"][::std::mem::size_of::<timex>() - 208usize];
    ["Alignment of timex"][::std::mem::align_of::<timex>() - 8usize];
    ["Offset of field: timex::modes"][::std::mem::offset_of!(timex, modes) - 0usize];
    ["Offset of field: timex::offset"][::std::mem::offset_of!(timex, offset) - 8usize];
    ["Offset of field: timex::freq"][::std::mem::offset_of!(timex, freq) - 16usize];
    [
        "Offset of field: timex::maxerror",
    ][::std::mem::offset_of!(timex, maxerror) - 24usize];
    [
        "Offset of field: timex::esterror",
    ][::std::mem::offset_of!(timex, esterror) - 32usize];
    ["Offset of field: timex::status"][::std::mem::offset_of!(timex, status) - 40usize];
    [
        "Offset of field: timex::constant",
    ][::std::mem::offset_of!(timex, constant) - 48usize];
    [
        "Offset of field: timex::precision",
    ][::std::mem::offset_of!(timex, precision) - 56usize];
    [
        "Offset of field: timex::tolerance",
    ][::std::mem::offset_of!(timex, tolerance) - 64usize];
    ["Offset of field: timex::time"][::std::mem::offset_of!(timex, time) - 72usize];
    ["Offset of field: timex::tick"][::std::mem::offset_of!(timex, tick) - 88usize];
    [
        "Offset of field: timex::ppsfreq",
    ][::std::mem::offset_of!(timex, ppsfreq) - 96usize];
    ["Offset of field: timex::jitter"][::std::mem::offset_of!(timex, jitter) - 104usize];
    ["Offset of field: timex::shift"][::std::mem::offset_of!(timex, shift) - 112usize];
    ["Offset of field: timex::stabil"][::std::mem::offset_of!(timex, stabil) - 120usize];
    ["Offset of field: timex::jitcnt"][::std::mem::offset_of!(timex, jitcnt) - 128usize];
    ["Offset of field: timex::calcnt"][::std::mem::offset_of!(timex, calcnt) - 136usize];
    ["Offset of field: timex::errcnt"][::std::mem::offset_of!(timex, errcnt) - 144usize];
    ["Offset of field: timex::stbcnt"][::std::mem::offset_of!(timex, stbcnt) - 152usize];
    ["Offset of field: timex::tai"][::std::mem::offset_of!(timex, tai) - 160usize];
};
impl Default for timex {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn adjtimex(__ntx: *mut timex) -> std::ffi::c_int;
}
pub type __s32 = std::ffi::c_int;
pub type __u32 = std::ffi::c_uint;
pub type __s64 = std::ffi::c_longlong;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct ethtool_ts_info {
    pub cmd: __u32,
    pub so_timestamping: __u32,
    pub phc_index: __s32,
    pub tx_types: __u32,
    pub tx_reserved: [__u32; 3usize],
    pub rx_filters: __u32,
    pub rx_reserved: [__u32; 3usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ethtool_ts_info"][::std::mem::size_of::<ethtool_ts_info>() - 44usize];
    ["Alignment of ethtool_ts_info"][::std::mem::align_of::<ethtool_ts_info>() - 4usize];
    [
        "Offset of field: ethtool_ts_info::cmd",
    ][::std::mem::offset_of!(ethtool_ts_info, cmd) - 0usize];
    [
        "Offset of field: ethtool_ts_info::so_timestamping",
    ][::std::mem::offset_of!(ethtool_ts_info, so_timestamping) - 4usize];
    [
        "Offset of field: ethtool_ts_info::phc_index",
    ][::std::mem::offset_of!(ethtool_ts_info, phc_index) - 8usize];
    [
        "Offset of field: ethtool_ts_info::tx_types",
    ][::std::mem::offset_of!(ethtool_ts_info, tx_types) - 12usize];
    [
        "Offset of field: ethtool_ts_info::tx_reserved",
    ][::std::mem::offset_of!(ethtool_ts_info, tx_reserved) - 16usize];
    [
        "Offset of field: ethtool_ts_info::rx_filters",
    ][::std::mem::offset_of!(ethtool_ts_info, rx_filters) - 28usize];
    [
        "Offset of field: ethtool_ts_info::rx_reserved",
    ][::std::mem::offset_of!(ethtool_ts_info, rx_reserved) - 32usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct ptp_clock_time {
    pub sec: __s64,
    pub nsec: __u32,
    pub reserved: __u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ptp_clock_time"][::std::mem::size_of::<ptp_clock_time>() - 16usize];
    ["Alignment of ptp_clock_time"][::std::mem::align_of::<ptp_clock_time>() - 8usize];
    [
        "Offset of field: ptp_clock_time::sec",
    ][::std::mem::offset_of!(ptp_clock_time, sec) - 0usize];
    [
        "Offset of field: ptp_clock_time::nsec",
    ][::std::mem::offset_of!(ptp_clock_time, nsec) - 8usize];
    [
        "Offset of field: ptp_clock_time::reserved",
    ][::std::mem::offset_of!(ptp_clock_time, reserved) - 12usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct ptp_clock_caps {
    pub max_adj: std::ffi::c_int,
    pub n_alarm: std::ffi::c_int,
    pub n_ext_ts: std::ffi::c_int,
    pub n_per_out: std::ffi::c_int,
    pub pps: std::ffi::c_int,
    pub n_pins: std::ffi::c_int,
    pub cross_timestamping: std::ffi::c_int,
    pub adjust_phase: std::ffi::c_int,
    pub rsv: [std::ffi::c_int; 12usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ptp_clock_caps"][::std::mem::size_of::<ptp_clock_caps>() - 80usize];
    ["Alignment of ptp_clock_caps"][::std::mem::align_of::<ptp_clock_caps>() - 4usize];
    [
        "Offset of field: ptp_clock_caps::max_adj",
    ][::std::mem::offset_of!(ptp_clock_caps, max_adj) - 0usize];
    [
        "Offset of field: ptp_clock_caps::n_alarm",
    ][::std::mem::offset_of!(ptp_clock_caps, n_alarm) - 4usize];
    [
        "Offset of field: ptp_clock_caps::n_ext_ts",
    ][::std::mem::offset_of!(ptp_clock_caps, n_ext_ts) - 8usize];
    [
        "Offset of field: ptp_clock_caps::n_per_out",
    ][::std::mem::offset_of!(ptp_clock_caps, n_per_out) - 12usize];
    [
        "Offset of field: ptp_clock_caps::pps",
    ][::std::mem::offset_of!(ptp_clock_caps, pps) - 16usize];
    [
        "Offset of field: ptp_clock_caps::n_pins",
    ][::std::mem::offset_of!(ptp_clock_caps, n_pins) - 20usize];
    [
        "Offset of field: ptp_clock_caps::cross_timestamping",
    ][::std::mem::offset_of!(ptp_clock_caps, cross_timestamping) - 24usize];
    [
        "Offset of field: ptp_clock_caps::adjust_phase",
    ][::std::mem::offset_of!(ptp_clock_caps, adjust_phase) - 28usize];
    [
        "Offset of field: ptp_clock_caps::rsv",
    ][::std::mem::offset_of!(ptp_clock_caps, rsv) - 32usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ptp_sys_offset {
    pub n_samples: std::ffi::c_uint,
    pub rsv: [std::ffi::c_uint; 3usize],
    pub ts: [ptp_clock_time; 51usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ptp_sys_offset"][::std::mem::size_of::<ptp_sys_offset>() - 832usize];
    ["Alignment of ptp_sys_offset"][::std::mem::align_of::<ptp_sys_offset>() - 8usize];
    [
        "Offset of field: ptp_sys_offset::n_samples",
    ][::std::mem::offset_of!(ptp_sys_offset, n_samples) - 0usize];
    [
        "Offset of field: ptp_sys_offset::rsv",
    ][::std::mem::offset_of!(ptp_sys_offset, rsv) - 4usize];
    [
        "Offset of field: ptp_sys_offset::ts",
    ][::std::mem::offset_of!(ptp_sys_offset, ts) - 16usize];
};
impl Default for ptp_sys_offset {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct ptp_sys_offset_extended {
    pub n_samples: std::ffi::c_uint,
    pub rsv: [std::ffi::c_uint; 3usize],
    pub ts: [[ptp_clock_time; 3usize]; 25usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of ptp_sys_offset_extended",
    ][::std::mem::size_of::<ptp_sys_offset_extended>() - 1216usize];
    [
        "Alignment of ptp_sys_offset_extended",
    ][::std::mem::align_of::<ptp_sys_offset_extended>() - 8usize];
    [
        "Offset of field: ptp_sys_offset_extended::n_samples",
    ][::std::mem::offset_of!(ptp_sys_offset_extended, n_samples) - 0usize];
    [
        "Offset of field: ptp_sys_offset_extended::rsv",
    ][::std::mem::offset_of!(ptp_sys_offset_extended, rsv) - 4usize];
    [
        "Offset of field: ptp_sys_offset_extended::ts",
    ][::std::mem::offset_of!(ptp_sys_offset_extended, ts) - 16usize];
};
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct ptp_sys_offset_precise {
    pub device: ptp_clock_time,
    pub sys_realtime: ptp_clock_time,
    pub sys_monoraw: ptp_clock_time,
    pub rsv: [std::ffi::c_uint; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    [
        "Size of ptp_sys_offset_precise",
    ][::std::mem::size_of::<ptp_sys_offset_precise>() - 64usize];
    [
        "Alignment of ptp_sys_offset_precise",
    ][::std::mem::align_of::<ptp_sys_offset_precise>() - 8usize];
    [
        "Offset of field: ptp_sys_offset_precise::device",
    ][::std::mem::offset_of!(ptp_sys_offset_precise, device) - 0usize];
    [
        "Offset of field: ptp_sys_offset_precise::sys_realtime",
    ][::std::mem::offset_of!(ptp_sys_offset_precise, sys_realtime) - 16usize];
    [
        "Offset of field: ptp_sys_offset_precise::sys_monoraw",
    ][::std::mem::offset_of!(ptp_sys_offset_precise, sys_monoraw) - 32usize];
    [
        "Offset of field: ptp_sys_offset_precise::rsv",
    ][::std::mem::offset_of!(ptp_sys_offset_precise, rsv) - 48usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ethtool_request {
    pub name: [std::ffi::c_char; 16usize],
    pub data: *mut std::ffi::c_void,
    pub rest: [std::ffi::c_char; 16usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of ethtool_request"][::std::mem::size_of::<ethtool_request>() - 40usize];
    ["Alignment of ethtool_request"][::std::mem::align_of::<ethtool_request>() - 8usize];
    [
        "Offset of field: ethtool_request::name",
    ][::std::mem::offset_of!(ethtool_request, name) - 0usize];
    [
        "Offset of field: ethtool_request::data",
    ][::std::mem::offset_of!(ethtool_request, data) - 16usize];
    [
        "Offset of field: ethtool_request::rest",
    ][::std::mem::offset_of!(ethtool_request, rest) - 24usize];
};
impl Default for ethtool_request {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub const IOCTL_PTP_CLOCK_GETCAPS: std::ffi::c_uint = 2152742145;
pub const IOCTL_PTP_SYS_OFFSET: std::ffi::c_uint = 1128283397;
pub const IOCTL_PTP_SYS_OFFSET_PRECISE: std::ffi::c_uint = 3225435400;
pub const IOCTL_PTP_SYS_OFFSET_EXTENDED: std::ffi::c_uint = 3300932873;
pub const IOCTL_SIOCETHTOOL: std::ffi::c_uint = 35142;
pub const STAMPING_TX_HARDWARE: std::ffi::c_uint = 1;
pub const STAMPING_TX_SOFTWARE: std::ffi::c_uint = 2;
pub const STAMPING_RX_HARDWARE: std::ffi::c_uint = 4;
pub const STAMPING_RX_SOFTWARE: std::ffi::c_uint = 8;
pub const STAMPING_SOFTWARE: std::ffi::c_uint = 16;
pub const STAMPING_RAW_HARDWARE: std::ffi::c_uint = 64;
