//! The reader of gpsd's lines, on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nunect_runtime::timesync::gpsd::wire::fuzz(data));
