//! The bindings that are checked in are those that the kernel's headers give.

#[path = "../bindings/generator.rs"]
mod generator;

use std::collections::BTreeSet;
use std::path::Path;

const AGAIN: &str = "cargo run -p nunect-timesync-sys --features buildtime-bindgen --example generate";

fn checked_in(architecture: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/bindings/{architecture}.rs"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("reading {}: {error}", file.display()))
}

/// The versions of the headers, and the rest.
fn parts(text: &str) -> (&str, &str) {
    let (head, body) = text.split_once("\n\n").expect("a head and an empty line");
    let headers = head.lines().find_map(|line| line.strip_prefix("// From the headers of "));
    (headers.expect("the versions of the headers").trim_end_matches('.'), body)
}

/// The version of the interface: `6.1` of `Linux 6.1.187 and glibc 2.36`.
fn linux(headers: &str) -> &str {
    let version = headers.trim_start_matches("Linux ").split(' ').next().unwrap_or_default();
    version.rsplit_once('.').map_or(version, |(interface, _)| interface)
}

/// What of the bindings `old` is not in `new`.
///
/// With headers of another Linux only what a later one may not change counts: it gives names to reserved fields, and
/// adds others.
fn lost<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let ((old_headers, old), (new_headers, new)) = (parts(old), parts(new));
    let is_same = linux(old_headers) == linux(new_headers);
    if is_same && old == new {
        return Vec::new();
    }
    let found: BTreeSet<&str> = new.lines().collect();
    let missing = old.lines().filter(|line| !found.contains(line) && (is_same || !line.contains("rsv")));
    let missing: Vec<&str> = missing.collect();
    if is_same && missing.is_empty() { vec!["(nothing, but there is more, or another order)"] } else { missing }
}

#[test]
fn the_headers_of_this_machine_give_the_bindings_that_are_checked_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bindings");
    let made = generator::generate(&folder, &[])
        .unwrap_or_else(|error| panic!("making the bindings, which needs libclang and Linux's headers: {error}"));
    let (old, new) = (checked_in(std::env::consts::ARCH), made.text());
    let lost = lost(&old, &new);
    assert!(
        lost.is_empty(),
        "the bindings that are checked in come from {}, those of this machine from {}, which lack:\n{}\n\n\
         After a change of timesync-sys/bindings, or to use the newer headers: {AGAIN}\n\
         The other architecture's file then has to be made again, too: see timesync-sys/src/lib.rs.\n\
         Where the headers are older: install linux-libc-dev of the version above.\n",
        parts(&old).0,
        parts(&new).0,
        lost.join("\n")
    );
}

/// Both have 64 bits and the same order of bytes, and the interfaces have no part of one machine. So the file of the
/// other architecture, whose headers may not be here, is known to be up to date.
#[test]
fn both_architectures_have_the_same_bindings() {
    let (x86_64, aarch64) = (checked_in("x86_64"), checked_in("aarch64"));
    assert!(parts(&x86_64).1 == parts(&aarch64).1, "make both again: see timesync-sys/src/lib.rs");
}

#[test]
fn what_a_newer_linux_adds_is_no_difference_and_what_it_lacks_is_one() {
    let text = |headers: &str, lines: &[&str]| format!("// From the headers of {headers}.\n//\n\n{}", lines.join("\n"));
    let (old, patched, newer) =
        ("Linux 6.1.4 and glibc 2.36", "Linux 6.1.187 and glibc 2.36", "Linux 6.12.1 and glibc 2.41");
    let checked_in = text(old, &["a", "rsv: [u32; 3]", "b"]);
    assert_eq!(lost(&checked_in, &text(patched, &["a", "rsv: [u32; 3]", "b"])), [""; 0]);
    assert_eq!(lost(&checked_in, &text(patched, &["a", "rsv: [u32; 2]", "b"])), ["rsv: [u32; 3]"]);
    assert_eq!(lost(&checked_in, &text(patched, &["a", "rsv: [u32; 3]", "b", "c"])).len(), 1);
    assert_eq!(lost(&checked_in, &text(newer, &["a", "rsv: [u32; 2]", "c", "b"])), [""; 0]);
    assert_eq!(lost(&checked_in, &text(newer, &["a", "rsv: [u32; 3]"])), ["b"]);
}
