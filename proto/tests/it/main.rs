//! The checked-in code is what the `.proto` file says. `SLUICE_REGENERATE=1 cargo test --release -p sluice-proto`
//! writes it anew. The compiler is a Rust library, so no machine needs `protoc`.

use std::path::Path;

#[test]
fn generated_code_is_current() -> Result<(), Box<dyn std::error::Error>> {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(["sluice.proto"], [crate_folder.join("proto")])?;
    let folder = tempfile::tempdir()?;
    tonic_prost_build::configure().out_dir(folder.path()).compile_fds(descriptors)?;
    let fresh = std::fs::read_to_string(folder.path().join("sluice.v1.rs"))?;
    let checked_in = crate_folder.join("src/generated/sluice.v1.rs");
    if std::env::var_os("SLUICE_REGENERATE").is_some() {
        std::fs::write(&checked_in, &fresh)?;
    }
    assert!(
        fresh == std::fs::read_to_string(&checked_in)?,
        "proto/src/generated is not what proto/proto/sluice.proto gives: run SLUICE_REGENERATE=1 cargo test --release -p sluice-proto"
    );
    Ok(())
}
