//! Notes with what the program was built, and for what: `VERSION` tells it.

use std::env;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "a build script is told what it needs in its environment")]
fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let version = String::from_utf8_lossy(&version);
    let version = version.split_whitespace().nth(1).unwrap_or("unknown");
    let target = env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo:rustc-env=NUNECT_RUSTC={version}");
    println!("cargo:rustc-env=NUNECT_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}
