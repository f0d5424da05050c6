//! Arguments of the processes of a cluster.

use std::path::PathBuf;

use clap::Args;

use super::SettingArgs;

/// What every role takes.
#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// The address to listen on; 0.0.0.0 lets other machines in
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) bind: String,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    /// End when the standard input closes
    #[arg(long, hide = true)]
    pub(crate) exit_with_parent: bool,
}

/// `sluice scheduler`
#[derive(Debug, Args)]
pub(crate) struct SchedulerArgs {
    /// The port for clients and executors; 0 takes a free one
    #[arg(long, default_value_t = 50050)]
    pub(crate) port: u16,
    /// The name that others reach this machine by
    #[arg(long, value_name = "HOST")]
    pub(crate) external_host: Option<String>,
    #[command(flatten)]
    pub(crate) role: RoleArgs,
}

/// `sluice executor`
#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    /// The driver to work for
    #[arg(long, value_name = "URL", default_value = "sluice://127.0.0.1:50050")]
    pub(crate) scheduler: String,
    /// The port for shuffle data; 0 takes a free one
    #[arg(long, default_value_t = 50051)]
    pub(crate) port: u16,
    /// The port for tasks; 0 takes a free one
    #[arg(long, default_value_t = 50052)]
    pub(crate) grpc_port: u16,
    /// The name that others reach this machine by
    #[arg(long, value_name = "HOST")]
    pub(crate) external_host: Option<String>,
    /// How many tasks run at a time [default: all cores]
    #[arg(long)]
    pub(crate) cores: Option<usize>,
    /// Where shuffle data goes [default: a folder of the system's temporary one]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// The executor's id [default: a fresh one]
    #[arg(long, hide = true)]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) role: RoleArgs,
}

/// `sluice cluster`
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// How many executors
    #[arg(long, short = 'n', default_value_t = 3, value_parser = executor_count)]
    pub(crate) executors: usize,
    /// How many tasks each executor runs at a time [default: the machine's cores, shared out]
    #[arg(long)]
    pub(crate) cores: Option<usize>,
    /// The port for clients; 0 takes a free one
    #[arg(long, default_value_t = 50050)]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) role: RoleArgs,
}

/// More processes than this on one machine are a typing error.
const MAX_EXECUTORS: usize = 256;

fn executor_count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if (1..=MAX_EXECUTORS).contains(&count) => Ok(count),
        _ => Err(format!("expected a number from 1 to {MAX_EXECUTORS}")),
    }
}
