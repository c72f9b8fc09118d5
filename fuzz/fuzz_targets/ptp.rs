//! The reader of linuxptp's management messages, on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nunect_runtime::timesync::ptp::wire::fuzz(data));
