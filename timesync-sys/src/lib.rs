//! What Linux knows about clocks, behind safe functions: PTP hardware clocks ([`PtpDevice`]), the time stamps that
//! network interfaces can take ([`timestamping_caps`]), and the kernel's own view of the system clock
//! ([`kernel_clock`]). Nothing here changes a clock.
//!
//! This is the only crate of nunect that contains unsafe code. Errors say what was asked of which device; their source
//! is the kernel's error number.
//!
//! # The bindings
//!
//! `src/bindings/<architecture>.rs` is made by bindgen from `bindings/headers.h`, and checked in so that a build needs
//! neither libclang nor headers. The tests make the file of this machine's architecture again, and compare. To make
//! them anew after a change of `bindings/`, on Debian:
//!
//! ```sh
//! apt-get install libclang-dev libc6-dev libc6-dev-arm64-cross
//! cargo run -p nunect-timesync-sys --features buildtime-bindgen --example generate
//! cargo run -p nunect-timesync-sys --features buildtime-bindgen --example generate -- \
//!     aarch64 -isystem /usr/aarch64-linux-gnu/include
//! ```
//!
//! Where the first command runs on aarch64, the others are for x86_64 in the same way. With the feature
//! `buildtime-bindgen` the crate is built on the headers of the machine that builds it: here so that the program
//! compiles even when the crate needs what the old bindings lack.
//!
//! # What is not tested
//!
//! The tests run where there is no PTP hardware clock. They check the numbers, sizes and layouts of its requests, all
//! arithmetic on its answers, and that a file that is no such clock is an error; no request was answered by a clock.

#[cfg(not(target_os = "linux"))]
compile_error!("nunect-timesync-sys binds interfaces of Linux, and this target is none");

mod bindings;
mod ethtool;
mod kernel;
mod ptp;
mod refusal;

pub use ethtool::{TimestampingCaps, timestamping_caps};
pub use kernel::{KernelClock, Leap, kernel_clock};
pub use ptp::{Method, PhcOffset, PtpCaps, PtpDevice, SAMPLES_MAX, Sample};
