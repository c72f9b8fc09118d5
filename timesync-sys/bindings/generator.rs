//! Makes the bindings from the headers of the machine it runs on.
//!
//! `build.rs`, `examples/generate.rs` and `tests/bindings.rs` share this file.

use bindgen::callbacks::{IntKind, ParseCallbacks};
use bindgen::{Builder, Formatter, MacroTypeVariation, RustEdition, RustTarget};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Structures, with all that they contain.
const TYPES: &str = "ethtool_request|ethtool_ts_info|ptp_clock_caps|ptp_sys_offset|ptp_sys_offset_extended|\
                     ptp_sys_offset_precise|timex";
const FUNCTIONS: &str = "adjtimex";
/// Macros, and the constants of `headers.h`.
const CONSTANTS: &str = "ETHTOOL_GET_TS_INFO|IFNAMSIZ|IOCTL_.*|PTP_MAX_SAMPLES|STAMPING_.*|\
                         STA_(DEL|INS|NANO|PPSSIGNAL|UNSYNC)|TIME_(OK|INS|DEL|OOP|WAIT|ERROR)";
/// The reserved end of `timex` is a field of bits for bindgen, whose type has 500 lines of methods. These do, too.
const RESERVED_BITS: &str = "#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct __BindgenBitfieldUnit<Storage>(pub Storage);";

/// The versions of the headers that bindings came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Headers {
    /// Of the kernel: version, patch level and sublevel.
    linux: [i64; 3],
    /// Of the GNU C library: major and minor.
    glibc: [i64; 2],
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([version, patch, sub], [major, minor]) = (self.linux, self.glibc);
        write!(f, "Linux {version}.{patch}.{sub} and glibc {major}.{minor}")
    }
}

/// What was made of the headers, and of which.
#[derive(Debug)]
pub(crate) struct Generated {
    headers: Headers,
    body: String,
}

impl Generated {
    /// The whole file, which begins with the versions of the headers.
    pub(crate) fn text(&self) -> String {
        let Self { headers, body } = self;
        format!("// From the headers of {headers}.\n// Made by bindgen: do not edit. lib.rs says how.\n\n{body}")
    }
}

/// Makes the bindings from `headers.h` in the folder `folder`, for the target that is built for unless clang's arguments
/// `clang` say another. An error is clang's, or says which macro is missing.
pub(crate) fn generate(folder: &Path, clang: &[String]) -> Result<Generated, Box<dyn Error>> {
    let macros = Macros::default();
    let header = folder.join("headers.h");
    let bindings = Builder::default()
        .header(header.to_str().ok_or_else(|| format!("the path {} is no UTF-8", header.display()))?)
        .clang_args(clang)
        .parse_callbacks(Box::new(macros.clone()))
        .allowlist_type(TYPES)
        .allowlist_function(FUNCTIONS)
        .allowlist_var(CONSTANTS)
        .blocklist_type("__BindgenBitfieldUnit")
        .raw_line(RESERVED_BITS)
        // As the functions and fields that they belong to: `int`.
        .default_macro_constant_type(MacroTypeVariation::Signed)
        .ctypes_prefix("std::ffi")
        .derive_default(true)
        .generate_comments(false)
        .disable_header_comment()
        // The text depends neither on the compiler, nor on whether there is a rustfmt.
        .rust_target(RustTarget::stable(85, 0).map_err(|error| error.to_string())?)
        .rust_edition(RustEdition::Edition2024)
        .formatter(Formatter::Prettyplease)
        .generate()?;
    Ok(Generated { headers: macros.headers()?, body: bindings.to_string() })
}

/// Keeps the macros that tell the versions of the headers.
#[derive(Clone, Debug, Default)]
struct Macros(Arc<Mutex<BTreeMap<String, i64>>>);

impl ParseCallbacks for Macros {
    fn int_macro(&self, name: &str, value: i64) -> Option<IntKind> {
        if name.starts_with("LINUX_VERSION_") || name.starts_with("__GLIBC_") {
            self.0.lock().ok()?.insert(name.to_string(), value);
        }
        None
    }
}

impl Macros {
    fn headers(&self) -> Result<Headers, Box<dyn Error>> {
        let macros = self.0.lock().map_err(|error| error.to_string())?;
        let value = |name: &str| macros.get(name).copied().ok_or_else(|| format!("the headers do not define {name}"));
        let [version, patch, sub] =
            ["LINUX_VERSION_MAJOR", "LINUX_VERSION_PATCHLEVEL", "LINUX_VERSION_SUBLEVEL"].map(value);
        let [major, minor] = ["__GLIBC__", "__GLIBC_MINOR__"].map(value);
        Ok(Headers { linux: [version?, patch?, sub?], glibc: [major?, minor?] })
    }
}
