//! Arguments of the commands that take SQL.

use std::path::PathBuf;

use clap::Args;

use super::SessionArgs;
use super::parse::key_value;
use crate::output::Format;

/// Values for `${name}`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct VariableArgs {
    /// The value of ${NAME} in the SQL text; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = key_value)]
    pub(crate) variables: Vec<(String, String)>,
}

/// The form of results.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// Form of the results
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(crate) format: Format,
    /// Print row counts and times even where the output is not a terminal
    #[arg(long)]
    pub(crate) timing: bool,
}

/// SQL from the command line or a file.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SourceArgs {
    /// Statements to run; may be repeated
    #[arg(long = "execute", short = 'e', value_name = "SQL", conflicts_with = "file")]
    pub(crate) execute: Vec<String>,
    /// A file of statements; - is the standard input
    #[arg(long, short = 'f', value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `sluice sql`
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
}

/// `sluice run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The job: a file of SQL statements; - is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) job: PathBuf,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
    /// The name that `sluice jobs` shows [default: the file's name]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The queue to wait in
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// Print the id of the job of the last statement instead of waiting for it; the statements before it are waited for
    #[arg(long)]
    pub(crate) detach: bool,
}

/// `sluice check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The job: a file of SQL statements; - is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) job: PathBuf,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
}

/// `sluice explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Run the statements and add what each operator did; a COPY or an INSERT then writes
    #[arg(long)]
    pub(crate) analyze: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
}
