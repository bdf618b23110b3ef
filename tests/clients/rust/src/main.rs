//! Directs a troupe node over its admin plane: the scenario of ../README.md, in Rust.

mod client;
mod refusal;
mod scenario;

use std::env;
use std::process::ExitCode;

/// The generated stubs.
#[allow(clippy::pedantic)]
mod admin {
    tonic::include_proto!("troupe.admin.v1");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, token_file, peer] = arguments.as_slice() else {
        eprintln!("usage: troupe-client ADMIN TOKEN_FILE PEER");
        return ExitCode::from(2);
    };
    if let Err(error) = scenario::direct(address, token_file, peer).await {
        eprintln!("Error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
