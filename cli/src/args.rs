//! What the command line can say. Each command's own arguments are in `args/`.

mod parse;
mod roles;
mod statements;
mod tools;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use parse::MemoryLimit;
use parse::key_value;
pub(crate) use roles::{ClusterArgs, ExecutorArgs, RoleArgs, SchedulerArgs};
pub(crate) use statements::{CheckArgs, ExplainArgs, OutputArgs, RunArgs, SourceArgs, SqlArgs};
pub(crate) use tools::{
    BenchArgs, Benchmark, CompletionsArgs, ConfigArgs, ConfigCommand, DetailFormat, FeaturePeer, FeaturesArgs, JobArgs,
    JobsArgs, KillArgs, SkewArgs, SkewPeer, SqlArgs as BenchSqlArgs, SqlPeer,
};

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("SLUICE_COMMIT"), ")");

/// SQL over files and clusters, with features and tensors.
#[derive(Debug, Parser)]
#[command(name = "sluice", version = VERSION, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 done, 1 a mistake in the input, 2 a failure of Sluice or the machine, 3 the \
                        cluster was lost.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct GlobalArgs {
    /// Print results and errors only: no progress, no row counts
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Form of the log lines on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// off, error, warn, info, debug, trace, or a list such as warn,datafusion=debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn", env = "SLUICE_LOG")]
    pub(crate) log_level: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where statements run and under which settings.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SessionArgs {
    /// Where to run: local[*], local[N], local-cluster[N] or sluice://host:port [default: the setting sluice.master,
    /// else local[*]]
    #[arg(long, short, value_name = "MASTER")]
    pub(crate) master: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Settings from the command line and from a file.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingArgs {
    /// A setting, stronger than the file and the environment; may be repeated
    #[arg(long, short = 'c', value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) conf: Vec<(String, String)>,
    /// A settings file other than ./sluice.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL from a prompt, the command line or a file
    Sql(SqlArgs),
    /// Run a job: a file of SQL statements
    Run(RunArgs),
    /// Parse, resolve and plan a job without reading data
    Check(CheckArgs),
    /// Show the plans of statements
    Explain(ExplainArgs),
    /// Run the driver of a cluster
    Scheduler(SchedulerArgs),
    /// Run an executor of a cluster
    Executor(ExecutorArgs),
    /// Run a driver and executors on this machine
    Cluster(ClusterArgs),
    /// List the jobs of a cluster
    Jobs(JobsArgs),
    /// Show one job and its stages
    Job(JobArgs),
    /// Cancel a job
    Kill(KillArgs),
    /// Measure, and verify the results
    Bench(BenchArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Show what can be set
    Config(ConfigArgs),
    /// Print every feature function with its parameters, as Markdown
    Functions,
}

#[cfg(test)]
mod tests;
