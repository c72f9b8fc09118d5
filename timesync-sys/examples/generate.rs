//! Makes `src/bindings/<architecture>.rs` anew: the crate's documentation says when and how.
//!
//! The arguments are the architecture, this machine's by default, and what clang needs to find its headers.

#[path = "../bindings/generator.rs"]
mod generator;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let architecture = arguments.next().unwrap_or_else(|| std::env::consts::ARCH.to_string());
    let clang: Vec<String> = std::iter::once(format!("--target={architecture}-linux-gnu")).chain(arguments).collect();
    let crate_ = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = generator::generate(&crate_.join("bindings"), &clang)?;
    let file = crate_.join(format!("src/bindings/{architecture}.rs"));
    std::fs::write(&file, generated.text()).map_err(|error| format!("writing {}: {error}", file.display()))?;
    Ok(())
}
