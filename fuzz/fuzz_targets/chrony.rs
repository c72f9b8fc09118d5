//! The reader of chronyd's replies, on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nunect_runtime::timesync::chrony::wire::fuzz(data));
