//! The reader of what ntpq prints, on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nunect_runtime::timesync::chrony::tools::fuzz_ntpq(data));
