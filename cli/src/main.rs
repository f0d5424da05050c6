//! The `sluice` binary: arguments in, results on standard output, everything else on standard error.
//!
//! Exit codes: 0 done, 1 the user's mistake, 2 ours, 3 the cluster was lost, 130 a second Ctrl-C.

mod allocator;
mod args;
mod commands;
mod failure;
mod interrupt;
mod lexer;
mod logging;
mod output;
mod progress;
mod runner;
mod script;
mod session;
mod shell;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sluice::{Error, ErrorCode};

use crate::args::Cli;
use crate::failure::Failure;

/// Deeply nested expressions are planned by recursion, on the driver in a worker thread.
const WORKER_STACK_BYTES: usize = 8 * 1024 * 1024;
/// How long blocking work, such as a read that was cancelled, may hold up the end of the process.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    allocator::configure();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe leaves nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    logging::start(&cli.global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("sluice")
        .thread_stack_size(WORKER_STACK_BYTES)
        .build()
        .map_err(|error| Error::new(ErrorCode::Internal, "cannot start the threads of the runtime").caused_by(error))?;
    let outcome = runtime.block_on(commands::run(cli));
    runtime.shutdown_timeout(SHUTDOWN_LIMIT);
    outcome
}
