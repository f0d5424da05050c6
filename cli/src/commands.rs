//! The commands, one file each.

mod bench;
mod check;
mod explain;
mod jobs;
mod meta;
mod roles;
mod run;
mod spreads;
mod sql;

use sluice_bench::sql::Benchmark as Queries;

use crate::args::{Benchmark, Cli, Command};
use crate::failure::Failure;

/// Runs the command that the user gave.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let quiet = cli.global.quiet;
    match cli.command {
        Command::Sql(arguments) => sql::run(arguments, quiet).await,
        Command::Run(arguments) => run::run(arguments, quiet).await,
        Command::Check(arguments) => check::run(arguments, quiet).await,
        Command::Explain(arguments) => explain::run(arguments, quiet).await,
        Command::Scheduler(arguments) => roles::scheduler(arguments, quiet).await,
        Command::Executor(arguments) => roles::executor(arguments, quiet).await,
        Command::Cluster(arguments) => roles::cluster(arguments, quiet).await,
        Command::Jobs(arguments) => jobs::list(arguments).await,
        Command::Job(arguments) => jobs::show(arguments).await,
        Command::Kill(arguments) => jobs::kill(arguments, quiet).await,
        Command::Bench(arguments) => match arguments.benchmark {
            Benchmark::Tpch(arguments) => bench::sql(Queries::TpcH, arguments, quiet).await,
            Benchmark::Tpcds(arguments) => bench::sql(Queries::TpcDs, arguments, quiet).await,
            Benchmark::Clickbench(arguments) => bench::sql(Queries::ClickBench, arguments, quiet).await,
            Benchmark::Peer => bench::peer().await,
            Benchmark::Features(arguments) => bench::features(arguments, quiet).await,
            Benchmark::Skew(arguments) => bench::skew(arguments, quiet).await,
        },
        Command::Completions(arguments) => meta::completions(arguments),
        Command::Config(arguments) => meta::config(arguments),
        Command::Functions => meta::functions(),
    }
}
