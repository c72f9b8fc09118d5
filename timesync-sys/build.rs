//! With the feature `buildtime-bindgen`, makes the bindings from the headers of this machine.

use std::error::Error;

#[cfg(feature = "buildtime-bindgen")]
#[path = "bindings/generator.rs"]
mod generator;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "buildtime-bindgen")]
    {
        println!("cargo::rerun-if-changed=bindings");
        println!("cargo::rerun-if-env-changed=BINDGEN_EXTRA_CLANG_ARGS");
        let generated = generator::generate(std::path::Path::new("bindings"), &[])?;
        let folder = std::env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?;
        std::fs::write(std::path::Path::new(&folder).join("bindings.rs"), generated.text())?;
    }
    Ok(())
}
