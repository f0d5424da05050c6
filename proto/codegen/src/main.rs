//! Writes `proto/src/generated` from `proto/proto`; with `--check`, only says whether it is current. The compiler is a
//! Rust library, so no machine needs `protoc`.

use std::error::Error;
use std::path::Path;

const FILE: &str = "sluice.v1.rs";

fn main() -> Result<(), Box<dyn Error>> {
    // As it is now: a target folder that several checkouts share may hold the program of another one.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("run this with `cargo run`")?;
    let proto = Path::new(&own).join("..");
    let descriptors = protox::compile(["sluice.proto"], [proto.join("proto")])?;
    let fresh = std::env::temp_dir().join(format!("sluice-proto-{}", std::process::id()));
    std::fs::create_dir_all(&fresh)?;
    tonic_prost_build::configure().out_dir(&fresh).compile_fds(descriptors)?;
    let code = std::fs::read_to_string(fresh.join(FILE))?;
    std::fs::remove_dir_all(&fresh)?;
    let kept = proto.join("src/generated").join(FILE);
    if std::env::args().any(|argument| argument == "--check") {
        if std::fs::read_to_string(&kept)? != code {
            return Err(format!("{} is not what the .proto file gives: run this without --check", kept.display()).into());
        }
        return Ok(());
    }
    Ok(std::fs::write(kept, code)?)
}
