//! Arguments of the commands around jobs, benchmarks and the program itself.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::SessionArgs;
use super::parse::{MemoryLimit, QueryList, memory, positive, query_list};
use crate::output::Format;

/// `sluice jobs`
#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    /// Form of the list
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
}

/// `sluice job`
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// The job's id, as `sluice jobs` shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    /// Form of the answer
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: DetailFormat,
}

/// The form of an answer that is not rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DetailFormat {
    Table,
    Json,
}

/// `sluice kill`
#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The job's id, as `sluice jobs` shows it
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
}

/// `sluice bench`
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) benchmark: Benchmark,
}

/// The benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// The 22 queries of TPC-H
    Tpch(SqlArgs),
    /// The 99 queries of TPC-DS
    Tpcds(SqlArgs),
    /// The 43 queries of ClickBench, on a generated table
    Clickbench(SqlArgs),
    /// The feature functions, each on one core
    Features(FeaturesArgs),
    /// Uneven keys: joins, aggregates, windows and writes with the handling of skew off and on
    Skew(SkewArgs),
    /// DataFusion as it comes, for a benchmark to compare with: requests on the input, answers on the output
    #[command(hide = true)]
    Peer,
}

/// `sluice bench tpch`, `tpcds` and `clickbench`
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// Scale factor: 1 is about 1 GB of text, or a million rows of ClickBench
    #[arg(long, short, default_value = "1", value_parser = positive)]
    pub(crate) scale: f64,
    /// Queries to run, such as 1,3-5 [default: all]
    #[arg(long, value_name = "LIST", value_parser = query_list)]
    pub(crate) queries: Option<QueryList>,
    /// How often to run each query; the median counts
    #[arg(long, short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) iterations: u32,
    /// Compare every result with that of plain DataFusion and, where it is installed, DuckDB
    #[arg(long)]
    pub(crate) verify: bool,
    /// Time other engines in the same run, each in its own process; those but datafusion are Python packages
    #[arg(long, value_name = "PEERS", value_delimiter = ',')]
    pub(crate) against: Vec<SqlPeer>,
    /// Memory of the operators: a size such as 4GiB, or a share such as 5% of what each query takes without a limit
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub(crate) memory: Option<MemoryLimit>,
    /// Where the data lies or goes [default: a folder of the user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
}

/// An engine to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SqlPeer {
    Datafusion,
    Duckdb,
    Polars,
    Spark,
    Sail,
}

/// `sluice bench features`
#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    /// Rows of the table; the text set has a tenth of them
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rows: u64,
    /// How often to run each step, after once to warm up; the median counts
    #[arg(long, short, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) iterations: u32,
    /// Steps to run, or functions whose steps to run [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) functions: Vec<String>,
    /// Time other libraries in the same run: Python packages of the interpreter PEERS_PYTHON, or python3
    #[arg(long, value_name = "PEERS", value_delimiter = ',')]
    pub(crate) against: Vec<FeaturePeer>,
    /// Where the data lies or goes [default: a folder of the user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
}

/// A library to compare feature functions with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FeaturePeer {
    Sklearn,
    #[value(name = "category_encoders")]
    CategoryEncoders,
    Optbinning,
    Polars,
    Spark,
}

/// `sluice bench skew`
#[derive(Debug, Args)]
pub(crate) struct SkewArgs {
    /// Rows of each large table
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000_000))]
    pub(crate) rows: u64,
    /// Partitions of each exchange
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) partitions: u64,
    /// How keys are distributed: zipf0, zipf1.0, zipf1.2, zipf1.5, one10, one50, one98, null30, composite [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) distributions: Vec<String>,
    /// Steps to run [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) steps: Vec<String>,
    /// How often to run each step in each mode; the median counts
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) iterations: u32,
    /// Run the steps in other engines, too: PySpark of the interpreter PEERS_PYTHON, or python3
    #[arg(long, value_name = "PEERS", value_delimiter = ',')]
    pub(crate) against: Vec<SkewPeer>,
    /// Where the data lies or goes [default: a folder of the user's cache]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
}

/// An engine to compare the handling of skew with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SkewPeer {
    Spark,
    SparkSalted,
}

/// `sluice completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell to complete in
    pub(crate) shell: clap_complete::Shell,
}

/// `sluice config`
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// What to show of the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting with its type, default and meaning, as Markdown
    Reference,
}
