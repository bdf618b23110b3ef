//! Makes the stubs of all of `protos/`, with a compiler of .proto files that is itself written in Rust.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let protos = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../../protos");
    println!("cargo::rerun-if-changed={}", protos.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(protos.join("troupe/admin/v1"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    let descriptors = protox::compile(files, [protos])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
