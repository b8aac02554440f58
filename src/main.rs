//! The `bhn-fhir` command. Exit codes: 0 done, 1 failed, 2 the arguments are wrong; commands
//! that look something over say what theirs mean.

use bhn_fhir::cli::{self, Cli};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(code) => code,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("bhn-fhir: {error}");
    ExitCode::FAILURE
}
